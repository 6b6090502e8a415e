"""How many lanes a worker takes at once: few while buyers write, many of those in which nobody waits for an answer."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bot.ports import Item
from bot.store.queue import Claim, Waiting
from bot.worker import LANES, UNASKED_LANES, Worker


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


def test_what_is_told_unasked_is_taken_in_large_parts_and_answers_in_small_ones() -> None:
    async def run() -> None:
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

    asyncio.run(run())


def test_the_rest_of_a_backlog_ends_the_large_parts() -> None:
    async def run() -> None:
        backlog = Backlog()
        worker = worker_of(backlog)
        backlog.left = LANES + 3
        assert [await worker.work_once() for _ in range(3)] == [LANES, 3, 0]
        assert backlog.asked == [LANES, UNASKED_LANES, LANES]

    asyncio.run(run())
