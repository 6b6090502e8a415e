"""The migrations make what the tables say, on both databases, and can be undone to the first."""

import importlib
import pkgutil

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlmodel import SQLModel

import bot.store
from bot.store import Store, migrate, upgrading


def test_the_migrations_are_one_chain() -> None:
    directory = upgrading.scripts()
    assert directory.get_heads() == [migrate.head()]
    walked = [script.revision for script in directory.walk_revisions()]
    assert walked == sorted(walked, reverse=True), "the files stand in the order in which they run"


async def test_a_migrated_database_has_every_table_column_and_index(store: Store) -> None:
    for module in pkgutil.iter_modules(bot.store.__path__):
        importlib.import_module(f"bot.store.{module.name}")

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": False, "compare_server_default": False})
        return list(compare_metadata(context, SQLModel.metadata))

    assert await store.database.run_sync(differences) == []
