"""Reading what nobody here wrote: total functions over parsed JSON or XML, which never raise for odd shapes.

Carriers leave fields out, send null for a list, a number for a text, one object for a list of one. A reader
built from these takes what is there and reads nothing into what is not.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib.resources import files
from string import ascii_uppercase
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from bot.model.moments import moment_of
from bot.model.tracks import OffsetFrom

LONGEST = 2000
"""Characters kept of a text."""
HUGE = 10**30
"""No number, code or reference of a carrier has as many digits; a larger one is noise."""
EXACT = 2.0**53
"""Up to here a float still says which whole number was meant."""

THIS_AGE = (1990, 2200)
"""Years from and to which a time can be meant; others are filler."""

Map = Mapping[str, Any]
T = TypeVar("T")

_COUNTRIES = frozenset(a + b for a in ascii_uppercase for b in ascii_uppercase)
_MISSPELT = {"UK": "GB", "EL": "GR"}
_CAPITALS = re.compile(r"^(?:[A-Z]+(?=[A-Z][a-z])|[A-Z])")
_CLOCK = re.compile(r"(\d{1,2})[:.]?(\d{2})(?:[:.]?(\d{2}))?")
_DAY = re.compile(r"(\d{4})[-/.]?(\d{2})[-/.]?(\d{2})")


def parse_json(body: bytes, who: str, also: str = "utf-8") -> Any:
    """The JSON of a body; ValueError with one clear line where it is none. It is in a UTF, or in the encoding that
    this carrier `also` writes; bytes of any other within it cost the words that they are in and not the rest."""
    try:
        try:
            return json.loads(body)
        except UnicodeDecodeError:
            return json.loads(body.decode(also, errors="replace"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{who}: this is not JSON") from error


def a_map(value: object) -> Map:
    """The object, or an empty one."""
    return value if isinstance(value, dict) else {}


def a_list(value: object) -> Sequence[Any]:
    """The list; one lone object counts as a list of one, anything else as none."""
    if isinstance(value, list):
        return value
    return (value,) if isinstance(value, dict) and value else ()


def maps(value: object) -> Sequence[Map]:
    """The objects of a list."""
    return [v for v in a_list(value) if isinstance(v, dict)]


def a_text(value: object) -> str:
    """A text, trimmed, bounded and sayable; a whole number counts as its digits, anything else as empty."""
    if isinstance(value, str):
        text = value.replace("\x00", "").strip()[:LONGEST]
        # JSON can spell half a character ("\\ud800"), which no encoding can say.
        return text if text.isascii() else text.encode(errors="surrogatepass").decode(errors="replace")
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        return str(int(value))
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < HUGE
    return str(value) if whole else ""


def uncapped(value: Any, deepest: int = 64) -> Any:
    """The same with names that begin small, as APIs of today spell what their XML began with capitals: "Activity"
    is "activity", "GMTDate" is "gmtDate". What is nested deeper than any answer stays as it is."""
    if deepest and isinstance(value, list):
        return [uncapped(v, deepest - 1) for v in value]
    if deepest and isinstance(value, dict):
        return {_begun_small(name): uncapped(v, deepest - 1) for name, v in value.items()}
    return value


@lru_cache(maxsize=1024)
def _begun_small(name: str) -> str:
    return _CAPITALS.sub(lambda found: found[0].lower(), name)


def read_each(parts: Sequence[Any], read: Callable[[Any], Sequence[T]]) -> list[T]:
    """All that `read` finds in the parts of an answer. A part that cannot be read costs itself only; where none can
    the first one's ValueError stands."""
    found: list[T] = []
    faults: list[ValueError] = []
    for part in parts:
        try:
            found += read(part)
        except ValueError as error:
            faults.append(error)
    if faults and not found:
        raise faults[0]
    return found


def first_text(*values: object) -> str:
    """The first of these that says something."""
    return next((text for v in values if (text := a_text(v))), "")


def a_number(value: object) -> int:
    """A whole number, however it was written; 0 where there is none."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,15}", value):
        return int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < HUGE else 0


def a_country(value: object) -> str:
    """ISO 3166 alpha-2 in capitals, or empty."""
    code = a_text(value).upper()
    return _MISSPELT.get(code, code) if code in _COUNTRIES else ""


def country_named(text: str) -> str:
    """ISO 3166 alpha-2 of a country by its English name or its code, also at the end of a place ("MADRID - SPAIN");
    empty where it is none."""
    name = text.rpartition(" - ")[2].strip()
    return a_country(name) or (_named_countries().get(_plain(name), "") if name else "")


@cache
def _named_countries() -> Mapping[str, str]:
    listed = files("tzdata").joinpath("zoneinfo/iso3166.tab").read_text(encoding="utf-8").splitlines()
    named = (line.split("\t") for line in listed if not line.startswith("#"))
    return {_plain(name): code for code, name in named} | _ALSO_CALLED


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold().removeprefix("the ") if c.isalpha())


_ALSO_CALLED = {
    "usa": "US",
    "unitedstatesofamerica": "US",
    "uk": "GB",
    "unitedkingdom": "GB",
    "greatbritain": "GB",
    "england": "GB",
    "peoplesrepublicofchina": "CN",
    "chinapeoplesrepublic": "CN",
    "chinamainland": "CN",
    "mainlandchina": "CN",
    "hongkongsarchina": "HK",
    "macau": "MO",
    "taiwanchina": "TW",
    "southkorea": "KR",
    "republicofkorea": "KR",
    "korearepublicof": "KR",
    "korearepublicofsouthk": "KR",
    "czechia": "CZ",
    "czechrepublicthe": "CZ",
    "russianfederation": "RU",
    "russianfederationthe": "RU",
    "netherlandsthe": "NL",
    "philippinesthe": "PH",
    "irelandrepublicof": "IE",
    "republicofireland": "IE",
    "turkiye": "TR",
    "vietnam": "VN",
    "uae": "AE",
    "slovakrepublic": "SK",
    "moldovarepublicof": "MD",
    "cotedivoire": "CI",
    "ivorycoast": "CI",
    "northmacedonia": "MK",
    "macedonia": "MK",
}
"""Names that carriers give a country beside the one of tzdata's list, letters only."""


