"""What 17TRACK and AfterShip may send by their documents, as tables: envelopes, times, words, estimates and legs.

Written from 17TRACK's API documents v1, v2.2 and v2.4 (asset.17track.net/api/document, help.17track.net) and from
AfterShip's reference and its SDKs' models (aftership.com/docs/tracking, github.com/AfterShip/tracking-sdk-go).
"""

import json
from typing import Any

import pytest

from adapters.carriers import aftership, seventeentrack
from bot.cli.tracking import described
from bot.model.clock import Clock
from bot.model.tracks import Track
from bot.tracking.timeline import merge

NOW = Clock().now()
A, B = "LX123456785CN", "RR123456785CN"


def bytes_of(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()


def state(track: Track) -> str:
    told = described(track, NOW)
    return f"{told['status']}/{told['cause'] or ''}".rstrip("/")


def said(track: Track) -> list[str]:
    return [f"{s.status.value}/{s.cause}".rstrip("/") for s in track.scans]


def legs(track: Track) -> list[tuple[str, str]]:
    return [(leg.carrier, leg.number) for leg in track.legs]


# ---- 17TRACK ---------------------------------------------------------------------------------------------


def event(sub: str | None = "InTransit_Other", day: int = 10, **more: Any) -> dict[str, Any]:
    clock = f"2026-11-{day:02d}T10:00:00"
    raw = {"date": clock[:10], "time": clock[11:], "timezone": None}
    told = {"time_iso": f"{clock}-05:00", "time_utc": None, "time_raw": raw, "description": f"on {day}"}
    return {**told, "location": None, "stage": None, "sub_status": sub, "address": {"country": "US"}} | more


def info(*providers: tuple[int, list[Any]], status: str = "InTransit", **more: Any) -> dict[str, Any]:
    return {
        "shipping_info": {"shipper_address": {"country": "US"}, "recipient_address": {"country": "US"}},
        "latest_status": {"status": status, "sub_status": None},
        "tracking": {"providers": [{"provider": {"key": key}, "events": events} for key, events in providers]},
    } | more


def item(number: str = A, carrier: int = 3011, **track: Any) -> dict[str, Any]:
    return {"number": number, "carrier": carrier, "track_info": track or info((3011, [event()]))}


def read_17track(**track: Any) -> Track:
    (found,) = seventeentrack.read(bytes_of({"code": 0, "data": {"accepted": [item(**track)]}}))
    return found


@pytest.mark.parametrize(
    ("body", "numbers"),
    [
        ({"code": 0, "data": {"accepted": [item(A), item(B)], "rejected": []}}, [A, B]),
        ({"code": 0, "data": {"accepted": item(A)}}, [A]),
        ({"event": "TRACKING_UPDATED", "data": item(A)}, [A]),
        ({"event": "TRACKING_STOPPED", "data": {"number": A, "carrier": 3011, "param": None, "tag": ""}}, [A]),
        ({"event": "TRACKING_UPDATED", "data": [item(A), item(B)]}, [A, B]),
        ([{"data": item(A)}, {"data": {"accepted": [item(B)]}}], [A, B]),
        (item(A), [A]),
        ([item(A), item(B)], [A, B]),
        (b"\n".join(bytes_of({"data": item(n)}) for n in (A, B)), [A, B]),
        (b"\xef\xbb\xbf" + bytes_of({"data": item(A)}), [A]),
        (json.dumps({"data": item(A)}).encode("utf-16"), [A]),
        ({"page": {"page_total": 1}, "data": {"accepted": [{"number": A, "package_status": "Delivered"}]}}, [A]),
        ({"shipments": [{"code": 200, "number": A, "carrier": 3011, "shipment": item(A)["track_info"]}]}, [A]),
        ({"ret": 1, "dat": [{"no": A, "track": {"e": 10, "w1": 3011}}, {"no": B, "track": None}]}, [A, B]),
    ],
    ids=range(14),
)
def test_17tracks_trackings_are_found_in_every_envelope(body: Any, numbers: list[str]) -> None:
    assert [t.number for t in seventeentrack.read(bytes_of(body))] == numbers


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"code": -18010002, "data": {"errors": [{"code": -18010002, "message": "no key"}]}}, "error -18010002 no key"),
        ({"data": {"rejected": [{"number": A, "error": {"code": -18019902}}]}}, f"{A} was rejected: error -18019902"),
        ({"code": 0, "data": {"quota_total": 100, "quota_remain": 90}}, "neither an answer nor a push"),
        (b"<html>502 Bad Gateway</html>", "not JSON"),
        (b'{"data":\n{"number":', "not JSON"),
    ],
    ids=range(5),
)
def test_17tracks_refusals_are_one_clear_line(body: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why) as raised:
        seventeentrack.read(bytes_of(body))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("raw", "iso", "at", "origin"),
    [
        ({"date": "2026-11-10", "time": "10:00", "timezone": "UTC-5"}, None, "15:00", "explicit"),
        ({"date": "2026-11-10", "time": "10:00:00.5", "timezone": "+0530"}, None, "04:30", "explicit"),
        ({"date": "Nov 10, 2026", "time": "10:00 am"}, "2026-11-10T10:00:00-05:00", "15:00", "location"),
        ({"date": "2026-11-10", "time": "10:00", "timezone": "EST"}, "2026-11-10T10:00:00-05:00", "15:00", "explicit"),
        ("2026-11-10 10:00", None, "10:00", "unknown"),
        ("2026-11-10T10:00:00+08:00", None, "02:00", "explicit"),
        ({"date": "10/11/2026", "time": "10:00"}, None, None, "unknown"),
        ({"date": "2026-02-30", "time": "10:00", "timezone": "+08:00"}, None, None, "unknown"),
    ],
)
def test_17tracks_raw_time_is_read_in_every_spelling(raw: Any, iso: str | None, at: str | None, origin: str) -> None:
    (scan,) = read_17track(**info((3011, [event(time_raw=raw, time_iso=iso)]))).scans
    assert (f"{scan.at:%H:%M}" if scan.at else None, scan.offset_from.value) == (at, origin)
    assert scan.raw_time


