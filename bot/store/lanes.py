"""What there is to learn delivery times from: parcels with the part of their order that bears on their way.

Read in pages by the order's id, each page a transaction of its own: a refit takes a while, and nobody waits for it.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.parcels import Parcel
from bot.model.tracks import Status
from bot.store import codec
from bot.store.orders import ParcelState
from bot.store.tables import Order, core
from bot.store.tables import Parcel as ParcelRow
from bot.tracking.learning import Lesson

_orders = core(Order)
_parcels = core(ParcelRow)


@dataclass(frozen=True, slots=True)
class _Detail:
    """What of an order's detail is wanted here."""

    promised: date | None = None
    cancelled: bool = False


async def page(
    connection: AsyncConnection, after: int, since: datetime | None, limit: int
) -> tuple[list[Lesson], int | None]:
    """The lessons of the next `limit` orders after this id, and the id to go on after, None at the end.

    `since` leaves out orders placed, and parcels sent, before it (UTC).
    """
    ids = select(_orders.c.id).where(_orders.c.id > after).order_by(_orders.c.id).limit(limit)
    found = list((await connection.execute(ids)).scalars())
    if not found:
        return [], None
    rows = (
        select(
            _orders.c.country,
            _orders.c.placed_at,
            _orders.c.detail,
            _parcels.c.id,
            _parcels.c.order_id,
            _parcels.c.carrier,
            _parcels.c.number,
            _parcels.c.status,
            _parcels.c.cause,
            _parcels.c.track,
            _parcels.c.shipped_at,
            _parcels.c.changed_at,
        )
        .select_from(_orders.outerjoin(_parcels, _parcels.c.order_id == _orders.c.id))
        .where(_orders.c.id > after, _orders.c.id <= found[-1])
    )
    if since is not None:
        rows = rows.where(func.coalesce(_parcels.c.shipped_at, _orders.c.placed_at, _orders.c.updated_at) >= since)
    return [_lesson(row) for row in await connection.execute(rows)], found[-1] if len(found) == limit else None


def _lesson(row: Any) -> Lesson:
    detail = codec.decode(row.detail, _Detail) if row.detail else _Detail()
    parcel = None
    if row.id is not None:
        state = codec.decode(row.track, ParcelState) if row.track else ParcelState()
        parcel = Parcel(
            row.id,
            row.order_id,
            row.carrier,
            row.number,
            Status(row.status),
            row.cause,
            state.track,
            state.eta,
            shipped_at=row.shipped_at,
            changed_at=row.changed_at,
        )
    return Lesson(parcel, row.country, row.placed_at, detail.promised, detail.cancelled)
