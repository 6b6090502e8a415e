"""Work that waits for a network, beside what does not."""

import asyncio
from collections.abc import Awaitable, Callable


class Apart:
    """Runs pieces of work each in a task of its own, `most` at once. A lane is leased for `seconds`: what finds no room
    by then is not begun, for another has the lane."""

    def __init__(self, most: int, seconds: float) -> None:
        self._room = asyncio.Semaphore(most)
        self._seconds = seconds
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def full(self) -> bool:
        """Whether what is begun now has to wait."""
        return self._room.locked()

    def begin(self, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Do this; whoever asked need not wait for it. Raises nothing: `work` sees to its own failures."""
        time = asyncio.get_running_loop().time
        over = time() + self._seconds

        async def run() -> None:
            async with self._room:
                if time() < over:
                    await work()

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def settle(self) -> None:
        """Wait for all that was begun."""
        while self._tasks:
            await asyncio.wait(self._tasks)
