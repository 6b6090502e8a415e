"""How fast orders that are due are looked at, and what is owed is told: from the watch to the outbox.

    python tests/benchmarks/proactive.py [--orders 1000000] [--owing 0.2] [--rounds 1] [--data DIR]

One process, SQLite with synchronous FULL, a worker with all its loops as `wismo run` starts it. Every order is due, has
a parcel of eight scans and a buyer with a chat who consented, and was told a window that the last look, a day ago,
still found true; of a share of them a scan came since that owes a push. Select, predict, announce, gate, word and
write the outbox. Seeding is not counted, and nothing is sent. Goal: a million orders of which 200,000 owe a push in
60 s and 500 MiB.
"""

import argparse
import asyncio
import gc
import json
import resource
import statistics
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvloop
from msgspec.structs import replace
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.announcer import TOGETHER_SECONDS
from bot.forecast import Forecast
from bot.model.clock import Clock
from bot.model.conversations import Conversation, Proof
from bot.model.messages import Address
from bot.model.orders import Order as OrderValue
from bot.model.parcels import Parcel
from bot.model.tracks import OffsetFrom, Place, Scan, Status, Track
from bot.proactive.announce import Rules, announce
from bot.proactive.expecting import Expectations
from bot.proactive.sighting import Home as Where
from bot.proactive.sighting import sight, watched
from bot.proactive.watching import ParcelTold, Told, Watched
from bot.store import Store, codec
from bot.store.orders import Detail, ParcelState
from bot.store.tables import Buyer, ConsentRow, Order, Outbox, core
from bot.store.tables import Conversation as ConversationRow
from bot.store.tables import Parcel as ParcelRow
from bot.store.watchtables import SightRow, Watch
from bot.tracker import Tracker
from bot.tracking.eta import Tables
from bot.worker import Worker
from tests.house import home

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
NEWS = datetime.fromtimestamp(0, UTC)
"""When an order is due of whose parcel something was heard."""
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
WAYS = (("DE", "50667"), ("FR", "69001"), ("GB", "SW1A"), ("ES", "28001"), ("IT", "00118"))
PAGE = 5_000
FIRST = 900_000_000
"""An id that no order has."""
NOTHING_LEARNED = Tables(NOON.date())
EXPECTED = Expectations(lambda: NOTHING_LEARNED, "CN").at_a_glance
GOAL_SECONDS, GOAL_MIB = 60.0, 500
COURSE = (
    (Status.ACCEPTED, "CN"), (Status.IN_TRANSIT, "CN"), (Status.DEPARTED_ORIGIN, "CN"),
    (Status.ARRIVED_DESTINATION, ""), (Status.CUSTOMS, ""), (Status.IN_TRANSIT, ""), (Status.IN_TRANSIT, ""),
    (Status.IN_TRANSIT, ""),
)  # fmt: skip


def track(n: int, country: str, *, owes: bool) -> Track:
    """Eight scans, a day apart; of a parcel that owes a push the last is that it went out for delivery an hour ago."""
    last = NOON - HOUR if owes else NOON - HOUR - DAY
    steps = [*COURSE[:-1], (Status.OUT_FOR_DELIVERY, "") if owes else COURSE[-1]]
    scans = []
    for k, (status, where) in enumerate(steps):
        at = last - (len(steps) - 1 - k) * DAY
        scans.append(
            Scan(
                f"C{k}", f"Step {k} of the way", at.isoformat(), at, at.replace(tzinfo=None), OffsetFrom.EXPLICIT,
                status, place=Place("Hub", where or country), carrier="china-post", source="bench",
            )
        )  # fmt: skip
    return Track("china-post", f"LX{n:09d}CN", tuple(scans), origin="CN", destination=country, source="bench", at=NOON)


