"""DHL Unified behind the port: reading every division's words, asking, errors."""

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

from adapters.carriers.dhl import Dhl, Settings, connect, read, read_code
from bot.errors import Misconfigured, Refused, Temporary, WismoError
from bot.model.codes import codes
from bot.model.tracks import Leg, OffsetFrom, Role, Status, Track, TrackRef
from bot.ports import Item, Request
from bot.tracking.vocabulary import known

RECORDED = Path(__file__).parents[2] / "recorded/carriers/dhl"
REF = TrackRef("1234567890", "dhl", postcode="10115")
TABLES = ("dhl_status", "dhl_ecommerce", "dhl_text")


def recorded(name: str) -> bytes:
    return (RECORDED / f"{name}.json").read_bytes()


def shipment(**more: Any) -> bytes:
    return json.dumps({"shipments": [{"id": "1234567890", "service": "express"} | more]}).encode()


def one(**more: Any) -> Track:
    (track,) = read(shipment(**more))
    return track


class Wire:
    """A stand-in for DHL that remembers what was asked."""

    def __init__(self, body: bytes = b"", status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.answer = (status, body, headers)
        self.asked: list[httpx.Request] = []

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        status, body, headers = self.answer
        return httpx.Response(status, content=body, headers=headers)

    def port(self, **settings: Any) -> Dhl:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self.handle))
        return connect(Settings(api_key=SecretStr("a-key"), base_url="https://dhl.example/", **settings), http)


# ---- reading


def test_an_express_shipment_is_read_whole_and_its_status_is_no_second_scan() -> None:
    (track,) = read(recorded("express"))
    assert (track.carrier, track.number, track.origin, track.destination) == ("dhl", "1234567890", "CN", "DE")
    assert [(s.raw_code, s.status.value, s.cause, s.place.country) for s in track.scans] == [
        ("PU", "accepted", "picked_up", "CN"),
        ("DF", "in_transit", "hub_departed", ""),
        ("AF", "arrived_destination", "", "DE"),
        ("CR", "customs", "released", "DE"),
        ("WC", "out_for_delivery", "", "DE"),
        ("OK", "delivered", "", "DE"),
    ]
    assert (track.status, track.cause, track.legs) == (Status.DELIVERED, "", ())
    assert track.proof_of_delivery == "https://proof.example/doc"
    assert "NOBODY" not in repr(track)


def test_the_estimate_is_local_days_at_the_destination() -> None:
    (track,) = read(recorded("express"))
    assert track.eta is not None
    assert [d.isoformat() for d in (track.eta.first, track.eta.last)] == [
        "2026-10-14T00:00:00+02:00",
        "2026-10-15T00:00:00+02:00",
    ]
    assert track.eta.basis == "dhl"
    lone = one(estimatedTimeOfDelivery="2026-10-14T00:00:00Z").eta
    assert lone is not None
    assert lone.first == lone.last == datetime(2026, 10, 14, tzinfo=UTC)


def test_the_offset_is_the_texts_own_else_the_countrys_else_unknown() -> None:
    (track,) = read(recorded("express"))
    assert [s.offset_from for s in track.scans] == [
        OffsetFrom.LOCATION,
        OffsetFrom.UNKNOWN,
        OffsetFrom.LOCATION,
        OffsetFrom.EXPLICIT,
        OffsetFrom.LOCATION,
        OffsetFrom.LOCATION,
    ]
    assert track.scans[0].at == datetime(2026, 10, 12, 2, tzinfo=UTC)
    assert track.scans[0].raw_time == "2026-10-12T10:00:00"
    assert f"{track.scans[0].local:%H:%M}" == "10:00"


def test_ecommerce_sentences_are_codes_and_a_new_one_is_its_main_status() -> None:
    (track,) = read(recorded("ecommerce"))
    assert [(s.status.value, s.physical, s.known) for s in track.scans] == [
        ("label_created", False, True),
        ("in_transit", True, True),
        ("out_for_delivery", True, True),
    ]
    assert track.legs == (
        Leg("dhl", "GM0000000000000001", Role.FIRST_MILE),
        Leg("", "9200000000000000000000", Role.LAST_MILE),
    )


