"""How long things like this one take: hierarchical Kaplan-Meier tables (`facts/eta.md` §2-8).

A *span* begins on one day and, perhaps, ends on a later one; days are ordinals of local dates, ages whole days.
For each key a table holds, by age, how much weight left observation and how much of it by ending. Open spans
count as watched (censored), old ones fade, and a key leans on the one before it in its chain with the weight
of `lean` spans. Windows, late risk and stalls are read off the same curve S(t), the share that lasts longer
than t days. Pure, standard library only.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import accumulate, chain, repeat
from operator import add, mul
from typing import NamedTuple

DAYS = 121
"""Ages 0 to 120; what is open longer gets no window and is for people to look at."""
HALF_LIFE = 30.0
LEAN = 10.0
"""K: how many recent spans the parent counts for. 3 and 5 lose about one per cent less on made-up histories
(`tests/benchmarks/histories.py`), and leave less room for a bad month."""
ROOT_LEAN = 1.0
QUANTILES = (0.1, 0.5, 0.9)
KEPT = 300_000
"""So many windows are kept ready, about 90 MB at most; most parcels share theirs with others."""
_TINY = 1e-12

Keys = tuple[str, ...]


class Prior(NamedTuple):
    """What is believed before anything was seen: the ages by which a tenth, half and nine tenths have ended."""

    p10: int = 5
    p50: int = 12
    p90: int = 40


class Span(NamedTuple):
    """One thing watched: its chain of keys from general to particular, its first day, its last or None while open."""

    keys: Keys
    start: int
    end: int | None


class Evidence(NamedTuple):
    """The most particular key of a chain that has seen enough, its place in the chain, how many spans ended there."""

    key: str
    level: int
    ended: int


@lru_cache(maxsize=512)
def prior_hazard(prior: Prior, days: int = DAYS) -> tuple[float, ...]:
    """The piecewise constant hazard whose window at age 0 is exactly the prior's quantiles (§5).

    Equal quantiles are nudged apart by a day; raises ValueError where p10 is negative.
    """
    p10 = prior.p10
    if p10 < 0:
        raise ValueError("a quantile of days cannot be negative")
    p50 = max(prior.p50, p10 + 1)
    p90 = max(prior.p90, p50 + 1)
    early = 1 - 0.9 ** (1 / (p10 + 1))
    middle = 1 - (0.5 / 0.9) ** (1 / (p50 - p10))
    late = 1 - (0.1 / 0.5) ** (1 / (p90 - p50))
    hazards = [early] * (p10 + 1) + [middle] * (p50 - p10) + [late] * max(days - p50 - 1, 0)
    return tuple(hazards[:days])


class Tally:
    """One key's table, as long as the oldest age seen. Weights are relative to the lanes' `base` day; `open` counts
    spans by their first day."""

    __slots__ = ("count", "ended", "left", "open")

    def __init__(self) -> None:
        self.left = array("d")
        self.ended = array("d")
        self.open: dict[int, int] = {}
        self.count = 0

    def end(self, age: int, weight: float) -> None:
        """A span ended at this age."""
        if age >= len(self.left):
            self._reach(age + 1)
        self.left[age] += weight
        self.ended[age] += weight
        self.count += 1

    def leave(self, age: int, weight: float) -> None:
        """A span was last seen at this age, without an end; a negative weight enters it at the next."""
        if age >= len(self.left):
            self._reach(age + 1)
        self.left[age] += weight

    def absorb(self, other: "Tally") -> None:
        """Add all of another's."""
        n = len(other.left)
        if n > len(self.left):
            self._reach(n)
        self.left[:n] = array("d", map(add, self.left, other.left))
        self.ended[:n] = array("d", map(add, self.ended, other.ended))
        for start, count in other.open.items():
            self.open[start] = self.open.get(start, 0) + count
        self.count += other.count

    def _reach(self, length: int) -> None:
        more = array("d", bytes(8 * (length - len(self.left))))
        self.left.extend(more)
        self.ended.extend(more)


