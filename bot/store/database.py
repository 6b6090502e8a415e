"""The connection to SQLite or PostgreSQL: transactions, the machine's clock, and what differs between the two."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.expression import TableClause
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import Double

T = TypeVar("T")
ATTEMPTS = 6
"""How often a transaction is tried when the database says that it collided with another."""

_COLLISIONS = ("40001", "40P01", "database is locked", "database table is locked")


class machine_now(FunctionElement[float]):
    """The database's own clock in seconds since 1970: the same for all processes, never turned."""

    type = Double()
    inherit_cache = True


@compiles(machine_now, "sqlite")
def _sqlite_now(element: machine_now, compiler: Any, **kw: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(machine_now, "postgresql")
def _postgresql_now(element: machine_now, compiler: Any, **kw: Any) -> str:
    return "extract(epoch from clock_timestamp())::double precision"


NOW: ColumnElement[float] = machine_now()


class Database:
    """Transactions on one database. On SQLite this process writes in turn, so that nobody waits in the dark."""

    def __init__(self, url: str) -> None:
        self.url = _driver(url)
        self.sqlite = self.url.startswith("sqlite")
        self._turn = asyncio.Lock()
        self._writer: AsyncConnection | None = None
        self._engine = self._connect()
        self._read_engine = self._engine.execution_options(reads=True)

    def _connect(self) -> AsyncEngine:
        if not self.sqlite:
            return create_async_engine(self.url, pool_size=10, max_overflow=10, pool_pre_ping=True)
        engine = create_async_engine(self.url, connect_args={"timeout": 30})
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine

    def insert(self, table: TableClause) -> Any:
        """An INSERT that knows ON CONFLICT, which both databases spell alike."""
        return (sqlite if self.sqlite else postgresql).insert(table)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads."""
        async with self._read_engine.connect() as connection:
            yield connection

    async def write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run `work` in one durable transaction; after a collision with another process, again."""
        for attempt in range(ATTEMPTS):
            try:
                return await (self._write_in_turn(work) if self.sqlite else self._write(work))
            except DBAPIError as error:
                if attempt == ATTEMPTS - 1 or not _collided(error):
                    raise
                await asyncio.sleep(0.01 * 2**attempt)
        raise AssertionError("unreachable")

    async def _write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        async with self._engine.begin() as connection:
            return await work(connection)

    async def _write_in_turn(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        # One connection is kept for all writing: taking it from the pool costs two thread hops a time.
        async with self._turn:
            if self._writer is None:
                self._writer = await self._engine.connect()
            try:
                result = await work(self._writer)
                await self._writer.commit()
            except BaseException:
                writer, self._writer = self._writer, None
                await asyncio.shield(_discard(writer))
                raise
            return result

    async def run_sync(self, work: Callable[[Connection], T]) -> T:
        """Run blocking code of SQLAlchemy (migrations) in a transaction."""
        async with self._engine.begin() as connection:
            return await connection.run_sync(work)

    async def compact(self) -> None:
        """Rewrite the tables so that deleted rows leave no trace in the file."""
        if self.sqlite:
            async with self._turn, self._engine.execution_options(isolation_level="AUTOCOMMIT").connect() as c:
                await c.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
                await c.execute(text("VACUUM"))
                await c.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        else:
            async with self._engine.execution_options(isolation_level="AUTOCOMMIT").connect() as c:
                await c.execute(text("VACUUM FULL"))

    async def close(self) -> None:
        """Close every connection."""
        async with self._turn:
            if self._writer is not None:
                await self._writer.close()
                self._writer = None
        await self._engine.dispose()


async def _discard(connection: AsyncConnection) -> None:
    # After a failure the connection's state is not known: it goes, and with it the open transaction.
    await connection.invalidate()
    await connection.close()


def _collided(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None) or str(error.orig)
    return any(sign in state for sign in _COLLISIONS)


def _driver(url: str) -> str:
    for plain, driver in (
        ("sqlite:", "sqlite+aiosqlite:"),
        ("postgresql:", "postgresql+asyncpg:"),
        ("postgres:", "postgresql+asyncpg:"),
    ):
        if url.startswith(plain):
            return driver + url.removeprefix(plain)
    return url


def _prepare_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "busy_timeout=30000",
        "cache_size=-16000",
        "wal_autocheckpoint=4000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("isolation_level") == "AUTOCOMMIT":
        return  # VACUUM and checkpoints run outside any transaction
    reads = options.get("reads")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
