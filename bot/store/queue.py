"""The inbox and its lanes: receive, claim, finish.

    receive   insert what is new, count it onto its lane, commit; only then may the platform be answered
    claim     lease whole lanes under a token that is fresh for this claim
    finish    fence first: what is no longer ours is dropped, and whoever claimed it since does the work
    fail      later again, one event at a time; after `MAX_ATTEMPTS` the event is kept as a dead letter

Everything here runs inside a transaction that the caller opened.
"""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Select, and_, bindparam, case, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningUpdate

from bot.ports import Item
from bot.store.casetables import CaseRow, CaseThread
from bot.store.database import NOW, Database, constant
from bot.store.tables import Alias, Conversation, Inbox, InboxState, Lane, core

MAX_ATTEMPTS = 5
LEASE_SECONDS = 20.0
LONGEST_WAIT = 120.0
"""Seconds that no lane waits before it may be tried, be it for an album's rest or after a failure."""
STRAY = "x/desk/"
"""The lane of what was written in a thread that is no case's, or none's yet: its channel and thread follow."""
LONGEST_NAME = 512
"""Characters of a key, a lane or a chat's name. PostgreSQL indexes no text of more than some 2,700 bytes and keeps none
with a NUL in it: one such name would fail its whole batch, for as long as the platform repeats it."""
PATIENCE_SECONDS = 600.0
"""So long a lane in which there are only notices lets others go first: a morning's pushes to two hundred thousand
buyers must not stand before the one who asks."""
_NOTICE = b"Notice\n"
TOGETHER = 16
"""At most so many waiting messages of one chat are understood together."""

_inbox = core(Inbox)
_lane = core(Lane)
_alias = core(Alias)
_conversation = core(Conversation)
_thread = core(CaseThread)
_case = core(CaseRow)


class Arrival(Struct, frozen=True):
    """An item, the port it came through, and the business time from which it counts."""

    port: str
    item: Item
    due_at: datetime | None = None


class Waiting(Struct, frozen=True):
    """A stored event, still in the platform's words."""

    id: int
    port: str
    item: Item
    received_at: datetime
    attempts: int


class Claim(Struct, frozen=True):
    """A leased lane with its oldest waiting events; only the holder of `token` may finish it.

    `record` is what is known of a conversation's lane, empty for one never seen.
    """

    lane: str
    token: str
    events: tuple[Waiting, ...]
    record: bytes = b""


async def resolve(connection: AsyncConnection, database: Database, arrivals: Sequence[Arrival]) -> dict[str, str]:
    """Lanes by the lane an item asked for: the one under which any of the person's names is known already, or whose
    case staff wrote about."""
    desk = await _of_cases(connection, arrivals)
    named = {
        a.item.lane: (a.item.lane.removeprefix("c/").split("/", 2), a.item.chats) for a in arrivals if a.item.chats
    }
    if not named:
        return desk
    accounts: dict[tuple[str, str], set[str]] = {}
    for parts, others in named.values():
        accounts.setdefault((parts[0], parts[1]), set()).update((parts[2], *others))
    known: dict[tuple[str, str, str], str] = {}
    for (channel, account), chats in accounts.items():
        sought = {"channel": channel, "account": account, "chats": list(chats)}
        known |= {(channel, account, r.chat): r.lane for r in await connection.execute(_ALIASES, sought)}
    lanes, new = {}, []
    for lane, ((channel, account, chat), others) in named.items():
        names = [(channel, account, name) for name in (chat, *others)]
        home = next((known[n] for n in names if n in known), lane)
        lanes[lane] = home
        new += [{"channel": n[0], "account": n[1], "chat": n[2], "lane": home} for n in names if n not in known]
    if new:
        new.sort(key=lambda row: row["chat"])
        await connection.execute(database.once(_new_alias), new)
    return desk | lanes


