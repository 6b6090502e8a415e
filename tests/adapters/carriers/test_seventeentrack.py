"""17TRACK behind the port: reading, pushes, registering, errors."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from pydantic import SecretStr

from adapters.carriers.seventeentrack.reading import (
    carrier_key,
    carrier_slug,
    read,
    read_status,
    read_time,
    read_track,
    tables,
)
from adapters.carriers.seventeentrack.source import BATCH, Settings, SeventeenTrack, connect
from bot.errors import Misconfigured, Refused, Temporary, WismoError
from bot.model.parcels import Parcel
from bot.model.tracks import Leg, OffsetFrom, Role, Status, TrackRef
from bot.ports import Item, Request
from bot.tracking.timeline import apply
from bot.tracking.vocabulary import known

RECORDED = Path(__file__).parents[2] / "recorded/carriers/seventeentrack"
KEY = "a-key"
REF = TrackRef("LW123456785CN", "China Post")


def recorded(name: str) -> bytes:
    return (RECORDED / f"{name}.json").read_bytes()


def item(number: str = "LW123456785CN") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(recorded("gettrackinfo"))["data"]["accepted"][0]
    return found | {"number": number}


class Wire:
    """A stand-in for the network: answers by the call's name and remembers what was asked."""

    def __init__(self, **answers: bytes | int | Callable[[], httpx.Response]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, Any]] = []

    def handle(self, request: httpx.Request) -> httpx.Response:
        call = request.url.path.rsplit("/", 1)[1]
        assert request.headers["17token"] == KEY
        self.asked.append((call, json.loads(request.content)))
        answer = self.answers[call]
        if callable(answer):
            return answer()
        return httpx.Response(answer) if isinstance(answer, int) else httpx.Response(200, content=answer)

    def port(self) -> SeventeenTrack:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self.handle))
        return connect(Settings(token=SecretStr(KEY), base_url="https://track.example/track/v2.4/"), http)


def envelope(accepted: list[Any] | None = None, rejected: list[Any] | None = None, **more: Any) -> bytes:
    return json.dumps({"code": 0, "data": {"accepted": accepted or [], "rejected": rejected or []}} | more).encode()


def rejection(number: str, code: int) -> dict[str, Any]:
    return {"number": number, "error": {"code": code, "message": "…"}}


# ---- reading


def test_both_posts_become_one_track_with_legs() -> None:
    track = read_track(item())
    assert (track.carrier, track.origin, track.destination) == ("china-post", "CN", "US")
    assert track.legs == (
        Leg("china-post", "LW123456785CN", Role.FIRST_MILE),
        Leg("usps", "LW123456785CN", Role.LAST_MILE),
    )
    assert [(s.carrier, s.status.value, s.cause) for s in track.scans] == [
        ("china-post", "accepted", "picked_up"),
        ("china-post", "customs", "export_processing"),
        ("china-post", "departed_origin", ""),
        ("china-post", "arrived_destination", ""),
        ("usps", "in_transit", ""),
        ("usps", "customs", "released"),
        ("usps", "out_for_delivery", ""),
        ("china-post", "delivered", ""),
        ("usps", "delivered", ""),
    ]
    assert track.at == datetime(2026, 10, 14, 9, 10, tzinfo=UTC)
    assert track.eta is not None
    assert track.eta.basis == "china-post"


def test_applied_to_its_parcel_it_is_delivered() -> None:
    parcel, _ = apply(Parcel(1, 1, "", "LW123456785CN"), read_track(item()), datetime(2026, 10, 15, tzinfo=UTC))
    assert (parcel.status, parcel.carrier) == (Status.DELIVERED, "china-post")


def test_the_last_mile_has_its_own_number() -> None:
    raw = item()
    raw["track_info"]["misc_info"] = {"local_number": "9400100000000000000000", "local_key": 21051}
    raw["track_info"]["tracking"]["providers"].pop()
    assert read_track(raw).legs[-1] == Leg("usps", "9400100000000000000000", Role.LAST_MILE)


