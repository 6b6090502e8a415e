"""FedEx: what its scans say, whose shipment a number is, its token, and which pushes are believed."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from adapters.carriers.fedex import FedEx, Settings, connect, read, read_code
from bot.errors import Misconfigured, Temporary
from bot.model.tracks import OffsetFrom, Status, TrackRef
from bot.ports import Request

RECORDED = Path(__file__).parents[2] / "recorded/carriers/fedex"
ABROAD = ("CN", "US")


def recorded(name: str) -> bytes:
    return (RECORDED / f"{name}.json").read_bytes()


class Wire:
    """FedEx's two addresses; each answer is the next in its list, the last one for ever."""

    def __init__(self, *answers: httpx.Response, lasts: int = 3600) -> None:
        self.answers = list(answers)
        self.lasts = lasts
        self.tokens = 0
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            self.tokens += 1
            return httpx.Response(200, json={"access_token": f"t{self.tokens}", "expires_in": self.lasts})
        self.asked.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def port(self, secret: str | None = None) -> FedEx:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self))
        hook = SecretStr(secret) if secret else None
        settings = Settings(
            client_id="id", client_secret=SecretStr("s"), webhook_secret=hook, base_url="http://fedex.test"
        )
        return connect(settings, http)


def test_an_answer_becomes_one_track_a_shipment() -> None:
    old, ours, unknown = read(recorded("trackingnumbers"))
    assert (old.number, ours.number) == ("000000000101", "000000000101")
    assert (unknown.status, unknown.cause, unknown.scans) == (Status.UNKNOWN, "not_found", ())
    assert [(s.status.value, s.cause) for s in ours.scans] == [
        ("label_created", "info_received"),
        ("accepted", "picked_up"),
        ("in_transit", ""),
        ("in_transit", "hub_departed"),
        ("arrived_destination", ""),
        ("customs", "held"),
        ("customs", "released"),
        ("delivery_attempted", ""),
        ("out_for_delivery", ""),
        ("delivered", ""),
    ]
    assert [s.raw_code for s in ours.scans if not s.known] == ["QQ"]
    assert ours.scans[7].raw_text == "Delivery exception: Customer not available or business closed"
    assert ours.scans[-1].offset_from is OffsetFrom.EXPLICIT
    assert ours.scans[-1].at == datetime(2026, 10, 6, 15, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("event", "text", "country", "ends", "word"),
    [
        ("EA", "Export approved", "CN", ABROAD, ("departed_origin", "export_released")),
        ("EA", "Enroute to airport", "CN", ABROAD, ("in_transit", "")),
        ("CA", "Shipment cancelled by sender", "CN", ABROAD, ("exception", "cancelled")),
        ("CA", "Carrier", "CN", ABROAD, ("unknown", "")),
        ("LO", "Left origin", "CN", ABROAD, ("departed_origin", "")),
        ("LO", "Left origin", "US", ("US", "US"), ("in_transit", "hub_departed")),
        ("CP", "Clearance in progress", "US", ABROAD, ("customs", "import_processing")),
        ("AR", "Arrived", "CN", ABROAD, ("in_transit", "hub_arrived")),
        ("ZZ", "Delivered, surely", "US", ABROAD, ("unknown", "")),
        ("SP", "Split status", "US", ABROAD, ("in_transit", "")),
    ],
)
def test_letters_that_clash_are_told_apart(
    event: str, text: str, country: str, ends: tuple[str, str], word: tuple[str, str]
) -> None:
    code, _ = read_code(event, "", text, country, ends)
    assert (code.status.value, code.cause) == word


async def test_a_number_used_twice_is_the_shipment_of_our_day() -> None:
    wire = Wire(httpx.Response(200, content=recorded("trackingnumbers")))
    sent = datetime(2024, 3, 2, tzinfo=UTC)
    (old,) = await wire.port().track([TrackRef("000000000101", shipped_at=sent)])
    (latest, unknown, never) = await wire.port().track(
        [TrackRef("000000000101"), TrackRef("000000000102"), TrackRef("1")]
    )
    assert old is not None
    assert len(old.scans) == 1
    assert latest is not None
    assert len(latest.scans) == 10
    assert unknown is not None
    assert never is None
    (asked, *_) = json.loads(wire.asked[0].content)["trackingInfo"]
    assert asked["shipDateBegin"] == "2024-02-16"


async def test_a_token_is_fetched_once_and_renewed_after_a_refusal() -> None:
    fine = httpx.Response(200, content=recorded("trackingnumbers"))
    wire = Wire(fine, fine, httpx.Response(401), fine)
    port = wire.port()
    for _ in range(3):
        await port.track([TrackRef("000000000101")])
    assert wire.tokens == 2
    assert [r.headers["authorization"] for r in wire.asked] == ["Bearer t1", "Bearer t1", "Bearer t1", "Bearer t2"]


