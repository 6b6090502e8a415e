"""Calls that come while a commit is under way share the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Group(Generic[T, R]):
    """Runs `work` on all that was asked for meanwhile; each caller gets its own result or error.

    `seconds` pass before a batch is taken, where nobody is in a hurry.
    """

    def __init__(
        self, work: Callable[[Sequence[T]], Awaitable[Sequence[R]]], most: int = 500, seconds: float = 0.0
    ) -> None:
        self._work = work
        self._most = most
        self._seconds = seconds
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, item: T) -> R:
        """The result for `item`, after the commit that it shared."""
        return await self._asked(item)

    async def many(self, items: Sequence[T]) -> list[R | Exception]:
        """The results for `items` in their order; an item that failed has its error."""
        asked = [self._asked(item) for item in items]
        found: list[R | Exception] = []
        for future in asked:
            try:
                found.append(await future)
            except Exception as error:
                found.append(error)
        return found

    def _asked(self, item: T) -> asyncio.Future[R]:
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return future

    async def _run(self) -> None:
        while self._waiting:
            if self._seconds:
                await asyncio.sleep(self._seconds)
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            await self._settle(batch)

    async def _settle(self, batch: Sequence[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            results = await self._work([item for item, _ in batch])
        except Exception as error:
            if len(batch) == 1:
                _tell(batch[0][1], error)
                return
            for one in batch:  # one bad item must not fail its neighbours
                await self._settle([one])
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)


def _tell(future: asyncio.Future[R], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
