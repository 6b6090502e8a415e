"""Pushes that did not arrive because nobody is reached in their chat, and where else their buyers can be."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.events import Notice, conversation_lane
from bot.model.messages import Address, Receipt
from bot.proactive.pushes import UPDATES
from bot.store import outbox, pushes, watching
from bot.store.tables import Inbox, Outbox, core
from bot.store.watchtables import PushRow

_pushes = core(PushRow)
_outbox = core(Outbox)
_inbox = core(Inbox)


class Unreached(Struct, frozen=True):
    """A push that did not arrive: its row, the notice that says it again, and where else its buyer can be reached."""

    id: int
    notice: Notice
    reach: watching.Reach


async def unreached(
    connection: AsyncConnection, receipts: Mapping[str, Sequence[Receipt]]
) -> dict[str, list[Unreached]]:
    """What did not arrive in these lanes and was not tried elsewhere yet. What rests on facts of its own moment is
    worth no second try, and a campaign counts its failures."""
    found: dict[str, list[Unreached]] = {}
    for lane, told in receipts.items():
        for receipt in told:
            for row in await connection.execute(_gone(lane, receipt)):
                if (again := await _elsewhere(connection, row)) is not None:
                    found.setdefault(lane, []).append(again)
    return found


def _gone(lane: str, receipt: Receipt) -> Any:
    joined = _pushes.join(_outbox, (_outbox.c.lane == _pushes.c.lane) & (_outbox.c.key == _pushes.c.message))
    worth = (
        _pushes.c.template.not_in(pushes.OF_THE_MOMENT),
        ~_pushes.c.key.startswith(pushes.CAMPAIGN, autoescape=True),
    )
    return select(_pushes).select_from(joined).where(outbox.named(receipt), _pushes.c.lane == lane, *worth)


async def _elsewhere(connection: AsyncConnection, row: Any) -> Unreached | None:
    name = f"next:{row.buyer_id}:{row.key}"
    tried = select(_inbox.c.id).where(_inbox.c.port == "wismo", _inbox.c.key == name)
    if await connection.scalar(tried) is not None:
        return None
    reach = (await watching.reach(connection, [row.order_id], UPDATES))[row.order_id]
    notice = Notice(
        id=name,
        to=Address.parse(row.lane.removeprefix("c/")),
        template=row.template,
        fact_key=row.key,
        purpose=UPDATES,
        expires_at=pushes.news_until(row),
        order=row.order_id,
        parcel=row.parcel_id,
    )
    others = tuple(c for c in reach.chats if conversation_lane(c.address) != row.lane)
    return Unreached(row.id, notice, watching.Reach(reach.phone, others))
