"""The one commit of what turns decided."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import bindparam, case, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.dialog.turn import Reason
from bot.model.cases import Case, CaseDraft, CaseEvent, CaseState
from bot.model.conversations import Conversation
from bot.model.events import conversation_lane
from bot.model.markup import plain
from bot.model.messages import Media, Outbound, Receipt
from bot.model.orders import Consent, Order
from bot.model.parcels import Parcel
from bot.ports import Item
from bot.proactive.pushes import UPDATES
from bot.proactive.watching import Sight
from bot.store import bell, casebook, codec, desks, guessing, orders, outbox, pushes, queue, watching
from bot.store.database import NOW, Database
from bot.store.guessing import hashed, subject_of
from bot.store.tables import ConsentRow, DecisionRow, Feed, Guess, LinkRow, MediaRow, Outbox, core
from bot.store.tables import Conversation as ConversationRow
from bot.store.tables import Order as OrderRow

_conversations = core(ConversationRow)
_outbox = core(Outbox)
_consents = core(ConsentRow)
_links = core(LinkRow)
_guesses = core(Guess)
_decisions = core(DecisionRow)
_media = core(MediaRow)
_feeds = core(Feed)
_orders = core(OrderRow)


class Worded(Struct, frozen=True):
    """A message for the outbox: said once under `key`; `delay` seconds later (machine time)."""

    outbound: Outbound
    key: str
    template: str
    delay: float = 0.0


class TakeBack(Struct, frozen=True):
    """A staff reply, by its act's id, that `who` wants back. Only its writer may, or somebody `senior`. `late` deletes
    it where it has left; None where the channel cannot. `quiet`: it may be no reply, and then nothing is said."""

    act: str
    who: str
    senior: bool = False
    late: Outbound | None = None
    quiet: bool = False

    def line(self, what: str) -> CaseEvent:
        """What came of it, in the case's history: each outcome once."""
        return CaseEvent(what, "", self.who, f"undo:{self.act}:{what}", self.act.encode())


class Reword(Struct, frozen=True):
    """A staff reply, by its act's id, that says `out` instead; `edit` is the act by which `who` changed it. Only its
    writer may, or somebody `senior`. `late`: the channel can still do that where it has left. `whole`: what it should
    say fits into this one message."""

    act: str
    who: str
    edit: str
    out: Outbound
    senior: bool = False
    late: bool = False
    whole: bool = True

    def line(self, what: str) -> CaseEvent:
        """What came of it, in the case's history."""
        return CaseEvent(what, plain(self.out.text), self.who, f"{self.edit}:{what}", self.act.encode())


class Written(Struct, frozen=True):
    """All that one lane's turn writes. `events` go to other lanes, or wait in this one: (lane, event, due time or
    None). `sights` are parcels at a glance, each with its order. `follow` are orders that this chat is told of from
    now on; `unfollow` that somebody else has the chat now. `guessed` is the order text that a typed detail was
    compared with, `unsaid` are pushes that did not arrive here.

    `case` is what a decision asks staff to do; by the end of the turn it has become `ticket`, the conversation's
    case as it is now (None where it did not change), with new lines of its `history` and those that the commit itself
    `found`. `unsay` are staff replies to take back where they have not left, and
    `if_undone` what the case is then; `reword` gives such a reply other words. `posts` are for the desk that shows
    the case.
    """

    claim: queue.Claim
    conversation: Conversation | None = None
    worded: tuple[Worded, ...] = ()
    withdraw: bool = False
    case: CaseDraft | None = None
    ticket: Case | None = None
    history: tuple[CaseEvent, ...] = ()
    found: tuple[CaseEvent, ...] = ()
    unsay: tuple[TakeBack, ...] = ()
    if_undone: Case | None = None
    reword: tuple[Reword, ...] = ()
    posts: tuple[Worded, ...] = ()
    consents: tuple[Consent, ...] = ()
    guessed: str = ""
    misses: tuple[str, ...] = ()
    looked_up: tuple[str, ...] = ()
    used_link: str = ""
    reasons: tuple[Reason, ...] = ()
    events: tuple[tuple[str, object, datetime | None], ...] = ()
    parcels: tuple[tuple[Parcel, datetime | None], ...] = ()
    order: tuple[Order, str] | None = None
    link: str = ""
    receipts: tuple[Receipt, ...] = ()
    media: tuple[Media, ...] = ()
    pushed: tuple[pushes.Pushed, ...] = ()
    unsaid: tuple[int, ...] = ()
    sights: tuple[tuple[int, Sight], ...] = ()
    follow: tuple[int, ...] = ()
    unfollow: bool = False