@pytest.mark.parametrize(
    ("subs", "status", "means"),
    [
        (["Exception_Rejected"], "Exception", "returning/refused"),
        (["Exception_NoBody"], "Exception", "returning/unclaimed"),
        (["Exception_Rejected", "Delivered_Other"], "Delivered", "delivered"),
        (["Exception_NoBody", "OutForDelivery_Other"], "OutForDelivery", "out_for_delivery"),
        (["Exception_Returning", "Delivered_Other"], "Delivered", "returned"),
        (["Exception_Lost", "InTransit_Other"], "InTransit", "in_transit"),
        (["InTransit_Other", "Expired_Other"], "Expired", "in_transit"),
        (["DeliveryFailure_Security"], "DeliveryFailure", "customs/held"),
        (["InTransit_Other"], "Delivered", "in_transit"),
        (["Teleported_Other"], "Teleported", "unknown"),
    ],
)
def test_a_refusal_is_a_return_only_where_the_journey_did_not_go_on(subs: list[str], status: str, means: str) -> None:
    events = [event(sub, 10 + n) for n, sub in enumerate(subs)]
    assert state(read_17track(**info((21051, events[::-1]), status=status))) == means


@pytest.mark.parametrize(("whole", "means"), [("Returned", "returned"), ("Returning", "returning")])
def test_what_the_whole_calls_returned_was_delivered_to_its_sender(whole: str, means: str) -> None:
    events = [event("Delivered_Other", 12), event("Exception_Returning", 11)]
    latest = {"status": "Exception", "sub_status": f"Exception_{whole}"}
    told = info((21051, events), latest_status=latest, shipping_info={"shipper_address": {"country": "CN"}})
    assert state(read_17track(**told)) == means
    ended = {"subtag": "Exception_010" if whole == "Returning" else "Exception_011", "tag": "Exception"}
    points = point("Exception_010", 11), point("Delivered_001", 12)
    assert state(read_aftership(*points, origin_country_region="CHN", **ended)) == means


def test_the_older_reading_of_a_refusal_gives_way_to_the_newer_in_any_order() -> None:
    refused, taken = event("Exception_Rejected", 10), event("Delivered_Other", 11)
    first = read_17track(**info((21051, [refused]), status="Exception"))
    last = read_17track(**info((21051, [taken, refused]), status="Delivered"))
    assert state(merge(merge(None, first), last)) == state(merge(merge(None, last), first)) == "delivered"


