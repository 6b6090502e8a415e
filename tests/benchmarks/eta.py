"""How long it takes to learn from a million spans and to predict a million parcels again, on one core.

    python tests/benchmarks/eta.py [--count N]

CPU time; making the data is not counted. Goals: fit 5 s, predictions 10 s. Half of the parcels are asked about their
journey, half from the stage they are in; one in twenty has a date of its carrier. Some lanes are busier than others.
"""

import argparse
import random
import resource
import time
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate

from bot.model.tracks import Window
from bot.tracking import residuals, survival
from bot.tracking.eta import JOURNEY, Route, Tables, chain, foresee, rest
from bot.tracking.residuals import Given
from bot.tracking.stages import Stage, Whereabouts
from bot.tracking.survival import Span

TODAY = date(2026, 11, 25)
CARRIERS = [f"carrier{n}" for n in range(12)]
COUNTRIES = [f"{a}{b}" for a in "ABCDEFGH" for b in "ABCDE"]


def main() -> None:
    """Measure the CPU time and print it."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--count", type=int, default=1_000_000)
    count = asked.parse_args().count
    rng = random.Random(7)
    lanes = [(c, o, d) for c in CARRIERS for o in ("CN", "HK", "DE", "US") for d in COUNTRIES]
    busy = list(accumulate(rng.paretovariate(1.0) for _ in lanes))
    spans = [span(rng, lane) for lane in rng.choices(lanes, cum_weights=busy, k=count)]
    began = time.process_time()
    fitted = survival.fit(spans, TODAY.toordinal())
    took = time.process_time() - began
    print(f"fit: {len(spans)} spans of {len(lanes)} lanes, {len(fitted.tallies)} tables in {took:.2f} s (goal 5)")
    near = survival.fit(spans[: count // 4], TODAY.toordinal())
    given = [Given(residuals.chain(c, d), *days(rng)) for c, _, d in rng.choices(lanes, k=count // 20)]
    learned = residuals.fit(given, TODAY.toordinal())
    tables = Tables(TODAY, {JOURNEY: fitted, rest(Stage.DESTINATION): near}, learned)
    parcels = [parcel(rng, lane) for lane in rng.choices(lanes, cum_weights=busy, k=count)]
    began = time.process_time()
    told = 0
    for where, route, window in parcels:
        told += foresee(where, route, TODAY, tables, window) is not None
    took = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"predict: {told} of {count} parcels in {took:.2f} s (goal 10), {took / count * 1e6:.1f} us each")
    print(f"peak {peak} MiB, the made-up data included")


def span(rng: random.Random, lane: tuple[str, str, str]) -> Span:
    """One that began in the last 180 days."""
    start = TODAY.toordinal() - rng.randrange(1, 180)
    took = int(rng.lognormvariate(2.3, 0.5))
    promise = rng.randrange(8, 40)
    return Span(chain(*lane, promise), start, start + took if start + took < TODAY.toordinal() else None)


def days(rng: random.Random) -> tuple[int, int, int]:
    """When a date was said, the date, and the delivery."""
    said = TODAY.toordinal() - rng.randrange(20, 300)
    return said, said + 5, said + 5 + rng.randrange(-2, 6)


def parcel(rng: random.Random, lane: tuple[str, str, str]) -> tuple[Whereabouts, Route, Window | None]:
    """One that is on its way."""
    handed = TODAY - timedelta(days=rng.randrange(40))
    near = rng.random() < 0.5
    stage = Stage.DESTINATION if near else Stage.TRANSIT
    entered = TODAY - timedelta(days=rng.randrange(8)) if near else handed
    promised = handed + timedelta(days=rng.randrange(8, 40))
    said = datetime(2026, 11, 28, tzinfo=UTC)
    window = Window(said, said, "x", said) if rng.random() < 0.05 else None
    return Whereabouts(stage, entered, entered, handed), Route(*lane, UTC, promised), window


if __name__ == "__main__":
    main()
