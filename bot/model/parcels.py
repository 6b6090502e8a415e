"""A parcel: one number with one carrier, carrying items of one order."""

from datetime import datetime

from msgspec import Struct

from bot.model.tracks import Status, Track, Window


class Parcel(Struct, frozen=True):
    """What we know of a parcel. `track` is the merged timeline of all sources and legs.

    `checked_at` is when a source last answered, `asked_at` when one was last asked; both UTC, None if never.
    `changed_at` is when status or cause last changed. `items` are indexes into the order's items, empty for
    all of them. `ordered_at` is when the order was placed: a number may have been another parcel's before.
    """

    id: int
    order_id: int
    carrier: str
    number: str
    status: Status = Status.UNKNOWN
    cause: str = ""
    track: Track | None = None
    eta: Window | None = None
    items: tuple[int, ...] = ()
    shipped_at: datetime | None = None
    checked_at: datetime | None = None
    asked_at: datetime | None = None
    changed_at: datetime | None = None
    ordered_at: datetime | None = None
