"""Made-up delivery histories of several shapes, to try defaults on and to test with. Nobody's parcels.

    python tests/benchmarks/histories.py SHAPE ROWS SEED > history.csv

Shapes: market (domestic, growth, heavy tails, weekends, a strike, a sales peak, a drift, informative promises),
restless (the same, every month a sixth faster or slower than the one before), steady, shock (slow-downs of half of
the lanes), lanes (new lanes all the time), express (two or three days), border (few lanes, long and wide).
"""

import math
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import NamedTuple

HEADER = "placed_at,handed_at,delivered_at,promised_at,origin,destination,service"
BEGIN = datetime(2024, 1, 1)  # noqa: DTZ001 - a shop's export has no zone


@dataclass(frozen=True)
class Shape:
    """What a history is made of; days and shares. `informed` is how much of a parcel's luck its promise knew."""

    days: int = 600
    lanes: int = 150
    median: tuple[float, float] = (5.0, 16.0)
    spread: float = 0.42
    tail: float = 0.03
    growth: float = 3.0
    weekends: bool = True
    season: float = 0.0
    drift: float = 0.0
    shocks: int = 0
    new_lanes: bool = False
    informed: float = 0.5
    lost: float = 0.012
    restless: float = 0.0


SHAPES = {
    "market": Shape(season=0.25, drift=-0.3, shocks=2),
    "restless": Shape(median=(3.5, 17.0), spread=0.5, tail=0.04, restless=0.16, season=0.2),
    "steady": Shape(growth=1.0, informed=0.0),
    "shock": Shape(shocks=5, season=0.1),
    "lanes": Shape(lanes=1500, new_lanes=True, growth=2.0),
    "express": Shape(median=(1.5, 4.0), spread=0.35, lanes=60),
    "border": Shape(median=(9.0, 30.0), spread=0.5, tail=0.08, lanes=25, informed=0.0, weekends=False),
}


class Row(NamedTuple):
    """One parcel; `delivered` is None for those that never came."""

    placed: datetime
    handed: datetime
    delivered: datetime | None
    promised: datetime
    origin: str
    destination: str


class Shock(NamedTuple):
    """A time in which some lanes are slower."""

    at: float
    lasts: float
    strength: float
    share: float

    def slows(self, lane: int, day: float) -> bool:
        """Whether it meets this lane on this day."""
        return abs(day - self.at) < self.lasts and (lane * 0.618) % 1 < self.share


class World:
    """The lanes of a history and what befalls them."""

    def __init__(self, shape: Shape, seed: int) -> None:
        self.shape, self.rng = shape, random.Random(seed)
        rng, (low, high) = self.rng, shape.median
        self.speed = [low * (high / low) ** rng.random() for _ in range(shape.lanes)]
        self.spread = [shape.spread * rng.uniform(0.7, 1.3) for _ in range(shape.lanes)]
        self.born = [rng.uniform(0, shape.days * 0.9) if shape.new_lanes else 0.0 for _ in range(shape.lanes)]
        self.shares = list(accumulate(rng.paretovariate(0.9) for _ in range(shape.lanes)))
        self.shocks = [
            Shock(
                rng.uniform(0.15, 0.95) * shape.days, rng.uniform(10, 25), rng.uniform(1.25, 1.7), rng.uniform(0.5, 1)
            )
            for _ in range(shape.shocks)
        ]
        self.pace = [1.0]
        for _ in range(shape.days // 30 + 1):
            self.pace.append(min(max(self.pace[-1] * math.exp(rng.gauss(0, shape.restless)), 0.5), 2.0))

    def rows(self, count: int) -> Iterator[Row]:
        """So many parcels, in no order."""
        made = 0
        while made < count:
            day = self.shape.days * (self.rng.random() ** (1.0 / self.shape.growth))
            lane = self.rng.choices(range(self.shape.lanes), cum_weights=self.shares)[0]
            if self.born[lane] <= day:
                made += 1
                yield self._parcel(day, lane)

    def _parcel(self, day: float, lane: int) -> Row:
        shape, rng, speed, spread = self.shape, self.rng, self.speed[lane], self.spread[lane]
        placed = BEGIN + timedelta(days=day)
        handed = placed + timedelta(days=min(rng.lognormvariate(0.5, 0.7), 20))
        known, luck = rng.gauss(0, 1), rng.gauss(0, 1)
        mixed = shape.informed * known + math.sqrt(1 - shape.informed**2) * luck
        took = speed * self._factor(day, lane) * math.exp(spread * mixed)
        if rng.random() < shape.tail:
            took *= rng.uniform(1.8, 4.0)
        delivered = handed + timedelta(days=took)
        if shape.weekends and delivered.weekday() >= 5 and rng.random() < 0.85:
            delivered += timedelta(days=7 - delivered.weekday())
        promise = math.ceil(2 + speed * math.exp(1.6 * spread + spread * shape.informed * known))
        return Row(
            placed,
            handed,
            None if rng.random() < shape.lost else delivered,
            placed + timedelta(days=promise),
            f"O{lane % 7}",
            f"D{lane % 29}",
        )

    def _factor(self, day: float, lane: int) -> float:
        season = max(0.0, math.cos(2 * math.pi * (day - 330) / 365)) ** 4
        factor = self.pace[int(day // 30)] * math.exp(self.shape.drift * day / self.shape.days)
        factor *= 1 + self.shape.season * season
        for shock in self.shocks:
            if shock.slows(lane, day):
                factor *= shock.strength
        return factor


def main() -> None:
    """Write a history."""
    world = World(SHAPES[sys.argv[1]], int(sys.argv[3]))
    print(HEADER)
    for row in world.rows(int(sys.argv[2])):
        end = f"{row.delivered:%Y-%m-%d %H:%M:%S}" if row.delivered else ""
        print(
            f"{row.placed:%Y-%m-%d %H:%M:%S},{row.handed:%Y-%m-%d %H:%M:%S},{end},{row.promised:%Y-%m-%d},"
            f"{row.origin},{row.destination},"
        )


if __name__ == "__main__":
    main()