class Lanes:
    """The tables of one kind of span, as known before the day `now`.

    `faults` counts spans that ended before they began or had not begun. A fresh one knows its prior only.
    Filled at once by `fit` (in parts: `learn` and `settle`), or day by day with `watch`, `close` and `turn`.
    """

    def __init__(
        self, now: int, prior: Prior | None = None, half_life: float = HALF_LIFE, lean: float = LEAN, days: int = DAYS
    ) -> None:
        self.now = now
        self.prior = prior or Prior()
        self.half_life = half_life
        self.lean = lean
        self.days = days
        self.base = now
        self.faults = 0
        self.tallies: dict[str, Tally] = {}
        self._leaves: dict[Keys, Tally] = {}
        self._weights: dict[int, float] = {}
        self._hazards: dict[tuple[Keys, Prior | None], Sequence[float]] = {}
        self._curves: dict[tuple[Keys, Prior | None], Sequence[float]] = {}
        self._evidence: dict[tuple[Keys, int], Evidence | None] = {}
        self._windows: dict[tuple[Keys, int, tuple[float, ...], Prior | None], tuple[int, ...] | None] = {}

    # ---- what was seen -----------------------------------------------------------------------------------

    def weight(self, start: int) -> float:
        """What a span that began on this day counts for, relative to one of the day `base`."""
        weight = self._weights.get(start)
        if weight is None:
            weight = self._weights[start] = 2.0 ** ((start - self.base) / self.half_life)
        return weight

    def tally(self, key: str) -> Tally:
        """The key's table, made if it is new."""
        tally = self.tallies.get(key)
        if tally is None:
            tally = self.tallies[key] = Tally()
        return tally

    def learn(self, spans: Iterable[Span]) -> None:
        """Take in spans as they are known now, as often as wanted; `settle` makes them count. An end on or after
        `now` is not known yet."""
        leaves, now, last, weight = self._leaves, self.now, self.days - 1, self.weight
        for keys, start, end in spans:
            if start >= now or (end is not None and end < start):
                self.faults += 1
                continue
            tally = leaves.get(keys)
            if tally is None:
                tally = leaves[keys] = Tally()
            if end is None or end >= now:
                tally.open[start] = tally.open.get(start, 0) + 1
                continue
            age = end - start
            tally.end(min(age, last), weight(start))

    def settle(self) -> None:
        """Add what was learned to the keys of its chains: each chain to its last key and to the chain above it."""
        chains, self._leaves = self._leaves, {}
        for length in range(max(map(len, chains), default=0), 0, -1):
            for keys in [k for k in chains if len(k) == length]:
                tally = chains.pop(keys)
                self.tally(keys[-1]).absorb(tally)
                if length > 1:
                    above = keys[:-1]
                    if above not in chains:
                        chains[above] = Tally()
                    chains[above].absorb(tally)
        self.turn(self.now)

    def watch(self, keys: Keys, start: int) -> None:
        """A span has begun."""
        for key in keys:
            opened = self.tally(key).open
            opened[start] = opened.get(start, 0) + 1

    def close(self, keys: Keys, start: int, end: int) -> None:
        """A span that was watched has ended; not before it began."""
        weight = self.weight(start)
        age = min(end - start, self.days - 1)
        for key in keys:
            tally = self.tallies[key]
            tally.open[start] -= 1
            if not tally.open[start]:
                del tally.open[start]
            tally.end(age, weight)

    def turn(self, now: int) -> None:
        """Go on to a later day: what is open has been watched for longer, and the past has faded."""
        self.now = now
        self._hazards.clear()
        self._curves.clear()
        self._evidence.clear()
        self._windows.clear()

    # ---- curves ------------------------------------------------------------------------------------------

    def hazard(self, keys: Keys, prior: Prior | None = None) -> Sequence[float]:
        """The chain's hazard by age (§4). A `prior` of the chain's own counts like a parent, `lean` spans."""
        if not keys:
            return prior_hazard(prior or self.prior, self.days)
        parent = self._hazards.get((keys[:-1], prior))
        if parent is None:
            # Kept for parents alone: there are many more lanes than ways above them.
            parent = self._hazards[keys[:-1], prior] = self.hazard(keys[:-1], prior)
        tally = self.tallies.get(keys[-1])
        return parent if tally is None else self._leaning(tally, parent, rooted=prior is None and len(keys) == 1)

    def _leaning(self, tally: Tally, parent: Sequence[float], *, rooted: bool) -> Sequence[float]:
        left = tally.left.tolist() + [0.0] * (self.days - len(tally.left))
        for start, count in tally.open.items():
            age = self.now - 1 - start
            if age >= 0:
                left[min(age, self.days - 1)] += count * self.weight(start)
        # Weights stand relative to the base day; the parent's spans are of today.
        lean = (ROOT_LEAN if rooted else self.lean) * 2.0 ** ((self.now - self.base) / self.half_life)
        risk = list(accumulate(reversed(left)))
        risk.reverse()
        ended = chain(tally.ended, repeat(0.0))
        return array("d", [(e + lean * h) / (r + lean) for e, h, r in zip(ended, parent, risk, strict=False)])

    def curve(self, keys: Keys, prior: Prior | None = None) -> Sequence[float]:
        """Minus S by age, which rises and can so be searched. S of the last age is 0."""
        found = self._curves.get((keys, prior))
        if found is not None:
            return found
        # A sum of fading weights can miss 1 by a rounding; `min` in a loop this hot costs as much as the rest.
        lasting = [1.0 - h if h < 1.0 else 0.0 for h in self.hazard(keys, prior)]
        curve = self._curves[keys, prior] = array("d", [-alive for alive in accumulate(lasting, mul)])
        curve[-1] = 0.0
        return curve

    def survival(self, keys: Keys, age: int, prior: Prior | None = None) -> float:
        """S(age): the share that lasts longer than so many days; 1 before the beginning."""
        if age < 0:
            return 1.0
        return -self.curve(keys, prior)[min(age, self.days - 1)]

    def evidence(self, keys: Keys, enough: int) -> Evidence | None:
        """What the answer for this chain mainly rests on, None where no key has seen `enough`."""
        try:
            return self._evidence[keys, enough]
        except KeyError:
            found = self._evidence[keys, enough] = self._most_particular(keys, enough)
            return found

    def _most_particular(self, keys: Keys, enough: int) -> Evidence | None:
        for level in range(len(keys) - 1, -1, -1):
            tally = self.tallies.get(keys[level])
            if tally is not None and tally.count >= enough:
                return Evidence(keys[level], level, tally.count)
        return None

    # ---- questions ---------------------------------------------------------------------------------------

    def window(
        self, keys: Keys, age: int, qs: tuple[float, ...] = QUANTILES, prior: Prior | None = None
    ) -> tuple[int, ...] | None:
        """The ages by which those shares of what is still open at `age` will have ended (§6), never before `age`.

        None where it is open for longer than the tables reach.
        """
        key = (keys, age, qs, prior)
        try:
            return self._windows[key]
        except KeyError:
            if len(self._windows) >= KEPT:
                self._windows.clear()
            found = self._windows[key] = self._window(keys, age, qs, prior)
            return found

    def _window(self, keys: Keys, age: int, qs: tuple[float, ...], prior: Prior | None) -> tuple[int, ...] | None:
        if age >= self.days:
            return None
        age = max(age, 0)
        curve = self.curve(keys, prior)
        alive = -curve[age - 1] if age else 1.0
        # The last age is always an end: its S is 0. The tolerance is relative, as the facts want it.
        alive = max(alive, _TINY) * (1 + 1e-9)
        return tuple([bisect_left(curve, (q - 1) * alive, age) for q in qs])

    def share(self, keys: Keys, age: int, first: int, last: int, prior: Prior | None = None) -> float:
        """The share of what is open at `age` that the curve expects to end on the ages `first` to `last`."""
        alive = max(self.survival(keys, age - 1, prior), _TINY)
        return (self.survival(keys, first - 1, prior) - self.survival(keys, last, prior)) / alive

    def late_risk(self, keys: Keys, age: int, promised: int, prior: Prior | None = None) -> float | None:
        """P(not ended by the age `promised` | open at `age`) (§7); None where the tables do not reach so far."""
        if promised < age:
            return 1.0
        if promised >= self.days - 1 or age >= self.days:
            return None
        alive = max(self.survival(keys, age - 1, prior), _TINY)
        return min(1.0, self.survival(keys, promised, prior) / alive)

    def borne(self, keys: Keys, alpha: float, prior: Prior | None = None) -> int:
        """The first age by whose end all but `alpha` have ended."""
        return bisect_left(self.curve(keys, prior), -alpha)

    def stalled(self, keys: Keys, quiet: int, alpha: float, prior: Prior | None = None) -> bool:
        """Whether all but `alpha` of spans like this have ended by the end of day `quiet` (§8)."""
        return self.survival(keys, quiet, prior) <= alpha


def fit(
    spans: Iterable[Span],
    now: int,
    prior: Prior | None = None,
    half_life: float = HALF_LIFE,
    lean: float = LEAN,
    days: int = DAYS,
) -> Lanes:
    """The tables by all spans, in one pass. An end on or after `now` is not known yet."""
    lanes = Lanes(now, prior, half_life, lean, days)
    lanes.learn(spans)
    lanes.settle()
    return lanes
