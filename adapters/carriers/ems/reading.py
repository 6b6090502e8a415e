"""Reading what the platform answers and pushes, in any of its dialects, as tracks."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from adapters.carriers.ems.seal import PREFIX
from bot.model.codes import NOTHING, Code, codes
from bot.model.foreign import Map, a_country, a_map, a_text, first_text, parse_json, when
from bot.model.tracks import OffsetFrom, Place, Scan, Status, Track, instant

KIND = "ems"
WHO = "EMS"
HOME = "Asia/Shanghai"
ENCODING = "gb18030"
"""In which a Chinese answer is that is not UTF-8."""
INWARD = re.compile("EM[DEFGHI]|ED[A-HX]")
"""The UPU's events in the country of arrival: with what leaves China their clock is that country's."""
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
    "logisticcode",
    "nu",
    "number",
]
TIMES = [
    "optime",
    "accepttime",
    "proctime",
    "eventtime",
    "eventdatetime",
    "scantime",
    "tracetime",
    "time",
    "ftime",
    "opdate",
    "procdate",
    "eventdate",
    "acceptdate",
    "date",
    "eventdt",
]
CODES = ["opcode", "eventcode", "eventcd", "tracecode", "actioncode", "status", "code"]
NAMES = ["opname", "eventname", "eventnm", "action", "statusname"]
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
    "acceptstation",
    "content",
    "statusdesc",
    "note",
    "memo",
]
PLACES = [
    "oporgcity",
    "oporgname",
    "orgfullname",
    "acceptaddress",
    "office",
    "location",
    "eventlocation",
    "address",
    "city",
]
COUNTRIES = ["countrycode", "opcountrycode", "country"]
"""The names that dialects of the platform give a field, as `_plain` spells them, the likeliest first."""
DEEPEST = 8
"""Levels of lists and objects that are looked through."""

_S10 = re.compile(r"[A-Z]{2}[0-9]{9}[A-Z]{2}")
_CLOCK = re.compile(r"\d{1,2}:\d{2}(?::\d{2})?|\d{6}")
_ARRIVED = re.compile(r"(?i)inward office|import customs|寄达国|进口(?:海关|互换局)|境外进口")
"""What words say of those events where no code does."""
_DONE = re.compile(r"妥投|已签收|投递并签收")
_DONE_ALONE = re.compile(r"(?i)(?:(?:the |your )?(?:item|mail|parcel|shipment) (?:has been |was )?)?delivered[.!]?")
"""All that the English of an answer without codes says of a delivery."""
_BACK = re.compile(r"(?<![将可会])退回(?:[^。；]{0,4}(妥投|签收))?")
_FAILED = re.compile(r"(?<![如若])未妥投")
"""The result that an operation's name reports ("投递结果反馈-未妥投"); the reason stands in the event's other words."""
_NOT_DONE = re.compile(
    r"[未没][^，。；]{0,2}(?:妥投|签收)|异常|失败|不成功|无法|不能|撤[销消]|取消|作废|拒|退|请[^，。；]{0,20}[取领]|(?<!期)待|预计|将[于在会]|代收点|驿站|自提|柜|超市|便利店"
)


def carrier_of(number: str) -> str:
    """EMS for its own service letter, else China Post."""
    return "ems" if number[:1].upper() == "E" else "china-post"


def read_code(code: str, text: str, name: str = "") -> tuple[Code, bool]:
    """What an event says, and whether the table knew it; `name` is its operation's."""
    table, said = codes("ems_event"), text + name
    known = code in table
    if code in {"", "704"} and (back := _BACK.search(said)):
        return Code(Status.RETURNED if back[1] else Status.RETURNING), known
    if not code and _DONE_ALONE.fullmatch(said):
        return Code(Status.DELIVERED), known
    if code == "704" or (not known and (not code or code.isdecimal())):
        # The platform's own numbers are no public list, and some answers have none: there the operation is its words.
        if _FAILED.search(name):
            return Code(Status.DELIVERY_ATTEMPTED), known
        return (Code(Status.DELIVERED) if _DONE.search(said) and not _NOT_DONE.search(said) else NOTHING), known
    return table.get(code, NOTHING), known


