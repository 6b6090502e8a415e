"""Scans of all sources and legs as one honest timeline, and what a parcel's status is by it.

`merge` keeps every raw scan once and is idempotent, commutative and associative, so that order and repetition
of updates do not matter. What counts (`standing`) and what it means (`derive`) are read from the whole
timeline each time, by the rules of `facts/carriers.md` §6.2; nothing is decided by "last in list".
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from bot.model.parcels import Parcel
from bot.model.tracks import NEVER, Leg, OffsetFrom, Scan, Status, Track, Window
from bot.tracking.course import State, course
from bot.tracking.handover import legs_told
from bot.tracking.pace import next_check
from bot.tracking.phrases import refine
from bot.tracking.standing import fence, in_future, last_physical, latest_scan, standing
from bot.tracking.vocabulary import rank, terminal

__all__ = ["Change", "State", "apply", "derive", "last_physical", "latest_scan", "merge", "next_check", "standing"]

BELIEVE_INVALID = timedelta(days=7)
"""An aggregator's "invalid number" says nothing while the carrier may not have its data yet (facts §7.3)."""

NOTHING_OF_OURS = State(Status.UNKNOWN, "no_data_yet")
_TRUST = {OffsetFrom.EXPLICIT: 3, OffsetFrom.LOCATION: 2, OffsetFrom.CARRIER: 1, OffsetFrom.UNKNOWN: 0}


class Change(Struct, frozen=True):
    """Something of a parcel is different now. `kind` is status (State), eta (Window) or leg (Leg)."""

    kind: str
    old: State | Window | Leg | None
    new: State | Window | Leg | None
    at: datetime


# ---- merging ---------------------------------------------------------------------------------------------


def merge(old: Track | None, new: Track) -> Track:
    """All that both know of the parcel. The younger word wins where there can be only one."""
    parts = [_settled(new)] if old is None else sorted((_settled(old), _settled(new)), key=_seniority)
    last = parts[-1]
    if len(parts) == 1 or parts[0] == last:
        return last
    first = parts[0]
    return replace(
        last,
        scans=_united((*first.scans, *last.scans)),
        legs=_legs((*first.legs, *last.legs)),
        eta=max((t.eta for t in parts if t.eta is not None), key=_eta_age, default=None),
        origin=max(first.origin, last.origin),
        destination=max(first.destination, last.destination),
        proof_of_delivery=max(first.proof_of_delivery, last.proof_of_delivery),
    )


def _settled(track: Track) -> Track:
    """The track in the one form that merging gives: scans read, unique and in order, its age written down."""
    scans = _united(map(refine, track.scans))
    at = track.at or max((s.at for s in scans if s.at is not None), default=None)
    eta = track.eta and (track.eta if track.eta.said_at else replace(track.eta, said_at=at or NEVER))
    legs = legs_told(track)
    if scans == track.scans and at == track.at and eta == track.eta and legs == track.legs:
        return track
    return replace(track, scans=scans, legs=_legs(legs), at=at, eta=eta)


def _seniority(track: Track) -> tuple[object, ...]:
    # Only the age decides; the rest makes the order total, so that it does not matter who came first.
    return (track.at or NEVER, rank(track.status), track.cause, track.source, track.carrier, track.number)


def _eta_age(eta: Window) -> tuple[object, ...]:
    return (eta.said_at or NEVER, eta.last, eta.first, eta.basis)


def _united(scans: Iterable[Scan]) -> tuple[Scan, ...]:
    """Every event once, oldest first."""
    best: dict[tuple[object, ...], Scan] = {}
    for scan in scans:
        key = _identity(scan)
        there = best.get(key)
        if there is None or (scan != there and _worth(scan) > _worth(there)):
            best[key] = scan
    found = tuple(best.values())
    # Most sources are in order already, and spelling every scan out costs more than looking.
    rising = all(a.at is not None and b.at is not None and a.at < b.at for a, b in pairwise(found))
    return found if rising else tuple(sorted(found, key=_age))


def _identity(scan: Scan) -> tuple[object, ...]:
    """What makes two reports the same event: who scanned, what was said, the minute on the spot, the place."""
    clock = scan.local or (scan.at and scan.at.replace(tzinfo=None))
    minute = clock.replace(second=0, microsecond=0) if clock is not None else scan.raw_time
    return (scan.carrier, _told(scan.raw_text) or scan.raw_code, minute, scan.place.text)


