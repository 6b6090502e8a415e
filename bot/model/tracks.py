"""What a carrier says of a parcel: scans, legs, and the one vocabulary they are put into.

Fourteen statuses; a cause says more. `bot.tracking` holds the causes, their actions and the merging.
"""

from datetime import UTC, datetime
from enum import StrEnum

from msgspec import Struct


class Status(StrEnum):
    """Where a parcel stands. Derived from the whole timeline, never from "last in list"."""

    UNKNOWN = "unknown"
    LABEL_CREATED = "label_created"
    ACCEPTED = "accepted"
    IN_TRANSIT = "in_transit"
    DEPARTED_ORIGIN = "departed_origin"
    ARRIVED_DESTINATION = "arrived_destination"
    CUSTOMS = "customs"
    OUT_FOR_DELIVERY = "out_for_delivery"
    DELIVERY_ATTEMPTED = "delivery_attempted"
    PICKUP_READY = "pickup_ready"
    DELIVERED = "delivered"
    RETURNING = "returning"
    RETURNED = "returned"
    EXCEPTION = "exception"


class Action(StrEnum):
    """Who has to do something so that the parcel moves on."""

    NONE = "none"
    BUYER = "buyer"
    SELLER = "seller"
    CARRIER = "carrier"


class OffsetFrom(StrEnum):
    """Where a scan's offset from UTC came from."""

    EXPLICIT = "explicit"
    LOCATION = "location"
    CARRIER = "carrier"
    UNKNOWN = "unknown"


class Place(Struct, frozen=True):
    """Where a scan was made; `country` is ISO 3166 alpha-2 or empty."""

    text: str = ""
    country: str = ""


class Scan(Struct, frozen=True):
    """One event as the carrier gave it, and what we make of it.

    `at` is the UTC instant, None where the raw time cannot be read; with `offset_from` unknown it is off by
    up to 14 hours. `local` is the wall clock on the spot, without zone, which is what buyers are shown.
    `physical` is False for data-only events, which are no movement. `voids` names the raw code of an
    earlier event that this one cancels. `source` is the adapter that fetched it, `carrier` who scanned.
    `known` is False where the source's table has no such code, so that somebody may add it.
    """

    raw_code: str
    raw_text: str
    raw_time: str
    at: datetime | None
    local: datetime | None
    offset_from: OffsetFrom
    status: Status
    cause: str = ""
    place: Place = Place()
    physical: bool = True
    carrier: str = ""
    source: str = ""
    voids: str = ""
    known: bool = True


NEVER = datetime.fromtimestamp(0, UTC)
"""Stands for an instant that nobody told: before any that one could mean."""


def instant(scan: Scan) -> datetime:
    """When a scan was (UTC), for sorting: one without a readable time comes first."""
    return scan.at or NEVER


class Role(StrEnum):
    """A leg's part of the journey."""

    FIRST_MILE = "first_mile"
    LAST_MILE = "last_mile"


class Leg(Struct, frozen=True):
    """One carrier's part of the journey, under that carrier's own number."""

    carrier: str
    number: str
    role: Role


class Window(Struct, frozen=True):
    """When it should come, as local days at the destination; `basis` names whose word it is, `said_at` when
    they said it (UTC)."""

    first: datetime
    last: datetime
    basis: str
    said_at: datetime | None = None


class Track(Struct, frozen=True):
    """All that one source knows of one number. Scans are oldest first as far as their times tell.

    `status` and `cause` are the source's own summary; the parcel's are derived from the timeline. `at` is
    when the source last heard from the carrier (UTC), None where it does not tell.
    """

    carrier: str
    number: str
    scans: tuple[Scan, ...] = ()
    status: Status = Status.UNKNOWN
    cause: str = ""
    eta: Window | None = None
    legs: tuple[Leg, ...] = ()
    origin: str = ""
    destination: str = ""
    proof_of_delivery: str = ""
    source: str = ""
    at: datetime | None = None


def heard_at(track: Track) -> datetime:
    """How new a track is (UTC): the source's own word, else its newest scan, else `NEVER`."""
    return track.at or max(map(instant, track.scans), default=NEVER)


class TrackRef(Struct, frozen=True):
    """What a source needs to look a parcel up. `phone_last4` and `postcode` only for carriers that ask."""

    number: str
    carrier: str = ""
    phone_last4: str = ""
    postcode: str = ""
    country: str = ""
    shipped_at: datetime | None = None


class TrackUpdate(Struct, frozen=True):
    """A source told us something of one number; `at` is when, UTC."""

    id: str
    at: datetime
    track: Track
