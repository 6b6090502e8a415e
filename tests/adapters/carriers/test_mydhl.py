"""MyDHL API behind the port: reading, pieces, asking, errors."""

import base64
import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from adapters.carriers.mydhl import MyDhl, Settings, connect, read, read_time
from bot.errors import Misconfigured, Refused, Temporary, WismoError
from bot.model.codes import codes
from bot.model.tracks import OffsetFrom, Status, Track, TrackRef
from bot.ports import Item
from bot.tracking.vocabulary import known

RECORDED = Path(__file__).parents[2] / "recorded/carriers/mydhl"
REF = TrackRef("1234567890", "dhl")


def recorded(name: str) -> bytes:
    return (RECORDED / f"{name}.json").read_bytes()


def one(**more: Any) -> Track:
    (track,) = read(json.dumps({"shipments": [{"shipmentTrackingNumber": "1234567890"} | more]}).encode())
    return track


def event(code: str, hour: int = 9) -> dict[str, Any]:
    return {"typeCode": code, "date": "2026-10-14", "time": f"{hour:02d}:00:00", "GMTOffset": "+00:00"}


class Wire:
    """A stand-in for DHL that remembers what was asked."""

    def __init__(self, body: bytes = b"", status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.answer = (status, body, headers)
        self.asked: list[httpx.Request] = []

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        status, body, headers = self.answer
        return httpx.Response(status, content=body, headers=headers)

    def port(self) -> MyDhl:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self.handle))
        settings = Settings(username="u", password=SecretStr("s3cret"), base_url="https://dhl.example/mydhlapi/")
        return connect(settings, http)


# ---- reading


def test_a_shipment_is_read_whole_and_its_pieces_events_come_once() -> None:
    (track,) = read(recorded("tracking"))
    assert (track.carrier, track.number, track.origin, track.destination) == ("dhl", "1234567890", "CN", "DE")
    assert [(s.raw_code, s.status.value, s.cause, s.place.country) for s in track.scans] == [
        ("PU", "accepted", "picked_up", "CN"),
        ("DF", "in_transit", "hub_departed", "CN"),
        ("AF", "arrived_destination", "", "DE"),
        ("IC", "customs", "import_processing", "DE"),
        ("WC", "out_for_delivery", "", "DE"),
        ("OK", "delivered", "", "DE"),
    ]
    assert (track.status, track.cause) == (Status.DELIVERED, "")
    assert track.eta is not None
    assert track.eta.first.isoformat() == "2026-10-14T00:00:00+02:00"


@pytest.mark.parametrize(
    ("parts", "at", "origin"),
    [
        (("2026-10-14", "10:00:00", "+08:00"), "02:00", "explicit"),
        (("2026-10-14", "10:00:00", "-0330"), "13:30", "explicit"),
        (("20261014", "1000", "GMT+8"), "02:00", "explicit"),
        (("2026-10-14", "10:00:00", "+99:00"), "10:00", "unknown"),
        (("2026-10-14", "10:00:00", None), "10:00", "unknown"),
        (("2026-10-14", None, "+08:00"), "00:00", "unknown"),
        (("2026-10-14T10:00:00Z", None, None), "10:00", "explicit"),
        (("soon", "later", "+08:00"), None, "unknown"),
        ((None, None, None), None, "unknown"),
    ],
)
def test_day_clock_and_offset_make_the_instant(parts: tuple[Any, ...], at: str | None, origin: str) -> None:
    time = read_time(dict(zip(("date", "time", "GMTOffset"), parts, strict=True)))
    assert (f"{time.at:%H:%M}" if time.at else None) == at
    assert time.offset_from is OffsetFrom(origin)


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("DD", ("delivered", "damaged")),
        ("PD", ("delivered", "partial")),
        ("CC", ("pickup_ready", "")),
        ("RT", ("returned", "")),
        ("RD", ("delivery_attempted", "refused_attempt")),
        ("SS", ("exception", "held")),
        ("OH", ("exception", "held")),
        ("CD", ("customs", "info_required")),
        ("UD", ("customs", "held")),
        ("HP", ("customs", "duty_due")),
        ("ok", ("delivered", "")),
        ("TP", ("in_transit", "handed_to_partner")),
    ],
)
def test_the_codes_that_others_get_wrong(code: str, word: tuple[str, str]) -> None:
    (scan,) = one(events=[event(code)]).scans
    assert ((scan.status.value, scan.cause), scan.known) == (word, True)


