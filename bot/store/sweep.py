"""Parcels that are due for a look, what came of looking, each source's budget, and whether sources answer."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from msgspec import Struct
from sqlalchemy import bindparam, case, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.tracks import Status, Track, TrackRef
from bot.store import codec
from bot.store.buckets import advance, machine_now
from bot.store.database import Database
from bot.store.tables import Feed, Look, Order, core
from bot.tracking.standing import in_future

DOWN_AFTER = 3
"""Failures in a row before a source is said to be down."""
UNHEARD = timedelta(hours=1)
"""A source that was not heard for so long is down with its first failure: who asks meanwhile is told old news."""
DAY = 86_400.0
SPREAD, AT_ONCE, RESERVE = 0.6, 0.2, 0.2
"""A day's budget: most of it is spread evenly, a part may go at once, and a part is kept for buyers who ask now."""

_orders = core(Order)
_looks = core(Look)
_feeds = core(Feed)


class Due(Struct, frozen=True):
    """A parcel that is due for a look: where it stands, what a source needs to find it, what was heard last.

    It has no timeline: what is heard is compared by its fingerprint.
    """

    id: int
    status: Status
    cause: str
    changed_at: datetime | None
    heard: str
    ref: TrackRef


class Looked(Struct, frozen=True):
    """What came of a look: was it answered, and when is the next due (None: never).

    `heard` is the fingerprint of what is new, None where nothing is.
    """

    parcel_id: int
    due_at: datetime | None
    heard: str | None
    answered: bool


class Serves(Struct, frozen=True):
    """Which carriers' parcels a source is asked about: those named, or all but those."""

    carriers: tuple[str, ...]
    others: bool = False

    def serves(self, carrier: str) -> bool:
        """Whether it is asked about this carrier's parcels."""
        return (carrier in self.carriers) is not self.others


def fingerprint(track: Track, now: datetime) -> str:
    """What a source said, whenever it said it: two looks that bring nothing new have the same. A scan dated ahead is
    news when its time has come."""
    ahead = any(s.at is not None and s.at > now for s in track.scans)
    scans = tuple(s for s in track.scans if not in_future(s, now)) if ahead else track.scans
    said = (track.carrier, scans, track.status, track.cause, track.legs, track.proof_of_delivery)
    window = (track.eta.first, track.eta.last, track.eta.basis) if track.eta else None
    return sha256(codec.encode((*said, window))).hexdigest()[:24]


