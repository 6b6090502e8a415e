"""The open cases in memory, as the inbox looks through them. Pure.

Every stream and page reads from one `Board`. It is sorted once after each change, and what changed is counted anew,
so that two hundred people who look at it cost little more than one.
"""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from operator import itemgetter
from typing import NamedTuple
from urllib.parse import urlencode

from msgspec import Struct, field

from bot.model.cases import Case, CaseState
from bot.model.conversations import BOT, QUEUE
from bot.store.desk import CaseLine

ROWS = 50
SOON = timedelta(minutes=20)
VIEWS = ("open", "mine", "waiting", "late", "snoozed", "resolved")
"""`waiting` has nobody yet, `late` a promise that is broken."""
PERSON = "staff:"
JUDGED = timedelta(seconds=15)
"""So often it is judged anew which promises are late."""


class Look(Struct, frozen=True):
    """What somebody wants to see of the inbox. `said` are the cases in whose conversations the words were found."""

    view: str = "open"
    queue: str = ""
    channel: str = ""
    words: str = ""
    page: int = 0
    said: frozenset[int] = frozenset()

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> "Look":
        """From an address; whatever is not understood is left out."""
        view, page = query.get("view", "open"), query.get("page", "0")
        return cls(
            view=view if view in VIEWS else "open",
            queue=query.get("queue", "")[:60],
            channel=query.get("channel", "")[:30],
            words=" ".join(query.get("q", "").split())[:80],
            page=int(page) if page.isdecimal() and len(page) < 5 else 0,
        )

    def address(self, **other: object) -> str:
        """As a query, with other values in place of these."""
        mine = {"view": self.view, "queue": self.queue, "channel": self.channel, "q": self.words, "page": self.page}
        asked = {k: v for k, v in (mine | other).items() if v and (k, v) != ("view", "open")}
        return urlencode(asked)


class Due(Struct, frozen=True):
    """The promise that comes next: which (answer, next, resolve), when, and whether it is late or soon."""

    name: str
    at: datetime
    state: str


def headline(counts: Mapping[str, int]) -> str:
    """How the inbox stands, in two words."""
    for view, words in (("late", "late"), ("waiting", "waiting")):
        if counts[view]:
            return f"{counts[view]} {words}"
    return "Nobody waits" if counts["open"] else "All is answered"


def due(case: Case, now: datetime) -> Due | None:
    """The earliest promise that runs; none while a case sleeps or is over."""
    if case.state in {CaseState.SNOOZED, CaseState.RESOLVED}:
        return None
    answer = case.answer_due if case.answered_at is None else None
    clocks = [(n, at) for n, at in (("answer", answer), ("next", case.next_due), ("resolve", case.resolve_due)) if at]
    if not clocks:
        return None
    name, at = min(clocks, key=lambda clock: clock[1])
    return Due(name, at, "late" if at <= now else "soon" if at - now <= SOON else "calm")


def speaker(line: CaseLine) -> str:
    """Who speaks: a name, `bot` or `queue`."""
    return line.holder.removeprefix(PERSON)


def in_hand(line: CaseLine) -> bool:
    """Whether a person speaks there or said that it is theirs."""
    return line.holder not in {BOT, QUEUE} or line.case.acknowledged_at is not None


class Placed(NamedTuple):
    """A line with what it is sorted by, and what it counts for."""

    rank: tuple[bool, datetime, int, int]
    line: CaseLine
    counted: tuple[str, ...]


class Board(Struct):
    """All open cases, in the order in which they want somebody. `seen` is when the newest of them was touched."""

    placed: dict[int, Placed] = field(default_factory=dict)
    order: list[Placed] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    mine: dict[str, list[CaseLine]] = field(default_factory=dict)
    judged_at: datetime | None = None
    seen: float = 0.0

    def take(self, lines: Iterable[CaseLine], now: datetime) -> set[int]:
        """Take in lines that were touched; the ids of those that really changed."""
        if self.judged_at is None or now - self.judged_at > JUDGED:
            # Time alone makes promises late.
            lines = [*(p.line for p in self.placed.values()), *lines]
            self.placed, self.counts, self.judged_at = {}, Counter(), now
            known = {line.case.id: line for line in lines}
            fresh = {i for i, line in known.items() if line.touched > self.seen}
            for line in known.values():
                self._place(line, now)
            self._sort(known)
            return fresh
        changed = set()
        for line in lines:
            old = self.placed.get(line.case.id)
            if old is not None and old.line.touched == line.touched:
                continue
            if old is not None or line.case.closed_at is None:
                changed.add(line.case.id)
                self._place(line, now)
        if changed:
            self._sort(changed)
        return changed

    def _place(self, line: CaseLine, now: datetime) -> None:
        self.seen = max(self.seen, line.touched)
        old = self.placed.pop(line.case.id, None)
        if old is not None:
            self.counts.subtract(old.counted)
        if line.case.closed_at is not None:
            return
        until = due(line.case, now)
        never = datetime.max.replace(tzinfo=now.tzinfo)
        asleep = line.case.state == CaseState.SNOOZED
        counted = (*_views(line, until), f"queue {line.case.queue}", f"channel {line.channel}")
        rank = (asleep, until.at if until else never, int(line.case.priority), line.case.id)
        self.placed[line.case.id] = Placed(rank, line, counted)
        self.counts.update(counted)

    def _sort(self, changed: Container[int]) -> None:
        kept = [p for p in self.order if p.line.case.id not in changed]
        kept += [p for i, p in self.placed.items() if i in changed]
        kept.sort(key=itemgetter(0))  # nearly sorted already: one pass
        self.order, self.mine = kept, {}
        for _, line, _ in kept:
            speaks = speaker(line) if line.holder.startswith(PERSON) else ""
            for name in {line.case.owner, speaks} - {""}:
                self.mine.setdefault(name, []).append(line)

    def view(self, look: Look, me: str, now: datetime) -> list[CaseLine]:
        """The page that is asked for."""
        first = look.page * ROWS
        return list(islice(self._found(look, me, now), first, first + ROWS))

    def everything(self, look: Look, me: str, now: datetime) -> list[CaseLine]:
        """All pages of what is asked for."""
        return list(self._found(look, me, now))

    def _found(self, look: Look, me: str, now: datetime) -> Iterator[CaseLine]:
        lines: Iterable[CaseLine] = self.mine.get(me, []) if look.view == "mine" else (p.line for p in self.order)
        words = look.words.casefold()
        return (line for line in lines if _wanted(line, look, words, now))

    def tally(self, me: str) -> dict[str, int]:
        """How many cases each view has for this person."""
        return {view: self.counts[view] for view in VIEWS} | {"mine": len(self.mine.get(me, []))}

    def names(self, what: str) -> list[str]:
        """The queues, or the channels, that open cases are in."""
        return sorted(key.split(" ", 1)[1] for key, n in self.counts.items() if n and key.startswith(f"{what} "))


def _views(line: CaseLine, until: Due | None) -> list[str]:
    if line.case.state == CaseState.SNOOZED:
        return ["snoozed"]
    late = until is not None and until.state == "late"
    return ["open", *([] if in_hand(line) else ["waiting"]), *(["late"] if late else [])]


def _wanted(line: CaseLine, look: Look, words: str, now: datetime) -> bool:
    if look.queue and line.case.queue != look.queue:
        return False
    if look.channel and line.channel != look.channel:
        return False
    if words and words not in line.haystack and line.case.id not in look.said:
        return False
    return look.view == "mine" or look.view in _views(line, due(line.case, now) if look.view == "late" else None)