async def commit(
    connection: AsyncConnection, database: Database, written: Sequence[Written], now: datetime
) -> set[str]:
    """Write these turns, those of them whose lane is still ours, whose pushes nobody was faster with and whose guess
    was still free; the lanes that were written."""
    ours = await queue.fence(connection, {w.claim.lane: w.claim.token for w in written})
    pushing = {w.claim.lane: w.pushed for w in written if w.pushed and w.claim.lane in ours}
    stopping = await _stopping(connection, [w for w in written if w.claim.lane in ours])
    everybody = {b for whose in stopping.values() for b in whose if b is not None}
    if late := await pushes.counted(connection, pushing, everybody):
        await queue.give_back(connection, [w.claim for w in written if w.claim.lane in late])
        ours -= late
    guessed = {w.claim.lane: w.guessed for w in written if w.guessed and w.claim.lane in ours}
    missed = {w.claim.lane for w in written if w.misses}
    if late := await guessing.too_late(connection, database, guessed, missed, now):
        await queue.give_back(connection, [w.claim for w in written if w.claim.lane in late])
        ours -= late
    kept = [w for w in written if w.claim.lane in ours]
    if not kept:
        return set()
    for w in kept:
        await _write_records(connection, database, w, now)
    kept = [await _taken_back(connection, w) for w in kept]
    cases = {w.claim.lane: await casebook.save(connection, w.ticket, now) for w in kept if w.ticket is not None}
    for w in kept:
        await _write_history(connection, database, w, cases.get(w.claim.lane), now)
        await desks.marks(connection, database, w.claim.lane, w.receipts, now)
    await _save_changed(connection, database, [(w.claim, r) for w in kept if (r := _record(w, cases)) is not None])
    await _save_worded(connection, database, kept, now)
    await _save_ledgers(connection, kept, stopping, now)
    await _save_events(connection, database, kept, now)
    await pushes.unsay(connection, [i for w in kept for i in w.unsaid])
    await pushes.save(connection, {w.claim.lane: w.pushed for w in kept if w.pushed}, now)
    await queue.finish(connection, {w.claim.lane: [e.id for e in w.claim.events] for w in kept})
    await bell.touch(connection, database, [w.claim.lane for w in kept if _seen_by_staff(w)], now)
    return ours


def _seen_by_staff(w: Written) -> bool:
    """Whether this conversation has a case, or has none any more since this turn."""
    return w.ticket is not None or (w.conversation is not None and w.conversation.case is not None)


async def _write_records(connection: AsyncConnection, database: Database, w: Written, now: datetime) -> None:
    if w.order is not None:
        saved = await orders.save_order(connection, database, *w.order, due_at=now)
        if saved is not None:
            await watching.watch(connection, database, saved.id, w.order[0], now)
        if saved is not None and w.link:
            fresh = {"hash": w.link, "order_id": saved.id, "created_at": now, "revoked": False, "first_chat": ""}
            await connection.execute(database.insert(_links).values(**fresh).on_conflict_do_nothing())
    if w.parcels:
        await orders.save_parcels(connection, w.parcels)
        await watching.save_sights(connection, database, w.sights)
    if w.unfollow:
        await watching.unfollow(connection, w.claim.lane)
    await watching.follow(connection, database, w.claim.lane, w.follow)
    if w.used_link:
        first = update(_links).where(_links.c.hash == hashed(w.used_link), _links.c.first_chat == "")
        await connection.execute(first.values(first_chat=w.claim.lane))


async def _write_history(
    connection: AsyncConnection, database: Database, w: Written, saved: Case | None, now: datetime
) -> None:
    """What the turn adds to its case's history: its own lines, and what became of messages that it takes back."""
    lines = [*w.history, *w.found]
    if w.withdraw:
        taken, flying = await outbox.withdraw(connection, w.claim.lane)
        lines += [CaseEvent("withdrawn", text, key=f"withdrawn:{i}") for i, text in taken]
        lines += [CaseEvent("on_its_way", text, key=f"on_its_way:{i}") for i, text in flying]
    case = saved or (await _case_of(connection, w) if lines or w.posts else None)
    if case is not None:
        await casebook.remember(connection, database, case, lines, now)
        late = [x for x in lines if x.what in desks.SHOWN and x not in w.history]
        await desks.save_posts(connection, database, case, w.posts, late, now)


