"""Dates of short numbers, which do not say in what order they stand: 03/04/2026, 26-11-24.

A single one may be two or three days. The column in which it stands mostly tells: one day after the 12th of a month, or
one reading that would lie too far ahead, settles the order of them all.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum

SHORT = re.compile(
    r"(?P<a>\d{1,4})[-/.] ?(?P<b>\d{1,2})[-/.] ?(?P<c>\d{4}|\d{1,2})\.?"
    r"(?:[ T](?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?\s*(?P<half>[AaPp][Mm])?)?"
)
CENTURY = 2000
"""Of a year that is written with two digits."""
_MONTH_FIRST = frozenset({"US", "PH", "PW", "FM"})
"""Countries that write the month before the day. Source: Unicode's CLDR, dateFormats short."""


class Style(StrEnum):
    """What stands in front."""

    DAY = "day first"
    MONTH = "month first"
    YEAR = "year first"


def usual(country: str) -> Style:
    """Whether a country (two letters) writes the day or the month in front."""
    return Style.MONTH if country in _MONTH_FIRST else Style.DAY


def is_short(text: str) -> bool:
    """Whether it is a date of which the order is not known; one whose year has four digits in front is none."""
    found = SHORT.fullmatch(text)
    return found is not None and len(found["a"]) <= 2


def read(text: str, style: Style | None) -> datetime | None:
    """A date of numbers, with its time if it has one, as UTC; None where it is none in this order.

    Without a style only what is the same day in every order in which it can be read.
    """
    found = SHORT.fullmatch(text)
    if found is None:
        return None
    if len(found["a"]) > 2:
        return _moment(found, "a", "b", "c")
    if style is None:
        moments = {m for s in Style if (m := read(text, s)) is not None}
        return moments.pop() if len(moments) == 1 else None
    if style is Style.YEAR:
        return _moment(found, "a", "b", "c") if len(found["a"]) == 2 >= len(found["c"]) else None
    return _moment(found, "c", "b", "a") if style is Style.DAY else _moment(found, "c", "a", "b")


def _moment(found: re.Match[str], year: str, month: str, day: str) -> datetime | None:
    hour = int(found["hour"] or 0)
    if found["half"]:
        hour = hour % 12 + (12 if found["half"].lower() == "pm" else 0)
    years = int(found[year]) + (CENTURY if len(found[year]) <= 2 else 0)
    clock = (hour, int(found["minute"] or 0), int(found["second"] or 0))
    try:
        return datetime(years, int(found[month]), int(found[day]), *clock, tzinfo=UTC)
    except ValueError:
        return None


def styles(texts: Iterable[str], latest: datetime) -> frozenset[Style]:
    """The orders in which every one of these short dates is a day, and none a day after `latest`; empty where they are
    of several kinds. What is no such day in any order says nothing about the others."""
    possible = frozenset(Style)
    for text in texts:
        moments = {style: read(text, style) for style in Style}
        possible &= frozenset(s for s, m in moments.items() if m is not None and m <= latest) or possible
    return possible
