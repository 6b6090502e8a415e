"""The migrations make what the tables say, on both databases, and can be undone to the first."""

import importlib
import pkgutil
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from sqlmodel import SQLModel

import bot.store
from bot.model.clock import Clock
from bot.model.conversations import Conversation, Proof
from bot.model.messages import Address
from bot.store import Store, migrate, upgrading


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
