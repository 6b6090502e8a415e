"""Orders that the announcer watches: which are due, what was found, where their buyers can be reached, and which chats
follow or proved them."""

from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from typing import Any
from uuid import uuid4

from msgspec import Struct
from sqlalchemy import bindparam, case, delete, func, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.dialog.turn import Reason
from bot.model.conversations import Conversation
from bot.model.events import conversation_lane
from bot.model.messages import Address
from bot.model.orders import Order
from bot.proactive.footing import Footing
from bot.proactive.reaching import Chat
from bot.proactive.sighting import Home, sight, watched
from bot.proactive.watching import Sight, Told, Watched
from bot.store import codec, orders, pushes
from bot.store.database import NOW, Database
from bot.store.queue import Arrival
from bot.store.tables import ConsentRow, Feed, Inbox, InboxState, core
from bot.store.tables import Conversation as ConversationRow
from bot.store.tables import Order as OrderRow
from bot.store.watchtables import Follow, Proved, SightRow, Watch

LEASE_SECONDS = 60.0

_watches = core(Watch)
_sights = core(SightRow)
_orders = core(OrderRow)
_follows = core(Follow)
_proved = core(Proved)
_conversations = core(ConversationRow)
_consents = core(ConsentRow)
_feeds = core(Feed)
_inbox = core(Inbox)


class Leased(Struct, frozen=True):
    """An order that is due, leased; `footing` as it is stored."""

    order: int
    token: str
    footing: bytes


class Found(Struct, frozen=True):
    """What was due: how many orders were put off unread, and those that are leased."""

    put_off: int
    leased: Sequence[Leased]


class Due(Struct, frozen=True):
    """An order to look at, leased. `told` is None where nobody looked before. `unreadable` is the kind of error where
    what is kept of it cannot be read; then it has nothing but its id."""

    order: Watched
    parcels: tuple[Sight, ...]
    told: Told | None
    token: str
    unreadable: str = ""


class Looked(Struct, frozen=True):
    """What came of a look; `told` and `footing` None where nothing about them changed, `again` None for never. `news`
    are for people's lanes, `reasons` why they were made or left out."""

    order: int
    token: str
    again: datetime | None
    told: Told | None = None
    footing: bytes | None = None
    news: tuple[Arrival, ...] = ()
    reasons: tuple[Reason, ...] = ()


class Reach(Struct, frozen=True):
    """The chats in which the buyer of an order can be told things; `phone` is E.164 or empty."""

    phone: str = ""
    chats: tuple[Chat, ...] = ()


async def touch(connection: AsyncConnection, database: Database, glances: Sequence[tuple[int, Watched | None]]) -> None:
    """These orders have news: look at them now. A glance that is None is left, or filled in by the look."""
    rows = [{"order": i, "glance": codec.encode(w) if w is not None else b""} for i, w in sorted(glances)]
    if rows:
        await connection.execute(database.once(_touch), rows)


def _touch(database: Database) -> Any:
    upsert = database.insert(_watches).values(
        order_id=bindparam("order"),
        due_at=_EPOCH,
        lease_until=0.0,
        owner="",
        glance=bindparam("glance"),
        told=b"",
        footing=b"",
    )
    return upsert.on_conflict_do_update(
        index_elements=[_watches.c.order_id],
        set_={
            "due_at": _EPOCH,
            "lease_until": 0.0,
            "owner": "",
            "footing": b"",
            "glance": case((func.length(upsert.excluded.glance) > 0, upsert.excluded.glance), else_=_watches.c.glance),
        },
    )


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
"""Due before everything else: news."""


async def watch(connection: AsyncConnection, database: Database, order_id: int, order: Order, now: datetime) -> None:
    """The shop told us of an order: have it looked at, with the parcels that it announced."""
    home = Home(order.country, order.postcode)
    parcels = (await orders.parcels_of(connection, [order_id])).get(order_id, ())
    await save_sights(connection, database, [(order_id, sight(p, home, now)) for p in parcels])
    await touch(connection, database, [(order_id, watched(order_id, order))])
    if any(not c.given for c in order.consent):
        await pushes.stopped_by_shop(connection, order_id)


async def save_sights(connection: AsyncConnection, database: Database, sights: Sequence[tuple[int, Sight]]) -> None:
    """Write down parcels at a glance, each with its order, and have their orders looked at."""
    rows = [{"parcel": s.parcel, "order": order, "glance": codec.encode(s)} for order, s in sights]
    if rows:
        await connection.execute(database.once(_sight), rows)
        await touch(connection, database, [(order, None) for order in {order for order, _ in sights}])


def _sight(database: Database) -> Any:
    upsert = database.insert(_sights).values(
        parcel_id=bindparam("parcel"), order_id=bindparam("order"), glance=bindparam("glance")
    )
    return upsert.on_conflict_do_update(index_elements=[_sights.c.parcel_id], set_={"glance": upsert.excluded.glance})


