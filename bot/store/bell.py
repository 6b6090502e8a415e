"""What wakes the web desk: a case was touched, and somebody looks at it in another process.

Every commit that changes what staff see of a case writes the machine time into its row (`touch`). PostgreSQL then
notifies; on SQLite the desk asks `PRAGMA data_version`, which costs microseconds and changes with any commit of
another connection. What was touched is read by time, a little overlapping: a commit may be seen late.
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import structlog
from sqlalchemy import bindparam, or_, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.casetables import CaseRow
from bot.store.database import NOW, Database
from bot.store.tables import core

CHANNEL = "wismo_desk"
CHECK_SECONDS = 0.2
"""So often SQLite is asked whether anything was committed."""
ANYHOW_SECONDS = 5.0
"""So long at the most the desk waits: a notification may be lost with its connection."""

LATELY = timedelta(days=2)
"""A case that was closed so lately is still looked at: a receipt for its last message may come."""

log = structlog.get_logger()

_cases = core(CaseRow)
_TOUCH = (
    update(_cases)
    .where(
        _cases.c.lane.in_(bindparam("lanes", expanding=True)),
        or_(_cases.c.closed_at.is_(None), _cases.c.closed_at > bindparam("lately")),
    )
    .values(touched=NOW)
)
_NOTIFY = text(f"SELECT pg_notify('{CHANNEL}', '')")


async def touch(connection: AsyncConnection, database: Database, lanes: Sequence[str], now: datetime) -> None:
    """Tell desks that the cases of these conversations look different now; part of the caller's commit."""
    if not lanes:
        return
    touched = await connection.execute(_TOUCH, {"lanes": list(lanes), "lately": now - LATELY})
    if touched.rowcount and not database.sqlite:
        await connection.execute(_NOTIFY)


class Bell:
    """Rings when another process committed something; `wait` returns then, or after `ANYHOW_SECONDS`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rung = asyncio.Event()
        self._file: sqlite3.Connection | None = None
        self._line: AsyncConnection | None = None
        self._version = 0

    async def wait(self) -> None:
        """Until something may have changed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ANYHOW_SECONDS):
                await (self._changed() if self._database.sqlite else self._notified())

    async def close(self) -> None:
        """Let go of the connection."""
        if self._file is not None:
            self._file.close()
        if self._line is not None:
            await self._line.close()

    async def _changed(self) -> None:
        if self._file is None:
            self._file = sqlite3.connect(self._database.file, isolation_level=None)
            self._version = _version(self._file)
            return
        while (version := _version(self._file)) == self._version:  # noqa: ASYNC110 - a file rings no bell
            await asyncio.sleep(CHECK_SECONDS)
        self._version = version

    async def _notified(self) -> None:
        if self._line is None:
            try:
                self._line = await self._database.listen(CHANNEL, self._rung.set)
            except (OSError, SQLAlchemyError) as error:
                log.warning("desk.not_listening", error=type(error).__name__)
                await asyncio.sleep(1.0)
            return
        await self._rung.wait()
        self._rung.clear()


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA data_version").fetchone()[0])
