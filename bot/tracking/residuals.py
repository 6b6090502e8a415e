"""How wrong the carrier's own dates are: their learned error, in days (`facts/eta.md` §9).

The same tables as for journeys: age 0 lies `BEFORE` days before the given date, so that age = delivered - given
+ BEFORE. A parcel is at risk from the day the date was said; what is still open counts as watched, and a window
holds what is still open today. One date a parcel is learned from, the last that was said.
"""

from collections.abc import Iterable
from typing import NamedTuple

from bot.tracking.survival import Keys, Lanes, Prior

BEFORE, AFTER = 30, 60
HALF_LIFE, LEAN = 180.0, 20.0
BELIEVED = Prior(BEFORE - 1, BEFORE, BEFORE + 3)
"""With nothing learned: a day early to three days late. A judgement, not a measurement."""


class Given(NamedTuple):
    """A date that a carrier gave: its chain, the day it was said, the date itself, the delivery or None."""

    keys: Keys
    said: int
    date: int
    end: int | None


def chain(carrier: str, destination: str) -> Keys:
    """From all carriers to this one's dates for this country."""
    keys: Keys = ("",)
    if carrier:
        keys += (carrier,)
        if destination:
            keys += (f"{carrier}:{destination}",)
    return keys


class Residuals:
    """The learned error of given dates, as known before the day `now`."""

    def __init__(self, now: int) -> None:
        self.lanes = Lanes(now, BELIEVED, HALF_LIFE, LEAN, BEFORE + AFTER + 1)

    def learn(self, given: Iterable[Given]) -> None:
        """Take in dates that were given; what was said or came on or after `now` is not known yet."""
        lanes, now = self.lanes, self.lanes.now
        for keys, said, date, end in given:
            start = date - BEFORE
            last = min((now - 1 if end is None or end >= now else end) - start, lanes.days - 1)
            entry = max(said - start, 0)
            if said >= now or last < entry:
                lanes.faults += 1
                continue
            known = end is not None and end < now
            weight = lanes.weight(end if known and end is not None else now - 1)
            for key in keys:
                tally = lanes.tally(key)
                if known:
                    tally.end(last, weight)
                else:
                    tally.leave(last, weight)
                if entry:
                    # Nobody watched it before the date was said: it is not at risk there.
                    tally.leave(entry - 1, -weight)


def fit(given: Iterable[Given], now: int) -> Residuals:
    """Learn from all dates that were given."""
    fitted = Residuals(now)
    fitted.learn(given)
    return fitted
