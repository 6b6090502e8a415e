"""The outbox on its way out: claim under the rates, send outside any transaction, write down what came of it.

sent          the platform gave an id
Temporary     again later; the platform's own time, or how fast it wants waits to grow, wins over backoff
Unknown       looked up where the platform allows; else an answer is sent again, a notice is not
Closed        at once again as the approved template that says the same; dead where there is none
Refused       dead, with its error
Unreachable   dead; the conversation is marked and nothing unasked goes there
Misconfigured the account rests, its rows are kept, the alarm is logged and shown by `wismo doctor`
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import structlog
from msgspec import Struct
from msgspec.structs import replace

from bot.errors import Closed, Misconfigured, Refused, Temporary, Unknown, Unreachable, WismoError
from bot.model.clock import Clock
from bot.model.messages import Outbound, Purpose, Receipt, State
from bot.ports import Channel, Item
from bot.store import Store, codec
from bot.store.buckets import Rates
from bot.store.outbox import Mark, Row
from bot.store.queue import Arrival
from bot.store.store import Departure
from bot.store.tables import OutboxState

IN_FLIGHT = 64
"""Sends under way at once an account: it bounds both memory and what a kill can double."""
MAX_ATTEMPTS = 8
RECEIPT_SECONDS = 15.0
"""So long a receipt may take that tells what became of a message; only then is it sent again."""
MOST_DOUBLINGS = 7
HOMING_SECONDS = 7.0
"""So long a stop waits for sends under way; what is not back then is looked up, or sent again, by the next process."""
POLL_SECONDS = 0.2
REST_SECONDS = 60.0

log = structlog.get_logger()


class Account(Struct, frozen=True):
    """A channel's account with its rates."""

    name: str
    channel: Channel
    rates: Rates


