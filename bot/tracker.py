"""Asking the tracking sources: whose parcel goes to whom, in batches, paced, within each day's budget.

A source that fails is left alone for a while (a breaker): longer each time, up to half an hour. Its parcels
stay due, buyers hear since when it gives no answer, and the first call that works closes the breaker.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

import structlog

from bot.dialog.turn import Dossier, Understanding
from bot.errors import Temporary, WismoError
from bot.model.clock import Clock
from bot.model.events import parcel_lane
from bot.model.parcels import Parcel
from bot.model.tracks import Track, TrackRef, TrackUpdate
from bot.ports import Item, TrackingSource
from bot.store import Store
from bot.store.codec import pack
from bot.store.queue import Arrival
from bot.store.sweep import Due, Looked, Serves, fingerprint
from bot.store.turns import Gathered
from bot.tracking.pace import next_check

STALE = timedelta(minutes=30)
LIVE_SECONDS = 3.0
NOT_KNOWN_YET = timedelta(hours=6)
ROUND = 1000
"""Parcels leased at once, in as many calls as the source's batch needs."""
LATER = timedelta(minutes=10)
"""So long parcels wait whose source has no call left in its budget."""
RECONCILED = timedelta(hours=6)
"""Sources give up on a push within an hour or two (facts 2.1); looking further back costs little."""
REST_SECONDS, MOST_REST_SECONDS = 60.0, 1800.0

log = structlog.get_logger()


@dataclass(slots=True)
class Breaker:
    """Whether a source may be called. Machine time: a turned clock mends no carrier."""

    failures: int = 0
    until: float = 0.0

    def open(self) -> bool:
        """Whether it is to be left alone now."""
        return time.monotonic() < self.until

    def failed(self, wait: float | None) -> None:
        """One more failure; the source's own `wait` in seconds wins over ours."""
        rest = min(REST_SECONDS * 2.0**self.failures, MOST_REST_SECONDS)
        self.failures += 1
        self.until = time.monotonic() + (wait or rest)

    def answered(self) -> None:
        """It works again."""
        self.failures, self.until = 0, 0.0


@dataclass(slots=True)
class Lineup:
    """A source with the order its calls take turns in."""

    source: TrackingSource
    serves: Serves
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    breaker: Breaker = field(default_factory=Breaker)