FROM_CHINA, IN_AMERICA = event("InTransit_PickedUp", 1), event("InTransit_Other", 9)
ANNOUNCED = event("InfoReceived", 1, description="label")


@pytest.mark.parametrize(
    ("providers", "misc", "wanted"),
    [
        ([(21051, [IN_AMERICA]), (3011, [FROM_CHINA])], {}, [("china-post", A), ("usps", A)]),
        ([(3011, [FROM_CHINA]), (21051, [IN_AMERICA])], {}, [("china-post", A), ("usps", A)]),
        (
            [(21051, [IN_AMERICA, ANNOUNCED]), (3011, [event("InTransit_PickedUp", 2)])],
            {},
            [("china-post", A), ("usps", A)],
        ),
        ([(21051, [IN_AMERICA])], {"local_number": "94", "local_key": 21051}, [("china-post", A), ("usps", "94")]),
        ([(3011, [FROM_CHINA])], {"local_number": "94", "local_key": 0}, [("china-post", A), ("", "94")]),
        ([(3011, [FROM_CHINA])], {"local_number": A, "local_key": 3011}, []),
        ([(3011, [FROM_CHINA]), (3011, [IN_AMERICA])], {"local_number": None, "local_key": None}, []),
        ([(21051, [])], {}, []),
    ],
)
def test_17tracks_legs_go_by_who_had_the_parcel_first(
    providers: list[Any], misc: dict[str, Any], wanted: list[tuple[str, str]]
) -> None:
    assert legs(read_17track(**info(*providers, misc_info=misc))) == wanted


def test_a_number_without_a_carrier_is_its_first_providers() -> None:
    told = item(**info((21051, [IN_AMERICA]), (3011, [FROM_CHINA]))) | {"carrier": None}
    (track,) = seventeentrack.read(bytes_of({"data": told}))
    assert (track.carrier, legs(track)) == ("china-post", [("china-post", A), ("usps", A)])


@pytest.mark.parametrize(
    ("told", "text", "country"),
    [
        ({"address": {"country": "US", "city": "Austin"}}, "Austin", "US"),
        ({"address": None, "location": "Shenzhen, China"}, "Shenzhen, China", "CN"),
        ({"address": None, "location": "GERMANY"}, "GERMANY", "DE"),
        ({"address": None, "location": "Atlanta, Georgia"}, "Atlanta, Georgia", ""),
        ({"address": None, "location": "Los Angeles, CA"}, "Los Angeles, CA", ""),
    ],
)
def test_a_place_and_its_country_are_what_the_event_names(told: dict[str, Any], text: str, country: str) -> None:
    (scan,) = read_17track(**info((3011, [event(**told)]))).scans
    assert (scan.place.text, scan.place.country) == (text, country)


@pytest.mark.parametrize(
    ("status", "means"), [("InTransit", "in_transit/handed_to_partner"), ("Delivered", "delivered")]
)
def test_a_delivery_to_the_last_miles_carrier_is_none_to_the_buyer(status: str, means: str) -> None:
    providers = (190008, [event("Delivered_Other", 12)]), (21051, [event("InfoReceived", 11)])
    assert state(read_17track(**info(*providers, status=status))) == means


def test_the_first_versions_third_list_adds_what_the_others_have_not() -> None:
    one, two = {"a": "2026-11-11 10:00", "z": "x"}, {"a": "2026-11-12 10:00", "z": "y"}
    track = {"e": 10, "w1": 3011, "z0": two, "z1": [one], "z2": [], "z9": [two, one]}
    (found,) = seventeentrack.read(bytes_of({"data": {"accepted": [{"number": A, "track": track}]}}))
    assert [s.raw_text for s in found.scans] == ["x", "y"]


# ---- AfterShip -------------------------------------------------------------------------------------------


def point(subtag: str = "InTransit_001", day: int = 10, **more: Any) -> dict[str, Any]:
    told = {"checkpoint_time": f"2026-11-{day:02d}T10:00:00-05:00", "message": f"on {day}", "country_region": "USA"}
    return told | {"tag": subtag.partition("_")[0], "subtag": subtag, "source": "carrier"} | more


def tracking(*points: dict[str, Any], number: str = A, **more: Any) -> dict[str, Any]:
    last = points[-1]["subtag"] if points else "Pending_001"
    told = {"id": "1", "tracking_number": number, "slug": "china-post", "checkpoints": list(points)}
    return told | {"tag": last.partition("_")[0], "subtag": last} | more


