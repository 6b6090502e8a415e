"""When a buyer may open a dispute about a parcel that did not come, until when, and how soon the seller must answer.

The rules are data (`clocks.csv`), each with its source, its date and how sure it is; schemes change them. Days are
calendar days unless a number ends in b (business days: Monday to Friday, no holidays, so rather early than late).
"""

from collections.abc import Collection
from datetime import date, timedelta
from functools import cache
from typing import NamedTuple

from msgspec import Struct

from bot.tracking.numbers import rows

LEAD = timedelta(days=3)
"""So long before a dispute can be opened staff must know: time for one look at the carrier and one honest message."""
CONFIDENCE = ("scheme", "second-hand", "old")
"""What stands behind a rule: the scheme's own page, somebody who quotes it, an old copy of it."""


PAYMENTS = ("paypal", "visa", "mastercard")
"""Where an order did not come from a marketplace with a scheme of its own, it was paid by one of these."""


class Dates(Struct, frozen=True):
    """What an order's clocks run from, as local dates, None where not known.

    `promised` is what the buyer was told, never our prediction. `disputed` is when a dispute was opened.
    """

    paid: date | None = None
    shipped: date | None = None
    promised: date | None = None
    disputed: date | None = None
    carrier: str = ""

    def day(self, name: str) -> date | None:
        """The date of this name."""
        known: dict[str, date | None] = {
            "paid": self.paid,
            "shipped": self.shipped,
            "promised": self.promised,
            "disputed": self.disputed,
        }
        return known[name]


class Clock(Struct, frozen=True):
    """The first and the last day on which a step can be taken under a scheme. `confidence` as in `CONFIDENCE`."""

    scheme: str
    event: str
    opens: date
    closes: date
    confidence: str


class Deadline(NamedTuple):
    """A day that matters: `what` is opens, closes or answer, of `event` under `scheme`."""

    at: date
    scheme: str
    event: str
    what: str
    confidence: str


class _Rule(NamedTuple):
    scheme: str
    event: str
    carriers: frozenset[str]
    opens: tuple[str, str]
    closes: tuple[str, str]
    latest: tuple[str, str]
    answer: str
    confidence: str


@cache
def _rules() -> tuple[_Rule, ...]:
    return tuple(
        _Rule(
            row["scheme"],
            row["event"],
            frozenset(row["carriers"].split()),
            (row["opens_from"], row["opens_after"]),
            (row["closes_from"], row["closes_after"]),
            (row["latest_from"], row["latest_after"]),
            row["answer"] + ("b" if row["answer_unit"] == "business" else ""),
            row["confidence"],
        )
        for row in rows("clocks.csv")
    )


def schemes() -> tuple[str, ...]:
    """Every scheme that has a clock."""
    return tuple(dict.fromkeys(rule.scheme for rule in _rules()))


def schemes_of(source: str) -> tuple[str, ...]:
    """The schemes under which an order's buyer may turn against the seller, by where the order came from."""
    return (source,) if source in schemes() and source not in PAYMENTS else PAYMENTS


def after(day: date, days: str) -> date:
    """So many days later; business days where the number ends in b."""
    if not days.endswith("b"):
        return day + timedelta(days=int(days))
    left = int(days[:-1])
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < 5
    return day


def clocks(dates: Dates, among: Collection[str]) -> tuple[Clock, ...]:
    """The clocks that run for an order under these schemes; of several rules for a step the first that fits."""
    found: dict[tuple[str, str], Clock] = {}
    for rule in _rules():
        step = (rule.scheme, rule.event)
        if rule.scheme not in among or step in found or (rule.carriers and dates.carrier not in rule.carriers):
            continue
        clock = _clock(rule, dates)
        if clock is not None:
            found[step] = clock
    return tuple(found.values())


def _clock(rule: _Rule, dates: Dates) -> Clock | None:
    opens, closes = dates.day(rule.opens[0]), dates.day(rule.closes[0])
    if opens is None or closes is None:
        return None
    last = after(closes, rule.closes[1])
    latest = dates.day(rule.latest[0]) if rule.latest[0] else None
    if latest is not None:
        last = min(last, after(latest, rule.latest[1]))
    return Clock(rule.scheme, rule.event, after(opens, rule.opens[1]), last, rule.confidence)


def deadlines(dates: Dates, among: Collection[str], today: date) -> tuple[Deadline, ...]:
    """The days from today on that matter under these schemes, soonest first; with an open dispute also by when the
    seller must have answered."""
    found = []
    for clock in clocks(dates, among):
        for what, at in (("opens", clock.opens), ("closes", clock.closes)):
            if at >= today:
                found.append(Deadline(at, clock.scheme, clock.event, what, clock.confidence))
    if dates.disputed is not None:
        for scheme in dict.fromkeys(among):
            answer = answer_by(scheme, dates.disputed)
            if answer is not None and answer >= today:
                rule = next(r for r in _rules() if r.scheme == scheme)
                found.append(Deadline(answer, scheme, "not_received", "answer", rule.confidence))
    return tuple(sorted(found))


def answer_by(scheme: str, disputed: date) -> date | None:
    """By when a seller must have answered a dispute opened on this day, None where the scheme names no time."""
    rule = next((r for r in _rules() if r.scheme == scheme and r.event == "not_received"), None)
    return after(disputed, rule.answer) if rule is not None and rule.answer else None


def near(dates: Dates, among: Collection[str], today: date, lead: timedelta = LEAD) -> Deadline | None:
    """The first dispute that can be opened within `lead` from today, None while there is time.

    Clocks that opened before are no news: a scheme under which a dispute can always be opened never comes near.
    """
    coming = (d for d in deadlines(dates, among, today) if d.what == "opens" and d.event == "not_received")
    return next((d for d in coming if d.at <= today + lead), None)


def last_closing(dates: Dates, among: Collection[str]) -> date | None:
    """The last day on which anybody can open a dispute: until then the evidence is wanted."""
    return max((c.closes for c in clocks(dates, among) if c.event == "not_received"), default=None)
