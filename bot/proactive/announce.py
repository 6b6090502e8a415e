"""What of an order is news for its buyer, by what they were told before. Pure.

    announce(order, parcels, told, outlooks, now) -> what is told now, the pushes, the cases, and when to look again

It compares how things stand with what was told, and never asks what changed: so any order and repetition of
scans, and any number of looks, gives each push once. What was true when a parcel became known is no news.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from msgspec import Struct, field
from msgspec.structs import replace

from bot.dialog.turn import Reason
from bot.model.cases import CaseDraft
from bot.model.orders import Duties
from bot.model.tracks import Action, Status
from bot.proactive.footing import Footing, footing
from bot.proactive.pushes import KINDS, Push
from bot.proactive.watching import ParcelTold, Sight, Told, Watched
from bot.tracking.clocks import Dates, near, schemes_of
from bot.tracking.eta import last_day
from bot.tracking.vocabulary import action, rank, terminal

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
FRESH = timedelta(hours=48)
"""An order or parcel that we hear of so long after it was placed or sent is news still."""
ASKING = timedelta(days=1)
"""So long the sources have to tell of a parcel that we have only just heard of: nobody knows yet whether it is late."""
SETTLED = timedelta(days=2)
"""So long after a parcel became known its silence counts as one that was there before."""
REMIND = timedelta(days=3)
"""So long a parcel waits at a pick-up point before its buyer is reminded; points keep 7 to 14 days."""


class Rules(Struct, frozen=True):
    """The seller's settings. `moved` days of a window's end are news; `ladder` days after a delay the second step
    follows; `unfulfilled` is when an order that was not sent is told, never under 24 hours."""

    theta: float = 0.5
    moved: int = 2
    ladder: timedelta = timedelta(days=3)
    unfulfilled: timedelta = timedelta(hours=72)


class Outlook(Struct, frozen=True):
    """What is expected of an open parcel now: the window's days, whose word it is (`count` parcels of a lane where
    it is ours), the chance that it comes after the promise, and whether its silence is longer than its lane's."""

    first: date | None = None
    last: date | None = None
    basis: str = ""
    count: int = 0
    late: float | None = None
    stuck: bool = False
    quiet_days: int = 0


_NOTHING = Outlook()


class Announced(Struct, frozen=True):
    """What follows from one look. `told` is None where nobody knows; `again` is when to look next, None for never;
    `stands` are the footings that tell then whether there is news, if nobody says anything meanwhile; none where that
    look has to see the order."""

    told: Told | None
    pushes: tuple[Push, ...] = ()
    cases: tuple[CaseDraft, ...] = ()
    reasons: tuple[Reason, ...] = ()
    again: datetime | None = None
    stands: tuple[Footing, ...] = ()


class _Look(Struct):
    """One look while it is made."""

    order: Watched
    told: Told
    now: datetime
    rules: Rules
    said: set[str] = field(default_factory=set)
    pushes: list[Push] = field(default_factory=list)
    cases: list[CaseDraft] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)

    @property
    def today(self) -> date:
        """The buyer's day."""
        return self.now.astimezone(ZoneInfo(self.order.zone)).date()

    def push(self, push: Push) -> None:
        """Say it, once."""
        if push.key not in self.said:
            self.said.add(push.key)
            self.pushes.append(push)

    def leave(self, key: str, rule: str, parcel: int | None = None) -> None:
        """Note that this will not be said, and why."""
        if key not in self.said:
            self.said.add(key)
            about = f"o/{self.order.order}" if parcel is None else f"p/{parcel}"
            self.reasons.append(Reason(rule, {"push": key.split(":", 1)[0], "key": key}, about))


def announce(
    order: Watched,
    parcels: Sequence[Sight],
    told: Told | None,
    outlooks: Mapping[int, Outlook],
    now: datetime,
    rules: Rules,
) -> Announced:
    """One look at an order. `outlooks` are of its open parcels, by parcel."""
    if order.cancelled:
        return Announced(told or Told(known=now))
    if told is not None and parcels and all(_as_before(p, told, outlooks, rules) for p in parcels):
        return Announced(told, again=now + DAY, stands=_footings(order, parcels, told))
    told = told or Told(known=now)
    look = _Look(order, told, now, rules, said=set(told.said))
    if not parcels:
        _unsent(look)
    kept = {p.parcel: _parcel(look, p, outlooks.get(p.parcel, _NOTHING)) for p in parcels}
    before = told.parcels
    same = len(look.said) == len(told.said) and all(before.get(i) is k for i, k in kept.items())
    after = told if same else Told(told.known, tuple(sorted(look.said)), kept)
    again, stands = _again(look, parcels, kept), _footings(order, parcels, after)
    return Announced(after, tuple(look.pushes), tuple(look.cases), tuple(look.reasons), again, stands)


