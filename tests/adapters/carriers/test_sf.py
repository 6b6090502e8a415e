"""SF Express behind the port: routes, pushes, the signature, errors."""

import base64
import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote_plus

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from adapters.carriers.sf import BATCH, Settings, SfExpress, connect, digest, errors, read, read_code
from bot.errors import Misconfigured, Refused, Temporary, WismoError
from bot.model.codes import codes
from bot.model.tracks import OffsetFrom, Status, Track, TrackRef
from bot.ports import Item, Request
from bot.tracking.phrases import refine
from bot.tracking.vocabulary import known

RECORDED = Path(__file__).parents[2] / "recorded/carriers/sf"
ROUTES, PUSH = ((RECORDED / f"{name}.json").read_bytes() for name in ("routes", "push"))
CHECKWORD = "a-checkword"
TOKEN = "a-token"
Reply = bytes | int | Callable[[], httpx.Response]


def answer(inner: Any, code: str = "A1000") -> bytes:
    return json.dumps({"apiResultCode": code, "apiResultData": inner}).encode()


def found(*numbers: str, **route: Any) -> bytes:
    waybills = [{"mailNo": n, "routes": [route] if route else []} for n in numbers]
    return answer(json.dumps({"success": True, "errorCode": "S0000", "msgData": {"routeResps": waybills}}))


def failed(code: str) -> bytes:
    return answer(json.dumps({"success": False, "errorCode": code, "errorMsg": "…", "msgData": None}))


