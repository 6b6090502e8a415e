"""What this process has learned of how long parcels take: read from the database once a business day."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

import structlog

from bot.model.clock import Clock
from bot.store import Store
from bot.tracking.eta import Tables
from bot.tracking.learning import Learner, Lesson

PAGE = 200
HISTORY = timedelta(days=365)
"""Older parcels weigh nothing; carriers' dates fade slower than journeys."""

log = structlog.get_logger()


class Forecast:
    """The tables in memory. `tables` is replaced as a whole, so that who holds it sees one day's knowledge."""

    def __init__(self, store: Store, clock: Clock, home: str, timezone: str) -> None:
        self.store = store
        self.clock = clock
        self.home = home
        self.timezone = timezone
        self.tables = Tables()

    async def refresh(self) -> bool:
        """Learn anew where the shop's business day has changed; whether it had."""
        today = self.clock.now().astimezone(ZoneInfo(self.timezone)).date()
        if self.tables.on == today:
            return False
        await self.refit()
        return True

    async def refit(self) -> None:
        """Learn everything anew. The arithmetic runs in a thread: messages do not wait for it."""
        learner = Learner(self.clock.now(), self.home, self.timezone)
        async for lessons in self.lessons():
            await asyncio.to_thread(learner.learn, lessons)
        self.tables = await asyncio.to_thread(learner.tables)
        log.info("forecast.refit", lessons=learner.count, on=str(self.tables.on))

    async def lessons(self) -> AsyncIterator[Sequence[Lesson]]:
        """All that is young enough to teach something, in pages."""
        async for page in self.store.lessons(self.clock.now() - HISTORY, PAGE):
            yield page
