"""A parcel's timeline reduced to what the announcer needs of it. Pure."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from bot.model.orders import Order
from bot.model.parcels import Parcel
from bot.model.tracks import Scan, Status
from bot.model.zones import zones_of
from bot.proactive.watching import Sight, Watched
from bot.tracking.stages import moved, whereabouts
from bot.tracking.standing import counted, on_the_spot


class Home(Struct, frozen=True):
    """Where a parcel goes: the order's country (ISO alpha-2) and postcode."""

    country: str = ""
    postcode: str = ""


def zone_of(country: str, postcode: str) -> ZoneInfo:
    """The zone in which a buyer's days are counted: the likeliest, UTC where nothing tells."""
    return next(iter(zones_of(country, postcode)), ZoneInfo("UTC"))


def sight(parcel: Parcel, home: Home, now: datetime) -> Sight:
    """The parcel at a glance."""
    track = parcel.track
    scans = counted(parcel, now)
    zone = zone_of(home.country, home.postcode)
    held = [s for s in scans if s.physical and s.status is not Status.LABEL_CREATED]
    since, seen = _span(scans, parcel.status)
    origin = (track.origin if track else "") or next((s.place.country for s in scans if s.place.country), "")
    return Sight(
        parcel=parcel.id,
        carrier=parcel.carrier,
        number=parcel.number,
        status=parcel.status,
        cause=parcel.cause,
        since=since or (parcel.changed_at if parcel.status is not Status.UNKNOWN else None),
        seen=seen,
        handed=held[0].at if held else None,
        moved=held[-1].at if held else None,
        shipped=parcel.shipped_at,
        where=whereabouts(parcel, moved(parcel, scans, zone, origin, home.country), zone),
        window=parcel.eta,
        source=track.source if track else "",
        origin=origin,
        place=scans[-1].place.text if scans else "",
        country=scans[-1].place.country if scans else "",
        scanned=on_the_spot(scans[-1], zone, home.country) if scans else None,
        items=parcel.items,
    )


def _span(scans: Sequence[Scan], status: Status) -> tuple[datetime | None, datetime | None]:
    """When the run of scans of the present status began, and its newest scan."""
    since = seen = None
    for scan in reversed(scans):
        if scan.status is status:
            since, seen = scan.at, seen or scan.at
        elif since is not None and scan.status is not Status.UNKNOWN:
            break
    return since, seen


def watched(order_id: int, order: Order) -> Watched:
    """The order at a glance."""
    return Watched(
        order=order_id,
        number=order.number,
        country=order.country,
        zone=zone_of(order.country, order.postcode).key,
        placed=order.placed_at,
        promised=order.promised,
        cancelled=order.cancelled,
        source=order.source,
        duties=order.duties,
    )