async def due(
    connection: AsyncConnection, now: datetime, limit: int, serves: Serves, busy: Collection[int] = ()
) -> list[Due]:
    """Up to `limit` due parcels of a source, most overdue first, an equal share for each shop and carrier.

    `busy` are those that are being asked about. Nothing is leased here: one process sweeps at a time, under a
    lease of its own (`Tracker`). A lease on each row was one more write to a page of its own for each parcel.
    """
    lines = await _waiting(connection, now, serves)
    ids: list[int] = []
    for place, (shop, carrier) in enumerate(lines):
        # What a shorter line leaves over is shared by those behind it.
        share = -(-(limit - len(ids)) // (len(lines) - place))
        wanted = {"shop": shop, "carrier": carrier, "now": now, "most": share + len(busy)}
        found = [i for i in (await connection.execute(_LINE, wanted)).scalars() if i not in busy]
        ids += found[:share]
    if not ids:
        return []
    return [_due(row) for row in await connection.execute(_DUE, {"ids": sorted(ids)})]


async def _waiting(connection: AsyncConnection, now: datetime, serves: Serves) -> list[tuple[str, str]]:
    """The shops and carriers with due parcels that a source serves, shortest line first.

    One step of the index for each, however many parcels wait: a million of one shop's hide nobody else's.
    """
    found: list[tuple[datetime, str, str]] = []
    row = (await connection.execute(_FIRST)).first()
    while row is not None:
        if serves.serves(row.carrier) and row.due_at <= now:
            found.append((row.due_at, row.shop, row.carrier))
        row = (await connection.execute(_NEXT, {"shop": row.shop, "carrier": row.carrier})).first()
    # The line whose first came last is most likely the shortest.
    return [(shop, carrier) for _, shop, carrier in sorted(found, reverse=True)]


_FIRST = (
    select(_looks.c.shop, _looks.c.carrier, _looks.c.due_at)
    .where(_looks.c.due_at.is_not(None))
    .order_by(_looks.c.shop, _looks.c.carrier, _looks.c.due_at)
    .limit(1)
)
_NEXT = _FIRST.where(tuple_(_looks.c.shop, _looks.c.carrier) > tuple_(bindparam("shop"), bindparam("carrier")))
_LINE = (
    select(_looks.c.parcel_id)
    .where(
        _looks.c.shop == bindparam("shop"),
        _looks.c.carrier == bindparam("carrier"),
        _looks.c.due_at <= bindparam("now"),
    )
    .order_by(_looks.c.due_at)
    .limit(bindparam("most"))
)
_DUE = (
    select(
        _looks.c.parcel_id,
        _looks.c.carrier,
        _looks.c.number,
        _looks.c.status,
        _looks.c.cause,
        _looks.c.changed_at,
        _looks.c.heard,
        func.coalesce(_looks.c.shipped_at, _orders.c.placed_at),
        _orders.c.phone,
        _orders.c.postcode,
        _orders.c.country,
    )
    .select_from(_looks.join(_orders, _orders.c.id == _looks.c.order_id))
    .where(_looks.c.parcel_id.in_(bindparam("ids", expanding=True)))
)


def _due(row: Any) -> Due:
    # Taken apart at once: asking a row for each column by its name takes longer than all the rest.
    parcel, carrier, number, status, cause, changed_at, heard, sent_at, phone, postcode, country = row
    last4 = "".join(filter(str.isdigit, phone))[-4:] if phone else ""
    ref = TrackRef(number, carrier, last4, postcode, country, sent_at)
    return Due(parcel, Status(status), cause, changed_at, heard, ref)


async def looked(connection: AsyncConnection, looks: Sequence[Looked], now: datetime) -> None:
    """Write down looks. Those that brought nothing new and are due together are one statement."""
    alike: dict[tuple[datetime | None, bool], list[int]] = {}
    fresh = []
    for look in looks:
        if look.heard is None:
            alike.setdefault((look.due_at, look.answered), []).append(look.parcel_id)
        else:
            fresh.append({"row": look.parcel_id, "due": look.due_at, "said": look.heard, "at": now})
    for (due_at, told), ids in alike.items():
        await connection.execute(_ALIKE[told], {"ids": ids, "due": due_at, "at": now})
    if fresh:
        await connection.execute(_FRESH, fresh)


_ASKED = update(_looks).values(due_at=bindparam("due"), asked_at=bindparam("at"))
_ANSWERED = _ASKED.values(checked_at=bindparam("at"))
_THESE = _looks.c.parcel_id.in_(bindparam("ids", expanding=True))
_ALIKE = {False: _ASKED.where(_THESE), True: _ANSWERED.where(_THESE)}
_FRESH = _ANSWERED.where(_looks.c.parcel_id == bindparam("row")).values(heard=bindparam("said"))


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


async def failed(
    connection: AsyncConnection, database: Database, source: str, now: datetime, *, silent: bool = True
) -> None:
    """Count a failure; after `DOWN_AFTER` in a row, or one after a long silence, the source is down since now. One that
    is not `silent` but refuses a number only counts."""
    down = _feeds.c.failures + 1 >= DOWN_AFTER
    if silent:
        down = or_(down, _feeds.c.last_ok_at < now - UNHEARD)
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
                    (down, now),
                    else_=None,
                ),
            },
        )
    )
    await connection.execute(upsert)
