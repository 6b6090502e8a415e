"""The connection to SQLite or PostgreSQL: transactions, the machine's clock, and what differs between the two."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    Engine,
    Integer,
    NullPool,
    create_engine,
    event,
    literal_column,
    make_url,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.expression import TableClause
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import Double

from bot.store.group import Train, Turn
from bot.store.prepared import Prepared

T = TypeVar("T")
Work = Callable[[AsyncConnection], Coroutine[Any, Any, T]]
"""What is done in one transaction."""
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


_CHECKPOINT = text("PRAGMA wal_checkpoint(PASSIVE)")
NOW: ColumnElement[float] = machine_now()


def constant(value: int) -> ColumnElement[int]:
    """A number that is written into the statement's text.

    For the condition of a partial index: with a parameter in its place SQLite plans the statement anew each time it
    runs (https://sqlite.org/c3ref/prepare.html), which takes ten times as long as the statement itself.
    """
    return literal_column(str(int(value)), Integer())


class _Thread:
    """A SQLite connection with a thread of its own. A transaction is one hop there and back.

    Through aiosqlite each statement is four hops (cursor, execute, fetch, close); with fifteen statements a
    message that was most of the bot's CPU. Outside the hot path aiosqlite stays.
    """

    def __init__(self, engine: Engine, begin: str) -> None:
        self._engine = engine
        self._begin = begin
        self._connection: Prepared | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="wismo-sqlite")

    async def run(self, work: Work[T]) -> T:
        """Run `work` in one transaction; it may await its connection and nothing else."""
        return (await self.together([work]))[0]

    async def together(self, works: Sequence[Work[T]]) -> list[T]:
        """Run all of these in one transaction, one after the other; where one fails, none has happened."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._run, works)

    def _run(self, works: Sequence[Work[T]]) -> list[T]:
        prepared = self._connection
        if prepared is None:
            prepared = self._connection = Prepared(self._engine.connect())
        try:
            prepared.begin(self._begin)
            result = [_finished(work(prepared)) for work in works]  # type: ignore[arg-type]
            prepared.commit()
        except BaseException:
            # After a failure the connection's state is not known: it goes, and with it the open transaction.
            self._connection = None
            prepared.connection.invalidate()
            prepared.connection.close()
            raise
        return result

    async def close(self) -> None:
        """Close the connection and end the thread."""
        await asyncio.get_running_loop().run_in_executor(self._pool, self._close)
        self._pool.shutdown()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.connection.close()
            self._connection = None


def _finished(work: Coroutine[Any, Any, T]) -> T:
    try:
        work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    work.close()
    raise AssertionError("a transaction awaits its connection and nothing else")


class Database:
    """Transactions on one database. On SQLite this process writes in turn, so that nobody waits in the dark."""

    def __init__(self, url: str) -> None:
        self.url = _driver(url)
        self.sqlite = self.url.startswith("sqlite")
        self._turn = asyncio.Lock()
        self._built: dict[Callable[[Database], Any], Any] = {}
        self._engine = self._connect()
        self._read_engine = self._engine.execution_options(reads=True)
        self._sync = self._connect_sync() if self.sqlite else None
        self._writer = _Thread(self._sync, "BEGIN IMMEDIATE") if self._sync else None
        self._reader = _Thread(self._sync, "BEGIN") if self._sync else None
        self._copier = _Thread(self._sync, "") if self._sync else None
        self._shared: Train[Work[Any], Any] | None = Train(self._writer.together, self._turn) if self._writer else None

    def _connect(self) -> AsyncEngine:
        if not self.sqlite:
            return create_async_engine(self.url, pool_size=10, max_overflow=10, pool_pre_ping=True)
        engine = create_async_engine(self.url, connect_args={"timeout": 30})
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine

    def _connect_sync(self) -> Engine:
        engine = create_engine(self.url.replace("+aiosqlite", ""), poolclass=NullPool, connect_args={"timeout": 30})
        event.listen(engine, "connect", _prepare_sqlite)
        return engine

    def insert(self, table: TableClause) -> Any:
        """An INSERT that knows ON CONFLICT, which both databases spell alike."""
        return (sqlite_dialect if self.sqlite else postgresql).insert(table)

    def once(self, build: Callable[["Database"], Any]) -> Any:
        """The statement that `build` makes for this database, made once: making one costs more than running it."""
        if build not in self._built:
            self._built[build] = build(self)
        return self._built[build]

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads."""
        async with self._read_engine.connect() as connection:
            yield connection

    async def view(self, work: Work[T]) -> T:
        """Run `work`, which only reads, in one transaction: for the hot path."""
        if self._reader is not None:
            return await self._reader.run(work)
        async with self.read() as connection:
            return await work(connection)

    async def write(self, work: Work[T]) -> T:
        """Run `work` in one durable transaction; after a collision with another process, again."""
        return await self._again(work, self._write_in_turn if self._writer else self._write)

    async def share(self, work: Work[T]) -> T:
        """As `write`, for work that is short and much asked for: SQLite, whose writers wait for each other anyway,
        makes durable at once what comes while a transaction is under way."""
        return await self._again(work, self._shared or self._write)

    def turn(self, patience: float = 0.0) -> Turn | None:
        """What a group that asks for `share` waits for before it takes a batch: the next transaction, or for
        `patience` seconds one that others make; None where its own batches simply follow one another."""
        return partial(self._shared.turn, patience) if self._shared is not None else None

    async def _again(self, work: Work[T], write: Callable[[Work[T]], Awaitable[T]]) -> T:
        for attempt in range(ATTEMPTS):
            try:
                return await write(work)
            except (DBAPIError, sqlite3.Error) as error:
                if attempt == ATTEMPTS - 1 or not _collided(error):
                    raise
                await asyncio.sleep(0.01 * 2**attempt)
        raise AssertionError("unreachable")

    async def _write(self, work: Work[T]) -> T:
        async with self._engine.begin() as connection:
            return await work(connection)

    async def _write_in_turn(self, work: Work[T]) -> T:
        assert self._writer is not None  # noqa: S101 - SQLite has one
        async with self._turn:
            return await self._writer.run(work)

    async def run_sync(self, work: Callable[[Connection], T]) -> T:
        """Run blocking code of SQLAlchemy (migrations) in a transaction."""
        async with self._engine.begin() as connection:
            return await connection.run_sync(work)

    @property
    def file(self) -> str:
        """Where SQLite's file is."""
        return make_url(self.url).database or ""

    async def listen(self, channel: str, ring: Callable[[], None]) -> AsyncConnection:
        """A connection of PostgreSQL's that calls `ring` at every notification; whoever asked closes it."""
        connection = await self._engine.connect()
        raw = await connection.get_raw_connection()
        assert raw.driver_connection is not None  # noqa: S101 - asyncpg's own, which SQLAlchemy holds
        await raw.driver_connection.add_listener(channel, lambda *_: ring())
        raw.driver_connection.add_termination_listener(lambda _: ring())
        return connection

    async def checkpoint(self) -> None:
        """Copy what SQLite's log holds into its file, beside the writer: at a commit it would stall everybody."""
        if self._copier is not None:
            await self._copier.run(lambda c: c.execute(_CHECKPOINT))

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
            for thread in (self._writer, self._reader, self._copier):
                if thread is not None:
                    await thread.close()
        await self._engine.dispose()


def _collided(error: DBAPIError | sqlite3.Error) -> bool:
    told = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(told, "sqlstate", None) or str(told)
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
        "cache_spill=OFF",  # a sweep's commit touches more pages than that; written once, at its end
        "wal_autocheckpoint=40000",  # only where nobody calls `checkpoint`
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("isolation_level") == "AUTOCOMMIT":
        return  # VACUUM and checkpoints run outside any transaction
    reads = options.get("reads")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
