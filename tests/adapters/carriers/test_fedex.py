"""FedEx: what its scans say, whose shipment a number is, its token, and which pushes are believed."""

import base64
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


def test_a_days_calls_are_fedexs_own_number() -> None:
    capabilities = Wire(httpx.Response(500)).port().capabilities
    assert (capabilities.batch, capabilities.per_day, capabilities.push) == (30, 100_000, False)


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
    fault = b"<s:Envelope xmlns:s='x'><s:Body><s:Fault><faultstring>No such client</faultstring></s:Fault></s:Body>"
    with pytest.raises(ValueError, match="FedEx: No such client"):
        read(fault + b"</s:Envelope>")


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


async def test_a_signature_is_good_in_base64_as_in_hexadecimal() -> None:
    sign = base64.b64encode(hmac.digest(b"hook", b"{}", "sha256")).decode()
    port = Wire(httpx.Response(500)).port("hook")
    for given, status in ((sign, 200), (sign.swapcase(), 401), (sign[:-1], 401)):
        assert (await port.webhook(Request("POST", "/", {"fdx-signature": given}, {}, b"{}"))).status == status


async def test_a_push_nested_deeper_than_any_answer_is_kept_and_costs_nothing_else() -> None:
    deep = b'{"output":' + b"[" * 800 + b"]" * 800 + b"}"
    assert (await Wire(httpx.Response(500)).port("hook").webhook(signed(deep))).items[0].lane == "x/fedex"
    (track,) = read(_result(availableImages=json.loads(b"[" * 500 + b"]" * 500)))
    assert track.proof_of_delivery == ""


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


def _delayed(status: str, event: str = "SE", code: str = "", words: str = "", **info: str) -> str:
    told = {"trackingNumber": "000000000101", **info}
    scan: dict[str, object] = {"eventType": event, "exceptionCode": code, "exceptionDescription": words}
    scan["delayDetail"] = {"type": "WEATHER", "status": status}
    (track,) = read(_result(scan, trackingNumberInfo=told))
    return f"{track.scans[0].status.value}/{track.scans[0].cause}"


def test_what_comes_early_or_on_time_is_no_delay() -> None:
    told = [_delayed("DELAYED"), _delayed("ON_TIME"), _delayed("EARLY")]
    assert told == ["exception/delay_weather", "exception/", "exception/"]


@pytest.mark.parametrize(
    ("code", "words", "info", "means"),
    [
        ("07", "", {}, "refused_attempt"),
        ("07", "", {"carrierCode": "FDXE"}, "refused_attempt"),
        ("007", "", {"carrierCode": "FDXG"}, "not_home"),
        ("07", "", {"trackingNumberUniqueId": "245822~123456789012~FDEG"}, "not_home"),
        ("07", "Customer not available", {}, ""),
        ("07", "Customer not available", {"carrierCode": "FDXE"}, "refused_attempt"),
        ("03", "Incorrect address", {}, "address_problem"),
    ],
)
def test_grounds_reasons_are_not_expresss_and_doubt_is_left_to_the_words(
    code: str, words: str, info: dict[str, str], means: str
) -> None:
    assert _delayed("ON_TIME", "DE", code, words, **info) == f"delivery_attempted/{means}"


def test_a_reason_that_both_companies_number_alike_needs_no_company() -> None:
    assert _delayed("ON_TIME", "SE", "12", "Package sorted to wrong route") == "exception/missort"


@pytest.mark.parametrize(
    ("event", "text", "country", "ends", "word"),
    [
        ("DL", "Delivered: held at location for pickup", "US", ABROAD, ("pickup_ready", "")),
        ("DL", "Delivered: picked up by the recipient at the hold location", "US", ABROAD, ("delivered", "")),
        ("FD", "At destination sort facility", "US", ABROAD, ("arrived_destination", "")),
        ("FD", "At destination sort facility", "US", ("US", "US"), ("in_transit", "hub_arrived")),
        ("FD", "At destination sort facility", "US", ("", ""), ("in_transit", "hub_arrived")),
    ],
)
def test_a_counter_is_not_the_buyer_and_a_hub_at_home_is_no_arrival_in_a_country(
    event: str, text: str, country: str, ends: tuple[str, str], word: tuple[str, str]
) -> None:
    code, _ = read_code(event, "", text, country, ends)
    assert (code.status.value, code.cause) == word


ESTIMATED = {
    "estimatedDeliveryTimeWindow": {"window": {"begins": "2026-10-06T08:00:00", "ends": "2026-10-06T12:00:00"}}
}
DATES = [{"type": "ESTIMATED_DELIVERY", "dateTime": "2026-10-07T00:00:00-05:00"}, {"type": "SHIP", "dateTime": None}]
STANDARD = {"standardTransitTimeWindow": {"window": {"ends": "2026-10-09T20:00:00+02:00"}}}


@pytest.mark.parametrize(
    ("more", "eta"),
    [
        (ESTIMATED | STANDARD | {"dateAndTimes": DATES}, ("2026-10-06T08:00:00+02:00", "2026-10-06T12:00:00+02:00")),
        (STANDARD | {"dateAndTimes": DATES}, ("2026-10-07T00:00:00-05:00", "2026-10-07T00:00:00-05:00")),
        (STANDARD, ("2026-10-09T20:00:00+02:00", "2026-10-09T20:00:00+02:00")),
        (STANDARD | {"dateAndTimes": [{"type": "ACTUAL_DELIVERY", "dateTime": "2026-10-06"}]}, None),
        (STANDARD | {"latestStatusDetail": {"code": "DL"}}, None),
        ({"dateAndTimes": [{"type": "COMMITMENT", "dateTime": "soon"}]}, None),
    ],
)
def test_the_day_to_come_is_the_estimated_one_first_and_none_after_delivery(
    more: dict[str, object], eta: tuple[str, str] | None
) -> None:
    to = {"recipientInformation": {"address": {"countryCode": "DE"}}}
    (track,) = read(_result({"eventType": "IT"}, **(to | more)))
    assert (track.eta and (track.eta.first.isoformat(), track.eta.last.isoformat())) == eta


