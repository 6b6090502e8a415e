"""The facts of a push, read from the order as it stands when the push leaves. Pure.

None where it is not so any more: a parcel that came meanwhile is not on its way, and one that moved is not held.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from bot.dialog.turn import Desk, Dossier, Shop
from bot.model.events import Notice
from bot.model.messages import Option
from bot.model.parcels import Parcel
from bot.model.tracks import Status
from bot.proactive.announce import Outlook, milestone
from bot.proactive.sighting import Home, sight
from bot.tracking.standing import fence, latest_scan
from bot.tracking.vocabulary import rank, terminal

CAME = (Option("w:well", phrase="arrived_well"), Option("w:problem", phrase="arrived_problem"))
OPTIONS: Mapping[str, tuple[Option, ...]] = {"delivered": CAME}
_OPEN = frozenset({"window_moved", "delayed", "delayed_again", "stalled", "stall_over", "estimate"})
_DATED = frozenset({"window_moved", "estimate"})
_UNSENT = frozenset({"order_confirmed", "not_shipped"})


@dataclass(frozen=True, slots=True)
class Words:
    """What wording rests on beside the order: what is expected of an open parcel, and when people answer."""

    outlook: Callable[[Dossier, Parcel, datetime], Outlook]
    desk: Callable[[datetime], Desk]
    shop: Shop


def word(notice: Notice, dossier: Dossier, words: Words, now: datetime) -> dict[str, Any] | None:
    """The facts that the notice's template is given, or None where it is no longer so."""
    order = dossier.order
    if order.cancelled:
        return None
    told: dict[str, Any] = {"number": order.number, "shop": words.shop.name, **_kept(notice.facts)}
    told |= _desk(words.desk(now))
    if order.promised is not None:
        told["promised"] = order.promised
    if notice.template in _UNSENT:
        return told if not dossier.parcels else None
    parcel = _meant(notice, dossier)
    if parcel is None or not _still(notice, parcel, Home(order.country, order.postcode), now):
        return None
    told |= _of_parcel(parcel, dossier, words, now)
    return None if notice.template in _DATED and "last" not in told else told


def _kept(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that the notice brings along; days come back from the store as text."""
    days = {"old_first", "old_last"}
    return {k: date.fromisoformat(v) if k in days and isinstance(v, str) else v for k, v in facts.items()}


def _meant(notice: Notice, dossier: Dossier) -> Parcel | None:
    if notice.parcel is not None:
        return next((p for p in dossier.parcels if p.id == notice.parcel), None)
    return next((p for p in dossier.parcels if not terminal(p.status, p.cause)), None)


def _still(notice: Notice, parcel: Parcel, home: Home, now: datetime) -> bool:
    """Whether the parcel is still where the notice found it."""
    ended = terminal(parcel.status, parcel.cause)
    if notice.template in _OPEN:
        return not ended
    if notice.template == "shipped":
        return not ended and rank(parcel.status) < rank(Status.OUT_FOR_DELIVERY)
    if notice.template == "pickup_reminder":
        return parcel.status is Status.PICKUP_READY
    return milestone(sight(parcel, home, now), home.country) == notice.template


def _of_parcel(parcel: Parcel, dossier: Dossier, words: Words, now: datetime) -> dict[str, Any]:
    order = dossier.order
    told: dict[str, Any] = {
        "carrier": parcel.carrier,
        "tracking": parcel.number,
        "status": parcel.status.value,
        "cause": parcel.cause,
        "duties": order.duties.value,
        "contents": [order.items[i].title for i in parcel.items if i < len(order.items)],
    }
    if len(dossier.parcels) > 1:
        places = [p.id for p in dossier.parcels]
        told |= {"part": places.index(parcel.id) + 1, "parts": len(places)}
    scan = latest_scan(parcel.track, now, fence(parcel)) if parcel.track else None
    if scan is not None:
        told |= {k: v for k, v in (("place", scan.place.text), ("country", scan.place.country)) if v}
        if scan.local is not None:
            told["at"] = scan.local
    if "country" not in told and order.country:
        told["country"] = order.country
    if not terminal(parcel.status, parcel.cause):
        told |= _expected(words.outlook(dossier, parcel, now))
    return told


def _expected(outlook: Outlook) -> dict[str, Any]:
    if outlook.first is None or outlook.last is None:
        return {}
    told: dict[str, Any] = {"first": outlook.first, "last": outlook.last, "basis": outlook.basis}
    return told | ({"basis_n": outlook.count} if outlook.count else {})


def _desk(desk: Desk) -> dict[str, Any]:
    return {"desk_open": desk.open, "desk_next": desk.next_open, "desk_by": desk.answer_by}