async def due(connection: AsyncConnection, now: datetime, limit: int, settled: Set[bytes], again: datetime) -> Found:
    """Up to `limit` orders that are due, news first: those whose footing holds no news (`settled`) are put off until
    `again`, the others leased."""
    rows = (await connection.execute(_DUE, {"now": now, "most": limit})).all()
    put_off = [row.order_id for row in rows if row.footing in settled]
    if put_off:
        await connection.execute(_SAME, {"ids": put_off, "due": again})
    token = uuid4().hex
    leased = [Leased(row.order_id, token, row.footing) for row in rows if row.footing not in settled]
    if leased:
        await connection.execute(_LEASE, {"ids": [x.order for x in leased], "token": token})
    return Found(len(put_off), leased)


async def whole(connection: AsyncConnection, leased: Sequence[Leased]) -> list[Due]:
    """All that is kept of these orders, those whose lease no news took meanwhile."""
    tokens = {x.order: x.token for x in leased}
    ids = list(tokens)
    rows = [r for r in await connection.execute(_WHOLE, {"ids": ids}) if r.owner == tokens[r.order_id]]
    parcels: dict[int, list[bytes]] = {}
    for row in await connection.execute(_PARCELS, {"ids": ids}):
        parcels.setdefault(row.order_id, []).append(row.glance)
    blank = [row.order_id for row in rows if not row.glance]
    found = (await orders.find(connection, ids=blank))[0] if blank else {}
    filled = {i: watched(i, d.order) for i, d in found.items()}
    return [
        _due(row, filled.get(row.order_id), parcels.get(row.order_id, ()))
        for row in rows
        if row.glance or row.order_id in filled
    ]


def _due(row: Any, filled: Watched | None, parcels: Sequence[bytes]) -> Due:
    try:
        return Due(
            filled or _read_watched(row.glance),
            tuple([_read_sight(p) for p in parcels]),
            _read_told(row.told) if row.told else None,
            row.owner,
        )
    except ValueError as error:
        # It costs its own news: raised here it would be leased with its whole batch again and again.
        return Due(Watched(row.order_id, ""), (), None, row.owner, unreadable=type(error).__name__)