@pytest.mark.parametrize(
    ("service", "status", "main", "word", "is_known"),
    [
        ("express", "NH", "failure", ("delivery_attempted", "not_home"), True),
        ("express", "cc", "transit", ("pickup_ready", ""), True),
        ("", "RT", "failure", ("returned", ""), True),
        ("express", "QQ", "transit", ("in_transit", ""), False),
        ("express", "QQ", "", ("unknown", ""), False),
        ("parcel-de", "OK", "transit", ("in_transit", ""), False),
        ("ecommerce", "608", "failure", ("customs", "refused"), True),
        ("ecommerce", 104, "unknown", ("label_created", "info_received"), True),
        ("ecommerce", "999", "failure", ("exception", ""), False),
        ("parcel-de", "108", "pre-transit", ("label_created", "info_received"), False),
        ("parcel-de", "Delivered.", "delivered", ("delivered", ""), True),
        ("parcel-de", "Etwas Neues", "PRE_TRANSIT", ("label_created", "info_received"), True),
        ("parcel-de", "Etwas Neues", "teleported", ("unknown", ""), False),
        ("parcel-de", None, "delivered", ("delivered", ""), True),
    ],
)
def test_the_divisions_code_comes_before_the_main_status(
    service: str, status: Any, main: str, word: tuple[str, str], is_known: bool
) -> None:
    _, code, found = read_code({"status": status, "statusCode": main}, service)
    assert ((code.status.value, code.cause), found) == (word, is_known)


def test_an_unknown_code_is_not_read_from_a_cheerful_description() -> None:
    track = one(events=[{"status": "QQ", "statusCode": "transit", "description": "DELIVERED"}])
    assert (track.scans[0].status, track.scans[0].raw_code, track.scans[0].known) == (Status.IN_TRANSIT, "QQ", False)


@pytest.mark.parametrize("table", TABLES)
def test_the_tables_use_only_our_words(table: str) -> None:
    assert all(known(word.status, word.cause) for word in codes(table).values())


def test_without_events_the_current_status_is_the_one_scan() -> None:
    track = one(status={"statusCode": "pre-transit", "timestamp": "2026-10-14T09:00:00Z"})
    assert [(s.status, s.physical) for s in track.scans] == [(Status.LABEL_CREATED, False)]
    assert track.status is Status.LABEL_CREATED


def test_scans_of_one_instant_keep_dhls_order() -> None:
    events = [{"timestamp": "2026-10-14T09:00:00Z", "status": s, "statusCode": "transit"} for s in ("AF", "DF", "PU")]
    assert [s.raw_code for s in one(events=events).scans] == ["PU", "DF", "AF"]


def test_several_shipments_are_several_tracks() -> None:
    both = [{"id": "A1234567"}, {"id": "B1234567"}]
    assert [t.number for t in read(json.dumps({"shipments": both}).encode())] == ["A1234567", "B1234567"]


@pytest.mark.parametrize(
    "more",
    [
        {"events": None, "status": None, "details": None, "origin": 1, "destination": []},
        {"events": {"statusCode": "transit", "timestamp": 5, "location": "Berlin"}},
        {"events": [None, 1, "x", {}], "details": {"references": {"number": 1, "type": 2}, "proofOfDelivery": "no"}},
        {"status": "delivered", "estimatedDeliveryTimeFrame": {"estimatedFrom": "9999-12-31T23:59:59-14:00"}},
        {"events": [{"timestamp": "0001-01-01T00:00:00+14:00"}, {"timestamp": "2026-10-14T00:00:00"}]},
    ],
)
def test_what_is_missing_or_odd_is_left_out(more: dict[str, Any]) -> None:
    assert one(**more).number == "1234567890"


def test_an_error_of_dhl_is_one_clear_line_and_a_track_where_it_names_the_number() -> None:
    with pytest.raises(ValueError, match=r"^DHL: No shipment with given tracking number found\.$"):
        read(recorded("not_found"))
    body = json.loads(recorded("not_found")) | {"instance": "/shipment/1234567890"}
    (track,) = read(json.dumps(body).encode())
    assert (track.number, track.status, track.cause, track.scans) == ("1234567890", Status.UNKNOWN, "not_found", ())


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


