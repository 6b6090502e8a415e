"""The door to the database for the rest of the bot: every method is one transaction."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.dialog.turn import Dossier, Wants
from bot.model.cases import Case, CaseEvent
from bot.model.clock import Clock
from bot.model.conversations import Conversation
from bot.model.messages import Address
from bot.model.orders import Consent, Order
from bot.store import (
    bell,
    buckets,
    casebook,
    desks,
    gathering,
    keeping,
    migrate,
    orders,
    outbox,
    pushes,
    queue,
    turns,
    watching,
)
from bot.store.buckets import Rates
from bot.store.database import Database
from bot.store.group import Group
from bot.store.learning import LearningDoor
from bot.store.leases import LeaseDoor
from bot.store.looking import TrackingDoor
from bot.store.tables import Inbox, InboxState, LinkRow, OutboxState, core
from bot.store.unasked import UnaskedDoor


class TurnTaker(Protocol):
    """Whoever handles lanes in this process."""

    def room(self) -> int:
        """How many lanes they would handle next; 0 while there are more than that, and they will ask themselves."""

    def take(self, claims: Sequence[queue.Claim]) -> None:
        """Handle these, which are leased."""

    def ring(self) -> None:
        """There is work for which no lane could be leased."""


class Departure(NamedTuple):
    """An account that has room for more messages on their way."""

    account: tuple[str, str]
    rates: Rates
    room: int


class MessageTaker(Protocol):
    """Whoever sends messages in this process."""

    def departures(self) -> Sequence[Departure]:
        """The accounts that could send at once."""

    async def take(self, account: tuple[str, str], rows: Sequence[outbox.Row], room: int) -> None:
        """Send these, which are leased; there was room for `room`."""


Departing = tuple[Departure, list[outbox.Row]]

_NEWS = {OutboxState.SENT: "sent", OutboxState.DEAD: "failed", OutboxState.EXPIRED: "failed"}

MARK_SECONDS = 0.01
"""So long outcomes of sends wait for a transaction of others: nobody waits for them but the next message of the same
chat."""


class Store(UnaskedDoor, TrackingDoor, LearningDoor, LeaseDoor):
    """All reading and writing. Business time comes from the clock it was given, machine time from the database.

    Where a `turns` or `messages` taker of this process is idle, the commit that makes their work leases it for
    them too: a transaction and a wake-up less a message. All others find it by claiming.
    """

    def __init__(self, url: str, clock: Clock) -> None:
        self.database = Database(url)
        self.clock = clock
        self.turns: TurnTaker | None = None
        self.messages: MessageTaker | None = None
        self._receive = Group(self._receive_all, self.database.turn())
        self._mark = Group(self._mark_all, self.database.turn(MARK_SECONDS), pause=MARK_SECONDS)
        self._commit = Group(self._commit_all, self.database.turn(), most=256)

    async def close(self) -> None:
        """Close every connection."""
        await self.database.close()

    async def migrate(self) -> str:
        """Bring the tables to this version; the revision they are at then."""
        return await migrate.upgrade(self.database)

    async def revision(self) -> str:
        """The revision the tables are at; empty for a new database."""
        return await migrate.current(self.database)

    def head(self) -> str:
        """The revision this version of the program needs."""
        return migrate.head()

    # ---- inbox -------------------------------------------------------------------------------------------

    async def receive(self, arrivals: Sequence[queue.Arrival]) -> int:
        """Store events durably, sharing the commit with whoever asks meanwhile; how many were new."""
        return await self._receive(arrivals) if arrivals else 0

    async def _receive_all(self, batches: Sequence[Sequence[queue.Arrival]]) -> Sequence[int]:
        arrivals = [arrival for batch in batches for arrival in batch]
        now = self.clock.now()
        room = self.turns.room() if self.turns else 0

        async def work(connection: AsyncConnection) -> list[queue.Claim]:
            await queue.receive(connection, self.database, arrivals, now)
            return await queue.claim(connection, room) if room else []

        claims = await self.database.share(work)
        if claims and self.turns:
            self.turns.take(claims)
        if self.turns and {a.item.lane for a in arrivals} - {c.lane for c in claims}:
            self.turns.ring()
        return [len(batch) for batch in batches]

    async def converse(self, lane: str, arrivals: Sequence[queue.Arrival] = ()) -> list[queue.Claim]:
        """Lease one lane if it has work, after storing more of its events in the same commit: for a process that
        handles this lane and no other, beside workers that do not know its port."""

        async def work(connection: AsyncConnection) -> list[queue.Claim]:
            if arrivals:
                await queue.receive(connection, self.database, arrivals, self.clock.now())
            return await queue.claim(connection, 1, lane)

        return await self.database.write(work)

    async def account_heard(self, port: str) -> str:
        """The account to which the newest message of a chat through this port was sent, or empty."""
        row = core(Inbox)
        newest = select(row.c.lane).where(row.c.port == port, row.c.lane.startswith("c/")).order_by(row.c.id.desc())
        async with self.database.read() as connection:
            lane = await connection.scalar(newest.limit(1))
        return Address.parse(lane.removeprefix("c/")).account if lane else ""

    async def handled(self, port: str, key: str) -> bool:
        """Whether the event of this key is done with, or kept as a dead letter."""
        row = core(Inbox)
        state = select(row.c.state).where(row.c.port == port, row.c.key == key)
        async with self.database.read() as connection:
            return await connection.scalar(state) in {InboxState.DONE, InboxState.DEAD}

    async def wake(self) -> int:
        """Make ready the events whose due time has come; how many."""
        return await self.database.write(lambda c: queue.wake(c, self.database, self.clock.now()))

    async def claim(self, limit: int) -> list[queue.Claim]:
        """Lease lanes that have work."""
        return await self.database.write(lambda c: queue.claim(c, limit))

    async def conversations(self, lanes: Sequence[str]) -> dict[str, Conversation]:
        """The conversations of these lanes."""
        return await self.database.view(lambda c: gathering.conversations(c, lanes))

    async def save_conversations(self, records: Sequence[Conversation]) -> None:
        """Write conversations directly (seeding, benchmarks), outside any turn."""
        await self.database.write(lambda c: turns.save_conversations(c, self.database, records))

    async def gather(
        self, wants: Mapping[str, Wants], buyers: Mapping[str, int | None]
    ) -> dict[str, gathering.Gathered]:
        """What each lane's turn wants to know."""
        now = self.clock.now()
        return await self.database.view(lambda c: gathering.gather(c, wants, buyers, now))

    async def commit(self, written: turns.Written) -> bool:
        """Commit a turn together with others that are ready; whether the lane was still ours."""
        return await self._commit(written)

    async def commit_all(self, written: Sequence[turns.Written]) -> Sequence[bool | Exception]:
        """Commit turns together; of each whether its lane was still ours, or what went wrong with it alone."""
        return await self._commit.many(written)

    async def _commit_all(self, written: Sequence[turns.Written]) -> Sequence[bool]:
        now = self.clock.now()
        departures = self._departures()

        async def work(connection: AsyncConnection) -> tuple[set[str], list[Departing]]:
            ours = await turns.commit(connection, self.database, written, now)
            return ours, await self._depart(connection, departures)

        ours, departing = await self.database.share(work)
        await self._send(departing)
        return [w.claim.lane in ours for w in written]

    def _departures(self) -> Sequence[Departure]:
        return self.messages.departures() if self.messages else ()

    async def _depart(self, connection: AsyncConnection, departures: Sequence[Departure]) -> list[Departing]:
        return [(d, await outbox.claim(connection, self.database, *d)) for d in departures]

    async def _send(self, departing: Sequence[Departing]) -> None:
        for departure, rows in departing:
            if rows and self.messages:
                await self.messages.take(departure.account, rows, departure.room)

    async def fail(self, claim: queue.Claim, error: str, delay: float) -> bool:
        """Try a claimed lane again later; whether its first event became a dead letter."""

        async def work(connection: AsyncConnection) -> bool:
            if not await queue.fence(connection, {claim.lane: claim.token}):
                return False
            return await queue.fail(connection, claim.lane, claim.events[0], error, delay)

        return await self.database.write(work)

    async def bury(self, claim: queue.Claim, event: queue.Waiting, error: str) -> None:
        """Make one event of a claimed lane a dead letter; the lane stays claimed."""

        async def work(connection: AsyncConnection) -> None:
            if await queue.fence(connection, {claim.lane: claim.token}):
                await queue.bury(connection, claim.lane, event, error)

        await self.database.write(work)

    async def forward(self, claim: queue.Claim) -> bool:
        """Move what came from a thread that was not known yet to its conversation; whether it is known now."""
        return await self.database.write(lambda c: queue.forward(c, self.database, claim))

    async def give_back(self, claims: Sequence[queue.Claim]) -> None:
        """Return claimed lanes untouched."""
        if claims:
            await self.database.write(lambda c: queue.give_back(c, claims))

    async def replay(self, ids: Sequence[int]) -> int:
        """Give dead letters another chance; how many there were."""
        return await self.database.write(lambda c: queue.replay(c, self.database, ids))

    # ---- outbox ------------------------------------------------------------------------------------------

    async def claim_outbox(self, account: tuple[str, str], rates: Rates, limit: int) -> list[outbox.Row]:
        """Lease messages of one (channel, account) that may leave now."""
        return await self.database.write(lambda c: outbox.claim(c, self.database, account, rates, limit))

    async def mark(self, mark: outbox.Mark) -> None:
        """Write down what came of a message, together with others."""
        await self._mark(mark)

    async def _mark_all(self, marks: Sequence[outbox.Mark]) -> Sequence[None]:
        now = self.clock.now()
        departures = self._departures()

        async def work(connection: AsyncConnection) -> list[Departing]:
            more = await outbox.mark(connection, marks)
            for m in marks:
                if m.row.purpose == "staff" and (news := _NEWS.get(m.state)):
                    await desks.outcome(connection, self.database, m.row.key, news, desks.why(m.error), m.at)
                if m.row.purpose == "notice" and m.state == OutboxState.EXPIRED:
                    await pushes.again(connection, self.database, m.row.lane, m.row.key, m.at)
            await bell.touch(connection, self.database, list({m.row.lane for m in marks}), now)
            return await self._depart(connection, departures) if more else []

        await self._send(await self.database.share(work))
        return [None] * len(marks)

    async def hold_account(self, account: tuple[str, str], seconds: float) -> None:
        """Let nothing of an account leave for so many seconds."""
        await self.database.write(lambda c: buckets.hold_account(c, self.database, "/".join(account), seconds))

    async def give_back_outbox(self, rows: Sequence[outbox.Row]) -> None:
        """Return messages that were claimed and not sent."""
        if rows:
            await self.database.write(lambda c: outbox.give_back(c, rows))

    # ---- orders and links --------------------------------------------------------------------------------

    async def find_orders(self, numbers: Sequence[str]) -> list[Dossier]:
        """Orders under these number keys."""
        async with self.database.read() as connection:
            found, _, _ = await orders.find(connection, numbers)
            return list(found.values())

    async def save_orders(self, batch: Sequence[tuple[Order, str]]) -> int:
        """Write orders directly (seeding, benchmarks); each with its phone in E.164. How many said anything new."""

        async def work(connection: AsyncConnection) -> int:
            now = self.clock.now()
            changed = 0
            for order, phone in batch:
                saved = await orders.save_order(connection, self.database, order, phone, now)
                if saved is not None:
                    await watching.watch(connection, self.database, saved.id, order, now)
                    changed += saved.changed
            return changed

        return await self.database.write(work)

    async def save_link(self, token_hash: str, order: int) -> None:
        """Keep a fresh link's hashed token."""
        row = insert(LinkRow).values(
            hash=token_hash, order_id=order, created_at=self.clock.now(), revoked=False, first_chat=""
        )
        await self.database.write(lambda c: c.execute(row))

    async def revoke_links(self, order: int) -> int:
        """End every link of an order; how many there were."""
        rows = update(LinkRow).where(LinkRow.order_id == order).values(revoked=True)  # type: ignore[arg-type]
        return int((await self.database.write(lambda c: c.execute(rows))).rowcount)

    async def consents_of(self, buyer: int) -> list[Consent]:
        """The ledger of a buyer, oldest first."""
        return await self.database.view(lambda c: pushes.ledger(c, buyer))

    # ---- staff -------------------------------------------------------------------------------------------

    async def cases(self, *, every: bool = False) -> list[Case]:
        """Open cases (or every case), oldest first."""
        async with self.database.read() as connection:
            return await casebook.listed(connection, every=every)

    async def open_cases(self, ids: Sequence[int]) -> dict[int, Case]:
        """Cases by number."""
        return await self.database.view(lambda c: casebook.open_cases(c, ids))

    async def held_pushes(self, cases: Sequence[int], keys: Sequence[str]) -> dict[str, bytes]:
        """Of lines of these cases by their keys: what was held back, and what a reply said."""
        return await self.database.view(lambda c: casebook.held(c, cases, keys))

    async def case_file(self, case: int, most: int) -> desks.CaseFile | None:
        """A case with its history and the last `most` things said, for a desk to show."""
        return await self.database.view(lambda c: desks.case_file(c, case, most))

    async def case_thread(self, case: int, place: Address) -> str:
        """The root message of a case in a desk's channel, or empty."""
        return await self.database.view(lambda c: desks.thread(c, case, place))

    async def cases_of_threads(self, lane: str) -> dict[tuple[Address, str], int]:
        """The cases of the threads in which desks show a conversation."""
        return await self.database.view(lambda c: desks.cases_of_threads(c, lane))

    async def save_thread(self, case: Case, place: Address, thread: str) -> None:
        """Remember where a desk shows a case."""
        await self.database.write(lambda c: desks.save_thread(c, self.database, case, place, thread))

    async def drop_thread(self, case: int, place: Address) -> None:
        """The desk's root message is gone."""
        await self.database.write(lambda c: desks.drop_thread(c, case, place))

    async def dossier(self, order: int) -> Dossier | None:
        """An order with its parcels."""

        async def work(connection: AsyncConnection) -> Dossier | None:
            found, _, _ = await orders.find(connection, (), (), {order})
            return found.get(order)

        return await self.database.view(work)

    async def case_history(self, case: int) -> list[CaseEvent]:
        """All that happened in a case, oldest first."""
        async with self.database.read() as connection:
            return await casebook.history(connection, case)

    # ---- keeping -----------------------------------------------------------------------------------------

    async def health(self) -> keeping.Health:
        """What `wismo doctor` and `/metrics` tell of the database."""
        async with self.database.read() as connection:
            return await keeping.health(connection, self.clock.now())

    async def dead_letters(self, limit: int = 50) -> list[keeping.DeadLetter]:
        """Events that could not be handled, newest first."""
        async with self.database.read() as connection:
            return await keeping.dead_letters(connection, limit)

    async def send_errors(self, limit: int) -> list[tuple[str, int]]:
        """Why messages could not be sent, commonest first, with how many of each."""
        async with self.database.read() as connection:
            return await keeping.send_errors(connection, limit)

    async def checkpoint(self) -> None:
        """Keep SQLite's log short; nothing on PostgreSQL, which does it by itself."""
        await self.database.checkpoint()

    async def expire(self, retention: keeping.Retention) -> keeping.Gone:
        """Blank and delete what has been kept long enough; which files on disk go with it."""
        return await self.database.write(lambda c: keeping.expire(c, retention, self.clock.now()))

    async def export_buyer(self, buyer: int) -> dict[str, object]:
        """All that is kept of a buyer."""
        async with self.database.read() as connection:
            return await keeping.export_buyer(connection, buyer)

    async def erase_buyer(self, buyer: int) -> keeping.Gone:
        """Blank every personal datum of a buyer; which files on disk go with them."""
        return await keeping.erase_buyer(self.database, buyer, self.clock.now())

    async def find_buyer(self, text: str) -> int | None:
        """A buyer by id, e-mail, order number or phone; None where that is nobody or not just one."""
        async with self.database.read() as connection:
            return await keeping.find_buyer(connection, text)


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{path}"