_read_sight, _read_watched, _read_told = codec.reader(Sight), codec.reader(Watched), codec.reader(Told)
read_footings = codec.reader(tuple[Footing, ...])
_DUE = (
    select(_watches.c.order_id, _watches.c.footing)
    .where(_watches.c.due_at <= bindparam("now"), _watches.c.lease_until <= NOW)
    .order_by(_watches.c.due_at)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_LEASE = (
    update(_watches)
    .where(_watches.c.order_id.in_(bindparam("ids", expanding=True)))
    .values(lease_until=NOW + LEASE_SECONDS, owner=bindparam("token"))
)
_WHOLE = (
    select(_watches.c.order_id, _watches.c.owner, _watches.c.glance, _watches.c.told)
    .where(_watches.c.order_id.in_(bindparam("ids", expanding=True)))
    .order_by(_watches.c.due_at, _watches.c.order_id)
)
_PARCELS = (
    select(_sights.c.order_id, _sights.c.glance)
    .where(_sights.c.order_id.in_(bindparam("ids", expanding=True)))
    .order_by(_sights.c.parcel_id)
)


async def looked(connection: AsyncConnection, looks: Sequence[Looked]) -> list[Looked]:
    """Write down looks and give their orders back; those that hold. Where news came meanwhile the look is void: the
    order is due still."""
    held = await connection.execute(_OWNERS, {"ids": [x.order for x in looks]})
    owners = {row.order_id: row.owner for row in held}
    looks = [x for x in looks if owners.get(x.order) == x.token]
    told = [
        {"order": x.order, "due": x.again, "said": codec.encode(x.told), "footing": x.footing or b""}
        for x in looks
        if x.told is not None
    ]
    if told:
        await connection.execute(_TOLD, told)
    same: dict[tuple[datetime | None, bytes | None], list[int]] = {}
    for look in looks:
        if look.told is None:
            same.setdefault((look.again, look.footing), []).append(look.order)
    for (again, footing), ids in same.items():
        # Nearly all are due again at the same time, many on one footing: one statement for all of them.
        known = {"ids": ids, "due": again}
        await connection.execute(*((_SAME, known) if footing is None else (_STANDS, {**known, "footing": footing})))
    return looks


_OWNERS = (
    select(_watches.c.order_id, _watches.c.owner)
    .where(_watches.c.order_id.in_(bindparam("ids", expanding=True)))
    .order_by(_watches.c.order_id)
    .with_for_update()
)
_BACK = {"due_at": bindparam("due", type_=_watches.c.due_at.type), "lease_until": 0.0, "owner": ""}
_SAME = update(_watches).where(_watches.c.order_id.in_(bindparam("ids", expanding=True))).values(_BACK)
_STANDS = _SAME.values(footing=bindparam("footing"))
_TOLD = (
    update(_watches)
    .where(_watches.c.order_id == bindparam("order"))
    .values({**_BACK, "told": bindparam("said"), "footing": bindparam("footing")})
)


async def feeds_down(connection: AsyncConnection) -> frozenset[str]:
    """Sources and carriers that give no answer now."""
    return frozenset((await connection.execute(_DOWN)).scalars())


_DOWN = select(_feeds.c.source).where(_feeds.c.down_since.is_not(None))


async def follow(connection: AsyncConnection, database: Database, lane: str, ids: Sequence[int]) -> None:
    """From now on this chat is told of these orders."""
    if ids:
        rows = [{"order_id": i, "lane": lane} for i in ids]
        await connection.execute(database.insert(_follows).on_conflict_do_nothing(), rows)


async def unfollow(connection: AsyncConnection, lane: str) -> None:
    """Somebody else has this chat now."""
    await connection.execute(delete(_follows).where(_follows.c.lane == lane))


async def proved(
    connection: AsyncConnection, database: Database, changed: Sequence[tuple[bytes, Conversation]]
) -> None:
    """These chats are found by the orders that they proved: what each conversation says now, beside what it said."""
    fresh: list[dict[str, object]] = []
    for before, record in changed:
        lane = conversation_lane(record.address)
        said = _read_proofs(before).proofs if before else ()
        known, now = ({p.order for p in proofs if p.order is not None} for proofs in (said, record.proofs))
        fresh += [{"order_id": order, "lane": lane} for order in sorted(now - known)]
        if known - now:
            ended = _proved.c.order_id.in_(sorted(known - now))
            await connection.execute(delete(_proved).where(_proved.c.lane == lane, ended))
    if fresh:
        await connection.execute(database.insert(_proved).on_conflict_do_nothing(), fresh)


async def buyers_of_chat(connection: AsyncConnection, lane: str) -> list[int]:
    """Whose orders this chat follows."""
    mine = select(_orders.c.buyer_id).join(_follows, _follows.c.order_id == _orders.c.id)
    return [b for b in (await connection.execute(mine.where(_follows.c.lane == lane).distinct())).scalars() if b]


async def reach(connection: AsyncConnection, ids: Sequence[int], purpose: str) -> Mapping[int, Reach]:
    """Where the buyers of these orders can be reached."""
    phones = {r.id: r.phone_e164 for r in await connection.execute(_PHONES, {"ids": list(ids)})}
    rows = (await connection.execute(_CHATS, {"ids": list(ids)})).all()
    lanes = sorted({r.lane for r in rows})
    asked = await connection.execute(_CHOSEN, {"lanes": lanes, "purpose": purpose}) if lanes else ()
    chosen = {r.lane: r.at for r in asked}
    chats: dict[int, list[Chat]] = {}
    for r in rows:
        address, reachable = Address.parse(r.lane.removeprefix("c/")), _read_record(r.state).reachable
        chat = Chat(address, reachable, chosen.get(r.lane), r.last_inbound_at)
        chats.setdefault(r.order_id, []).append(chat)
    return {i: Reach(phones.get(i, ""), tuple(chats.get(i, ()))) for i in ids}


class _Reachable(Struct, frozen=True):
    """All that is read of a conversation's record here: whole it takes ten times as long."""

    reachable: bool = True


_read_record = codec.reader(_Reachable)


class _Proof(Struct, frozen=True):
    order: int | None = None


class _Proofs(Struct, frozen=True):
    """All that is read of what a conversation's record was."""

    proofs: tuple[_Proof, ...] = ()


_read_proofs = codec.reader(_Proofs)
_PHONES = select(_orders.c.id, _orders.c.phone_e164).where(_orders.c.id.in_(bindparam("ids", expanding=True)))
_CHAT = (_conversations.c.lane, _conversations.c.state, _conversations.c.last_inbound_at)
_OF_BUYER = (
    select(_orders.c.id.label("order_id"), *_CHAT)
    .join(_conversations, _conversations.c.buyer_id == _orders.c.buyer_id)
    .where(_orders.c.id.in_(bindparam("ids", expanding=True)))
)
_OF_FOLLOWER = (
    select(_follows.c.order_id, *_CHAT)
    .join(_conversations, _conversations.c.lane == _follows.c.lane)
    .where(_follows.c.order_id.in_(bindparam("ids", expanding=True)), _conversations.c.buyer_id.is_(None))
)
_CHATS = union_all(_OF_BUYER, _OF_FOLLOWER)
_CHOSEN = (
    select(_consents.c.lane, func.max(_consents.c.at).label("at"))
    .where(
        _consents.c.lane.in_(bindparam("lanes", expanding=True)),
        _consents.c.purpose == bindparam("purpose"),
        _consents.c.given.is_(True),
    )
    .group_by(_consents.c.lane)
)


async def next_due(connection: AsyncConnection) -> datetime | None:
    """When an order or an event that waits is due next."""
    looks = await connection.scalar(select(func.min(_watches.c.due_at)).where(_watches.c.due_at.is_not(None)))
    later = await connection.scalar(select(func.min(_inbox.c.due_at)).where(_inbox.c.state == InboxState.LATER))
    return min((at for at in (looks, later) if at is not None), default=None)
