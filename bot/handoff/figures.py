"""What a shop asks of its desk: how many questions, who answered, how fast, why people were needed. Pure.

A *contact* is a buyer's messages until a day of silence. The bot answered it *alone* when no person acted in that
conversation within 72 hours of its beginning; younger contacts are not judged yet. Times run in business hours.
Three counts must be 0: the same words of the bot twice though the buyer said nothing in between, events that were
stored and never handled, and words of the bot that were written while a person spoke.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from bot.model.hours import Hours

SILENCE = timedelta(hours=24)
ALONE = timedelta(hours=72)
BUCKETS: tuple[tuple[str, float], ...] = (
    ("under 15 min", 0.25),
    ("15 min to 1 h", 1),
    ("1 to 4 h", 4),
    ("4 to 8 h", 8),
    ("8 to 24 h", 24),
    ("over 24 h", 1e9),
)
"""Business hours up to which a case belongs to a bucket."""
NO_QUESTION = frozenset({"thanks", "started", "stopped", "help", "language_set", "language_ask", "received", "rated"})
"""Turns by which nobody asked anything."""
TAKES, LEAVES = "took", frozenset({"handed_back", "resolved", "released"})
PERSONAL = frozenset({"took", "reply", "acknowledged", "handed_back", "resolved", "assigned", "moved", "snoozed"})
"""Lines of a history by which a person had a hand in it."""


class Turn(Struct, frozen=True):
    """A turn in which the bot decided something, and by which rules it answered; none where nobody had asked."""

    lane: str
    at: datetime
    rules: tuple[str, ...]


class Step(Struct, frozen=True):
    """A line of a case's history."""

    lane: str
    at: datetime
    what: str
    who: str


class Ticket(Struct, frozen=True):
    """A case's times and why it was opened."""

    kind: str
    opened_at: datetime
    answered_at: datetime | None
    closed_at: datetime | None


class Said(Struct, frozen=True):
    """A message of the bot that left; `words` tells its text from others."""

    lane: str
    words: str
    created_at: datetime


class Heard(Struct, frozen=True):
    """All that figures are made from, of a period. `ratings` are buyers' last words by their case: good or bad."""

    since: datetime
    until: datetime
    parcels: int
    turns: Sequence[Turn] = ()
    steps: Sequence[Step] = ()
    tickets: Sequence[Ticket] = ()
    said: Sequence[Said] = ()
    lost: int = 0
    ratings: Mapping[str, str] = field(default_factory=dict)


class Figures(Struct, frozen=True):
    """The report. Shares are None where there is nothing to divide by."""

    since: datetime
    until: datetime
    parcels: int
    contacts: int
    per_hundred: float | None
    judged: int
    alone: int
    alone_share: float | None
    cases: int
    answered: int
    resolved: int
    first_response: Mapping[str, int]
    resolve: Mapping[str, int]
    first_median_hours: float | None
    reasons: Mapping[str, int]
    duplicates: int
    lost: int
    double_speakers: int
    rated: int = 0
    satisfied: int = 0
    satisfied_share: float | None = None
    by_day: Mapping[date, tuple[int, int]] = field(default_factory=dict)