@pytest.mark.parametrize(
    ("event", "at", "local", "origin"),
    [
        ({"time_raw": {"date": "2026-10-14", "time": "04:20:00", "timezone": "-04:00"}}, "08:20", "04:20", "explicit"),
        ({"time_iso": "2026-10-14T04:20:00-04:00"}, "08:20", "04:20", "explicit"),
        (
            {
                "time_iso": "2026-10-14T16:20:00+08:00",
                "time_utc": "2026-10-14T08:20:00Z",
                "time_raw": {"date": "2026-10-14", "time": "16:20:00", "timezone": None},
            },
            "08:20",
            "16:20",
            "location",
        ),
        ({"time_iso": "2026-10-14T16:20:00", "time_utc": "2026-10-14T08:20:00Z"}, "08:20", "16:20", "location"),
        ({"time_utc": "2026-10-14T08:20:00Z"}, "08:20", None, "location"),
        ({"time_raw": {"date": "2026-10-14", "time": "16:20:00"}}, "16:20", "16:20", "unknown"),
        ({"time_raw": {"date": "2026-10-14", "time": None, "timezone": None}}, "00:00", "00:00", "unknown"),
        ({"time_iso": "soon"}, None, None, "unknown"),
        ({}, None, None, "unknown"),
        ({"time_iso": "9999-12-31T23:59:59-14:00"}, None, "23:59", "unknown"),
    ],
)
def test_the_time_says_where_its_offset_came_from(
    event: dict[str, Any], at: str | None, local: str | None, origin: str
) -> None:
    time = read_time(event)
    if "9999" not in str(event):
        assert (f"{time.at:%H:%M}" if time.at else None) == at
    assert (f"{time.local:%H:%M}" if time.local else None) == local
    assert time.offset_from is OffsetFrom(origin)
    assert time.at is None or time.at.utcoffset() == UTC.utcoffset(None)


@pytest.mark.parametrize(
    ("code", "country", "word"),
    [
        ("InTransit_Departure", "CN", ("departed_origin", "")),
        ("InTransit_Departure", "SG", ("in_transit", "hub_departed")),
        ("InTransit_Departure", "", ("in_transit", "hub_departed")),
        ("InTransit_Arrival", "US", ("arrived_destination", "")),
        ("InTransit_Arrival", "CN", ("in_transit", "hub_arrived")),
        ("InTransit_Arrival", "", ("in_transit", "hub_arrived")),
        ("InTransit_CustomsProcessing", "CN", ("customs", "export_processing")),
        ("InTransit_CustomsProcessing", "US", ("customs", "import_processing")),
        ("InTransit_CustomsProcessing", "", ("customs", "")),
        ("InTransit_TransportArrived", "US", ("in_transit", "")),
        ("Delivered_SomethingNew", "", ("delivered", "")),
        ("Teleported_Other", "", ("unknown", "")),
        ("", "", ("unknown", "")),
    ],
)
def test_the_country_decides_what_a_port_code_means_and_the_unknown_falls_back(
    code: str, country: str, word: tuple[str, str]
) -> None:
    status, cause = read_status(code, country, "CN", "US")
    assert (status.value, cause) == word


def test_the_table_has_all_of_the_facts_and_only_our_words() -> None:
    statuses = tables().statuses
    assert sum("_" in code or code == "InfoReceived" for code in statuses) == 30
    assert all(known(word.status, word.cause) for word in statuses.values())


def test_within_one_country_a_departure_is_no_departure_from_it() -> None:
    assert read_status("InTransit_Departure", "US", "US", "US") == (Status.IN_TRANSIT, "hub_departed")
    assert read_status("InTransit_Arrival", "US", "US", "US") == (Status.IN_TRANSIT, "hub_arrived")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("China Post", 3011),
        ("ems", 3013),
        ("DHL", 100001),
        ("dhl express", 100001),
        ("SF Express", 100012),
        ("x-123", 123),
        ("Nobody Knows", None),
        ("", None),
    ],
)
def test_a_carrier_is_known_by_any_of_its_names(name: str, key: int | None) -> None:
    assert carrier_key(name) == key


def test_an_unknown_carrier_key_keeps_its_number() -> None:
    assert (carrier_slug(3011), carrier_slug("21051"), carrier_slug(42), carrier_slug(0)) == (
        "china-post",
        "usps",
        "x-42",
        "",
    )
    assert carrier_slug(None) == ""


