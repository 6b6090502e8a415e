"""How lanes get to their turn: what is handed over, what is left, and who must not wait for whom."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bot import engine as engines
from bot import worker as loops
from bot.dialog.turn import Understanding
from bot.engine import Engine
from bot.forecast import Forecast
from bot.model.tracks import TrackUpdate
from bot.ports import Item
from bot.store import Store
from bot.store.gathering import Gathered
from bot.store.queue import Claim, Waiting
from bot.tracker import Tracker
from bot.worker import LANES, UNASKED_LANES, Worker
from tests.house import Home, home

LONG = 30.0


@pytest.fixture
async def house(store: Store, tmp_path: Path) -> AsyncIterator[Home]:
    async with home(store, tmp_path) as made:
        yield made


class Slow(Engine):
    """An engine that waits before each turn until it is let go."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine.house)
        self.go = asyncio.Event()
        self.turns: list[list[str]] = []

    async def handle(self, claims: Sequence[Claim]) -> None:
        self.turns.append(sorted(claim.lane for claim in claims))
        await self.go.wait()
        await super().handle(claims)


@asynccontextmanager
async def working(house: Home, engine: Engine) -> AsyncIterator[Worker]:
    async def nothing_old() -> None:
        return

    tracker = Tracker(house.store, [], house.clock, lambda source, how: None)
    worker = Worker(
        house.store, engine, tracker, {}, nothing_old, Forecast(house.store, house.clock, "CN", "Asia/Shanghai")
    )
    running = asyncio.create_task(worker.run())
    try:
        await asyncio.sleep(0.1)
        yield worker
    finally:
        worker.stop()
        await running
        house.store.turns = None


async def handled(house: Home, *keys: str) -> None:
    async with asyncio.timeout(LONG / 2):
        for key in keys:
            while not await house.store.handled("wire", key):
                await asyncio.sleep(0.01)


async def test_what_comes_while_others_are_handled_is_in_the_next_turn(
    house: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "POLL_SECONDS", LONG)
    engine = Slow(house.engine)
    async with working(house, engine):
        keys = [await house.hear("hello", "anna")]
        await asyncio.sleep(0.2)
        keys += [await house.hear("hello", chat) for chat in ("bea", "cleo", "dana")]
        engine.go.set()
        await handled(house, *keys)
    lanes = [[lane.rsplit("/", 1)[1] for lane in turn] for turn in engine.turns]
    assert lanes == [["anna"], ["bea", "cleo", "dana"]]


async def test_what_a_person_adds_while_they_are_answered_waits_for_no_clock(
    house: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "POLL_SECONDS", LONG)
    engine = Slow(house.engine)
    async with working(house, engine):
        first = await house.hear("hello")
        await asyncio.sleep(0.2)
        second, other = await house.hear("and my order?"), await house.hear("hello", "bea")
        engine.go.set()
        await handled(house, first, second, other)


async def test_who_asks_a_slow_carrier_delays_nobody(house: Home) -> None:
    answered = asyncio.Event()

    async def look_up(said: Understanding, gathered: Gathered, now: datetime) -> Sequence[TrackUpdate]:
        if "Paket" in said.text:
            await answered.wait()
        return ()

    engine = Engine(replace(house.engine.house, look_up=look_up))
    async with working(house, engine):
        slow = await house.hear("wo ist mein Paket?", "anna")
        quick = await house.hear("where is my order?", "bea")
        await handled(house, quick)
        assert not await house.store.handled("wire", slow)
        later = await house.hear("where is my parcel?", "cleo")
        await handled(house, later)
        answered.set()
        await handled(house, slow)


async def test_who_finds_no_carrier_free_is_answered_from_what_is_known(
    house: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = asyncio.Event()

    async def look_up(said: Understanding, gathered: Gathered, now: datetime) -> Sequence[TrackUpdate]:
        await answered.wait()
        return ()

    monkeypatch.setattr(engines, "SLOW_LANES", 1)
    engine = Engine(replace(house.engine.house, look_up=look_up))
    async with working(house, engine):
        slow = await house.hear("where is my order?", "anna")
        await asyncio.sleep(0.3)
        quick = await house.hear("where is my order?", "bea")
        await handled(house, quick)
        assert not await house.store.handled("wire", slow)
        answered.set()
        await handled(house, slow)


async def test_a_turn_whose_lane_another_has_by_now_is_not_begun(house: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "LEASE_SECONDS", 0.2)
    monkeypatch.setattr(engines, "SLOW_LANES", 1)
    looked: list[str] = []

    async def look_up(said: Understanding, gathered: Gathered, now: datetime) -> Sequence[TrackUpdate]:
        looked.append(said.text)
        await asyncio.sleep(0.5)
        return ()

    engine = Engine(replace(house.engine.house, look_up=look_up))
    for chat in ("anna", "bea"):
        await house.hear("where is my order?", chat)
    await engine.handle(await house.store.claim(10))
    await engine.settle()
    assert len(looked) == 1


class Backlog:
    """Gives as many lanes as are asked for, with an event of `port` in each; remembers how many that was."""

    def __init__(self) -> None:
        self.port = "wismo"
        self.left = 10_000
        self.asked: list[int] = []

    async def claim(self, limit: int) -> list[Claim]:
        self.asked.append(limit)
        found, self.left = min(limit, self.left), max(self.left - limit, 0)
        event = Waiting(1, self.port, Item("k", "c/a/b/c", b""), datetime(2026, 11, 30, tzinfo=UTC), 0)
        return [Claim("c/a/b/c", "token", (event,))] * found

    async def handle(self, claims: Sequence[Claim]) -> None:
        """Done."""


def worker_of(backlog: Any) -> Worker:
    async def nothing() -> None:
        """Nothing is too old."""

    return Worker(backlog, backlog, backlog, {}, nothing, backlog)


async def test_what_is_told_unasked_is_taken_in_large_parts_and_answers_in_small_ones() -> None:
    backlog = Backlog()
    worker = worker_of(backlog)
    await worker.work_once()
    await worker.work_once()
    assert backlog.asked == [LANES, UNASKED_LANES]
    backlog.port = "telegram"
    await worker.work_once()
    backlog.port = "wismo"
    await worker.work_once()
    await worker.work_once()
    assert backlog.asked[3:] == [LANES, LANES], "somebody wrote within the last second"


async def test_the_rest_of_a_backlog_ends_the_large_parts() -> None:
    backlog = Backlog()
    worker = worker_of(backlog)
    backlog.left = LANES + 3
    assert [await worker.work_once() for _ in range(3)] == [LANES, 3, 0]
    assert backlog.asked == [LANES, UNASKED_LANES, LANES]
