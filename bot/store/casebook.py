"""Cases and their histories as rows. A case is written only in the turn of its conversation's lane."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.cases import Case, CaseEvent, CaseState
from bot.store import codec
from bot.store.casetables import CaseEventRow, CaseRow
from bot.store.database import Database
from bot.store.tables import core

_cases = core(CaseRow)
_events = core(CaseEventRow)

SHOWN = (
    "kind", "summary", "owner", "shop", "locale", "queue", "version", "opened_at", "closed_at", "answer_due",
    "next_due", "resolve_due", "answered_at", "acknowledged_at", "snoozed_until",
)  # fmt: skip


def case_of(row: Any) -> Case:
    """The case of a row; one from before there were queues has its columns alone."""
    if row.detail:
        return replace(codec.decode(row.detail, Case), id=row.id)
    closed = row.closed_at is not None
    return Case(
        id=row.id,
        conversation=row.lane,
        kind=row.kind,
        summary=row.summary,
        order=row.order_id,
        owner=row.owner,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        state=CaseState.RESOLVED if closed else CaseState.OPEN,
        queued_at=row.opened_at,
    )


async def save(connection: AsyncConnection, case: Case, now: datetime) -> Case:
    """Write a case, new or known; as it is stored, with its number and its new version."""
    case = replace(case, version=case.version + 1)
    values: dict[str, Any] = {name: getattr(case, name) for name in SHOWN}
    values |= {
        "lane": case.conversation,
        "order_id": case.order,
        "priority": int(case.priority),
        "state": case.state.value,
        "changed_at": now,
        "detail": codec.encode(case),
    }
    if case.id:
        await connection.execute(update(_cases).where(_cases.c.id == case.id).values(**values))
        return case
    number = await connection.scalar(insert(_cases).values(**values).returning(_cases.c.id))
    return replace(case, id=int(number or 0))


async def remember(
    connection: AsyncConnection, database: Database, case: Case, lines: Sequence[CaseEvent], now: datetime
) -> None:
    """Add lines to a case's history; a line of a known key is there already."""
    rows = [
        {
            "case_id": case.id,
            "lane": case.conversation,
            "at": line.at or now,
            "who": line.who,
            "what": line.what,
            "text": line.text,
            "key": line.key or None,
            "data": line.data,
        }
        for line in lines
    ]
    if rows:
        await connection.execute(database.once(_new_line), rows)


def _new_line(database: Database) -> Any:
    return database.insert(_events).on_conflict_do_nothing()


async def open_cases(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, Case]:
    """Cases by number."""
    rows = await connection.execute(_OPEN, {"ids": list(ids)})
    return {row.id: case_of(row) for row in rows}


_OPEN = select(_cases).where(_cases.c.id.in_(bindparam("ids", expanding=True)))


async def held(connection: AsyncConnection, cases: Sequence[int], keys: Sequence[str]) -> dict[str, bytes]:
    """Of lines of these cases by their keys: what was held back, and what a reply said."""
    rows = await connection.execute(
        select(_events.c.key, _events.c.what, _events.c.text, _events.c.data).where(
            _events.c.case_id.in_(cases), _events.c.key.in_(keys), _events.c.what.in_(("push", "reply"))
        )
    )
    return {row.key: row.data if row.what == "push" else row.text.encode() for row in rows}


async def of_lines(connection: AsyncConnection, lane: str, keys: Sequence[str]) -> Case | None:
    """The case of a conversation to whose history one of these lines belongs."""
    found = select(_events.c.case_id).where(_events.c.lane == lane, _events.c.key.in_(keys)).limit(1)
    case = await connection.scalar(found)
    return await numbered(connection, case) if case is not None else None


async def writer(connection: AsyncConnection, lane: str, key: str) -> str:
    """Whose line of a conversation's histories this is, empty where there is none."""
    return str(await connection.scalar(select(_events.c.who).where(_events.c.lane == lane, _events.c.key == key)) or "")


async def history(connection: AsyncConnection, case: int) -> list[CaseEvent]:
    """All lines of a case, oldest first."""
    rows = await connection.execute(select(_events).where(_events.c.case_id == case).order_by(_events.c.id))
    return [CaseEvent(r.what, r.text, r.who, r.key or "", r.data, r.at, r.id) for r in rows]


async def listed(connection: AsyncConnection, *, every: bool = False) -> list[Case]:
    """Open cases (or every case), oldest first."""
    rows = select(_cases).order_by(_cases.c.id)
    if not every:
        rows = rows.where(_cases.c.closed_at.is_(None))
    return [case_of(row) for row in await connection.execute(rows)]


async def numbered(connection: AsyncConnection, case: int) -> Case | None:
    """One case."""
    return (await open_cases(connection, [case])).get(case)
