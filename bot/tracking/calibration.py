"""Would the windows have held? A rolling origin over a history (`facts/eta.md` §16).

On every day the tables know what had happened before it, and nothing else; every parcel is asked about when it
is handed over and again after 7, 15 and 30 days, if it is still open; what is said is kept until it comes. The
first part of a history is learned from and not scored, nor is its end, where slow parcels have not come yet.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import accumulate
from typing import NamedTuple

from msgspec import Struct, field

from bot.tracking.eta import ENOUGH as SPEAKS
from bot.tracking.eta import chain
from bot.tracking.scores import LEVELS, PromiseScore, Score, WarningScore
from bot.tracking.stall import THETA
from bot.tracking.survival import DAYS, HALF_LIFE, LEAN, Keys, Lanes

AGES = (0, 7, 15, 30)
WARM_UP_DAYS, WARM_UP_SHARE = 60, 0.2
"""Scored from the day on which so many days have passed and this share of the deliveries is known."""
MATURE = 60
"""Parcels of the last so many days, or of the last fifth of a short history, are not scored."""
GLOBAL_DAYS = 60
LONGEST = 730
"""A delivery after more than two years is a slip of a pen."""
FADED = 1000
"""Half-lives after which a journey weighs nothing at all: 2**-1000."""
AHEAD = 3
"""Warnings are judged so many days before the promised day: on the day itself they are no skill."""
COLD = (0, 1, 5, 10, 30)
"""Lanes that have seen fewer than the last of these are young; the others part them into classes."""


class Journey(NamedTuple):
    """One parcel of a history: days as ordinals of local dates, `end` and `promised` None where not known.

    `kind` tells what its clock starts at: "handed", or "placed" where no hand-over is known.
    """

    kind: str
    service: str
    origin: str
    destination: str
    start: int
    end: int | None
    promised: int | None


class Settings(NamedTuple):
    """What the tables are tried with, and the first day that is scored, None for the warm-up's end."""

    half_life: float = HALF_LIFE
    lean: float = LEAN
    first: int | None = None


class Report(Struct):
    """What came of it. `overall`, `months` and `lanes` are of the prediction at hand-over; `by_age` of all.

    `open` counts scored parcels that never came, `silent` those of which nothing could be said, `faults` rows
    that ended before they began, or years after, or of a time that the others are not of. `young` compares lanes of few
    parcels with what their parent would have said.
    """

    first: int = 0
    last: int = 0
    overall: Score = field(default_factory=Score)
    months: defaultdict[str, Score] = field(default_factory=lambda: defaultdict(Score))
    lanes: defaultdict[str, Score] = field(default_factory=lambda: defaultdict(Score))
    by_age: dict[int, Score] = field(default_factory=lambda: {a: Score() for a in AGES})
    everyone: dict[int, Score] = field(default_factory=lambda: {a: Score() for a in AGES})
    promise: PromiseScore = field(default_factory=PromiseScore)
    warnings: WarningScore = field(default_factory=WarningScore)
    young: defaultdict[int, tuple[Score, Score]] = field(
        default_factory=lambda: defaultdict(lambda: (Score(), Score()))
    )
    open: int = 0
    silent: int = 0
    faults: int = 0


class Recent:
    """The plain rival: quantiles of all deliveries of the last sixty days, of those that took at least so long."""

    def __init__(self) -> None:
        self._days = [0] * DAYS
        self._queue: deque[tuple[int, int]] = deque()
        self._said: dict[int, tuple[int, ...]] = {}

    def turn(self, now: int, took: Iterable[int]) -> None:
        """A new day: what was delivered on the day before it, and what is too old by now."""
        self._said.clear()
        for days in took:
            age = min(days, DAYS - 1)
            self._days[age] += 1
            self._queue.append((now - 1, age))
        while self._queue and self._queue[0][0] < now - GLOBAL_DAYS:
            self._days[self._queue.popleft()[1]] -= 1

    def window(self, age: int) -> tuple[int, ...] | None:
        """Its quantiles at `LEVELS`, None where it has seen nothing that took so long."""
        if age not in self._said:
            sums = list(accumulate(self._days[age:]))
            total = sums[-1]
            if not total:
                return None
            self._said[age] = tuple(age + next(i for i, s in enumerate(sums) if s >= q * total) for q in LEVELS)
        return self._said[age]