EXPRESS = json.loads(recorded("express"))


@given(st.sampled_from(paths(EXPRESS)), JSON)
def test_an_answer_broken_anywhere_is_tracks_or_one_clear_error(path: tuple[Any, ...], by: Any) -> None:
    with suppress(ValueError):
        for track in read(json.dumps(broken(EXPRESS, path, by)).encode()):
            assert all(known(s.status, s.cause) for s in track.scans)


@given(st.binary(max_size=60) | st.just(b"[" * 100_000) | st.just(b'{"shipments":' + b"9" * 5000 + b"}"))
def test_any_bytes_are_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="DHL"):
        read(body)


# ---- asking


async def test_a_number_is_asked_with_key_service_and_postcode() -> None:
    wire = Wire(recorded("express"))
    (track,) = await wire.port().track([REF])
    assert track is not None
    assert track == read(recorded("express"))[0]
    (asked,) = wire.asked
    assert asked.url.path == "/track/shipments"
    assert dict(asked.url.params) == {
        "trackingNumber": "1234567890",
        "service": "express",
        "language": "en",
        "recipientPostalCode": "10115",
    }
    assert asked.headers["dhl-api-key"] == "a-key"


async def test_a_piece_is_found_and_keeps_the_number_it_was_asked_by() -> None:
    (track,) = await Wire(recorded("express")).port().track([TrackRef("JD014600000000000001")])
    assert track is not None
    assert track.number == "JD014600000000000001"


async def test_leading_zeros_lost_by_a_json_number_are_the_refs() -> None:
    body = json.dumps({"shipments": [{"id": 340434000000000001, "service": "parcel-de"}]}).encode()
    (track,) = await Wire(body).port(service="parcel-de").track([TrackRef("00340434000000000001")])
    assert track is not None
    assert track.number == "00340434000000000001"


async def test_of_two_divisions_shipments_the_configured_services_is_taken_else_none() -> None:
    two = [{"id": "1234567890", "service": s} for s in ("freight", "dgf")]
    body = json.dumps({"shipments": two}).encode()
    (track,) = await Wire(body).port(service="dgf").track([REF])
    assert track is not None
    (track,) = await Wire(body).port(service="").track([REF])
    assert track is None


async def test_an_unknown_number_and_an_empty_answer_are_none() -> None:
    assert await Wire(recorded("not_found"), 404).port().track([REF]) == [None]
    assert await Wire(b'{"shipments": []}').port().track([REF]) == [None]
    wire = Wire()
    assert await wire.port().track([TrackRef("  ")]) == [None]
    assert await wire.port().track([]) == []
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
        assert caught.value.key == "carriers.dhl.api_key"
    assert "a-key" not in str(caught.value)


async def test_a_broken_line_is_temporary() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route", request=request)

    http = httpx.AsyncClient(transport=httpx.MockTransport(fail))
    with pytest.raises(Temporary):
        await connect(Settings(api_key=SecretStr("a-key")), http).track([REF])


async def test_the_check_is_a_call_whose_not_found_is_good() -> None:
    assert "the key works" in await Wire(recorded("not_found"), 404).port().check()
    with pytest.raises(Misconfigured) as caught:
        await Wire(b"<html>", 404).port().check()
    assert caught.value.key == "carriers.dhl.base_url"
    with pytest.raises(Misconfigured):
        await Wire(b"", 401).port().check()


async def test_one_number_a_call_within_the_budget_and_nothing_is_pushed() -> None:
    port = Wire().port()
    told = port.capabilities
    assert (told.push, told.batch, told.per_second, told.per_day) == (False, 1, 1.0, 250)
    with pytest.raises(ValueError, match="one number"):
        await port.track([REF, REF])
    with pytest.raises(ValueError, match="DHL"):
        port.decode(Item("k", "l", b"{}"))
    assert (await port.webhook(Request("POST", "/hooks/dhl", {"sign": "é☃"}, {}, b"{}"))).status == 404