async def _of_cases(connection: AsyncConnection, arrivals: Sequence[Arrival]) -> dict[str, str]:
    """Of what came from a desk: `t/<channel>/<thread>` names a case by its thread, `k/<case>` by its number. What
    belongs to no case of ours concerns nobody."""
    lanes: dict[str, str] = {}
    for arrival in arrivals:
        asked = arrival.item.lane
        if asked.startswith("t/"):
            _, chat, thread = asked.split("/", 2)
            where = (_thread.c.account == arrival.port, *_in_thread(chat, thread))
            lanes[asked] = await connection.scalar(select(_thread.c.lane).where(*where)) or f"{STRAY}{chat}/{thread}"
        elif asked.startswith("k/"):
            number = asked.removeprefix("k/")
            known = select(_case.c.lane).where(_case.c.id == int(number)) if number.isdecimal() else None
            lanes[asked] = (await connection.scalar(known) if known is not None else None) or "x/desk"
    return lanes


_ALIASES = select(_alias.c.chat, _alias.c.lane).where(
    _alias.c.channel == bindparam("channel"),
    _alias.c.account == bindparam("account"),
    _alias.c.chat.in_(bindparam("chats", expanding=True)),
)


def _new_alias(database: Database) -> Any:
    return database.insert(_alias).on_conflict_do_nothing()


def _in_thread(chat: str, thread: str) -> tuple[Any, ...]:
    """A desk may know more of a thread than is told by what is written in it: that stands behind a slash."""
    known = _thread.c.thread
    return _thread.c.chat == chat, or_(known == thread, known.startswith(f"{thread}/", autoescape=True))


async def forward(connection: AsyncConnection, database: Database, claimed: Claim) -> bool:
    """Give what staff wrote in a thread that was not known yet to its conversation's lane, where it is known now.

    The thread's first message can be seen, and answered, a moment before we have written down whose it is.
    """
    chat, thread = claimed.lane.removeprefix(STRAY).split("/", 1)
    ports = {e.port for e in claimed.events}
    where = (_thread.c.account.in_(ports), *_in_thread(chat, thread))
    home = await connection.scalar(select(_thread.c.lane).where(*where))
    if home is None or not await fence(connection, {claimed.lane: claimed.token}):
        return False
    ids = [e.id for e in claimed.events]
    await connection.execute(update(_inbox).where(_inbox.c.id.in_(ids)).values(lane=home))
    await connection.execute(_RELEASE, {"lanes": [claimed.lane], "less": len(ids)})
    await ready(connection, database, {home: len(ids)}, {})
    return True


async def receive(connection: AsyncConnection, database: Database, arrivals: Sequence[Arrival], now: datetime) -> int:
    """Store what is new; how many events that were."""
    arrivals = [a if _keepable(a.item.key, a.item.lane, *a.item.chats) else _kept(a) for a in arrivals]
    lanes = await resolve(connection, database, arrivals)
    rows = [
        {
            "port": a.port,
            "key": a.item.key,
            "lane": lanes.get(a.item.lane, a.item.lane),
            "body": a.item.body,
            "state": int(InboxState.LATER if a.due_at and a.due_at > now else InboxState.READY),
            "due_at": a.due_at,
            "received_at": now,
            "attempts": 0,
            "error": "",
        }
        for a in arrivals
    ]
    stored = (await connection.execute(database.once(_new_event), rows)).all()
    quiet = {lanes.get(a.item.lane, a.item.lane): a.item.quiet for a in arrivals if a.item.quiet}
    asked = {lanes.get(a.item.lane, a.item.lane) for a in arrivals if not a.item.body.startswith(_NOTICE)}
    counts = Counter(r.lane for r in stored if r.state == InboxState.READY)
    await ready(connection, database, counts, quiet, counts.keys() - asked)
    return len(stored)


def _keepable(*names: str) -> bool:
    return all(len(name) <= LONGEST_NAME and "\x00" not in name for name in names)


def _kept(arrival: Arrival) -> Arrival:
    """As a database can keep it, under a digest for its key; where even its lane is no name, nobody's."""
    item = arrival.item
    key = f"x:{sha256(item.key.encode()).hexdigest()}"
    named = _keepable(item.lane, *item.chats)
    return replace(arrival, item=replace(item, key=key) if named else Item(key, f"x/{arrival.port}", item.body))


def _new_event(database: Database) -> Any:
    return database.insert(_inbox).on_conflict_do_nothing().returning(_inbox.c.lane, _inbox.c.state)


