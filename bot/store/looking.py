"""The part of the store that the tracker goes through: parcels that are due, and whether their sources answer."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.clock import Clock
from bot.model.parcels import Parcel
from bot.proactive.sighting import Home
from bot.store import keeping, orders, queue, sweep
from bot.store.database import Database


class TrackingDoor:
    """The part of `Store` for looking after parcels."""

    database: Database
    clock: Clock

    async def due_parcels(self, limit: int, serves: sweep.Serves, busy: Collection[int] = ()) -> list[sweep.Due]:
        """Parcels of a source that are due for a look. Whoever looks holds the sweep's lease."""
        return await self.database.view(lambda c: sweep.due(c, self.clock.now(), limit, serves, busy))

    async def looked(self, looks: Sequence[sweep.Looked], news: Sequence[queue.Arrival], now: datetime) -> None:
        """Write down what came of looks, and the news as events of the parcels' own lanes, in one commit."""

        async def work(connection: AsyncConnection) -> None:
            await sweep.looked(connection, looks, now)
            if news:
                await queue.receive(connection, self.database, news, now)

        await self.database.write(work)

    async def calls_left(self, source: str, per_day: int, calls: int, *, live: bool) -> int:
        """How many of `calls` a source's daily budget allows now; they count as made."""
        return await self.database.write(lambda c: sweep.budget(c, self.database, source, per_day, calls, live))

    async def parcels_numbered(self, number: str) -> list[tuple[Parcel, Home]]:
        """Every parcel under this tracking number, and where each goes."""
        async with self.database.read() as connection:
            return await orders.numbered(connection, number)

    async def feed_answered(self, source: str, carriers: Sequence[str]) -> None:
        """A source gave an answer: whatever was said to be down is up."""
        await self.database.write(lambda c: sweep.answered(c, self.database, [source, *carriers], self.clock.now()))

    async def feed_failed(self, source: str, *, silent: bool = True) -> None:
        """A source gave none; from the third failure in a row, or one after a long silence, it is down. Not `silent` is
        one that refused a number: only by refusing everything it is down."""
        now = self.clock.now()
        await self.database.write(lambda c: sweep.failed(c, self.database, source, now, silent=silent))

    async def tracking(self) -> tuple[list[keeping.FeedHealth], list[keeping.CarrierHealth]]:
        """How the sources answer, and how the parcels of each carrier are looked at."""
        async with self.database.read() as connection:
            return await keeping.tracking(connection, self.clock.now())
