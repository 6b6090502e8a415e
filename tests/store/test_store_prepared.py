"""Statements that run straight on sqlite3 say the same as through SQLAlchemy."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.clock import Clock
from bot.ports import Item
from bot.store import Store
from bot.store.queue import Arrival
from bot.store.tables import Bucket, Buyer, Inbox, Instant, Lane, core

LANES = select(core(Lane).c.key).where(core(Lane).c.key.in_(bindparam("keys", expanding=True)))
OTHERS = select(core(Lane).c.key).where(core(Lane).c.key.not_in(bindparam("keys", expanding=True)))
EVENT = insert(core(Inbox)).returning(core(Inbox).c.id, core(Inbox).c.received_at, core(Inbox).c.body)
NAMED = update(core(Buyer)).where(core(Buyer).c.id == bindparam("row")).values(key=bindparam("to"))


def ran(tmp_path: Path, times: int) -> list[object]:
    """What each kind of statement gives when it is run for the so-manieth time."""

    async def run() -> list[object]:
        store = Store(f"sqlite:///{tmp_path / 'shop.db'}", Clock())
        await store.migrate()
        at = datetime(2026, 11, 25, 3, 4, 5, 678, tzinfo=UTC)

        async def work(connection: AsyncConnection) -> list[object]:
            told: list[object] = []
            for turn in range(times):
                told.clear()
                rows = [
                    {"port": "p", "key": f"{turn}/{i}", "lane": "c/a", "state": 0, "received_at": at, "body": b"\x00x",
                     "attempts": 0, "error": ""}
                    for i in range(3)
                ]  # fmt: skip
                told += [tuple(r)[1:] for r in await connection.execute(EVENT, rows)]
                told.append((await connection.execute(LANES, {"keys": []})).first())
                told.append((await connection.execute(LANES, {"keys": ["x", "y", "z"]})).all())
                told.append((await connection.execute(NAMED, {"row": 1, "to": "k"})).rowcount)
            return told

        found = await store.database.write(work)
        await store.close()
        return found

    return asyncio.run(run())


def test_a_statement_gives_the_same_the_first_and_every_later_time(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert ran(tmp_path / "a", 1) == ran(tmp_path / "b", 3)


def test_lists_of_any_length_find_what_they_name(tmp_path: Path) -> None:
    async def run() -> None:
        store = Store(f"sqlite:///{tmp_path / 'shop.db'}", Clock())
        await store.migrate()
        rows = [{"key": f"c/{i}", "ready": 0, "owner": "", "attempts": 0} for i in range(9)]

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(insert(core(Lane)), rows)
            for size in (1, 2, 3, 5, 8, 9, 0, 0, 1):
                keys = [f"c/{i}" for i in range(size)]
                found = (await connection.execute(LANES, {"keys": keys})).scalars()
                assert sorted(found) == keys
                others = (await connection.execute(OTHERS, {"keys": keys})).all()
                assert len(others) == 9 - size

        await store.database.write(work)
        await store.close()

    asyncio.run(run())


def test_rows_with_a_value_outside_of_their_list_are_inserted_one_by_one(tmp_path: Path) -> None:
    bucket = core(Bucket)

    async def run() -> None:
        store = Store(f"sqlite:///{tmp_path / 'shop.db'}", Clock())
        await store.migrate()
        upsert = store.database.insert(bucket).values(key=bindparam("name"), free_at=bindparam("at"))
        upsert = upsert.on_conflict_do_update(index_elements=["key"], set_={"free_at": bindparam("later")})
        again = upsert.returning(bucket.c.key, bucket.c.free_at)

        async def work(connection: AsyncConnection) -> dict[str, float]:
            rows = [{"name": f"b{n}", "at": float(n), "later": 10.0 + n} for n in range(5)]
            await connection.execute(again, rows[:1])
            await connection.execute(again, rows[:1])
            return {r.key: r.free_at for r in await connection.execute(again, rows)}

        assert await store.database.write(work) == {"b0": 10.0, "b1": 1.0, "b2": 2.0, "b3": 3.0, "b4": 4.0}
        await store.close()

    asyncio.run(run())


def test_many_rows_that_give_something_back_are_all_there_but_those_known_before(tmp_path: Path) -> None:
    async def run() -> None:
        store = Store(f"sqlite:///{tmp_path / 'shop.db'}", Clock())
        await store.migrate()

        def arrivals(first: int, last: int) -> list[Arrival]:
            return [Arrival("p", Item(f"m{i}", f"c/t/s/{i}", b"")) for i in range(first, last)]

        for first, last in ((0, 3), (0, 150), (100, 151)):
            await store.receive(arrivals(first, last))
        async with store.database.read() as connection:
            assert await connection.scalar(select(func.sum(core(Lane).c.ready))) == 151
        claimed = await store.claim(500)
        assert sorted(e.item.key for c in claimed for e in c.events) == sorted(f"m{i}" for i in range(151))
        await store.close()

    asyncio.run(run())


def test_an_instant_is_read_as_it_was_bound_also_in_an_hour_that_comes_twice() -> None:
    dialect = SQLiteDialect()
    bind, read = Instant().bind_processor(dialect), Instant().result_processor(dialect, None)
    first = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    for at in (first, first.replace(fold=1), datetime(2026, 11, 25, 3, 4, 5, 678, tzinfo=UTC)):
        assert read(bind(at)) == at.astimezone(UTC)
    assert bind(first) != bind(first.replace(fold=1))
    assert bind(None) is None
    assert read(None) is None
    with pytest.raises(ValueError, match="naive"):
        bind(first.replace(tzinfo=None))
