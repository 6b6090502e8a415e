"""What left for buyers unasked: reading it for the gate, and writing it so that two chats cannot both pass.

A buyer's row counts their pushes. A turn that lets more leave says how many it had seen; if the row has another
number by then, somebody else was first: the turn is not written and its lane is worked again.
"""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from typing import Any

from msgspec import Struct, field
from sqlalchemy import bindparam, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.events import Notice
from bot.model.messages import Address
from bot.model.orders import Consent
from bot.ports import Item
from bot.proactive.pushes import ENDS, SURVEY, UPDATES, kind_of
from bot.proactive.watching import Sight
from bot.proactive.wording import Situation
from bot.store import codec, orders, queue
from bot.store.database import Database
from bot.store.tables import Buyer, ConsentRow, Conversation, Order, Outbox, OutboxState, core
from bot.store.watchtables import CampaignRow, Follow, PushRow, SightRow

_pushes = core(PushRow)
_buyers = core(Buyer)
_consents = core(ConsentRow)
_outbox = core(Outbox)
_conversations = core(Conversation)
_follows = core(Follow)
_orders = core(Order)
_sights = core(SightRow)
_campaigns = core(CampaignRow)

CAMPAIGN = "campaign:"
"""What the key of a campaign's push begins with; its id follows."""


class Sent(Struct, frozen=True):
    """One push that left."""

    key: str
    urgent: bool
    at: datetime
    lane: str


class Buyers(Struct, frozen=True):
    """What the gate knows of a buyer: what left, how many pushes that is by their row, and which purposes they
    consent to in the chat that asks."""

    sent: tuple[Sent, ...] = ()
    count: int = 0
    consents: frozenset[str] = frozenset()


class Standing(Struct, frozen=True):
    """What the pushes of one lane rest on. `follows` are the orders that the chat asked to be told of, `stopped` the
    keys of campaigns that were stopped."""

    orders: Mapping[int, Situation] = field(default_factory=dict)
    buyers: Mapping[int, Buyers] = field(default_factory=dict)
    follows: frozenset[int] = frozenset()
    stopped: frozenset[str] = frozenset()


class Pushed(Struct, frozen=True):
    """A push that leaves with this turn; `seen` is the buyer's count that the gate judged by. `message` is the
    outbox key under which it leaves; from `expires_at` on it is no news."""

    buyer: int
    key: str
    template: str
    urgent: bool
    order: int
    parcel: int | None
    message: str
    expires_at: datetime | None
    seen: int


async def standing(connection: AsyncConnection, notices: Mapping[str, Sequence[Notice]]) -> dict[str, Standing]:
    """What each lane's notices rest on."""
    ids = {n.order for mine in notices.values() for n in mine if n.order is not None}
    found = await _situations(connection, sorted(ids)) if ids else {}
    buyers = sorted({d.buyer for d in found.values() if d.buyer is not None})
    counts = {r.id: r.pushes for r in await connection.execute(_COUNTS, {"ids": buyers})} if buyers else {}
    sent: dict[int, list[Sent]] = {}
    for row in await connection.execute(_SENT, {"ids": buyers}) if buyers else ():
        sent.setdefault(row.buyer_id, []).append(Sent(row.key, row.urgent, row.at, row.lane))
    given = await _consents_of(connection, list(notices), buyers)
    follows = await _followed(connection, list(notices))
    stopped = await _stopped(connection, {n.fact_key for mine in notices.values() for n in mine})
    return {
        lane: Standing(
            orders={n.order: found[n.order] for n in mine if n.order in found},
            buyers={
                d.buyer: Buyers(
                    tuple(sent.get(d.buyer, ())),
                    counts.get(d.buyer, 0),
                    given(lane, d.buyer, follows=d.buyer in follows.get(lane, {}).values()),
                )
                for n in mine
                if (d := found.get(n.order or 0)) is not None and d.buyer is not None
            },
            follows=frozenset(follows.get(lane, {})),
            stopped=stopped,
        )
        for lane, mine in notices.items()
    }


