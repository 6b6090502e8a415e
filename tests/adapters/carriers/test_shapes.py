"""Shapes that the carriers' documents allow and no recording of one answer shows; written from those documents."""

import importlib
import json
from typing import Any

import pytest

from bot.model.tracks import OffsetFrom, Status, Track


def read(source: str, body: Any) -> list[Track]:
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    found: list[Track] = importlib.import_module(f"adapters.carriers.{source}").read(raw)
    return found


def said(track: Track) -> list[str]:
    return [f"{s.status.value}/{s.cause}".rstrip("/") for s in track.scans]


# ---- 17TRACK ---------------------------------------------------------------------------------------------


def event(day: int, text: str, stage: str | None = None, sub: str | None = None, zone: str | None = None) -> Any:
    raw = {"date": f"2026-11-{day:02d}", "time": "10:00:00", "timezone": zone}
    iso = f"2026-11-{day:02d}T10:00:00+01:00"
    told = {"time_iso": iso, "time_utc": None, "time_raw": raw, "description": text}
    return told | {"stage": stage, "sub_status": sub, "address": {"country": "DE"}}


def seventeentrack(*events: Any, latest: Any = None, status: str = "InTransit") -> Track:
    info = {
        "shipping_info": {"shipper_address": {"country": "CN"}, "recipient_address": {"country": "DE"}},
        "latest_status": {"status": status, "sub_status": f"{status}_Other"},
        "latest_event": latest,
        "tracking": {"providers": [{"provider": {"key": 3011}, "events": list(events)}]},
    }
    (track,) = read("seventeentrack", {"data": {"number": "LX123456785CN", "carrier": 3011, "track_info": info}})
    return track


def test_a_milestones_name_is_read_as_a_sub_status() -> None:
    stages = ("PickedUp", "Departure", "Arrival", "Returning", "Returned")
    track = seventeentrack(*(event(20 - n, stage, stage) for n, stage in enumerate(stages)))
    means = ["returned", "returning", "arrived_destination", "in_transit/hub_departed", "accepted/picked_up"]
    assert said(track) == means
    assert all(s.known for s in track.scans)


def test_the_newest_event_without_a_word_of_its_own_has_that_of_the_whole() -> None:
    newest, older = event(20, "Zugestellt"), event(19, "Unterwegs")
    track = seventeentrack(newest, older, latest=newest, status="Delivered")
    assert [s.status for s in track.scans] == [Status.UNKNOWN, Status.DELIVERED]
    assert {s.raw_code for s in track.scans} == {""}
    unnamed = seventeentrack(newest, older, status="Delivered")
    assert said(unnamed) == said(track)


def test_an_unknown_sub_status_is_counted_and_falls_back() -> None:
    (scan,) = seventeentrack(event(20, "x", None, "InTransit_Teleported")).scans
    assert (scan.status, scan.known) == (Status.IN_TRANSIT, False)


def test_an_item_without_a_number_costs_itself_only_and_a_refusal_is_named() -> None:
    (track,) = read("seventeentrack", {"data": {"accepted": [{"number": None}, {"number": "RR123456785CN"}]}})
    assert track.cause == "no_data_yet"
    (listed,) = read("seventeentrack", {"data": {"accepted": [{"number": "X1234567", "package_status": "Delivered"}]}})
    assert listed.status is Status.DELIVERED
    with pytest.raises(ValueError, match="error -18010002"):
        read("seventeentrack", {"code": -18010002, "data": {"errors": [{"code": -18010002}]}})


# ---- FedEx and UPS ---------------------------------------------------------------------------------------


def fedex(*events: dict[str, str], **more: Any) -> Track:
    result = {"trackingNumberInfo": {"trackingNumber": "123456789012"}, "scanEvents": list(events)} | more
    (track,) = read("fedex", {"output": {"completeTrackResults": [{"trackResults": [result]}]}})
    return track


