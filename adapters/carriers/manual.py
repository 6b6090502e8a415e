"""A freight forwarder's list: scans in a CSV or as JSON, in our words or in theirs. It only tells; nobody is asked.

The columns stand under any of the headings of `manual_columns`. A status is one of the fourteen words,
`status/cause`, or a word of `manual_words`; any other is kept and means what its text says by itself.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

import httpx
from pydantic import BaseModel, ConfigDict

from bot.model import shortdates
from bot.model.codes import NOTHING, Code, rows
from bot.model.events import Event
from bot.model.foreign import When, a_country, a_map, a_text, first_text, maps, parse_bodies, when
from bot.model.shortdates import Style
from bot.model.tables import Record, decoded, read_records, shortened
from bot.model.tracks import Place, Scan, Status, Track, TrackRef, instant
from bot.ports import Capabilities, Item, TrackingSource
from bot.tracking.numbers import compact
from bot.tracking.vocabulary import known as in_vocabulary
from bot.tracking.vocabulary import terminal

KIND = "manual"
WHO = "the list"
SHARED = frozenset({"number", "carrier", "zone"})
"""What an object says of the scans within it. Its status and its times are the whole's and no scan's."""
NEEDED = (("number",), ("at", "clock"), ("status", "text"))
"""What a list must have, each under one of these."""
DEPTH = 8
"""No list puts its scans deeper into objects."""
TITLES = 10
"""Lines in which the headings are looked for: a title may stand above them."""
LANGUAGES = ("en", "zh", "ru", "es", "pt", "de", "fr")
_DAY_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - a wall clock
"""What Excel counts days from."""
_EXCEL_DAY = re.compile(r"[3-7]\d{4}(?:\.\d+)?")
"""A day and its part as Excel keeps them: 1982 to 2119."""
_HALF = re.compile(r"(上午|下午|[AaPp]\.?[Mm]\.?) ?(\d{1,2}:\d{2}(?::\d{2})?)")
_WEEKDAY = re.compile(r"(?:星期|周|礼拜)[一二三四五六日天]")
_OFFSET = re.compile(r"\s*(Z|\(?(?:GMT|UTC)?\s*[+-]\d{1,2}(?::?\d{2})?\)?|GMT|UTC)$", re.IGNORECASE)
_BEIJING = re.compile(r"\s*\(?(?:北京时间|beijing time|BJT)\)?\s*", re.IGNORECASE)
_YEAR = re.compile(r"\d{4}")
_HOURS = re.compile(r"([+-]?\d{1,2})(?::?(\d{2}))?")
_SCRIPTS = re.compile(r"[\u3400-\u9fff]+|[^\u3400-\u9fff]+")

Row = Mapping[str, str]


class Settings(BaseModel):
    """Nothing to set."""

    model_config = ConfigDict(extra="forbid")

    base_url: str = ""


def connect(settings: Settings, http: httpx.AsyncClient) -> "Manual":
    return Manual()


# ---- words -----------------------------------------------------------------------------------------------


def plain(text: str) -> str:
    """A heading or a word as it is compared: letters and digits, small."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text).casefold())


@cache
def _headings() -> Mapping[str, str]:
    listed = rows("manual_columns")
    return {plain(title): row["column"] for row in listed for title in row["titles"].split("|")}


@cache
def _words() -> Mapping[str, Code]:
    ours = {plain(status): Code(status, physical=status is not Status.LABEL_CREATED) for status in Status}
    theirs = {
        plain(word): Code(Status(row["status"]), row["cause"], row["status"] != Status.LABEL_CREATED)
        for row in rows("manual_words")
        for word in row["code"].split("|")
    }
    return theirs | ours


def read_word(status: str, cause: str) -> tuple[Code, bool]:
    """What a status says; unknown words are kept as they are and mean nothing yet. A word in two languages
    ("已签收 Delivered") must be the same in both, and a question is no word, nor is "Delivered/Failed"."""
    if "?" in status or "？" in status:
        return NOTHING, False
    word, _, more = status.partition("/")
    told = cause or more.strip()
    if told and (code := _words().get(plain(word))) is not None and in_vocabulary(code.status, told):
        return Code(code.status, told, code.physical), True
    if (code := _words().get(plain(status))) is not None:
        return code, True
    parts = [p for part in _SCRIPTS.findall(status) if (p := plain(part))]
    codes = [_words().get(part, NOTHING) for part in parts]
    if len(parts) > 1 and len({code.status for code in codes}) == 1 and NOTHING not in codes:
        return max(codes, key=lambda code: code.cause), True
    return NOTHING, False


