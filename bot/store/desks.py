"""What goes to desks: rows of the outbox in a lane of the case, so that an outage keeps them and their order."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.cases import Case, CaseEvent
from bot.model.conversations import Conversation
from bot.model.messages import MAX_CHOICE, Address, Choice, DeskPost, Outbound, Purpose, Receipt, State
from bot.ports import Item
from bot.store import casebook, codec, outbox
from bot.store.casetables import CaseEventRow, CaseThread
from bot.store.database import Database
from bot.store.tables import Conversation as ConversationRow
from bot.store.tables import Inbox, InboxState, Outbox, OutboxState, core

SHOWN = frozenset(
    {"withdrawn", "on_its_way", "undone", "recalled", "too_late", "not_theirs", "edited", "amended", "in_parts"}
)
"""Lines of the history that the commit itself adds and a desk shows."""

_outbox = core(Outbox)
_inbox = core(Inbox)
_threads = core(CaseThread)
_events = core(CaseEventRow)
_conversations = core(ConversationRow)


class Surface(Struct, frozen=True):
    """Where a staff message was written: the desk's channel and the platform's id of the message."""

    place: Address
    message: str


class Said(Struct, frozen=True):
    """A line of what was said: by `buyer` (still in the platform's words), `bot` or `staff`. `state` is a row's."""

    at: datetime
    who: str
    text: str = ""
    port: str = ""
    item: Item | None = None
    state: int = OutboxState.SENT
    error: str = ""


class CaseFile(Struct, frozen=True):
    """All that a desk shows of a case but its order."""

    case: Case
    record: Conversation
    history: tuple[CaseEvent, ...]
    said: tuple[Said, ...]


class PostsWaiting(Struct, frozen=True):
    """What a desk has not taken yet: how much, and for how long its oldest waits. `account` is the desk's key."""

    account: str
    count: int
    seconds: float


async def posts_waiting(database: Database, now: datetime) -> list[PostsWaiting]:
    """Each desk for which posts wait."""
    rows = select(_outbox.c.account, func.count().label("many"), func.min(_outbox.c.created_at).label("first"))
    open_now = (_outbox.c.purpose == Purpose.DESK.value, _outbox.c.state <= OutboxState.SENDING)
    async with database.read() as connection:
        found = await connection.execute(rows.where(*open_now).group_by(_outbox.c.account).order_by(_outbox.c.account))
        return [PostsWaiting(r.account, r.many, max(0.0, (now - r.first).total_seconds())) for r in found]


def lane_of(case: int) -> str:
    """The lane of what a desk is told of a case."""
    return f"d/{case}"


async def save_posts(
    connection: AsyncConnection,
    database: Database,
    case: Case,
    posts: Sequence[Any],
    late: Sequence[CaseEvent],
    now: datetime,
) -> None:
    """Put what a turn has for the desk into the outbox; a card that waits is replaced by the one to come. A post that
    names another case is that one's.

    `late` are lines that the commit itself found out; they go where the case's card goes.
    """
    shown = [p.outbound for p in posts if p.outbound.desk.kind == "show"]
    place = next((out.to for out in shown if not out.desk.case), None)
    if place is None and late:
        place = await _place(connection, case.id)
    for lane in {lane_of(out.desk.case or case.id) for out in shown}:
        waiting = (_outbox.c.lane == lane, _outbox.c.template == "show", _outbox.c.state == OutboxState.READY)
        await connection.execute(update(_outbox).where(*waiting).values(state=OutboxState.WITHDRAWN))
    rows = [_row(case, p.outbound, p.key, now) for p in posts]
    if place is not None:
        found = [(line_post(place, line), f"line:{line.key or now.isoformat()}:{line.what}") for line in late]
        rows += [_row(case, out, key, now) for out, key in found]
    if rows:
        await connection.execute(database.once(_new_post), rows)


def line_post(place: Address, line: CaseEvent) -> Outbound:
    """A line of the history in the case's thread."""
    facts = {"what": line.what, "who": line.who, "text": line.text, "about": line.data.decode(errors="replace")}
    return Outbound(id="", to=place, text="", purpose=Purpose.DESK, desk=DeskPost("say", 0, "staff/line", facts))


def _row(case: Case, out: Outbound, key: str, now: datetime) -> dict[str, Any]:
    desk = out.desk
    assert desk is not None  # noqa: S101 - only posts come here
    number = desk.case or case.id
    return {
        "lane": lane_of(number),
        "key": key,
        "channel": out.to.channel,
        "account": out.to.account,
        "chat": out.to.chat,
        "purpose": Purpose.DESK.value,
        "template": desk.kind,
        "body": codec.encode(replace(out, desk=replace(desk, case=number))),
        "created_at": now,
    }


def _new_post(database: Database) -> Any:
    fresh = database.insert(_outbox).values(
        not_before=0.0,
        state=0,
        holder_version=0,
        lease_until=0.0,
        owner="",
        attempts=0,
        platform_id="",
        receipt="",
        error="",
        pricing=b"",
    )
    return fresh.on_conflict_do_nothing()


async def marks(
    connection: AsyncConnection, database: Database, lane: str, receipts: Sequence[Receipt], now: datetime
) -> None:
    """Write receipts down; what became of a staff message is shown where it was written, and kept in the history."""
    for receipt in receipts:
        key = await outbox.record_receipt(connection, receipt)
        if key.startswith("staff:"):
            failed = receipt.state == State.FAILED
            reason = "closed" if receipt.closed else receipt.reason
            await outcome(connection, database, key, receipt.state.value, reason if failed else "", now)


def why(error: str) -> str:
    """A sender's error for staff: `closed` where the channel's window is shut, which has a way out."""
    return "closed" if error.startswith("Closed:") else error


async def outcome(
    connection: AsyncConnection, database: Database, key: str, state: str, reason: str, now: datetime
) -> None:
    """Show how far the staff message of this outbox key got. Only the first part of a split one is marked, unless a
    later part failed."""
    amended = key.startswith(outbox.AMEND)
    key = key.removeprefix(outbox.AMEND) if amended else key
    act, _, part = key.removeprefix("staff:").rpartition(":")
    act = key.removeprefix("staff:") if not (part.isdecimal() and act and len(part) < 3) else act
    found = (await connection.execute(select(_events).where(_events.c.key == f"{act}:reply"))).first()
    if found is None:
        return
    case = await casebook.numbered(connection, found.case_id)
    if case is None:
        return
    failed = state == State.FAILED.value
    if amended:
        if failed:
            await _not_amended(connection, database, case, CaseEvent("not_amended", reason, "bot", key), now)
        return
    if failed:
        line = CaseEvent("failed", reason, "bot", f"{key}:failed", act.encode())
        await casebook.remember(connection, database, case, [line], now)
    surface = codec.decode(found.data, Surface) if found.data else None
    place = await _place(connection, case.id) if failed else None
    rows = []
    if surface is not None and surface.message:
        mark = DeskPost("mark", message=surface.message, mark="failed" if failed else state)
        out = Outbound(id="", to=surface.place, text="", purpose=Purpose.DESK, desk=mark)
        rows.append(_row(case, out, f"mark:{key}:{mark.mark}", now))
    if failed and place is not None:
        facts = {"what": "failed", "who": found.who, "text": found.text, "about": reason}
        say = DeskPost("say", template="staff/line", facts=facts, mention=(found.who,))
        way_out = (Choice(f"bridge:{case.id}:{act}"[:MAX_CHOICE], "bridge"),) if reason == "closed" else ()
        rows.append(
            _row(
                case,
                Outbound(id="", to=place, text="", choices=way_out, purpose=Purpose.DESK, desk=say),
                f"{key}:failed",
                now,
            )
        )
    if rows:
        await connection.execute(database.once(_new_post), rows)


async def _not_amended(
    connection: AsyncConnection, database: Database, case: Case, line: CaseEvent, now: datetime
) -> None:
    """The platform did not change or delete what it had delivered: staff have to know that it stands as it was."""
    await casebook.remember(connection, database, case, [line], now)
    place = await _place(connection, case.id)
    if place is not None:
        post = _row(case, line_post(place, line), f"line:{line.key}:{line.what}", now)
        await connection.execute(database.once(_new_post), [post])


async def _place(connection: AsyncConnection, case: int) -> Address | None:
    """Where a desk shows the case now: where its newest card went, for one that moved has threads in two channels."""
    cards = select(_outbox.c.channel, _outbox.c.account, _outbox.c.chat).where(
        _outbox.c.lane == lane_of(case), _outbox.c.template == "show"
    )
    card = (await connection.execute(cards.order_by(_outbox.c.id.desc()).limit(1))).first()
    if card is not None:
        return Address(card.channel, card.account, card.chat)
    row = (await connection.execute(select(_threads).where(_threads.c.case_id == case))).first()
    return Address(row.channel, row.account, row.chat) if row is not None else None


async def thread(connection: AsyncConnection, case: int, place: Address) -> str:
    """The root message of a case in a desk's channel, or empty."""
    where = (
        _threads.c.case_id == case,
        _threads.c.channel == place.channel,
        _threads.c.account == place.account,
        _threads.c.chat == place.chat,
    )
    return str(await connection.scalar(select(_threads.c.thread).where(*where)) or "")


async def cases_of_threads(connection: AsyncConnection, lane: str) -> dict[tuple[Address, str], int]:
    """The cases of the threads in which a conversation is shown. What a desk knows of a thread beside its id stands
    behind a slash and is left out."""
    rows = await connection.execute(select(_threads).where(_threads.c.lane == lane))
    return {(Address(r.channel, r.account, r.chat), r.thread.partition("/")[0]): r.case_id for r in rows}


async def save_thread(connection: AsyncConnection, database: Database, case: Case, place: Address, root: str) -> None:
    """Remember where a desk shows a case."""
    row = {
        "channel": place.channel,
        "account": place.account,
        "chat": place.chat,
        "thread": root,
        "case_id": case.id,
        "lane": case.conversation,
    }
    await connection.execute(database.insert(_threads).values(**row).on_conflict_do_nothing())


async def drop_thread(connection: AsyncConnection, case: int, place: Address) -> None:
    """The desk's root message is gone."""
    gone = _threads.delete().where(_threads.c.case_id == case, _threads.c.chat == place.chat)
    await connection.execute(gone)


async def case_file(connection: AsyncConnection, number: int, most: int) -> CaseFile | None:
    """A case with its history and the last `most` things said in its conversation."""
    case = await casebook.numbered(connection, number)
    if case is None:
        return None
    state = await connection.scalar(select(_conversations.c.state).where(_conversations.c.lane == case.conversation))
    record = codec.record(case.conversation, state or b"")
    history = await casebook.history(connection, number)
    return CaseFile(case, record, tuple(history), tuple(await transcript(connection, case.conversation, most)))


async def transcript(connection: AsyncConnection, lane: str, most: int) -> list[Said]:
    """The last things said in a conversation, oldest first: what came in and what went out."""
    heard = await connection.execute(
        select(_inbox)
        .where(_inbox.c.lane == lane, _inbox.c.port != "wismo", _inbox.c.state == InboxState.DONE)
        .order_by(_inbox.c.id.desc())
        .limit(most)
    )
    told = await connection.execute(
        select(_outbox)
        .where(_outbox.c.lane == lane, ~_outbox.c.key.startswith(outbox.AMEND))
        .order_by(_outbox.c.id.desc())
        .limit(most)
    )
    said = [Said(r.received_at, "buyer", port=r.port, item=Item(r.key, r.lane, r.body)) for r in heard if r.body]
    said += [
        Said(
            r.created_at, "staff" if r.purpose == "staff" else "bot", outbox.text_of(r.body), "", None, r.state, r.error
        )
        for r in told
    ]
    return sorted(said, key=lambda s: s.at)[-most:]