def test_an_exception_code_names_the_cause_of_the_same_status() -> None:
    at = "2026-11-20T10:00:00-06:00"
    reasons = [("DE", "08"), ("DE", "7"), ("SE", "32"), ("SE", "999"), ("DL", "08")]
    track = fedex(*({"date": at, "eventType": kind, "exceptionCode": code} for kind, code in reversed(reasons)))
    assert said(track) == [
        "delivery_attempted/not_home",
        "delivery_attempted/refused_attempt",
        "exception/delay_carrier",
        "exception",
        "delivered",
    ]


def test_scans_beside_an_error_are_not_lost() -> None:
    scan = {"date": "2026-11-20T10:00:00", "eventType": "IT"}
    track = fedex(scan, error={"code": "TRACKING.DATA.NOTUNIQUE"})
    assert said(track) == ["in_transit"]
    assert track.scans[0].offset_from is OffsetFrom.UNKNOWN


def test_the_newest_event_that_no_table_has_is_what_the_summary_says() -> None:
    at = ("2026-11-20T10:00:00-06:00", "2026-11-19T10:00:00-06:00")
    events = [{"date": day, "eventType": "ZZ", "eventDescription": "Something"} for day in at]
    track = fedex(*events, latestStatusDetail={"code": "HL"})
    assert said(track) == ["unknown", "pickup_ready"]
    assert not any(s.known for s in track.scans)
    assert said(fedex(*events, latestStatusDetail={"code": "??"})) == ["unknown", "unknown"]
    activity = [{"date": f"202611{day}", "time": "101500", "status": {"type": "D", "code": "??"}} for day in (20, 19)]
    package = {"trackingNumber": "1Z12345E1512345676", "activity": activity, "currentStatus": {"code": "161"}}
    (track,) = read("ups", {"trackResponse": {"shipment": [{"package": [package]}]}})
    assert said(track) == ["unknown", "pickup_ready"]


def test_upss_older_answer_in_capitals_is_read() -> None:
    activity = {
        "ActivityLocation": {"Address": {"City": "ANYTOWN", "CountryCode": "US"}},
        "Status": {"Type": "D", "Description": "DELIVERED", "Code": "FS"},
        "Date": "20261101",
        "Time": "102500",
        "GMTDate": "2026-11-01",
        "GMTTime": "14:25:00",
        "GMTOffset": "-04:00",
    }
    package = {"TrackingNumber": "1Z12345E1512345676", "Activity": activity}
    (track,) = read("ups", {"TrackResponse": {"Shipment": {"InquiryNumber": {"Value": "1Z"}, "Package": package}}})
    (scan,) = track.scans
    assert (track.number, scan.status, scan.place.text) == ("1Z12345E1512345676", Status.DELIVERED, "ANYTOWN, US")
    assert scan.at is not None
    assert scan.at.isoformat() == "2026-11-01T14:25:00+00:00"


# ---- DHL -------------------------------------------------------------------------------------------------


def dhl(*events: Any, **more: Any) -> Track:
    (track,) = read("dhl", {"shipments": [{"id": "1", "service": "parcel-de", "events": list(events)} | more]})
    return track


def dhl_event(code: str, text: str, locality: str, day: int = 20) -> Any:
    location = {"address": {"addressLocality": locality}}
    return {"timestamp": f"2026-10-{day}T12:00:00", "statusCode": code, "description": text, "location": location}


def test_a_delivery_of_what_went_back_is_a_return() -> None:
    # https://support-developer.dhl.com/support/solutions/articles/47001251916
    done = dhl_event("delivered", "The shipment has been successfully delivered", "Germany")
    track = dhl(done, status=done, returnFlag=True)
    assert said(track) == ["returned"]
    assert track.status is Status.RETURNED


def test_a_locality_that_names_its_country_has_that_countrys_clock() -> None:
    texts = [("transit", "x", "LEIPZIG - GERMANY"), ("transit", "y", "Germany"), ("transit", "z", "Paris, TX")]
    offsets = sorted((s.place.country, s.offset_from.value) for s in dhl(*(dhl_event(*t) for t in texts)).scans)
    assert offsets == [("", "unknown"), ("DE", "location"), ("DE", "location")]


