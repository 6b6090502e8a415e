"""An order as the plain facts that templates tell. Nothing personal but what the buyer already knows.

Never a full address, phone, e-mail or signature; a carrier's text is masked and passed on as data.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from bot.dialog.turn import Dossier, Facts
from bot.model.foreign import zone_of as only_zone
from bot.model.orders import Duties, Order
from bot.model.parcels import Parcel
from bot.model.tracks import Action, Status
from bot.tracking.masking import mask
from bot.tracking.numbers import not_tracked_through
from bot.tracking.pace import silent_days, stands_still
from bot.tracking.standing import fence, latest_scan
from bot.tracking.vocabulary import action, terminal

MAINLAND = {"ES": "Europe/Madrid", "PT": "Europe/Lisbon", "NZ": "Pacific/Auckland", "UA": "Europe/Kyiv"}
"""Countries of several zones where nearly everybody lives in one."""


def zone_of(order: Order, facts: Facts, now: datetime) -> str:
    """The zone in which an order's dates are told: its country's where that has one, else the shop's."""
    if order.country in MAINLAND:
        return MAINLAND[order.country]
    zone = only_zone(order.country, now.replace(tzinfo=None))
    return zone.key if zone is not None else facts.shop.timezone


def order_facts(dossier: Dossier, facts: Facts, now: datetime) -> dict[str, Any]:
    """What may be told of a proved order."""
    order = dossier.order
    parcels = [parcel_facts(p, order, facts, now) for p in dossier.parcels]
    told: dict[str, Any] = {
        "number": order.number,
        "parcels": parcels,
        "cancelled": order.cancelled,
        "duties": order.duties.value,
        "shop": facts.shop.name,
    }
    if order.promised is not None:
        told["promised"] = order.promised
        told["promise_passed"] = order.promised < now.date()
    if order.placed_at is not None:
        told["placed"] = order.placed_at
    return told


def parcel_facts(parcel: Parcel, order: Order, facts: Facts, now: datetime) -> dict[str, Any]:
    """One parcel's standing, who said so and as of when; what is not known is left out."""
    silent = silent_days(parcel, now)
    told: dict[str, Any] = {
        "carrier": parcel.carrier,
        "number": parcel.number,
        "status": parcel.status.value,
        "cause": parcel.cause,
        "ended": terminal(parcel.status, parcel.cause),
        "action": action(parcel.status, parcel.cause).value,
        "stalled": stands_still(parcel, silent),
        "duties": order.duties.value,
        "contents": [order.items[i].title for i in parcel.items if i < len(order.items)],
    }
    if parcel.cause == "duty_due" and order.duties == Duties.SELLER:
        # The shop pays at this border: nothing is asked of the buyer, whatever the carrier's code asks.
        told["action"] = Action.SELLER.value
    scan = latest_scan(parcel.track, now, fence(parcel)) if parcel.track else None
    if scan is not None:
        told["text"] = mask(scan.raw_text)
        told["place"] = scan.place.text
        told["country"] = scan.place.country
        if scan.local is not None:
            told["scanned"] = scan.local
    if silent is not None:
        told["silent_days"] = silent
    if parcel.checked_at is not None:
        told["as_of"] = parcel.checked_at
    elif parcel.asked_at is None:
        told["not_asked"] = True
    if not_tracked_through(parcel.carrier, parcel.number) and not terminal(parcel.status, parcel.cause):
        told["untracked"] = True
    told |= _window(parcel, now)
    down = facts.feeds_down.get(parcel.carrier) or facts.feeds_down.get(parcel.track.source if parcel.track else "")
    if down is not None:
        told["down_since"] = down
    return told


def _window(parcel: Parcel, now: datetime) -> Mapping[str, Any]:
    eta = parcel.eta
    if eta is None or terminal(parcel.status, parcel.cause):
        return {}
    late = eta.last + timedelta(days=1) < now
    return {"first": eta.first, "last": eta.last, "basis": eta.basis, "late": late}


def public_facts(parcel: Parcel, now: datetime) -> dict[str, Any]:
    """What a tracking number alone shows: status, country and day, nothing else."""
    told: dict[str, Any] = {"tracking": parcel.number, "status": parcel.status.value}
    scan = latest_scan(parcel.track, now, fence(parcel)) if parcel.track else None
    if scan is not None and scan.local is not None:
        told["day"] = scan.local.date()
    if scan is not None and scan.place.country:
        told["country"] = scan.place.country
    return told


def worst_first(dossier: Dossier) -> Status:
    """The status that an order with several parcels is known by in a list: the parcel furthest from its end."""
    open_ones = [p.status for p in dossier.parcels if not terminal(p.status, p.cause)]
    return (open_ones or [p.status for p in dossier.parcels] or [Status.UNKNOWN])[0]


def is_open(dossier: Dossier) -> bool:
    """Whether something of this order is still to come."""
    if dossier.order.cancelled:
        return False
    return not dossier.parcels or any(not terminal(p.status, p.cause) for p in dossier.parcels)