async def ready(
    connection: AsyncConnection,
    database: Database,
    counts: Mapping[str, int],
    quiet: Mapping[str, float],
    patient: Set[str] = frozenset(),
) -> None:
    """Count new events onto their lanes; nobody waits for what came for the `patient` ones. Sorted, so that two
    processes take the rows in one order."""
    if counts:
        rows = [
            {
                "lane": lane,
                "more": counts[lane],
                "quiet": quiet.get(lane, 0.0),
                "patience": PATIENCE_SECONDS if lane in patient else 0.0,
            }
            for lane in sorted(counts)
        ]
        await connection.execute(database.once(_more_ready), rows)


def _more_ready(database: Database) -> Any:
    upsert = database.insert(_lane).values(
        key=bindparam("lane"),
        ready=bindparam("more"),
        since=NOW + bindparam("patience"),
        not_before=case((bindparam("quiet") > 0, NOW + bindparam("quiet")), else_=0.0),
        lease_until=0.0,
        owner="",
        attempts=0,
    )
    return upsert.on_conflict_do_update(
        index_elements=[_lane.c.key],
        set_={
            "ready": _lane.c.ready + upsert.excluded.ready,
            "since": case(
                (and_(_lane.c.ready > 0, _lane.c.since < upsert.excluded.since), _lane.c.since),
                else_=upsert.excluded.since,
            ),
            # An album's next part starts its quiet anew; anything else never delays what is there.
            "not_before": case((bindparam("quiet") > 0, upsert.excluded.not_before), else_=_lane.c.not_before),
        },
    )


async def wake(connection: AsyncConnection, database: Database, now: datetime) -> int:
    """Make ready what waited for its due time; how many events that were."""
    due = select(_inbox.c.id).where(_inbox.c.state == constant(InboxState.LATER), _inbox.c.due_at <= now)
    due = due.order_by(_inbox.c.due_at).limit(1000).with_for_update(skip_locked=True)
    woken = await connection.execute(
        update(_inbox).where(_inbox.c.id.in_(due)).values(state=InboxState.READY).returning(_inbox.c.lane)
    )
    counts = Counter(woken.scalars())
    await ready(connection, database, counts, {}, counts.keys())
    return sum(counts.values())


async def claim(connection: AsyncConnection, limit: int, lane: str = "") -> list[Claim]:
    """Lease up to `limit` lanes, longest waiting first, or the one that is named alone; read the oldest events of
    each."""
    token = uuid4().hex
    named = {"lane": lane} if lane else {"most": limit}
    taken = await connection.execute(_LEASE_ONE if lane else _LEASE, {**named, "token": token})
    lanes = {row.key: row.attempts for row in taken}
    if not lanes:
        return []
    events: dict[str, list[Waiting]] = {lane: [] for lane in lanes}
    records: dict[str, bytes] = {}
    for row in await connection.execute(_WAITING, {"lanes": list(lanes)}):
        # After a failure one at a time, so that a bad event costs itself and not its neighbours.
        if lanes[row.lane] and events[row.lane]:
            continue
        item = Item(key=row.key, lane=row.lane, body=row.body or b"")
        events[row.lane].append(Waiting(row.id, row.port, item, row.received_at, row.attempts))
        records[row.lane] = row.record or b""
    return [Claim(lane, token, tuple(found), records.get(lane, b"")) for lane, found in events.items()]


def _lease(*, one: bool = False) -> ReturningUpdate[Any]:
    # What lies further ahead than it is ever set was written before the machine's clock was put back.
    unleased = or_(_lane.c.lease_until <= NOW, _lane.c.lease_until > NOW + LEASE_SECONDS)
    allowed = or_(_lane.c.not_before <= NOW, _lane.c.not_before > NOW + LONGEST_WAIT)
    free = select(_lane.c.key).where(_lane.c.ready > constant(0), unleased, allowed)
    most = free.where(_lane.c.key == bindparam("lane")) if one else free.limit(bindparam("most"))
    chosen = most.order_by(_lane.c.since).with_for_update(skip_locked=True)
    lease = update(_lane).where(_lane.c.key.in_(chosen))
    lease = lease.values(lease_until=NOW + LEASE_SECONDS, owner=bindparam("token"))
    return lease.returning(_lane.c.key, _lane.c.attempts)


_LEASE, _LEASE_ONE = _lease(), _lease(one=True)


