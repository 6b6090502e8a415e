"""What the outlook of an open parcel rests on, without what tells it from the next. Pure.

Of a million open parcels nearly all stand as they did at the last look, and many on one footing: the same way, stage,
days and window told. Whether that holds news is found once for all of them (`Skim`), and none of them is read.
"""

from datetime import date

from msgspec import Struct

from bot.model.tracks import Status
from bot.proactive.watching import ParcelTold, Sight, Watched
from bot.tracking.eta import last_day
from bot.tracking.numbers import not_tracked_through
from bot.tracking.stages import Whereabouts
from bot.tracking.transit import service_of

MOST = 50_000
"""Footings remembered at once; a sweep that meets more forgets the earlier ones."""


class Footing(Struct, frozen=True, array_like=True):
    """Of one parcel: the feed and the carrier that tell of it, its service and whether that is `tracked` all the way;
    where it came from and goes, and its buyer's zone; the last days by which the shop `promised` it, its buyer was
    `told` it, and the carrier expects it (`window`); where it stands."""

    source: str
    carrier: str
    service: str
    tracked: bool
    origin: str
    country: str
    zone: str
    promised: date | None
    told: date | None
    where: Whereabouts | None
    window: date | None
    status: Status
    cause: str


def footing(order: Watched, parcel: Sight, told: ParcelTold | None) -> Footing:
    """What this parcel's outlook rests on."""
    return Footing(
        parcel.source,
        parcel.carrier,
        service_of(parcel.carrier, parcel.number),
        not not_tracked_through(parcel.carrier, parcel.number),
        parcel.origin,
        order.country,
        order.zone,
        order.promised,
        told.last if told is not None else None,
        parcel.where,
        last_day(parcel.window),
        parcel.status,
        parcel.cause,
    )
