"""Everything that happens by itself: lanes with work, due times, parcels due for a look, listening, keeping."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import structlog

from bot.dialog.turn import Dossier, Understanding
from bot.engine import Engine
from bot.errors import Temporary, WismoError
from bot.model.clock import Clock
from bot.model.events import parcel_lane
from bot.model.parcels import Parcel
from bot.model.tracks import Track, TrackRef, TrackUpdate
from bot.ports import Item, Port, TrackingSource
from bot.store import Store
from bot.store.codec import pack
from bot.store.keeping import Retention
from bot.store.queue import Arrival, Claim
from bot.store.store import fresh_owner
from bot.store.turns import Gathered
from bot.tracking.timeline import next_check

LANES = 64
POLL_SECONDS = 0.2
DUE_SECONDS = 1.0
SWEEP_SECONDS = 5.0
KEEP_SECONDS = 6 * 3600.0
CHECKPOINT_SECONDS = 1.0
LISTEN_SECONDS = 15.0
STALE = timedelta(minutes=30)
LIVE_SECONDS = 3.0
NOT_KNOWN_YET = timedelta(hours=6)

log = structlog.get_logger()


class Tracker:
    """Asks the tracking sources, in batches and within their budgets; says when one gives no answer."""

    def __init__(self, store: Store, sources: Sequence[TrackingSource], clock: Clock) -> None:
        self.store = store
        self.sources = sources
        self.clock = clock
        self._turns = {id(s): asyncio.Lock() for s in sources}

    def source_of(self, carrier: str) -> TrackingSource | None:
        """The carrier's own source if there is one, else the first that knows many carriers."""
        return next((s for s in self.sources if s.kind == carrier), self.sources[0] if self.sources else None)

    async def ask(self, source: TrackingSource, refs: Sequence[TrackRef]) -> Sequence[Track | None]:
        """One call of a source, paced; its feed is marked by how it went."""
        async with self._turns[id(source)]:
            try:
                tracks = await source.track(refs)
            except WismoError:
                await self.store.feed_failed(source.kind)
                raise
            finally:
                await asyncio.sleep(1.0 / source.capabilities.per_second)
        await self.store.feed_answered(source.kind, ())
        return tracks

    async def look_up(self, said: Understanding, gathered: Gathered, now: datetime) -> Sequence[TrackUpdate]:
        """Fresh tracks for what a buyer asks about, where ours are stale; nothing if the source is slow."""
        stale = [
            (dossier, parcel)
            for dossier in gathered.found.values()
            for parcel in dossier.parcels
            if (parcel.asked_at is None and parcel.checked_at is None)
            or (
                parcel.checked_at is not None
                and now - parcel.checked_at > STALE
                and next_check(parcel, now) is not None
            )
        ]
        if not stale or not self.sources:
            return ()
        source = self.source_of(stale[0][1].carrier)
        if source is None or source.kind in gathered.feeds_down:
            return ()
        refs = [ref(dossier, parcel) for dossier, parcel in stale[: source.capabilities.batch]]
        try:
            async with asyncio.timeout(LIVE_SECONDS):
                tracks = await self.ask(source, refs)
        except (WismoError, TimeoutError) as error:
            log.info("look_up.gave_up", source=source.kind, error=type(error).__name__)
            return ()
        return [TrackUpdate(uuid4().hex, now, t) for t in tracks if t is not None]


def ref(dossier: Dossier, parcel: Parcel) -> TrackRef:
    """What a source needs to find this parcel."""
    order = dossier.order
    digits = "".join(c for c in order.phone if c.isdigit())
    return TrackRef(
        number=parcel.number,
        carrier=parcel.carrier,
        phone_last4=digits[-4:],
        postcode=order.postcode,
        country=order.country,
        shipped_at=parcel.shipped_at or order.placed_at,
    )


def _rest(error: WismoError) -> timedelta:
    """How long a source is left alone: what it asked for, a minute for a hiccup, longer where a person must act."""
    if isinstance(error, Temporary):
        return timedelta(seconds=error.retry_after or 60)
    return timedelta(minutes=10)


