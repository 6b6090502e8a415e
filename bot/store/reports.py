"""What the report of a period is made from, read from the ledgers."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.handoff.figures import Heard, Said, Step, Ticket, Turn
from bot.store.casetables import CaseEventRow, CaseRow
from bot.store.database import Database
from bot.store.tables import DecisionRow, Inbox, InboxState, Outbox, OutboxState, Parcel, core
from bot.store.tables import Order as OrderRow

STUCK = timedelta(hours=1)
"""An event that waits so long is lost until somebody finds it."""

UNASKED = ("gate.", "push.")
"""How rules begin by which something was told, or not, that no buyer had asked for."""

_cases, _events, _decisions = map(core, (CaseRow, CaseEventRow, DecisionRow))
_inbox, _outbox, _parcels, _orders = map(core, (Inbox, Outbox, Parcel, OrderRow))


class _Ruled(msgspec.Struct):
    rule: str
    inputs: msgspec.Raw = msgspec.Raw(b"{}")


class _Rated(msgspec.Struct):
    said: str
    case: str


class _Worded(msgspec.Struct):
    text: str
    media: msgspec.Raw = msgspec.Raw()


_worded = msgspec.json.Decoder(_Worded).decode
_ruled = msgspec.json.Decoder(list[_Ruled]).decode


async def heard(database: Database, since: datetime, until: datetime) -> Heard:
    """Everything of a period, in one reading transaction."""
    async with database.read() as connection:
        decided = await _decided(connection, since, until)
        return Heard(
            since,
            until,
            parcels=await _shipped(connection, since, until),
            turns=[turn for r in decided if (turn := _turn(r)) is not None],
            steps=await _steps(connection, since),
            tickets=await _tickets(connection, since, until),
            said=await _said(connection, since, until),
            lost=await _lost(connection, since, until),
            ratings=_ratings(decided),
        )


async def _shipped(connection: AsyncConnection, since: datetime, until: datetime) -> int:
    """Parcels that began their way in the period; by their order's date where nobody told when."""
    began = func.coalesce(_parcels.c.shipped_at, _orders.c.placed_at)
    rows = select(func.count()).select_from(_parcels.join(_orders, _orders.c.id == _parcels.c.order_id))
    return int(await connection.scalar(rows.where(began >= since, began < until)) or 0)


async def _decided(connection: AsyncConnection, since: datetime, until: datetime) -> Sequence[Any]:
    rows = select(_decisions.c.lane, _decisions.c.at, _decisions.c.reasons).where(
        _decisions.c.at >= since, _decisions.c.at < until, _decisions.c.lane.like("c/%")
    )
    return (await connection.execute(rows.order_by(_decisions.c.id))).all()


def _ratings(decided: Sequence[Any]) -> dict[str, str]:
    """What buyers said last of each case."""
    ratings = {}
    for row in decided:
        for reason in _ruled(row.reasons) if b'"rated"' in row.reasons else ():
            if reason.rule == "rated":
                rated = msgspec.json.decode(reason.inputs, type=_Rated)
                ratings[rated.case] = rated.said
    return ratings


def _turn(row: Any) -> Turn | None:
    """What the bot decided in a conversation; None for acts of staff and warnings, which are no turns of its own."""
    rules = [reason.rule for reason in _ruled(row.reasons)] if row.reasons else []
    decided = [rule for rule in rules if not rule.startswith(("staff.", "notice."))]
    asked = tuple(rule for rule in decided if not rule.startswith(UNASKED))
    return Turn(row.lane, row.at, asked) if decided else None


async def _steps(connection: AsyncConnection, since: datetime) -> list[Step]:
    """Histories from a while before the period, so that who spoke at its beginning is known."""
    rows = select(_events.c.lane, _events.c.at, _events.c.what, _events.c.who)
    rows = rows.where(_events.c.at >= since - timedelta(days=30)).order_by(_events.c.id)
    return [Step(r.lane, r.at, r.what, r.who) for r in await connection.execute(rows)]


async def _tickets(connection: AsyncConnection, since: datetime, until: datetime) -> list[Ticket]:
    rows = select(_cases.c.kind, _cases.c.opened_at, _cases.c.answered_at, _cases.c.closed_at)
    rows = rows.where(_cases.c.opened_at >= since, _cases.c.opened_at < until)
    return [Ticket(r.kind, r.opened_at, r.answered_at, r.closed_at) for r in await connection.execute(rows)]


async def _said(connection: AsyncConnection, since: datetime, until: datetime) -> list[Said]:
    rows = select(_outbox.c.lane, _outbox.c.key, _outbox.c.body, _outbox.c.created_at).where(
        _outbox.c.created_at >= since,
        _outbox.c.created_at < until,
        _outbox.c.purpose.in_(("answer", "notice")),
        _outbox.c.state == OutboxState.SENT,
    )
    return [_message(r) for r in await connection.execute(rows)]


def _message(r: Any) -> Said:
    # Where the words were blanked, their key stands for them, which is never the same twice.
    words = _worded(r.body) if r.body else None
    return Said(r.lane, f"{words.text}\n{bytes(words.media)!r}" if words else r.key, r.created_at)


async def _lost(connection: AsyncConnection, since: datetime, until: datetime) -> int:
    """Events of conversations that were given up, or that have waited too long."""
    rows = select(func.count()).select_from(_inbox).where(_inbox.c.lane.like("c/%"), _inbox.c.received_at >= since)
    dead = await connection.scalar(rows.where(_inbox.c.state == InboxState.DEAD, _inbox.c.received_at < until))
    stuck = await connection.scalar(
        rows.where(_inbox.c.state == InboxState.READY, _inbox.c.received_at < until - STUCK)
    )
    return int(dead or 0) + int(stuck or 0)
