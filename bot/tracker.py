"""Asking the tracking sources: whose parcel goes to whom, in batches, paced, within each day's budget.

A source that fails is left alone for a while (a breaker): longer each time, up to half an hour. Its parcels
stay due, buyers hear since when it gives no answer, and the first call that works closes the breaker.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import uuid4

import structlog
from msgspec import Struct, field
from msgspec.structs import replace

from bot.dialog.turn import Dossier, Understanding
from bot.errors import Refused, Temporary, WismoError
from bot.model.clock import Clock
from bot.model.events import parcel_lane
from bot.model.parcels import Parcel
from bot.model.tracks import Track, TrackRef, TrackUpdate
from bot.ports import Item, TrackingSource
from bot.store import Store
from bot.store.codec import pack
from bot.store.gathering import Gathered
from bot.store.leases import fresh_owner
from bot.store.queue import Arrival
from bot.store.sweep import Due, Looked, Serves, fingerprint
from bot.tracking.pace import next_check
from bot.tracking.timeline import merge

STALE = timedelta(minutes=30)
LIVE_SECONDS = 3.0
NOT_KNOWN_YET = timedelta(hours=6)
ROUND = 5000
"""Most parcels read at once, asked about in as many calls as the source's batch needs."""
LATER_SECONDS = 300.0
"""So long a source rests that has no call left in its budget."""
SWEEP, LEASE_SECONDS = "sweep", 120.0
RECONCILED = timedelta(hours=6)
"""Sources give up on a push within an hour or two (facts 2.1); looking further back costs little."""
NOTED_SECONDS = 10.0
"""How often it is written down that a source answers."""
REST_SECONDS, MOST_REST_SECONDS = 60.0, 1800.0

T = TypeVar("T")
log = structlog.get_logger()


class Breaker(Struct):
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