@pytest.mark.parametrize("code", ["QQ", "", "OK1", "DELIVERED"])
def test_an_unknown_code_is_unknown(code: str) -> None:
    (scan,) = one(events=[event(code)]).scans
    assert (scan.status, scan.cause, scan.known) == (Status.UNKNOWN, "", False)


def test_the_table_is_complete_and_uses_only_our_words() -> None:
    table = codes("mydhl_event")
    assert all(known(word.status, word.cause) for word in table.values())
    named = (
        "AD AF AR BA BN BR CA CC CD CM CR CS DD DF DS FD HP IC MC MD MS ND NH OH OK PD PL PU PY RD RR RT SA SC SM SS "
        "TP TR UD WC SD TD DM PO BL CI CU DI DP ES HI HN HO IA IR LV NA RW SI ST TI TT UV DU EM"
    )
    assert set(named.split()) == set(table)
    assert not table["BN"].physical
    assert not table["SD"].physical


def test_one_piece_of_several_delivered_is_not_the_shipment() -> None:
    pieces = [{"trackingNumber": "JD1", "events": [event("OK")]}, {"trackingNumber": "JD2", "events": [event("WC", 8)]}]
    assert (one(pieces=pieces).status, one(pieces=pieces).cause) == (Status.DELIVERED, "partial")
    both = [{"events": [event("OK", 9)]}, {"events": [event("OK", 10)]}]
    assert [s.cause for s in one(pieces=both).scans] == ["", ""]


def test_newest_first_is_turned_round_and_ties_keep_their_order() -> None:
    assert [s.raw_code for s in one(events=[event("PU"), event("PL"), event("DF")]).scans] == ["PU", "PL", "DF"]
    turned = one(events=[event("OK", 10), event("AR"), event("AF"), event("PU", 8)])
    assert [s.raw_code for s in turned.scans] == ["PU", "AF", "AR", "OK"]


def test_a_shipment_without_events_has_no_data_yet_whatever_success_says() -> None:
    track = one(status="Success", events=[])
    assert (track.status, track.cause, track.scans) == (Status.UNKNOWN, "no_data_yet", ())


def test_an_error_of_dhl_is_a_track_where_it_names_the_number_else_one_clear_line() -> None:
    (track,) = read(recorded("not_found"))
    assert (track.number, track.status, track.cause) == ("1234567890", Status.UNKNOWN, "not_found")
    with pytest.raises(ValueError, match=r"^MyDHL: No shipments found$"):
        read(b'{"status": 404, "detail": "No shipments\\nfound"}')


def test_several_shipments_are_several_tracks() -> None:
    both = [{"shipmentTrackingNumber": n} for n in ("1234567890", 2345678901)]
    assert [t.number for t in read(json.dumps({"shipments": both}).encode())] == ["1234567890", "2345678901"]


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


WHOLE = json.loads(recorded("tracking"))


@given(st.sampled_from(paths(WHOLE)), JSON)
def test_an_answer_broken_anywhere_is_tracks_or_one_clear_error(path: tuple[Any, ...], by: Any) -> None:
    with suppress(ValueError):
        for track in read(json.dumps(broken(WHOLE, path, by)).encode()):
            assert all(known(s.status, s.cause) for s in track.scans)


@given(st.binary(max_size=60) | st.just(b"[" * 100_000) | st.just(b'{"shipments":' + b"9" * 5000 + b"}"))
def test_any_bytes_are_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="MyDHL"):
        read(body)


# ---- asking


