"""A delivery history as a table: `placed_at, handed_at, delivered_at, promised_at, origin, destination, service`.

Any of them may be empty or missing but the delivery. Times may be written in most ways; only their local date
counts, as it is written. A parcel's clock starts when it was handed over, else when it was ordered; the two are
never mixed in one table.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime

from msgspec import Struct, field

from bot.tracking.calibration import Journey

TIMES = ("placed_at", "handed_at", "delivered_at", "promised_at")
COLUMNS = (*TIMES, "origin", "destination", "service")
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"
NOTHING = frozenset({"", "null", "none", "nan", "nat", "n/a", "na", "-", "nil", "\\n"})

_YEAR_FIRST = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})(?!\d)")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:[T ]?\d{4}(?:\d\d)?)?(?:Z|[+-]\d{2}:?\d{2})?")
_YEAR_LAST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d{2})(?!\d)")
_NAMED = re.compile(r"(?:[A-Za-z]{3,9},?\s+)?(\d{1,2})[\s-]([A-Za-z]{3})[A-Za-z]*[\s-](\d{4})")
_NAME_FIRST = re.compile(r"(?:[A-Za-z]{3,9},?\s+)?([A-Za-z]{3})[A-Za-z]*\.?\s+(\d{1,2}),?\s+(\d{4})")
_EPOCH = re.compile(r"\d{10}(?:\.\d+)?|\d{13}")
_EXCEL = re.compile(r"([34567]\d{4})(?:\.\d+)?")
_EARLIEST, _LATEST = date(1970, 1, 1).toordinal(), date(2099, 12, 31).toordinal()
_EXCEL_BEGINS = date(1899, 12, 30).toordinal()
"""Day 0 of a spreadsheet's own numbers; they are dates from 1982 on."""


class Read(Struct):
    """What was read. `without_start` rows have neither hand-over nor order, `unreadable` a time nobody can read."""

    journeys: list[Journey] = field(default_factory=list)
    rows: int = 0
    without_start: int = 0
    unreadable: int = 0


class Dates:
    """One column's dates. Whether 03/04/2025 is in March or in April is told by the column's other days."""

    def __init__(self, values: Iterable[str]) -> None:
        self._known: dict[str, int | None] = {}
        self.day_first = self._day_first(values)

    def _day_first(self, values: Iterable[str]) -> bool:
        votes: Counter[bool] = Counter()
        for value in values:
            found = _YEAR_LAST.match(value)
            if found is not None and (int(found[1]) > 12) != (int(found[2]) > 12):
                votes[int(found[1]) > 12] += 1
        return votes[True] >= votes[False]

    def day(self, value: str) -> int | None:
        """The ordinal of the local date; ValueError where there is one that cannot be read, None where none is."""
        key = value[:10] if value[4:5] == "-" else value
        if key in self._known:
            return self._known[key]
        found = self._read(value)
        if found is not None and not _EARLIEST <= found <= _LATEST:
            raise ValueError("no parcel's day")
        self._known[key] = found
        return found

    def _read(self, value: str) -> int | None:
        text = value.strip()
        if text.lower() in NOTHING or text.startswith("0000-00-00"):
            return None
        if found := (_YEAR_FIRST.match(text) or _COMPACT.fullmatch(text)):
            return date(int(found[1]), int(found[2]), int(found[3])).toordinal()
        if found := _YEAR_LAST.match(text):
            first, second, year = int(found[1]), int(found[2]), int(found[3])
            day, month = (first, second) if self.day_first else (second, first)
            return date(year + 2000 if year < 100 else year, month, day).toordinal()
        if found := _NAMED.match(text):
            return _by_name(found[3], found[2], found[1])
        if found := _NAME_FIRST.match(text):
            return _by_name(found[3], found[1], found[2])
        if _EPOCH.fullmatch(text):
            seconds = float(text) / (1000 if len(text) == 13 else 1)
            return datetime.fromtimestamp(seconds, UTC).toordinal()
        if found := _EXCEL.fullmatch(text):
            return _EXCEL_BEGINS + int(found[1])
        raise ValueError("not a date")


def _by_name(year: str, month: str, day: str) -> int:
    place = _MONTHS.find(month.lower())
    if place % 4:
        raise ValueError("not a month")
    return date(int(year), place // 4 + 1, int(day)).toordinal()


def columns(header: Sequence[str]) -> dict[str, int]:
    """Where each known column stands; ValueError where there is no delivery or no start."""
    names = [re.sub(r"[^a-z]+", "_", h.strip().lower().lstrip("\ufeff")).strip("_") for h in header]
    found = {name: names.index(name) for name in COLUMNS if name in names}
    if "delivered_at" not in found:
        raise ValueError(f"there is no column delivered_at; known columns are {', '.join(COLUMNS)}")
    if not {"handed_at", "placed_at"} & found.keys():
        raise ValueError("there is neither a column handed_at nor one placed_at: a journey needs a start")
    return found


def read(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Read:
    """The journeys of a table; raises ValueError where its columns are not enough."""
    places = columns(header)
    dates = {name: Dates(_column(rows, places[name])) for name in TIMES if name in places}
    out = Read(rows=len(rows))
    for row in rows:
        try:
            days = {name: dates[name].day(_cell(row, places[name])) for name in dates}
        except (ValueError, OverflowError, OSError):
            out.unreadable += 1
            continue
        journey = _journey(row, places, days)
        if journey is None:
            out.without_start += 1
        else:
            out.journeys.append(journey)
    return out


def _journey(row: Sequence[str], places: Mapping[str, int], days: Mapping[str, int | None]) -> Journey | None:
    handed, placed = days.get("handed_at"), days.get("placed_at")
    start = handed if handed is not None else placed
    if start is None:
        return None
    origin, destination, service = (
        _cell(row, places[name]).strip() if name in places else "" for name in ("origin", "destination", "service")
    )
    kind = "handed" if handed is not None else "placed"
    return Journey(kind, service, origin, destination, start, days.get("delivered_at"), days.get("promised_at"))


def _cell(row: Sequence[str], place: int) -> str:
    return row[place] if place < len(row) else ""


def _column(rows: Iterable[Sequence[str]], place: int) -> Iterable[str]:
    return (_cell(row, place) for row in rows)