async def _taken_back(connection: AsyncConnection, w: Written) -> Written:
    """Take back and change what staff want back or other; a case whose answer did not leave is unanswered again."""
    for wanted in w.unsay:
        if wanted.quiet and not await casebook.writer(connection, w.claim.lane, f"{wanted.act}:reply"):
            continue
        if not await _may_change(connection, w.claim.lane, wanted):
            w = replace(w, found=(*w.found, wanted.line("not_theirs")))
            continue
        key = f"staff:{wanted.act}"
        if await outbox.take_back(connection, w.claim.lane, key):
            w = replace(w, found=(*w.found, wanted.line("undone")), ticket=w.if_undone or w.ticket)
            continue
        parts = await outbox.delivered(connection, w.claim.lane, key) if wanted.late is not None else []
        deletions = [replace(wanted.late, amends=part) for part in parts if wanted.late is not None]
        w = _amending(w, key, deletions, wanted.line("recalled" if parts else "too_late"))
    # What is taken back in the same turn says nothing any more.
    gone = {line.data for line in (*w.history, *w.found) if line.what in {"undone", "recalled"}}
    for changed in [x for x in w.reword if x.act.encode() not in gone]:
        key = f"staff:{changed.act}"
        if not await _may_change(connection, w.claim.lane, changed):
            w = replace(w, found=(*w.found, changed.line("not_theirs")))
            continue
        if not changed.whole or await outbox.in_parts(connection, w.claim.lane, key):
            # Changed in part it would say neither what it said nor what it should.
            w = replace(w, found=(*w.found, changed.line("in_parts")))
            continue
        if await outbox.reword(connection, w.claim.lane, key, codec.encode(changed.out)):
            w = replace(w, found=(*w.found, changed.line("edited")))
            continue
        parts = await outbox.delivered(connection, w.claim.lane, key) if changed.late else []
        edits = [replace(changed.out, amends=part) for part in parts if len(parts) == 1]
        w = _amending(w, f"{key}:{changed.edit}", edits, changed.line("amended" if edits else "too_late"))
    return w


async def _may_change(connection: AsyncConnection, lane: str, wanted: TakeBack | Reword) -> bool:
    """Whether who wants a reply back or other wrote it, or is senior."""
    return wanted.senior or await casebook.writer(connection, lane, f"{wanted.act}:reply") == wanted.who


def _amending(w: Written, key: str, outs: Sequence[Outbound], line: CaseEvent) -> Written:
    """With what changes messages that have left, and its line in the history."""
    amending = tuple(Worded(out, f"{outbox.AMEND}{key}:{i}", "amend") for i, out in enumerate(outs))
    return replace(w, worded=(*w.worded, *amending), found=(*w.found, line))


async def _case_of(connection: AsyncConnection, w: Written) -> Case | None:
    known = w.conversation.case if w.conversation is not None else None
    if known is not None:
        return await casebook.numbered(connection, known)
    # What was said in a case that is resolved since can still be taken back.
    replies = [f"{act}:reply" for act in (*(u.act for u in w.unsay), *(r.act for r in w.reword))]
    said = await casebook.of_lines(connection, w.claim.lane, replies) if replies else None
    named = next((p.outbound.desk.case for p in w.posts if p.outbound.desk is not None and p.outbound.desk.case), None)
    return said or (await casebook.numbered(connection, named) if named is not None else None)


def _record(written: Written, cases: Mapping[str, Case]) -> Conversation | None:
    record, case = written.conversation, cases.get(written.claim.lane)
    if record is None or case is None:
        return record
    return replace(record, case=None if case.state == CaseState.RESOLVED else case.id)


async def save_conversations(connection: AsyncConnection, database: Database, records: Sequence[Conversation]) -> None:
    """Write conversations whole; whoever calls holds their lanes."""
    await _save_rows(connection, database, [_row(record, codec.encode(record)) for record in records])
    await watching.proved(connection, database, [(b"", record) for record in records])


async def _save_changed(
    connection: AsyncConnection, database: Database, records: Sequence[tuple[queue.Claim, Conversation]]
) -> None:
    """Write those that are not as they were claimed: what is told unasked mostly leaves its conversation alone."""
    states = [(claim.record, record, codec.encode(record)) for claim, record in records]
    changed = [(before, record, state) for before, record, state in states if state != before]
    await _save_rows(connection, database, [_row(record, state) for _, record, state in changed])
    await watching.proved(connection, database, [(before, record) for before, record, _ in changed])


def _row(record: Conversation, state: bytes) -> dict[str, Any]:
    return {
        "lane": conversation_lane(record.address),
        "channel": record.address.channel,
        "account": record.address.account,
        "chat": record.address.chat,
        "buyer_id": record.buyer,
        "holder": record.holder,
        "version": record.version,
        "case_id": record.case,
        "state": state,
        "last_inbound_at": record.last_inbound_at,
    }