@cache
def _countries() -> Mapping[str, str]:
    """Names of countries in our languages, from Babel, which carries Unicode's, and ISO's three letters."""
    from babel import Locale  # noqa: PLC0415 - only for lists that write countries out

    listed = [(code, name) for lang in LANGUAGES for code, name in Locale(lang).territories.items() if len(code) == 2]
    return {plain(name): code for code, name in listed} | {r["alpha3"].lower(): r["alpha2"] for r in rows("countries")}


def _country(text: str) -> str:
    return a_country(text) or (_countries().get(plain(text), "") if text else "")


# ---- times -----------------------------------------------------------------------------------------------


def _clean(text: str) -> str:
    """A time without weekday, with the half of the day behind the clock and Beijing's time as an offset."""
    text = _WEEKDAY.sub("", unicodedata.normalize("NFKC", text).strip().lstrip("'"))
    text = _HALF.sub(lambda m: f"{m[2]} {'PM' if m[1] == '下午' or m[1][0] in 'Pp' else 'AM'}", text)
    return " ".join(_BEIJING.sub(" +08:00", text).split())


def _apart(text: str) -> tuple[str, str]:
    """Day and clock, and the offset behind them."""
    found = _OFFSET.search(text)
    if found is None or ":" not in text[: found.start()]:
        return text, ""
    return text[: found.start()], found[1].strip("()")


def _written(row: Row) -> str:
    """The row's time as it stands there, in up to three columns."""
    day, clock, zone = (row.get(name, "") for name in ("at", "clock", "zone"))
    whole = day if ":" in day else clock if _YEAR.search(clock) else f"{day} {clock}".strip()
    if not zone or _apart(_clean(whole))[1]:
        return whole
    hours = _HOURS.fullmatch(zone)
    return f"{whole} {int(hours[1]):+03d}:{hours[2] or '00'}" if hours else f"{whole} {zone}"


def _style(texts: Iterable[str]) -> Style | None:
    """In what order the list's short dates stand; None where they do not tell."""
    short = [text for text in (_apart(_clean(t))[0] for t in texts) if shortdates.is_short(text) and not _dotted(text)]
    found = shortdates.styles(short, datetime.max.replace(tzinfo=UTC))
    return next(iter(found)) if len(found) == 1 else None


def _dotted(text: str) -> bool:
    """Whether its numbers stand between points: then the day is in front, wherever one writes so."""
    return "." in text.partition(" ")[0]


def read_time(written: str, country: str, style: Style | None) -> When:
    """What a list's time says, in people's and in Excel's spellings; nothing where a short date can be two days."""
    text, offset = _apart(_clean(written))
    if _EXCEL_DAY.fullmatch(text):
        text = (_DAY_ZERO + timedelta(seconds=round(float(text) * 86_400))).isoformat()
    elif shortdates.is_short(text):
        moment = shortdates.read(text, Style.DAY if _dotted(text) else style)
        text = moment.replace(tzinfo=None).isoformat() if moment is not None else "-"
    elif re.match(r"\d{4}/", text):
        text = text.replace("/", "-")
    return when(written, iso=f"{text} {offset}".strip() or "-", country=country)


# ---- lists -----------------------------------------------------------------------------------------------


def read(body: bytes) -> list[Track]:
    """The tracks of a list; ValueError names the line that cannot be read."""
    text = decoded(body)
    listed = _json_rows(text) if text.lstrip()[:1] in {"[", "{"} else _csv_rows(read_records(body))
    style = _style(_written(row) for _, row in listed)
    by_number: dict[tuple[str, str], list[tuple[int, Row]]] = {}
    for line, row in listed:
        key = (_number(line, row.get("number", "")), row.get("carrier", "").lower())
        by_number.setdefault(key, []).append((line, row))
    if not by_number:
        raise ValueError("the list holds no scan")
    return [_track(number, carrier, some, style) for (number, carrier), some in by_number.items()]


