"""What is kept, for how long, and how a buyer is exported and erased."""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct, field
from sqlalchemy import case, delete, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.orders import number_key
from bot.store import codec
from bot.store.casetables import CaseEventRow, CaseRow, CaseThread
from bot.store.database import Database
from bot.store.stafftables import AuditRow
from bot.store.tables import (
    Alias,
    Bucket,
    Buyer,
    ConsentRow,
    Conversation,
    DecisionRow,
    Feed,
    Guess,
    Inbox,
    InboxState,
    Lane,
    LinkRow,
    Look,
    MediaRow,
    Order,
    Outbox,
    OutboxState,
    Parcel,
    core,
)
from bot.store.watchtables import Follow, Proved, PushRow, SightRow, Watch

_inbox, _outbox, _lane, _orders, _parcels = map(core, (Inbox, Outbox, Lane, Order, Parcel))
_conversations, _aliases, _cases, _consents = map(core, (Conversation, Alias, CaseRow, ConsentRow))
_links, _guesses, _decisions, _media, _buckets = map(core, (LinkRow, Guess, DecisionRow, MediaRow, Bucket))
_feeds, _buyers, _looks, _case_events, _threads = map(core, (Feed, Buyer, Look, CaseEventRow, CaseThread))
_audit = core(AuditRow)

_pushes, _follows, _proved, _watches, _sights = map(core, (PushRow, Follow, Proved, Watch, SightRow))

BY_LANE = (
    _conversations, _aliases, _inbox, _outbox, _cases, _case_events, _threads, _consents, _guesses, _decisions, _media,
    _follows, _proved,
)  # fmt: skip
PERSONAL = ("name", "email", "phone", "phone_e164", "address", "postcode", "city")


class Retention(Struct, frozen=True):
    """How many days things are kept: `inbox` bodies after they are done, `keys` against repeats, `messages`
    the texts and media sent and received (a dispute's last clock), `dead` letters, `tracks` the carriers' raw
    words of journeys that are over (as long as the last dispute's clock runs)."""

    inbox: int = 30
    keys: int = 365
    messages: int = 540
    dead: int = 90
    tracks: int = 540


class Health(Struct, frozen=True):
    """How the queue stands. Counts of rows; `oldest` seconds since the oldest waiting event came."""

    waiting: int
    later: int
    dead: int
    unsent: int
    unsendable: int
    unknown: int
    oldest: float
    feeds: tuple[tuple[str, datetime], ...]
    cases: int


class CarrierHealth(Struct, frozen=True):
    """How the parcels of one carrier are looked at: how many are on their way, due now, and never asked about."""

    carrier: str
    open: int
    due: int
    not_asked: int
    answered_at: datetime | None


class FeedHealth(Struct, frozen=True):
    """How one source answers; `failures` in a row, `down_since` where that is said to buyers."""

    source: str
    answered_at: datetime | None
    failures: int
    down_since: datetime | None


class DeadLetter(Struct, frozen=True):
    """An event that could not be handled, without its content."""

    id: int
    port: str
    lane_kind: str
    error: str
    received_at: datetime


class Gone(Struct, frozen=True):
    """What went: rows blanked or deleted, and digests of files that nobody else needs."""

    rows: int
    files: tuple[str, ...] = field(default=())


async def health(connection: AsyncConnection, now: datetime) -> Health:
    """Count what waits, what is stuck and what is down."""
    states: dict[int, int] = dict(
        (
            await connection.execute(
                select(_inbox.c.state, func.count()).where(_inbox.c.state != InboxState.DONE).group_by(_inbox.c.state)
            )
        ).all()
    )
    sends: dict[int, int] = dict(
        (
            await connection.execute(
                select(_outbox.c.state, func.count())
                .where(_outbox.c.state != OutboxState.SENT)
                .group_by(_outbox.c.state)
            )
        ).all()
    )
    oldest = await connection.scalar(select(func.min(_inbox.c.received_at)).where(_inbox.c.state == InboxState.READY))
    down = await connection.execute(select(_feeds).where(_feeds.c.down_since.is_not(None)))
    cases = await connection.scalar(select(func.count()).select_from(_cases).where(_cases.c.closed_at.is_(None)))
    return Health(
        waiting=states.get(InboxState.READY, 0),
        later=states.get(InboxState.LATER, 0),
        dead=states.get(InboxState.DEAD, 0),
        unsent=sends.get(OutboxState.READY, 0) + sends.get(OutboxState.SENDING, 0),
        unsendable=sends.get(OutboxState.DEAD, 0),
        unknown=sends.get(OutboxState.UNKNOWN, 0),
        oldest=max(0.0, (now - oldest).total_seconds()) if oldest else 0.0,
        feeds=tuple((r.source, r.down_since) for r in down),
        cases=cases or 0,
    )