def read_scan(event: Map, number: str) -> Scan:
    """One event. Who worked on it and their phone are not taken over; they stay in the words, to be masked."""
    carrier, code = carrier_of(number), _first(event, CODES).upper()
    text, name = _first(event, WORDS), _first(event, NAMES)
    country = a_country(_first(event, COUNTRIES))
    word, known = read_code(code, text, name)
    abroad = number.upper().endswith("CN") and bool(INWARD.fullmatch(code) or _ARRIVED.search(text + name))
    home = HOME if country == "CN" or not (country or abroad) else ""
    time = when(_written(event), country=country, home=home)
    return Scan(
        raw_code=code,
        raw_text=text or name,
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


def _number(part: Map) -> str:
    """The number that an object is about; an `id` is one where it has the form of one."""
    own = a_text(part.get("id")).upper()
    return _first(part, NUMBERS) or (own if _S10.fullmatch(own) else "")


def _first(event: Map, names: Sequence[str]) -> str:
    return first_text(*(event.get(name) for name in names))


def _opened(told: Any) -> Any:
    """A part that was sent as JSON in a text."""
    if isinstance(told, str) and told.lstrip()[:1] in {"{", "["}:
        try:
            return parse_json(told.encode(errors="replace"), WHO)
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
    own = _number(part)
    said = _first(part, (*CODES, *WORDS, *NAMES))
    values = [_opened(value) for value in part.values()]
    lists = [value for value in values if isinstance(value, list)]
    inner = [event for value in lists for event in _events(value, own or number, False, depth + 1)]
    told_once = {_same(event) for _, event in inner}
    alone = (e for v in values if isinstance(v, dict) for e in _events(v, own or number, False, depth + 1))
    # Beside the list its newest event may stand once more.
    inner += [(about, event) for about, event in alone if not lists or _same(event) not in told_once]
    timed = any(name in part for name in TIMES) if listed else _first(part, TIMES)
    if not inner and not lists and said and (timed or (listed and not own)):
        yield own or number, part
    yield from inner


def _same(event: Map) -> tuple[str, str]:
    return _written(event), _first(event, WORDS) or _first(event, CODES)


def read(body: bytes) -> list[Track]:
    """Every number in a raw answer or push, decrypted; ValueError where it is none of theirs."""
    told = parse_json(body, WHO, ENCODING)
    by_number: dict[str, list[Map]] = {}
    found = list(_events(told))
    named = {number for number, _ in found if number}
    # What names no number is about the only one that is named.
    lone = next(iter(named)) if len(named) == 1 else ""
    for number, event in found:
        if number or lone:
            by_number.setdefault(number or lone, []).append(event)
    if found and not by_number:
        raise ValueError(f"{WHO}: it does not say of which number these events are")
    if not by_number:
        number = next(_numbers(told), "")
        if number:
            return [Track(carrier_of(number), number, cause="not_found", source=KIND)]
        raise ValueError(f"{WHO}: {_complaint(_plain(a_map(told)))}")
    return [_track(number, events) for number, events in by_number.items()]


def _complaint(top: Map) -> str:
    """What an answer without a number says or lacks, in one line."""
    if any(a_text(top.get(name)).startswith(PREFIX) for name in ("logitcsinterface", "retbody")):
        return "its body is sealed: it can be read with the contract's key alone"
    if _first(top, ("retcode", "code", "status")) in FINE and "retbody" in top:
        return "an answer without a number: it has no events"
    why = _first(top, ("retmsg", "message", "msg", "errormsg", "errordesc", "resmsg", "codemessage"))
    return " ".join(why.split()) or "neither an answer nor a push"


def _numbers(told: Any, depth: int = 0) -> Iterator[str]:
    """The numbers that an answer without events names."""
    told = _opened(told)
    if depth > DEEPEST:
        return
    if number := _number(_plain(a_map(told))):
        yield number
    for part in told if isinstance(told, list) else a_map(told).values():
        yield from _numbers(part, depth + 1)


def _track(number: str, events: Sequence[Map]) -> Track:
    scans = [read_scan(event, number) for event in events]
    scans.sort(key=instant)
    origin = "CN" if number.upper().endswith("CN") else ""
    return Track(
        carrier_of(number), number, tuple(_clocks_abroad(scans) if origin else scans), origin=origin, source=KIND
    )


def _clocks_abroad(scans: Sequence[Scan]) -> Sequence[Scan]:
    """The scans of what left China: once one was made abroad no later one has China's clock, unless it says so."""
    abroad = [
        s.local for s in scans if s.local and (s.offset_from is OffsetFrom.UNKNOWN or s.place.country not in {"", "CN"})
    ]
    first = min(abroad, default=None)
    if first is None:
        return scans
    later = [s.offset_from is OffsetFrom.CARRIER and not s.place.country and s.local and s.local > first for s in scans]
    told = [replace(s, **when(s.raw_time)._asdict()) if late else s for s, late in zip(scans, later, strict=True)]
    return sorted(told, key=instant)