def _track(number: str, carrier: str, listed: Sequence[tuple[int, Row]], style: Style | None) -> Track:
    """A number's scans. An end that stands beside each of several different texts is the whole's, repeated on every
    row, and no scan's: each scan's word is then its text."""
    statuses, texts = ({row.get(name, "") for _, row in listed} for name in ("status", "text"))
    whole, _ = read_word(next(iter(statuses)), "") if len(statuses) == 1 < len(texts) else (NOTHING, False)
    repeated = terminal(whole.status, whole.cause)
    words = [(line, {**row, "status": ""} if repeated else row) for line, row in listed]
    scans = sorted((_scan(line, row, style) for line, row in words), key=instant)
    summary = whole if repeated else NOTHING
    return Track(carrier, number, tuple(scans), summary.status, summary.cause, source=KIND)


def _csv_rows(records: Sequence[Record]) -> list[tuple[int, Row]]:
    heads = [_columns(cells or ()) for _, cells in records[:TITLES]]
    head = next((place for place, columns in enumerate(heads) if not _missing(columns)), None)
    if head is None:
        raise ValueError(f"the list has no column {', '.join(_missing(max(heads, key=len)))}")
    listed: list[tuple[int, Row]] = []
    for line, cells in records[head + 1 :]:
        if cells is None:
            raise ValueError(f"line {line} has a quote that is never closed")
        listed.append((line, {name: cells[i] for name, i in heads[head].items() if i < len(cells)}))
    return listed


def _columns(head: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for place, title in enumerate(head):
        if (name := _headings().get(plain(title))) is not None:
            found.setdefault(name, place)
    return found


def _missing(columns: Mapping[str, object]) -> list[str]:
    return [names[0] for names in NEEDED if not any(name in columns for name in names)]


def _json_rows(text: str) -> list[tuple[int, Row]]:
    return list(enumerate(_nested(parse_bodies(text.encode(errors="replace"), WHO), {}), 1))


def _nested(told: object, shared: Row, depth: int = DEPTH) -> Iterator[Row]:
    """Each object that has no list of objects in it, with what those around it say."""
    for part in maps(told):
        named = ((_headings().get(plain(key)), a_text(value)) for key, value in part.items())
        row = {**shared, **{name: value for name, value in reversed(list(named)) if name and value}}
        lists: list[object] = [value for value in part.values() if isinstance(value, list) and maps(value)]
        inner = lists or [value for value in (part.get("data"), part.get("result")) if a_map(value)]
        if inner and depth:
            around = {name: value for name, value in row.items() if name in SHARED}
            for value in inner:
                yield from _nested(value, around, depth - 1)
        elif row and not inner:
            yield row


def _scan(line: int, row: Row, style: Style | None) -> Scan:
    country = _country(row.get("country", ""))
    written = _written(row)
    time = read_time(written, country, style)
    if time.at is None:
        day = _apart(_clean(written))[0]
        if any(shortdates.read(day, way) for way in Style):
            raise ValueError(f"line {line}: {written!r} can be two days; write it like 2026-11-24")
        raise ValueError(f"line {line} has no time that can be read")
    status = first_text(row.get("status"), row.get("text"))
    cause = row.get("cause", "")
    code, known = read_word(status, cause)
    text = first_text(row.get("text"), status)
    return Scan(
        raw_code=status,
        # A reason in words of their own may say more than the status, or take it back.
        raw_text=f"{text} ({cause})" if cause and cause != code.cause else text,
        raw_time=time.raw_time,
        at=time.at,
        local=time.local,
        offset_from=time.offset_from,
        status=code.status,
        cause=code.cause,
        place=Place(row.get("place", ""), country),
        physical=code.physical,
        carrier=row.get("carrier", "").lower(),
        source=KIND,
        known=known,
    )


def _number(line: int, cell: str) -> str:
    """A tracking number as orders hold it, without what spreadsheets put around one: ="123", '123, 123.0."""
    text = unicodedata.normalize("NFKC", cell).strip("=\"' \u200b\ufeff")
    if shortened(text):
        raise ValueError(f"line {line}: {text} was shortened by a spreadsheet; format the column as text")
    number = compact(re.sub(r"(?<=\d)\.0$", "", text))
    if not number:
        raise ValueError(f"line {line} has no tracking number")
    return number


class Manual(TrackingSource):
    kind = KIND
    capabilities = Capabilities(batch=0)

    async def track(self, refs: Sequence[TrackRef]) -> Sequence[Track | None]:
        return [None] * len(refs)

    def decode(self, item: Item) -> Event | None:
        raise ValueError("a list is imported, not pushed")

    async def check(self) -> str:
        return "lists are imported with `wismo scans FILE`"
