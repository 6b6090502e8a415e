"""In which time zones a buyer may live, by country and postcode. Pure.

`zones.csv` maps the beginnings of postcodes to zones for countries of several; written after the countries' posts'
own lists of postal areas and the zones of tzdata. The longest beginning that fits decides.
"""

import csv
from collections.abc import Mapping
from datetime import datetime
from functools import cache, lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from bot.model.foreign import zones_of_country

MAINLAND: Mapping[str, str] = {
    "CY": "Asia/Nicosia",
    "DE": "Europe/Berlin",
    "MY": "Asia/Kuala_Lumpur",
    "UA": "Europe/Kyiv",
}
"""Countries of several zones where all clocks agree, or nearly everybody lives in one."""

NEARLY_ONE = frozenset({"ES", "NZ", "PT"})
"""Countries with islands of another zone, where a date is told by the mainland's unless the postcode tells."""


@lru_cache(maxsize=4096)
def zones_of(country: str, postcode: str = "") -> tuple[ZoneInfo, ...]:
    """The zones that fit, the likeliest first; all of the country's where the postcode tells nothing; none where the
    country is not known."""
    if country in MAINLAND:
        return (ZoneInfo(MAINLAND[country]),)
    areas = _areas().get(country, {})
    code = "".join(c for c in postcode.upper() if c.isalnum())
    for length in range(min(len(code), 4), 0, -1):
        if (zone := areas.get(code[:length])) is not None:
            return (ZoneInfo(zone),)
    return zones_of_country(country)


def only_zone(country: str, postcode: str, at: datetime) -> ZoneInfo | None:
    """The zone, where all that fit show the same clock at this instant, or nearly everybody lives in one."""
    zones = zones_of(country, postcode)
    one = len(zones) == 1 or country in NEARLY_ONE or len({at.astimezone(zone).utcoffset() for zone in zones}) == 1
    return zones[0] if zones and one else None


@cache
def _areas() -> dict[str, dict[str, str]]:
    areas: dict[str, dict[str, str]] = {}
    with files("bot.model").joinpath("zones.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            areas.setdefault(row["country"], {})[row["postcode"]] = row["zone"]
    return areas
