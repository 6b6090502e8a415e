"""What staff look for at the desk: orders with the chats in which a case about them can be opened, and the cases in
whose conversations something was said."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from html import escape
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import ColumnElement, Text, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.orders import number_key
from bot.ports import Item
from bot.store.casetables import CaseEventRow, CaseRow
from bot.store.database import Database
from bot.store.outbox import text_of
from bot.store.tables import Conversation as ConversationRow
from bot.store.tables import Inbox, Outbox, core
from bot.store.tables import Order as OrderRow
from bot.store.watchtables import Follow, Proved

MOST_ORDERS, MOST_CHATS, MOST_SAID = 10, 5, 500
SHORTEST = 3
"""Words are looked for from so many characters on; a number at any length."""

_orders, _conversations, _follows, _proved = map(core, (OrderRow, ConversationRow, Follow, Proved))
_cases, _events, _inbox, _outbox = map(core, (CaseRow, CaseEventRow, Inbox, Outbox))


class Chat(Struct, frozen=True):
    """A conversation in which the buyer of an order writes; `case` is the one that is open there."""

    lane: str
    channel: str
    case: int | None


class FoundOrder(Struct, frozen=True):
    """An order and its buyer's chats, the latest in front."""

    id: int
    number: str
    name: str
    country: str
    buyer: int | None
    chats: Sequence[Chat] = ()


async def orders_like(database: Database, words: str) -> list[FoundOrder]:
    """Orders of this number, or whose buyer's name or e-mail has these words in it; the newest in front."""
    if not words:
        return []
    where = [_orders.c.number_key == number_key(words)]
    if len(words) >= SHORTEST:
        where += [_orders.c.name.icontains(words, autoescape=True), _orders.c.email.icontains(words, autoescape=True)]
    rows = select(_orders).where(or_(*where)).order_by(_orders.c.id.desc()).limit(MOST_ORDERS)

    async def work(connection: AsyncConnection) -> list[FoundOrder]:
        found = [
            FoundOrder(r.id, r.number, r.name, r.country, r.buyer_id) for r in (await connection.execute(rows)).all()
        ]
        return [replace(order, chats=await _chats(connection, order)) for order in found]

    return await database.view(work)


async def _chats(connection: AsyncConnection, order: FoundOrder) -> list[Chat]:
    """The chats that are the buyer's, that follow the order, that proved it, or that had a case about one of theirs."""
    following = select(_follows.c.lane).where(_follows.c.order_id == order.id)
    proving = select(_proved.c.lane).where(_proved.c.order_id == order.id)
    whose: list[ColumnElement[bool]] = [_conversations.c.lane.in_(following), _conversations.c.lane.in_(proving)]
    if order.buyer is not None:
        had = select(_cases.c.lane).join(_orders, _orders.c.id == _cases.c.order_id)
        whose.append(_conversations.c.buyer_id == order.buyer)
        whose.append(_conversations.c.lane.in_(had.where(_orders.c.buyer_id == order.buyer)))
    rows = select(_conversations).where(or_(*whose)).order_by(_conversations.c.last_inbound_at.desc())
    return [Chat(r.lane, r.channel, r.case_id) for r in await connection.execute(rows.limit(MOST_CHATS))]


async def cases_saying(
    database: Database, words: str, heard: Callable[[str, Item], str], since: datetime
) -> frozenset[int]:
    """Cases in whose conversations the words were said since then, by anybody, or noted by staff.

    What buyers wrote is kept as their platform sent it: the database finds messages that may have the words, and
    `heard` reads them.
    """
    wanted = words.casefold()

    async with database.read() as connection:
        cases = select(_cases.c.lane)
        written = await connection.execute(
            select(_inbox.c.lane, _inbox.c.port, _inbox.c.key, _inbox.c.body)
            .where(_inbox.c.received_at >= since, _inbox.c.port != "wismo", _inbox.c.lane.in_(cases))
            .where(_may_hold(database, _inbox.c.body, words))
            .order_by(_inbox.c.id.desc())
            .limit(MOST_SAID)
        )
        lanes = {r.lane for r in written if wanted in heard(r.port, Item(r.key, r.lane, r.body)).casefold()}
        said = await connection.execute(
            select(_outbox.c.lane, _outbox.c.body)
            .where(_outbox.c.created_at >= since, _outbox.c.purpose != "desk", _outbox.c.lane.in_(cases))
            .where(_may_hold(database, _outbox.c.body, words))
            .order_by(_outbox.c.id.desc())
            .limit(MOST_SAID)
        )
        lanes |= {r.lane for r in said if wanted in text_of(r.body).casefold()}
        noted = select(_events.c.lane).where(_events.c.at >= since, _events.c.text.icontains(words, autoescape=True))
        lanes |= set((await connection.execute(noted.distinct().limit(MOST_SAID))).scalars())
        found = await connection.execute(select(_cases.c.id).where(_cases.c.lane.in_(lanes)))
        return frozenset(found.scalars())


def _may_hold(database: Database, body: ColumnElement[Any], words: str) -> ColumnElement[bool]:
    """Whether a message's JSON has the words in one of their usual spellings, escaped or not.

    SQLite's LIKE knows no case of ASCII letters, so that most words are one needle; looking for five spellings one by
    one took three times as long (100,000 messages each way on SQLite: 0.3 s instead of 0.9, on a busy machine).
    """
    spelled = dict.fromkeys((words, words.lower(), words.upper(), words.capitalize(), words.title()))
    needles = {text for word in spelled for text in (json.dumps(word)[1:-1], escape(word, quote=False), word)}
    if database.sqlite:
        folded = sorted({needle.encode().lower().decode() for needle in needles})
        return or_(*(cast(body, Text).contains(needle, autoescape=True) for needle in folded))
    return or_(*(func.pg_catalog.position(body, needle.encode()) > 0 for needle in sorted(needles)))


async def case_of(database: Database, lane: str) -> int | None:
    """The case that is open in a conversation."""

    async def work(connection: AsyncConnection) -> int | None:
        case = await connection.scalar(select(_conversations.c.case_id).where(_conversations.c.lane == lane))
        return int(case) if case is not None else None

    return await database.view(work)