def figures(heard: Heard, hours: Hours, zone: ZoneInfo, now: datetime) -> Figures:
    """The report of a period, as it is known now."""
    contacts = list(_contacts(heard.turns))
    hands = _hands(heard.steps)
    judged = [(lane, at) for lane, at in contacts if at + ALONE <= now]
    alone = [(lane, at) for lane, at in judged if not any(at <= t < at + ALONE for t in hands.get(lane, ()))]
    first = [_hours(hours, zone, t.opened_at, t.answered_at) for t in heard.tickets if t.answered_at]
    ends = [_hours(hours, zone, t.opened_at, t.closed_at) for t in heard.tickets if t.closed_at]
    return Figures(
        since=heard.since,
        until=heard.until,
        parcels=heard.parcels,
        contacts=len(contacts),
        per_hundred=_share(100 * len(contacts), heard.parcels),
        judged=len(judged),
        alone=len(alone),
        alone_share=_share(len(alone), len(judged)),
        cases=len(heard.tickets),
        answered=len(first),
        resolved=len(ends),
        first_response=_bucketed(first),
        resolve=_bucketed(ends),
        first_median_hours=sorted(first)[len(first) // 2] if first else None,
        reasons=dict(Counter(t.kind for t in heard.tickets).most_common()),
        duplicates=_duplicates(heard),
        lost=heard.lost,
        double_speakers=_double_speakers(heard),
        rated=len(heard.ratings),
        satisfied=(satisfied := sum(said == "good" for said in heard.ratings.values())),
        satisfied_share=_share(satisfied, len(heard.ratings)),
        by_day=_by_day(contacts, set(alone), zone),
    )


def _contacts(turns: Iterable[Turn]) -> Iterable[tuple[str, datetime]]:
    """Where and when each contact began that asked something."""
    latest: dict[str, datetime] = {}
    began: dict[str, datetime] = {}
    asked: set[tuple[str, datetime]] = set()
    for turn in sorted((t for t in turns if t.rules), key=lambda t: t.at):
        last = latest.get(turn.lane)
        if last is None or turn.at - last > SILENCE:
            began[turn.lane] = turn.at
        latest[turn.lane] = turn.at
        if not set(turn.rules) <= NO_QUESTION:
            asked.add((turn.lane, began[turn.lane]))
    return sorted(asked, key=lambda contact: contact[1])


def _hands(steps: Iterable[Step]) -> Mapping[str, list[datetime]]:
    """When a person had a hand in each conversation."""
    hands: dict[str, list[datetime]] = {}
    for step in steps:
        if step.what in PERSONAL and step.who not in {"bot", "buyer", ""}:
            hands.setdefault(step.lane, []).append(step.at)
    return hands


def _hours(hours: Hours, zone: ZoneInfo, start: datetime, end: datetime | None) -> float:
    return hours.between(start, end, zone).total_seconds() / 3600 if end is not None else 0.0


def _bucketed(lengths: Iterable[float]) -> Mapping[str, int]:
    counts = dict.fromkeys((name for name, _ in BUCKETS), 0)
    for length in lengths:
        counts[next(name for name, most in BUCKETS if length < most)] += 1
    return counts


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _duplicates(heard: Heard) -> int:
    """Messages of the bot that left a second time while the buyer said nothing."""
    told: list[tuple[datetime, str, str]] = [(t.at, t.lane, "") for t in heard.turns]
    told += [(s.created_at, s.lane, s.words) for s in heard.said]
    since: dict[str, set[str]] = {}
    twice = 0
    for _, lane, words in sorted(told):
        known = since.setdefault(lane, set())
        if not words:
            known.clear()
            continue
        twice += words in known
        known.add(words)
    return twice


def _double_speakers(heard: Heard) -> int:
    """Messages that the bot wrote while a person spoke, and that left."""
    held = _held(heard.steps, heard.until)
    return sum(any(start < s.created_at < end for start, end in held.get(s.lane, ())) for s in heard.said)


def _held(steps: Iterable[Step], until: datetime) -> Mapping[str, list[tuple[datetime, datetime]]]:
    """From when until when a person spoke, by conversation."""
    spans: dict[str, list[tuple[datetime, datetime]]] = {}
    since: dict[str, datetime] = {}
    for step in sorted(steps, key=lambda s: s.at):
        if step.what == TAKES:
            since.setdefault(step.lane, step.at)
        elif step.what in LEAVES and step.lane in since:
            spans.setdefault(step.lane, []).append((since.pop(step.lane), step.at))
    for lane, start in since.items():
        spans.setdefault(lane, []).append((start, until))
    return spans


def _by_day(
    contacts: Iterable[tuple[str, datetime]], alone: set[tuple[str, datetime]], zone: ZoneInfo
) -> Mapping[date, tuple[int, int]]:
    """Contacts a day, and how many of them the bot answered alone."""
    days: dict[date, tuple[int, int]] = {}
    for contact in contacts:
        day = contact[1].astimezone(zone).date()
        all_of, alone_of = days.get(day, (0, 0))
        days[day] = (all_of + 1, alone_of + (contact in alone))
    return days