@pytest.mark.parametrize(
    "raw",
    [
        {"number": "A1"},
        {"number": "A1", "track_info": None},
        {"number": "A1", "track_info": {"tracking": {"providers": []}}},
        {
            "number": 123456,
            "track_info": {"tracking": {"providers": [None, 1, {"events": None}, {"events": [None, {}]}]}},
        },
        {"number": "A1", "track_info": {"latest_status": {"status": "NotFound", "sub_status": "NotFound_Other"}}},
    ],
)
def test_what_is_missing_is_left_out(raw: dict[str, Any]) -> None:
    assert read_track(raw).status is Status.UNKNOWN


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(p for k, v in inner for p in paths(v, (*here, k)))]


def broken(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = broken(value[path[0]], path[1:], by)
    return copy


PUSH = json.loads(recorded("push_updated"))


@given(st.sampled_from(paths(PUSH)), JSON)
def test_a_push_broken_anywhere_is_a_track_or_one_clear_error(path: tuple[Any, ...], by: Any) -> None:
    body = json.dumps(broken(PUSH, path, by)).encode()
    update = None
    with suppress(ValueError):
        update = Wire().port().decode(Item("k", "l", body))
    if update is not None:
        parcel, _ = apply(Parcel(1, 1, "", update.track.number), update.track, datetime(2026, 10, 15, tzinfo=UTC))
        assert isinstance(parcel.status, Status)


@given(st.binary(max_size=60) | st.just(b"[" * 100_000) | st.just(b'{"event":' + b"9" * 5000 + b"}"))
def test_any_bytes_are_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="17TRACK"):
        Wire().port().decode(Item("k", "l", body))


# ---- pushes


def signed(body: bytes, key: str = KEY) -> Request:
    sign = hashlib.sha256(body + b"/" + key.encode()).hexdigest()
    return Request("POST", "/hooks/seventeentrack", {"sign": sign}, {}, body)


async def test_a_signed_push_becomes_the_parcels_event() -> None:
    port = Wire().port()
    answer = await port.webhook(signed(recorded("push_updated")))
    assert answer.status == 200
    (one,) = answer.items
    assert one.lane == "p/LW123456785CN"
    update = port.decode(one)
    assert update is not None
    assert update.id == one.key
    assert update.track == read_track(item())
    assert (await port.webhook(signed(recorded("push_updated")))).items == answer.items


async def test_a_forged_push_is_refused_before_it_is_read() -> None:
    port = Wire().port()
    for request in (
        signed(recorded("push_updated"), "another"),
        replace(signed(b"{}"), headers={}),
        replace(signed(b"{}"), headers={"sign": "é☃"}),
        replace(signed(b"{}"), body=b"not even json"),
    ):
        answer = await port.webhook(request)
        assert (answer.status, answer.items) == (401, ())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"event":"TRACKING_UPDATED","data":{}}',
        b"\xff",
        b"[" * 99_999,
    ],
)
async def test_a_signed_push_that_cannot_be_read_is_kept(body: bytes) -> None:
    port = Wire().port()
    answer = await port.webhook(signed(body))
    assert answer.status == 200
    (kept,) = answer.items
    assert (kept.lane, kept.body) == ("x/seventeentrack", body)
    with pytest.raises(ValueError, match="17TRACK"):
        port.decode(kept)


async def test_several_trackings_in_one_push_are_several_events() -> None:
    body = json.dumps(
        {"event": "TRACKING_UPDATED", "data": [item("A1"), item("A2") | {"tag": "half a \ud83d"}]}
    ).encode()
    port = Wire().port()
    answer = await port.webhook(signed(body))
    assert [i.lane for i in answer.items] == ["p/A1", "p/A2"]
    assert len({i.key for i in answer.items}) == 2
    assert all(port.decode(i) is not None for i in answer.items)


def test_a_stop_without_news_concerns_nobody() -> None:
    assert Wire().port().decode(Item("k", "l", recorded("push_stopped"))) is None


# ---- asking