async def _save_rows(connection: AsyncConnection, database: Database, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        await connection.execute(database.once(_record_row), sorted(rows, key=lambda row: str(row["lane"])))


def _record_row(database: Database) -> Any:
    upsert = database.insert(_conversations)
    columns = ("buyer_id", "holder", "version", "case_id", "state", "last_inbound_at")
    return upsert.on_conflict_do_update(
        index_elements=[_conversations.c.lane], set_={c: upsert.excluded[c] for c in columns}
    )


async def _save_worded(connection: AsyncConnection, database: Database, kept: Sequence[Written], now: datetime) -> None:
    rows = [
        {
            "lane": conversation_lane(m.outbound.to),
            "key": m.key,
            "channel": m.outbound.to.channel,
            "account": m.outbound.to.account,
            "chat": m.outbound.to.chat,
            "purpose": m.outbound.purpose.value,
            "template": m.template,
            "body": codec.encode(m.outbound),
            "holder_version": m.outbound.holder_version,
            "created_at": now,
            "expires_at": m.outbound.expires_at,
            "delay": m.delay,
        }
        for w in kept
        for m in w.worded
    ]
    if rows:
        await connection.execute(database.once(_new_message), rows)


_SAID = (
    "lane", "key", "channel", "account", "chat", "purpose", "template", "body", "holder_version", "created_at",
    "expires_at",
)  # fmt: skip


def _new_message(database: Database) -> Any:
    fresh = database.insert(_outbox).values(
        {name: bindparam(name) for name in _SAID}
        | {
            "not_before": case((bindparam("delay") > 0, NOW + bindparam("delay")), else_=0.0),
            "state": 0,
            "lease_until": 0.0,
            "owner": "",
            "attempts": 0,
            "platform_id": "",
            "receipt": "",
            "error": "",
            "pricing": b"",
            "sent_at": None,
        }
    )
    return fresh.on_conflict_do_nothing()


async def _stopping(connection: AsyncConnection, written: Sequence[Written]) -> dict[str, set[int | None]]:
    """The lanes in which somebody says stop, each with whom that stops: whoever says so says it for all chats of whose
    orders they were told."""
    return {
        w.claim.lane: {
            w.conversation.buyer if w.conversation else None,
            *(await watching.buyers_of_chat(connection, w.claim.lane)),
        }
        for w in written
        if any(not c.given and c.purpose == UPDATES for c in w.consents)
    }


async def _consent_rows(
    connection: AsyncConnection, kept: Sequence[Written], stopping: Mapping[str, set[int | None]]
) -> list[dict[str, Any]]:
    """The ledger's new rows."""
    rows: list[dict[str, Any]] = []
    for w in kept:
        if not w.consents:
            continue
        buyers = stopping.get(w.claim.lane) or {w.conversation.buyer if w.conversation else None}
        if w.claim.lane in stopping:
            await pushes.withdraw_unasked(connection, w.claim.lane, [b for b in buyers if b is not None])
        rows += [
            {
                "buyer_id": buyer,
                "lane": w.claim.lane,
                "purpose": c.purpose,
                "source": c.source,
                "given": c.given,
                "at": c.at,
            }
            for c in w.consents
            for buyer in sorted(buyers, key=str)
        ]
    return rows


async def _save_ledgers(
    connection: AsyncConnection, kept: Sequence[Written], stopping: Mapping[str, set[int | None]], now: datetime
) -> None:
    consents = await _consent_rows(connection, kept, stopping)
    guesses = [
        {"kind": "miss", "lane": w.claim.lane, "subject": subject_of(m), "at": now} for w in kept for m in w.misses
    ]
    guesses += [
        {"kind": "lookup", "lane": w.claim.lane, "subject": hashed(t), "at": now} for w in kept for t in w.looked_up
    ]
    files = [
        {"lane": w.claim.lane, "digest": m.digest, "mime": m.mime, "name": m.name, "size": m.size or 0, "at": now}
        for w in kept
        for m in w.media
    ]
    decisions = [
        {
            "lane": w.claim.lane,
            "about": about,
            "turn": w.claim.events[0].item.key if w.claim.events else "",
            "at": now,
            "reasons": codec.encode([r for r in w.reasons if r.about == about]),
        }
        for w in kept
        for about in dict.fromkeys(r.about for r in w.reasons)
    ]
    ledgers: tuple[list[dict[str, Any]], ...] = (consents, guesses, files, decisions)
    for ledger, rows in zip(_LEDGERS, ledgers, strict=True):
        if rows:
            await connection.execute(ledger, rows)


async def save_reasons(connection: AsyncConnection, reasons: Sequence[Reason], now: datetime) -> None:
    """Write down why something was made or left out, for what each concerns."""
    rows = [{"lane": "", "about": r.about, "turn": "look", "at": now, "reasons": codec.encode([r])} for r in reasons]
    if rows:
        await connection.execute(_DECIDED, rows)


_DECIDED = insert(_decisions)
_LEDGERS = (insert(_consents), insert(_guesses), insert(_media), _DECIDED)


async def _save_events(connection: AsyncConnection, database: Database, kept: Sequence[Written], now: datetime) -> None:
    arrivals = [
        queue.Arrival("wismo", Item(key=event.id, lane=lane, body=codec.pack(event)), due_at)  # type: ignore[attr-defined]
        for w in kept
        for lane, event, due_at in w.events
    ]
    if arrivals:
        await queue.receive(connection, database, arrivals, now)
