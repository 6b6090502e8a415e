"""Why something was said, or was not: the decision records of an order, a parcel or a message."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.dialog.turn import Reason
from bot.model.messages import Outbound
from bot.model.orders import number_key
from bot.store import codec
from bot.store.tables import DecisionRow, Order, Outbox, OutboxState, Parcel, PushRow, core

_decisions = core(DecisionRow)
_orders = core(Order)
_parcels = core(Parcel)
_outbox = core(Outbox)
_pushes = core(PushRow)


@dataclass(frozen=True, slots=True)
class Why:
    """One rule that decided something. `at` is UTC; `about` the order or parcel, as people know it."""

    at: datetime
    about: str
    rule: str
    inputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SentRow:
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


async def about(connection: AsyncConnection, text: str) -> list[Why]:
    """The records of an order number, a tracking number or a message's id, oldest first; none where it is none."""
    names = await _names(connection, text)
    found = await _records(connection, _decisions.c.about.in_(list(names)), names) if names else []
    if not found and text.isdecimal():
        found = await _of_message(connection, int(text))
    return sorted(found, key=lambda w: w.at)


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
    return [w for w in found if not keys or w.inputs.get("key") in keys] or found


async def _records(connection: AsyncConnection, where: Any, names: Mapping[str, str]) -> list[Why]:
    rows = await connection.execute(select(_decisions).where(where).order_by(_decisions.c.at, _decisions.c.id))
    return [
        Why(row.at, names.get(row.about, row.about), reason.rule, reason.inputs)
        for row in rows
        for reason in _read(row.reasons)
    ]


_read = codec.reader(Sequence[Reason])  # type: ignore[type-abstract]