async def _followed(connection: AsyncConnection, lanes: Sequence[str]) -> dict[str, dict[int, int | None]]:
    """The orders that each chat asked to be told of, with whose they are."""
    follows: dict[str, dict[int, int | None]] = {}
    for row in await connection.execute(_FOLLOWED, {"lanes": list(lanes)}):
        follows.setdefault(row.lane, {})[row.order_id] = row.buyer_id
    return follows


_FOLLOWED = (
    select(_follows.c.lane, _follows.c.order_id, _orders.c.buyer_id)
    .join(_orders, _orders.c.id == _follows.c.order_id)
    .where(_follows.c.lane.in_(bindparam("lanes", expanding=True)))
)


async def _stopped(connection: AsyncConnection, keys: Set[str]) -> frozenset[str]:
    """Of these keys, those of campaigns that were stopped: what waits for its hour stays in."""
    ids = [int(key.removeprefix(CAMPAIGN)) for key in keys if key.startswith(CAMPAIGN)]
    if not ids:
        return frozenset()
    rows = await connection.execute(
        select(_campaigns.c.id).where(_campaigns.c.id.in_(ids), _campaigns.c.state == "stopped")
    )
    return frozenset(f"{CAMPAIGN}{i}" for i in rows.scalars())


async def _situations(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, Situation]:
    """Orders with their parcels at a glance: no timeline is read."""
    parcels: dict[int, list[Sight]] = {}
    for row in await connection.execute(_SIGHTS, {"ids": ids}):
        parcels.setdefault(row.order_id, []).append(_read_sight(row.glance))
    return {
        row.id: Situation(row.id, row.buyer_id, orders.spoken_of(row), tuple(parcels.get(row.id, ())), row.phone_e164)
        for row in await connection.execute(_ORDERS, {"ids": ids})
    }


_read_sight = codec.reader(Sight)
_ORDERS = select(_orders.c.id, _orders.c.buyer_id, _orders.c.phone_e164, *orders.SPOKEN).where(
    _orders.c.id.in_(bindparam("ids", expanding=True))
)
_SIGHTS = (
    select(_sights.c.order_id, _sights.c.glance)
    .where(_sights.c.order_id.in_(bindparam("ids", expanding=True)))
    .order_by(_sights.c.parcel_id)
)
_COUNTS = select(_buyers.c.id, _buyers.c.pushes).where(_buyers.c.id.in_(bindparam("ids", expanding=True)))
_SENT = select(_pushes.c.buyer_id, _pushes.c.key, _pushes.c.urgent, _pushes.c.at, _pushes.c.lane).where(
    _pushes.c.buyer_id.in_(bindparam("ids", expanding=True))
)


class _Ledger:
    """Which purposes hold for a (lane, buyer), by the newest row of either. A stop counts wherever it was said; what
    was asked for counts for whoever asked: the buyer, or a chat that follows their orders."""

    def __init__(self, rows: Sequence[tuple[str, int | None, str, bool]]) -> None:
        self._by_lane: dict[str, list[int]] = {}
        self._by_buyer: dict[int, list[int]] = {}
        self._rows = rows
        for place, (lane, buyer, _, _) in enumerate(rows):
            if lane:
                self._by_lane.setdefault(lane, []).append(place)
            if buyer is not None:
                self._by_buyer.setdefault(buyer, []).append(place)

    def __call__(self, lane: str, buyer: int, *, follows: bool) -> frozenset[str]:
        purposes: set[str] = set()
        places = {*self._by_lane.get(lane, ()), *self._by_buyer.get(buyer, ())}
        for place in sorted(places):
            _, whose, purpose, given = self._rows[place]
            if given and whose != buyer and not (whose is None and follows):
                continue
            (purposes.add if given else purposes.discard)(purpose)
        return frozenset(purposes)


