"""UPS behind the port: reading both shapes, the token, pushes, errors."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from adapters.carriers.ups import ALERT_TIME, TIME, Settings, Ups, connect, read, read_status, read_time
from bot.errors import Misconfigured, Refused, Temporary, WismoError
from bot.model.codes import codes
from bot.model.parcels import Parcel
from bot.model.tracks import Leg, OffsetFrom, Role, Status, Track, TrackRef
from bot.ports import Item, Request
from bot.tracking.timeline import apply
from bot.tracking.vocabulary import known

RECORDED = Path(__file__).parents[2] / "recorded/carriers/ups"
FIRST, SECOND, NOWHERE = "1ZWISM000300000011", "1ZWISM000300000029", "1ZWISM000300000037"
TABLES = ("ups_number", "ups_code", "ups_type")
ADDRESS = "https://ups.example/root"


def recorded(name: str) -> bytes:
    return (RECORDED / f"{name}.json").read_bytes()


def details(number: str = FIRST) -> bytes:
    return json.dumps({"trackResponse": {"shipment": [{"package": [{"trackingNumber": number}]}]}}).encode()


def one(body: bytes) -> Track:
    (track,) = read(body)
    return track


class Wire:
    """A stand-in for UPS: gives tokens in turn and one answer to every look-up, or each of several once."""

    def __init__(self, *answers: bytes | int | Callable[[], httpx.Response], token: Any = None, lasts: str = "14399"):
        self.answers = list(answers)
        self.token, self.lasts = token, lasts
        self.tokens = 0
        self.asked: list[httpx.Request] = []
        self.subscribed: list[httpx.Request] = []
        self.takes = 200

    def handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/root/security/v1/oauth/token":
            assert request.headers["authorization"] == "Basic aWQ6c2VjcmV0"
            assert request.content == b"grant_type=client_credentials"
            self.tokens += 1
            if isinstance(self.token, int):
                return httpx.Response(self.token)
            return httpx.Response(200, json={"access_token": f"t{self.tokens}", "expires_in": self.lasts})
        if request.url.path.endswith("/subscription/standard/package"):
            self.subscribed.append(request)
            return httpx.Response(self.takes, json={"validTrackingNumbers": []})
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            return answer()
        return httpx.Response(answer) if isinstance(answer, int) else httpx.Response(200, content=answer)

    def port(self, credential: str = "let-me-in") -> Ups:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self.handle))
        settings = Settings(
            client_id="id",
            client_secret=SecretStr("secret"),
            webhook_credential=SecretStr(credential),
            base_url=f"{ADDRESS}/",
        )
        return connect(settings, http)


# ---- reading


def test_an_answer_tells_every_package_oldest_scan_first() -> None:
    first, second = read(recorded("details"))
    assert (first.carrier, first.number, first.origin, first.destination) == ("ups", FIRST, "CN", "US")
    assert [(s.raw_code, s.status.value, s.cause, s.physical, s.known) for s in first.scans] == [
        ("003", "label_created", "info_received", False, True),
        ("005", "in_transit", "origin_facility", True, True),
        ("014", "customs", "released", False, True),
        ("021", "out_for_delivery", "", True, True),
        ("011", "delivered", "", True, True),
    ]
    assert {(s.carrier, s.source) for s in first.scans} == {("ups", "ups")}
    assert first.scans[-1].place.text == "WAYNE, NJ, US"
    assert (first.status, first.cause, first.eta, first.legs) == (Status.DELIVERED, "", None, ())
    assert (second.number, second.status, second.cause) == (SECOND, Status.IN_TRANSIT, "handed_to_partner")
    parcel, _ = apply(Parcel(1, 1, "", FIRST), first, datetime(2026, 11, 6, tzinfo=UTC))
    assert parcel.status is Status.DELIVERED


def test_who_signed_is_not_kept() -> None:
    assert "SOMEBODY" not in str([*read(recorded("details")), *read(recorded("alert_delivered"))])


def test_the_post_of_the_last_mile_has_its_own_number() -> None:
    assert read(recorded("details"))[1].legs == (
        Leg("ups", SECOND, Role.FIRST_MILE),
        Leg("usps", "92419900000000000000000001", Role.LAST_MILE),
    )


def test_the_rescheduled_day_and_its_window_are_expected() -> None:
    eta = read(recorded("details"))[1].eta
    assert eta is not None
    assert (eta.first, eta.last, eta.basis) == (
        datetime(2026, 11, 6, 15, tzinfo=UTC),
        datetime(2026, 11, 6, 17, tzinfo=UTC),
        "ups",
    )


@pytest.mark.parametrize(
    ("dates", "time", "last"),
    [
        ([{"type": "SDD", "date": "20261105"}], {"type": "EOD", "endTime": "235959"}, "2026-11-05T00:00"),
        ({"type": "SDD", "date": "20261105"}, [{"type": "CMT", "endTime": "103000"}], "2026-11-05T10:30"),
        ([{"type": "SDD", "date": "20261105"}], None, "2026-11-05T00:00"),
        ([{"type": "SDD", "date": "20261105"}, {"type": "DEL", "date": "20261104"}], None, None),
        ([{"type": "SDD", "date": "99991231"}], None, None),
        ([{"type": "SDD", "date": ""}], None, None),
        (None, None, None),
    ],
)
def test_a_day_alone_is_a_day(dates: Any, time: Any, last: str | None) -> None:
    package = {"trackingNumber": FIRST, "deliveryDate": dates, "deliveryTime": time}
    eta = one(json.dumps({"trackResponse": {"shipment": {"package": package}}}).encode()).eta
    assert (f"{eta.last:%Y-%m-%dT%H:%M}" if eta else None) == last


@pytest.mark.parametrize(
    ("told", "at", "local", "origin"),
    [
        (("20261105", "074700", "20261105", "124700", "-05:00"), "12:47", "07:47", "explicit"),
        (("20261105", "024700", "20261105", "74700", "-05:00"), "07:47", "02:47", "explicit"),
        (("20261105", "074700", "20261105", "12:47:00", ""), "12:47", "07:47", "explicit"),
        (("", "", "20261105", "124700", "-05.00"), "12:47", "07:47", "explicit"),
        (("", "", "20261105", "124700", ""), "12:47", None, "explicit"),
        (("20261105", "074700", "", "", "-05:00"), "12:47", "07:47", "explicit"),
        (("20261105", "074700", "20261105", "", "-05.00"), "12:47", "07:47", "explicit"),
        (("20261105", "203000", "", "", ""), "12:30", "20:30", "location"),
        (("20261105", "297161", "", "", ""), "16:00", "00:00", "location"),
        (("soon", "203000", "", "", ""), None, None, "unknown"),
        (("99991231", "235959", "99991231", "235959", "-14:00"), "23:59", "23:59", "explicit"),
        (("", "", "99991231", "235959", "+14:00"), "23:59", None, "explicit"),
        (("99991231", "235959", "", "", "-14:00"), None, "23:59", "location"),
        (("", "", "", "", ""), None, None, "unknown"),
    ],
)
def test_gmt_is_the_instant_and_the_local_clock_the_wall(
    told: tuple[str, ...], at: str | None, local: str | None, origin: str
) -> None:
    for fields in (TIME, ALERT_TIME):
        time = read_time(dict(zip(fields, told, strict=True)), fields, "CN")
        if not (told[0] == "99991231" and not told[2]):
            assert (f"{time.at:%H:%M}" if time.at else None) == at
            assert time.offset_from is OffsetFrom(origin)
        assert (f"{time.local:%H:%M}" if time.local else None) == local
        assert time.at is None or time.at.utcoffset() == UTC.utcoffset(None)


def test_a_country_of_many_zones_leaves_the_instant_unknown() -> None:
    assert read_time({"date": "20261105", "time": "074700"}, TIME, "US").offset_from is OffsetFrom.UNKNOWN


# ---- statuses


@pytest.mark.parametrize(
    ("status", "word", "sure"),
    [
        ({"statusCode": "021", "type": "D", "code": "FS"}, ("out_for_delivery", ""), True),
        ({"statusCode": 11}, ("delivered", ""), True),
        ({"code": "011", "description": "Delivered"}, ("delivered", ""), True),
        ({"statusCode": "040", "type": "D", "code": "ZP"}, ("pickup_ready", ""), True),
        ({"statusCode": "161", "type": "D", "code": "2Q"}, ("pickup_ready", ""), True),
        ({"statusCode": "005", "type": "I", "code": "OR"}, ("in_transit", "origin_facility"), True),
        ({"statusCode": "060", "type": "X", "code": "48"}, ("delivery_attempted", "not_home"), True),
        ({"statusCode": "011", "type": "D", "code": "2Q"}, ("pickup_ready", ""), True),
        ({"statusCode": "007", "type": "M", "code": "VP"}, ("exception", "cancelled"), True),
        ({"statusCode": "000", "type": "X", "code": "DL"}, ("returning", ""), True),
        ({"statusCode": "000"}, ("unknown", ""), True),
        ({"type": "D", "code": "FS"}, ("delivered", ""), True),
        ({"type": "X", "code": "48"}, ("delivery_attempted", "not_home"), True),
        ({"type": "X", "code": "QQ"}, ("exception", ""), False),
        ({"type": "D", "code": "QQ"}, ("unknown", ""), False),
        ({"type": "D"}, ("unknown", ""), False),
        ({"type": "I", "statusCode": "999"}, ("in_transit", ""), False),
        ({"type": "M"}, ("label_created", "info_received"), False),
        ({"type": "MV"}, ("label_created", ""), False),
        ({"type": "P", "code": "ZZ"}, ("accepted", "picked_up"), False),
        ({"type": "U", "code": "ZZ"}, ("unknown", ""), False),
        ({"type": "?", "code": "FS"}, ("unknown", ""), False),
        ({"code": "FS"}, ("unknown", ""), False),
        ({}, ("unknown", ""), False),
    ],
)
def test_the_number_speaks_first_then_type_and_code_then_the_type(
    status: dict[str, Any], word: tuple[str, str], sure: bool
) -> None:
    said = read_status(status)
    assert ((said.code.status.value, said.code.cause), said.known) == (word, sure)


def test_the_tables_have_only_our_words() -> None:
    assert all(known(word.status, word.cause) for name in TABLES for word in codes(name).values())
    assert len(codes("ups_number")) == 160


@given(st.text(max_size=4), st.text(max_size=4), st.text(max_size=4))
def test_what_no_table_has_is_never_the_end_of_a_journey(kind: str, code: str, number: str) -> None:
    said = read_status({"type": kind, "code": code, "statusCode": number})
    ends = {Status.DELIVERED, Status.RETURNED, Status.RETURNING, Status.PICKUP_READY}
    assert said.known or (said.code.status not in ends and said.code.cause != "lost")


@pytest.mark.parametrize("kind", ["D", "I", "M", "MV", "P", "U", "X", ""])
@pytest.mark.parametrize("number", ["001", "150", "170", "999", "11x", "1100", "-11", "000"])
def test_an_unknown_number_of_any_type_is_not_delivered(kind: str, number: str) -> None:
    assert read_status({"type": kind, "statusCode": number}).code.status is not Status.DELIVERED


@pytest.mark.parametrize(
    ("flag", "physical"), [(True, False), ("true", False), (False, True), (None, True), ({}, True)]
)
def test_a_logical_scan_is_no_movement(flag: Any, physical: bool) -> None:
    for where in ("activity", "status"):
        status: dict[str, Any] = {"statusCode": "005"}
        event: dict[str, Any] = {"status": status}
        (event if where == "activity" else status)["logicalScan"] = flag
        package = {"trackingNumber": FIRST, "activity": [event]}
        track = one(json.dumps({"trackResponse": {"shipment": [{"package": [package]}]}}).encode())
        assert [s.physical for s in track.scans] == [physical]


# ---- pushes as tracks


def test_a_push_is_a_track_of_one_scan() -> None:
    track = one(recorded("alert"))
    (scan,) = track.scans
    assert (track.number, track.status, scan.raw_code) == (FIRST, Status.OUT_FOR_DELIVERY, "021")
    assert (scan.at, scan.local) == (datetime(2026, 11, 5, 14, 15, 19, tzinfo=UTC), datetime(2026, 11, 5, 9, 15, 19))  # noqa: DTZ001
    assert (track.at, scan.place.country) == (scan.at, "US")
    assert track.eta is not None
    assert (track.eta.first.hour, track.eta.last.hour) == (15, 17)
    assert one(recorded("alert_delivered")).eta is None
    whole = one(b"[" + recorded("alert") + b"," + recorded("alert_delivered") + b"]")
    assert (len(whole.scans), whole.status, whole.eta) == (2, Status.DELIVERED, None)


# ---- what cannot be read


def test_a_number_that_ups_does_not_know_is_named_so() -> None:
    track = one(recorded("unknown"))
    assert (track.number, track.status, track.cause, track.scans) == (NOWHERE, Status.UNKNOWN, "not_found", ())


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (recorded("error"), "UPS: 250002 Invalid Authentication Information."),
        (b'{"response":{"errors":[]}}', "UPS: neither"),
        (b'{"errors":{"code":1}}', "UPS: 1"),
        (b'{"trackResponse":{"shipment":[{"warnings":[{"code":"TW0001"}]}]}}', "UPS: TW0001"),
        (b'{"trackResponse":{"shipment":[{"package":[{"activity":[]}]}]}}', "UPS: a package"),
        (b'{"activityStatus":{}}', "UPS: a push"),
        (b"[1]", "UPS: neither"),
        (b"[]", "UPS: neither"),
        (b"null", "UPS: neither"),
    ],
)
def test_what_is_neither_is_one_clear_line(body: bytes, line: str) -> None:
    with pytest.raises(ValueError, match=line) as caught:
        read(body)
    assert "\n" not in str(caught.value)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["20261105", "-99:59"]),
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


WHOLE = [json.loads(recorded(name)) for name in ("details", "alert", "unknown", "error")]


@given(st.sampled_from([(w, p) for w in WHOLE for p in paths(w)]), JSON)
def test_broken_anywhere_it_is_tracks_or_one_clear_error(where: tuple[Any, tuple[Any, ...]], by: Any) -> None:
    try:
        tracks = read(json.dumps(broken(*where, by)).encode())
    except ValueError as error:
        assert str(error).startswith("UPS")  # noqa: PT017
        return
    for track in tracks:
        parcel, _ = apply(Parcel(1, 1, "", track.number), track, datetime(2026, 11, 6, tzinfo=UTC))
        assert isinstance(parcel.status, Status)


@given(st.binary(max_size=60) | st.just(b"[" * 100_000) | st.just(b'{"x":' + b"9" * 5000 + b"}"))
def test_any_bytes_are_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="UPS"):
        read(body)


# ---- asking


async def test_a_look_up_asks_for_one_number_with_a_token_that_is_kept() -> None:
    wire = Wire(recorded("details"))
    port = wire.port()
    (track,) = await port.track([TrackRef(SECOND.lower())])
    assert track is not None
    assert (track.number, track.status) == (SECOND.lower(), Status.IN_TRANSIT)
    await port.track([TrackRef(FIRST)])
    assert wire.tokens == 1
    asked = wire.asked[-1]
    assert asked.url.path == f"/root/api/track/v1/details/{FIRST}"
    assert asked.url.params["locale"] == "en_US"
    assert asked.headers["authorization"] == "Bearer t1"
    assert asked.headers["transactionsrc"] == "wismo"
    assert len(asked.headers["transid"]) == 32
    assert len({r.headers["transid"] for r in wire.asked}) == 2


async def test_a_token_at_its_end_or_refused_is_renewed_once() -> None:
    short = Wire(details(), lasts="10")
    port = short.port("")
    await port.track([TrackRef(FIRST)])
    await port.track([TrackRef(FIRST)])
    assert short.tokens == 2
    refused = Wire(401, details())
    assert (await refused.port().track([TrackRef(FIRST)]))[0] is not None
    assert [r.headers["authorization"] for r in refused.asked] == ["Bearer t1", "Bearer t2"]


async def test_one_number_a_call() -> None:
    port = Wire(details()).port()
    assert (port.capabilities.batch, port.capabilities.history_days) == (1, 120)
    with pytest.raises(ValueError, match="1 number"):
        await port.track([TrackRef(FIRST), TrackRef(SECOND)])
    assert list(await port.track([])) == []


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (recorded("unknown"), "not_found"),
        (
            lambda: httpx.Response(404, content=b'{"response":{"errors":[{"code":"TW0001","message":"x"}]}}'),
            "not_found",
        ),
        (404, None),
        (
            lambda: httpx.Response(400, json={"response": {"errors": [{"message": "Invalid inquiry number"}]}}),
            "invalid_number",
        ),
    ],
)
async def test_what_ups_does_not_know_is_no_error(answer: Any, cause: str | None) -> None:
    (track,) = await Wire(answer).port().track([TrackRef(NOWHERE)])
    assert (track.cause if track else None) == cause
    assert track is None or (track.number, track.status) == (NOWHERE, Status.UNKNOWN)


@pytest.mark.parametrize("number", ["123456", "1" * 35, "../../oauth/token", "1Z☃☃☃☃☃", ""])
async def test_what_cannot_be_a_number_is_not_asked_for(number: str) -> None:
    wire = Wire(details())
    (track,) = await wire.port().track([TrackRef(number)])
    assert track is not None
    assert (track.cause, wire.asked, wire.tokens) == ("invalid_number", [], 0)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (401, Misconfigured),
        (403, Misconfigured),
        (429, Temporary),
        (500, Temporary),
        (503, Temporary),
        (400, Refused),
        (b"<html>", Temporary),
        (recorded("error"), Temporary),
    ],
)
async def test_an_error_says_what_to_do(answer: bytes | int, error: type[WismoError]) -> None:
    with pytest.raises(error) as caught:
        await Wire(answer).port().track([TrackRef(FIRST)])
    assert "secret" not in str(caught.value)
    assert FIRST not in str(caught.value)


async def test_a_wait_that_was_named_is_kept() -> None:
    with pytest.raises(Temporary) as caught:
        await Wire(lambda: httpx.Response(429, headers={"retry-after": "7"})).port().track([TrackRef(FIRST)])
    assert (caught.value.retry_after, caught.value.account_wide) == (7.0, True)


async def test_a_broken_line_is_temporary() -> None:
    def down() -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(Temporary):
        await Wire(down).port().track([TrackRef(FIRST)])


async def test_the_check_tries_the_credentials() -> None:
    assert "credentials" in await Wire(details()).port().check()
    for status in (400, 401, 403, 404):
        with pytest.raises(Misconfigured) as caught:
            await Wire(details(), token=status).port().check()
        assert caught.value.key == "carriers.ups.client_secret"


# ---- the webhook


def push(body: bytes, **headers: str) -> Request:
    return Request("POST", "/hooks/ups", headers or {"credential": "let-me-in"}, {}, body)


async def test_a_push_with_the_credential_becomes_the_parcels_event() -> None:
    port = Wire(details()).port()
    for request in (push(recorded("alert")), push(recorded("alert"), authorization="Bearer let-me-in")):
        answer = await port.webhook(request)
        (item,) = answer.items
        assert (answer.status, item.lane, item.body) == (200, f"p/{FIRST}", recorded("alert"))
        update = port.decode(item)
        assert update is not None
        assert (update.id, update.at, update.track) == (item.key, update.track.scans[0].at, one(recorded("alert")))


async def test_several_events_in_one_push_are_several_items() -> None:
    port = Wire(details()).port()
    body = b"[" + recorded("alert") + b"," + recorded("alert_delivered") + b"]"
    items = (await port.webhook(push(body))).items
    assert len({i.key for i in items}) == 2
    assert all(port.decode(i) is not None for i in items)


@pytest.mark.parametrize("given", ["", "let-me-out", "é☃", "let-me-in2", "\ud800"])
async def test_a_push_without_the_credential_is_refused_before_it_is_read(given: str) -> None:
    for headers in ({"credential": given}, {"authorization": f"Bearer {given}"}, {"authorization": "Basic let-me-in"}):
        for body in (recorded("alert"), b"not even json"):
            answer = await Wire(details()).port().webhook(push(body, **headers))
            assert (answer.status, answer.items) == (401, ())


async def test_without_a_credential_of_ours_no_push_is_believed() -> None:
    port = Wire(details()).port(credential="")
    assert not port.capabilities.push
    for headers in ({"credential": ""}, {"x": "y"}):
        assert (await port.webhook(push(recorded("alert"), **headers))).status == 401


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b"[1]", b'{"trackingNumber":""}', b"\xff", b"[" * 99_999])
async def test_a_push_that_cannot_be_read_is_kept(body: bytes) -> None:
    port = Wire(details()).port()
    (kept,) = (await port.webhook(push(body))).items
    assert (kept.lane, kept.body) == ("x/ups", body)
    with pytest.raises(ValueError, match="UPS"):
        port.decode(kept)


def test_an_item_of_two_numbers_is_nonsense() -> None:
    with pytest.raises(ValueError, match="2 numbers"):
        Wire(details()).port().decode(Item("k", "l", recorded("details")))


# ---- Track Alert's subscriptions


@pytest.mark.parametrize(("days", "asks"), [(None, 1), (0, 1), (5, 0), (12, 1), (13, 0)])
async def test_a_number_is_subscribed_when_it_is_looked_at_and_again_before_that_ends(
    days: int | None, asks: int
) -> None:
    wire = Wire(recorded("details"))
    sent = None if days is None else datetime.now(UTC) - timedelta(days=days, hours=1)
    await wire.port().track([TrackRef(FIRST, shipped_at=sent)])
    assert len(wire.subscribed) == asks
    for request in wire.subscribed:
        assert json.loads(request.content) == {"locale": "en_US", "countryCode": "US", "trackingNumberList": [FIRST]}
        assert request.headers["authorization"] == "Bearer t1"
        assert request.headers["transactionsrc"]


async def test_nobody_subscribes_who_believes_no_push_nor_a_number_that_ups_does_not_push() -> None:
    quiet, other = Wire(recorded("details")), Wire(details("123456789"))
    await quiet.port("").track([TrackRef(FIRST)])
    await other.port().track([TrackRef("123456789")])
    assert quiet.subscribed == other.subscribed == []


async def test_a_subscription_that_fails_costs_no_look() -> None:
    wire = Wire(recorded("details"))
    wire.takes = 500
    (track,) = await wire.port().track([TrackRef(FIRST)])
    assert track is not None
    assert track.status is Status.DELIVERED
