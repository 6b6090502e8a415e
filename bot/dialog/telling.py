"""An order as the plain facts that templates tell. Nothing personal but what the buyer already knows.

Never a full address, phone, e-mail or signature; a carrier's text is masked and passed on as data.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bot.dialog.turn import Dossier, Facts
from bot.model.orders import Duties, Order
from bot.model.parcels import Parcel
from bot.model.tracks import Action, Status
from bot.model.zones import only_zone
from bot.tracking.eta import Prediction, foresee, place_on, route_of
from bot.tracking.masking import mask
from bot.tracking.numbers import not_tracked_through
from bot.tracking.stall import silence
from bot.tracking.standing import counted, fence, latest_scan, on_the_spot, silent_days
from bot.tracking.vocabulary import action, terminal


def zone_of(order: Order, facts: Facts, now: datetime) -> str:
    """The zone in which an order's dates are told: its buyer's by country and postcode, else the shop's."""
    zone = only_zone(order.country, order.postcode, now)
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
    route = route_of(parcel, order, ZoneInfo(zone_of(order, facts, now)), facts.shop.country)
    down = facts.feeds_down.get(parcel.carrier) or facts.feeds_down.get(parcel.track.source if parcel.track else "")
    scans = counted(parcel, now)
    where = place_on(route, parcel, scans)
    quiet = silence(parcel, route, now, facts.tables, feed_down_since=down, where=where) if where else None
    told: dict[str, Any] = {
        "carrier": parcel.carrier,
        "number": parcel.number,
        "status": parcel.status.value,
        "cause": parcel.cause,
        "ended": terminal(parcel.status, parcel.cause),
        "action": action(parcel.status, parcel.cause).value,
        "stalled": quiet is not None and quiet.stall,
        "duties": order.duties.value,
        "contents": [order.items[i].title for i in parcel.items if i < len(order.items)],
    }
    if parcel.cause == "duty_due" and order.duties == Duties.SELLER:
        # The shop pays at this border: nothing is asked of the buyer, whatever the carrier's code asks.
        told["action"] = Action.SELLER.value
    if scans:
        scan = scans[-1]
        told["text"] = mask(scan.raw_text)
        told["place"] = scan.place.text
        told["country"] = scan.place.country
        if (scanned := on_the_spot(scan, route.zone, route.destination)) is not None:
            told["scanned"] = scanned
    if (silent := silent_days(parcel, scans, now)) is not None:
        told["silent_days"] = silent
    if parcel.checked_at is not None:
        told["as_of"] = parcel.checked_at
    elif parcel.asked_at is None:
        told["not_asked"] = True
    if not_tracked_through(parcel.carrier, parcel.number) and not terminal(parcel.status, parcel.cause):
        told["untracked"] = True
    today = now.astimezone(route.zone).date()
    told |= _window(parcel, foresee(where, route, today, facts.tables, parcel.eta) if where else None, now)
    if down is not None:
        told["down_since"] = down
    return told


def _window(parcel: Parcel, found: Prediction | None, now: datetime) -> Mapping[str, Any]:
    """When it should come and on what that rests. A carrier's date whose error is not known is told as it is."""
    if terminal(parcel.status, parcel.cause):
        return {}
    eta = parcel.eta
    late = eta is not None and eta.last + timedelta(days=1) < now
    if eta is not None and (late or found is None or (found.basis.kind == "carrier" and not found.basis.count)):
        told: dict[str, Any] = {"first": eta.first, "last": eta.last, "basis": "carrier", "late": late}
        if late and found is not None and found.basis.kind != "carrier":
            told["again_last"] = found.p90
        return told
    if found is None:
        return {}
    told = {"first": found.p10, "last": found.p90, "basis": found.basis.word, "late": False}
    return told | ({"basis_n": found.basis.count} if found.basis.count else {})


def latest(ends: Iterable[date | datetime]) -> date | datetime:
    """The last of several windows' ends: carriers give moments, what was learned gives days."""
    return max(ends, key=lambda end: end.date() if isinstance(end, datetime) else end)


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