async def test_a_number_is_asked_with_basic_auth() -> None:
    wire = Wire(recorded("tracking"))
    assert await wire.port().track([REF]) == read(recorded("tracking"))
    (asked,) = wire.asked
    assert asked.url.path == "/mydhlapi/shipments/1234567890/tracking"
    assert dict(asked.url.params) == {"trackingView": "all-checkpoints", "levelOfDetail": "all"}
    assert asked.headers["authorization"] == "Basic " + base64.b64encode(b"u:s3cret").decode()


async def test_an_unknown_or_impossible_number_is_none() -> None:
    assert await Wire(recorded("not_found"), 404).port().track([REF]) == [None]
    assert await Wire(b'{"shipments": []}').port().track([REF]) == [None]
    wire = Wire()
    for number in ("..", "../rates", "", "12 34", "é" * 10):
        assert await wire.port().track([TrackRef(number)]) == [None]
    assert wire.asked == []


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, Misconfigured), (403, Misconfigured), (400, Refused), (429, Temporary), (500, Temporary), (200, Temporary)],
)
async def test_an_http_error_says_what_is_to_be_done(status: int, error: type[WismoError]) -> None:
    with pytest.raises(error) as caught:
        await Wire(b"<html>", status, {"retry-after": "7"}).port().track([REF])
    if isinstance(caught.value, Temporary) and status == 429:
        assert (caught.value.retry_after, caught.value.account_wide) == (7.0, True)
    if isinstance(caught.value, Misconfigured):
        assert caught.value.key == "carriers.mydhl.password"
    assert "s3cret" not in str(caught.value)


async def test_the_check_is_a_call_whose_not_found_is_good() -> None:
    assert "works" in await Wire(recorded("not_found"), 404).port().check()
    with pytest.raises(Misconfigured) as caught:
        await Wire(b"", 404).port().check()
    assert caught.value.key == "carriers.mydhl.base_url"


async def test_one_number_a_call_and_nothing_is_pushed() -> None:
    port = Wire().port()
    assert (port.capabilities.push, port.capabilities.batch) == (False, 1)
    with pytest.raises(ValueError, match="one number"):
        await port.track([REF, REF])
    with pytest.raises(ValueError, match="MyDHL"):
        port.decode(Item("k", "l", b"{}"))


def test_a_scan_without_a_place_still_has_its_instant() -> None:
    (scan,) = one(events=[event("PL")]).scans
    assert scan.at == datetime(2026, 10, 14, 9, tzinfo=UTC)


# ---- the XML Services before it --------------------------------------------------------------------------

AREA = "<ServiceArea><ServiceAreaCode>{}</ServiceAreaCode><Description>{}</Description></ServiceArea>"


def xml_event(kind: str, code: str, day: int, area: str = AREA.format("SZX", "SHENZHEN - CHINA")) -> str:
    said = f"<ServiceEvent><EventCode>{code}</EventCode><Description>x {code}</Description></ServiceEvent>"
    return f"<{kind}><Date>2026-11-{day}</Date><Time>14:26:00</Time>{said}<Signatory>NOBODY</Signatory>{area}</{kind}>"


def tracking_response(inner: str) -> bytes:
    """A TrackingResponse after DHL's XML Services (Tracking Service, v10), written by us."""
    return f"<req:TrackingResponse xmlns:req='http://www.dhl.com'>{inner}</req:TrackingResponse>".encode()


def test_the_answer_of_the_xml_services_has_the_same_events() -> None:
    ends = "<Shipper><CountryCode>CN</CountryCode></Shipper><Consignee><CountryCode>DE</CountryCode></Consignee>"
    events = xml_event("ShipmentEvent", "PU", 10) + xml_event("ShipmentEvent", "ZZ", 11, "")
    piece = f"<Pieces><PieceInfo>{xml_event('PieceEvent', 'PU', 10)}</PieceInfo></Pieces>"
    info = f"<ShipmentInfo>{ends}{events}</ShipmentInfo>{piece}"
    (track,) = read(tracking_response(f"<AWBInfo><AWBNumber>1234567890</AWBNumber>{info}</AWBInfo>"))
    assert (track.number, track.origin, track.destination) == ("1234567890", "CN", "DE")
    assert [(s.raw_code, s.status.value, s.offset_from.value) for s in track.scans] == [
        ("PU", "accepted", "location"),
        ("ZZ", "unknown", "unknown"),
    ]
    assert "NOBODY" not in repr(track)


