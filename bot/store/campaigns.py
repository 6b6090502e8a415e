"""Campaigns: their rows, the orders that come next, and how they go.

A step moves `cursor` in the commit that stores the step's notices, and only from where it was read: of several
processes that take the same step one succeeds.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Select, TextClause, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.dialog.turn import Dossier
from bot.proactive.campaign import Outcome, Plan
from bot.store import codec, orders, pushes, why
from bot.store.tables import ConsentRow, Inbox, InboxState, Order, Outbox, OutboxState, core
from bot.store.watchtables import CampaignRow, PushRow

PLANNED, RUNNING, STOPPED, DONE = "planned", "running", "stopped", "done"

_campaigns = core(CampaignRow)
_orders = core(Order)
_pushes = core(PushRow)
_outbox = core(Outbox)
_inbox = core(Inbox)
_consents = core(ConsentRow)


class Campaign(Struct, frozen=True):
    """A campaign as it stands. `cursor` is the last order that was looked at; `note` why it stopped."""

    id: int
    name: str
    state: str
    plan: Plan
    cursor: int
    reached: int
    note: str
    created_at: datetime
    ended_at: datetime | None

    @property
    def key(self) -> str:
        """Under which a buyer hears of it once."""
        return f"{pushes.CAMPAIGN}{self.id}"


def _campaign(row: Any) -> Campaign:
    return Campaign(
        row.id, row.name, row.state, codec.decode(row.plan, Plan), row.cursor, row.reached, row.note, row.created_at,
        row.ended_at,
    )  # fmt: skip


async def plan(connection: AsyncConnection, name: str, made: Plan, now: datetime) -> Campaign | None:
    """Write a campaign down, or change one that is only planned; None where one of this name has begun."""
    known = (await connection.execute(select(_campaigns).where(_campaigns.c.name == name))).first()
    if known is not None and known.state != PLANNED:
        return None
    if known is None:
        await connection.execute(
            insert(_campaigns).values(
                name=name, state=PLANNED, plan=codec.encode(made), cursor=0, reached=0, note="", created_at=now
            )
        )
    else:
        await connection.execute(update(_campaigns).where(_campaigns.c.name == name).values(plan=codec.encode(made)))
    return await named(connection, name)


async def named(connection: AsyncConnection, name: str) -> Campaign | None:
    """The campaign of this name."""
    row = (await connection.execute(select(_campaigns).where(_campaigns.c.name == name))).first()
    return _campaign(row) if row is not None else None


async def all_of(connection: AsyncConnection) -> list[Campaign]:
    """Every campaign, oldest first."""
    return [_campaign(row) for row in await connection.execute(select(_campaigns).order_by(_campaigns.c.id))]


async def set_state(
    connection: AsyncConnection,
    campaign: int,
    state: str,
    now: datetime,
    note: str = "",
    due_at: datetime | None = None,
) -> None:
    """Start, stop or end a campaign; a running one takes its next step at `due_at`. Only a running one comes to its
    end: somebody may have stopped it meanwhile. One that goes on after a stop begins with its first order again: whose
    hour passed meanwhile heard nothing."""
    if state == RUNNING:
        again = update(_campaigns).where(_campaigns.c.id == campaign, _campaigns.c.state == STOPPED)
        told = select(func.count()).select_from(_pushes).where(_pushes.c.key == f"{pushes.CAMPAIGN}{campaign}")
        await connection.execute(again.values(cursor=0, reached=told.scalar_subquery()))
    ended = now if state in {STOPPED, DONE} else None
    change = update(_campaigns).where(_campaigns.c.id == campaign)
    if state == DONE:
        change = change.where(_campaigns.c.state == RUNNING)
    await connection.execute(change.values(state=state, note=note, due_at=due_at, ended_at=ended))


async def due(connection: AsyncConnection, now: datetime) -> list[Campaign]:
    """Running campaigns whose next step is due."""
    rows = await connection.execute(
        select(_campaigns).where(_campaigns.c.state == RUNNING, _campaigns.c.due_at <= now).order_by(_campaigns.c.id)
    )
    return [_campaign(row) for row in rows]


async def after(connection: AsyncConnection, cursor: int, limit: int) -> list[Dossier]:
    """The next orders behind the cursor, by id."""
    ids = list(
        (
            await connection.execute(
                select(_orders.c.id).where(_orders.c.id > cursor).order_by(_orders.c.id).limit(limit)
            )
        ).scalars()
    )
    found, _, _ = await orders.find(connection, ids=ids)
    return [found[i] for i in ids]


async def stepped(connection: AsyncConnection, campaign: Campaign, cursor: int, reached: int, due_at: datetime) -> bool:
    """Move the cursor; whether it stood where it was read, so that this step is ours."""
    moved = await connection.execute(
        update(_campaigns)
        .where(_campaigns.c.id == campaign.id, _campaigns.c.state == RUNNING, _campaigns.c.cursor == campaign.cursor)
        .values(cursor=cursor, reached=_campaigns.c.reached + reached, due_at=due_at)
    )
    return bool(moved.rowcount)


async def in_hand(connection: AsyncConnection, campaign: Campaign, notices: Mapping[str, int | None]) -> set[str]:
    """Of these notices (by id, each with its buyer) those that need not be made: the buyer was told, or it is there."""
    told = select(_pushes.c.buyer_id).where(_pushes.c.key == campaign.key, _pushes.c.buyer_id.in_(notices.values()))
    buyers = set((await connection.execute(told)).scalars())
    there = select(_inbox.c.key).where(_inbox.c.port == "wismo", _inbox.c.key.in_(notices))
    known = set((await connection.execute(there)).scalars())
    return {name for name, buyer in notices.items() if buyer in buyers or name in known}


async def outcome(connection: AsyncConnection, campaign: Campaign) -> Outcome:
    """How a campaign goes. Counted by the database: a campaign may have a hundred thousand rows."""
    rows = await connection.execute(went(campaign))
    states: Counter[int] = Counter()
    receipts: Counter[str] = Counter()
    for row in rows:
        states[OutboxState.DEAD if row.receipt == "failed" else row.state] += row.n
        receipts[row.receipt] += row.n
    return Outcome(
        made=campaign.reached,
        sent=states[OutboxState.SENT] + states[OutboxState.DEAD],
        delivered=receipts["delivered"] + receipts["read"],
        read=receipts["read"],
        failed=states[OutboxState.DEAD],
        stopped=int(await connection.scalar(stops(campaign)) or 0),
    )


def went(campaign: Campaign) -> Select[Any]:
    """How many of a campaign's messages stand in which state, and with which receipt."""
    counted = select(_outbox.c.state, _outbox.c.receipt, func.count().label("n")).select_from(_ours)
    return counted.where(*_of(campaign)).group_by(_outbox.c.state, _outbox.c.receipt)