class _Asked(Struct):
    """A prediction that waits for its parcel."""

    age: int
    days: tuple[int, ...]
    due: tuple[float, float]
    plain: tuple[int, ...] | None
    parent: tuple[int, tuple[int, ...]] | None


def calibrate(history: Sequence[Journey], settings: Settings | None = None) -> Report:
    """Try the windows on a history, day by day."""
    settings = settings or Settings()
    good = _sound(history, settings.half_life)
    report = Report(faults=len(history) - len(good))
    if not good:
        return report
    trial = _Trial(good, settings, report)
    for now in range(trial.begin, trial.end + 1):
        trial.day(now)
    return report


def _sound(history: Sequence[Journey], half_life: float) -> list[Journey]:
    """Without what cannot be: journeys that ended before they began, or years after, and those of a day long after the
    history was written down, or so long before that nothing of it weighs."""
    first, last = _written(history) - FADED * half_life, _written(history) + MATURE
    return [j for j in history if first <= j.start <= last and (j.end is None or 0 <= j.end - j.start <= LONGEST)]


def _written(history: Sequence[Journey]) -> int:
    """The day on which a history was written down; the few events dated later are slips of a pen."""
    days = sorted(d for j in history for d in (j.start, j.end) if d is not None)
    return days[-1 - len(days) // 1000] if days else 0


class _Trial:
    """A history as it unfolds."""

    def __init__(self, history: Sequence[Journey], settings: Settings, report: Report) -> None:
        self.history = history
        self.report = report
        self.keys = [
            chain(j.service, j.origin, j.destination, None if j.promised is None else j.promised - j.start)
            for j in history
        ]
        self.starts, self.ends, self.warn = defaultdict(list), defaultdict(list), defaultdict(list)
        for i, j in enumerate(history):
            self.starts[j.start].append(i)
            if j.end is not None:
                self.ends[j.end].append(i)
        self.begin = min(self.starts)
        self.end = max([*self.starts, *self.ends])
        last = _written(history)
        mature = min(MATURE, max(last - self.begin, 0) // 5)
        report.first = self.first = settings.first or self._warm()
        report.last = self.last = min(last - mature, max(self.starts))
        self.lanes = {k: Lanes(self.begin, None, settings.half_life, settings.lean) for k in {j.kind for j in history}}
        self.recent = {kind: Recent() for kind in self.lanes}
        self.asked: dict[int, list[_Asked]] = defaultdict(list)
        self.warned: dict[int, bool] = {}
        self._plan_warnings()

    starts: defaultdict[int, list[int]]
    ends: defaultdict[int, list[int]]
    warn: defaultdict[int, list[int]]

    def _warm(self) -> int:
        done = sorted(j.end for j in self.history if j.end is not None)
        share = done[int(len(done) * WARM_UP_SHARE)] + 1 if done else self.begin
        return max(self.begin + WARM_UP_DAYS, share)

    def _plan_warnings(self) -> None:
        for i, j in enumerate(self.history):
            if j.promised is not None and j.promised - AHEAD > j.start and self._scored(j):
                self.warn[j.promised - AHEAD].append(i)

    def _scored(self, journey: Journey) -> bool:
        return self.first <= journey.start <= self.last

    def day(self, now: int) -> None:
        """Learn what happened yesterday, then ask about what is open today."""
        self._learn(now)
        for age in AGES:
            for i in self.starts.get(now - age, ()):
                self._ask(i, age, now)
        for i in self.warn.pop(now, ()):
            self._risk(i, now)
        for i in self.ends.get(now, ()):
            self._settle(i)

    def _learn(self, now: int) -> None:
        took: dict[str, list[int]] = {kind: [] for kind in self.lanes}
        for i in self.starts.get(now - 1, ()):
            self.lanes[self.history[i].kind].watch(self.keys[i], now - 1)
        for i in self.ends.get(now - 1, ()):
            j = self.history[i]
            self.lanes[j.kind].close(self.keys[i], j.start, now - 1)
            took[j.kind].append(now - 1 - j.start)
        for kind, lanes in self.lanes.items():
            lanes.turn(now)
            self.recent[kind].turn(now, took[kind])

    def _ask(self, i: int, age: int, now: int) -> None:
        j = self.history[i]
        if not self._scored(j) or (j.end is not None and j.end < now):
            return
        if age == 0 and j.end is None:
            self.report.open += 1
        lanes, keys = self.lanes[j.kind], self.keys[i]
        days = lanes.window(keys, age, LEVELS) if lanes.evidence(keys, SPEAKS) else None
        if days is None:
            self.report.silent += age == 0
            return
        if j.end is not None:
            parent = self._parent(lanes, keys) if age == 0 else None
            due = (lanes.share(keys, age, days[1], days[3]), lanes.share(keys, age, days[0], days[4]))
            self.asked[i].append(_Asked(age, days, due, self.recent[j.kind].window(age), parent))

    def _parent(self, lanes: Lanes, keys: Keys) -> tuple[int, tuple[int, ...]] | None:
        """What the level above a young lane says, with the class of the lane."""
        tally = lanes.tallies.get(keys[-1])
        seen = tally.count if tally is not None else 0
        if len(keys) < 2 or seen >= COLD[-1]:
            return None
        days = lanes.window(keys[:-1], 0, LEVELS)
        return None if days is None else (max(c for c in COLD if c <= seen), days)

    def _risk(self, i: int, now: int) -> None:
        j = self.history[i]
        if j.promised is None or (j.end is not None and j.end < now):
            return
        risk = self.lanes[j.kind].late_risk(self.keys[i], now - j.start, j.promised - j.start)
        if risk is not None:
            self.warned[i] = risk >= THETA
            if j.end is None:
                self.report.warnings.add(self.warned[i], late=True)

    def _settle(self, i: int) -> None:
        j = self.history[i]
        if j.end is None:
            return
        came = j.end - j.start
        for asked in self.asked.pop(i, ()):
            self.report.by_age[asked.age].add(asked.days, came, asked.due)
            if asked.plain is not None:
                self.report.everyone[asked.age].add(asked.plain, came)
            if asked.age == 0:
                self._at_the_start(j, asked, came)
        if i in self.warned and j.promised is not None:
            self.report.warnings.add(self.warned.pop(i), late=j.end > j.promised)

    def _at_the_start(self, j: Journey, asked: _Asked, came: int) -> None:
        report = self.report
        month = date.fromordinal(j.start).strftime("%Y-%m")
        for score in (report.overall, report.months[month], report.lanes[lane_name(j)]):
            score.add(asked.days, came, asked.due)
        if j.promised is not None:
            report.promise.add(j.promised - j.start, asked.days[2], came)
        if asked.parent is not None:
            size, days = asked.parent
            mine, parents = report.young[size]
            mine.add(asked.days, came)
            parents.add(days, came)


def lane_name(j: Journey) -> str:
    """A lane as it is shown: service, from, to, as far as they are known."""
    way = f"{j.origin or '?'}>{j.destination or '?'}"
    return f"{j.service} {way}" if j.service else way


def worst_month(months: Iterable[tuple[str, Score]], enough: int) -> tuple[str, float] | None:
    """The month whose 80 per cent window held least, of those with enough parcels."""
    told: Iterator[tuple[str, float]] = ((m, s.in80 / s.n) for m, s in months if s.n >= enough)
    return min(told, key=lambda pair: pair[1], default=None)