def test_an_identifier_is_a_leg_where_the_parcel_goes_on_under_it() -> None:
    told = [
        {"type": "PARTNER_CARRIER_NUMBER", "values": ["JJD0001"]},
        {"type": "REROUTE_TRACKING_NUMBER", "value": "000000000109"},
        {"type": "STANDARD_MPS", "values": ["000000000110"]},
        {"type": "RETURNED_TO_SHIPPER_TRACKING_NUMBER", "values": ["000000000111"]},
        {"type": "CUSTOMER_REFERENCE", "value": ["9261290100130435082878"]},
    ]
    (track,) = read(_result(additionalTrackingInfo={"packageIdentifiers": told}))
    assert [(leg.carrier, leg.number) for leg in track.legs[1:]] == [
        ("", "JJD0001"),
        ("fedex", "000000000109"),
        ("usps", "9261290100130435082878"),
    ]


@pytest.mark.parametrize(
    ("code", "message", "cause"),
    [
        ("TRACKING.TRACKINGNUMBER.NOTFOUND", "", "not_found"),
        ("TRACKING.TRACKINGNUMBER.INVALID", "", "invalid_number"),
        ("9040", "This tracking number cannot be found.", "not_found"),
        ("SYSTEM.UNAVAILABLE.EXCEPTION", "The system is not available.", ""),
        ("TRACKING.DATA.NOTUNIQUE", "", ""),
    ],
)
async def test_fedexs_own_failure_says_nothing_of_a_number(code: str, message: str, cause: str) -> None:
    body = _result(error={"code": code, "message": message})
    (track,) = read(body)
    assert (track.status, track.cause) == (Status.UNKNOWN, cause)
    (asked,) = await Wire(httpx.Response(200, content=body)).port().track([TrackRef("000000000101")])
    assert (asked is None) == (cause == "")


def test_a_list_of_answers_and_one_in_another_encoding_are_read() -> None:
    one = json.loads(_result({"eventType": "PU", "date": "2026-10-06T10:15:00-05:00"}))
    tracks = read(json.dumps([one, {"output": None}, 7, one["output"]]).encode("utf-16"))
    assert [(t.number, t.scans[0].raw_code) for t in tracks] == [("000000000101", "PU")] * 2


EVENT = (
    "<Events><Timestamp>2026-10-06T10:15:00-05:00</Timestamp><EventType>DL</EventType><EventDescription>Delivered"
    "</EventDescription><Address><City>Anytown</City><StateOrProvinceCode>TX</StateOrProvinceCode><CountryCode>US"
    "</CountryCode></Address></Events><Events><Timestamp>2026-10-05T10:15:00-05:00</Timestamp><EventType>DE</EventType>"
    "<StatusExceptionCode>08</StatusExceptionCode><StatusExceptionDescription>Nobody</StatusExceptionDescription></Events>"
)
DETAIL = (
    "<TrackDetails><Notification><Severity>SUCCESS</Severity></Notification><TrackingNumber>000000000101</TrackingNumber>"
    "<CarrierCode>FDXE</CarrierCode><OtherIdentifiers><PackageIdentifier><Type>PARTNER_CARRIER_NUMBER</Type><Value>JJD0001"
    "</Value></PackageIdentifier></OtherIdentifiers><ShipperAddress><CountryCode>CN</CountryCode></ShipperAddress>"
    f"<DestinationAddress><CountryCode>US</CountryCode></DestinationAddress>{EVENT}</TrackDetails>"
)


@pytest.mark.parametrize(
    "details", [DETAIL, f"<CompletedTrackDetails>{DETAIL}</CompletedTrackDetails>"], ids=["flat", "since v9"]
)
def test_the_older_soap_replies_are_read(details: str) -> None:
    """After the types of FedEx's TrackService WSDL (http://fedex.com/ws/track/v9)."""
    reply = f"<v9:TrackReply xmlns:v9='u'><HighestSeverity>SUCCESS</HighestSeverity>{details}</v9:TrackReply>"
    for body in (reply, f"<s:Envelope xmlns:s='s'><s:Body>{reply}</s:Body></s:Envelope>"):
        (track,) = read(body.encode())
        assert (track.number, track.origin, track.destination) == ("000000000101", "CN", "US")
        assert [(s.raw_code, s.status.value, s.cause, s.place.text) for s in track.scans] == [
            ("DE", "delivery_attempted", "not_home", ""),
            ("DL", "delivered", "", "Anytown, TX"),
        ]
        assert track.scans[1].at == datetime(2026, 10, 6, 15, 15, tzinfo=UTC)
        assert [leg.number for leg in track.legs] == ["000000000101", "JJD0001"]


def test_an_older_reply_without_details_tells_its_fault_in_one_line() -> None:
    notice = (
        "<Notifications><Severity>ERROR</Severity><Code>9040</Code><Message>No such number.</Message></Notifications>"
    )
    with pytest.raises(ValueError, match=r"^FedEx: No such number\.$"):
        read(f"<TrackReply><HighestSeverity>ERROR</HighestSeverity>{notice}</TrackReply>".encode())
