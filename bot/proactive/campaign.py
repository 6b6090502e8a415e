"""A seller's campaign: for whom, when in each buyer's zone, how fast, and when it stops itself. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from msgspec import Struct

from bot.dialog.turn import Dossier
from bot.tracking.vocabulary import terminal

STEP = timedelta(seconds=10)
"""So often a running campaign takes its next buyers."""
ENOUGH = 20
"""Before so many were sent their outcome is chance, and stops nothing."""
TEMPLATES = frozenset(
    {
        *("estimate", "delayed", "order_confirmed", "not_shipped", "shipped", "arrived_country"),
        *("customs_processing", "customs_documents", "customs_duty"),
        *("out_for_delivery", "attempt_failed", "pickup_ready", "pickup_reminder"),
    }
)
"""What can be told of any order: it says nothing of what was told before, nor of a case, and leaves only where it is
so."""
_FILTER = re.compile(r"([a-z]+)\s*(<=|>=|=)\s*(.+)")


class Plan(Struct, frozen=True):
    """What the seller planned. `where` are filters, all of which an order must pass; `at` the minute of the buyer's
    day, `on` the first day it may leave; `rate` buyers a minute; `stop_at` the share of failures, blocks and stops
    among those sent at which it ends by itself."""

    template: str = "estimate"
    where: tuple[str, ...] = ()
    at: int = 10 * 60
    on: date | None = None
    rate: int = 60
    stop_at: float = 0.05


def matches(dossier: Dossier, where: Sequence[str]) -> bool:
    """Whether an order is meant: something of it is still to come, and it passes every filter."""
    order = dossier.order
    open_parcels = [p for p in dossier.parcels if not terminal(p.status, p.cause)]
    if order.cancelled or (dossier.parcels and not open_parcels):
        return False
    return all(_passes(dossier, text) for text in where)


def check(where: Sequence[str]) -> None:
    """Raise ValueError where a filter cannot be read, saying which and what there is."""
    for text in where:
        name, sign, value = _parts(text)
        if sign != "=":
            if name not in _DAYS:
                raise ValueError(f"{text}: only {', '.join(_DAYS)} have an order; write {name}=VALUE")
            try:
                date.fromisoformat(value)
            except ValueError:
                raise ValueError(f"{text}: write the day like 2026-11-24") from None


def _parts(text: str) -> tuple[str, str, str]:
    found = _FILTER.fullmatch(text.strip())
    if found is None or found[1] not in {*_VALUES, *_DAYS}:
        names = ", ".join(sorted({*_VALUES, *_DAYS}))
        raise ValueError(f"{text}: is no filter; write NAME=VALUE or DAY>=2026-11-24, where names are {names}")
    return found[1], found[2], found[3].strip()


_VALUES: Mapping[str, Callable[[Dossier], set[str]]] = MappingProxyType(
    {
        "country": lambda d: {d.order.country},
        "source": lambda d: {d.order.source},
        "number": lambda d: {d.order.number},
        "locale": lambda d: {d.order.locale},
        "carrier": lambda d: {p.carrier for p in d.parcels},
        "status": lambda d: {p.status.value for p in d.parcels},
    }
)
_DAYS: Mapping[str, Callable[[Dossier], date | None]] = MappingProxyType(
    {
        "placed": lambda d: d.order.placed_at.date() if d.order.placed_at else None,
        "promised": lambda d: d.order.promised,
    }
)


def _passes(dossier: Dossier, text: str) -> bool:
    name, sign, value = _parts(text)
    if name in _VALUES:
        wanted = {v.strip().casefold() for v in value.split(",")}
        return any(v.casefold() in wanted for v in _VALUES[name](dossier))
    day = _DAYS[name](dossier)
    if day is None:
        return False
    bound = date.fromisoformat(value)
    return day == bound if sign == "=" else day <= bound if sign == "<=" else day >= bound


def leaves_at(plan: Plan, zone: ZoneInfo, now: datetime, place: int = 0) -> datetime:
    """When the buyer hears it who is the `place`-th of the campaign: at the next planned minute of their day, and so
    much later that no more than `rate` leave in a minute."""
    return _minute(plan, zone, now) + timedelta(minutes=place / plan.rate)


def _minute(plan: Plan, zone: ZoneInfo, now: datetime) -> datetime:
    local = now.astimezone(zone)
    day = max(local.date(), plan.on) if plan.on else local.date()
    clock = time(plan.at // 60, plan.at % 60)
    for ahead in range(3):
        at = datetime.combine(day + timedelta(days=ahead), clock, zone).astimezone(UTC)
        if at >= now:
            return at
    return now


def most(plan: Plan) -> int:
    """How many buyers one step may take."""
    return max(1, round(plan.rate * STEP.total_seconds() / 60))


class Outcome(Struct, frozen=True):
    """How it goes: made (notices), sent, then delivered or read, failed, and how many said stop after it."""

    made: int = 0
    sent: int = 0
    delivered: int = 0
    read: int = 0
    failed: int = 0
    stopped: int = 0


def should_stop(plan: Plan, outcome: Outcome) -> str:
    """Why the campaign ends itself, or empty."""
    if outcome.sent < ENOUGH:
        return ""
    bad = outcome.failed + outcome.stopped
    if bad / outcome.sent < plan.stop_at:
        return ""
    return f"{bad} of {outcome.sent} failed, blocked us or said stop; the rule is {plan.stop_at:.0%}"
