"""Parcels that are due for a look, what came of looking, each source's budget, and whether sources answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from sqlalchemy import Select, and_, bindparam, case, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.parcels import Parcel
from bot.model.tracks import Status, Track, TrackRef
from bot.store import codec
from bot.store.database import NOW, Database
from bot.store.outbox import advance, machine_now
from bot.store.tables import Feed, Look, Order, core
from bot.store.tables import Parcel as ParcelRow

LEASE_SECONDS = 120.0
DOWN_AFTER = 3
"""Failures in a row before a source is said to be down."""
DAY = 86_400.0
SPREAD, AT_ONCE, RESERVE = 0.6, 0.2, 0.2
"""A day's budget: most of it is spread evenly, a part may go at once, and a part is kept for buyers who ask now."""

_parcels = core(ParcelRow)
_orders = core(Order)
_looks = core(Look)
_feeds = core(Feed)


@dataclass(frozen=True, slots=True)
class Due:
    """A leased parcel that is due for a look: what a source needs to find it, and what was heard last.

    `parcel` has no timeline: what is heard is compared by its fingerprint.
    """

    parcel: Parcel
    ref: TrackRef
    heard: str


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of a look: was it answered, with which fingerprint, and when is the next due (None: never)."""

    parcel_id: int
    due_at: datetime | None
    heard: str
    answered: bool


@dataclass(frozen=True, slots=True)
class Serves:
    """Which carriers' parcels a source is asked about: those named, or all but those."""

    carriers: tuple[str, ...]
    others: bool = False


def fingerprint(track: Track) -> str:
    """What a source said, whenever it said it: two looks that bring nothing new have the same."""
    said = (track.carrier, track.scans, track.status, track.cause, track.legs, track.proof_of_delivery)
    window = (track.eta.first, track.eta.last, track.eta.basis) if track.eta else None
    return blake2b(codec.encode((*said, window)), digest_size=12).hexdigest()


async def due(connection: AsyncConnection, now: datetime, limit: int, serves: Serves) -> list[Due]:
    """Lease up to `limit` due parcels of a source, most overdue first."""
    rows = (
        await connection.execute(_DUE[serves.others], {"now": now, "most": limit, "carriers": serves.carriers})
    ).all()
    if rows:
        await connection.execute(_LEASE, {"ids": [r.id for r in rows]})
    return [_due(row) for row in rows]


def _select(others: bool) -> Select[Any]:
    named = _looks.c.carrier.in_(bindparam("carriers", expanding=True))
    wanted = and_(_looks.c.due_at <= bindparam("now"), _looks.c.lease_until <= NOW, ~named if others else named)
    return (
        select(
            _parcels.c.id,
            _parcels.c.order_id,
            _parcels.c.carrier,
            _parcels.c.number,
            _parcels.c.status,
            _parcels.c.cause,
            _parcels.c.shipped_at,
            _parcels.c.changed_at,
            _looks.c.heard,
            _orders.c.phone,
            _orders.c.postcode,
            _orders.c.country,
            _orders.c.placed_at,
        )
        .select_from(
            _looks.join(_parcels, _parcels.c.id == _looks.c.parcel_id).join(
                _orders, _orders.c.id == _parcels.c.order_id
            )
        )
        .where(wanted)
        .order_by(_looks.c.due_at)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True, of=_looks)
    )


_DUE = {others: _select(others) for others in (False, True)}
_LEASE = (
    update(_looks)
    .where(_looks.c.parcel_id.in_(bindparam("ids", expanding=True)))
    .values(lease_until=NOW + LEASE_SECONDS)
)


def _due(row: Any) -> Due:
    parcel = Parcel(
        id=row.id,
        order_id=row.order_id,
        carrier=row.carrier,
        number=row.number,
        status=Status(row.status),
        cause=row.cause,
        shipped_at=row.shipped_at,
        changed_at=row.changed_at,
    )
    ref = TrackRef(
        number=row.number,
        carrier=row.carrier,
        phone_last4="".join(c for c in row.phone if c.isdigit())[-4:],
        postcode=row.postcode,
        country=row.country,
        shipped_at=row.shipped_at or row.placed_at,
    )
    return Due(parcel, ref, row.heard)


async def looked(connection: AsyncConnection, looks: Sequence[Looked], now: datetime) -> None:
    """Write down looks and give their parcels back."""
    answered = [{"row": x.parcel_id, "due": x.due_at, "said": x.heard, "at": now} for x in looks if x.answered]
    silent = [{"row": x.parcel_id, "due": x.due_at, "at": now} for x in looks if not x.answered]
    if answered:
        await connection.execute(_ANSWERED, answered)
    if silent:
        await connection.execute(_SILENT, silent)


_ASKED = update(_looks).where(_looks.c.parcel_id == bindparam("row"))
_SILENT = _ASKED.values(due_at=bindparam("due"), asked_at=bindparam("at"), lease_until=0.0)
_ANSWERED = _SILENT.values(checked_at=bindparam("at"), heard=bindparam("said"))


async def postpone(connection: AsyncConnection, parcels: Sequence[int], until: datetime) -> None:
    """Give leased parcels back unasked, due again at `until`."""
    await connection.execute(
        update(_looks).where(_looks.c.parcel_id.in_(parcels)).values(due_at=until, lease_until=0.0)
    )


async def budget(
    connection: AsyncConnection, database: Database, source: str, per_day: int, calls: int, live: bool
) -> int:
    """How many of `calls` a source's day still has room for; they count as made."""
    interval = DAY / (per_day * SPREAD)
    ahead = per_day * (AT_ONCE + (RESERVE if live else 0.0)) * interval
    now = await machine_now(connection)
    return await advance(connection, database, f"calls/{source}", now, interval, ahead, calls)


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
