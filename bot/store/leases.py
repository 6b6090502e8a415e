"""The right to do a named thing alone, for a time that the database's clock tells."""

from uuid import uuid4

from sqlalchemy import delete

from bot.store.database import NOW, Database
from bot.store.tables import Lease, core


class LeaseDoor:
    """The part of `Store` for what one process alone does: poll an account, sweep a source, learn."""

    database: Database

    async def hold_lease(self, name: str, owner: str, seconds: float) -> bool:
        """Take or renew the right to do a named thing alone; whether we have it."""
        row = core(Lease)
        upsert = self.database.insert(row).values(name=name, owner=owner, lease_until=NOW + seconds)
        upsert = upsert.on_conflict_do_update(
            index_elements=[row.c.name],
            set_={"owner": owner, "lease_until": NOW + seconds},
            # One that ends later than ours would was taken before the machine's clock was put back.
            where=(row.c.owner == owner) | (row.c.lease_until <= NOW) | (row.c.lease_until > NOW + seconds),
        )
        # Read before the commit: SQLite commits nothing while rows of a statement are still to be read.
        return await self.database.write(lambda c: c.scalar(upsert.returning(row.c.owner))) is not None

    async def drop_lease(self, name: str, owner: str) -> None:
        """Let go of a lease."""
        row = core(Lease)
        await self.database.write(lambda c: c.execute(delete(row).where(row.c.name == name, row.c.owner == owner)))


def fresh_owner() -> str:
    """A name for this process that no other has."""
    return uuid4().hex
