"""Where the tables are and where they should be: asked at every start, so without Alembic.

`bot.store.upgrading` runs the migrations, and is loaded only where one is missing: Alembic costs seven megabytes.
"""

import importlib
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from bot.store.database import Database

FOLDER = Path(__file__).parent / "migrations"


def head() -> str:
    """The newest revision that ships with this version: its file's name begins with it."""
    return max(file.name.partition("_")[0] for file in (FOLDER / "versions").glob("[0-9]*.py"))


async def current(database: Database) -> str:
    """The revision the database is at; empty where it is new."""
    return await database.run_sync(_current)


def _current(connection: Connection) -> str:
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.scalar(text("SELECT version_num FROM alembic_version")) or ""


async def upgrade(database: Database) -> str:
    """Run what is missing, in one transaction; the revision reached."""
    await database.run_sync(importlib.import_module("bot.store.upgrading").upgrade)
    return head()