async def test_a_short_token_is_renewed_before_it_ends() -> None:
    wire = Wire(httpx.Response(200, content=recorded("trackingnumbers")), lasts=10)
    port = wire.port()
    await port.track([TrackRef("1")])
    await port.track([TrackRef("1")])
    assert wire.tokens == 2


async def test_what_http_says_becomes_our_errors() -> None:
    with pytest.raises(Misconfigured):
        await Wire(httpx.Response(401)).port().track([TrackRef("1")])
    with pytest.raises(Temporary) as raised:
        await Wire(httpx.Response(429, headers={"retry-after": "9"})).port().track([TrackRef("1")])
    assert (raised.value.retry_after, raised.value.account_wide) == (9.0, True)
    with pytest.raises(Temporary):
        await Wire(httpx.Response(200, content=b"<html>")).port().track([TrackRef("1")])


def test_an_error_is_one_clear_line() -> None:
    with pytest.raises(ValueError, match="FedEx: Access token expired"):
        read(recorded("error"))


def signed(body: bytes, secret: str = "hook") -> Request:
    sign = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return Request("POST", "/hooks/fedex", {"fdx-signature": sign}, {}, body)


@pytest.mark.parametrize("count", [1, 2])
async def test_a_signed_push_becomes_the_parcels_events(count: int) -> None:
    whole = json.loads(recorded("trackingnumbers"))["output"]["completeTrackResults"][0]["trackResults"]
    body = json.dumps({"trackResults": whole[-count:]}).encode()
    port = Wire(httpx.Response(500)).port("hook")
    answer = await port.webhook(signed(body))
    assert [i.lane for i in answer.items] == ["p/000000000101"] * count
    assert all(port.decode(i) is not None for i in answer.items)


async def test_a_forged_push_is_refused_and_a_signed_riddle_is_kept() -> None:
    port = Wire(httpx.Response(500)).port("hook")
    assert (await port.webhook(signed(b"{}", "other"))).status == 401
    assert (await port.webhook(Request("POST", "/", {"fdx-signature": "é"}, {}, b"{}"))).status == 401
    assert (await port.webhook(signed(b"{}"))).items[0].lane == "x/fedex"
    assert (await Wire(httpx.Response(500)).port().webhook(signed(b"{}"))).status == 404


def _result(*events: dict[str, object], **more: object) -> bytes:
    result = {"trackingNumberInfo": {"trackingNumber": "000000000101"}, "scanEvents": list(events), **more}
    return json.dumps({"output": {"completeTrackResults": [{"trackResults": [result]}]}}).encode()


@pytest.mark.parametrize("reason", ["7", "07", "007", "A07"])
def test_a_reason_is_one_however_it_is_written(reason: str) -> None:
    (track,) = read(_result({"eventType": "DE", "exceptionCode": reason}))
    assert track.scans[0].cause == "refused_attempt"


def test_a_delay_tells_its_kind() -> None:
    weather, clearance = ({"type": kind, "status": "DELAYED"} for kind in ("WEATHER", "CLEARANCE"))
    (track,) = read(_result({"eventType": "DY", "delayDetail": weather}, {"eventType": "SE", "delayDetail": clearance}))
    assert {(s.status.value, s.cause) for s in track.scans} == {("exception", "delay_weather"), ("customs", "held")}


def test_a_summary_without_scans_is_a_status_and_no_event() -> None:
    left = {"code": "DL", "description": "Delivered", "ancillaryDetails": [{"reasonDescription": "Left at the door"}]}
    when = [{"type": "ACTUAL_DELIVERY", "dateTime": "2026-10-06T10:15:00-05:00"}]
    (track,) = read(_result(latestStatusDetail=left, dateAndTimes=when))
    assert (track.status, track.scans) == (Status.DELIVERED, ())
    elsewhere = left | {"ancillaryDetails": [{"reasonDescription": "Tendered to authorized agent for final delivery"}]}
    (track,) = read(_result(latestStatusDetail=elsewhere))
    assert (track.status, track.scans) == (Status.UNKNOWN, ())


def test_the_postal_services_number_is_the_last_mile() -> None:
    told = [{"type": "CUSTOMER_REFERENCE", "values": ["PO 9261290100130435082878"]}, {"values": None}, None]
    more = {"packageIdentifiers": [*told, {"type": "OTHER", "values": ["9261290100130435082878"]}]}
    (track,) = read(_result(additionalTrackingInfo=more))
    assert [(leg.carrier, leg.number) for leg in track.legs] == [
        ("fedex", "000000000101"),
        ("usps", "9261290100130435082878"),
    ]
    (alone,) = read(_result(additionalTrackingInfo={"packageIdentifiers": told}))
    assert alone.legs == ()