async def tracking(connection: AsyncConnection, now: datetime) -> tuple[list[FeedHealth], list[CarrierHealth]]:
    """The sources, and the parcels on their way by carrier."""
    feeds = await connection.execute(select(_feeds).order_by(_feeds.c.source))
    carriers = await connection.execute(
        select(
            _looks.c.carrier,
            func.count().label("open"),
            func.sum(case((_looks.c.due_at <= now, 1), else_=0)).label("due"),
            func.sum(case((_looks.c.asked_at.is_(None), 1), else_=0)).label("not_asked"),
            func.max(_looks.c.checked_at).label("answered_at"),
        )
        .where(_looks.c.due_at.is_not(None))
        .group_by(_looks.c.carrier)
        .order_by(_looks.c.carrier)
    )
    return (
        [FeedHealth(r.source, r.last_ok_at, r.failures, r.down_since) for r in feeds],
        [CarrierHealth(r.carrier, r.open, r.due, r.not_asked, r.answered_at) for r in carriers],
    )


async def dead_letters(connection: AsyncConnection, limit: int) -> list[DeadLetter]:
    """The newest dead letters."""
    rows = await connection.execute(
        select(_inbox).where(_inbox.c.state == InboxState.DEAD).order_by(_inbox.c.id.desc()).limit(limit)
    )
    return [DeadLetter(r.id, r.port, r.lane.split("/", 1)[0], r.error, r.received_at) for r in rows]


async def unsent_by_account(connection: AsyncConnection) -> list[tuple[str, str, int]]:
    """How many messages wait to be sent, by the channel and account that would send them; desks are no accounts."""
    count = func.count().label("count")
    waiting = _outbox.c.state.in_([OutboxState.READY, OutboxState.SENDING]) & (_outbox.c.purpose != "desk")
    rows = select(_outbox.c.channel, _outbox.c.account, count).where(waiting)
    rows = rows.group_by(_outbox.c.channel, _outbox.c.account).order_by(_outbox.c.channel, _outbox.c.account)
    return [(r[0], r[1], int(r[2])) for r in await connection.execute(rows)]


async def send_errors(connection: AsyncConnection, limit: int) -> list[tuple[str, int]]:
    """Why messages could not be sent, commonest first, with how many of each."""
    count = func.count().label("count")
    rows = select(_outbox.c.error, count).where(_outbox.c.state == OutboxState.DEAD).group_by(_outbox.c.error)
    return [(str(r[0]), int(r[1])) for r in await connection.execute(rows.order_by(count.desc()).limit(limit))]


async def expire(connection: AsyncConnection, keep: Retention, now: datetime) -> Gone:
    """Blank and delete what is older than its time."""

    def before(days: int) -> datetime:
        return now - timedelta(days=days)

    done = _inbox.c.state == InboxState.DONE
    old = _media.c.at < before(keep.messages)
    younger = select(_media.c.digest).where(~old)
    files = select(_media.c.digest).where(old, _media.c.digest.not_in(younger)).distinct()
    digests = tuple((await connection.execute(files)).scalars())
    steps = (
        update(_inbox)
        .where(done, _inbox.c.received_at < before(keep.inbox), _inbox.c.body.is_not(None))
        .values(body=None),
        delete(_inbox).where(done, _inbox.c.received_at < before(keep.keys)),
        delete(_inbox).where(_inbox.c.state == InboxState.DEAD, _inbox.c.received_at < before(keep.dead)),
        update(_outbox)
        .where(
            _outbox.c.state >= OutboxState.SENT,
            _outbox.c.created_at < before(keep.messages),
            _outbox.c.body.is_not(None),
        )
        .values(body=None),
        delete(_media).where(old),
        delete(_guesses).where(_guesses.c.at < before(7)),
        delete(_decisions).where(_decisions.c.at < before(keep.messages)),
        delete(_audit).where(_audit.c.at < before(keep.messages)),
        delete(_pushes).where(_pushes.c.at < before(keep.messages)),
        update(_parcels)
        .where(
            # By the narrow table first: the parcels' own is as wide as their raw words.
            _parcels.c.id.in_(
                select(_looks.c.parcel_id).where(_looks.c.due_at.is_(None), _looks.c.checked_at < before(keep.tracks))
            ),
            _parcels.c.track != b"",
        )
        .values(track=b""),
    )
    return Gone(sum([(await connection.execute(step)).rowcount for step in steps]), digests)


SHORTEST_NAME = 5
"""An e-mail or phone of fewer characters names nobody."""