def a_moment(value: object) -> datetime | None:
    """A moment with or without offset, in any spelling of `moments`; None where it is none."""
    return moment_of(a_text(value))


def parse_bodies(body: bytes, who: str) -> Any:
    """The JSON of a body, or a list of several that were kept in one file, an object a line."""
    try:
        return parse_json(body, who)
    except ValueError:
        lines = [line for line in body.splitlines() if line.strip()]
        if len(lines) > 1 and all(line.startswith(b"{") for line in lines):
            return [parse_json(line, who) for line in lines]
        raise


def day_and_clock(day: object, clock: object = "") -> str:
    """ISO text of a day (20261124, 2026-11-24, 2026/11/24) and a clock (0905, 090500, 09:05); empty where the
    day is none. A clock that cannot be read leaves the day."""
    found = _DAY.match(a_text(day))
    if found is None:
        return ""
    time = _CLOCK.fullmatch(a_text(clock))
    told = f"T{int(time[1]):02d}:{time[2]}:{time[3] or '00'}" if time else ""
    return f"{found[1]}-{found[2]}-{found[3]}{told}"


def utc(moment: datetime | None) -> datetime | None:
    """The instant, UTC; a moment without offset is no instant."""
    try:
        return moment.astimezone(UTC) if moment is not None and moment.tzinfo is not None else None
    except (OverflowError, ValueError):
        return None


class When(NamedTuple):
    """A scan's time as it was written and as it can be understood; the names are those of `Scan`."""

    raw_time: str
    at: datetime | None
    local: datetime | None
    offset_from: OffsetFrom


def when(written: str, *, iso: str = "", country: str = "", home: str = "") -> When:
    """What a carrier's time says. `iso` is the same in ISO 8601 where `written` is not.

    An offset in the text is explicit; without one the scan's `country` tells where it has a single offset
    that day, else `home`, the IANA zone in which this carrier writes all its times; else it is unknown and
    the instant is the wall clock taken as UTC, up to 14 hours off. A year before our age is a filler and no time.
    """
    moment = a_moment(iso or written)
    if moment is None or moment.year < THIS_AGE[0]:
        return When(written, None, None, OffsetFrom.UNKNOWN)
    if moment.tzinfo is not None:
        at = utc(moment)
        origin = OffsetFrom.EXPLICIT if at is not None else OffsetFrom.UNKNOWN
        if (iso or written).isdecimal():
            # Unix time says no wall clock of its own.
            moment = moment.astimezone(_zone(home, country, moment) or UTC)
        return When(written, at, moment.replace(tzinfo=None), origin)
    zone = _zone(home, country, moment)
    origin = OffsetFrom.CARRIER if home else OffsetFrom.LOCATION
    at = utc(moment.replace(tzinfo=zone)) if zone is not None else None
    if at is None:
        return When(written, moment.replace(tzinfo=UTC), moment, OffsetFrom.UNKNOWN)
    return When(written, at, moment, origin)


def _zone(home: str, country: str, moment: datetime) -> ZoneInfo | None:
    return ZoneInfo(home) if home else zone_of(country, moment.replace(tzinfo=None))


@cache
def _zone_names() -> Mapping[str, tuple[str, ...]]:
    names: dict[str, list[str]] = {}
    for line in files("tzdata").joinpath("zoneinfo/zone.tab").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            country, _, name, *_ = line.split("\t")
            names.setdefault(country, []).append(name)
    # All of China's carriers write Beijing time, wherever the scan was made.
    names["CN"] = ["Asia/Shanghai"]
    return {country: tuple(some) for country, some in names.items()}


@cache
def zones_of_country(country: str) -> tuple[ZoneInfo, ...]:
    """All zones of a country, empty where it is not known."""
    # Only of the countries that are asked for: all the world's zones are twenty megabytes.
    return tuple(ZoneInfo(name) for name in _zone_names().get(country, ()))


def zone_of(country: str, local: datetime) -> ZoneInfo | None:
    """The zone of a country where all of it has one offset at this wall clock; None where it has several."""
    zones = zones_of_country(country)
    try:
        offsets = {local.replace(tzinfo=zone).utcoffset() for zone in zones}
    except (OverflowError, ValueError):
        return None
    return zones[0] if len(offsets) == 1 else None
