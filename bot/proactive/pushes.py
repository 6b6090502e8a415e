"""The pushes: what a buyer may hear unasked, how pressing each is and how long it stays worth saying."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from msgspec import Struct, field

UPDATES = "parcel_updates"
"""The purpose that buyers consent to with "tell me when something changes"."""
ADVERTISING = "advertising"
"""What nobody is sent here; a platform's own switch for it is kept in the ledger, since a shop must honour it."""
SURVEY = "survey"
"""Whether a buyer was satisfied with a person's help."""


class Kind(Struct, frozen=True):
    """A push's nature. `urgent` ones do not wait for the day's one digest; `lasts` is how long after its fact it
    may still be said; one that stands `alone` is in no digest."""

    urgent: bool
    lasts: timedelta
    alone: bool = False


def _soon(hours: int) -> Kind:
    return Kind(urgent=True, lasts=timedelta(hours=hours))


def _calm(days: int) -> Kind:
    return Kind(urgent=False, lasts=timedelta(days=days))


_CALM = _calm(1)
KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "order_confirmed": _calm(2),
        "not_shipped": _calm(2),
        "shipped": _calm(3),
        "window_moved": _calm(2),
        "arrived_country": _calm(2),
        "customs_processing": _calm(3),
        "customs_documents": _soon(120),
        "customs_duty": _soon(120),
        "out_for_delivery": _soon(14),
        "attempt_failed": _soon(36),
        "pickup_ready": _soon(72),
        "pickup_reminder": _soon(48),
        "delivered": _soon(72),
        "returned": _soon(120),
        "lost": _soon(120),
        "delayed": _calm(2),
        "delayed_again": _calm(2),
        "stalled": _calm(2),
        "stall_over": _calm(2),
        "estimate": _calm(1),
        SURVEY: Kind(urgent=False, lasts=timedelta(days=2), alone=True),
    }
)


ENDS = frozenset({"delivered", "returned", "lost"})
"""The last words on a parcel: nothing about its way leaves after them."""


def kind_of(template: str) -> Kind:
    """A push's nature; one of the seller's own making is calm."""
    return KINDS.get(template, _CALM)


class Push(Struct, frozen=True):
    """Something of one order (of one `parcel` of it) to tell its buyer once, under `key`.

    `facts` hold only what cannot be read from the order when the push is worded. `needs` is the key of an
    earlier push without which this one would make no sense. `at` is the instant of the fact, UTC.
    """

    template: str
    key: str
    at: datetime
    parcel: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    needs: str = ""

    @property
    def expires(self) -> datetime:
        """After this it is no news any more."""
        return self.at + kind_of(self.template).lasts