def read_aftership(*points: dict[str, Any], **more: Any) -> Track:
    (found,) = aftership.read(bytes_of({"meta": {"code": 200}, "data": tracking(*points, **more)}))
    return found


BOTH = [tracking(point(), number=A), tracking(point(), number=B)]


@pytest.mark.parametrize(
    ("body", "numbers"),
    [
        ({"meta": {"code": 200}, "data": BOTH[0]}, [A]),
        ({"meta": {"code": 200}, "data": {"tracking": BOTH[0]}}, [A]),
        ({"meta": {"code": 200}, "data": {"pagination": {"total": 2}, "trackings": BOTH}}, [A, B]),
        ({"meta": {"code": 200}, "data": {"page": 1, "count": 0, "trackings": []}}, []),
        ({"meta": {"code": 201}, "data": tracking()}, [A]),
        ({"event": "tracking_update", "event_id": "e", "msg": BOTH[0], "ts": 1}, [A]),
        ({"event": "edd_revise", "msg": BOTH[0]}, [A]),
        ([{"msg": BOTH[0]}, {"msg": BOTH[1]}], [A, B]),
        (b"\r\n".join(bytes_of({"msg": m}) for m in BOTH), [A, B]),
        ({"data": BOTH}, [A, B]),
        (BOTH, [A, B]),
        (BOTH[0], [A]),
    ],
    ids=range(12),
)
def test_afterships_trackings_are_found_in_every_envelope(body: Any, numbers: list[str]) -> None:
    assert [t.number for t in aftership.read(bytes_of(body))] == numbers


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"meta": {"code": 4004, "message": "Tracking does not exist."}, "data": {}}, "4004 Tracking does not exist"),
        ({"meta": {"code": 200}, "data": {"couriers": [{"slug": "dhl"}]}}, "neither an answer nor a push"),
        ({"event": "tracking_update", "msg": None}, "neither an answer nor a push"),
        ({"data": {"data": {"data": {"data": {"data": {"data": BOTH[0]}}}}}}, "neither an answer nor a push"),
        (b"<html>", "not JSON"),
    ],
    ids=range(5),
)
def test_afterships_refusals_are_one_clear_line(body: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why) as raised:
        aftership.read(bytes_of(body))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("subtags", "means"),
    [
        (["Exception_003"], "returning/refused"),
        (["Exception_008"], "returning/unclaimed"),
        (["Exception_003", "Delivered_001"], "delivered"),
        (["Exception_008", "Delivered_002"], "delivered/collected"),
        (["Exception_010", "Delivered_001"], "returned"),
        (["Exception_018"], "exception/documents"),
        (["Exception_019"], "exception/delay_carrier"),
        (["Exception_020"], "exception/cancelled"),
        (["Exception_021"], "exception/destroyed"),
        (["Exception_020", "InTransit_002"], "accepted/picked_up"),
        (["InTransit_006", "Exception_006"], "customs/duty_due"),
        (["InTransit_013"], "in_transit"),
        (["Exception_099"], "exception"),
        (["Nonsense_001"], "unknown"),
    ],
)
def test_afterships_subtags_mean_what_its_pages_say(subtags: list[str], means: str) -> None:
    points = [point(subtag, 10 + n) for n, subtag in enumerate(subtags)]
    assert state(read_aftership(*points, origin_country_region="USA", destination_country_region="USA")) == means


@pytest.mark.parametrize(
    ("country", "ends", "means"),
    [
        ("CHN", ("CHN", "USA"), "customs/export_processing"),
        ("USA", ("CHN", "USA"), "customs/import_processing"),
        ("CHN", ("CHN", ""), "customs/export_processing"),
        ("", ("CHN", ""), "customs"),
        ("", ("CHN", "USA"), "customs"),
    ],
)
def test_a_clearance_is_on_neither_side_where_its_country_is_not_told(
    country: str, ends: tuple[str, str], means: str
) -> None:
    track = read_aftership(
        point("InTransit_006", country_region=country, message="Clearance"),
        origin_country_region=ends[0],
        destination_country_region=ends[1],
    )
    assert state(track) == means