async def test_known_numbers_are_read_and_new_ones_registered() -> None:
    wire = Wire(gettrackinfo=recorded("gettrackinfo"), register=recorded("register"))
    sent = datetime(2026, 10, 1, tzinfo=UTC)
    refs = [REF, TrackRef("SF1234567890123", "sf", "1234", "10118", "US", sent), TrackRef("ZZ"), TrackRef("Q9")]
    tracks = await wire.port().track(refs)
    known_track, fresh, wrong, unheard = tracks
    assert known_track == read_track(item())
    assert fresh is not None
    assert (fresh.status, fresh.cause, fresh.carrier) == (Status.UNKNOWN, "no_data_yet", "sf")
    assert wrong is not None
    assert wrong.cause == "invalid_number"
    assert unheard is None
    assert wire.asked[0][1][:2] == [
        {"number": "LW123456785CN", "carrier": 3011},
        {"number": "SF1234567890123", "carrier": 100012},
    ]
    assert wire.asked[1] == (
        "register",
        [
            {
                "number": "SF1234567890123",
                "carrier": 100012,
                "destination_postal_code": "10118",
                "phone_number_last_4": "1234",
                "destination_country": "US",
                "ship_date": "2026-10-01",
            }
        ],
    )


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (-18019901, "no_data_yet"),
        (-18019903, "not_found"),
        (-18010018, None),
        (-18010019, None),
        (-18010020, None),
        (-18012345, None),
    ],
)
async def test_a_rejected_registration_says_what_it_can(code: int, cause: str | None) -> None:
    wire = Wire(
        gettrackinfo=envelope(rejected=[rejection("A1", -18019902)]),
        register=envelope(rejected=[rejection("A1", code)]),
    )
    (track,) = await wire.port().track([TrackRef("A1")])
    assert (track.cause if track else None) == cause


async def test_no_news_yet_needs_no_registration() -> None:
    wire = Wire(gettrackinfo=envelope(rejected=[rejection("A1", -18019909)]))
    (track,) = await wire.port().track([TrackRef("A1")])
    assert track is not None
    assert track.cause == "no_data_yet"


@pytest.mark.parametrize(("code", "error"), [(-18019907, Temporary), (-18019908, Misconfigured)])
async def test_an_empty_account_is_told_and_hides_no_known_track(code: int, error: type[WismoError]) -> None:
    new = rejection("A1", -18019902)
    full = envelope(rejected=[rejection("A1", code)])
    with pytest.raises(error):
        await Wire(gettrackinfo=envelope(rejected=[new]), register=full).port().track([TrackRef("A1")])
    wire = Wire(gettrackinfo=envelope([item()], [new]), register=full)
    tracks = await wire.port().track([REF, TrackRef("A1")])
    assert [t is not None for t in tracks] == [True, False]


async def test_one_number_with_two_carriers_keeps_each_its_own() -> None:
    ours, theirs = item("A1"), item("A1") | {"carrier": 100002}
    wire = Wire(gettrackinfo=envelope([theirs, ours]))
    first, second = await wire.port().track([TrackRef("A1", "china-post"), TrackRef("A1", "ups")])
    assert first is not None
    assert second is not None
    assert (first.carrier, second.carrier) == ("china-post", "ups")


async def test_the_caller_splits_what_is_too_much_for_one_call() -> None:
    port = Wire().port()
    assert port.capabilities.batch == BATCH == 40
    with pytest.raises(ValueError, match="40"):
        await port.track([REF] * 41)
    assert await port.track([]) == ()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (401, Misconfigured),
        (403, Misconfigured),
        (404, Misconfigured),
        (429, Temporary),
        (500, Temporary),
        (503, Temporary),
        (400, Refused),
        (b"<html>", Temporary),
        (b"[]", Temporary),
        (envelope(code=-18010002), Misconfigured),
        (envelope(code=-18010001), Misconfigured),
        (envelope(code=-18010003), Temporary),
        (envelope(code=-18010004), Misconfigured),
        (envelope(code=-18010013), Refused),
        (b'{"code":0,"data":{"errors":[{"code":-18010002,"message":"x"}]}}', Misconfigured),
    ],
)
async def test_an_error_says_what_to_do(answer: bytes | int, error: type[WismoError]) -> None:
    with pytest.raises(error) as caught:
        await Wire(gettrackinfo=answer).port().track([REF])
    assert KEY not in str(caught.value)
    assert REF.number not in str(caught.value)


