"""EMS and China Post: SM4, what an event says, and how the platform is asked."""

import json
from base64 import b64decode, b64encode
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus, urlencode
from zoneinfo import ZoneInfo

import httpx
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from pydantic import SecretStr, ValidationError

from adapters.carriers.ems import Settings, connect, opened, read, read_code, sealed
from bot.errors import Misconfigured, Refused, WismoError
from bot.model.parcels import Parcel
from bot.model.tracks import OffsetFrom, Status, TrackRef
from bot.ports import Request
from bot.tracking.masking import mask
from bot.tracking.phrases import refine
from bot.tracking.standing import standing
from bot.tracking.timeline import apply

RECORDED = Path(__file__).parents[2] / "recorded/carriers/ems"
KEY = bytes.fromhex("0123456789abcdeffedcba9876543210")


def recorded(name: str) -> bytes:
    return (RECORDED / f"{name}.json").read_bytes()


def test_the_cipher_is_the_standards() -> None:
    # The example of GB/T 32907-2016, appendix A.1; a block of padding follows it.
    cipher = b64decode(sealed(KEY, KEY).removeprefix("|$4|"))
    assert cipher[:16].hex() == "681edf34d206965e86b3e94f536e4246"
    assert opened(sealed("义乌".encode(), KEY), KEY).decode() == "义乌"
    with pytest.raises(ValueError, match="not sealed with our key"):
        opened("|$4|AAAA", KEY)


def test_an_answer_becomes_a_timeline_in_chinas_time_and_at_the_place_abroad() -> None:
    (track,) = read(recorded("pull"))
    assert (track.number, track.carrier, track.origin) == ("EA000000005CN", "ems", "CN")
    assert [s.status.value for s in track.scans] == [
        "accepted",
        "customs",
        "unknown",
        "departed_origin",
        "arrived_destination",
        "unknown",
        "delivered",
    ]
    assert track.scans[0].at is not None
    assert (track.scans[0].at.isoformat(), track.scans[0].offset_from) == (
        "2026-10-01T02:30:00+00:00",
        OffsetFrom.CARRIER,
    )
    assert track.scans[-1].offset_from is OffsetFrom.LOCATION
    assert [s.known for s in track.scans].count(False) == 1


def test_what_was_taken_back_does_not_count() -> None:
    (track,) = read(recorded("pull"))
    last = track.scans[-1].at
    assert last is not None
    parcel, _ = apply(Parcel(1, 1, "", track.number), track, last)
    assert "EXA" not in {s.raw_code for s in standing(track, last)}
    assert parcel.status is Status.DELIVERED


def test_a_couriers_name_and_phone_are_masked() -> None:
    (track,) = read(recorded("pull"))
    shown = mask(track.scans[0].raw_text)
    assert "13800000000" not in shown
    assert "某某某" not in shown


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("【北京】已妥投", "delivered"),
        ("未妥投,收件人不在", "unknown"),
        ("投递结果反馈", "unknown"),
        ("已签收", "delivered"),
        ("退回妥投，寄件人本人", "returned"),
        ("撤销妥投", "unknown"),
        ("无法妥投", "unknown"),
    ],
)
def test_the_couriers_report_delivers_only_by_its_words(text: str, status: str) -> None:
    assert read_code("704", text)[0].status.value == status


@pytest.mark.parametrize(
    ("told", "means"),
    [
        (
            {"opCode": "705", "opName": "投递结果反馈-未妥投", "opDesc": "收件人名址有误"},
            "delivery_attempted/address_problem",
        ),
        ({"opCode": "704", "opName": "投递结果反馈-未妥投", "opDesc": "电话无法联系"}, "delivery_attempted/not_home"),
        ({"opName": "投递结果反馈-未妥投", "opDesc": "收件人拒收"}, "delivery_attempted/refused_attempt"),
        ({"opCode": "705", "opName": "投递结果反馈-未妥投"}, "delivery_attempted/"),
        ({"opCode": "705", "opName": "投递结果反馈", "opDesc": "如未妥投请联系"}, "unknown/"),
        ({"opName": "投递结果反馈-未妥投", "opDesc": "退回"}, "returning/"),
        ({"eventName": "Delivered"}, "delivered/"),
        ({"eventName": "Delivered to post office"}, "unknown/"),
    ],
)
def test_an_operations_name_tells_the_couriers_result_and_its_words_the_reason(
    told: dict[str, str], means: str
) -> None:
    event = {"waybillNo": "EA000000005CN", "opTime": "2026-11-20 10:00:00"} | told
    (track,) = read(json.dumps({"responseItems": [event]}).encode())
    scan = refine(track.scans[0])
    assert f"{scan.status}/{scan.cause}" == means