def yesterday(order: Watched, parcel: Parcel, home: Where, *, owes: bool) -> tuple[Told, bytes]:
    """What the look of a day ago left: it knew all scans but the one that is owed today, with which the order has to
    be read."""
    known, at = NOON - 9 * DAY, NOON - DAY
    assert parcel.track is not None
    if owes:
        before = replace(parcel.track, scans=parcel.track.scans[:-1])
        parcel = replace(parcel, status=Status.IN_TRANSIT, track=before)
    said = tuple(f"{what}:{order.order}" for what in ("arrived_country", "customs_processing", "shipped"))
    told = Told(known, ("order_confirmed", *said), {parcel.id: ParcelTold(known)})
    glimpse = sight(parcel, home, at)
    outlook = EXPECTED(order, glimpse, None, at)
    found = announce(order, [glimpse], told, {parcel.id: outlook}, at, Rules())
    return found.told or told, b"" if owes else codec.encode(found.stands)


def rows(n: int, *, owes: bool) -> dict[Any, dict[str, Any]]:
    """One order with all that belongs to it."""
    country, postcode = WAYS[n % len(WAYS)]
    order = OrderValue(str(n), NOON, placed_at=NOON - 10 * DAY, country=country, postcode=postcode, locale="en")
    status = Status.OUT_FOR_DELIVERY if owes else Status.IN_TRANSIT
    parcel = Parcel(
        n, n, "china-post", f"LX{n:09d}CN", status, track=track(n, country, owes=owes), shipped_at=NOON - 9 * DAY
    )
    glance, glimpse = watched(n, order), sight(parcel, Where(country, postcode), NOON)
    told, stands = yesterday(glance, parcel, Where(country, postcode), owes=owes)
    to = Address("test", "shop", f"c{n}")
    proof = Proof("link", NOON + 30 * DAY, order=n)
    chat = Conversation(to, buyer=n, proofs=(proof,), locale="en", last_inbound_at=NOON - 5 * DAY)
    return {
        Buyer: {"id": n, "shop": "Lantern", "key": str(n), "pushes": 0},
        Order: {
            "id": n, "shop": "Lantern", "source": "rest", "number": str(n), "number_key": str(n), "buyer_id": n,
            "updated_at": NOON, "placed_at": order.placed_at, "country": country, "postcode": postcode,
            "detail": codec.encode(Detail(locale="en")), "name": "", "email": "", "phone": "", "phone_e164": "",
            "address": "", "city": "",
        },
        ParcelRow: {
            "id": n, "order_id": n, "carrier": parcel.carrier, "number": parcel.number, "status": status.value,
            "cause": "", "track": codec.encode(ParcelState(parcel.track)), "items": b"",
            "shipped_at": parcel.shipped_at,
        },
        Watch: {
            "order_id": n, "due_at": NEWS if owes else NOON - HOUR, "lease_until": 0.0, "owner": "",
            "glance": codec.encode(glance), "told": codec.encode(told), "footing": stands,
        },
        SightRow: {
            "parcel_id": n, "order_id": n, "glance": codec.encode(glimpse),
        },
        ConversationRow: {
            "lane": f"c/{to}", "channel": to.channel, "account": to.account, "chat": to.chat, "buyer_id": n,
            "holder": "bot", "version": 0, "state": codec.encode(chat), "last_inbound_at": chat.last_inbound_at,
        },
        ConsentRow: {
            "buyer_id": n, "lane": f"c/{to}", "purpose": "parcel_updates", "source": "test", "given": True,
            "at": NOON - 5 * DAY,
        },
    }  # fmt: skip


def like(pattern: dict[Any, dict[str, Any]], of: int, n: int) -> dict[Any, dict[str, Any]]:
    """The rows of another order of the same kind: made from those of order `of`, whose nine digits stand wherever its
    id does. To make each from the start would take ten times as long as to look at it."""
    number, was, now = f"LX{n:09d}CN", str(of), str(n)
    pairs = ((f"LX{of}CN", number), (was, now))

    def put(value: Any) -> Any:
        if type(value) is int:
            return n if value == of else value
        if type(value) is str:
            for old, new in pairs:
                value = value.replace(old, new)
        elif type(value) is bytes:
            for old, new in pairs:
                value = value.replace(old.encode(), new.encode())
        return value

    return {table: {column: put(value) for column, value in row.items()} for table, row in pattern.items()}


