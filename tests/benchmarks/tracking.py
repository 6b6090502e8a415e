"""How many tracks a core reads and applies, and how many due parcels a sweep moves on.

    python tests/benchmarks/tracking.py [--parcels 1000000] [--rounds 3] [--data DIR]

`read + apply`: a 17TRACK answer of eight events, from its bytes to a parcel with its next look. `sweep`: due
parcels of one source that has nothing new to tell, selected, compared and moved on, on SQLite with
synchronous FULL, through the tracker and the store as `wismo run` uses them; the source answers from memory.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import insert

from adapters.carriers.seventeentrack import read
from bot.model.clock import Clock
from bot.model.events import Event
from bot.model.parcels import Parcel
from bot.model.tracks import Track, TrackRef
from bot.ports import Capabilities, Item, TrackingSource
from bot.store import Store, codec
from bot.store.orders import ParcelState
from bot.store.sweep import fingerprint
from bot.store.tables import Look, Order
from bot.store.tables import Parcel as ParcelRow
from bot.tracker import Tracker
from bot.tracking.timeline import apply, next_check

NOW = datetime.now(UTC).replace(microsecond=0)
SUBS = ("PickedUp", "Other", "CustomsProcessing", "Departure", "Other", "Arrival", "CustomsReleased", "Other")
GOALS = {"read + apply": 5_000, "sweep": 20_000}


def body(number: str) -> bytes:
    """An answer of 17TRACK about one number."""
    events = [
        {
            "time_iso": (NOW - timedelta(hours=12 * (8 - k))).isoformat(),
            "time_utc": (NOW - timedelta(hours=12 * (8 - k))).isoformat(),
            "time_raw": {"date": None, "time": None, "timezone": None},
            "description": f"Step {k} of the way",
            "location": "Shenzhen" if k < 4 else "Leipzig",
            "stage": None,
            "sub_status": f"InTransit_{sub}",
            "address": {"country": "CN" if k < 4 else "DE"},
        }
        for k, sub in enumerate(SUBS)
    ]
    provider = {"provider": {"key": 3011}, "latest_sync_time": NOW.isoformat(), "events": events[::-1]}
    info = {
        "shipping_info": {"shipper_address": {"country": "CN"}, "recipient_address": {"country": "DE"}},
        "latest_status": {"status": "InTransit", "sub_status": "InTransit_Other"},
        "latest_event": events[-1],
        "time_metrics": {"estimated_delivery_date": {"source": None, "from": None, "to": None}},
        "misc_info": {},
        "tracking": {"providers": [provider]},
    }
    item = {"number": number, "carrier": 3011, "track_info": info}
    return json.dumps({"code": 0, "data": {"accepted": [item], "rejected": []}}).encode()


def read_and_apply(count: int = 5_000) -> float:
    """Tracks a second."""
    bodies = [body(f"LX{n:09d}CN") for n in range(count)]
    began = time.perf_counter()
    for n, raw in enumerate(bodies):
        (track,) = read(raw)
        parcel, _ = apply(Parcel(n, n, "china-post", track.number), track, NOW)
        next_check(parcel, NOW)
    return count / (time.perf_counter() - began)


class Memory(TrackingSource):
    """A source that answers from memory."""

    kind = "memory"
    capabilities = Capabilities(batch=1000, per_second=1e9)

    def __init__(self, track: Track) -> None:
        self._track = track

    async def track(self, refs: Sequence[TrackRef]) -> Sequence[Track | None]:
        return [self._track] * len(refs)

    def decode(self, item: Item) -> Event | None:
        return None


async def sweep(folder: Path, parcels: int) -> Callable[[], Awaitable[float]]:
    """Seed a shop, and a function that sweeps it once and tells rows a second."""
    clock = Clock()
    store = Store(f"sqlite:///{folder / 'sweep.db'}", clock)
    await store.migrate()
    (track,) = read(body("LX000000001CN"))
    blob, heard = codec.encode(ParcelState(track, None)), fingerprint(track, NOW)
    async with store.database._engine.begin() as connection:
        for start in range(1, parcels + 1, 5_000):
            numbers = range(start, min(start + 5_000, parcels + 1))
            order = {"shop": "S", "source": "csv", "updated_at": NOW, "placed_at": NOW, "country": "DE"}
            await connection.execute(
                insert(Order), [order | {"id": n, "number": f"{n}", "number_key": f"{n}"} for n in numbers]
            )
            same = {
                "carrier": "china-post",
                "status": "in_transit",
                "track": blob,
                "shipped_at": NOW,
                "changed_at": NOW,
            }
            await connection.execute(
                insert(ParcelRow), [same | {"id": n, "order_id": n, "number": f"LX{n:09d}CN"} for n in numbers]
            )
            look = {"shop": "S", "carrier": "china-post", "heard": heard, "checked_at": NOW, "asked_at": NOW}
            look |= {"status": "in_transit", "shipped_at": NOW, "changed_at": NOW}
            due = [
                look
                | {"parcel_id": n, "order_id": n, "number": f"LX{n:09d}CN", "due_at": NOW - timedelta(seconds=n % 3600)}
                for n in numbers
            ]
            await connection.execute(insert(Look), due)
    await store.database.checkpoint()
    tracker = Tracker(store, [Memory(track)], clock)

    async def run() -> float:
        began = time.perf_counter()
        done = await tracker.sweep()
        rate = done / (time.perf_counter() - began)
        assert done == parcels, f"{done} of {parcels}"
        assert not (await store.health()).waiting, "an unchanged track made news"
        clock.forward(timedelta(days=1))
        return rate

    return run


async def main() -> None:
    """Run both and print medians beside their goals."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--parcels", type=int, default=100_000)
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--data", type=Path)
    args = ap.parse_args()
    found = {"read + apply": [read_and_apply() for _ in range(args.rounds)]}
    with TemporaryDirectory(dir=args.data) as folder:
        run = await sweep(Path(folder), args.parcels)
        found["sweep"] = [await run() for _ in range(args.rounds)]
    for name, rates in found.items():
        middle = statistics.median(rates)
        ratio = middle / GOALS[name]
        print(f"{name:13} {middle:8.0f}/s ({min(rates):.0f}-{max(rates):.0f})  {ratio:.2f} x the goal of {GOALS[name]}")


if __name__ == "__main__":
    asyncio.run(main())