async def ask(answer: httpx.Response) -> object:
    asked: list[httpx.Request] = []

    def serve(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answer

    settings = Settings(
        sender_no="s", authorization=SecretStr("a"), secret_key=SecretStr(KEY.hex()), base_url="http://ems.test/open"
    )
    port = connect(settings, httpx.AsyncClient(transport=httpx.MockTransport(serve)))
    (track,) = await port.track([TrackRef("EA000000005CN")])
    form = dict(p.split("=", 1) for p in asked[0].content.decode().split("&"))
    assert (form["apiCode"], form["senderNo"], form["version"]) == ("040001", "s", "V1.0.0")
    assert unquote_plus(form["timeStamp"])[:13] == f"{datetime.now(ZoneInfo('Asia/Shanghai')):%Y-%m-%d %H}"
    letter = unquote_plus(form["logitcsInterface"])
    cipher = Cipher(algorithms.SM4(KEY), modes.ECB()).decryptor()
    plain = cipher.update(b64decode(letter.removeprefix("|$4|"))) + cipher.finalize()
    assert plain[: -plain[-1]] == b'{"waybillNo":"EA000000005CN","direction":"0"}' + b64encode(KEY)
    return track


async def test_an_encrypted_answer_is_read() -> None:
    inner = json.loads(json.loads(recorded("pull"))["retBody"])
    answer = {"retCode": "00000", "retBody": sealed(json.dumps(inner).encode(), KEY)}
    assert await ask(httpx.Response(200, json=answer)) == read(recorded("pull"))[0]
    assert await ask(httpx.Response(200, json={"retCode": "00000", "retBody": "{}"})) is None


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(200, content=recorded("refused")), Misconfigured),
        (httpx.Response(200, json={"retCode": "E1"}), Refused),
        (httpx.Response(401), Misconfigured),
    ],
)
async def test_what_the_platform_refuses_becomes_our_errors(answer: httpx.Response, error: type[WismoError]) -> None:
    with pytest.raises(error):
        await ask(answer)


def test_a_wrong_key_is_told_at_once() -> None:
    with pytest.raises(ValidationError, match="16 bytes"):
        Settings(sender_no="s", authorization=SecretStr("a"), secret_key=SecretStr("short"))


@pytest.mark.parametrize(
    ("code", "text", "status"),
    [
        ("", "【朝阳区】投递并签收,签收人:本人", "delivered"),
        ("", "已签收,签收人:菜鸟驿站", "unknown"),
        ("", "已签收，凭取件码到自提柜取件", "unknown"),
        ("", "未签收", "unknown"),
        ("", "未妥投:迁移新址不明,退回", "returning"),
        ("", "逾期将退回", "unknown"),
        ("", "退回妥投", "returned"),
        ("9871", "已妥投", "delivered"),
        ("9871", "退回妥投", "unknown"),
        ("ZZZ", "已妥投", "unknown"),
        ("EMH", "妥投", "delivery_attempted"),
    ],
)
def test_an_operation_that_is_only_words_or_a_number_of_theirs_is_read_by_its_words(
    code: str, text: str, status: str
) -> None:
    assert read_code(code, text)[0].status.value == status


def test_english_without_codes_delivers_by_the_bare_word_only() -> None:
    words = ("Delivered", "Item delivered.", "Delivered to agent", "To be delivered", "Not delivered", "Undelivered")
    assert [read_code("", w)[0].status.value for w in words] == ["delivered", "delivered", *["unknown"] * 4]
    assert read_code("999", "Delivered")[0].status is Status.UNKNOWN


def test_an_answer_of_nothing_says_what_it_lacks() -> None:
    for body, why in [({"responseItems": []}, "no events"), ("|$4|abcd", "sealed")]:
        with pytest.raises(ValueError, match=why):
            read(json.dumps({"retCode": "00000", "retMsg": "成功", "retBody": body}).encode())


# ---- pushes ----------------------------------------------------------------------------------------------

EVENT = {"waybillNo": "LX123456785CN", "opTime": "2026-11-01 10:00:00", "opCode": "203", "opDesc": "已收寄" * 400}


def pushed(event: Any = EVENT, token: str = "t", form: bool = False, key: bytes = KEY) -> Request:
    """A push as two clients of the platform take it (040002): JSON or a form, its body sealed."""
    letter = sealed(json.dumps(event, ensure_ascii=False).encode(), key)
    fields = {"method": "040002", "serialNo": "C3E7", "senderNo": "s", "logitcsInterface": letter}
    body = urlencode(fields) if form else json.dumps(fields)
    return Request("POST", "/hooks/ems", {}, {"token": token}, body.encode())


