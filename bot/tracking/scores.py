"""How well windows held: counts that grow prediction by prediction, and what they come to."""

from collections.abc import Sequence
from math import sqrt

from msgspec import Struct

LEVELS = (0.05, 0.1, 0.5, 0.9, 0.95)
"""The quantiles that are scored: the ends of the 90 and the 80 per cent window, and the point estimate."""
PUBLISHED = (0.1, 0.5, 0.9)
"""The levels that a buyer is shown; pinball loss is their mean."""
ENOUGH = 30
"""Fewer predictions than this are no score."""
_Z = 1.96


def pinball(level: float, predicted: float, came: float) -> float:
    """The loss of a quantile: what a miss costs on the side where it should be rare."""
    miss = came - predicted
    return level * miss if miss >= 0 else (level - 1) * miss


def interval(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95 per cent interval of a share. Parcels of one day share their fate, so the truth is wider."""
    if not n:
        return 0.0, 1.0
    share = hits / n
    middle = share + _Z * _Z / (2 * n)
    half = _Z * sqrt(share * (1 - share) / n + _Z * _Z / (4 * n * n))
    return (middle - half) / (1 + _Z * _Z / n), (middle + half) / (1 + _Z * _Z / n)


class Score(Struct):
    """Sums over predictions; days, and counts of parcels. `due80` and `due90` are the shares that the curves
    themselves expected in the windows: whole days seldom hold exactly 80 or 90 per cent."""

    n: int = 0
    in80: int = 0
    in90: int = 0
    later: int = 0
    width80: int = 0
    width90: int = 0
    loss: float = 0.0
    missed: float = 0.0
    due80: float = 0.0
    due90: float = 0.0

    def add(self, days: Sequence[int], came: int, due: tuple[float, float] = (0.8, 0.9)) -> None:
        """One prediction, at `LEVELS`, and the day the parcel came, all counted from the same day."""
        p05, p10, p50, p90, p95 = days
        self.n += 1
        self.due80 += due[0]
        self.due90 += due[1]
        self.in80 += p10 <= came <= p90
        self.in90 += p05 <= came <= p95
        self.later += came > p90
        self.width80 += p90 - p10
        self.width90 += p95 - p05
        self.missed += abs(came - p50)
        self.loss += (pinball(0.1, p10, came) + pinball(0.5, p50, came) + pinball(0.9, p90, came)) / 3

    def told(self) -> dict[str, object]:
        """As plain values. Shares 0 to 1, widths and errors in days, `ci` Wilson's 95 per cent interval."""
        if self.n < ENOUGH:
            return {"n": self.n, "enough": False}
        n = self.n
        return {
            "n": n,
            "enough": True,
            "coverage80": round(self.in80 / n, 4),
            "coverage80_ci": [round(x, 4) for x in interval(self.in80, n)],
            "expected80": round(self.due80 / n, 4),
            "coverage90": round(self.in90 / n, 4),
            "coverage90_ci": [round(x, 4) for x in interval(self.in90, n)],
            "expected90": round(self.due90 / n, 4),
            "width80": round(self.width80 / n, 2),
            "width90": round(self.width90 / n, 2),
            "pinball": round(self.loss / n, 4),
            "mae_p50": round(self.missed / n, 3),
            "later_than_p90": round(self.later / n, 4),
        }


class PromiseScore(Struct):
    """How a promised day did as a single latest date, and how p50 did for the same parcels."""

    n: int = 0
    kept: int = 0
    missed: int = 0
    ours: int = 0

    def add(self, promised: int, p50: int, came: int) -> None:
        """One parcel, all days counted from the same day."""
        self.n += 1
        self.kept += came <= promised
        self.missed += abs(came - promised)
        self.ours += abs(came - p50)

    def told(self) -> dict[str, object]:
        """As plain values."""
        if self.n < ENOUGH:
            return {"n": self.n, "enough": False}
        return {
            "n": self.n,
            "enough": True,
            "kept": round(self.kept / self.n, 4),
            "mae": round(self.missed / self.n, 3),
            "mae_p50": round(self.ours / self.n, 3),
        }


class WarningScore(Struct):
    """Warnings given so many days before the promised day: of parcels that then were late, and of those on time."""

    late: int = 0
    warned: int = 0
    on_time: int = 0
    false: int = 0

    def add(self, warned: bool, late: bool) -> None:
        """One parcel that was open that day."""
        self.late += late
        self.on_time += not late
        self.warned += warned and late
        self.false += warned and not late

    def told(self) -> dict[str, object]:
        """As plain values."""
        if self.late < ENOUGH or self.on_time < ENOUGH:
            return {"late": self.late, "on_time": self.on_time, "enough": False}
        return {
            "late": self.late,
            "on_time": self.on_time,
            "enough": True,
            "late_warned": round(self.warned / self.late, 4),
            "false_warnings": round(self.false / self.on_time, 4),
        }
