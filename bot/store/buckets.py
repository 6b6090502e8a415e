"""Rates that all processes share: when the next message, call or try is on schedule. By the database's own clock.

A bucket holds one moment, from which on it is full; what may go early is a matter of who asks. A moment that lies
further ahead than it is ever set was written before the machine's clock was put back, and is not believed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.database import NOW, Database
from bot.store.tables import Bucket, core

HOLD, MOST_HELD = "hold/", 3600.0
"""The bucket that says how long an account rests, and the longest rest, in seconds."""
SLACK_SECONDS = 1.0

_bucket = core(Bucket)


class Rates(Struct, frozen=True):
    """How fast an account may send: per second over all chats, and to one chat with a burst."""

    per_second: float
    per_recipient: float
    burst: int = 1


async def machine_now(connection: AsyncConnection) -> float:
    """The database's clock."""
    return float((await connection.execute(_CLOCK)).scalar_one())


_CLOCK = select(NOW)


async def clock_and_account(connection: AsyncConnection, key: str) -> tuple[float, float, float]:
    """The machine's time, when the account's next message is on schedule, and until when the platform wants none; the
    rows are locked, so that two senders do not both take it."""
    now, known = await _clock_and_buckets(connection, [key, HOLD + key])
    now = await machine_now(connection) if now is None else now
    return now, believed(known.get(key, 0.0), now, 1.0), believed(known.get(HOLD + key, 0.0), now, MOST_HELD)


async def _clock_and_buckets(
    connection: AsyncConnection, keys: Sequence[str]
) -> tuple[float | None, Mapping[str, float]]:
    rows = (await connection.execute(_CLOCK_AND_BUCKETS, {"keys": list(keys)})).all()
    return (rows[0].now if rows else None), {row.key: row.free_at for row in rows}


_CLOCK_AND_BUCKETS = (
    select(NOW.label("now"), _bucket.c.key, _bucket.c.free_at)
    .where(_bucket.c.key.in_(bindparam("keys", expanding=True)))
    .order_by(_bucket.c.key)
    .with_for_update()
)


def believed(free_at: float, now: float, ahead: float) -> float:
    """A bucket's moment, which is never set more than `ahead` seconds from now."""
    return free_at if free_at <= now + ahead + SLACK_SECONDS else now


def allowance(free_at: float, per_second: float, now: float, limit: int) -> int:
    """How many may leave: a second's worth at once."""
    return limit if per_second <= 0 else min(limit, int((now + 1.0 - max(free_at, now)) * per_second + 1e-9))


async def free_at(connection: AsyncConnection, keys: Sequence[str]) -> dict[str, float]:
    """When each of these is free; those that never were used are left out."""
    found = await connection.execute(_BUCKETS, {"keys": list(keys)})
    return {row.key: row.free_at for row in found}


_BUCKETS = select(_bucket).where(_bucket.c.key.in_(bindparam("keys", expanding=True)))


async def spend(connection: AsyncConnection, database: Database, spent: Mapping[str, float]) -> None:
    """Write down until when these are used up."""
    if spent:
        await connection.execute(database.once(_bucket_row), [{"key": k, "free_at": spent[k]} for k in sorted(spent)])


def _bucket_row(database: Database) -> Any:
    upsert = database.insert(_bucket)
    return upsert.on_conflict_do_update(index_elements=[_bucket.c.key], set_={"free_at": upsert.excluded.free_at})


async def advance(
    connection: AsyncConnection, database: Database, key: str, now: float, interval: float, ahead: float, wanted: int
) -> int:
    """Take up to `wanted` turns of a bucket, one an `interval` seconds and up to `ahead` seconds early; how many."""
    _, known = await _clock_and_buckets(connection, [key])
    free = max(believed(known.get(key, 0.0), now, ahead + interval), now)
    taken = max(0, min(wanted, int((now + ahead - free) / interval + 1e-9)))
    if taken:
        await spend(connection, database, {key: free + taken * interval})
    return taken


async def hold_account(connection: AsyncConnection, database: Database, account: str, seconds: float) -> None:
    """The platform limits the whole account: nothing of it leaves for so long, an hour at most."""
    now = await machine_now(connection)
    await spend(connection, database, {HOLD + account: now + min(seconds, MOST_HELD)})