async def seed(store: Store, count: int, owing: float) -> None:
    """Fill the tables."""
    every = round(1 / owing) if owing else count + 1
    patterns = {(k, owes): rows(FIRST + k, owes=owes) for k in range(len(WAYS)) for owes in (True, False)}
    for start in range(1, count + 1, PAGE):
        tables: dict[Any, list[dict[str, Any]]] = {}
        for n in range(start, min(start + PAGE, count + 1)):
            # Who owes a push is spread over the ways.
            way, owes = (n // every if n % every == 0 else n) % len(WAYS), n % every == 0
            for table, row in like(patterns[way, owes], FIRST + way, n).items():
                tables.setdefault(table, []).append(row)

        async def write(connection: AsyncConnection, tables: dict[Any, list[dict[str, Any]]] = tables) -> None:
            for table, batch in tables.items():
                await connection.execute(insert(table), batch)

        await store.database.write(write)
        await store.checkpoint()


def settle_memory() -> None:
    """As `wismo run` does before its first event."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


async def finished(store: Store, pushes: int) -> bool:
    """Whether every order was looked at and every push stands in the outbox."""
    watch, outbox = core(Watch), core(Outbox)
    due = select(watch.c.order_id).where(watch.c.due_at <= store.clock.now()).limit(1)
    last = select(func.max(outbox.c.id))
    sent = select(func.count()).select_from(outbox)
    async with store.database.read() as connection:
        if await connection.scalar(due) is not None or int(await connection.scalar(last) or 0) < pushes:
            return False
        return int(await connection.scalar(sent) or 0) >= pushes


async def nothing_old() -> None:
    """The shop is new: nothing is kept too long."""


async def round_(folder: Path, count: int, owing: float) -> dict[str, float]:
    """Seed, then run a worker as `wismo run` does until nothing is left to do; seconds and counts."""
    clock = Clock()
    clock.ahead = NOON - clock.now()
    store = Store(f"sqlite:///{folder / 'wismo.db'}", clock)
    await store.migrate()
    await seed(store, count, owing)
    async with home(store, folder) as house:
        house.announcer.together = TOGETHER_SECONDS
        forecast = Forecast(store, clock, "CN", "Asia/Shanghai")
        forecast.tables = NOTHING_LEARNED
        tracker = Tracker(store, [], clock)
        worker = Worker(store, house.engine, tracker, {}, nothing_old, forecast, [house.announcer.look])
        settle_memory()
        began, cpu = time.perf_counter(), time.process_time()
        working = asyncio.create_task(worker.run())
        while not await finished(store, round(count * owing)):
            await asyncio.sleep(0.5)
        whole, whole_cpu = time.perf_counter() - began, time.process_time() - cpu
        worker.stop()
        await working
    await store.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"whole_s": whole, "cpu_s": whole_cpu, "mib": peak}


async def main() -> None:
    """Print the rounds and their median."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--owing", type=float, default=0.2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--data", type=Path)
    given = parser.parse_args()
    results = []
    for _ in range(given.rounds):
        with TemporaryDirectory(dir=given.data, prefix="wismo-bench-") as folder:
            results.append(await round_(Path(folder), given.orders, given.owing))
        print(json.dumps({k: round(v, 2) for k, v in results[-1].items()}))
    whole = statistics.median(r["whole_s"] for r in results)
    goal = GOAL_SECONDS * given.orders / 1_000_000
    print(
        f"{given.orders:,} orders in {whole:.1f} s (goal {goal:.1f} s), {results[-1]['mib']:.0f} MiB (goal {GOAL_MIB})"
    )


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as `wismo run` does
        runner.run(main())
