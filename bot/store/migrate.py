"""Alembic, run by the program itself: `wismo migrate`, and at the start of a SQLite shop."""

from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlmodel import SQLModel

from bot.store.database import Database


def scripts() -> ScriptDirectory:
    """The migrations that ship with this version."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return ScriptDirectory.from_config(config)


async def upgrade(database: Database) -> str:
    """Run what is missing, in one transaction; the revision reached."""
    directory = scripts()
    head = directory.get_current_head() or ""

    def run(connection: Connection) -> None:
        context = EnvironmentContext(
            Config(),
            directory,
            fn=lambda rev, _: directory._upgrade_revs(head, rev),  # noqa: SLF001
        )
        context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True)
        with context.begin_transaction():
            context.run_migrations()

    await database.run_sync(run)
    return head


async def current(database: Database) -> str:
    """The revision the database is at; empty where it is new."""
    return await database.run_sync(lambda c: MigrationContext.configure(c).get_current_revision() or "")
