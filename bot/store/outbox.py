"""The outbox as the sender sees it: claim under the rates, then mark what came of it.

A row is claimed only when no older one of its chat is open, so a chat's messages leave in order. Rates are
kept as one number a key: the machine time at which the next message would be on schedule (GCRA). They are
taken in the claim's transaction, so all processes share them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.markup import plain
from bot.model.messages import RANK, Receipt, State
from bot.store import codec
from bot.store.buckets import Rates, allowance, believed, clock_and_account, free_at, spend
from bot.store.database import NOW, Database, constant
from bot.store.tables import Conversation, Outbox, OutboxState, core

LEASE_SECONDS = 40.0
MOST_PUT_OFF = 600.0
"""Seconds until a message is tried again, at most: what is put off for longer is so since the clock was put back."""

_outbox = core(Outbox)
_conversation = core(Conversation)


class Row(Struct, frozen=True):
    """A claimed message. `stale` tells that the holder changed since it was written; `again` that an earlier
    sender died or froze with it in flight, so that its outcome is not known."""

    id: int
    lane: str
    key: str
    body: bytes
    purpose: str
    template: str
    token: str
    attempts: int
    expires_at: datetime | None
    stale: bool
    again: bool


async def claim(
    connection: AsyncConnection, database: Database, account: tuple[str, str], rates: Rates, limit: int
) -> list[Row]:
    """Lease up to `limit` messages of one account that may leave now."""
    channel, name = account
    account_key = f"{channel}/{name}"
    now, account_free, held = await clock_and_account(connection, account_key)
    allowed = allowance(account_free, rates.per_second, now, limit)
    if allowed < 1 or held > now:
        return []
    rows = (await connection.execute(_CLAIMABLE, {"channel": channel, "account": name, "most": allowed})).all()
    if not rows:
        return []
    interval = 1.0 / rates.per_recipient if rates.per_recipient > 0 else 0.0
    known = await free_at(connection, [_bucket_of(r) for r in rows]) if interval else {}
    go, later, spent = _paced(rows, known, now, interval, rates.burst)
    if later:
        await connection.execute(_WAIT, later)
    if not go:
        return []
    token = uuid4().hex
    await connection.execute(_LEASE, {"rows": [r.id for r in go], "token": token})
    if rates.per_second > 0:
        spent[account_key] = max(account_free, now) + len(go) / rates.per_second
    await spend(connection, database, spent)
    return [_row(r, token) for r in go]


def _bucket_of(r: Any) -> str:
    """Whose rate a message uses up: its chat's. A desk's channel is one chat, however many cases it shows."""
    return r.lane if r.purpose != "desk" else f"d/{r.channel}/{r.account}/{r.chat}"


def _paced(
    rows: Sequence[Any], known: Mapping[str, float], now: float, interval: float, burst: int
) -> tuple[list[Any], list[dict[str, float]], dict[str, float]]:
    """Which rows may go, which have to wait until when, and until when each bucket is used up then."""
    if not interval:
        return list(rows), [], {}
    go, later = [], []
    spent: dict[str, float] = {}
    for r in rows:
        key = _bucket_of(r)
        free = spent.get(key, believed(known.get(key, 0.0), now, interval * burst))
        if free - interval * (burst - 1) <= now:
            go.append(r)
            spent[key] = max(free, now) + interval
        else:
            later.append({"row": r.id, "at": min(free - interval * (burst - 1), now + MOST_PUT_OFF)})
    return go, later, spent


_READ = (
    "id", "lane", "key", "channel", "account", "chat", "body", "purpose", "template", "state", "attempts",
    "holder_version", "expires_at",
)  # fmt: skip


def _claimable() -> Select[Any]:
    older = _outbox.alias("older")
    waits, leaves = constant(OutboxState.READY), constant(OutboxState.SENDING)
    blocked = exists().where(older.c.lane == _outbox.c.lane, older.c.id < _outbox.c.id, older.c.state <= leaves)
    free = or_(
        and_(_outbox.c.state == waits, or_(_outbox.c.not_before <= NOW, _outbox.c.not_before > NOW + MOST_PUT_OFF)),
        and_(_outbox.c.state == leaves, _outbox.c.lease_until <= NOW),
    )
    return (
        select(*(_outbox.c[name] for name in _READ), _conversation.c.version.label("holder_now"))
        .join(_conversation, _conversation.c.lane == _outbox.c.lane, isouter=True)
        .where(
            _outbox.c.channel == bindparam("channel"),
            _outbox.c.account == bindparam("account"),
            _outbox.c.state <= leaves,
            free,
            ~blocked,
        )
        .order_by(_outbox.c.id)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True, of=_outbox)
    )


_CLAIMABLE = _claimable()
_WAIT = update(_outbox).where(_outbox.c.id == bindparam("row")).values(not_before=bindparam("at"))
_LEASE = (
    update(_outbox)
    .where(_outbox.c.id.in_(bindparam("rows", expanding=True)))
    .values(state=OutboxState.SENDING, owner=bindparam("token"), lease_until=NOW + LEASE_SECONDS)
)


def _row(r: Any, token: str) -> Row:
    return Row(
        id=r.id,
        lane=r.lane,
        key=r.key,
        body=r.body or b"",
        purpose=r.purpose,
        template=r.template,
        token=token,
        attempts=r.attempts,
        expires_at=r.expires_at,
        stale=r.holder_now is not None and r.holder_now != r.holder_version,
        again=r.state == OutboxState.SENDING,
    )


class Mark(Struct, frozen=True):
    """What came of a claimed row. `delay` is seconds until it may be tried again, for state READY."""

    row: Row
    state: OutboxState
    at: datetime
    platform_id: str = ""
    error: str = ""
    delay: float = 0.0
    body: bytes | None = None


async def mark(connection: AsyncConnection, marks: Sequence[Mark]) -> bool:
    """Write down outcomes; rows whose lease another sender took over since are left to that one.

    Whether another message of one of these chats waited behind them and may leave now.
    """
    done = [m for m in marks if m.state != OutboxState.READY]
    if done:
        await connection.execute(
            _MARK,
            [
                {
                    "row": m.row.id,
                    "token": m.row.token,
                    "to": int(m.state),
                    "pid": m.platform_id,
                    "why": m.error[:500],
                    "when": m.at,
                }
                for m in done
            ],
        )
    for m in marks:
        if m.state == OutboxState.READY:
            again = update(_outbox).where(_outbox.c.id == m.row.id, _outbox.c.owner == m.row.token)
            values = {"body": m.body} if m.body is not None else {}
            await connection.execute(
                again.values(
                    state=OutboxState.READY,
                    attempts=m.row.attempts + 1,
                    not_before=NOW + min(m.delay, MOST_PUT_OFF),
                    owner="",
                    lease_until=0.0,
                    error=m.error[:500],
                    **values,
                )
            )
    return (await connection.execute(_BEHIND, {"lanes": [m.row.lane for m in done]})).first() is not None


_BEHIND = (
    select(_outbox.c.id)
    .where(
        _outbox.c.lane.in_(bindparam("lanes", expanding=True)),
        _outbox.c.state <= constant(OutboxState.SENDING),  # as the index of open messages says it
        _outbox.c.state == constant(OutboxState.READY),
    )
    .limit(1)
)


_MARK = (
    update(_outbox)
    .where(_outbox.c.id == bindparam("row"), _outbox.c.owner == bindparam("token"))
    .values(
        state=bindparam("to"),
        platform_id=bindparam("pid"),
        error=bindparam("why"),
        sent_at=bindparam("when"),
        owner="",
        lease_until=0.0,
    )
)


async def give_back(connection: AsyncConnection, rows: Sequence[Row]) -> None:
    """Return rows that were claimed and not sent, for a stop in good order."""
    await connection.execute(
        update(_outbox)
        .where(_outbox.c.id == bindparam("row"), _outbox.c.owner == bindparam("token"))
        .values(state=OutboxState.READY, owner="", lease_until=0.0),
        [{"row": r.id, "token": r.token} for r in rows],
    )


Words = list[tuple[int, str]]


async def withdraw(connection: AsyncConnection, lane: str) -> tuple[Words, Words]:
    """Take back what the bot wrote and has not sent: a person speaks now. What was taken back, and what is on its way
    already, each with its row."""
    bots = (_outbox.c.lane == lane, _outbox.c.purpose != "staff")
    taken = await connection.execute(
        update(_outbox)
        .where(*bots, _outbox.c.state == OutboxState.READY)
        .values(state=OutboxState.WITHDRAWN)
        .returning(_outbox.c.id, _outbox.c.body)
    )
    withdrawn = sorted((r.id, text_of(r.body)) for r in taken)
    flying = await connection.execute(
        select(_outbox.c.id, _outbox.c.body).where(*bots, _outbox.c.state == OutboxState.SENDING).order_by(_outbox.c.id)
    )
    return withdrawn, [(r.id, text_of(r.body)) for r in flying]


def text_of(body: bytes | None) -> str:
    """What a stored message says, without markup."""
    return plain(codec.outbound(body).text) if body else ""


async def take_back(connection: AsyncConnection, lane: str, key: str) -> bool:
    """Take back a staff reply, all its parts; whether none of them had left."""
    parts = (_outbox.c.lane == lane, or_(_outbox.c.key == key, _outbox.c.key.startswith(f"{key}:", autoescape=True)))
    gone = await connection.scalar(select(_outbox.c.id).where(*parts, _outbox.c.state != OutboxState.READY).limit(1))
    if gone is not None:
        return False
    taken = await connection.execute(
        update(_outbox).where(*parts, _outbox.c.state == OutboxState.READY).values(state=OutboxState.WITHDRAWN)
    )
    return bool(taken.rowcount)


AMEND = "amend:"
"""How the key of a message begins that changes or deletes one which has left."""


async def delivered(connection: AsyncConnection, lane: str, key: str) -> list[str]:
    """The platform's ids of a staff reply's parts, in their order; none where a part has not left for certain."""
    parts = or_(_outbox.c.key == key, _outbox.c.key.startswith(f"{key}:", autoescape=True))
    rows = select(_outbox.c.platform_id, _outbox.c.state).where(_outbox.c.lane == lane, parts).order_by(_outbox.c.id)
    found = (await connection.execute(rows)).all()
    return [r.platform_id for r in found] if all(r.state == OutboxState.SENT and r.platform_id for r in found) else []


async def in_parts(connection: AsyncConnection, lane: str, key: str) -> bool:
    """Whether a staff reply's words were too many for one message; files beside them are messages of their own."""
    others = select(_outbox.c.body).where(_outbox.c.lane == lane, _outbox.c.key.startswith(f"{key}:", autoescape=True))
    return any(text_of(body) for body in (await connection.execute(others)).scalars())


