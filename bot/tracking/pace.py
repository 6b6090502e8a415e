"""How often a parcel is looked at, and when its silence has lasted too long."""

from datetime import datetime, timedelta

from bot.model.parcels import Parcel
from bot.model.tracks import Status
from bot.tracking.standing import fence, last_physical, touched_at
from bot.tracking.vocabulary import terminal

INTERVALS = {
    Status.UNKNOWN: timedelta(hours=12),
    Status.LABEL_CREATED: timedelta(hours=12),
    Status.ACCEPTED: timedelta(hours=6),
    Status.IN_TRANSIT: timedelta(hours=6),
    Status.DEPARTED_ORIGIN: timedelta(hours=6),
    Status.ARRIVED_DESTINATION: timedelta(hours=6),
    Status.CUSTOMS: timedelta(hours=6),
    Status.OUT_FOR_DELIVERY: timedelta(minutes=30),
    Status.DELIVERY_ATTEMPTED: timedelta(hours=2),
    Status.PICKUP_READY: timedelta(hours=6),
    Status.DELIVERED: timedelta(days=1),
    Status.RETURNING: timedelta(hours=12),
    Status.EXCEPTION: timedelta(hours=6),
}
"""Facts §8; where it names none, between its neighbours. RETURNED is not asked again."""

AFTER_DELIVERY = timedelta(days=14)
"""A delivery can still turn into a return; after this nobody looks."""
COOLING, COLD = timedelta(days=45), timedelta(days=180)
"""Silent so long: once a day; then never (the last dispute window in facts §9.3 is over)."""

EXPRESS = frozenset({"dhl", "fedex", "ups", "tnt", "sf"})
EXPRESS_PATIENCE, POSTAL_PATIENCE = timedelta(days=3), timedelta(days=10)
CUSTOMS_PATIENCE, LABEL_PATIENCE = timedelta(days=7), timedelta(days=5)
LABEL_STUCK = timedelta(days=7)
"""Facts §7.4: a label warns after five days and is a case after seven."""


def next_check(parcel: Parcel, now: datetime) -> datetime | None:
    """When to ask a source again, None where it has nothing more to tell."""
    if parcel.status is Status.DELIVERED:
        asked_long_enough = now - _quiet_since(parcel, now) >= AFTER_DELIVERY
        return None if asked_long_enough else now + INTERVALS[Status.DELIVERED]
    if terminal(parcel.status, parcel.cause):
        return None
    quiet = now - _quiet_since(parcel, now)
    if quiet >= COLD:
        return None
    return now + (timedelta(days=1) if quiet >= COOLING else INTERVALS[parcel.status])


def _quiet_since(parcel: Parcel, now: datetime) -> datetime:
    """Since when nothing was heard of the parcel; `now` where it was never heard of and no date is known."""
    touched = touched_at(parcel.track, now) if parcel.track else None
    return touched or parcel.changed_at or parcel.shipped_at or now


def silent_days(parcel: Parcel, now: datetime) -> int | None:
    """Whole days since somebody had the parcel in hand, or since it was sent; None where neither is known."""
    seen = last_physical(parcel.track, now, fence(parcel)) if parcel.track else None
    since = seen.at if seen is not None and seen.at is not None else parcel.shipped_at
    return max((now - since).days, 0) if since else None


def patience(parcel: Parcel) -> timedelta | None:
    """How long this parcel may stand still before that is a stall; None where standing still is right."""
    if terminal(parcel.status, parcel.cause) or parcel.status is Status.PICKUP_READY:
        return None
    if parcel.status in {Status.UNKNOWN, Status.LABEL_CREATED}:
        return LABEL_PATIENCE
    if parcel.status is Status.CUSTOMS:
        return CUSTOMS_PATIENCE
    return EXPRESS_PATIENCE if parcel.carrier in EXPRESS else POSTAL_PATIENCE


def stalled(parcel: Parcel, now: datetime) -> bool:
    """Whether the parcel has stood still longer than is usual for its kind."""
    return stands_still(parcel, silent_days(parcel, now))


def stands_still(parcel: Parcel, silent: int | None) -> bool:
    """Whether so many silent days are a stall, for who has counted them already."""
    allowed = patience(parcel)
    return allowed is not None and silent is not None and silent >= allowed.days
