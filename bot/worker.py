"""Everything that happens by itself: lanes with work, due times, parcels due for a look, listening, keeping."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

import structlog

from bot.engine import Engine
from bot.forecast import Forecast
from bot.ports import Item, Port
from bot.store import Store
from bot.store.leases import fresh_owner
from bot.store.queue import Arrival, Claim
from bot.tracker import Lineup, Tracker

LANES = 64
UNASKED_LANES = 256
"""Taken at once after many in which nobody wrote: what is told unasked costs a twelfth less so, and whoever writes next
waits some hundredths of a second for it."""
MANY, TOGETHER_SECONDS = 8, 0.01
"""After a turn of so many lanes the next waits so long for more to be in it: a turn costs as much as eight messages, so
that under load everybody is answered sooner."""
POLL_SECONDS = 0.2
DUE_SECONDS = 1.0
LOOK_SECONDS = 0.5
SWEEP_SECONDS = 5.0
KEEP_SECONDS = 6 * 3600.0
RECONCILE_SECONDS = 3600.0
FORECAST_SECONDS = 60.0
"""So often a new business day is looked for; the tables are fitted once in each."""
QUIET_SECONDS, WAY_SECONDS = 1.0, 0.2
"""While messages came within the last second, what can wait pauses so long between two pieces."""
CHECKPOINT_SECONDS = 1.0
LISTEN_SECONDS = 15.0

log = structlog.get_logger()


class Worker:
    """The loops of the `worker` role."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        tracker: Tracker,
        listeners: Mapping[str, Port],
        expire: Callable[[], Awaitable[None]],
        forecast: Forecast,
        unasked: Sequence[Callable[[], Awaitable[int]]] = (),
    ) -> None:
        self.store = store
        self.engine = engine
        self.tracker = tracker
        self.listeners = listeners
        self.expire = expire
        self.forecast = forecast
        self.unasked = unasked
        self.wake = asyncio.Event()
        self._handed: list[Claim] = []
        self._left = self._crowded = self._many = False
        self._most = LANES
        self._handled_at = -QUIET_SECONDS
        self._stop = asyncio.Event()
        self._owner = fresh_owner()

    async def run(self) -> None:
        """Work until `stop`."""
        self.store.turns = self
        loops = [
            self._lanes(),
            self._every(DUE_SECONDS, self._due),
            *(self._every(SWEEP_SECONDS, self._sweeping(line)) for line in self.tracker.lineups),
            self._every(LOOK_SECONDS, self.announce),
            self._every(KEEP_SECONDS, self._keep),
            self._every(RECONCILE_SECONDS, self.tracker.reconcile),
            self._every(FORECAST_SECONDS, self._learn),
            self._every(CHECKPOINT_SECONDS, self.store.checkpoint),
            *(self._listen(name, port) for name, port in self.listeners.items()),
        ]
        tasks = [asyncio.create_task(loop) for loop in loops]
        await self._stop.wait()
        lanes, *others = tasks
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await lanes
        await self.engine.settle()
        await self.store.give_back(self._handed)
        await self.tracker.release()

    def stop(self) -> None:
        """Claim nothing more; `run` returns when what was claimed is committed."""
        self._stop.set()
        self.wake.set()

    def room(self) -> int:
        """How many lanes may be leased for the next turn with what is received; none where one turn is not enough
        for all that waits, of which the longest waiting are claimed then."""
        return 0 if self._crowded or self._stop.is_set() else max(LANES - len(self._handed), 0)

    def take(self, claims: Sequence[Claim]) -> None:
        """Handle these, which are leased."""
        self._handed += claims
        self.wake.set()

    def ring(self) -> None:
        """Something waits that nobody handed over: a lane that was being handled, or one whose time has come."""
        self._left = True
        self.wake.set()

    async def work_once(self) -> int:
        """Handle what was handed over, or claim once; how many lanes that were."""
        claims, self._handed = self._handed, []
        if not claims:
            self._left = False
            claims = await self.store.claim(self._most)
        self._crowded = len(claims) >= LANES
        self._many = MANY <= len(claims) < LANES
        if claims:
            await self.engine.handle(claims)
            if any(event.port != "wismo" for claim in claims for event in claim.events):
                self._handled_at = asyncio.get_running_loop().time()
        self._most = UNASKED_LANES if self._crowded and self._at_rest() else LANES
        return len(claims)

    async def _lanes(self) -> None:
        while not self._stop.is_set():
            self.wake.clear()
            try:
                await self.work_once()
            except Exception as error:
                log.error("worker.failed", error=type(error).__name__)
                await asyncio.sleep(1.0)
            if not (self._crowded or self._left or self._handed):
                await self._rest()
            elif self._many:
                await asyncio.sleep(TOGETHER_SECONDS)

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await self.wake.wait()

    async def _every(self, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
        while True:
            try:
                await work()
            except Exception as error:
                log.error("worker.round_failed", round=work.__name__, error=type(error).__name__)
            await asyncio.sleep(seconds)

    async def _due(self) -> None:
        if await self.store.wake():
            self.ring()

    async def _learn(self) -> None:
        await self.forecast.refresh(self.make_way)

    async def make_way(self) -> None:
        """Between two pieces of work that can wait: messages first."""
        await asyncio.sleep(0 if self._at_rest() else WAY_SECONDS)

    def _at_rest(self) -> bool:
        """Whether nobody wrote lately."""
        return asyncio.get_running_loop().time() - self._handled_at > QUIET_SECONDS

    async def _keep(self) -> None:
        await self.expire()

    async def _listen(self, name: str, port: Port) -> None:
        """One process listens to an account, under a lease; when it dies another takes over."""
        lease = f"listen:{name}"

        async def deliver(items: Sequence[Item]) -> None:
            await self.store.receive([Arrival(name, item) for item in items])

        while True:
            try:
                if await self.store.hold_lease(lease, self._owner, LISTEN_SECONDS):
                    await self._listen_while_leased(lease, port, deliver)
            except Exception as error:
                log.warning("listener.failed", channel=name, error=type(error).__name__)
            await asyncio.sleep(2.0)

    async def _listen_while_leased(
        self, lease: str, port: Port, deliver: Callable[[Sequence[Item]], Awaitable[None]]
    ) -> None:
        listening = asyncio.create_task(port.listen(deliver))
        try:
            while not listening.done():
                await asyncio.wait({listening}, timeout=LISTEN_SECONDS / 3)
                if not await self.store.hold_lease(lease, self._owner, LISTEN_SECONDS):
                    return
            await listening
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await self.store.drop_lease(lease, self._owner)

    def _sweeping(self, line: Lineup) -> Callable[[], Awaitable[int]]:
        """Each source in a loop of its own: one that may be asked once a second delays no other."""

        async def sweep() -> int:
            asked = await self.tracker.sweep_line(line)
            if asked:
                self.ring()
            return asked

        return sweep

    async def announce(self) -> int:
        """Find what people are to be told unasked, until there is nothing; how much was looked at.

        Nothing before something was learned: a window by the prior alone would be news again a minute later.
        """
        looked = 0
        if not self.forecast.known:
            return looked
        for look in self.unasked:
            while found := await look():
                looked += found
                self.ring()
                await self.make_way()
        return looked
