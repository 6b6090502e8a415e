"""A calibration as plain values, with the stable keys that `wismo calibration --json` prints.

history   rows, journeys, scored, first, last (the scored hand-overs), open (never came), silent (no prediction),
          without_start, unreadable, faults (rows left out)
overall   every scored parcel at its hand-over
ages      "0", "7", "15", "30": those still open after so many days, asked again then
months    by month of hand-over; worst_month the one whose 80 per cent window held least, of 100 parcels or more
lanes     by service, origin and destination, most parcels first
baselines global_60_days (and its ages): quantiles of all deliveries of the last 60 days; promise: the promised day
cold_start lanes by how many parcels they had seen when asked: their pinball beside their parent's
warnings  late risk of 0.5 or more, three days before the promised day

A score holds n, enough (false: fewer than 30, and no more is said), coverage80 and coverage90 with Wilson's 95 per
cent interval and what the curves expected of whole days, width80 and width90, pinball (mean of the levels 0.1, 0.5,
0.9), mae_p50, later_than_p90. All in days and shares of 1.
"""

from datetime import date
from typing import Any

from bot.tracking.calibration import COLD, Report, worst_month
from bot.tracking.history import Read
from bot.tracking.scores import ENOUGH, Score

BAD_MONTH = 100
"""A month of fewer parcels is not called the worst."""


def told(read: Read, report: Report) -> dict[str, Any]:
    """All of it."""
    worst = worst_month(report.months.items(), BAD_MONTH)
    lanes = sorted(report.lanes.items(), key=lambda pair: (-pair[1].n, pair[0]))
    return {
        "history": _history(read, report),
        "overall": report.overall.told(),
        "ages": {str(age): score.told() for age, score in report.by_age.items()},
        "months": {month: score.told() for month, score in sorted(report.months.items())},
        "worst_month": {"month": worst[0], "coverage80": round(worst[1], 4)} if worst else None,
        "lanes": {name: score.told() for name, score in lanes},
        "baselines": {
            "global_60_days": report.everyone[0].told()
            | {"ages": {str(age): score.told() for age, score in report.everyone.items()}},
            "promise": report.promise.told(),
        },
        "cold_start": {_class(low): _young(*pair) for low, pair in sorted(report.young.items())},
        "warnings": report.warnings.told(),
    }


def _history(read: Read, report: Report) -> dict[str, object]:
    return {
        "rows": read.rows,
        "journeys": len(read.journeys),
        "scored": report.overall.n,
        "first": date.fromordinal(report.first).isoformat() if report.first else None,
        "last": date.fromordinal(report.last).isoformat() if report.last else None,
        "open": report.open,
        "silent": report.silent,
        "without_start": read.without_start,
        "unreadable": read.unreadable,
        "faults": report.faults,
    }


def _class(low: int) -> str:
    high = COLD[COLD.index(low) + 1] - 1
    return str(low) if low == high else f"{low}-{high}"


def _young(mine: Score, parents: Score) -> dict[str, object]:
    if mine.n < ENOUGH:
        return {"n": mine.n, "enough": False}
    return {
        "n": mine.n,
        "enough": True,
        "pinball": round(mine.loss / mine.n, 4),
        "parent_pinball": round(parents.loss / parents.n, 4),
    }
