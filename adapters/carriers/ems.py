"""EMS and China Post through the partner platform of China Post's express company, for customers with a contract.

The official text lies behind a login; what stands here is what several clients agree on (facts 3.6): one address,
`apiCode` 040001 to ask, the body as JSON encrypted with SM4 in the field `logitcsInterface` (their spelling), and
times that are China's wall clock. Without a contract these parcels are an aggregator's. An ordinary small packet
(U…CN, or nine digits) is not tracked from end to end: its scans may end at the border.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from pydantic import BaseModel, ConfigDict, SecretStr, field_validator

from bot.errors import Misconfigured, Refused, Temporary
from bot.model.codes import NOTHING, Code, codes
from bot.model.events import Event
from bot.model.foreign import Map, a_country, a_map, a_text, first_text, parse_json, when
from bot.model.tracks import Place, Scan, Status, Track, TrackRef
from bot.ports import Capabilities, Item, Rate, TrackingSource
from bot.wire import judge, reached

KIND = "ems"
WHO = "EMS"
KEY = "carriers.ems.authorization"
HOME = "Asia/Shanghai"
PREFIX = "|$4|"
PULL = "040001"
FINE = {"00000", "00", "0", "200", "000"}
NUMBERS = [
    "waybillno",
    "waybillnumber",
    "mailno",
    "mailnum",
    "mailcode",
    "traceno",
    "itemid",
    "itemno",
    "itemcode",
    "billno",
    "trackingnumber",
    "nu",
    "number",
]
TIMES = [
    "optime",
    "accepttime",
    "proctime",
    "eventtime",
    "scantime",
    "tracetime",
    "time",
    "ftime",
    "opdate",
    "procdate",
    "eventdate",
    "acceptdate",
    "date",
]
CODES = ["opcode", "eventcode", "tracecode", "actioncode", "status", "code"]
NAMES = ["opname", "eventname", "action", "statusname"]
WORDS = [
    "opdesc",
    "eventdesc",
    "desc",
    "remark",
    "remarks",
    "description",
    "traceinfo",
    "tracedesc",
    "context",
    "content",
    "statusdesc",
    "note",
    "memo",
]
PLACES = ["oporgcity", "oporgname", "acceptaddress", "office", "location", "address", "city"]
COUNTRIES = ["countrycode", "opcountrycode", "country"]
"""The names that dialects of the platform give a field, as `_plain` spells them, the likeliest first."""
DEEPEST = 8
"""Levels of lists and objects that are looked through."""

_CLOCK = re.compile(r"\d{1,2}:\d{2}(?::\d{2})?")
_DONE = re.compile(r"妥投|已签收|投递并签收")
_DONE_ALONE = re.compile(r"(?i)(?:(?:the |your )?(?:item|mail|parcel|shipment) (?:has been |was )?)?delivered[.!]?")
"""All that the English of an answer without codes says of a delivery."""
_BACK = re.compile(r"(?<![将可会])退回(?:[^。；]{0,4}(妥投|签收))?")
_NOT_DONE = re.compile(
    r"[未没][^，。；]{0,2}(?:妥投|签收)|异常|失败|不成功|无法|不能|撤[销消]|取消|作废|拒|退|请[^，。；]{0,20}[取领]|(?<!期)待|预计|将[于在会]|代收点|驿站|自提|柜|超市|便利店"
)


class Settings(BaseModel):
    """`sender_no`, `authorization` and the SM4 `secret_key` (Base64 or hex of 16 bytes) come with the contract."""

    model_config = ConfigDict(extra="forbid")

    sender_no: str
    authorization: SecretStr
    secret_key: SecretStr
    base_url: str = "https://api.ems.com.cn/amp-prod-api/f/amp/api/open"
    rate: Rate = Rate(per_second=1)

    @field_validator("secret_key")
    @classmethod
    def _sixteen(cls, value: SecretStr) -> SecretStr:
        _key(value.get_secret_value())
        return value


def connect(settings: Settings, http: httpx.AsyncClient) -> "Ems":
    return Ems(settings, http)


# ---- SM4 (GB/T 32907-2016), ECB with PKCS #7 padding ------------------------------------------------------


def _key(written: str) -> bytes:
    try:
        key = bytes.fromhex(written) if len(written) == 32 else base64.b64decode(written, validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != 16:
        raise ValueError("the SM4 key is 16 bytes, in Base64 or as 32 hexadecimal digits")
    return key


def encrypt(text: bytes, key: bytes) -> str:
    """A body as the platform takes it."""
    padder = padding.PKCS7(128).padder()
    cipher = Cipher(algorithms.SM4(key), modes.ECB()).encryptor()  # noqa: S305 - the platform's choice, not ours
    padded = padder.update(text) + padder.finalize()
    return PREFIX + base64.b64encode(cipher.update(padded) + cipher.finalize()).decode()


def decrypt(text: str, key: bytes) -> bytes:
    """The inverse of `encrypt`; ValueError where it is none."""
    try:
        raw = base64.b64decode(text.removeprefix(PREFIX), validate=True)
        cipher = Cipher(algorithms.SM4(key), modes.ECB()).decryptor()  # noqa: S305
        unpadder = padding.PKCS7(128).unpadder()
        return unpadder.update(cipher.update(raw) + cipher.finalize()) + unpadder.finalize()
    except (ValueError, binascii.Error) as error:
        raise ValueError("EMS: this is not encrypted with our key") from error


# ---- reading ---------------------------------------------------------------------------------------------


def carrier_of(number: str) -> str:
    """EMS for its own service letter, else China Post."""
    return "ems" if number[:1].upper() == "E" else "china-post"


def read_code(code: str, text: str) -> tuple[Code, bool]:
    """What an event says, and whether the table knew it."""
    table = codes("ems_event")
    known = code in table
    if code in {"", "704"} and (back := _BACK.search(text)):
        return Code(Status.RETURNED if back[1] else Status.RETURNING), known
    if not code and _DONE_ALONE.fullmatch(text.strip()):
        return Code(Status.DELIVERED), known
    if code == "704" or (not known and (not code or code.isdecimal())):
        # The platform's own numbers are no public list, and some answers have none: there the operation is its words.
        return (Code(Status.DELIVERED) if _DONE.search(text) and not _NOT_DONE.search(text) else NOTHING), known
    return table.get(code, NOTHING), known


def read_scan(event: Map, carrier: str) -> Scan:
    """One event. Who worked on it and their phone are not taken over; they stay in the words, to be masked."""
    code = _first(event, CODES).upper()
    text = _first(event, WORDS) or _first(event, NAMES)
    country = a_country(_first(event, COUNTRIES))
    word, known = read_code(code, text + _first(event, NAMES))
    written = _written(event)
    time = when(written, country=country, home=HOME if country in {"", "CN"} else "")
    return Scan(
        raw_code=code,
        raw_text=text,
        raw_time=time.raw_time,
        at=time.at,
        local=time.local,
        offset_from=time.offset_from,
        status=word.status,
        cause=word.cause,
        place=Place(_first(event, PLACES), country),
        physical=word.physical,
        carrier=carrier,
        source=KIND,
        voids=word.voids,
        known=known,
    )


def _plain(part: Map) -> Map:
    """The object with its names in one spelling: "op_time" and "OpTime" are "optime"."""
    return {"".join(c for c in name if c.isalnum()).lower(): value for name, value in part.items()}


def _first(event: Map, names: Sequence[str]) -> str:
    return first_text(*(event.get(name) for name in names))


def _opened(told: Any) -> Any:
    """A part that was sent as JSON in a text."""
    if isinstance(told, str) and told.lstrip()[:1] in {"{", "["}:
        try:
            return parse_json(told.encode(), WHO)
        except ValueError:
            return None
    return told


def _written(event: Map) -> str:
    """When it was, also where day and clock stand apart."""
    told = [text for name in TIMES if (text := a_text(event.get(name)))]
    clock = next((t for t in told if _CLOCK.fullmatch(t)), "")
    day = next((t for t in told if t != clock), "")
    return day if ":" in day else f"{day} {clock}".strip()


def _events(told: Any, number: str = "", listed: bool = False, depth: int = 0) -> Iterator[tuple[str, Map]]:
    """Every event with the number it is about, wherever a dialect of the platform puts them: what has a time and
    words or a code, or stands in a list and has these alone."""
    told = _opened(told)
    if depth > DEEPEST:
        return
    if isinstance(told, list):
        for part in told:
            yield from _events(part, number, True, depth + 1)
        return
    part = _plain(a_map(told))
    own = _first(part, NUMBERS)
    said = _first(part, (*CODES, *WORDS, *NAMES))
    values = [_opened(value) for value in part.values()]
    lists = [value for value in values if isinstance(value, list)]
    inner = [event for value in lists for event in _events(value, own or number, False, depth + 1)]
    told_once = {_same(event) for _, event in inner}
    alone = (e for v in values if isinstance(v, dict) for e in _events(v, own or number, False, depth + 1))
    # Beside the list its newest event may stand once more.
    inner += [(about, event) for about, event in alone if not lists or _same(event) not in told_once]
    if not inner and not lists and said and (_first(part, TIMES) or (listed and not own)):
        yield own or number, part
    yield from inner


def _same(event: Map) -> tuple[str, str]:
    return _written(event), _first(event, WORDS) or _first(event, CODES)


def read(body: bytes) -> list[Track]:
    """Every number in a raw answer or push, decrypted; ValueError where it is none of theirs."""
    told = parse_json(body, WHO)
    by_number: dict[str, list[Map]] = {}
    for number, event in _events(told):
        if number:
            by_number.setdefault(number, []).append(event)
    if not by_number:
        top = _plain(a_map(told))
        why = _first(top, ("retmsg", "message", "msg", "errormsg", "errordesc", "resmsg"))
        number = next(_numbers(told), "")
        if number:
            return [Track(carrier_of(number), number, cause="not_found", source=KIND)]
        if _first(top, ("retcode", "code", "status")) in FINE and "retbody" in top:
            raise ValueError(f"EMS: an answer without a number ({_shape(top['retbody'])})")
        raise ValueError(f"EMS: {why.splitlines()[0]}" if why else "EMS: neither an answer nor a push")
    return [_track(number, events) for number, events in by_number.items()]


def _shape(body: object) -> str:
    return "its body is encrypted" if a_text(body).startswith(PREFIX) else "it has no events"


def _numbers(told: Any, depth: int = 0) -> Iterator[str]:
    """The numbers that an answer without events names."""
    told = _opened(told)
    if depth > DEEPEST:
        return
    if number := _first(_plain(a_map(told)), NUMBERS):
        yield number
    for part in told if isinstance(told, list) else a_map(told).values():
        yield from _numbers(part, depth + 1)


def _track(number: str, events: Sequence[Map]) -> Track:
    carrier = carrier_of(number)
    scans = [read_scan(event, carrier) for event in events]
    scans.sort(key=lambda s: s.at or datetime.fromtimestamp(0, UTC))
    return Track(carrier, number, tuple(scans), origin="CN" if number.upper().endswith("CN") else "", source=KIND)


# ---- the port --------------------------------------------------------------------------------------------


class Ems(TrackingSource):
    kind = KIND

    def __init__(self, settings: Settings, http: httpx.AsyncClient) -> None:
        self._settings = settings
        self._key = _key(settings.secret_key.get_secret_value())
        self._http = http
        self.capabilities = Capabilities(
            carriers=frozenset({"ems", "china-post"}), batch=1, per_second=settings.rate.per_second or 1
        )

    async def track(self, refs: Sequence[TrackRef]) -> Sequence[Track | None]:
        return [await self._ask(ref.number) for ref in refs]

    async def _ask(self, number: str) -> Track | None:
        content = msgspec.json.encode({"waybillNo": number, "direction": "0"})
        form = {
            "apiCode": PULL,
            "senderNo": self._settings.sender_no,
            "authorization": self._settings.authorization.get_secret_value(),
            "timeStamp": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}",
            "logitcsInterface": encrypt(content, self._key),
        }
        response = await reached(self._http.post(self._settings.base_url, data=form), WHO)
        judge(response, WHO, KEY)
        told = self._told(response.content)
        code = first_text(told.get("retCode"), told.get("code"))
        if code and code not in FINE:
            if any(sign in code.upper() for sign in ("AUTH", "SIGN", "B00010", "B00020")):
                raise Misconfigured(f"EMS refuses the account ({code})", key=KEY)
            raise Refused(f"EMS refused the call with code {code}")
        try:
            tracks = read(msgspec.json.encode(told))
        except ValueError:
            return None
        return next((t for t in tracks if t.number.casefold() == number.casefold()), None)

    def _told(self, content: bytes) -> dict[str, Any]:
        try:
            told = dict(a_map(parse_json(content, WHO)))
            body = told.get("retBody")
            if isinstance(body, str) and body.startswith(PREFIX):
                told["retBody"] = parse_json(decrypt(body, self._key), WHO)
        except ValueError as error:
            raise Temporary(str(error)) from error
        return told

    def decode(self, item: Item) -> Event | None:
        raise ValueError("EMS pushes nothing here")

    async def check(self) -> str:
        await self._ask("EA000000005CN")
        return "EMS: the account is answered"
