"""The facts of a push, read from the order as it stands when the push leaves. Pure.

None where it is not so any more: a parcel that came meanwhile is not on its way, and one that moved is not held.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from bot.dialog.turn import Desk, Shop
from bot.model.events import Notice
from bot.model.messages import Option
from bot.model.orders import Order
from bot.model.tracks import Status
from bot.proactive.announce import Outlook, milestone
from bot.proactive.sighting import watched
from bot.proactive.watching import ParcelTold, Sight, Watched
from bot.tracking.vocabulary import rank, terminal

CAME = (Option("w:well", phrase="arrived_well"), Option("w:problem", phrase="arrived_problem"))
OPTIONS: Mapping[str, tuple[Option, ...]] = {"delivered": CAME}
_OPEN = frozenset({"window_moved", "delayed", "delayed_again", "stalled", "stall_over", "estimate"})
_DATED = frozenset({"window_moved", "estimate"})
_UNSENT = frozenset({"order_confirmed", "not_shipped"})


@dataclass(frozen=True, slots=True)
class Situation:
    """An order with its parcels at a glance; `id` and `buyer` are the store's."""

    id: int
    buyer: int | None
    order: Order
    parcels: tuple[Sight, ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """What wording rests on beside the order: what is expected of an open parcel, and when people answer."""

    outlook: Callable[[Watched, Sight, ParcelTold | None, datetime], Outlook]
    desk: Desk
    shop: Shop


def word(notice: Notice, found: Situation, words: Words, now: datetime) -> dict[str, Any] | None:
    """The facts that the notice's template is given, or None where it is no longer so."""
    order = found.order
    if order.cancelled:
        return None
    told: dict[str, Any] = {"number": order.number, "shop": words.shop.name, **_kept(notice.facts)}
    told |= _desk(words.desk)
    if order.promised is not None:
        told["promised"] = order.promised
    if notice.template in _UNSENT:
        return told if not found.parcels else None
    parcel = _meant(notice, found)
    if parcel is None or not _still(notice, parcel, order.country):
        return None
    told |= _of_parcel(parcel, found, words, now)
    return None if notice.template in _DATED and "last" not in told else told


def _kept(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that the notice brings along; days come back from the store as text."""
    days = {"old_first", "old_last"}
    return {k: date.fromisoformat(v) if k in days and isinstance(v, str) else v for k, v in facts.items()}


def _meant(notice: Notice, found: Situation) -> Sight | None:
    if notice.parcel is not None:
        return next((p for p in found.parcels if p.parcel == notice.parcel), None)
    return next((p for p in found.parcels if not terminal(p.status, p.cause)), None)


def _still(notice: Notice, parcel: Sight, country: str) -> bool:
    """Whether the parcel is still where the notice found it."""
    ended = terminal(parcel.status, parcel.cause)
    if notice.template in _OPEN:
        return not ended
    if notice.template == "shipped":
        return not ended and rank(parcel.status) < rank(Status.OUT_FOR_DELIVERY)
    if notice.template == "pickup_reminder":
        return parcel.status is Status.PICKUP_READY
    return milestone(parcel, country) == notice.template


def _of_parcel(parcel: Sight, found: Situation, words: Words, now: datetime) -> dict[str, Any]:
    order = found.order
    told: dict[str, Any] = {
        "carrier": parcel.carrier,
        "tracking": parcel.number,
        "status": parcel.status.value,
        "cause": parcel.cause,
        "duties": order.duties.value,
        "contents": [order.items[i].title for i in parcel.items if i < len(order.items)],
    }
    if len(found.parcels) > 1:
        told |= {"part": found.parcels.index(parcel) + 1, "parts": len(found.parcels)}
    if parcel.place:
        told["place"] = parcel.place
    if country := parcel.country or order.country:
        told["country"] = country
    if parcel.scanned is not None:
        told["at"] = parcel.scanned
    if not terminal(parcel.status, parcel.cause):
        told |= _expected(words.outlook(watched(found.id, order), parcel, None, now))
    return told


def _expected(outlook: Outlook) -> dict[str, Any]:
    if outlook.first is None or outlook.last is None:
        return {}
    told: dict[str, Any] = {"first": outlook.first, "last": outlook.last, "basis": outlook.basis}
    return told | ({"basis_n": outlook.count} if outlook.count else {})


def _desk(desk: Desk) -> dict[str, Any]:
    return {"desk_open": desk.open, "desk_next": desk.next_open, "desk_by": desk.answer_by}
