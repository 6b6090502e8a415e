"""What this shop has learned of how long parcels take: fitted once a business day, kept in the database for all."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import structlog

from bot.model.clock import Clock
from bot.store import Store
from bot.store.leases import fresh_owner
from bot.tracking.eta import Tables
from bot.tracking.learning import Learner, Lesson

PAGE = 20
"""Lessons read and learned at once: 2 ms, which nobody who writes notices."""
HISTORY = timedelta(days=365)
"""Older parcels weigh nothing; carriers' dates fade slower than journeys."""
LEASE, LEASE_SECONDS = "forecast", 120.0

log = structlog.get_logger()

Pause = Callable[[], Awaitable[object]]


async def no_pause() -> None:
    """Let others run, and go on at once."""
    await asyncio.sleep(0)


class Forecast:
    """The tables in memory. `tables` is replaced as a whole, so that who holds it sees one day's knowledge."""

    def __init__(self, store: Store, clock: Clock, home: str, timezone: str) -> None:
        self.store = store
        self.clock = clock
        self.home = home
        self.timezone = timezone
        self.tables = Tables()
        self._owner = fresh_owner()

    @property
    def known(self) -> bool:
        """Whether anything was learned, be it that there is nothing to learn from."""
        return self.tables.on != date.min

    async def refresh(self, pause: Pause = no_pause) -> bool:
        """Take over what another process, or this one before its last stop, has learned; learn anew where the shop's
        business day has changed and nobody else is at it. Whether the tables are others now."""
        before, today = self.tables, self.clock.now().astimezone(ZoneInfo(self.timezone)).date()
        if before.on != today:
            await self._take_over(today)
        if self.tables.on != today and await self._alone():
            await self.refit(pause)
        return self.tables is not before

    async def refit(self, pause: Pause = no_pause) -> None:
        """Learn everything anew, with a pause after each page."""
        learner = Learner(self.clock.now(), self.home, self.timezone)
        renew = asyncio.get_running_loop().time() + LEASE_SECONDS / 3
        try:
            async for lessons in self.lessons():
                learner.learn(lessons)
                await pause()
                if asyncio.get_running_loop().time() > renew:
                    await self._alone()
                    renew += LEASE_SECONDS / 3
            self.tables = learner.tables()
            await self.store.keep_learned(self.tables)
        finally:
            await self.store.drop_lease(LEASE, self._owner)
        log.info("forecast.refit", lessons=learner.count, on=str(self.tables.on))

    async def lessons(self) -> AsyncIterator[Sequence[Lesson]]:
        """All that is young enough to teach something, in pages."""
        async for page in self.store.lessons(self.clock.now() - HISTORY, PAGE):
            yield page

    async def _take_over(self, today: date) -> None:
        kept = await self.store.learned()
        if kept is not None and self.tables.on < kept.on <= today:
            self.tables = kept

    async def _alone(self) -> bool:
        return await self.store.hold_lease(LEASE, self._owner, LEASE_SECONDS)