def first_api(event: Any) -> Any:
    """An answer after the reference of MyDHL's first API (trackShipmentRequest), written by us."""
    ends = {"OriginServiceArea": "PRAGUE - CZECH REPUBLIC, THE", "DestinationServiceArea": "VIENNA - AUSTRIA"}
    info: dict[str, Any] = {name: {"ServiceAreaCode": name[:3], "Description": text} for name, text in ends.items()}
    info["ShipmentEvent"] = {"ArrayOfShipmentEventItem": event}
    waybill = {"AWBNumber": 1234567890, "ShipmentInfo": info}
    answer = {"TrackingResponse": {"Response": {}, "AWBInfo": {"ArrayOfAWBInfoItem": waybill}}}
    return {"trackShipmentRequestResponse": {"trackingResponse": answer}}


EVENT = {
    "Date": "2018-01-04",
    "Time": "10:00:00",
    "ServiceEvent": {"EventCode": "IC", "Description": "in clearance"},
} | {"ServiceArea": {"ServiceAreaCode": "VIE", "Description": "VIENNA - AUSTRIA"}}


@pytest.mark.parametrize("events", [EVENT, [EVENT]], ids=["one", "list"])
def test_mydhls_first_api_is_read_and_its_service_areas_name_the_ends(events: Any) -> None:
    (track,) = read(json.dumps(first_api(events)).encode())
    assert (track.number, track.origin, track.destination) == ("1234567890", "CZ", "AT")
    assert [(s.status.value, s.cause, s.at) for s in track.scans] == [
        ("customs", "import_processing", datetime(2018, 1, 4, 9, tzinfo=UTC))
    ]


def test_the_soap_of_mydhls_first_api_is_read_and_its_fault_said() -> None:
    events = "".join(xml_event("ArrayOfShipmentEventItem", "PU", day) for day in (10, 11))
    info = f"<ShipmentInfo><ShipmentEvent>{events}</ShipmentEvent></ShipmentInfo>"
    waybill = f"<ArrayOfAWBInfoItem><AWBNumber>1234567890</AWBNumber>{info}</ArrayOfAWBInfoItem>"
    told = f"<AWBInfo>{waybill}</AWBInfo>"
    soap = "<s:Envelope xmlns:s='x'><s:Header/><s:Body>{}</s:Body></s:Envelope>"
    (track,) = read(soap.format(f"<r><t><TrackingResponse>{told}</TrackingResponse></t></r>").encode())
    assert [s.raw_code for s in track.scans] == ["PU", "PU"]
    with pytest.raises(ValueError, match="Wrong password"):
        read(soap.format("<s:Fault><faultstring>Wrong password</faultstring></s:Fault>").encode())


def test_an_xml_answer_of_nothing_says_so() -> None:
    nobody = "<AWBNumber>1</AWBNumber><Status><ActionStatus>No Shipments Found</ActionStatus></Status>"
    assert read(tracking_response(f"<AWBInfo>{nobody}</AWBInfo>"))[0].cause == "not_found"
    fault = "<Status><Condition><ConditionData>Authorization failure</ConditionData></Condition></Status>"
    with pytest.raises(ValueError, match="Authorization failure"):
        read(tracking_response(f"<Response>{fault}</Response>"))


@pytest.mark.parametrize(
    ("offset", "at"),
    [("+08:00", "06:26"), ("+0800", "06:26"), ("8", "06:26"), ("GMT-3", "17:26"), ("05:30", "08:56")],
)
def test_an_offset_is_read_in_any_spelling(offset: str, at: str) -> None:
    event = {"date": "2026-11-10", "time": "14:26:00", "GMTOffset": offset, "typeCode": "PU"}
    (track,) = read(json.dumps({"shipments": [{"shipmentTrackingNumber": "1", "events": [event]}]}).encode())
    (scan,) = track.scans
    assert (scan.at and f"{scan.at:%H:%M}", scan.offset_from.value) == (at, "explicit")