class Wire:
    """A stand-in for the network: gives one reply after the other, the last for good, and remembers the forms."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.forms: list[dict[str, str]] = []

    def handle(self, request: httpx.Request) -> httpx.Response:
        assert str(request.url) == "https://sf.example/std/service"
        self.forms.append({k: v[0] for k, v in parse_qs(request.content.decode()).items()})
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if callable(reply):
            return reply()
        return httpx.Response(reply) if isinstance(reply, int) else httpx.Response(200, content=reply)

    def port(self, token: str | None = TOKEN) -> SfExpress:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self.handle))
        secret = SecretStr(token) if token is not None else None
        settings = Settings(
            partner_id="PARTNER",
            checkword=SecretStr(CHECKWORD),
            webhook_token=secret,
            base_url="https://sf.example/std/service",
        )
        return connect(settings, http)

    def asked(self) -> list[dict[str, Any]]:
        return [json.loads(form["msgData"]) for form in self.forms]


def said(track: Track) -> list[tuple[str, str]]:
    return [(s.status.value, s.cause) for s in track.scans]


# ---- reading


def test_an_answer_holds_every_waybill_and_its_nodes_oldest_first() -> None:
    track, empty = read(ROUTES)
    assert (track.carrier, track.number, track.source) == ("sf", "SF1000000000011", "sf")
    assert said(track) == [
        ("accepted", "picked_up"),
        ("in_transit", "hub_arrived"),
        ("out_for_delivery", ""),
        ("out_for_delivery", ""),
        ("delivered", "collected"),
    ]
    assert all(s.known and s.carrier == "sf" for s in track.scans)
    assert (empty.number, empty.scans, empty.status, empty.cause) == (
        "SF1000000000022",
        (),
        Status.UNKNOWN,
        "not_found",
    )


def test_times_are_chinas() -> None:
    scan = read(ROUTES)[0].scans[0]
    assert scan.at == datetime(2026, 10, 1, 10, tzinfo=UTC)
    assert (str(scan.local), scan.offset_from) == ("2026-10-01 18:00:00", OffsetFrom.CARRIER)
    assert scan.raw_time == "2026-10-01 18:00:00"


def test_a_push_holds_several_waybills() -> None:
    first, second = read(PUSH)
    assert (first.number, len(first.scans)) == ("SF1000000000011", 2)
    assert (second.number, said(second)) == ("SF1000000000033", [("accepted", "picked_up")])


def test_the_answer_is_also_read_without_its_envelope_or_with_an_object_in_it() -> None:
    inner = json.loads(json.loads(ROUTES)["apiResultData"])
    assert read(json.dumps(inner).encode()) == read(ROUTES) == read(answer(inner))


@pytest.mark.parametrize(
    ("secondary", "op", "word", "known_"),
    [
        ("201", "31", ("in_transit", "hub_arrived"), True),
        ("201", "70", ("in_transit", ""), True),
        ("204", "605", ("customs", ""), True),
        ("1301", "44", ("out_for_delivery", ""), True),
        ("1301", "", ("unknown", ""), False),
        ("", "70", ("delivery_attempted", ""), True),
        ("401", "70", ("delivery_attempted", ""), True),
        ("401", "125", ("pickup_ready", "locker"), True),
        ("401", "8000", ("delivered", ""), True),
        ("401", "99999", ("delivered", ""), True),
        ("", "8000", ("unknown", ""), True),
        ("", "648", ("in_transit", "rerouted"), True),
        ("", "99999", ("unknown", ""), False),
        ("", "", ("unknown", ""), False),
    ],
)
def test_the_second_level_status_leads_and_a_doubted_delivery_is_none(
    secondary: str, op: str, word: tuple[str, str], known_: bool
) -> None:
    code, has = read_code(secondary, op)
    assert ((code.status.value, code.cause), has) == (word, known_)


def test_the_tables_use_only_our_words() -> None:
    for name in ("sf_op", "sf_secondary"):
        assert all(known(code.status, code.cause) for code in codes(name).values())
    assert set(errors().values()) <= {"misconfigured", "limit", "temporary", "refused", "not_found", "invalid_number"}


def test_only_a_signature_or_the_buyers_own_pickup_is_a_delivery() -> None:
    assert {op for op, code in codes("sf_op").items() if code.status is Status.DELIVERED} == {"80", "128", "935"}
    ends = {Status.RETURNED, Status.DELIVERED}
    assert not any(code.status in ends for op, code in codes("sf_op").items() if op in {"70", "99", "648", "679", "97"})


def test_signed_at_a_station_is_left_to_the_text_rules_and_fetched_from_a_locker_is_not() -> None:
    station = read(found("SF1", opCode="80", remark="快件已暂存至驿站", acceptTime="2026-10-03 10:00:00"))[0].scans[0]
    assert station.status is Status.DELIVERED
    assert refine(station).status is Status.PICKUP_READY
    fetched = read(ROUTES)[0].scans[-1]
    assert refine(fetched).status is Status.DELIVERED


def test_data_is_no_movement_and_a_locker_emptied_by_the_courier_takes_the_locker_back() -> None:
    assert not read(found("SF1", opCode="8000", remark="签收人信息"))[0].scans[0].physical
    assert read(found("SF1", opCode="126", remark="取出丰巢"))[0].scans[0].voids == "125"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"Body":null}',
        b'{"Body":{"WaybillRoute":[{"opCode":"50"}]}}',
        b'{"apiResultCode":"A1006"}',
        b'{"apiResultCode":"A1000","apiResultData":"not json"}',
        failed("8018"),
        found(),
        b'{"success":[],"msgData":{}}',
    ],
)
def test_what_has_no_waybill_is_one_clear_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="SF Express"):
        read(body)


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


def outcome(body: bytes) -> list[Track] | str:
    try:
        return read(body)
    except ValueError as error:
        return str(error)


OPENED = json.loads(ROUTES) | {"apiResultData": json.loads(json.loads(ROUTES)["apiResultData"])}
CASES = [(json.loads(PUSH), p) for p in paths(json.loads(PUSH))] + [(OPENED, p) for p in paths(OPENED)]


@given(st.sampled_from(CASES), JSON, st.booleans())
def test_a_body_broken_anywhere_is_tracks_or_one_clear_error(
    case: tuple[Any, tuple[Any, ...]], by: Any, as_text: bool
) -> None:
    value = broken(*case, by)
    if as_text and isinstance(value, dict) and "apiResultData" in value:
        value = value | {"apiResultData": json.dumps(value["apiResultData"])}
    body = json.dumps(value).encode()
    found_ = outcome(body)
    if isinstance(found_, str):
        assert "SF Express" in found_
    else:
        assert found_
        assert all(t.number and known(s.status, s.cause) for t in found_ for s in t.scans)
    with suppress(ValueError):
        Wire(0).port().decode(Item("k", "l", body))


@given(
    st.binary(max_size=60)
    | st.sampled_from([b"[" * 100_000, b'{"Body":' + b"9" * 5000 + b"}", b'{"a":' * 50_000])
    | st.text(max_size=30).map(answer)
)
def test_any_bytes_are_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="SF Express"):
        read(body)


# ---- pushes


def pushed(body: bytes, **query: str) -> Request:
    return Request("POST", "/hooks/sf", {}, query, body)


async def test_a_push_with_the_token_becomes_one_event_a_waybill() -> None:
    port = Wire(0).port()
    reply = await port.webhook(pushed(PUSH, token=TOKEN))
    assert (reply.status, json.loads(reply.body)) == (200, {"return_code": "0000", "return_msg": "成功"})
    assert [i.lane for i in reply.items] == ["p/SF1000000000011", "p/SF1000000000033"]
    updates = [port.decode(i) for i in reply.items]
    assert [u.track for u in updates if u] == read(PUSH)
    assert [u.at for u in updates if u] == [
        datetime(2026, 10, 1, 18, 10, tzinfo=UTC),
        datetime(2026, 10, 1, 19, 0, tzinfo=UTC),
    ]
    assert (await port.webhook(pushed(PUSH, token=TOKEN))).items == reply.items


async def test_a_push_in_the_older_xml_is_thanked_in_xml() -> None:
    route = '<WaybillRoute mailno="SF1" acceptTime="2026-11-01 10:00:00" remark="已签收" opCode="80"/>'
    port, body = Wire(0).port(), f"<Request><Body>{route}</Body></Request>".encode()
    reply = await port.webhook(pushed(body, token=TOKEN))
    assert (reply.status, reply.body[:9], [i.lane for i in reply.items]) == (200, b"<Response", ["p/SF1"])
    (update,) = (port.decode(i) for i in reply.items)
    assert update is not None
    assert [s.status.value for s in update.track.scans] == ["delivered"]
    form = b"content=" + quote_plus(body).encode()
    assert (await port.webhook(pushed(form, token=TOKEN))).body == reply.body
    assert read(form) == read(body)
    bomb = b'<!DOCTYPE a [<!ENTITY x "y">]><Request><Body>&x;</Body></Request>'
    assert [i.lane for i in (await port.webhook(pushed(bomb, token=TOKEN))).items] == ["x/sf"]


async def test_a_push_of_one_waybill_is_kept_as_it_came() -> None:
    body = json.dumps({"Body": {"WaybillRoute": {"mailno": "SF1", "opCode": "50"}}}).encode()
    (one,) = (await Wire(0).port().webhook(pushed(body, token=TOKEN))).items
    assert (one.body, one.key) == (body, hashlib.sha256(body).hexdigest())


@pytest.mark.parametrize("query", [{}, {"token": ""}, {"token": "another"}, {"token": "é☃"}, {"token": "\udc80"}])
async def test_a_push_without_the_token_is_refused_before_it_is_read(query: dict[str, str]) -> None:
    reply = await Wire(0).port().webhook(pushed(b"not even json", **query))
    assert (reply.status, reply.items) == (401, ())


@pytest.mark.parametrize("token", [None, ""])
async def test_without_a_token_in_the_settings_there_is_no_webhook(token: str | None) -> None:
    assert (await Wire(0).port(token).webhook(pushed(PUSH, token=""))).status == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"content=%3CRequest%3E",
        b'{"Body":{"WaybillRoute":[{"mailno":"SF1"},{"opCode":"50"}]}}',
        b'{"Body":{"WaybillRoute":[{"mailno":"\\ud800"}]}}',
        b"[" * 99_999,
    ],
)
async def test_a_push_that_cannot_be_read_is_kept(body: bytes) -> None:
    (kept,) = (await Wire(0).port().webhook(pushed(body, token=TOKEN))).items
    assert (kept.lane, kept.body) == ("x/sf", body)


@pytest.mark.parametrize("body", [PUSH, b"{}", b"", ROUTES])
def test_an_event_that_is_no_push_of_one_waybill_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="SF Express"):
        Wire(0).port().decode(Item("k", "l", body))


# ---- asking


async def test_each_phone_is_one_signed_call() -> None:
    wire = Wire(found("SF1", "SF2", opCode="50"), found("SF3", opCode="80"), found())
    refs = [
        TrackRef("SF1", phone_last4="1111"),
        TrackRef("SF3", phone_last4="2222"),
        TrackRef("sf2", phone_last4="1111"),
    ]
    tracks = await wire.port().track([*refs, TrackRef("SF4")])
    assert [t.number if t else None for t in tracks] == ["SF1", "SF3", "sf2", None]
    assert wire.asked() == [
        {"trackingType": 1, "trackingNumber": ["SF1", "sf2"], "checkPhoneNo": "1111"},
        {"trackingType": 1, "trackingNumber": ["SF3"], "checkPhoneNo": "2222"},
        {"trackingType": 1, "trackingNumber": ["SF4"]},
    ]
    form = wire.forms[0]
    assert " " not in form["msgData"]
    assert form["msgDigest"] == digest(form["msgData"], form["timestamp"], CHECKWORD)
    assert (form["partnerID"], form["serviceCode"]) == ("PARTNER", "EXP_RECE_SEARCH_ROUTES")
    assert len({f["requestID"] for f in wire.forms}) == 3


def test_the_signature_is_that_of_javas_url_encoder() -> None:
    encoded = "%7B%22a%22%3A%22%E9%A1%BA+*-_.%7E%22%7D17" + "w"
    wanted = base64.b64encode(hashlib.md5(encoded.encode()).digest()).decode()
    assert digest('{"a":"顺 *-_.~"}', "17", "w") == wanted


async def test_one_number_that_sf_does_not_take_leaves_the_others() -> None:
    wire = Wire(failed("8247"), found("SF1", opCode="50"), failed("8247"))
    one, other = await wire.port().track([TrackRef("SF1"), TrackRef("NO")])
    assert one is not None
    assert one.scans
    assert other is not None
    assert (other.number, other.cause) == ("NO", "invalid_number")


async def test_a_waybill_without_nodes_is_not_found() -> None:
    (track,) = await Wire(found("SF1")).port().track([TrackRef("SF1")])
    assert track is not None
    assert (track.status, track.cause) == (Status.UNKNOWN, "not_found")


async def test_the_caller_splits_what_is_too_much_for_one_call() -> None:
    port = Wire(0).port()
    assert (port.capabilities.batch, port.capabilities.needs_phone, port.capabilities.per_second) == (BATCH, True, 3)
    with pytest.raises(ValueError, match="10"):
        await port.track([TrackRef("SF1")] * 11)
    assert list(await port.track([])) == []


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (401, Misconfigured),
        (403, Misconfigured),
        (404, Misconfigured),
        (429, Temporary),
        (500, Temporary),
        (400, Refused),
        (b"<html>", Temporary),
        (b"[]", Temporary),
        (answer(None, "A1001"), Misconfigured),
        (answer(None, "A1004"), Misconfigured),
        (answer(None, "A1006"), Misconfigured),
        (answer(None, "A1005"), Temporary),
        (answer(None, "A1099"), Temporary),
        (answer(None, "A1008"), Refused),
        (answer(None, "A4711"), Refused),
        (failed("S0003"), Temporary),
        (failed("S0001"), Refused),
        (failed(""), Refused),
    ],
)
async def test_an_error_says_what_to_do(reply: Reply, error: type[WismoError]) -> None:
    with pytest.raises(error) as caught:
        await Wire(reply).port().track([TrackRef("SF1000000000011", phone_last4="4711")])
    assert not {CHECKWORD, "SF1000000000011"} & set(str(caught.value).split())


async def test_a_wait_that_was_named_is_kept() -> None:
    with pytest.raises(Temporary) as caught:
        await Wire(lambda: httpx.Response(429, headers={"retry-after": "7"})).port().track([TrackRef("SF1")])
    assert (caught.value.retry_after, caught.value.account_wide) == (7.0, True)


async def test_a_broken_line_is_temporary() -> None:
    def down() -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(Temporary):
        await Wire(down).port().track([TrackRef("SF1")])


@pytest.mark.parametrize("reply", [found("SF0000000000000"), found(), failed("8247")])
async def test_the_check_needs_only_that_sf_knows_us(reply: bytes) -> None:
    assert await Wire(reply).port().check() == "SF Express: the credentials work"


async def test_the_check_tells_a_wrong_checkword() -> None:
    with pytest.raises(Misconfigured):
        await Wire(answer(None, "A1006")).port().check()


# ---- envelopes that others keep --------------------------------------------------------------------------

REMARK = "顺丰速运 已收取快件"
NODE = {"mailno": "SF1000000000011", "acceptTime": "2026-11-01 10:00:00", "opCode": "54", "remark": REMARK}
WAYBILL = {"mailNo": "SF1000000000011", "routes": [NODE]}
TWICE = json.dumps(json.dumps({"success": "true", "msgData": {"routeResps": WAYBILL}}))


@pytest.mark.parametrize(
    "body",
    [
        {"success": True, "errorCode": "S0000", "msgData": {"routeResps": [WAYBILL]}},
        {"success": True, "errorCode": "S0000", "msgData": json.dumps({"routeResps": [WAYBILL]})},
        {"apiResultCode": "A1000", "apiResultData": TWICE},
        {"routeResps": [WAYBILL]},
        [WAYBILL],
        WAYBILL,
        {"Body": json.dumps({"WaybillRoute": NODE})},
        [NODE],
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-8-sig"])
def test_a_waybill_is_found_in_any_envelope_and_chinas_encoding(body: Any, encoding: str) -> None:
    (track,) = read(json.dumps(body, ensure_ascii=False).encode(encoding))
    assert [(track.number, s.status.value, s.raw_text) for s in track.scans] == [
        ("SF1000000000011", "accepted", REMARK)
    ]


def test_the_reason_that_a_push_gives_apart_is_the_cause_and_an_errors_words_are_told() -> None:
    node = NODE | {"opCode": "70", "remark": "派件不成功", "reasonCode": "33", "reasonName": "收方拒收"}
    (track,) = read(json.dumps({"Body": {"WaybillRoute": [node]}}, ensure_ascii=False).encode())
    assert refine(track.scans[0]).cause == "refused_attempt"
    with pytest.raises(ValueError, match="error 8024: 未下单"):
        read(json.dumps({"success": False, "errorCode": "8024", "errorMsg": "未下单"}).encode())