def _state(sight: Sight) -> tuple[Status, str, datetime | None, datetime | None]:
    return sight.status, sight.cause, sight.seen, _sent(sight)


def _sent(sight: Sight) -> datetime | None:
    """When it left the shop: by the shop's word or the carrier's, whichever is earlier."""
    if sight.shipped is None or sight.handed is None:
        return sight.shipped or sight.handed
    return min(sight.shipped, sight.handed)


def _as_before(sight: Sight, told: Told, outlooks: Mapping[int, Outlook], rules: Rules) -> bool:
    """Whether an open parcel stands as it did at the last look, and is expected as its buyer was told: of a million
    orders nearly all do, and their look ends here."""
    known, outlook = told.parcels.get(sight.parcel), outlooks.get(sight.parcel)
    return known is not None and outlook is not None and _stands(sight, known) and settled(known.last, outlook, rules)


def _stands(sight: Sight, known: ParcelTold) -> bool:
    """Whether this parcel is as it was at the last look, and nothing but another outlook could be news of it."""
    if known.stalled or known.late is not None:
        return False
    return known.at == _state(sight) and sight.status is not Status.PICKUP_READY


def settled(told: date | None, outlook: Outlook, rules: Rules) -> bool:
    """Whether an outlook holds no news for a buyer who was told this last day."""
    if outlook.stuck or _is_late(outlook, rules):
        return False
    if told is None or outlook.last is None:
        return told == outlook.last
    return abs((outlook.last - told).days) < rules.moved


def _footings(order: Watched, parcels: Sequence[Sight], told: Told) -> tuple[Footing, ...]:
    known = [(p, k) for p in parcels if (k := told.parcels.get(p.parcel)) is not None and _stands(p, k)]
    if len(known) < len(parcels) or any(terminal(p.status, p.cause) for p in parcels):
        return ()
    return tuple([footing(order, p, k) for p, k in known])


def _unsent(look: _Look) -> None:
    order = look.order
    if order.placed is None:
        return
    if look.told.known - order.placed <= FRESH:
        look.push(Push("order_confirmed", "order_confirmed", look.told.known))
    due = order.placed + look.rules.unfulfilled
    if due > look.now:
        return
    if due < look.told.known - DAY:
        look.leave("not_shipped", "push.was_true_before")
    elif "not_shipped" not in look.said:
        look.push(Push("not_shipped", "not_shipped", look.now))
        look.cases.append(CaseDraft("not_shipped", f"Order {order.number} was not sent yet.", order.order))


def _parcel(look: _Look, sight: Sight, outlook: Outlook) -> ParcelTold:
    told = look.told.parcels.get(sight.parcel) or ParcelTold(known=look.now)
    true = list(_milestones(sight, told, look.order))
    for place, fact in enumerate(true):
        if fact.key in look.said or (fact.at > look.now and fact.template == "pickup_reminder"):
            continue
        if fact.old:
            look.leave(fact.key, "push.was_true_before", sight.parcel)
        elif fact.at + KINDS[fact.template].lasts <= look.now:
            look.leave(fact.key, "push.too_old", sight.parcel)
        elif fact.template == "shipped" and place + 1 < len(true):
            look.leave(fact.key, "push.superseded", sight.parcel)
        else:
            look.push(Push(fact.template, fact.key, fact.at, sight.parcel))
            if fact.template in _TASKS and not _buyer_pays(fact, look.order):
                kind, says = _TASKS[fact.template]
                summary = f"Order {look.order.number}: {sight.carrier} {sight.number} {says}"
                look.cases.append(CaseDraft(kind, summary, look.order.order))
            if fact.template in _DATED:
                told = _with_window(told, outlook)
    state, given = _state(sight), last_day(sight.window)
    heard = told.at != state or told.given != given
    if heard:
        told = replace(told, at=state, given=given)
    if terminal(sight.status, sight.cause):
        return told
    return _expected(look, sight, told, outlook, heard=heard)


def milestone(sight: Sight, country: str) -> str:
    """The push that a parcel's present status is, or empty. `country` is where it goes: an arrival in the country
    that it came from is no news, and one whose scan stands in a third country is none in theirs."""
    status, cause = sight.status, sight.cause
    if status is Status.CUSTOMS:
        asks = {"info_required": "customs_documents", "duty_due": "customs_duty"}
        quiet = cause in {"export_processing", "released", "duty_paid", "refused"}
        return asks.get(cause, "" if quiet else "customs_processing")
    if status is Status.EXCEPTION:
        return {"lost": "lost", "destroyed": "lost", "address": "attempt_failed"}.get(cause, "")
    if status is Status.ARRIVED_DESTINATION:
        elsewhere = bool(sight.country and country) and sight.country != country
        return "" if sight.origin == country or elsewhere else "arrived_country"
    return _BY_STATUS.get(status, "")