async def test_a_wait_that_was_named_is_kept() -> None:
    def busy() -> httpx.Response:
        return httpx.Response(429, headers={"retry-after": "7"})

    with pytest.raises(Temporary) as caught:
        await Wire(gettrackinfo=busy).port().track([REF])
    assert (caught.value.retry_after, caught.value.account_wide) == (7.0, True)


async def test_a_broken_line_is_temporary() -> None:
    def down() -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(Temporary):
        await Wire(gettrackinfo=down).port().track([REF])


async def test_the_check_tells_the_quota() -> None:
    assert await Wire(getquota=recorded("getquota")).port().check() == "17TRACK: 187 of 200 numbers left"
    assert "key works" in await Wire(getquota=envelope()).port().check()


async def test_the_carrier_is_asked_at_once_where_that_is_wanted() -> None:
    wire = Wire(getRealTimeTrackInfo=recorded("gettrackinfo"))
    (track,) = await wire.port().refresh([REF])
    assert track == read_track(item())
    assert [call for call, _ in wire.asked] == ["getRealTimeTrackInfo"]


async def test_stopping_is_calm_about_numbers_and_loud_about_the_account() -> None:
    wire = Wire(stoptrack=envelope(rejected=[rejection("A1", -18019902)]))
    await wire.port().stop([TrackRef("A1")])
    with pytest.raises(Misconfigured):
        await Wire(stoptrack=envelope(rejected=[rejection("A1", -18010004)])).port().stop([TrackRef("A1")])


async def test_a_number_is_resumed_once() -> None:
    wire = Wire(retrack=envelope([{"number": "A1", "carrier": 3011}], [rejection("A2", -18019905)]))
    assert [r.number for r in await wire.port().resume([TrackRef("A1"), TrackRef("A2")])] == ["A1"]


async def test_pushes_that_failed_are_listed_page_by_page() -> None:
    listed = {"number": "A1", "carrier": 3011, "push_status": "Failure"}
    body = {"code": 0, "page": {"page_total": 2, "page_no": 1}, "data": {"accepted": [listed, {"number": None}]}}
    wire = Wire(gettracklist=json.dumps(body).encode())
    missed = await wire.port().missed(datetime(2026, 11, 1, tzinfo=UTC))
    assert missed == [TrackRef("A1", "china-post")] * 2
    assert [asked["page_no"] for _, asked in wire.asked] == [1, 2]


def test_the_first_versions_answers_are_read_too() -> None:
    events = [
        {"a": "2026-10-14 09:05", "b": None, "c": "BERLIN", "d": "", "z": "Delivered"},
        {"a": "2026-10-13 08:00", "c": "BERLIN", "z": "Arrived at customs"},
    ]
    track = {"b": 301, "c": 605, "e": 40, "w1": 3011, "w2": 7041, "z0": events[0], "z1": [], "z2": events}
    body = {"code": 0, "data": {"accepted": [{"number": "A1", "track": track}], "rejected": []}}
    (found,) = read(json.dumps(body).encode())
    assert (found.carrier, found.status) == ("china-post", Status.DELIVERED)
    assert [(s.status, s.carrier, s.offset_from) for s in found.scans] == [
        (Status.UNKNOWN, "dhl-paket", OffsetFrom.UNKNOWN),
        (Status.DELIVERED, "dhl-paket", OffsetFrom.UNKNOWN),
    ]
    assert [(leg.carrier, leg.role) for leg in found.legs] == [
        ("china-post", Role.FIRST_MILE),
        ("dhl-paket", Role.LAST_MILE),
    ]


def test_an_accepted_number_without_news_is_told_as_that_and_refusals_are_named() -> None:
    (silent,) = read(recorded("register"))
    assert (silent.number, silent.cause) == ("SF1234567890123", "no_data_yet")
    with pytest.raises(ValueError, match="A1 was rejected: error -18019903"):
        read(envelope(rejected=[rejection("A1", -18019903)]))
