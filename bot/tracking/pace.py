"""How often a parcel is looked at."""

from datetime import UTC, datetime, timedelta

from bot.model.parcels import Parcel
from bot.model.tracks import Status
from bot.tracking.standing import touched_at
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

UNASKED = 4
"""After a push its source is left alone for so many times the usual wait: it tells what is new by itself, and is asked
only for what it could not push (facts §8). From then on at the usual pace, until the next push."""
AFTER_DELIVERY = timedelta(days=14)
"""A delivery can still turn into a return; after this nobody looks."""
COOLING, COLD = timedelta(days=45), timedelta(days=180)
"""Silent so long: once a day; then never (the last dispute window in facts §9.3 is over)."""
STEP = timedelta(minutes=5)
"""Looks fall due on full steps: those of one step are read and written in the order in which they lie in the database,
and in one statement. A million spread over an hour's seconds would touch a page each."""


def next_check(parcel: Parcel, now: datetime, *, pushed: bool = False) -> datetime | None:
    """When to ask a source again, None where it has nothing more to tell. `pushed`: it told of this parcel by itself
    just now."""
    if parcel.status is Status.DELIVERED:
        asked_long_enough = now - _quiet_since(parcel, now) >= AFTER_DELIVERY
        return None if asked_long_enough else _on_step(now + INTERVALS[Status.DELIVERED])
    if terminal(parcel.status, parcel.cause):
        return None
    quiet = now - _quiet_since(parcel, now)
    if quiet >= COLD:
        return None
    usual = INTERVALS[parcel.status] * (UNASKED if pushed else 1)
    return _on_step(now + (timedelta(days=1) if quiet >= COOLING else usual))


def _on_step(at: datetime) -> datetime:
    """The first full step (UTC) that is not before."""
    begun = (at - _ZERO) % STEP
    return at + STEP - begun if begun else at


_ZERO = datetime(1970, 1, 1, tzinfo=UTC)


def _quiet_since(parcel: Parcel, now: datetime) -> datetime:
    """Since when nothing was heard of the parcel; `now` where it was never heard of and no date is known."""
    touched = touched_at(parcel.track, now) if parcel.track else None
    return touched or parcel.changed_at or parcel.shipped_at or now
