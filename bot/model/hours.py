"""When people of the shop answer: opening times by weekday, in the shop's zone. Pure."""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from itertools import count
from zoneinfo import ZoneInfo

from msgspec import Struct

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"^(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})$")


class Hours(Struct, frozen=True):
    """Spans in minutes since midnight by weekday (0 is Monday); `text` is as the shop wrote them."""

    spans: tuple[tuple[tuple[int, int], ...], ...]
    text: str

    def open_at(self, at: datetime, zone: ZoneInfo) -> bool:
        """Whether somebody is there at this instant."""
        local = at.astimezone(zone)
        minute = local.hour * 60 + local.minute
        return any(start <= minute < end for start, end in self.spans[local.weekday()])

    def next_open(self, at: datetime, zone: ZoneInfo) -> datetime:
        """When somebody is there next, from this instant on; `at` itself while it is open."""
        if self.open_at(at, zone):
            return at
        return next(start for start, _ in self._ahead(at, zone) if start > at)

    def after(self, at: datetime, minutes: int, zone: ZoneInfo) -> datetime:
        """The instant at which so many minutes of opening time will have passed."""
        left = timedelta(minutes=minutes)
        for start, end in self._ahead(at, zone):
            begins = max(start, at)
            if begins < end:
                if end - begins >= left:
                    return begins + left
                left -= end - begins
        raise AssertionError("a timetable without hours is refused when it is read")

    def between(self, start: datetime, end: datetime, zone: ZoneInfo) -> timedelta:
        """How much opening time passes from one instant to a later one."""
        passed = timedelta()
        for opens, closes in self._ahead(start, zone):
            if opens >= end:
                return passed
            passed += max(timedelta(), min(closes, end) - max(opens, start))
        raise AssertionError("a timetable without hours is refused when it is read")

    def _ahead(self, at: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
        day = at.astimezone(zone).date()
        for ahead in count():
            today = day + timedelta(days=ahead)
            for start, end in self.spans[today.weekday()]:
                yield _instant(today, start, zone), _instant(today, end, zone)


def _instant(day: date, minute: int, zone: ZoneInfo) -> datetime:
    whole, rest = divmod(minute, 24 * 60)
    return datetime.combine(day + timedelta(days=whole), time(rest // 60, rest % 60), zone)


def parse_hours(raw: Mapping[str, str]) -> Hours:
    """Read `{mon-fri: "09:00-18:00", sat: "10:00-13:00, 14:00-16:00"}`; ValueError says what is wrong."""
    if not isinstance(raw, Mapping):
        raise ValueError("write it like {mon-fri: 09:00-18:00, sat: 10:00-14:00}")  # noqa: TRY004 - told as a config fault
    spans: list[tuple[tuple[int, int], ...]] = [()] * 7
    for days, times in raw.items():
        for day in _days(str(days)):
            spans[day] += tuple(_span(part) for part in str(times).split(",") if part.strip())
    if not any(spans):
        raise ValueError("there must be at least one span of hours in the week")
    return Hours(tuple(tuple(sorted(s)) for s in spans), ", ".join(f"{d} {t}" for d, t in raw.items()))


def _days(text: str) -> range:
    first, _, last = text.strip().lower().partition("-")
    if first[:3] not in DAYS or (last and last.strip()[:3] not in DAYS):
        raise ValueError(f"{text!r} is no day; days are {', '.join(DAYS)}, or a span like mon-fri")
    start = DAYS.index(first.strip()[:3])
    end = DAYS.index(last.strip()[:3]) if last else start
    if end < start:
        raise ValueError(f"{text!r} runs backwards; write it from the earlier day to the later")
    return range(start, end + 1)


def _span(text: str) -> tuple[int, int]:
    found = _SPAN.match(text.strip())
    if found is None:
        raise ValueError(f"{text.strip()!r} is no span of hours; write it like 09:00-18:00")
    h1, m1, h2, m2 = map(int, found.groups())
    start, end = h1 * 60 + m1, h2 * 60 + m2
    if not 0 <= start < end <= 24 * 60:
        raise ValueError(f"{text.strip()!r} must run from an earlier to a later hour of one day")
    return start, end
