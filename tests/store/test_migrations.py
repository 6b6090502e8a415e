"""The migrations make what the tables say, on both databases, and can be undone to the first."""

import importlib
import pkgutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, column, inspect, select, table, text
from sqlmodel import SQLModel

import bot.store
from bot.model.clock import Clock
from bot.model.conversations import Conversation, Proof
from bot.model.events import Notice
from bot.model.messages import Address
from bot.store import Store, codec, migrate, pushes, upgrading
from bot.store.tables import core
from bot.store.watchtables import PushRow


def undo(connection: Connection, to: str) -> None:
    directory = upgrading.scripts()
    context = EnvironmentContext(Config(), directory, fn=lambda rev, _: directory._downgrade_revs(to, rev))
    context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


def test_the_migrations_are_one_chain() -> None:
    directory = upgrading.scripts()
    assert directory.get_heads() == [migrate.head()]
    walked = [script.revision for script in directory.walk_revisions()]
    assert walked == sorted(walked, reverse=True), "the files stand in the order in which they run"


def differences(connection: Connection) -> list[object]:
    for module in pkgutil.iter_modules(bot.store.__path__):
        importlib.import_module(f"bot.store.{module.name}")
    context = MigrationContext.configure(connection, opts={"compare_type": False, "compare_server_default": False})
    return list(compare_metadata(context, SQLModel.metadata))


async def test_a_migrated_database_has_every_table_column_and_index(store: Store) -> None:
    assert await store.database.run_sync(differences) == []


async def test_every_migration_can_be_undone_and_made_again(store: Store) -> None:
    await store.database.run_sync(lambda c: undo(c, "base"))
    assert await store.database.run_sync(lambda c: inspect(c).get_table_names()) == ["alembic_version"]
    await store.migrate()
    assert await store.database.run_sync(differences) == []


async def test_chats_that_proved_an_order_before_are_found_by_it(tmp_path: Path) -> None:
    database = Store(f"sqlite:///{tmp_path / 'old.db'}", Clock())
    anna = Address("test", "shop", "anna")
    record = Conversation(
        anna, proofs=(Proof("postcode", Clock().now(), order=7), Proof("phone", Clock().now(), buyer=8))
    )
    try:
        await database.migrate()
        await database.save_conversations([record])
        await database.database.run_sync(lambda c: undo(c, "0009"))
        await database.migrate()
        async with database.database.read() as connection:
            rows = (await connection.execute(text("SELECT order_id, lane FROM proved"))).all()
        assert [tuple(row) for row in rows] == [(7, "c/test/shop/anna")]
    finally:
        await database.close()


async def test_a_push_of_before_its_last_hour_was_kept_is_told_again_while_its_kind_is_news(store: Store) -> None:
    """Migration 0011 on a database that is in use: rows keep all they had, and say only when they left."""
    left = datetime(2026, 11, 24, 19, 30, tzinfo=UTC)
    row = {
        "buyer_id": 3, "key": "7:delivered:9", "template": "delivered", "urgent": True, "order_id": 7, "parcel_id": 9,
        "lane": "c/test/shop/anna", "message": "push:7:delivered:9:0", "at": left,
    }  # fmt: skip
    await store.database.run_sync(lambda c: undo(c, "0010"))
    pushed = core(PushRow)
    older = table("push", *(column(name, pushed.c[name].type) for name in row))
    await store.database.write(lambda c: c.execute(older.insert(), [row]))
    await store.migrate()
    async with store.database.read() as connection:
        (kept,) = (await connection.execute(select(pushed))).mappings().all()
    assert {name: kept[name] for name in row} == row
    assert pushes.news_until(SimpleNamespace(**kept)) == left + timedelta(hours=72)
    lane, message = str(row["lane"]), str(row["message"])
    await store.database.write(lambda c: pushes.again(c, store.database, lane, message, left + timedelta(hours=2)))
    (claim,) = await store.claim(9)
    (notice,) = (codec.unpack(event.item.body) for event in claim.events)
    assert isinstance(notice, Notice)
    assert (notice.fact_key, notice.expires_at) == (row["key"], left + timedelta(hours=72))
    await store.database.run_sync(lambda c: undo(c, "0010"))
    await store.migrate()
    assert await store.database.run_sync(differences) == []
