"""What carriers publish of their transit times, as the belief before anything was seen (`transit.csv`).

A range becomes quantiles by one rule: its ends are the tenth and the ninetieth percentile in calendar days, its
middle the median. An empty service or origin is any; a destination is a country, a continent, or any.
"""

import re
from functools import cache, lru_cache
from typing import NamedTuple

from bot.tracking.numbers import rows
from bot.tracking.survival import Prior

CONTINENTS = {
    "Asia": "JP KR HK TW MO SG MY TH VN PH ID IN PK BD LK KH LA MM NP MN KZ UZ IL AE SA QA KW TR",
    "America": "US CA MX BR AR CL CO PE EC UY PY BO VE CR PA GT",
    "Europe": "GB IE FR DE IT ES PT NL BE LU AT CH DK SE NO FI IS PL CZ SK HU RO BG GR HR SI EE LV LT MT CY RS UA RU",
}
"""As widely as the published tables mean them."""
_S10 = re.compile(r"([A-Z])[A-Z]\d{9}[A-Z]{2}")


class Row(NamedTuple):
    """One published range; `low` and `high` in calendar days."""

    carrier: str
    service: str
    origin: str
    destination: str
    low: int
    high: int


def service_of(carrier: str, number: str) -> str:
    """What is known of the service: the carrier, and for a postal number its kind (registered, EMS, parcel, …).

    Where the service is not known it is the carrier; empty where that is not known either.
    """
    postal = _S10.fullmatch(number)
    return f"{carrier}/{postal[1]}" if carrier and postal else carrier


def calendar_days(days: int, unit: str) -> int:
    """Business days as calendar days, for a start on no particular weekday: five become seven, rounded outwards."""
    return -(-days * 7 // 5) if unit == "business" else days


@cache
def _table() -> tuple[Row, ...]:
    return tuple(
        Row(
            row["carrier"],
            row["service"],
            row["origin"],
            row["destination"],
            int(row["low"]),
            calendar_days(int(row["high"]), row["unit"]),
        )
        for row in rows("transit.csv")
    )


@lru_cache(maxsize=4096)
def published(service: str, origin: str, destination: str) -> Prior | None:
    """The carrier's published transit time for this way, the most particular there is; None where there is none.

    `service` is the carrier, or the carrier, a slash and the service. Where the service is not known, all that
    the carrier has on this way are possible, from the fastest to the slowest.
    """
    carrier, _, kind = service.partition("/")
    fitting = [
        row
        for row in _table()
        if row.carrier == carrier
        and (not kind or row.service in {"", kind})
        and row.origin in {"", origin}
        and (row.destination in {"", destination} or destination in CONTINENTS.get(row.destination, "").split())
    ]
    if not fitting:
        return None
    best = max(_particular(row, kind) for row in fitting)
    meant = [row for row in fitting if _particular(row, kind) == best]
    low, high = min(row.low for row in meant), max(row.high for row in meant)
    return Prior(low, max((low + high) // 2, low + 1), max(high, low + 2))


def _particular(row: Row, kind: str) -> tuple[int, ...]:
    there = 0 if not row.destination else 1 if row.destination in CONTINENTS else 2
    return (bool(kind and row.service), there, bool(row.origin))
