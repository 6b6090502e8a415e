"""The facts of a push, read from the order as it stands when the push leaves. Pure.

None where it is not so any more: a parcel that came meanwhile is not on its way, one that moved does not stand still,
and a window that is back where it was has not moved.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from msgspec import Struct

from bot.dialog.turn import Desk, Shop
from bot.model.events import Notice
from bot.model.messages import RATES, Option
from bot.model.orders import Order
from bot.model.tracks import Status
from bot.proactive.announce import Outlook, milestone, stand
from bot.proactive.expecting import Ahead
from bot.proactive.pushes import SURVEY
from bot.proactive.sighting import watched
from bot.proactive.watching import ParcelTold, Sight, Watched
from bot.tracking.vocabulary import rank, terminal

CAME = (("w:well", "arrived_well"), ("w:problem", "arrived_problem"))
_OPEN = frozenset({"window_moved", "delayed", "delayed_again", "stalled", "stall_over", "estimate"})
_DATED = frozenset({"window_moved", "estimate"})
_UNSENT = frozenset({"order_confirmed", "not_shipped"})
_LATE = frozenset({"delayed", "delayed_again"})
_NOTHING = Outlook()
UNDATED = frozenset({"out_for_delivery", "attempt_failed", "pickup_ready", "pickup_reminder"})
"""What is so today: by when the parcel comes is no fact of these."""


class Situation(Struct, frozen=True):
    """An order with its parcels at a glance; `id` and `buyer` are the store's, `phone` is E.164 or empty."""

    id: int
    buyer: int | None
    order: Order
    parcels: tuple[Sight, ...] = ()
    phone: str = ""


class Words(Struct, frozen=True):
    """What wording rests on beside the order: what is expected of an open parcel, when people answer, and what is
    expected (`ahead`) of an order that was not sent yet."""

    outlook: Callable[[Watched, Sight, ParcelTold | None, datetime], Outlook]
    desk: Desk
    shop: Shop
    ahead: Callable[[Order, datetime], Ahead] = lambda order, now: Ahead()


def word(notice: Notice, found: Situation, words: Words, now: datetime) -> dict[str, Any] | None:
    """The facts that the notice's template is given, or None where it is no longer so."""
    if notice.template == SURVEY:
        return {}
    order = found.order
    if order.cancelled:
        return None
    desk = words.desk
    told: dict[str, Any] = {
        "number": order.number,
        "shop": words.shop.name,
        "desk_open": desk.open,
        "desk_next": desk.next_open,
        "desk_by": desk.answer_by,
        **_kept(notice.facts),
    }
    if order.promised is not None:
        told["promised"] = order.promised
    if notice.template in _UNSENT:
        if notice.template == "order_confirmed":
            # Of an overdue order no day is named but the shop's own.
            told |= _to_come(words.ahead(order, now))
        return told if not found.parcels else None
    parcel = _meant(notice, found)
    if parcel is None or not _still(notice, parcel, order.country):
        return None
    outlook = _NOTHING
    if notice.template not in UNDATED and not terminal(parcel.status, parcel.cause):
        outlook = words.outlook(watched(found.id, order), parcel, None, now)
    _add_parcel(told, parcel, found)
    told |= _expected(outlook)
    return told if _fits(notice, parcel, outlook, told) else None


def _to_come(ahead: Ahead) -> dict[str, Any]:
    return ({"dispatch_by": ahead.dispatch_by} if ahead.dispatch_by else {}) | _expected(ahead.outlook)


def _fits(notice: Notice, parcel: Sight, outlook: Outlook, told: Mapping[str, Any]) -> bool:
    """Whether what is expected of the parcel still bears the notice out."""
    if notice.template in _DATED and "last" not in told:
        return False
    if notice.template == "window_moved":
        return (told["first"], told["last"]) != (told.get("old_first"), told.get("old_last"))
    if notice.template in _LATE:
        # The last mile is under way: that it is late is no news beside that it comes today.
        return rank(parcel.status) < rank(Status.OUT_FOR_DELIVERY)
    if notice.template == "stalled":
        return notice.fact_key.endswith(f"stalled:{stand(parcel)}") or outlook.stuck
    return True


def options(notice: Notice) -> tuple[Option, ...]:
    """What can be pressed under a push. A press names its order: by then another may be spoken of."""
    if notice.template == SURVEY:
        return tuple(Option(f"{RATES}{verdict}:{notice.facts['case']}", phrase=verdict) for verdict in ("good", "bad"))
    if notice.template != "delivered":
        return ()
    return tuple(Option(f"{value}:{notice.order}", phrase=phrase) for value, phrase in CAME)


def _kept(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that the notice brings along; days come back from the store as text."""
    return {k: date.fromisoformat(v) if k in _DAYS and isinstance(v, str) else v for k, v in facts.items()}


_DAYS = frozenset({"old_first", "old_last"})


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


def _add_parcel(told: dict[str, Any], parcel: Sight, found: Situation) -> None:
    order = found.order
    told["carrier"] = parcel.carrier
    told["tracking"] = parcel.number
    told["status"] = parcel.status.value
    told["cause"] = parcel.cause
    told["duties"] = order.duties.value
    told["contents"] = [order.items[i].title for i in parcel.items if i < len(order.items)]
    if len(found.parcels) > 1:
        told["part"], told["parts"] = found.parcels.index(parcel) + 1, len(found.parcels)
    if parcel.place:
        told["place"] = parcel.place
    if country := parcel.country or order.country:
        told["country"] = country
    if parcel.scanned is not None:
        told["at"] = parcel.scanned


def _expected(outlook: Outlook) -> dict[str, Any]:
    if outlook.first is None or outlook.last is None:
        return {}
    told: dict[str, Any] = {"first": outlook.first, "last": outlook.last, "basis": outlook.basis}
    return told | ({"basis_n": outlook.count} if outlook.count else {})