async def _consents_of(connection: AsyncConnection, lanes: Sequence[str], buyers: Sequence[int]) -> _Ledger:
    rows = await connection.execute(_LEDGER, {"lanes": lanes, "buyers": buyers})
    return _Ledger([(r.lane, r.buyer_id, r.purpose, r.given) for r in rows])


_LEDGER = (
    select(_consents.c.lane, _consents.c.buyer_id, _consents.c.purpose, _consents.c.given)
    .where(
        _consents.c.lane.in_(bindparam("lanes", expanding=True))
        | _consents.c.buyer_id.in_(bindparam("buyers", expanding=True))
    )
    .order_by(_consents.c.at, _consents.c.id)
)


async def counted(
    connection: AsyncConnection, turns: Mapping[str, Sequence[Pushed]], stopping: Set[int] = frozenset()
) -> set[str]:
    """Take the buyers' rows for these turns' pushes (by lane); the lanes that were too late. Whoever says stop
    (`stopping`) is counted too: a push that was judged before it must be judged again."""
    ids = sorted({p.buyer for pushed in turns.values() for p in pushed} | stopping)
    if not ids:
        return set()
    counts = {r.id: r.pushes for r in await connection.execute(_TAKE, {"ids": ids})}
    late: set[str] = set()
    more: dict[int, int] = dict.fromkeys(stopping, 1)
    for lane, pushed in turns.items():
        if any(counts.get(p.buyer) != p.seen or p.buyer in more for p in pushed):
            late.add(lane)
        else:
            more |= Counter(p.buyer for p in pushed)
    for n in sorted(set(more.values())):
        await connection.execute(_COUNT, {"buyers": sorted(b for b, m in more.items() if m == n), "more": n})
    return late


_TAKE = _COUNTS.order_by(_buyers.c.id).with_for_update()
_COUNT = (
    update(_buyers)
    .where(_buyers.c.id.in_(bindparam("buyers", expanding=True)))
    .values(pushes=_buyers.c.pushes + bindparam("more"))
)


async def save(connection: AsyncConnection, turns: Mapping[str, Sequence[Pushed]], now: datetime) -> None:
    """Write down what leaves."""
    rows = [
        {
            "buyer_id": p.buyer,
            "key": p.key,
            "template": p.template,
            "urgent": p.urgent,
            "order_id": p.order,
            "parcel_id": p.parcel,
            "lane": lane,
            "message": p.message,
            "at": now,
            "expires_at": p.expires_at,
        }
        for lane, pushed in turns.items()
        for p in pushed
    ]
    if rows:
        await connection.execute(_SAVE, rows)
    over = [p.parcel for pushed in turns.values() for p in pushed if p.template in ENDS and p.parcel is not None]
    if over:
        # What was ready to leave about a parcel's way would come after the word on its end.
        before = select(_pushes.c.message).where(_pushes.c.parcel_id.in_(over), _pushes.c.template.not_in(ENDS))
        stale = (_outbox.c.lane.in_(list(turns)), _outbox.c.key.in_(before), ~_outbox.c.key.startswith("digest:"))
        ready = update(_outbox).where(*stale, _outbox.c.state == OutboxState.READY)
        await connection.execute(ready.values(state=OutboxState.WITHDRAWN))


_SAVE = insert(_pushes)


async def withdraw_unasked(connection: AsyncConnection, lane: str, buyers: Sequence[int]) -> None:
    """Take back what this chat, and every other of these buyers, would have been told unasked: they said stop. What
    is on its way now, or could come back because the platform finds its window closed, is not tried again."""
    theirs = select(_conversations.c.lane).where(_conversations.c.buyer_id.in_(buyers))
    followed = (
        select(_follows.c.lane).join(_orders, _orders.c.id == _follows.c.order_id).where(_orders.c.buyer_id.in_(buyers))
    )
    told = select(_pushes.c.lane).where(_pushes.c.buyer_id.in_(buyers))
    mine = or_(_outbox.c.lane == lane, *(_outbox.c.lane.in_(lanes) for lanes in (theirs, followed, told)))
    unasked = update(_outbox).where(mine, _outbox.c.purpose == "notice")
    gone = (OutboxState.SENDING, OutboxState.SENT)
    await connection.execute(unasked.where(_outbox.c.state.in_(gone)).values(expires_at=_PAST))
    await connection.execute(unasked.where(_outbox.c.state == OutboxState.READY).values(state=OutboxState.WITHDRAWN))


