"""What a conversation's turn reads before it decides."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct, field
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.dialog.turn import Dossier, Link, Wants
from bot.model.conversations import Conversation
from bot.model.orders import number_key
from bot.store import codec, guessing, orders
from bot.store.guessing import hashed
from bot.store.tables import ConsentRow, DecisionRow, Feed, LinkRow, MediaRow, Outbox, core
from bot.store.tables import Conversation as ConversationRow
from bot.store.tables import Order as OrderRow

NEWEST = 6
"""So many of a buyer's newest orders are looked at when they name none."""

_conversations = core(ConversationRow)
_outbox = core(Outbox)
_consents = core(ConsentRow)
_links = core(LinkRow)
_decisions = core(DecisionRow)
_media = core(MediaRow)
_feeds = core(Feed)
_orders = core(OrderRow)


class Gathered(Struct, frozen=True):
    """What one lane's `Wants` found; the names are those of `bot.dialog.turn.Facts`."""

    found: Mapping[int, Dossier] = field(default_factory=dict)
    numbers: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    trackings: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    phone_buyers: tuple[int, ...] = ()
    buyer_orders: tuple[int, ...] = ()
    link: Link | None = None
    misses: Mapping[str, int] = field(default_factory=dict)
    chat_misses: int = 0
    shop_misses: int = 0
    lookups: int = 0
    feeds_down: Mapping[str, datetime] = field(default_factory=dict)
    consents: frozenset[str] = frozenset()


async def conversations(connection: AsyncConnection, lanes: Sequence[str]) -> dict[str, Conversation]:
    """The records of these lanes; a lane never seen has a fresh one."""
    rows = await connection.execute(_CONVERSATIONS, {"lanes": list(lanes)})
    known = {row.lane: row.state for row in rows}
    return {lane: codec.record(lane, known.get(lane, b"")) for lane in lanes}


_CONVERSATIONS = select(_conversations.c.lane, _conversations.c.state).where(
    _conversations.c.lane.in_(bindparam("lanes", expanding=True))
)


async def gather(
    connection: AsyncConnection, wants: Mapping[str, Wants], buyers: Mapping[str, int | None], now: datetime
) -> dict[str, Gathered]:
    """What each lane wants to know. `buyers` are whom the lanes belong to, for their consents."""
    everyone = list(wants.values())
    of_buyer = {b: await _newest(connection, b) for b in {w.buyer for w in everyone if w.buyer is not None}}
    of_phone = {p: await _of_phone(connection, p) for p in {w.phone for w in everyone if w.phone}}
    links = await _links_of(connection, {hashed(w.token) for w in everyone if w.token})
    ids = {i for w in everyone for i in w.orders} | {i for found in of_buyer.values() for i in found}
    ids |= {link.order for link in links.values()} | {i for _, found in of_phone.values() for i in found}
    keys = {n: number_key(n) for w in everyone for n in w.numbers}
    codes = {t for w in everyone for t in w.trackings}
    found, by_number, by_tracking = await orders.find(connection, keys.values(), codes, ids)
    misses, chat_misses, lookups = await guessing.counts(connection, wants, now)
    shop_misses = await guessing.of_shop(connection, now) if any(w.guesses for w in everyone) else 0
    down = {r.source: r.down_since for r in await connection.execute(_DOWN)}
    consents = await _consents_of(connection, buyers)
    gathered = {}
    for lane, w in wants.items():
        numbers = {n: tuple(by_number.get(keys[n], ())) for n in w.numbers}
        trackings = {t: tuple(by_tracking.get(t, ())) for t in w.trackings}
        phone_buyers, phone_orders = of_phone.get(w.phone, ((), ()))
        newest = of_buyer.get(w.buyer, ()) if w.buyer is not None else ()
        link = links.get(hashed(w.token)) if w.token else None
        mine = {*w.orders, *newest, *phone_orders, *(i for n in numbers.values() for i in n)}
        mine |= {order for pairs in trackings.values() for order, _ in pairs} | ({link.order} if link else set())
        gathered[lane] = Gathered(
            found={i: found[i] for i in mine if i in found},
            numbers=numbers,
            trackings=trackings,
            phone_buyers=phone_buyers,
            buyer_orders=newest or phone_orders,
            link=link,
            misses={n: misses.get(guessing.subject_of(n), 0) for n in w.numbers} if misses else {},
            chat_misses=chat_misses.get(lane, 0),
            shop_misses=shop_misses,
            lookups=lookups.get(lane, 0),
            feeds_down=down,
            consents=frozenset(consents.get(lane, ())),
        )
    return gathered


_DOWN = select(_feeds.c.source, _feeds.c.down_since).where(_feeds.c.down_since.is_not(None))


async def _newest(connection: AsyncConnection, buyer: int) -> tuple[int, ...]:
    return tuple((await connection.execute(_NEWEST, {"buyer": buyer})).scalars())


_NEWEST = (
    select(_orders.c.id).where(_orders.c.buyer_id == bindparam("buyer")).order_by(_orders.c.id.desc()).limit(NEWEST)
)


async def _of_phone(connection: AsyncConnection, phone: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    whose = await connection.execute(_WHOSE, {"phone": phone})
    buyers = tuple(b for b in whose.scalars() if b is not None)
    return buyers, (await _newest(connection, buyers[0]) if len(buyers) == 1 else ())


_WHOSE = select(_orders.c.buyer_id).where(_orders.c.phone_e164 == bindparam("phone")).distinct().limit(3)


async def _links_of(connection: AsyncConnection, hashes: set[str]) -> dict[str, Link]:
    if not hashes:
        return {}
    rows = await connection.execute(select(_links).where(_links.c.hash.in_(hashes)))
    return {
        r.hash: Link(order=r.order_id, created_at=r.created_at, revoked=r.revoked, first_chat=r.first_chat)
        for r in rows
    }


async def _consents_of(connection: AsyncConnection, buyers: Mapping[str, int | None]) -> dict[str, set[str]]:
    ids = {b for b in buyers.values() if b is not None}
    rows = await connection.execute(_CONSENTS, {"lanes": list(buyers), "buyers": list(ids)})
    given: dict[str, set[str]] = {lane: set() for lane in buyers}
    for row in rows:
        for lane, buyer in buyers.items():
            if row.lane == lane or (row.buyer_id is not None and row.buyer_id == buyer):
                (given[lane].add if row.given else given[lane].discard)(row.purpose)
    return given


_CONSENTS = (
    select(_consents)
    .where(
        _consents.c.lane.in_(bindparam("lanes", expanding=True))
        | _consents.c.buyer_id.in_(bindparam("buyers", expanding=True))
    )
    .order_by(_consents.c.at, _consents.c.id)
)
