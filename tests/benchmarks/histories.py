"""Made-up delivery histories of several shapes, to try defaults on and to test with. Nobody's parcels.

    python tests/benchmarks/histories.py SHAPE ROWS SEED > history.csv

Shapes: market (domestic, growth, heavy tails, weekends, a strike, a sales peak, a drift, informative promises),
restless (the same, every month a sixth faster or slower than the one before), steady, shock (a sudden slow-down of half of the lanes), lanes (new lanes all the time), express (two or three
days), border (few lanes, long and wide, customs).
"""

import math
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

HEADER = "placed_at,handed_at,delivered_at,promised_at,origin,destination,service"
BEGIN = datetime(2024, 1, 1)  # noqa: DTZ001 - a shop's export has no zone


@dataclass(frozen=True)
class Shape:
    """What a history is made of; days and shares."""

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


def rows(shape: Shape, count: int, seed: int) -> Iterator[tuple[datetime, ...]]:
    """placed, handed, delivered, promised (None where unknown), origin, destination, as a generator of rows."""
    rng = random.Random(seed)
    speed, spread, born, share = {}, {}, {}, []
    for lane in range(shape.lanes):
        low, high = shape.median
        speed[lane] = low * (high / low) ** rng.random()
        spread[lane] = shape.spread * rng.uniform(0.7, 1.3)
        born[lane] = rng.uniform(0, shape.days * 0.9) if shape.new_lanes else 0.0
        share.append(rng.paretovariate(0.9))
    sums = list(accumulate(share))
    shocks = [(rng.uniform(0.15, 0.95) * shape.days, rng.uniform(10, 25), rng.uniform(1.25, 1.7), rng.random()) for _ in range(shape.shocks)]
    pace = [1.0]
    for _ in range(shape.days // 30 + 1):
        pace.append(min(max(pace[-1] * math.exp(rng.gauss(0, shape.restless)), 0.5), 2.0))
    total = 0
    while total < count:
        day = shape.days * (rng.random() ** (1.0 / shape.growth))
        lane = rng.choices(range(shape.lanes), cum_weights=sums)[0]
        if born[lane] > day:
            continue
        total += 1
        yield _parcel(shape, rng, day, lane, speed[lane] * pace[int(day // 30)], spread[lane], shocks)


def _parcel(shape: Shape, rng: random.Random, day: float, lane: int, speed: float, spread: float, shocks: list[tuple[float, ...]]) -> tuple[object, ...]:
    placed = BEGIN + timedelta(days=day)
    handed = placed + timedelta(days=min(rng.lognormvariate(0.5, 0.7), 20))
    hidden = rng.gauss(0, 1)
    factor = math.exp(shape.drift * day / shape.days) * (1 + shape.season * max(0.0, math.cos(2 * math.pi * (day - 330) / 365)) ** 4)
    for at, lasts, strength, which in shocks:
        if abs(day - at) < lasts and (lane * 0.618) % 1 < 0.5 + which / 2:
            factor *= strength
    took = speed * factor * math.exp(spread * (shape.informed * hidden + math.sqrt(1 - shape.informed**2) * rng.gauss(0, 1)))
    if rng.random() < shape.tail:
        took *= rng.uniform(1.8, 4.0)
    delivered: datetime | None = handed + timedelta(days=took)
    if shape.weekends and delivered is not None and delivered.weekday() >= 5 and rng.random() < 0.85:
        delivered += timedelta(days=7 - delivered.weekday())
    if rng.random() < shape.lost:
        delivered = None
    promised = placed + timedelta(days=math.ceil(2 + speed * math.exp(1.6 * spread + spread * shape.informed * hidden)))
    origin, destination = f"O{lane % 7}", f"D{lane % 29}"
    return placed, handed, delivered, promised, origin, destination


def main() -> None:
    """Write a history."""
    shape, count, seed = SHAPES[sys.argv[1]], int(sys.argv[2]), int(sys.argv[3])
    print(HEADER)
    for placed, handed, delivered, promised, origin, destination in rows(shape, count, seed):
        end = f"{delivered:%Y-%m-%d %H:%M:%S}" if delivered else ""
        print(f"{placed:%Y-%m-%d %H:%M:%S},{handed:%Y-%m-%d %H:%M:%S},{end},{promised:%Y-%m-%d},{origin},{destination},")


if __name__ == "__main__":
    main()
