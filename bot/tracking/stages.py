"""Which stage of its journey a parcel is in, since when, and when it last moved: the spans that are learned from.

A stage's clock starts at the last physical scan that changed something; data-only messages do not restart it,
except that customs' own messages may open the stage of customs. Days are local dates on the spot.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, tzinfo
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from bot.model.parcels import Parcel
from bot.model.tracks import Scan, Status
from bot.tracking.vocabulary import terminal


class Stage(StrEnum):
    """A part of the journey with a pace of its own."""

    LABEL = "label"
    ORIGIN = "origin"
    EXPORT = "export"
    TRANSIT = "transit"
    IMPORT = "import"
    DESTINATION = "destination"
    OUT_FOR_DELIVERY = "out_for_delivery"
    HELD = "held"


_FIXED = {
    Status.LABEL_CREATED: Stage.LABEL,
    Status.ACCEPTED: Stage.ORIGIN,
    Status.ARRIVED_DESTINATION: Stage.DESTINATION,
    Status.OUT_FOR_DELIVERY: Stage.OUT_FOR_DELIVERY,
    Status.DELIVERY_ATTEMPTED: Stage.HELD,
    Status.PICKUP_READY: Stage.HELD,
    Status.EXCEPTION: Stage.HELD,
}
_BACK = frozenset({Status.RETURNING, Status.RETURNED})


class Move(NamedTuple):
    """A scan that changed something. `stage` is None where the journey to the buyer is over by it."""

    stage: Stage | None
    day: date
    status: Status


class Whereabouts(Struct, frozen=True):
    """Where a parcel is on its way. `entered` is the first day in this stage, `moved` the day of the last change,
    `handed` the day the carrier took it, None where no scan shows that."""

    stage: Stage
    entered: date
    moved: date
    handed: date | None


def day_of(scan: Scan, zone: tzinfo) -> date:
    """The local date of a dated scan: on the spot where that is known, else in `zone`."""
    if scan.local is not None:
        return scan.local.date()
    if scan.at is None:
        raise ValueError("this scan has no time")
    return scan.at.astimezone(zone).date()


def moves(scans: Iterable[Scan], origin: str, destination: str, zone: tzinfo) -> Iterator[Move]:
    """What changed, oldest first, of scans that count. Countries are ISO alpha-2 or empty."""
    stage: Stage | None = None
    last: tuple[object, ...] = ()
    for scan in scans:
        if not _counts(scan, stage):
            continue
        if scan.status in _BACK or terminal(scan.status, scan.cause):
            yield Move(None, day_of(scan, zone), scan.status)
            return
        now = _stage(scan, stage, origin, destination)
        mark = (now, scan.status, scan.cause, scan.place.text)
        if mark != last:
            yield Move(now, day_of(scan, zone), scan.status)
        stage, last = now, mark


def _counts(scan: Scan, stage: Stage | None) -> bool:
    if scan.status is Status.UNKNOWN:
        return False
    if scan.status is Status.LABEL_CREATED:
        return stage in {None, Stage.LABEL}
    return scan.physical or (scan.status is Status.CUSTOMS and stage not in {Stage.IMPORT, Stage.EXPORT})


def _stage(scan: Scan, before: Stage | None, origin: str, destination: str) -> Stage:
    fixed = _FIXED.get(scan.status)
    if fixed is not None:
        return fixed
    if scan.status is Status.CUSTOMS:
        if scan.cause == "export_processing":
            return Stage.EXPORT
        return Stage.DESTINATION if scan.cause == "released" else Stage.IMPORT
    if scan.status is Status.DEPARTED_ORIGIN:
        return Stage.EXPORT if scan.cause == "export_released" else Stage.TRANSIT
    return _in_transit(scan, before, origin, destination)


def _in_transit(scan: Scan, before: Stage | None, origin: str, destination: str) -> Stage:
    country = scan.place.country
    abroad = bool(origin and destination) and origin != destination
    if abroad and country == destination:
        return Stage.DESTINATION
    started = before in {None, Stage.LABEL, Stage.ORIGIN}
    if started and ((abroad and country == origin) or scan.cause == "origin_facility"):
        return Stage.ORIGIN
    return Stage.DESTINATION if before is Stage.DESTINATION and not (abroad and country) else Stage.TRANSIT


def moved(
    parcel: Parcel, scans: Sequence[Scan], zone: tzinfo, origin: str = "", destination: str = ""
) -> Sequence[Move]:
    """The parcel's moves by its scans that count; empty where nothing was scanned."""
    track = parcel.track
    if track is None:
        return ()
    return tuple(moves(scans, origin or track.origin, destination or track.destination, zone))


def whereabouts(parcel: Parcel, steps: Sequence[Move], zone: tzinfo) -> Whereabouts | None:
    """Where the parcel is, by its moves; None where its journey is over or nothing tells when it began."""
    if terminal(parcel.status, parcel.cause) or parcel.status in _BACK or (steps and steps[-1].stage is None):
        return None
    if not steps:
        if parcel.shipped_at is None:
            return None
        sent = parcel.shipped_at.astimezone(zone).date()
        return Whereabouts(Stage.LABEL, sent, sent, None)
    last = steps[-1]
    entered = last.day
    for step in reversed(steps):
        if step.stage is not last.stage:
            break
        entered = step.day
    return Whereabouts(last.stage or Stage.LABEL, entered, last.day, handed_on(steps))


def handed_on(steps: Sequence[Move]) -> date | None:
    """The day on which the carrier took it: the first move that is more than a label."""
    return next((s.day for s in steps if s.stage is not Stage.LABEL), None)


def delivered_on(steps: Sequence[Move]) -> date | None:
    """The day of delivery to the buyer, None while there is none."""
    return next((s.day for s in steps if s.status is Status.DELIVERED), None)
