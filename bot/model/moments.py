"""A moment in the spellings that carriers use: ISO 8601 and what is near it, compact digits, Unix time, named months.

Total: what is no moment is None. A spelling that could be two days (04/05/2026) is none either: a wrong day is worse
than no day.
"""

import re
from datetime import UTC, datetime, timedelta, timezone

_SECONDS, _MILLIS = 10, 13
"""Digits of a Unix time of our age in seconds and in milliseconds."""
_LATEST = 4_102_444_800
"""The year 2100 in Unix seconds; ten digits that are more are a number of something else."""
_MONTHS = dict(
    zip(("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), range(1, 13), strict=True)
)
_CLOCK = (
    r"(?:[T ,]+(?:at )?(?P<h>\d{1,2})[:.时点](?P<i>\d{2})(?:[:.分](?P<s>\d{2})秒?)?(?:[.,]\d+)?分?"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?(?![A-Za-z]))?)?"
)
_TAIL = r"\s*(?P<tail>[A-Za-z()+\-:\d/_ ]*)(?:\[[\w/+-]*\])?"
_SPELLINGS = tuple(
    re.compile(day + _CLOCK + _TAIL)
    for day in (
        r"(?P<y>\d{4})[-/.年](?P<m>\d{1,2})[-/.月](?P<d>\d{1,2})日?(?!\d)",
        r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})(?!\d)",
        r"(?P<a>\d{1,2})([/-])(?P<b>\d{1,2})\2(?P<y>\d{4})(?!\d)",
        r"(?:[A-Za-z]{3,9},?\s+)?(?P<d>\d{1,2})(?:st|nd|rd|th)?[ -](?P<mon>[A-Za-z]{3,9})\.?,?[ -](?P<y>\d{4})(?!\d)",
        r"(?:[A-Za-z]{3,9},\s+)?(?P<mon>[A-Za-z]{3,9})\.?\s+(?P<d>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<y>\d{4})(?!\d)",
    )
)
_COMPACT = re.compile(
    r"(?P<y>\d{4})(?P<m>\d\d)(?P<d>\d\d)[T ]?(?P<h>\d\d):?(?P<i>\d\d):?(?P<s>\d\d)?(?:[.,]\d+)?" + _TAIL
)
_OFFSET = re.compile(r"(?:GMT|UTC)?\s*([+-])(\d{1,2}):?(\d{2})?(?::?\d{2})?\s*(?:\([A-Za-z ]*\))?", re.IGNORECASE)
_ZERO = re.compile(r"Z|GMT|UTC|(?:GMT|UTC)?\s*0", re.IGNORECASE)
_DOTNET = re.compile(r"/Date\((\d{10,13})(?:[+-]\d{4})?\)/")


def moment_of(text: str) -> datetime | None:
    """The moment, with the offset that is written or without one; None where it is none. A lone day is its midnight."""
    if len(text) < 8:
        return None
    between = text[10:11]
    if between not in {"T", " "} and text.isdecimal():
        return _digits(text)
    if between in {"T", " ", "", "t"} or text[8:9] in {"T", " "}:
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    if (told := _DOTNET.fullmatch(text)) is not None:
        return _unix(told[1])
    for spelling in (*_SPELLINGS, _COMPACT):
        if (found := spelling.fullmatch(text)) is not None:
            return _made(found.groupdict())
    return None


def _digits(text: str) -> datetime | None:
    if len(text) in {_SECONDS, _MILLIS} and text.isascii():
        return _unix(text)
    if len(text) == 8:
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            return None
    found = _COMPACT.fullmatch(text) if len(text) in {12, 14, 17} else None
    return _made(found.groupdict()) if found else None


def _unix(digits: str) -> datetime | None:
    whole, rest = divmod(int(digits), 1000) if len(digits) == _MILLIS else (int(digits), 0)
    return datetime.fromtimestamp(whole, UTC).replace(microsecond=rest * 1000) if whole < _LATEST else None


def _made(parts: dict[str, str | None]) -> datetime | None:
    """The moment of what a spelling names; None where there is no such day or clock."""
    month, day = _month_and_day(parts)
    hour = int(parts.get("h") or 0)
    if half := parts.get("half"):
        hour = hour % 12 + (12 if half in "Pp" else 0)
    try:
        midnight = datetime(int(parts["y"] or 0), month, day)  # noqa: DTZ001 - the offset comes after
        clock = timedelta(hours=hour, minutes=int(parts.get("i") or 0), seconds=min(int(parts.get("s") or 0), 59))
        if clock > timedelta(days=1):
            return None
        return (midnight + clock).replace(tzinfo=_zone(parts.get("tail") or ""))
    except (ValueError, OverflowError):
        return None


def _month_and_day(parts: dict[str, str | None]) -> tuple[int, int]:
    """Zero for a month that is none, or where the order of two numbers is not known."""
    if name := parts.get("mon"):
        return _MONTHS.get(name[:3].lower(), 0), int(parts["d"] or 0)
    if "a" not in parts or parts["a"] is None:
        return int(parts.get("m") or 0), int(parts.get("d") or 0)
    one, other = int(parts["a"]), int(parts["b"] or 0)
    if one > 12 or one == other:
        return other, one
    return (one, other) if other > 12 else (0, 0)


def _zone(tail: str) -> timezone | None:
    """The offset that stands behind a clock. A zone's short name is none: CST is three of them."""
    tail = tail.strip()
    if _ZERO.fullmatch(tail):
        return UTC
    found = _OFFSET.fullmatch(tail)
    if found is None:
        return None
    ahead = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
    if ahead > timedelta(hours=14):
        return None
    return timezone(-ahead if found[1] == "-" else ahead)