class Tracker:
    """All sources of this process."""

    def __init__(
        self,
        store: Store,
        sources: Sequence[TrackingSource],
        clock: Clock,
        asked: Callable[[str, str], None] = lambda source, outcome: None,
    ) -> None:
        self.store = store
        self.clock = clock
        self._asked = asked
        able = [s for s in sources if s.capabilities.batch]
        own = sorted({c for s in able for c in s.capabilities.carriers})
        self.lineups = [
            Lineup(s, Serves(tuple(sorted(s.capabilities.carriers)) or tuple(own), not s.capabilities.carriers))
            for s in able
        ]

    @property
    def sources(self) -> list[TrackingSource]:
        """Those that can be asked."""
        return [line.source for line in self.lineups]

    def source_of(self, carrier: str) -> TrackingSource | None:
        """The carrier's own source if there is one, else the first that knows everybody's parcels."""
        line = self._line_of(carrier)
        return line.source if line is not None else None

    def _line_of(self, carrier: str) -> Lineup | None:
        own = (line for line in self.lineups if carrier in line.source.capabilities.carriers)
        anybody = (line for line in self.lineups if line.serves.others)
        return next(own, None) or next(anybody, None)

    async def ask(self, line: Lineup, refs: Sequence[TrackRef], *, live: bool = False) -> Sequence[Track | None] | None:
        """One call of a source, paced; None where its budget of today is used up or it is left alone."""
        source = line.source
        per_day = source.capabilities.per_day
        async with line.turn:
            if line.breaker.open():
                return None
            if per_day and not await self.store.calls_left(source.kind, per_day, 1, live=live):
                self._asked(source.kind, "over_budget")
                return None
            try:
                tracks = await source.track(refs)
            except WismoError as error:
                line.breaker.failed(error.retry_after if isinstance(error, Temporary) else None)
                self._asked(source.kind, "failed")
                await self.store.feed_failed(source.kind)
                raise
            finally:
                await asyncio.sleep(1.0 / source.capabilities.per_second)
        line.breaker.answered()
        self._asked(source.kind, "answered")
        await self.store.feed_answered(source.kind, ())
        return tracks

    # ---- a buyer asks now --------------------------------------------------------------------------------

    async def look_up(self, said: Understanding, gathered: Gathered, now: datetime) -> Sequence[TrackUpdate]:
        """Fresh tracks for what a buyer asks about, where ours are stale; nothing if the source is slow."""
        stale = [
            (dossier, parcel)
            for dossier in gathered.found.values()
            for parcel in dossier.parcels
            if _stale(parcel, now)
        ]
        line = self._line_of(stale[0][1].carrier) if stale else None
        if line is None or line.source.kind in gathered.feeds_down:
            return ()
        mine = [ref(d, p) for d, p in stale if self._line_of(p.carrier) is line]
        try:
            async with asyncio.timeout(LIVE_SECONDS):
                tracks = await self.ask(line, mine[: line.source.capabilities.batch], live=True)
        except (WismoError, TimeoutError) as error:
            log.info("look_up.gave_up", source=line.source.kind, error=type(error).__name__)
            return ()
        return [TrackUpdate(uuid4().hex, now, t) for t in tracks or () if t is not None]

    # ---- what is due -------------------------------------------------------------------------------------

    async def sweep(self) -> int:
        """Look at parcels that are due, every source in its own time; how many were asked about."""
        return sum(await asyncio.gather(*(self._sweep(line) for line in self.lineups)))

    async def _sweep(self, line: Lineup) -> int:
        asked = 0
        while not line.breaker.open():
            due = await self.store.due_parcels(ROUND, line.serves)
            if not due:
                break
            step = line.source.capabilities.batch
            for start in range(0, len(due), step):
                if not await self._look(line, due[start : start + step]):
                    # They are given back unasked: what was not asked is not said to have been.
                    later = self.clock.now() + (timedelta(0) if line.breaker.open() else LATER)
                    await self.store.postpone([d.parcel.id for d in due[start:]], later)
                    return asked
                asked += len(due[start : start + step])
        return asked

    async def reconcile(self) -> int:
        """Ask about what sources could not push in the last hours; how many numbers that were."""
        since = self.clock.now() - RECONCILED
        return sum([await self._reconcile(line, since) for line in self.lineups if line.source.capabilities.push])

    async def _reconcile(self, line: Lineup, since: datetime) -> int:
        now = self.clock.now()
        try:
            refs = await line.source.missed(since)
            step = line.source.capabilities.batch
            for start in range(0, len(refs), step):
                tracks = await self.ask(line, refs[start : start + step]) or ()
                await self.store.receive([news(t, now) for t in tracks if t is not None])
        except WismoError as error:
            log.warning("reconcile.no_answer", source=line.source.kind, error=str(error))
            return 0
        return len(refs)

    async def _look(self, line: Lineup, due: Sequence[Due]) -> bool:
        now = self.clock.now()
        try:
            tracks = await self.ask(line, [d.ref for d in due])
        except WismoError as error:
            log.warning("sweep.no_answer", source=line.source.kind, error=str(error))
            return False
        if tracks is None:
            return False
        told = [judge(d, t, now) for d, t in zip(due, tracks, strict=True)]
        await self.store.looked([look for look, _ in told], [news(t, now) for _, t in told if t is not None], now)
        await self._let_go(line, [d.ref for d, (look, _) in zip(due, told, strict=True) if look.due_at is None])
        return True

    async def _let_go(self, line: Lineup, refs: Sequence[TrackRef]) -> None:
        """The journey of these is over: an aggregator need not look at them for us any more."""
        if not refs or not line.source.capabilities.push:
            return
        try:
            await line.source.stop(refs)
        except WismoError as error:
            log.info("sweep.not_stopped", source=line.source.kind, error=str(error))


def news(track: Track, now: datetime) -> Arrival:
    """What was heard as an event of the parcel's own lane."""
    update = TrackUpdate(uuid4().hex, now, track)
    return Arrival("wismo", Item(key=update.id, lane=parcel_lane(track.number), body=pack(update)))


def judge(due: Due, track: Track | None, now: datetime) -> tuple[Looked, Track | None]:
    """What came of a look, and the track where it brings something new. Pure."""
    parcel = due.parcel
    if track is None:
        return Looked(parcel.id, now + NOT_KNOWN_YET, due.heard, answered=False), None
    heard = fingerprint(track)
    again = next_check(_with(parcel, track), now)
    return Looked(parcel.id, again, heard, answered=True), track if heard != due.heard else None


def _with(parcel: Parcel, track: Track) -> Parcel:
    return Parcel(
        id=parcel.id,
        order_id=parcel.order_id,
        carrier=parcel.carrier,
        number=parcel.number,
        status=parcel.status,
        cause=parcel.cause,
        track=track,
        shipped_at=parcel.shipped_at,
        changed_at=parcel.changed_at,
    )


def _stale(parcel: Parcel, now: datetime) -> bool:
    if parcel.checked_at is None:
        return parcel.asked_at is None
    return now - parcel.checked_at > STALE and next_check(parcel, now) is not None


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
