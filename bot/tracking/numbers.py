"""Tracking numbers: which carrier's a number looks like, and how sure that is. Pure.

Formats are data (`formats.csv`, `posts.csv`). Letters around the digits say much; bare digits say little, since
one random number in ten passes some carrier's check. A failed check lowers the score and rejects nothing:
carriers' own developer numbers fail it.
"""

import csv
import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from importlib.resources import files

from msgspec import Struct

from bot.tracking.checksums import CHECKS, gs1, s10

__all__ = [
    "BARE",
    "FRAMED",
    "Candidate",
    "Format",
    "candidates",
    "compact",
    "formats",
    "gs1",
    "not_tracked_through",
    "rows",
    "s10",
]

FRAMED, BARE = 0.95, 0.5
"""About what a number framed by letters scores, and the most that bare digits score by themselves."""
FAILED, NONE = 0.6, 0.97
"""What a failed check and a format without one take off."""
LETTER_LESS = 22
"""So many digits are no phone, order or date any more: as good as framed."""
_SPACES = re.compile(r"[\s\-]+")
_S10 = re.compile(r"[A-Z]{2}\d{9}([A-Z]{2})")


class Candidate(Struct, frozen=True):
    """A reading of a number. `valid` tells the check digit: True, False, or None where the format has none."""

    carrier: str
    score: float
    valid: bool | None = None
    number: str = ""
    format: str = ""

    @property
    def checksum(self) -> str:
        """ok, failed or none."""
        return {True: "ok", False: "failed", None: "none"}[self.valid]


class Format(Struct, frozen=True):
    """How a carrier's numbers look; `weight` is the score of one whose check passes."""

    carrier: str
    name: str
    pattern: re.Pattern[str]
    check: Callable[[str], bool] | None
    weight: float

    def read(self, number: str) -> Candidate | None:
        """The number as this format's, None where it is not."""
        return self.judged(number) if self.pattern.fullmatch(number) else None

    def judged(self, number: str) -> Candidate:
        """A number of this format with its check digit looked at."""
        valid = self.check(number) if self.check is not None else None
        score = self.weight * (FAILED if valid is False else NONE if valid is None else 1.0)
        return Candidate(self.carrier, score, valid, number, self.name)


def rows(name: str) -> list[dict[str, str]]:
    """The rows of a table beside this module."""
    text = files("bot.tracking").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def formats() -> tuple[Format, ...]:
    """All formats but S10's, which goes by the country."""
    return tuple(
        Format(r["carrier"], r["format"], re.compile(r["pattern"]), CHECKS.get(r["check"]), float(r["weight"]))
        for r in rows("formats.csv")
    )


@cache
def posts() -> Mapping[str, str]:
    """The designated operator of a country, by ISO 3166 alpha-2."""
    return {row["country"]: row["carrier"] for row in rows("posts.csv")}


def not_tracked_through(carrier: str, number: str) -> bool:
    """Whether a number is China Post's ordinary small packet (U…CN, or nine digits), which nobody scans on the
    whole way (facts 3.6)."""
    return bool(_SMALL_PACKET.fullmatch(number) or (carrier == "china-post" and _NINE_DIGITS.fullmatch(number)))


_SMALL_PACKET, _NINE_DIGITS = re.compile(r"U[A-Z]\d{9}CN"), re.compile(r"\d{9}")


def compact(text: str) -> str:
    """A number as it is compared: upper case, without spaces and hyphens."""
    return _SPACES.sub("", text).upper()


_CLASS = re.compile(r"\[[^\]]*\]")
_CAPITAL = re.compile("[A-Z]")


@cache
def _asked(digits: bool) -> tuple[Format, ...]:
    """The formats that bare digits can be of, or those that letters can be in."""
    if digits:
        return tuple(f for f in formats() if not _CAPITAL.search(_CLASS.sub("", f.pattern.pattern)))
    return tuple(f for f in formats() if _CAPITAL.search(f.pattern.pattern))


@cache
def _any_format(digits: bool) -> re.Pattern[str]:
    # One look for all of them: each group stands where its format fits, and asking a hundred patterns in turn took
    # longer than everything else.
    return re.compile("".join(rf"(?:(?=({f.pattern.pattern})\Z)|)" for f in _asked(digits)))


@lru_cache(maxsize=1024)
def candidates(number: str) -> tuple[Candidate, ...]:
    """Whose a compact number may be, likeliest first; empty where it looks like no carrier's."""
    digits = number.isdecimal()
    fits = _any_format(digits).match(number)
    groups = fits.groups() if fits is not None and fits.lastindex else ()
    found = [_asked(digits)[place].judged(number) for place, fit in enumerate(groups) if fit]
    return tuple(sorted(found + _post(number), key=lambda c: -c.score))


def _post(number: str) -> list[Candidate]:
    """UPU S10: the country says whose; EMS has a name of its own in China and is a service everywhere."""
    shape = _S10.fullmatch(number) if len(number) == 13 else None
    if shape is None or shape[1] not in posts() or (number[:2] in {"GD", "GE"} and shape[1] == "WW"):
        return []
    valid = s10(number)
    score = FRAMED * (1.0 if valid else FAILED)
    post = Candidate(posts()[shape[1]], score, valid, number, "S10")
    if number[0] != "E":
        return [post]
    ems = Candidate("ems", score * (1.02 if shape[1] == "CN" else 0.9), valid, number, "S10 EMS")
    return [post, ems]
