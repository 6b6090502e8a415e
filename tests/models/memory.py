"""A store in memory with the real one's rules, so that the real engine, sender and courier run on it many times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, count
from typing import Any

from msgspec.structs import replace

from bot.model.cases import Case, CaseEvent, CaseState
from bot.model.clock import Clock
from bot.model.conversations import Conversation
from bot.model.events import conversation_lane
from bot.model.markup import plain
from bot.model.messages import Address
from bot.ports import Item
from bot.store import codec, desks
from bot.store.gathering import Gathered
from bot.store.outbox import Mark, Row
from bot.store.queue import Arrival, Claim, Waiting
from bot.store.tables import OutboxState
from bot.store.turns import Worded, Written

OPEN = {OutboxState.READY, OutboxState.SENDING}


@dataclass
class Sent:
    """A row of the outbox."""

    id: int
    lane: str
    key: str
    account: tuple[str, str]
    worded: Worded
    state: OutboxState = OutboxState.READY
    token: str = ""
    attempts: int = 0


@dataclass
class MemoryStore:
    """One process's worth of the store; every method is one transaction, as there."""

    clock: Clock
    rows: list[Sent] = field(default_factory=list)
    records: dict[str, Conversation] = field(default_factory=dict)
    known: dict[int, Case] = field(default_factory=dict)
    lines: dict[int, list[CaseEvent]] = field(default_factory=dict)
    threads: dict[tuple[int, Address], str] = field(default_factory=dict)
    cards: dict[int, Address] = field(default_factory=dict)
    waiting: list[tuple[int, str, Waiting, datetime | None]] = field(default_factory=list)
    seen: set[tuple[str, str]] = field(default_factory=set)
    leased: dict[str, str] = field(default_factory=dict)
    said: set[tuple[str, str]] = field(default_factory=set)
    numbers: Any = field(default_factory=lambda: count(1))

    # ---- inbox -------------------------------------------------------------------------------------------

    async def receive(self, arrivals: Sequence[Arrival]) -> int:
        for a in arrivals:
            if (a.port, a.item.key) in self.seen:
                continue
            self.seen.add((a.port, a.item.key))
            number = next(self.numbers)
            event = Waiting(number, a.port, a.item, self.clock.now(), 0)
            self.waiting.append((number, a.item.lane, event, a.due_at))
        return len(arrivals)

    async def wake(self) -> int:
        return 0

    async def claim(self, limit: int) -> list[Claim]:
        now = self.clock.now()
        lanes: dict[str, list[Waiting]] = {}
        for _, lane, event, due in self.waiting:
            if lane not in self.leased and (due is None or due <= now):
                lanes.setdefault(lane, []).append(event)
        claims = []
        for lane, events in list(lanes.items())[:limit]:
            self.leased[lane] = token = str(next(self.numbers))
            record = self.records.get(lane)
            claims.append(Claim(lane, token, tuple(events), codec.encode(record) if record else b""))
        return claims

    async def fail(self, claim: Claim, error: str, delay: float) -> bool:
        raise AssertionError(f"a turn failed: {error}")

    async def give_back(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            self.leased.pop(claim.lane, None)

    async def gather(self, wants: Mapping[str, Any], buyers: Mapping[str, Any]) -> dict[str, Gathered]:
        return {lane: Gathered() for lane in wants}

    # ---- a turn ------------------------------------------------------------------------------------------

    async def commit_all(self, written: Sequence[Written]) -> Sequence[bool | Exception]:
        return [await self.commit(w) for w in written]

    async def commit(self, w: Written) -> bool:
        lane = w.claim.lane
        if self.leased.get(lane) != w.claim.token:
            return False
        case = self._saved(w)
        record = w.conversation
        if record is not None:
            resolved = case is not None and case.state == CaseState.RESOLVED
            kept = case.id if case is not None else record.case
            self.records[lane] = replace(record, case=None if resolved else kept)
        late = self._taken_back(w)
        current = case or (self.known.get(record.case) if record is not None and record.case else self._of_reply(w))
        if current is not None:
            self._remember(current, (*w.history, *late))
            self._show(current, w.posts, late)
        for worded in w.worded:
            to = worded.outbound.to
            self._say(lane, worded.key, (to.channel, to.account), worded)
        await self.receive([Arrival("wismo", Item(e.id, at, codec.pack(e)), due) for at, e, due in w.events])  # type: ignore[attr-defined]
        done = {e.id for e in w.claim.events}
        self.waiting = [x for x in self.waiting if x[0] not in done]
        del self.leased[lane]
        return True

    def _of_reply(self, w: Written) -> Case | None:
        keys = {f"{act}:reply" for act in (*(u.act for u in w.unsay), *(r.act for r in w.reword))}
        of = (i for i, lines in self.lines.items() for x in lines if x.key in keys)
        told = (d.case for p in w.posts if (d := p.outbound.desk) is not None and d.case)
        return next((self.known[i] for i in (*of, *told) if self.known[i].conversation == w.claim.lane), None)

    def _saved(self, w: Written) -> Case | None:
        if w.ticket is None:
            return None
        case = replace(w.ticket, id=w.ticket.id or next(self.numbers), version=w.ticket.version + 1)
        self.known[case.id] = case
        return case

    def _taken_back(self, w: Written) -> list[CaseEvent]:
        late = []
        mine = [r for r in self.rows if r.lane == w.claim.lane]
        bots = [r for r in mine if w.withdraw and r.worded.outbound.purpose.value != "staff" and r.state in OPEN]
        for row in bots:
            flying = row.state == OutboxState.SENDING
            what = "on_its_way" if flying else "withdrawn"
            late.append(CaseEvent(what, plain(row.worded.outbound.text), key=f"{what}:{row.id}"))
            row.state = row.state if flying else OutboxState.WITHDRAWN
        for wanted in w.unsay:
            said = (x for x in chain(*self.lines.values()) if x.key == f"{wanted.act}:reply")
            if not wanted.senior and next((x.who for x in said), "") != wanted.who:
                late.append(wanted.line("not_theirs"))
                continue
            key = f"staff:{wanted.act}"
            parts = [r for r in mine if r.key == key or r.key.startswith(f"{key}:")]
            undone = bool(parts) and all(r.state == OutboxState.READY for r in parts)
            for row in parts if undone else ():
                row.state = OutboxState.WITHDRAWN
            if undone and w.if_undone is not None and w.if_undone.id:
                self.known[w.if_undone.id] = replace(w.if_undone, version=w.if_undone.version + 1)
            late.append(wanted.line("undone" if undone else "too_late"))
        for changed in w.reword:
            free = [r for r in mine if r.key == f"staff:{changed.act}" and r.state == OutboxState.READY]
            for row in free:
                row.worded = replace(row.worded, outbound=changed.out)
            late.append(changed.line("edited" if free else "too_late"))
        return late

    def _remember(self, case: Case, lines: Sequence[CaseEvent]) -> None:
        kept = self.lines.setdefault(case.id, [])
        keys = {x.key for x in kept if x.key}
        kept += [x for x in lines if not x.key or x.key not in keys]

    def _show(self, case: Case, posts: Sequence[Worded], late: Sequence[CaseEvent]) -> None:
        desked = [(p, d) for p in posts if (d := p.outbound.desk) is not None]
        own = (p.outbound.to for p, d in desked if d.kind == "show" and not d.case)
        place = next(own, None) or self.cards.get(case.id)
        shown = {desks.lane_of(d.case or case.id) for _, d in desked if d.kind == "show"}
        for row in self.rows:
            if row.lane in shown and row.worded.template == "show" and row.state == OutboxState.READY:
                row.state = OutboxState.WITHDRAWN
        if place is not None:
            self.cards[case.id] = place
            lines = [x for x in late if x.what in desks.SHOWN]
            more = [Worded(desks.line_post(place, x), f"line:{x.key or next(self.numbers)}", "say") for x in lines]
            desked += [(w, d) for w in more if (d := w.outbound.desk) is not None]
        for worded, desk in desked:
            out = replace(worded.outbound, desk=replace(desk, case=desk.case or case.id))
            self._say(
                desks.lane_of(desk.case or case.id),
                worded.key,
                (out.to.channel, out.to.account),
                replace(worded, outbound=out),
            )

    def _say(self, lane: str, key: str, account: tuple[str, str], worded: Worded) -> None:
        if (lane, key) not in self.said:
            self.said.add((lane, key))
            self.rows.append(Sent(next(self.numbers), lane, key, account, worded))

    # ---- outbox ------------------------------------------------------------------------------------------

    async def claim_outbox(self, account: tuple[str, str], rates: Any, limit: int) -> list[Row]:
        busy: set[str] = set()
        found = []
        for row in self.rows:
            if row.account == account and row.state in OPEN and row.lane not in busy and not row.token:
                found.append(row)
            if row.state in OPEN:
                busy.add(row.lane)
        claimed = []
        for row in found[:limit]:
            again = row.state == OutboxState.SENDING
            row.state, row.token = OutboxState.SENDING, str(next(self.numbers))
            out = row.worded.outbound
            record = self.records.get(row.lane)
            stale = record is not None and record.version != out.holder_version
            claimed.append(
                Row(
                    id=row.id,
                    lane=row.lane,
                    key=row.key,
                    body=codec.encode(out),
                    purpose=out.purpose.value,
                    template=row.worded.template,
                    token=row.token,
                    attempts=row.attempts,
                    expires_at=None,
                    stale=stale,
                    again=again,
                )
            )
        return claimed

    async def mark(self, mark: Mark) -> None:
        row = next(r for r in self.rows if r.id == mark.row.id)
        if row.token == mark.row.token:
            row.state, row.token = mark.state, ""
            row.attempts += mark.state == OutboxState.READY

    async def hold_account(self, account: tuple[str, str], seconds: float) -> None:
        """Machine time stands still here."""

    def expire(self) -> None:
        """Every lease is over: whoever held one died."""
        self.leased.clear()
        for row in self.rows:
            row.token = ""

    # ---- cases -------------------------------------------------------------------------------------------

    async def conversations(self, lanes: Sequence[str]) -> dict[str, Conversation]:
        return {lane: self.records.get(lane) or codec.record(lane, b"") for lane in lanes}

    async def open_cases(self, ids: Sequence[int]) -> dict[int, Case]:
        return {i: self.known[i] for i in ids if i in self.known}

    async def held_pushes(self, cases: Sequence[int], keys: Sequence[str]) -> dict[str, bytes]:
        lines = [x for case in cases for x in self.lines.get(case, ())]
        wanted = [x for x in lines if x.what in {"push", "reply"} and x.key in keys]
        return {x.key: x.data if x.what == "push" else x.text.encode() for x in wanted}

    async def case_history(self, case: int) -> list[CaseEvent]:
        return list(self.lines.get(case, ()))

    async def cases(self, *, every: bool = False) -> list[Case]:
        return [c for c in self.known.values() if every or c.closed_at is None]

    async def case_file(self, case: int, most: int) -> desks.CaseFile | None:
        found = self.known[case]
        return desks.CaseFile(found, self.records[found.conversation], tuple(self.lines.get(case, ())), ())

    async def case_thread(self, case: int, place: Address) -> str:
        return self.threads.get((case, place), "")

    async def cases_of_threads(self, lane: str) -> dict[tuple[Address, str], int]:
        ours = {case for case, known in self.known.items() if known.conversation == lane}
        return {(place, thread): case for (case, place), thread in self.threads.items() if case in ours}

    async def save_thread(self, case: Case, place: Address, thread: str) -> None:
        self.threads[case.id, place] = thread

    async def drop_thread(self, case: int, place: Address) -> None:
        self.threads.pop((case, place), None)

    async def dossier(self, order: int) -> None:
        return None

    async def unfinished(self) -> list[str]:
        """What is still to be done, and what went wrong."""
        now = self.clock.now()
        events = [lane for _, lane, _, due in self.waiting if due is None or due <= now]
        rows = [f"{r.lane} {r.key} {r.state.name}" for r in self.rows if r.state in {*OPEN, OutboxState.DEAD}]
        return events + rows

    async def withdrawn(self) -> list[str]:
        """The keys of what was taken back."""
        return [r.key for r in self.rows if r.state == OutboxState.WITHDRAWN]


def lane(chat: str) -> str:
    """The lane of a chat of the test's channel."""
    return conversation_lane(Address("test", "shop", chat))