async def reword(connection: AsyncConnection, lane: str, key: str, body: bytes) -> bool:
    """Give a message that has not left other words; whether it had not left."""
    changed = await connection.execute(
        update(_outbox)
        .where(_outbox.c.lane == lane, _outbox.c.key == key, _outbox.c.state == OutboxState.READY)
        .values(body=body)
    )
    return bool(changed.rowcount)


_TAKEN = frozenset({OutboxState.SENDING, OutboxState.SENT, OutboxState.UNKNOWN})


def named(receipt: Receipt) -> ColumnElement[bool]:
    """Which message a receipt is about."""
    if receipt.outbound_id.isdecimal():
        return _outbox.c.id == int(receipt.outbound_id)
    return and_(
        _outbox.c.channel == receipt.sender.channel,
        _outbox.c.account == receipt.sender.account,
        _outbox.c.platform_id == receipt.platform_id,
    )


async def record_receipt(connection: AsyncConnection, receipt: Receipt) -> str:
    """Note how far a message got, never backwards; the key of a staff message of which this is news, else empty."""
    where = named(receipt)
    names = ("id", "receipt", "state", "attempts", "body", "purpose", "key")
    row = (await connection.execute(select(*(_outbox.c[n] for n in names)).where(where))).first()
    if row is None:
        return ""
    if receipt.closed and row.state in _TAKEN and row.body:
        message = codec.outbound(row.body)
        if message.fallback is not None:
            # The platform took it and then found its window closed: the approved template says it instead. A sender
            # that has not yet written down that it was taken must not do so any more.
            again = codec.encode(replace(message, approved=message.fallback, fallback=None))
            fresh = update(_outbox).where(_outbox.c.id == row.id)
            await connection.execute(
                fresh.values(
                    state=OutboxState.READY,
                    body=again,
                    platform_id="",
                    receipt="",
                    not_before=0.0,
                    owner="",
                    lease_until=0.0,
                )
            )
            return ""
    values: dict[str, object] = {}
    if not row.receipt or RANK[receipt.state] > RANK[State(row.receipt)]:
        values["receipt"] = receipt.state.value
    if receipt.reason:
        values["error"] = receipt.reason[:500]
    in_doubt = row.state == OutboxState.UNKNOWN or (row.state == OutboxState.READY and row.attempts > 0)
    if receipt.state == State.FAILED:
        values["state"] = OutboxState.DEAD
    elif in_doubt:
        # It had arrived although no answer told so: nothing is sent again.
        values |= {"state": OutboxState.SENT, "platform_id": receipt.platform_id}
    if receipt.pricing:
        values["pricing"] = codec.encode(receipt.pricing)
    if values:
        await connection.execute(update(_outbox).where(_outbox.c.id == row.id).values(**values))
    return str(row.key) if row.purpose == "staff" and "receipt" in values else ""