def port(**more: Any) -> Any:
    settings = Settings(sender_no="s", authorization=SecretStr("a"), secret_key=SecretStr(KEY.hex()), **more)
    return connect(settings, httpx.AsyncClient())


@pytest.mark.parametrize("form", [False, True])
async def test_a_push_is_opened_thanked_for_and_a_scan_of_its_parcel(form: bool) -> None:
    source = port(webhook_token=SecretStr("t"))
    answer = await source.webhook(pushed(form=form))
    assert (answer.status, json.loads(answer.body)["code"], json.loads(answer.body)["serialNo"]) == (
        200,
        "00000",
        "C3E7",
    )
    (item,) = answer.items
    update = source.decode(item)
    assert (update.track.number, update.track.carrier) == ("LX123456785CN", "china-post")
    assert [s.status.value for s in update.track.scans] == ["accepted"]
    assert source.capabilities.push


async def test_a_push_that_is_not_the_platforms_own_is_refused() -> None:
    source = port(webhook_token=SecretStr("t"))
    for request in (pushed(token="x"), pushed(key=bytes(16)), Request("POST", "/", {}, {"token": "t"}, b"\xff")):
        assert (await source.webhook(request)).status == 401
    assert (await port().webhook(pushed())).status == 404
    answer = await source.webhook(pushed({"strange": 1}))
    assert (answer.status, answer.items[0].lane) == (200, "x/ems")


def test_gbk_and_the_upus_own_words_are_read() -> None:
    body = {"waybillNo": "EA000000005CN", "opTime": "2026-11-01 10:00:00", "opCode": "704", "opDesc": "已签收"}
    (track,) = read(json.dumps([body], ensure_ascii=False).encode("gbk"))
    assert (track.scans[0].raw_text, track.scans[0].status) == ("已签收", Status.DELIVERED)
    events = [
        {"EventCd": "EMI", "EventNm": "Final delivery", "EventDT": "2026-11-20T10:00:00", "EventLocation": "BERLIN"}
    ]
    (track,) = read(json.dumps([{"ID": "LX123456785CN", "Events": events}]).encode())
    assert [(s.status.value, s.place.text, s.raw_code) for s in track.scans] == [("delivered", "BERLIN", "EMI")]


@pytest.mark.parametrize(
    ("number", "code", "country", "origin"),
    [
        ("LX123456785CN", "EMC", "", OffsetFrom.CARRIER),
        ("LX123456785CN", "EMI", "", OffsetFrom.UNKNOWN),
        ("LX123456785CN", "EMI", "DE", OffsetFrom.LOCATION),
        ("LX123456785CN", "704", "", OffsetFrom.CARRIER),
        ("RR123456785DE", "EMI", "", OffsetFrom.CARRIER),
    ],
)
def test_the_clock_of_what_arrived_abroad_is_not_chinas(
    number: str, code: str, country: str, origin: OffsetFrom
) -> None:
    event = {"waybillNo": number, "opTime": "2026-11-20 10:00:00", "opCode": code, "countryCode": country}
    (track,) = read(json.dumps([event]).encode())
    assert track.scans[0].offset_from is origin


def test_once_abroad_no_clock_is_chinas_unless_it_is_said() -> None:
    said = ["Posting", "Arrival at inward office of exchange", "Unsuccessful delivery", "Final delivery"]
    events = [{"acceptTime": f"2026-11-{day} 10:00:00", "remark": told} for day, told in enumerate(said, 10)]
    events[2]["countryCode"] = "CN"
    (track,) = read(json.dumps({"mailNo": "LX123456785CN", "trace": events}).encode())
    carrier, unknown = OffsetFrom.CARRIER, OffsetFrom.UNKNOWN
    assert [s.offset_from for s in track.scans] == [carrier, unknown, carrier, unknown]
    (domestic,) = read(json.dumps({"mailNo": "1234567890123", "trace": events}).encode())
    assert {s.offset_from for s in domestic.scans} == {carrier}


def test_events_of_no_number_are_told_as_that_and_the_chinese_hubs_names_are_read() -> None:
    events = [{"AcceptTime": "2026-11-10 10:00:00", "AcceptStation": "【北京】已收寄", "Remark": ""}]
    (track,) = read(json.dumps({"LogisticCode": "EA123456789CN", "State": "2", "Traces": events}).encode())
    assert [(s.raw_text, s.raw_time) for s in track.scans] == [("【北京】已收寄", "2026-11-10 10:00:00")]
    with pytest.raises(ValueError, match="of which number"):
        read(json.dumps({"traces": events}).encode())
    (track,) = read(json.dumps([events[0] | {"mailNo": "EA123456789CN"}, events[0]]).encode())
    assert len(track.scans) == 2
