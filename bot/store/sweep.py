"""Parcels that are due for a look, and whether their sources answer."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import case, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.dialog.turn import Dossier
from bot.store import orders
from bot.store.database import NOW, Database
from bot.store.tables import Feed, Parcel, core

LEASE_SECONDS = 120.0
DOWN_AFTER = 3
"""Failures in a row before a source is said to be down."""

_parcels = core(Parcel)
_feeds = core(Feed)


async def due(connection: AsyncConnection, now: datetime, limit: int) -> list[Dossier]:
    """Lease up to `limit` due parcels, most overdue first; one dossier a parcel."""
    chosen = select(_parcels.c.id).where(_parcels.c.due_at <= now, _parcels.c.lease_until <= NOW)
    chosen = chosen.order_by(_parcels.c.due_at).limit(limit).with_for_update(skip_locked=True)
    taken = await connection.execute(
        update(_parcels)
        .where(_parcels.c.id.in_(chosen))
        .values(lease_until=NOW + LEASE_SECONDS)
        .returning(_parcels.c.id, _parcels.c.order_id)
    )
    ids = {row.id: row.order_id for row in taken}
    found, _, _ = await orders.find(connection, ids=ids.values())
    return [
        Dossier(d.id, d.buyer, d.order, (parcel,)) for d in found.values() for parcel in d.parcels if parcel.id in ids
    ]


async def postpone(connection: AsyncConnection, parcels: Sequence[int], until: datetime) -> None:
    """Give leased parcels back, due again at `until`."""
    await connection.execute(update(_parcels).where(_parcels.c.id.in_(parcels)).values(due_at=until, lease_until=0.0))


async def answered(connection: AsyncConnection, database: Database, sources: Sequence[str], now: datetime) -> None:
    """Note that these sources gave an answer."""
    upsert = database.insert(_feeds)
    upsert = upsert.on_conflict_do_update(
        index_elements=[_feeds.c.source],
        set_={"failures": 0, "down_since": None, "last_ok_at": upsert.excluded.last_ok_at},
    )
    rows = [{"source": s, "failures": 0, "down_since": None, "last_ok_at": now} for s in sorted(set(sources))]
    await connection.execute(upsert, rows)


async def failed(connection: AsyncConnection, database: Database, source: str, now: datetime) -> None:
    """Count a failure; after `DOWN_AFTER` in a row the source is down since now."""
    row = {"source": source, "failures": 1, "down_since": None, "last_ok_at": None}
    upsert = (
        database.insert(_feeds)
        .values(**row)
        .on_conflict_do_update(
            index_elements=[_feeds.c.source],
            set_={
                "failures": _feeds.c.failures + 1,
                "down_since": case(
                    (_feeds.c.down_since.is_not(None), _feeds.c.down_since),
                    (_feeds.c.failures + 1 >= DOWN_AFTER, now),
                    else_=None,
                ),
            },
        )
    )
    await connection.execute(upsert)
