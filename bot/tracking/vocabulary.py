"""The one vocabulary of `facts/carriers.md` §6: the causes under each status, and who has to act.

Every source's codes are mapped into these names by its table. An empty cause is allowed everywhere: the
status is known and nothing more. Pure look-ups, no rules of time or order; those are in `timeline`.
"""

from collections.abc import Mapping
from types import MappingProxyType

from bot.model.tracks import Action, Status

_NONE, _BUYER, _SELLER, _CARRIER = Action.NONE, Action.BUYER, Action.SELLER, Action.CARRIER

_RETURN = {"": _SELLER, "refused": _SELLER, "unclaimed": _SELLER, "undeliverable": _SELLER, "customs": _SELLER}

CAUSES: Mapping[Status, Mapping[str, Action]] = MappingProxyType(
    {
        Status.UNKNOWN: {"": _NONE, "not_found": _NONE, "invalid_number": _SELLER, "no_data_yet": _NONE},
        Status.LABEL_CREATED: {"": _NONE, "info_received": _NONE, "pickup_scheduled": _NONE, "pickup_failed": _SELLER},
        Status.ACCEPTED: {"": _NONE, "picked_up": _NONE, "dropped_off": _NONE},
        Status.IN_TRANSIT: {
            "": _NONE,
            "origin_facility": _NONE,
            "hub_arrived": _NONE,
            "hub_departed": _NONE,
            "forwarded": _NONE,
            "handed_to_partner": _NONE,
            "rerouted": _NONE,
        },
        Status.DEPARTED_ORIGIN: {"": _NONE, "airline_accepted": _NONE, "export_released": _NONE},
        Status.ARRIVED_DESTINATION: {"": _NONE, "import_office": _NONE},
        Status.CUSTOMS: {
            "": _NONE,
            "export_processing": _NONE,
            "import_processing": _NONE,
            "held": _CARRIER,
            "info_required": _BUYER,
            "duty_due": _BUYER,
            "duty_paid": _NONE,
            "released": _NONE,
            "refused": _SELLER,
        },
        Status.OUT_FOR_DELIVERY: {"": _NONE, "contacted": _NONE, "appointment": _NONE},
        Status.DELIVERY_ATTEMPTED: {
            "": _CARRIER,
            "not_home": _BUYER,
            "business_closed": _CARRIER,
            "payment_needed": _BUYER,
            "address_problem": _BUYER,
            "refused_attempt": _SELLER,
        },
        Status.PICKUP_READY: {"": _BUYER, "locker": _BUYER, "post_office": _BUYER, "deadline_near": _BUYER},
        Status.DELIVERED: {
            "": _NONE,
            "signed": _NONE,
            "neighbour": _NONE,
            "safe_place": _NONE,
            "collected": _NONE,
            "partial": _SELLER,
            "damaged": _SELLER,
        },
        Status.RETURNING: _RETURN,
        Status.RETURNED: _RETURN,
        Status.EXCEPTION: {
            "": _CARRIER,
            "damaged": _SELLER,
            "lost": _SELLER,
            "destroyed": _SELLER,
            "address": _BUYER,
            "refused": _SELLER,
            "delay_carrier": _CARRIER,
            "delay_weather": _NONE,
            "held": _CARRIER,
            "missort": _CARRIER,
            "cancelled": _SELLER,
            "documents": _SELLER,
        },
    }
)
"""Causes of each status with who has to act. §6.1 counts 56: those of `returned` are `returning`'s."""

_RANK = {
    status: place
    for place, status in enumerate(
        (
            Status.UNKNOWN,
            Status.LABEL_CREATED,
            Status.ACCEPTED,
            Status.IN_TRANSIT,
            Status.DEPARTED_ORIGIN,
            Status.ARRIVED_DESTINATION,
            Status.CUSTOMS,
            Status.EXCEPTION,
            Status.OUT_FOR_DELIVERY,
            Status.DELIVERY_ATTEMPTED,
            Status.PICKUP_READY,
            Status.DELIVERED,
            Status.RETURNING,
            Status.RETURNED,
        )
    )
}

_LOST_FOR_GOOD = frozenset({"lost", "destroyed", "cancelled"})


def action(status: Status, cause: str) -> Action:
    """Who has to do something so that the parcel moves on; a cause we do not know asks nobody."""
    return CAUSES[status].get(cause, Action.NONE)


def known(status: Status, cause: str) -> bool:
    """Whether this cause stands under this status."""
    return cause in CAUSES[status]


def rank(status: Status) -> int:
    """The place in a parcel's usual life; breaks ties between scans of one instant."""
    return _RANK[status]


def terminal(status: Status, cause: str = "") -> bool:
    """Whether the journey has ended: delivered, returned, lost, destroyed or cancelled (§6.2.1)."""
    if status is Status.DELIVERED or status is Status.RETURNED:
        return True
    return status is Status.EXCEPTION and cause in _LOST_FOR_GOOD