async def find_buyer(connection: AsyncConnection, wanted: str) -> int | None:
    """The one buyer whom an id, an e-mail, a phone in E.164 or an order number names."""
    if wanted.isdecimal():
        by_id = await connection.scalar(select(_buyers.c.id).where(_buyers.c.id == int(wanted)))
        if by_id is not None:
            return int(by_id)
    named = or_(
        func.lower(_orders.c.email) == wanted.strip().lower(),
        _orders.c.phone_e164 == wanted.strip(),
        _orders.c.number_key == number_key(wanted),
    )
    ids = set((await connection.execute(select(_orders.c.buyer_id).where(named).distinct())).scalars())
    return ids.pop() if len(ids) == 1 else None


async def _lanes_of(connection: AsyncConnection, buyer: int) -> tuple[list[int], list[str]]:
    """The buyer's orders, and every chat that is theirs, was shown one of those orders, or holds their e-mail or
    phone without belonging to another buyer (somebody asked and never proved it)."""
    ids = list((await connection.execute(select(_orders.c.id).where(_orders.c.buyer_id == buyer))).scalars())
    mine = set(ids)
    lanes, others = set(), set()
    for row in await connection.execute(
        select(_conversations.c.lane, _conversations.c.buyer_id, _conversations.c.state)
    ):
        value = codec.record(row.lane, row.state)
        shown = {p.order for p in value.proofs} | {value.focus}
        if row.buyer_id == buyer or any(p.buyer == buyer for p in value.proofs) or shown & mine:
            lanes.add(row.lane)
        elif row.buyer_id is not None or value.proofs:
            others.add(row.lane)
    lanes |= await _lanes_naming(connection, buyer) - others
    for column, where in (
        (_cases.c.lane, _cases.c.order_id.in_(ids)),
        (_links.c.first_chat, _links.c.order_id.in_(ids)),
    ):
        lanes |= set((await connection.execute(select(column).where(where))).scalars())
    return ids, sorted(lanes - {""})


async def _lanes_naming(connection: AsyncConnection, buyer: int) -> set[str]:
    """Chats that hold the buyer's e-mail, phone, whole name or address; or one of their orders' numbers, and a postcode
    or city of theirs with it, of which many people have the same."""
    known = await connection.execute(
        select(_orders.c.number, _orders.c.phone_e164, *(_orders.c[c] for c in PERSONAL)).where(
            _orders.c.buyer_id == buyer
        )
    )
    alone: set[str] = set()
    numbers: set[str] = set()
    places: set[str] = set()
    for row in known:
        alone |= {row.email, row.phone_e164.lstrip("+"), *(v for v in (row.name, row.address) if " " in v)}
        numbers.add(row.number.lstrip("#"))
        places |= {row.postcode, row.city}
    named: set[str] = set()
    by_number: set[str] = set()
    by_place: set[str] = set()
    wanted = (
        (_any_of(alone, SHORTEST_NAME), named),
        (_any_of(numbers, 0, whole=True), by_number),
        (_any_of(places, 3, whole=True), by_place),
    )
    rows = await connection.execute(
        select(_inbox.c.lane, _inbox.c.body).where(_inbox.c.lane.like("c/%"), _inbox.c.body.is_not(None))
    )
    for row in rows:
        body = row.body.decode("utf-8", "replace").lower()
        for found, lanes in wanted:
            if found.search(body):
                lanes.add(row.lane)
    return named | (by_number & by_place)


def _any_of(values: Iterable[str], shortest: int, *, whole: bool = False) -> re.Pattern[str]:
    """Finds the longer ones in a body in lower case, written out or as JSON that keeps to ASCII; as whole words where
    they might stand within an id, or be one: a bare number of the JSON is the platform's own."""
    long = [v.strip() for v in values if len(v.strip()) > shortest]
    spelled = sorted({re.escape(s.lower()) for v in long for s in (v, json.dumps(v)[1:-1])})
    edge = (r"""(?<![^\W_])(?<!":)(?<!": )""", r"(?![^\W_])") if whole else ("", "")
    return re.compile(f"{edge[0]}(?:{'|'.join(spelled)}){edge[1]}" if spelled else r"(?!)")


async def export_buyer(connection: AsyncConnection, buyer: int) -> dict[str, object]:
    """Everything kept of a buyer, as plain values; bytes are JSON columns and are read."""
    ids, lanes = await _lanes_of(connection, buyer)
    out: dict[str, object] = {"buyer": buyer}
    for name, table, where in (
        ("orders", _orders, _orders.c.buyer_id == buyer),
        ("parcels", _parcels, _parcels.c.order_id.in_(ids)),
        ("consents", _consents, or_(_consents.c.buyer_id == buyer, _consents.c.lane.in_(lanes))),
        ("conversations", _conversations, _conversations.c.lane.in_(lanes)),
        ("received", _inbox, _inbox.c.lane.in_(lanes)),
        ("sent", _outbox, _outbox.c.lane.in_(lanes)),
        ("pushes", _pushes, _pushes.c.buyer_id == buyer),
        ("cases", _cases, _cases.c.lane.in_(lanes)),
        ("case_events", _case_events, _case_events.c.lane.in_(lanes)),
        ("media", _media, _media.c.lane.in_(lanes)),
        ("decisions", _decisions, _decisions.c.lane.in_(lanes)),
    ):
        rows = await connection.execute(select(table).where(where))
        out[name] = [{k: _readable(v) for k, v in row.items()} for row in rows.mappings()]
    return out