class Worker:
    """The loops of the `worker` role."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        tracker: Tracker,
        listeners: Mapping[str, Port],
        retention: Retention,
    ) -> None:
        self.store = store
        self.engine = engine
        self.tracker = tracker
        self.listeners = listeners
        self.retention = retention
        self.wake = asyncio.Event()
        self._handed: list[Claim] = []
        self._idle = False
        self._stop = asyncio.Event()
        self._owner = fresh_owner()

    async def run(self) -> None:
        """Work until `stop`."""
        self.store.turns = self
        loops = [
            self._lanes(),
            self._every(DUE_SECONDS, self._due),
            self._every(SWEEP_SECONDS, self.sweep),
            self._every(KEEP_SECONDS, self._keep),
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

    def stop(self) -> None:
        """Claim nothing more; `run` returns when what was claimed is committed."""
        self._stop.set()
        self.wake.set()

    def room(self) -> int:
        """How many lanes could be begun with at once: none while others are being handled, whose next claim takes
        all that came meanwhile together."""
        return LANES if self._idle and not self._handed and not self._stop.is_set() else 0

    def take(self, claims: Sequence[Claim]) -> None:
        """Handle these, which are leased."""
        self._handed += claims
        self.wake.set()

    async def work_once(self) -> int:
        """Handle what was handed over, or claim once; how many lanes that were."""
        claims, self._handed = self._handed, []
        claims = claims or await self.store.claim(LANES)
        if claims:
            await self.engine.handle(claims)
        return len(claims)

    async def _lanes(self) -> None:
        while not self._stop.is_set():
            self.wake.clear()
            try:
                # What came while these were handled rang the bell: only then there is more to claim.
                if await self.work_once() == LANES:
                    continue
            except Exception as error:
                log.error("worker.failed", error=type(error).__name__)
                await asyncio.sleep(1.0)
            self._idle = True
            try:
                await asyncio.wait_for(self.wake.wait(), POLL_SECONDS)
            except TimeoutError:
                continue
            finally:
                self._idle = False
        await self.store.give_back(self._handed)

    async def _every(self, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
        while True:
            try:
                await work()
            except Exception as error:
                log.error("worker.round_failed", round=work.__name__, error=type(error).__name__)
            await asyncio.sleep(seconds)

    async def _due(self) -> None:
        if await self.store.wake():
            self.wake.set()

    async def _keep(self) -> None:
        await self.store.expire(self.retention)

    async def _listen(self, name: str, port: Port) -> None:
        """One process listens to an account, under a lease; when it dies another takes over."""
        lease = f"listen:{name}"

        async def deliver(items: Sequence[Item]) -> None:
            await self.store.receive([Arrival(name, item) for item in items])
            self.wake.set()

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

    # ---- parcels -----------------------------------------------------------------------------------------

    async def sweep(self) -> int:
        """Look at parcels that are due, in each source's batches; how many were asked about."""
        asked = 0
        if not self.tracker.sources:
            return 0
        while True:
            most = max(s.capabilities.batch for s in self.tracker.sources)
            due = await self.store.due_parcels(most)
            if not due:
                return asked
            by_source: dict[int, list[Dossier]] = {}
            for dossier in due:
                source = self.tracker.source_of(dossier.parcels[0].carrier)
                by_source.setdefault(self.tracker.sources.index(source), []).append(dossier)
            for index, dossiers in by_source.items():
                if not await self._look(self.tracker.sources[index], dossiers):
                    return asked
                asked += len(dossiers)

    async def _look(self, source: TrackingSource, dossiers: Sequence[Dossier]) -> bool:
        now = self.tracker.clock.now()
        step = source.capabilities.batch
        for start in range(0, len(dossiers), step):
            part = dossiers[start : start + step]
            try:
                tracks = await self.tracker.ask(source, [ref(d, d.parcels[0]) for d in part])
            except WismoError as error:
                log.warning("sweep.no_answer", source=source.kind, error=str(error))
                await self.store.postpone([d.parcels[0].id for d in dossiers[start:]], now + _rest(error))
                return False
            await self._heard(part, tracks, now)
        return True

    async def _heard(self, dossiers: Sequence[Dossier], tracks: Sequence[Track | None], now: datetime) -> None:
        told = [t for t in tracks if t is not None]
        await self.store.receive(
            [
                Arrival("wismo", Item(key=u.id, lane=parcel_lane(u.track.number), body=pack(u)))
                for u in (TrackUpdate(uuid4().hex, now, t) for t in told)
            ]
        )
        answered = {t.number for t in told}
        for dossier, track in zip(dossiers, tracks, strict=True):
            parcel = replace(dossier.parcels[0], asked_at=now)
            # What the source answered sets its own next look in the parcel's turn; the rest is asked again later.
            known = track is not None and parcel.number in answered
            until = (next_check(parcel, now) if known else None) or now + NOT_KNOWN_YET
            await self.store.postpone([parcel.id], until)
        self.wake.set()