def _waiting() -> Select[Any]:
    place = func.row_number().over(partition_by=_inbox.c.lane, order_by=_inbox.c.id).label("place")
    waiting = (
        select(
            _inbox.c.id,
            _inbox.c.port,
            _inbox.c.key,
            _inbox.c.lane,
            _inbox.c.body,
            _inbox.c.received_at,
            _inbox.c.attempts,
            _conversation.c.state.label("record"),
            place,
        )
        .join(_conversation, _conversation.c.lane == _inbox.c.lane, isouter=True)
        .where(_inbox.c.lane.in_(bindparam("lanes", expanding=True)), _inbox.c.state == constant(InboxState.READY))
        .subquery()
    )
    return select(waiting).where(waiting.c.place <= TOGETHER).order_by(waiting.c.id)


_WAITING = _waiting()


async def fence(connection: AsyncConnection, tokens: Mapping[str, str]) -> set[str]:
    """Of these lanes (lane -> token), the ones that are still ours; on PostgreSQL their rows stay locked."""
    held = await connection.execute(_HELD, {"lanes": list(tokens)})
    return {row.key for row in held if row.owner == tokens[row.key]}


_HELD = (
    select(_lane.c.key, _lane.c.owner)
    .where(_lane.c.key.in_(bindparam("lanes", expanding=True)))
    .order_by(_lane.c.key)
    .with_for_update()
)


async def finish(connection: AsyncConnection, handled: Mapping[str, Sequence[int]]) -> None:
    """Mark the events done and give the lanes back. The caller fenced them in this transaction."""
    ids = [i for events in handled.values() for i in events]
    await connection.execute(_DONE, {"ids": ids})
    for n in {len(events) for events in handled.values()}:
        lanes = [lane for lane, events in handled.items() if len(events) == n]
        await connection.execute(_RELEASE, {"lanes": lanes, "less": n})


_DONE = update(_inbox).where(_inbox.c.id.in_(bindparam("ids", expanding=True))).values(state=InboxState.DONE, error="")
_RELEASE = (
    update(_lane)
    .where(_lane.c.key.in_(bindparam("lanes", expanding=True)))
    .values(ready=_lane.c.ready - bindparam("less"), since=NOW, lease_until=0.0, owner="", attempts=0)
)


async def fail(connection: AsyncConnection, lane: str, event: Waiting, error: str, delay: float) -> bool:
    """Try the lane again after `delay` seconds; whether its first event is dead now. The caller fenced it."""
    dead = event.attempts + 1 >= MAX_ATTEMPTS
    await connection.execute(
        update(_inbox)
        .where(_inbox.c.id == event.id)
        .values(attempts=event.attempts + 1, error=error[:500], state=InboxState.DEAD if dead else InboxState.READY)
    )
    await connection.execute(
        update(_lane)
        .where(_lane.c.key == lane)
        .values(
            ready=_lane.c.ready - (1 if dead else 0),
            attempts=0 if dead else _lane.c.attempts + 1,
            not_before=NOW + (0.0 if dead else delay),
            lease_until=0.0,
            owner="",
        )
    )
    return dead


async def bury(connection: AsyncConnection, lane: str, event: Waiting, error: str) -> None:
    """Keep an event as a dead letter; its lane goes on. The caller fenced it."""
    dead = {"attempts": event.attempts + 1, "error": error[:500], "state": InboxState.DEAD}
    await connection.execute(update(_inbox).where(_inbox.c.id == event.id).values(**dead))
    await connection.execute(update(_lane).where(_lane.c.key == lane).values(ready=_lane.c.ready - 1))


async def give_back(connection: AsyncConnection, claims: Sequence[Claim]) -> None:
    """Return lanes untouched, for a stop in good order."""
    ours = update(_lane).where(_lane.c.key == bindparam("lane"), _lane.c.owner == bindparam("token"))
    await connection.execute(
        ours.values(lease_until=0.0, owner=""), [{"lane": c.lane, "token": c.token} for c in claims]
    )


async def replay(connection: AsyncConnection, database: Database, ids: Sequence[int]) -> int:
    """Give dead letters another chance; how many there were."""
    again = (
        update(_inbox)
        .where(_inbox.c.id.in_(ids), _inbox.c.state == InboxState.DEAD)
        .values(state=InboxState.READY, attempts=0)
        .returning(_inbox.c.lane)
    )
    counts = Counter((await connection.execute(again)).scalars())
    await ready(connection, database, counts, {})
    return sum(counts.values())
