"""Why something was said, or was not: the decision records of an order, a parcel or a message."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.dialog.turn import Reason
from bot.model.messages import Outbound
from bot.model.orders import number_key
from bot.store import codec
from bot.store.tables import DecisionRow, Order, Outbox, OutboxState, Parcel, core
from bot.store.watchtables import PushRow

_decisions = core(DecisionRow)
_orders = core(Order)
_parcels = core(Parcel)
_outbox = core(Outbox)
_pushes = core(PushRow)

PAGE = 1000
LONGEST_ID = 18
"""Digits of the largest id that a database takes."""
FATES = {
    OutboxState.SENT: "outbox.sent",
    OutboxState.DEAD: "outbox.failed",
    OutboxState.EXPIRED: "outbox.expired",
    OutboxState.UNKNOWN: "outbox.outcome_unknown",
    OutboxState.WITHDRAWN: "outbox.withdrawn",
}
"""What became of a message that the gate let through; what is still to leave has no fate yet."""


class Why(Struct, frozen=True):
    """One rule that decided something. `at` is UTC; `about` the order or parcel, as people know it."""

    at: datetime
    about: str
    rule: str
    inputs: Mapping[str, Any]


class SentRow(Struct, frozen=True):
    """A message that left. `at` is UTC."""

    id: int
    at: datetime
    template: str
    message: Outbound


async def sent_since(connection: AsyncConnection, last: int) -> list[SentRow]:
    """Messages that left with ids above `last`, in their order."""
    rows = await connection.execute(
        select(_outbox.c.id, _outbox.c.sent_at, _outbox.c.template, _outbox.c.body)
        .where(_outbox.c.id > last, _outbox.c.state == OutboxState.SENT)
        .order_by(_outbox.c.id)
    )
    return [SentRow(r.id, r.sent_at, r.template, codec.outbound(r.body)) for r in rows if r.body]


async def since(connection: AsyncConnection, last: int) -> list[tuple[int, Why]]:
    """Decisions with ids above `last`, in their order."""
    rows = await connection.execute(select(_decisions).where(_decisions.c.id > last).order_by(_decisions.c.id))
    return [
        (row.id, Why(row.at, row.about, reason.rule, reason.inputs)) for row in rows for reason in _read(row.reasons)
    ]


async def stream(connection: AsyncConnection, begin: datetime) -> AsyncIterator[Why]:
    """Decisions from `begin` on, a page in memory at a time."""
    last = 0
    page = select(_decisions).order_by(_decisions.c.id).limit(PAGE)
    while rows := (await connection.execute(page.where(_decisions.c.id > last, _decisions.c.at >= begin))).all():
        last = rows[-1].id
        for row in rows:
            for reason in _read(row.reasons):
                yield Why(row.at, row.about, reason.rule, reason.inputs)


async def about(connection: AsyncConnection, text: str) -> list[Why]:
    """The records of an order number, a tracking number or a message's id, oldest first; none where it is none."""
    names = await _names(connection, text)
    found: list[Why] = []
    if names:
        found = await _records(connection, _decisions.c.about.in_(list(names)), names)
        found += await _fates(connection, names)
    if not found and text.isdecimal() and len(text) <= LONGEST_ID:
        found = await _of_message(connection, int(text))
    return sorted(found, key=lambda w: w.at)


async def _fates(connection: AsyncConnection, names: Mapping[str, str]) -> list[Why]:
    """What became of the pushes about these orders and parcels after the gate."""
    ids: dict[str, list[int]] = {"o": [], "p": []}
    for name in names:
        ids[name[0]].append(int(name[2:]))
    whole = _pushes.c.order_id.in_(ids["o"]) & _pushes.c.parcel_id.is_(None)
    return await _ended(connection, or_(whole, _pushes.c.parcel_id.in_(ids["p"])), names)


async def _ended(connection: AsyncConnection, where: Any, names: Mapping[str, str]) -> list[Why]:
    joined = _pushes.join(_outbox, (_outbox.c.lane == _pushes.c.lane) & (_outbox.c.key == _pushes.c.message))
    rows = await connection.execute(
        select(
            _pushes.c.key, _pushes.c.template, _pushes.c.order_id, _pushes.c.parcel_id, _pushes.c.at, _outbox.c.id,
            _outbox.c.state, _outbox.c.receipt, _outbox.c.error, _outbox.c.sent_at,
        )
        .select_from(joined)
        .where(where, _outbox.c.state.in_([int(s) for s in FATES]))
    )  # fmt: skip
    found = []
    for r in rows:
        name = f"o/{r.order_id}" if r.parcel_id is None else f"p/{r.parcel_id}"
        told = {"receipt": r.receipt, "error": r.error}
        inputs = {"push": r.template, "key": r.key, "message": r.id, **{k: v for k, v in told.items() if v}}
        found.append(Why(r.sent_at or r.at, names.get(name, name), FATES[OutboxState(r.state)], inputs))
    return found


async def _names(connection: AsyncConnection, text: str) -> dict[str, str]:
    """What decisions call it, and how people do."""
    number = text.strip().upper()
    whose = or_(_orders.c.number_key == number_key(text), _parcels.c.number == number)
    joined = _orders.join(_parcels, _parcels.c.order_id == _orders.c.id, isouter=True)
    rows = await connection.execute(
        select(_orders.c.id, _orders.c.number, _parcels.c.id.label("parcel"), _parcels.c.number.label("tracking"))
        .select_from(joined)
        .where(whose)
    )
    names = {}
    for row in rows:
        if row.tracking != number:
            names[f"o/{row.id}"] = row.number
        if row.parcel is not None:
            names[f"p/{row.parcel}"] = row.tracking
    return names


async def _of_message(connection: AsyncConnection, message: int) -> list[Why]:
    """What was decided in the turn that wrote a message of the outbox."""
    row = (
        await connection.execute(
            select(_outbox.c.lane, _outbox.c.key, _outbox.c.created_at).where(_outbox.c.id == message)
        )
    ).first()
    if row is None:
        return []
    turn = (_decisions.c.lane == row.lane) & (_decisions.c.at == row.created_at)
    found = await _records(connection, turn, {})
    pushed = (
        await connection.execute(select(_pushes.c.key).where(_pushes.c.lane == row.lane, _pushes.c.message == row.key))
    ).scalars()
    keys = set(pushed)
    mine = [w for w in found if not keys or w.inputs.get("key") in keys] or found
    return mine + await _ended(connection, _outbox.c.id == message, {})


async def _records(connection: AsyncConnection, where: Any, names: Mapping[str, str]) -> list[Why]:
    rows = await connection.execute(select(_decisions).where(where).order_by(_decisions.c.at, _decisions.c.id))
    return [
        Why(row.at, names.get(row.about, row.about), reason.rule, reason.inputs)
        for row in rows
        for reason in _read(row.reasons)
    ]


_read = codec.reader(Sequence[Reason])  # type: ignore[type-abstract]