def stops(campaign: Campaign) -> Select[Any]:
    """How many said stop after they were told."""
    told = _consents.join(_pushes, _pushes.c.lane == _consents.c.lane)
    said = select(func.count(_consents.c.lane.distinct())).select_from(told).where(*_of(campaign))
    return said.where(_consents.c.given.is_(False), _consents.c.at >= _pushes.c.at)


def _of(campaign: Campaign) -> tuple[ColumnElement[bool], TextClause]:
    """The pushes of a campaign; said so that the databases see that their index holds them."""
    return _pushes.c.key == campaign.key, text("substr(push.key, 1, 9) = 'campaign:'")


_ours = _pushes.join(_outbox, (_outbox.c.lane == _pushes.c.lane) & (_outbox.c.key == _pushes.c.message))


async def waits(connection: AsyncConnection, campaign: Campaign) -> bool:
    """Whether a notice waits for its buyer's hour. Only what waits is read, which has indexes of its own, and no more
    of it than up to the first."""
    mine = _inbox.c.key.startswith(f"{campaign.key}:", autoescape=True)
    for state in (InboxState.LATER, InboxState.READY):
        found = select(_inbox.c.id).where(_inbox.c.state == state, mine).limit(1)
        if await connection.scalar(found) is not None:
            return True
    return False


async def left_out(connection: AsyncConnection, campaign: Campaign) -> dict[str, int]:
    """How many buyers did not hear of it, by the rule that kept it back."""
    rules: Counter[str] = Counter()
    async for record in why.stream(connection, campaign.created_at):
        if record.inputs.get("key") == campaign.key and record.inputs.get("verdict") == "drop":
            rules[record.rule] += 1
    return dict(rules)
