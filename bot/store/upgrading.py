"""Alembic, run by the program itself: `wismo migrate`, and at the start of a SQLite shop whose tables are older."""

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlmodel import SQLModel

from bot.store.migrate import FOLDER, head


def scripts() -> ScriptDirectory:
    """The migrations that ship with this version."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    return ScriptDirectory.from_config(config)


def upgrade(connection: Connection) -> None:
    """Run what is missing."""
    directory = scripts()
    context = EnvironmentContext(
        Config(),
        directory,
        fn=lambda rev, _: directory._upgrade_revs(head(), rev),  # noqa: SLF001
    )
    context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