@lru_cache(maxsize=16_384)
def _told(text: str) -> str:
    return " ".join(text.split()).casefold()


def _worth(scan: Scan) -> tuple[object, ...]:
    # Of two readings of one event the surer zone wins, then a known code, then the less final claim.
    return (
        _TRUST[scan.offset_from],
        scan.status is not Status.UNKNOWN,
        not terminal(scan.status, scan.cause),
        -rank(scan.status),
        bool(scan.cause),
        *_spelled(scan),
    )


def _spelled(scan: Scan) -> tuple[object, ...]:
    return (
        scan.cause,
        scan.physical,
        scan.raw_code,
        scan.raw_text,
        scan.raw_time,
        scan.place.text,
        scan.place.country,
        scan.source,
        scan.voids,
        scan.carrier,
        scan.at or NEVER,
        scan.local or datetime.min,  # noqa: DTZ901
    )


def _age(scan: Scan) -> tuple[object, ...]:
    return (scan.at or NEVER, rank(scan.status), *_spelled(scan))


def _legs(legs: Iterable[Leg]) -> tuple[Leg, ...]:
    """Every leg once; one of which only the number was told is the one that has its carrier."""
    every = set(legs)
    named = {(leg.role, leg.number) for leg in every if leg.carrier}
    told = (leg for leg in every if leg.carrier or (leg.role, leg.number) not in named)
    return tuple(sorted(told, key=lambda leg: (leg.role, leg.carrier, leg.number)))


# ---- what it means ---------------------------------------------------------------------------------------


def derive(track: Track, now: datetime, since: datetime | None = None) -> State:
    """Status and cause by the whole timeline; the source's own summary only where no scan says anything."""
    state = course(standing(track, now, since), track.origin, track.destination)
    if state.status is not Status.UNKNOWN:
        return state
    return _summary(track, now, since)


def _summary(track: Track, now: datetime, since: datetime | None) -> State:
    """A summary speaks of the newest scan: where that is another parcel's or of a day to come, so is the summary,
    and that scan's words weigh it as they do a code."""
    newest = max((s for s in track.scans if s.at is not None), key=_age, default=None)
    if newest is None or newest.at is None:
        ours = since is None or track.at is None or track.at >= since
        return State(track.status, track.cause) if ours else NOTHING_OF_OURS
    if in_future(newest, now) or (since is not None and newest.at < since):
        return NOTHING_OF_OURS
    read = refine(replace(newest, status=track.status, cause=track.cause, known=True))
    return State(read.status, read.cause)


def apply(parcel: Parcel, track: Track, now: datetime) -> tuple[Parcel, tuple[Change, ...]]:
    """The parcel with what a source told of it, and what is different by that."""
    merged = merge(parcel.track, track)
    before = State(parcel.status, parcel.cause)
    after = _believed(derive(merged, now, fence(parcel)), parcel, now)
    eta = merged.eta or parcel.eta
    changes = list(_changed(before, after, parcel, eta, merged, now))
    fresh = replace(
        parcel,
        track=merged,
        status=after.status,
        cause=after.cause,
        eta=eta,
        checked_at=now,
        carrier=parcel.carrier or merged.carrier,
        changed_at=now if after != before else parcel.changed_at,
    )
    return fresh, tuple(changes)


def _believed(state: State, parcel: Parcel, now: datetime) -> State:
    sent = parcel.shipped_at or parcel.ordered_at
    young = sent is None or now - sent < BELIEVE_INVALID
    if state == State(Status.UNKNOWN, "invalid_number") and young:
        return State(Status.UNKNOWN, "not_found")
    return state


def _changed(
    before: State, after: State, parcel: Parcel, eta: Window | None, merged: Track, now: datetime
) -> Iterable[Change]:
    if after != before:
        yield Change("status", before, after, now)
    if eta is not None and (parcel.eta is None or _days(eta) != _days(parcel.eta)):
        yield Change("eta", parcel.eta, eta, now)
    had = parcel.track.legs if parcel.track else ()
    for leg in merged.legs:
        if leg not in had:
            yield Change("leg", None, leg, now)


def _days(eta: Window) -> tuple[datetime, datetime, str]:
    return eta.first, eta.last, eta.basis