_BY_STATUS = {
    Status.OUT_FOR_DELIVERY: "out_for_delivery",
    Status.DELIVERY_ATTEMPTED: "attempt_failed",
    Status.PICKUP_READY: "pickup_ready",
    Status.DELIVERED: "delivered",
    Status.RETURNING: "returned",
    Status.RETURNED: "returned",
}
_TASKS = {
    "lost": ("lost", "is lost or destroyed, the carrier says. Claim it there, and settle with the buyer."),
    "customs_documents": ("customs", "waits at customs for papers or information. Find out which."),
    "customs_duty": ("customs", "waits until duty or tax is paid. Pay it, or find out who does and tell the buyer."),
    "returned": ("returned", "is going back to the sender. Settle with the buyer what comes next."),
}
"""The pushes that say that we see to it, and the case that makes it true."""


def _buyer_pays(fact: "_Fact", order: Watched) -> bool:
    return fact.template == "customs_duty" and order.duties is Duties.BUYER


_DATED = frozenset({"shipped", "arrived_country"})
"""These name the days in which the parcel is expected."""
_AGAIN = frozenset({"out_for_delivery", "attempt_failed"})
"""These may happen to a parcel on several days, and each day is news."""


class _Fact(NamedTuple):
    """Something that is true of a parcel: since when, and whether it was so when the parcel became known."""

    template: str
    key: str
    at: datetime
    old: bool


def _milestones(sight: Sight, told: ParcelTold, order: Watched) -> Iterator[_Fact]:
    sent = _sent(sight)
    if sent is not None and rank(sight.status) < rank(Status.OUT_FOR_DELIVERY):
        # The shop tells us some hours before or after; a journey long under way is no news.
        yield _Fact("shipped", f"shipped:{sight.parcel}", max(sent, told.known), told.known - sent > FRESH)
    template = milestone(sight, order.country)
    if not template or sight.since is None:
        return
    at = sight.seen if template in _AGAIN and sight.seen is not None else sight.since
    # A day is the buyer's: what is scanned on both sides of midnight UTC is one morning in Sydney.
    day = f":{_digits(at.astimezone(ZoneInfo(order.zone)).date())}" if template in _AGAIN else ""
    yield _Fact(template, f"{template}:{sight.parcel}{day}", at, at <= told.known)
    if template == "pickup_ready":
        near = sight.cause == "deadline_near" and sight.seen is not None
        due = sight.seen if near and sight.seen is not None else sight.since + REMIND
        yield _Fact("pickup_reminder", f"pickup_reminder:{sight.parcel}", due, due <= told.known)


def _with_window(told: ParcelTold, outlook: Outlook) -> ParcelTold:
    if outlook.last is None or (told.first, told.last) == (outlook.first, outlook.last):
        return told
    return replace(told, first=outlook.first, last=outlook.last)


def _expected(look: _Look, sight: Sight, told: ParcelTold, outlook: Outlook, *, heard: bool) -> ParcelTold:
    """Late, stuck, or expected on other days than the buyer was told; `heard` is whether anything came since the last
    look."""
    told = _stall(look, sight, told, outlook)
    if sight.status is Status.UNKNOWN and look.now - told.known < ASKING:
        return _with_window(told, outlook) if told.last is None else told
    if outlook.stuck or told.late is not None or _is_late(outlook, look.rules):
        _dispute(look, sight)
    late = _late(look, sight, told, outlook)
    if late is not None:
        return late
    if told.last is None or outlook.last is None:
        return _with_window(told, outlook)
    if abs((outlook.last - told.last).days) < look.rules.moved or told.late is not None:
        return told
    if rank(sight.status) >= rank(Status.OUT_FOR_DELIVERY):
        # On the last mile nobody waits for another day than today.
        return told
    if action(sight.status, sight.cause) is Action.BUYER:
        # The parcel waits for the buyer, who was told so: a day further off each day is no news.
        return told
    if told.stalled:
        # They know that it stands still, and hear the days when it moves.
        return told
    facts = {"old_first": told.first, "old_last": told.last}
    moves = f"window_moved:{sight.parcel}"
    old = f":{_digits(told.last)}"
    key = f"{moves}{old}:{_digits(outlook.last)}"
    again = any(k.startswith(moves) and k.endswith(old) for k in look.said)
    if again and not heard and look.today < told.last:
        # With each day without news the days slide on. That is told once, and again when the days told are over.
        return told
    look.push(Push("window_moved", key, look.now, sight.parcel, facts))
    return _with_window(told, outlook)