class Lineup(Struct):
    """A source with the order its calls take turns in. `refused` is whether it refused what it was asked last."""

    source: TrackingSource
    serves: Serves
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    breaker: Breaker = field(default_factory=Breaker)
    busy: set[int] = field(default_factory=set)
    spent_until: float = 0.0
    noted_at: float = -NOTED_SECONDS
    refused: bool = False

    def left_alone(self) -> bool:
        """Whether nothing is to be asked by the sweep now: the source is down, or its budget is used up."""
        return self.breaker.open() or time.monotonic() < self.spent_until


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
        self._owner = fresh_owner()
        self._held_until = 0.0
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

    def outages(self, gathered: Gathered) -> Mapping[str, datetime]:
        """Since when sources give no answer, and the carriers of these parcels whom they serve: what was never heard of
        does not know its source."""
        told = dict(gathered.feeds_down)
        carriers = {p.carrier for d in gathered.found.values() for p in d.parcels} if told else ()
        for carrier in carriers:
            line = self._line_of(carrier)
            if line is not None and (since := gathered.feeds_down.get(line.source.kind)) is not None:
                told[carrier] = since
        return told

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
                line.spent_until = time.monotonic() + LATER_SECONDS
                self._asked(source.kind, "over_budget")
                return None
            try:
                tracks = await source.track(refs)
            except WismoError as error:
                line.refused = isinstance(error, Refused)
                if not line.refused:
                    line.breaker.failed(error.retry_after if isinstance(error, Temporary) else None)
                self._asked(source.kind, "failed")
                await self.store.feed_failed(source.kind, silent=not line.refused)
                raise
            finally:
                await asyncio.sleep(1.0 / source.capabilities.per_second)
        self._asked(source.kind, "answered")
        now = time.monotonic()
        if line.breaker.failures or line.refused or now - line.noted_at >= NOTED_SECONDS:
            line.noted_at, line.refused = now, False
            await self.store.feed_answered(source.kind, ())
        line.breaker.answered()
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
        """Look at all parcels that are due; how many were asked about."""
        done = await asyncio.gather(*(self.sweep_line(line) for line in self.lineups), return_exceptions=True)
        for failure in done:
            if isinstance(failure, BaseException):
                raise failure
        return sum(n for n in done if isinstance(n, int))

    async def sweep_line(self, line: Lineup) -> int:
        """Look at one source's due parcels until none is left; how many were asked about.

        One process sweeps at a time: a source's pace and what is under way are known to it alone.
        """
        asked = 0
        try:
            due = await self._take(line)
            while due:
                # What comes next is read while these are asked about.
                ahead = asyncio.create_task(self._take(line))
                try:
                    done = await self._ask_about(line, due)
                finally:
                    following = await ahead
                asked += done
                if done < len(due):
                    break
                line.busy.difference_update(d.id for d in due)
                due = following
        finally:
            line.busy.clear()
        return asked

    async def _ask_about(self, line: Lineup, due: Sequence[Due]) -> int:
        """Ask about these in calls; how many were. What is not stays due, and is not said to have been asked."""
        asked = 0
        writing: asyncio.Task[None] | None = None
        for some in _batches(due, line.source.capabilities.batch):
            tracks = await self._tracks(line, [d.ref for d in some]) if await self._held() else None
            if writing is not None:
                await writing
            if tracks is None:
                return asked
            tracks = await self._with_legs(line, tracks)
            # Written down while the next are asked about.
            writing = asyncio.create_task(self._note(line, some, tracks))
            asked += len(some)
        if writing is not None:
            await writing
        return asked

    async def release(self) -> None:
        """Let another process sweep."""
        self._held_until = 0.0
        await self.store.drop_lease(SWEEP, self._owner)

    async def _held(self) -> bool:
        now = time.monotonic()
        if self._held_until - now > LEASE_SECONDS / 2:
            return True
        held = await self.store.hold_lease(SWEEP, self._owner, LEASE_SECONDS)
        self._held_until = now + LEASE_SECONDS if held else 0.0
        return held

    async def _take(self, line: Lineup) -> list[Due]:
        """What to ask a source next: as much as it can be asked in a minute, and nothing that is being asked."""
        if line.left_alone() or not await self._held():
            return []
        can = line.source.capabilities
        most = int(min(ROUND, max(can.batch, can.batch * can.per_second * 60)))
        due = await self.store.due_parcels(most, line.serves, self._busy())
        busy = self._busy()
        free = [d for d in due if d.id not in busy]
        line.busy.update(d.id for d in free)
        return free

    def _busy(self) -> frozenset[int]:
        return frozenset[int]().union(*(line.busy for line in self.lineups))

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

    async def _tracks(self, line: Lineup, refs: Sequence[TrackRef]) -> Sequence[Track | None] | None:
        """The tracks of these; None where the source gives no answer. What it refuses it does not know: a number that
        it does not take must not stand before all others for ever, nor cost those that it was asked with."""
        try:
            return await self.ask(line, refs)
        except WismoError as error:
            log.warning("sweep.no_answer", source=line.source.kind, error=str(error))
            if not isinstance(error, Refused):
                return None
        if len(refs) == 1:
            return [None]
        told: list[Track | None] = []
        for ref in refs:
            alone = await self._tracks(line, [ref])
            if alone is None:
                return None
            told += alone
        return told

    async def _with_legs(self, line: Lineup, tracks: Sequence[Track | None]) -> Sequence[Track | None]:
        """The tracks with what other sources tell of their further legs, under the parcel's own number.

        An aggregator tells of all legs by itself; a carrier's own source tells the second number only.
        """
        legs: dict[str, list[tuple[int, TrackRef]]] = {}
        for place, track in enumerate(tracks):
            for leg in track.legs if track is not None and not line.serves.others else ():
                other = self._line_of(leg.carrier)
                if track and other and other is not line and leg.number != track.number:
                    legs.setdefault(other.source.kind, []).append((place, TrackRef(leg.number, leg.carrier)))
        if not legs:
            return tracks
        whole = list(tracks)
        for other in self.lineups:
            for some in _batches(legs.get(other.source.kind, ()), other.source.capabilities.batch):
                told = await self._tracks(other, [ref for _, ref in some]) or ()
                for (place, _), leg_track in zip(some, told, strict=False):
                    first = whole[place]
                    if first is not None and leg_track is not None:
                        whole[place] = merged_leg(first, leg_track)
        return whole

    async def _note(self, line: Lineup, due: Sequence[Due], tracks: Sequence[Track | None]) -> None:
        now = self.clock.now()
        told = [judge(d, t, now) for d, t in zip(due, tracks, strict=True)]
        await self.store.looked([look for look, _ in told], [news(t, now) for _, t in told if t is not None], now)
        await self._let_go(line, [d.ref for d, (look, _) in zip(due, told, strict=True) if look.due_at is None])

    async def _let_go(self, line: Lineup, refs: Sequence[TrackRef]) -> None:
        """The journey of these is over: an aggregator need not look at them for us any more."""
        if not refs or not line.source.capabilities.push:
            return
        try:
            await line.source.stop(refs)
        except WismoError as error:
            log.info("sweep.not_stopped", source=line.source.kind, error=str(error))


def _batches(whole: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(whole), size):
        yield whole[start : start + size]


def news(track: Track, now: datetime) -> Arrival:
    """What was heard as an event of the parcel's own lane."""
    update = TrackUpdate(uuid4().hex, now, track)
    return Arrival("wismo", Item(key=update.id, lane=parcel_lane(track.number), body=pack(update)))


def merged_leg(first: Track, leg: Track) -> Track:
    """A parcel's track with a further leg's scans; number, carrier and countries stay the parcel's own."""
    both = merge(first, leg)
    return replace(
        both,
        carrier=first.carrier,
        number=first.number,
        source=first.source,
        origin=first.origin or leg.origin,
        destination=first.destination or leg.destination,
    )


def judge(due: Due, track: Track | None, now: datetime) -> tuple[Looked, Track | None]:
    """What came of a look, and the track where it brings something new. Pure."""
    if track is None:
        return Looked(due.id, now + NOT_KNOWN_YET, None, answered=False), None
    parcel = Parcel(
        due.id,
        0,
        due.ref.carrier,
        due.ref.number,
        status=due.status,
        cause=due.cause,
        track=track,
        shipped_at=due.ref.shipped_at,
        changed_at=due.changed_at,
    )
    again = next_check(parcel, now)
    heard = fingerprint(track, now)
    if heard == due.heard:
        return Looked(due.id, again, None, answered=True), None
    return Looked(due.id, again, heard, answered=True), track


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
