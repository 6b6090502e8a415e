"""What there is to learn delivery times from, and what was learned.

Lessons are parcels with the part of their order that bears on their way, read in pages by the order's id, each page a
transaction of its own: a refit takes a while, and nobody waits for it. What it learned is one row, for every process
and for the next start.
"""

from array import array
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import structlog
from msgspec import DecodeError, Struct
from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.parcels import Parcel
from bot.model.tracks import Status
from bot.store import codec
from bot.store.database import Database
from bot.store.orders import ParcelState
from bot.store.tables import ForecastRow, Order, core
from bot.store.tables import Parcel as ParcelRow
from bot.tracking.eta import Tables
from bot.tracking.learning import Lesson
from bot.tracking.residuals import Residuals
from bot.tracking.survival import Lanes, Prior, Tally

log = structlog.get_logger()

_orders = core(Order)
_parcels = core(ParcelRow)
_forecast = core(ForecastRow)


class LearningDoor:
    """The part of `Store` that forecasts go through."""

    database: Database

    async def lessons(self, since: datetime | None, limit: int) -> AsyncIterator[list[Lesson]]:
        """Parcels and orders to learn delivery times from, a page at a time; all of them without `since`."""
        after: int | None = 0
        while after is not None:
            read = partial(page, after=after, since=since, limit=limit)
            lessons, after = await self.database.view(read)
            if lessons:
                yield lessons

    async def learned(self) -> Tables | None:
        """The tables that were kept last, None where there are none that this version of the program can read."""
        kept = await self.database.view(lambda c: c.scalar(select(_forecast.c.tables)))
        try:
            return _restored(codec.decode(kept, _Kept)) if kept else None
        except DecodeError:
            return None

    async def keep_learned(self, tables: Tables) -> None:
        """Keep tables in the place of those before."""
        values = {"day": tables.on, "tables": codec.encode(_kept(tables))}
        upsert = self.database.insert(_forecast).values(id=1, **values)
        await self.database.write(lambda c: c.execute(upsert.on_conflict_do_update(index_elements=["id"], set_=values)))


# ---- lessons ---------------------------------------------------------------------------------------------


class _Detail(Struct, frozen=True):
    """What of an order's detail is wanted here."""

    promised: date | None = None
    cancelled: bool = False


async def page(
    connection: AsyncConnection, after: int, since: datetime | None, limit: int
) -> tuple[list[Lesson], int | None]:
    """The lessons of the next `limit` orders after this id, and the id to go on after, None at the end.

    `since` leaves out orders placed, and parcels sent, before it (UTC).
    """
    found = list((await connection.execute(_IDS, {"after": after, "most": limit})).scalars())
    if not found:
        return [], None
    span = {"after": after, "last": found[-1], "since": since or _EVER}
    lessons = [lesson for row in await connection.execute(_ROWS, span) if (lesson := _lesson(row)) is not None]
    return lessons, found[-1] if len(found) == limit else None


_EVER = datetime(1970, 1, 2, tzinfo=UTC)
_IDS = select(_orders.c.id).where(_orders.c.id > bindparam("after")).order_by(_orders.c.id).limit(bindparam("most"))
_ROWS = (
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
    .where(
        _orders.c.id > bindparam("after"),
        _orders.c.id <= bindparam("last"),
        func.coalesce(_parcels.c.shipped_at, _orders.c.placed_at, _orders.c.updated_at) >= bindparam("since"),
    )
)


def _lesson(row: Any) -> Lesson | None:
    try:
        return _read_lesson(row)
    except ValueError as error:
        # It costs its own lesson: raised here nothing would ever be learned, and nothing announced.
        log.warning("lesson.unreadable", parcel=row.id, error=type(error).__name__)
        return None


def _read_lesson(row: Any) -> Lesson:
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


# ---- what was learned ------------------------------------------------------------------------------------


class _KeptTally(Struct, frozen=True):
    left: list[float]
    ended: list[float]
    open: Mapping[int, int]
    count: int


class _KeptLanes(Struct, frozen=True):
    now: int
    base: int
    prior: Prior
    half_life: float
    lean: float
    days: int
    faults: int
    tallies: Mapping[str, _KeptTally]


class _Kept(Struct, frozen=True):
    on: date
    lanes: Mapping[str, _KeptLanes]
    residuals: _KeptLanes


def _kept(tables: Tables) -> _Kept:
    lanes = {kind: _kept_lanes(lanes) for kind, lanes in tables.lanes.items()}
    return _Kept(tables.on, lanes, _kept_lanes(tables.residuals.lanes))


def _kept_lanes(lanes: Lanes) -> _KeptLanes:
    tallies = {k: _KeptTally(t.left.tolist(), t.ended.tolist(), t.open, t.count) for k, t in lanes.tallies.items()}
    return _KeptLanes(
        lanes.now, lanes.base, lanes.prior, lanes.half_life, lanes.lean, lanes.days, lanes.faults, tallies
    )


def _restored(kept: _Kept) -> Tables:
    residuals = Residuals(kept.residuals.now)
    residuals.lanes = _restored_lanes(kept.residuals)
    return Tables(kept.on, {kind: _restored_lanes(lanes) for kind, lanes in kept.lanes.items()}, residuals)


def _restored_lanes(kept: _KeptLanes) -> Lanes:
    lanes = Lanes(kept.now, kept.prior, kept.half_life, kept.lean, kept.days)
    lanes.base, lanes.faults = kept.base, kept.faults
    for key, tally in kept.tallies.items():
        restored = lanes.tallies[key] = Tally()
        restored.left, restored.ended = array("d", tally.left), array("d", tally.ended)
        restored.open, restored.count = dict(tally.open), tally.count
    return lanes
