"""Calls that come while a commit is under way share the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


Together = Callable[[Sequence[T]], Awaitable[Sequence[R]]]
Turn = Callable[[], Awaitable[None]]


class Group(Generic[T, R]):
    """Runs `work` on all that was asked for meanwhile; each caller gets its own result or error.

    One batch follows the other, each after a `pause` in seconds. Where there is a `turn`, each waits for its own
    instead, and what is asked for until then is in it.
    """

    def __init__(self, work: Together[T, R], turn: Turn | None = None, most: int = 500, pause: float = 0.0) -> None:
        self._work = work
        self._turn = turn
        self._pause = pause
        self._most = most
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
            self._task = asyncio.create_task(self._in_order() if self._turn is None else self._in_turn(self._turn))
        return future

    async def _in_order(self) -> None:
        while self._waiting:
            if self._pause:
                await asyncio.sleep(self._pause)
            await _settle(self._work, self._taken())

    async def _in_turn(self, turn: Turn) -> None:
        await turn()
        batch = self._taken()
        # What comes from now on waits for the next turn while this is at work.
        self._task = asyncio.create_task(self._in_turn(turn)) if self._waiting else None
        await _settle(self._work, batch)

    def _taken(self) -> list[tuple[T, asyncio.Future[R]]]:
        batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        return batch


class Train(Generic[T, R]):
    """Batches that several groups share: whoever waits for a `turn` asks when the next one is put together.

    It leaves when somebody asks for it, or when the patience of one who waits for a turn is over; all who wait are in
    it then. `lock` is held meanwhile.
    """

    def __init__(self, work: Together[T, R], lock: asyncio.Lock) -> None:
        self._work = work
        self._lock = lock
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._turns: list[asyncio.Future[None]] = []
        self._wanted = False
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, item: T) -> R:
        """The result for `item`, after the batch that it was part of."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._start()
        return await future

    async def turn(self, patience: float = 0.0) -> None:
        """Wait until a batch is put together: who asks right after this is in it. For `patience` seconds it is
        waited for others who want one; then one is made for this alone."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._turns.append(future)
        if not patience:
            self._leave()
            await future
            return
        timer = loop.call_later(patience, self._leave)
        try:
            await future
        finally:
            timer.cancel()

    def _leave(self) -> None:
        self._wanted = True
        self._start()

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while self._wanted or self._waiting:
            async with self._lock:
                self._wanted = False
                turns, self._turns = self._turns, []
                for turn in turns:
                    if not turn.done():
                        turn.set_result(None)
                if turns:
                    await asyncio.sleep(0)  # whose turn it is asks now
                batch, self._waiting = self._waiting, []
                if batch:
                    await _settle(self._work, batch)


async def _settle(work: Together[T, R], batch: Sequence[tuple[T, asyncio.Future[R]]]) -> None:
    try:
        results = await work([item for item, _ in batch])
    except Exception as error:
        if len(batch) == 1:
            _tell(batch[0][1], error)
            return
        for one in batch:  # one bad item must not fail its neighbours
            await _settle(work, [one])
        return
    for (_, future), result in zip(batch, results, strict=True):
        if not future.done():
            future.set_result(result)


def _tell(future: asyncio.Future[R], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