def test_what_a_user_marked_as_completed_no_carrier_said() -> None:
    marked = point("Delivered_001", 12, source="user")
    assert state(read_aftership(point(), marked)) == "in_transit"
    assert state(read_aftership(marked)) == "unknown"
    assert state(read_aftership(point(), point("Delivered_001", 12))) == "delivered"


@pytest.mark.parametrize(
    ("subtag", "where", "means"),
    [
        ("Delivered_001", "Parcel locker", "pickup_ready/locker"),
        ("Delivered_002", "Parcel locker", "delivered/collected"),
        ("Delivered_001", "Front porch", "delivered/safe_place"),
        ("Delivered_001", "somewhere", "delivered"),
        ("Delivered_001", None, "delivered"),
        ("InTransit_001", "locker", "in_transit"),
    ],
)
def test_where_a_parcel_was_left_says_whether_the_buyer_has_it(subtag: str, where: str | None, means: str) -> None:
    assert state(read_aftership(point(subtag), delivery_location_type=where)) == means


@pytest.mark.parametrize(
    ("estimate", "first", "last", "basis"),
    [
        ({"latest_estimated_delivery": {"source": "Carrier EDD", "datetime": "2026-11-20"}}, 20, 20, "china-post"),
        ({"latest_estimated_delivery": {"source": "Order EDD", "datetime": "2026-11-20"}}, 20, 20, "aftership"),
        (
            {
                "latest_estimated_delivery": {
                    "source": "AfterShip EDD",
                    "datetime": "2026-11-21",
                    "datetime_min": "2026-11-20",
                    "datetime_max": "2026-11-22",
                },
                "courier_estimated_delivery_date": {"estimated_delivery_date": "2026-11-29"},
            },
            20,
            22,
            "aftership",
        ),
        (
            {
                "aftership_estimated_delivery_date": {"estimated_delivery_date": "2026-11-25"},
                "courier_estimated_delivery_date": {"estimated_delivery_date": "2026-11-20T20:00:00-05:00"},
            },
            20,
            20,
            "china-post",
        ),
        ({"custom_estimated_delivery_date": {"type": "specific", "datetime": "2026-11-21"}}, 21, 21, "aftership"),
        ({"expected_delivery": "2026-11-21T00:00:00Z"}, 21, 21, "china-post"),
    ],
    ids=range(6),
)
def test_an_estimate_is_one_sources_word_and_never_two_mixed(
    estimate: dict[str, Any], first: int, last: int, basis: str
) -> None:
    eta = read_aftership(point(), **estimate).eta
    assert eta is not None
    assert (eta.first.day, eta.last.day, eta.basis) == (first, last, basis)


def test_a_promise_and_an_estimate_of_long_ago_are_none() -> None:
    told = {"order_promised_delivery_date": "2026-11-30", "first_estimated_delivery": {"datetime": "2026-11-01"}}
    assert read_aftership(point(), **told).eta is None


@pytest.mark.parametrize(
    ("miles", "wanted"),
    [
        ({"last_mile": {"tracking_number": "94", "slug": "usps"}}, [("china-post", A), ("usps", "94")]),
        ({"first_mile": {"tracking_number": "YT1", "slug": "yunexpress"}}, [("yunexpress", "YT1"), ("china-post", A)]),
        ({"last_mile": {"tracking_number": None, "slug": "usps"}}, [("china-post", A), ("usps", A)]),
        ({"last_mile": {"tracking_number": "94", "slug": None}}, [("china-post", A), ("", "94")]),
        ({"last_mile": {"tracking_number": A, "slug": "china-post"}}, []),
        ({"first_mile": None, "last_mile": {}}, []),
    ],
)
def test_afterships_miles_are_legs(miles: dict[str, Any], wanted: list[tuple[str, str]]) -> None:
    assert legs(read_aftership(point(), **miles)) == wanted


def test_a_checkpoint_without_a_time_has_none_and_the_last_one_alone_is_read() -> None:
    (scan,) = read_aftership(point(checkpoint_time=None, created_at="2026-11-10T16:00:00Z")).scans
    assert (scan.at, scan.local, scan.offset_from.value) == (None, None, "unknown")
    (alone,) = read_aftership(
        checkpoints=None, checkpoint=point(country_region=None, country_region_name="Germany")
    ).scans
    assert alone.place.country == "DE"