def test_an_estimate_may_be_a_frame_in_the_place_of_a_point() -> None:
    frame = {"estimatedFrom": "2026-10-03T08:00:00+02:00", "estimatedThrough": "2026-10-03T12:00:00+02:00"}
    track = dhl(dhl_event("transit", "x", ""), estimatedTimeOfDelivery=frame)
    assert track.eta is not None
    assert (track.eta.first.hour, track.eta.last.hour) == (8, 12)


SHIPMENT = {
    "shipmentTrackingNumber": "1234567890",
    "events": [
        {
            "date": "2026-11-12",
            "time": "10:00:00",
            "typeCode": "OK",
            "serviceArea": [{"code": "LEJ", "description": "Leipzig-DEU"}],
        }
    ],
}


@pytest.mark.parametrize("body", [{"shipments": [SHIPMENT]}, {"Shipments": SHIPMENT}, [SHIPMENT], SHIPMENT])
def test_mydhl_is_read_with_and_without_its_envelope(body: Any) -> None:
    (track,) = read("mydhl", body)
    assert said(track) == ["delivered"]
    assert track.scans[0].offset_from is OffsetFrom.LOCATION


# ---- China Post, SF, TNT, AfterShip ----------------------------------------------------------------------

TRACES = [
    {"acceptTime": "2026-11-01 10:00:00", "remark": "已收寄"},
    {"acceptTime": "2026-11-05 10:00:00", "remark": "已签收，签收人：本人。期待再次为您服务"},
    {"acceptTime": "2026-11-06 10:00:00", "remark": "已签收，签收人：菜鸟驿站"},
    {"acceptTime": "2026-11-07 10:00:00", "remark": "未妥投"},
]


@pytest.mark.parametrize(
    "body",
    [
        {"mailNum": "EA000000005CN", "traces": TRACES},
        {
            "retCode": "00000",
            "retBody": json.dumps({"responseItems": [{"waybill_no": "EA000000005CN"} | t for t in TRACES]}),
        },
        {"success": True, "data": [{"MailNo": "EA000000005CN", "Trace_List": TRACES}]},
        [{"trackingNumber": "EA000000005CN", "result": {"items": TRACES}}],
    ],
)
def test_any_envelope_of_china_posts_holds_every_event_once(body: Any) -> None:
    (track,) = read("ems", body)
    assert track.number == "EA000000005CN"
    assert said(track) == ["unknown", "delivered", "unknown", "unknown"]
    assert {s.offset_from for s in track.scans} == {OffsetFrom.CARRIER}


@pytest.mark.parametrize(
    ("item", "at"),
    [
        ({"opTime": 1764000000000, "opCode": "EMA"}, "2025-11-24T16:00:00+00:00"),
        ({"opDate": "2026-11-01", "time": "10:00:00", "opCode": "EMA"}, "2026-11-01T02:00:00+00:00"),
        ({"procdate": "20261101", "proctime": "100000", "action": "00"}, "2026-11-01T02:00:00+00:00"),
        ({"op_time": "20261101100000", "op_code": "EMA"}, "2026-11-01T02:00:00+00:00"),
        ({"opTime": "2026-11-01T10:00:00Z", "opCode": "EMA"}, "2026-11-01T10:00:00+00:00"),
    ],
)
def test_china_posts_times_in_their_spellings(item: dict[str, Any], at: str) -> None:
    (track,) = read("ems", {"data": [{"waybillNo": "EA000000005CN"} | item]})
    assert track.scans[0].at is not None
    assert track.scans[0].at.isoformat() == at


def test_an_answer_without_events_is_no_event() -> None:
    (track,) = read("ems", {"nu": "EA000000005CN", "status": "200", "time": "2026-11-01", "data": []})
    assert (track.scans, track.cause) == ((), "not_found")