class Sender:
    """Sends for all accounts of this process; other processes may send for the same ones."""

    def __init__(
        self,
        store: Store,
        accounts: Mapping[str, Account],
        clock: Clock,
        told: Callable[[str, str], None] = lambda channel, state: None,
    ) -> None:
        self.store = store
        self.accounts = accounts
        self.clock = clock
        self.wake = asyncio.Event()
        self._told = told
        self._stopping = False
        self._flying: dict[str, set[asyncio.Task[None]]] = {name: set() for name in accounts}
        self._names: dict[tuple[str, str], str] = {}
        self._crowded = False

    async def run(self) -> None:
        """Send until `stop`."""
        self.store.messages = self
        await asyncio.gather(*(self._serve(account) for account in self.accounts.values()))

    async def stop(self) -> None:
        """Claim nothing more and let what is in flight come home, of all accounts together."""
        self._stopping = True
        self.wake.set()
        if flying := [task for tasks in self._flying.values() for task in tasks]:
            await asyncio.wait(flying, timeout=HOMING_SECONDS)

    async def drain(self, name: str) -> None:
        """Send all of an account that may leave now, one after the other: where no loop runs."""
        account = self.accounts[name]
        key = await self._known(account)
        while key is not None and (rows := await self._claimed(key, account, IN_FLIGHT)):
            for row in rows:
                await self._send(key, account, row)

    def departures(self) -> Sequence[Departure]:
        """The accounts that could send at once."""
        if self._stopping:
            return ()
        rooms = {key: self._room(name) for key, name in self._names.items()}
        self._crowded = self._crowded or not all(rooms.values())
        return [Departure(key, self.accounts[self._names[key]].rates, room) for key, room in rooms.items() if room]

    async def take(self, account: tuple[str, str], rows: Sequence[Row], room: int) -> None:
        """Send these, which are leased; there was room for `room`, and where all was used there may be more."""
        if self._stopping:
            await self.store.give_back_outbox(rows)
            return
        name = self._names[account]
        self._crowded = self._crowded or len(rows) >= room
        for row in rows:
            task = asyncio.create_task(self._send(account, self.accounts[name], row))
            self._flying[name].add(task)
            task.add_done_callback(self._flying[name].discard)

    def _room(self, name: str) -> int:
        return max(IN_FLIGHT - len(self._flying[name]), 0)

    async def _serve(self, account: Account) -> None:
        """Look for messages whose time has come, or that another process wrote; most are handed over by commits."""
        key = await self._known(account)
        if key is None:
            return
        self._names[key] = account.name
        while not self._stopping:
            self.wake.clear()
            room = self._room(account.name)
            rows = await self._claimed(key, account, room) if room else []
            await self.take(key, rows, room)
            if len(rows) < room or not room:
                await self._rest()

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await self.wake.wait()

    async def _known(self, account: Account) -> tuple[str, str] | None:
        """Which rows are this account's: as the platform tells it, else as its buyers' messages came in; None where
        nobody had told until the stop."""
        told = ""
        while not self._stopping:
            try:
                return account.channel.kind, await account.channel.account()
            except WismoError as error:
                if str(error) != told:
                    told = str(error)
                    log.error("sender.account_unknown", channel=account.name, error=told)
            if heard := await self.store.account_heard(account.name):
                return account.channel.kind, heard
            await asyncio.sleep(1.0)
        return None

    async def _claimed(self, key: tuple[str, str], account: Account, room: int) -> list[Row]:
        try:
            return await self.store.claim_outbox(key, account.rates, room)
        except Exception as error:
            log.error("sender.claim_failed", error=type(error).__name__)
            await asyncio.sleep(1.0)
            return []

    async def _send(self, key: tuple[str, str], account: Account, row: Row) -> None:
        mark = await self._outcome(key, account, row)
        await self.store.mark(mark)
        self._told(account.channel.kind, mark.state.name.lower())
        if self._crowded:
            self._crowded = False
            self.wake.set()

    async def _outcome(self, key: tuple[str, str], account: Account, row: Row) -> Mark:
        try:
            message = replace(codec.outbound(row.body), id=str(row.id))
        except Exception as error:
            # No time makes it readable, and as long as it were open nothing else would leave in its chat.
            log.error("sender.unreadable", channel=account.name, error=type(error).__name__)
            return Mark(row, OutboxState.DEAD, self.clock.now(), error=f"cannot be read: {type(error).__name__}")
        mark = self._barred(row, message)
        if mark is None and row.again:
            mark = await self._found(account.channel, row, message)
        return mark if mark is not None else await self._sent(key, account, row, message)

    def _barred(self, row: Row, message: Outbound) -> Mark | None:
        """What must not leave any more: another speaker has the conversation, or its time is over."""
        now = self.clock.now()
        if row.stale and message.purpose != Purpose.STAFF:
            return Mark(row, OutboxState.WITHDRAWN, now)
        if row.expires_at is not None and row.expires_at <= now:
            return Mark(row, OutboxState.EXPIRED, now)
        return None

    async def _found(self, channel: Channel, row: Row, message: Outbound) -> Mark | None:
        """A sender died with this message in flight: whether it arrived, and if nobody knows, what then."""
        now = self.clock.now()
        try:
            platform_id = await channel.find(message)
        except WismoError:
            platform_id = None
        if platform_id is not None:
            return Mark(row, OutboxState.SENT, now, platform_id)
        if message.purpose == Purpose.NOTICE:
            return Mark(row, OutboxState.UNKNOWN, now, error="the sender stopped while it was in flight")
        return None

    async def _sent(self, key: tuple[str, str], account: Account, row: Row, message: Outbound) -> Mark:
        try:
            platform_id = await account.channel.send(message)
        except Temporary as error:
            return await self._again(key, row, error)
        except Unknown as error:
            found = await self._found(account.channel, replace(row, again=True), message)
            return found or self._backoff(row, str(error), RECEIPT_SECONDS if account.channel.receipts else 0.0)
        except Misconfigured as error:
            log.error("sender.account_rests", channel=account.name, setting=error.key, error=str(error))
            await self.store.hold_account(key, REST_SECONDS)
            return Mark(row, OutboxState.READY, self.clock.now(), error=str(error), delay=REST_SECONDS)
        except Unreachable as error:
            log.warning("sender.unreachable", channel=account.name)
            await self._gone(row, message)
            return Mark(row, OutboxState.DEAD, self.clock.now(), error=f"Unreachable: {error}")
        except (Refused, Closed) as error:
            if isinstance(error, Closed) and message.fallback is not None:
                return self._approved(row, message, error)
            log.warning("sender.not_sent", channel=account.name, error=type(error).__name__)
            return Mark(row, OutboxState.DEAD, self.clock.now(), error=f"{type(error).__name__}: {error}")
        except Exception as error:
            log.error("sender.defect", channel=account.name, error=type(error).__name__)
            return self._backoff(row, type(error).__name__, ours=True)
        return Mark(row, OutboxState.SENT, self.clock.now(), platform_id)

    def _approved(self, row: Row, message: Outbound, error: Closed) -> Mark:
        """The platform takes no free text any more: at once again, as the approved template that says the same."""
        body = codec.encode(replace(message, id="", approved=message.fallback, fallback=None))
        calm = replace(row, attempts=row.attempts - 1)
        return Mark(calm, OutboxState.READY, self.clock.now(), error=str(error), body=body)

    async def _again(self, key: tuple[str, str], row: Row, error: Temporary) -> Mark:
        if error.account_wide and error.retry_after:
            await self.store.hold_account(key, error.retry_after)
        if error.retry_after is None:
            return self._backoff(row, str(error), error.growing**row.attempts if error.growing else 0.0)
        # The platform named a time: that is a queue, not a failure, and does not count as an attempt.
        calm = replace(row, attempts=row.attempts - 1)
        return Mark(calm, OutboxState.READY, self.clock.now(), error=str(error), delay=error.retry_after)

    async def _gone(self, row: Row, message: Outbound) -> None:
        """Tell the conversation's own lane, which alone writes its record, that nothing arrives there."""
        key = f"gone:{row.id}"
        told = Receipt(key, self.clock.now(), message.to, State.FAILED, outbound_id=str(row.id), gone=True)
        await self.store.receive([Arrival("wismo", Item(key, row.lane, codec.pack(told)))])

    def _backoff(self, row: Row, error: str, least: float = 0.0, *, ours: bool = False) -> Mark:
        now = self.clock.now()
        # Staff see every case in the end: what a desk was down for waits for it, unless it is a defect of ours.
        waits = row.purpose == Purpose.DESK and not ours
        if row.attempts + 1 >= MAX_ATTEMPTS and not waits:
            return Mark(row, OutboxState.DEAD, now, error=error)
        delay = min(0.5 * 2 ** min(row.attempts, MOST_DOUBLINGS), 300.0)
        return Mark(row, OutboxState.READY, now, error=error, delay=max(least, delay))
