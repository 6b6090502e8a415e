"""What the web desk reads: the lines of its inbox, a conversation's papers, orders, files. It writes nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct, field
from sqlalchemy import ColumnElement, Select, Table, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.dialog.turn import Dossier
from bot.model.cases import Case
from bot.model.conversations import Conversation
from bot.model.orders import number_key
from bot.store import casebook, codec, orders
from bot.store.casetables import CaseEventRow, CaseRow
from bot.store.database import Database
from bot.store.tables import Conversation as ConversationRow
from bot.store.tables import DecisionRow, Inbox, InboxState, MediaRow, Outbox, core
from bot.store.tables import Order as OrderRow

_cases, _events, _conversations, _orders = map(core, (CaseRow, CaseEventRow, ConversationRow, OrderRow))
_inbox, _outbox, _media, _decisions = map(core, (Inbox, Outbox, MediaRow, DecisionRow))

MOST_LINES = 200
"""So many messages of a conversation are read from each side; older ones stand in the export."""


SIBLINGS = 8
"""So many other cases of a conversation are shown."""


class _Known(msgspec.Struct):
    """As much of a conversation's record as a line of the inbox shows."""

    name: str = ""


_known = msgspec.json.Decoder(_Known).decode


class CaseLine(Struct, frozen=True):
    """A case as the inbox shows it. `haystack` is what a search looks through, `version` the holder's."""

    case: Case
    touched: float
    channel: str
    holder: str
    version: int
    buyer: str
    order_number: str
    heard_at: datetime | None
    haystack: str


class WrittenRow(Struct, frozen=True):
    """An event of a conversation as it came."""

    id: int
    port: str
    key: str
    lane: str
    body: bytes | None
    state: int
    received_at: datetime


class SaidRow(Struct, frozen=True):
    """A message of the outbox and how far it came."""

    id: int
    key: str
    purpose: str
    template: str
    body: bytes | None
    state: int
    receipt: str
    error: str
    created_at: datetime


class HistoryRow(Struct, frozen=True):
    """A line of a case's history."""

    id: int
    case: int
    at: datetime
    who: str
    what: str
    text: str
    key: str
    data: bytes


class FileRow(Struct, frozen=True):
    """A file that was stored."""

    id: int
    digest: str
    mime: str
    name: str
    size: int
    at: datetime


class Paper(Struct, frozen=True):
    """Everything of a conversation. `reasons` maps a turn's key to the rules by which it was decided."""

    written: Sequence[WrittenRow] = ()
    said: Sequence[SaidRow] = ()
    history: Sequence[HistoryRow] = ()
    files: Sequence[FileRow] = ()
    reasons: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Talk(Struct, frozen=True):
    """A case's conversation. `siblings` are its other cases, newest first; `dossiers` the orders it is about."""

    line: CaseLine
    record: Conversation
    paper: Paper
    siblings: Sequence[CaseLine]
    dossiers: Sequence[Dossier]