@pytest.mark.parametrize(
    ("node", "means", "known"),
    [
        ({"opCode": "99999", "secondaryStatusCode": "299", "firstStatusCode": "2"}, "in_transit", False),
        ({"opCode": "99999", "firstStatusCode": "77"}, "unknown", False),
        ({"opCode": "125", "secondaryStatusCode": "401", "firstStatusCode": "4"}, "pickup_ready/locker", True),
    ],
)
def test_sfs_first_level_speaks_where_neither_code_is_known(node: dict[str, str], means: str, known: bool) -> None:
    route = {"mailno": "SF1000000000011", "acceptTime": "2026-11-01 10:00:00"} | node
    (track,) = read("sf", {"body": {"waybillRoute": [route]}})
    assert said(track) == [means]
    assert track.scans[0].known is known


XML_PUSH = """<?xml version="1.0" encoding="UTF-8"?><Request service="RoutePushService" lang="zh-CN"><Body>
<WaybillRoute id="1" mailno="SF1000000000011" acceptTime="2026-11-01 10:00:00" remark="已收取快件" opCode="50"/>
<WaybillRoute id="2" mailno="SF1000000000011" acceptTime="2026-11-02 10:00:00" remark="已签收" opCode="80"/>
</Body></Request>"""
XML_ANSWER = """<Response service="RouteService"><Head>OK</Head><Body><RouteResponse mailno="SF1000000000011">
<Route remark="已收取快件" accept_time="2026-11-01 10:00:00" accept_address="深圳" opcode="50"/>
<Route remark="已签收" accept_time="2026-11-02 10:00:00" accept_address="北京" opcode="80"/>
</RouteResponse></Body></Response>"""


@pytest.mark.parametrize("body", [XML_PUSH, XML_ANSWER, "\ufeff" + XML_PUSH])
def test_sfs_older_xml_is_read(body: str) -> None:
    (track,) = read("sf", body.encode())
    assert (track.number, said(track)) == ("SF1000000000011", ["accepted/picked_up", "delivered"])
    assert {s.offset_from for s in track.scans} == {OffsetFrom.CARRIER}


def test_sfs_xml_error_is_one_clear_line() -> None:
    with pytest.raises(ValueError, match="error 4001"):
        read("sf", b'<Response service="RouteService"><Head>ERR</Head><ERROR code="4001">x</ERROR></Response>')


def tnt(summary: str, *codes: str) -> Track:
    status = "<StatusData><StatusCode>{}</StatusCode><LocalEventDate>202611{}</LocalEventDate></StatusData>"
    events = "".join(status.format(code, 20 - n) for n, code in enumerate(codes))
    number = "<ConsignmentNumber>123456789</ConsignmentNumber>"
    inner = f"<Consignment>{number}<SummaryCode>{summary}</SummaryCode>{events}</Consignment>"
    body = f"<t:TrackResponse xmlns:t='u'>{inner}</t:TrackResponse>"
    (track,) = read("tnt", body.encode())
    return track


def test_tnts_summary_is_the_newest_events_where_its_code_is_in_no_list() -> None:
    assert said(tnt("DEL", "QQQ", "QQR")) == ["unknown", "delivered"]
    assert said(tnt("DEL", "OD", "QQR")) == ["unknown", "out_for_delivery"]
    assert said(tnt("CNF", "QQQ")) == ["unknown"]


def test_aftership_lists_are_read_bare_and_empty() -> None:
    point = {"tag": "InTransit", "checkpoint_time": "2026-11-01T08:00:00", "country_name": "Germany"}
    tracking = {"tracking_number": "X1234567", "slug": "dhl", "checkpoints": [point]}
    (track,) = read("aftership", [tracking, {"tracking_number": None}])
    assert track.scans[0].offset_from is OffsetFrom.LOCATION
    assert read("aftership", {"meta": {"code": 200}, "data": {"trackings": []}}) == []