def _late(look: _Look, sight: Sight, told: ParcelTold, outlook: Outlook) -> ParcelTold | None:
    """The two steps of a delay; None where it is not late."""
    key, again = f"delayed:{sight.parcel}", f"delayed_again:{sight.parcel}"
    late = _is_late(outlook, look.rules)
    if told.late is not None:
        # Nobody is "still late" before the day that was planned is over.
        over = look.order.promised is None or look.order.promised < look.today
        if late and over and look.now >= told.late + look.rules.ladder and again not in look.said:
            look.push(Push("delayed_again", again, look.now, sight.parcel, needs=key))
            case = CaseDraft("delayed", f"Order {look.order.number}: late for the second time.", look.order.order)
            look.cases.append(case)
        return told
    if not late:
        return None
    promised = look.order.promised
    if promised is not None and promised < told.known.date():
        look.leave(key, "push.was_true_before", sight.parcel)
        return None
    if key in look.said:
        return None
    look.push(Push("delayed", key, look.now, sight.parcel))
    return replace(_with_window(told, outlook), late=look.now)


def _is_late(outlook: Outlook, rules: Rules) -> bool:
    return outlook.late is not None and outlook.late >= rules.theta


def _dispute(look: _Look, sight: Sight) -> None:
    """Staff hear of a parcel in trouble before its buyer can open a dispute about it."""
    order, sent = look.order, _sent(sight)
    dates = Dates(
        paid=order.placed.date() if order.placed is not None else None,
        shipped=sent.date() if sent is not None else None,
        promised=order.promised,
        carrier=sight.carrier,
    )
    deadline = near(dates, schemes_of(order.source), look.now.date())
    key = f"dispute:{sight.parcel}:{deadline.scheme}" if deadline is not None else ""
    if deadline is None or key in look.said:
        return
    look.said.add(key)
    about = f"Order {order.number}: {sight.carrier} {sight.number} is in trouble"
    summary = f"{about}, and its buyer can open a dispute from {deadline.at} on ({deadline.scheme})."
    look.cases.append(CaseDraft("dispute_near", summary, order.order))


def _stall(look: _Look, sight: Sight, told: ParcelTold, outlook: Outlook) -> ParcelTold:
    """Standing still longer than its lane does: told once a stand, and once that it is over."""
    if not outlook.stuck:
        if not told.stalled:
            return told
        key = f"stall_over:{told.stalled}"
        look.push(Push("stall_over", key, look.now, sight.parcel, needs=f"stalled:{told.stalled}"))
        # It names the days that are expected now.
        return replace(_with_window(told, outlook), stalled="")
    place = stand(sight) or f"{sight.parcel}:{_digits(told.known.date())}"
    key = f"stalled:{place}"
    if told.stalled or key in look.said:
        return told
    if look.now - told.known < SETTLED:
        look.leave(key, "push.was_true_before", sight.parcel)
        return told
    facts = {"silent_days": outlook.quiet_days}
    look.push(Push("stalled", key, look.now, sight.parcel, facts))
    summary = f"Order {look.order.number}: {sight.carrier} {sight.number} stands still for {outlook.quiet_days} days."
    look.cases.append(CaseDraft("stalled", summary, look.order.order))
    return replace(told, stalled=place)


def stand(sight: Sight) -> str:
    """The name of a parcel's present stand: it has another once somebody had it in hand again; empty where no scan
    and no shipment tells since when it stands."""
    since = sight.moved or sight.shipped
    return f"{sight.parcel}:{_digits(since.date())}" if since is not None else ""


def _digits(day: date) -> str:
    """The day in a key, as 20261124; by `strftime` it costs as much as half of a look."""
    return day.isoformat().replace("-", "")


def _again(look: _Look, parcels: Sequence[Sight], kept: Mapping[int, ParcelTold]) -> datetime | None:
    """When something could be news next though nobody says anything."""
    order, now = look.order, look.now
    soon: datetime | None = None
    if not parcels and order.placed is not None and "not_shipped" not in look.said:
        soon = order.placed + look.rules.unfulfilled
    for sight in parcels:
        if terminal(sight.status, sight.cause):
            continue
        due = now + DAY
        told = kept[sight.parcel]
        if told.late is not None and f"delayed_again:{sight.parcel}" not in look.said:
            step = told.late + look.rules.ladder
            due = min(due, step) if step > now else due
        if sight.status is Status.PICKUP_READY and sight.since and f"pickup_reminder:{sight.parcel}" not in look.said:
            due = min(due, sight.since + REMIND)
        soon = due if soon is None else min(soon, due)
    return None if soon is None else max(soon, now + MINUTE)