class DeskBook:
    """The desk's questions to the database; every method is one reading transaction."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def touched(self, since: float | None) -> list[CaseLine]:
        """The cases touched after this machine time; None for all that are open."""
        rows = _lines()
        rows = rows.where(_cases.c.closed_at.is_(None) if since is None else _cases.c.touched > since)
        return await self.database.view(lambda c: _read_lines(c, rows))

    async def line(self, case: int) -> CaseLine | None:
        """One case, open or not."""
        rows = _lines().where(_cases.c.id == case)
        return next(iter(await self.database.view(lambda c: _read_lines(c, rows))), None)

    async def resolved(self, words: str, limit: int, skip: int, said: frozenset[int] = frozenset()) -> list[CaseLine]:
        """Cases that are over, newest first; with words those that have them, and the cases `said`."""
        rows = _lines().where(_cases.c.closed_at.is_not(None)).order_by(_cases.c.closed_at.desc())
        if words:
            like = f"%{words.replace('%', '').replace('_', '')}%"
            rows = rows.where(
                or_(
                    _cases.c.id.in_(said),
                    _cases.c.summary.ilike(like),
                    _cases.c.owner.ilike(like),
                    _orders.c.number_key == number_key(words),
                    _orders.c.name.ilike(like),
                )
            )
        rows = rows.limit(limit).offset(skip)
        return await self.database.view(lambda c: _read_lines(c, rows))

    async def talk(self, case: int, most: int = MOST_LINES) -> Talk | None:
        """A case with everything of its conversation, in one transaction."""
        return await self.database.view(lambda c: _talk(c, case, most))

    async def file(self, file: int) -> FileRow | None:
        """A stored file."""

        async def work(connection: AsyncConnection) -> Any:
            return (await connection.execute(select(_media).where(_media.c.id == file))).first()

        row = await self.database.view(work)
        return FileRow(row.id, row.digest, row.mime, row.name, row.size, row.at) if row is not None else None

    async def handled(self, key: str) -> bool:
        """Whether a staff act is done with."""

        async def work(connection: AsyncConnection) -> Any:
            state = select(_inbox.c.state).where(_inbox.c.port == "wismo", _inbox.c.key == key)
            return await connection.scalar(state)

        return await self.database.view(work) in {InboxState.DONE, InboxState.DEAD}

    async def act_history(self, case: int, act: str) -> list[HistoryRow]:
        """What the history says of one staff act at a case: of another one of its conversation, where it was over."""

        async def work(connection: AsyncConnection) -> list[HistoryRow]:
            lane = select(_cases.c.lane).where(_cases.c.id == case).scalar_subquery()
            rows = select(_events).where(
                _events.c.lane == lane, or_(_events.c.key == act, _events.c.key.startswith(f"{act}:", autoescape=True))
            )
            return [_history(r) for r in await connection.execute(rows)]

        return await self.database.view(work)


def _lines() -> Select[Any]:
    return (
        select(
            _cases,
            _conversations.c.channel,
            _conversations.c.holder,
            _conversations.c.version.label("holder_version"),
            _conversations.c.state.label("record"),
            _conversations.c.last_inbound_at,
            _orders.c.number,
            _orders.c.name,
        )
        .select_from(_cases)
        .join(_conversations, _conversations.c.lane == _cases.c.lane, isouter=True)
        .join(_orders, _orders.c.id == _cases.c.order_id, isouter=True)
    )


async def _read_lines(connection: AsyncConnection, rows: Select[Any]) -> list[CaseLine]:
    return [_line(r) for r in await connection.execute(rows)]


def _line(r: Any) -> CaseLine:
    case = casebook.case_of(r)
    buyer = (_known(r.record).name if r.record else "") or r.name or ""
    tags = " ".join(case.tags)
    words = (f"#{case.id}", buyer, r.name or "", r.number or "", case.summary, case.kind, case.owner, tags, case.queue)
    return CaseLine(
        case=case,
        touched=r.touched,
        channel=r.channel or "",
        holder=r.holder or "bot",
        version=r.holder_version or 0,
        buyer=buyer,
        order_number=r.number or "",
        heard_at=r.last_inbound_at,
        haystack=" ".join(words).casefold(),
    )


async def _talk(connection: AsyncConnection, case: int, most: int) -> Talk | None:
    lane = select(_cases.c.lane).where(_cases.c.id == case).scalar_subquery()
    rows = (await connection.execute(_lines().where(_cases.c.lane == lane).order_by(_cases.c.id.desc()))).all()
    found = next((row for row in rows if row.id == case), None)
    if found is None:
        return None
    line = _line(found)
    record = codec.record(line.case.conversation, found.record or b"")
    wanted = [i for i in dict.fromkeys((line.case.order, record.focus)) if i is not None]
    dossiers = (await orders.find(connection, (), (), set(wanted)))[0] if wanted else {}
    return Talk(
        line,
        record,
        await _paper(connection, line.case.conversation, most),
        [_line(row) for row in rows if row.id != case][:SIBLINGS],
        [dossiers[i] for i in wanted if i in dossiers],
    )


async def _paper(connection: AsyncConnection, lane: str, most: int) -> Paper:
    async def newest(table: Table, *where: ColumnElement[bool]) -> Any:
        rows = select(table).where(table.c.lane == lane, *where).order_by(table.c.id.desc()).limit(most)
        return (await connection.execute(rows)).all()

    written = await newest(_inbox)
    turns = {r.key: str(r.id) for r in written}
    return Paper(
        written=[WrittenRow(r.id, r.port, r.key, r.lane, r.body, r.state, r.received_at) for r in written],
        said=[
            SaidRow(r.id, r.key, r.purpose, r.template, r.body, r.state, r.receipt, r.error, r.created_at)
            for r in await newest(_outbox, _outbox.c.purpose != "desk")
        ],
        history=[_history(r) for r in await newest(_events)],
        files=[FileRow(r.id, r.digest, r.mime, r.name, r.size, r.at) for r in await newest(_media)],
        reasons={turns[r.turn]: _rules(r.reasons) for r in await newest(_decisions) if r.turn in turns},
    )


def _history(r: Any) -> HistoryRow:
    return HistoryRow(r.id, r.case_id, r.at, r.who, r.what, r.text, r.key or "", r.data)


def _rules(raw: bytes) -> tuple[str, ...]:
    """The rules of a decision with their inputs, as one line each."""
    told = []
    for reason in msgspec.json.decode(raw) if raw else ():
        inputs = ", ".join(f"{k}: {v}" for k, v in reason.get("inputs", {}).items())
        told.append(f"{reason['rule']} ({inputs})" if inputs else str(reason["rule"]))
    return tuple(told)