_PAST = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


async def stopped_by_shop(connection: AsyncConnection, order: int) -> None:
    """The shop told us of a withdrawal: where that is the buyer's last word, nothing more leaves for them."""
    buyer = await connection.scalar(select(_orders.c.buyer_id).where(_orders.c.id == order))
    newest = select(_consents.c.given).where(_consents.c.buyer_id == buyer)
    newest = newest.order_by(_consents.c.at.desc(), _consents.c.id.desc()).limit(1)
    if buyer is None or await connection.scalar(newest):
        return
    await connection.execute(_COUNT, {"buyers": [buyer], "more": 1})
    await withdraw_unasked(connection, "", [buyer])


async def again(connection: AsyncConnection, database: Database, lane: str, message: str, now: datetime) -> None:
    """A push did not leave before its buyer's night began: it counts as not said, and is judged and worded again. One
    that rests on facts of its own moment is not: it is worth no second look, and its fate is on record."""
    gone = (_pushes.c.lane == lane, _pushes.c.message == message)
    # Nobody heard that it stands still: nothing that builds on it leaves either.
    unheard = update(_pushes).where(*gone, _pushes.c.template == "stalled")
    await connection.execute(unheard.values(key=_pushes.c.key + "~"))
    rows = (await connection.execute(select(_pushes).where(*gone, _pushes.c.template.not_in(OF_THE_MOMENT)))).all()
    if not rows:
        return
    # Its key is free again for what will be said instead; what is not said again keeps its fate.
    held = (_outbox.c.lane == lane, _outbox.c.key == message)
    other = f"{message}~{await connection.scalar(select(_outbox.c.id).where(*held))}"
    await connection.execute(update(_outbox).where(*held).values(key=other))
    await connection.execute(delete(_pushes).where(_pushes.c.id.in_([r.id for r in rows])))
    await connection.execute(update(_pushes).where(*gone).values(message=other))
    to = Address.parse(lane.removeprefix("c/"))
    waiting = [
        Notice(
            # Not by its row: SQLite gives the number of one that is gone away again.
            id=f"again:{r.buyer_id}:{r.key}:{r.at.isoformat()}",
            to=to,
            template=r.template,
            fact_key=r.key,
            purpose=UPDATES,
            expires_at=news_until(r),
            order=r.order_id,
            parcel=r.parcel_id,
        )
        for r in rows
    ]
    arrivals = [queue.Arrival("wismo", Item(n.id, lane, codec.pack(n))) for n in waiting]
    await queue.receive(connection, database, arrivals, now)


def news_until(row: Any) -> datetime:
    """Until when a push that left is news: what is made again of it stays as old as the first was. Rows of before
    migration 0011 say only when it left."""
    until: datetime = row.expires_at or row.at + kind_of(row.template).lasts
    return until


OF_THE_MOMENT = ("window_moved", "stalled", SURVEY)
"""These say or ask what was so when they were made, and bring along facts that are kept nowhere else."""


async def unsay(connection: AsyncConnection, ids: Sequence[int]) -> None:
    """These did not arrive and are said elsewhere: they count as not said."""
    if ids:
        await connection.execute(delete(_pushes).where(_pushes.c.id.in_(ids)))


async def ledger(connection: AsyncConnection, buyer: int) -> list[Consent]:
    """All that a buyer consented to and withdrew, oldest first."""
    rows = await connection.execute(
        select(_consents).where(_consents.c.buyer_id == buyer).order_by(_consents.c.at, _consents.c.id)
    )
    return [Consent(r.purpose, r.source, r.at, r.given) for r in rows]