def _readable(value: object) -> object:
    if isinstance(value, bytes):
        try:
            return msgspec.json.decode(value)
        except msgspec.DecodeError:
            return value.decode(errors="replace")
    return value.isoformat() if isinstance(value, datetime) else value


async def erase_buyer(database: Database, buyer: int, now: datetime) -> Gone:
    """Blank the buyer's orders and delete their chats; then make the database forget the old pages."""

    async def work(connection: AsyncConnection) -> Gone:
        if database.sqlite:
            await connection.execute(text("PRAGMA secure_delete=ON"))
        ids, lanes = await _lanes_of(connection, buyer)
        files = await _orphaned(connection, lanes)
        rows = await _erase_orders(connection, buyer, ids)
        mine = (await connection.execute(select(_cases.c.id).where(_cases.c.lane.in_(lanes)))).scalars()
        shown = [f"d/{case}" for case in mine]
        rows += (await connection.execute(delete(_outbox).where(_outbox.c.lane.in_(shown)))).rowcount
        for table in BY_LANE:
            rows += (await connection.execute(delete(table).where(table.c.lane.in_(lanes)))).rowcount
        await connection.execute(delete(_lane).where(_lane.c.key.in_(lanes)))
        await connection.execute(delete(_buckets).where(_buckets.c.key.in_(lanes)))
        await connection.execute(delete(_consents).where(_consents.c.buyer_id == buyer))
        await connection.execute(delete(_pushes).where(_pushes.c.buyer_id == buyer))
        await connection.execute(delete(_watches).where(_watches.c.order_id.in_(ids)))
        await connection.execute(delete(_sights).where(_sights.c.order_id.in_(ids)))
        await connection.execute(
            update(_buyers).where(_buyers.c.id == buyer).values(key=f"erased:{buyer}", erased_at=now)
        )
        return Gone(rows, tuple(files))

    erased = await database.write(work)
    await database.compact()
    return erased


async def _erase_orders(connection: AsyncConnection, buyer: int, ids: Sequence[int]) -> int:
    sources = (
        await connection.execute(
            select(_orders.c.source, _orders.c.number_key, *(_orders.c[c] for c in PERSONAL)).where(
                _orders.c.id.in_(ids)
            )
        )
    ).all()
    values = {v for row in sources for v in row[2:] if v and len(v) > 3}
    lanes = [f"o/{row.source}/{row.number_key}" for row in sources]
    numbers = (await connection.execute(select(_parcels.c.number).where(_parcels.c.order_id.in_(ids)))).scalars()
    lanes += [f"p/{number}" for number in numbers]
    await connection.execute(update(_inbox).where(_inbox.c.lane.in_(lanes)).values(body=None, error=""))
    await _erase_strays(connection, values)
    blank = update(_orders).where(_orders.c.buyer_id == buyer).values(dict.fromkeys(PERSONAL, ""))
    rows = (await connection.execute(blank)).rowcount
    await connection.execute(update(_parcels).where(_parcels.c.order_id.in_(ids)).values(track=b""))
    await connection.execute(delete(_links).where(_links.c.order_id.in_(ids)))
    return int(rows)


async def _erase_strays(connection: AsyncConnection, values: Iterable[str]) -> None:
    """What could not be read lies in no buyer's lane: look for the buyer's own words in it."""
    wanted = [spelled for v in values for spelled in (v.encode(), json.dumps(v)[1:-1].encode())]
    strays = await connection.execute(
        select(_inbox.c.id, _inbox.c.body).where(_inbox.c.lane.like("x/%"), _inbox.c.body.is_not(None))
    )
    hit = [row.id for row in strays if any(v in row.body for v in wanted)]
    if hit:
        await connection.execute(update(_inbox).where(_inbox.c.id.in_(hit)).values(body=None, error=""))


async def _orphaned(connection: AsyncConnection, lanes: Sequence[str]) -> list[str]:
    mine = select(_media.c.digest).where(_media.c.lane.in_(lanes))
    others = select(_media.c.digest).where(_media.c.lane.not_in(lanes))
    return sorted(set((await connection.execute(mine.where(_media.c.digest.not_in(others)))).scalars()))
