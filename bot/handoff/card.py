"""What a person gets to see of a case, as plain facts for the staff's templates. Pure.

Who, proved how, which order, where it is, what was said, why it came here, which clock runs, what evidence there is.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from msgspec import Struct

from bot.dialog.telling import order_facts
from bot.dialog.turn import Dossier, Facts
from bot.handoff.ladder import waits
from bot.handoff.speaking import PERSON, held_by_person
from bot.model.cases import Case, CaseEvent
from bot.model.conversations import Conversation
from bot.model.orders import Order
from bot.tracking.clocks import Dates, clocks, schemes_of
from bot.tracking.standing import counted

SCANS = 5
NEAR = timedelta(days=14)
"""A dispute clock is near when it runs out within this time."""


class Clock(Struct, frozen=True):
    """When buyers may turn to a scheme about an order: from `opens` until `ends`, None where it has no end."""

    scheme: str
    opens: datetime
    ends: datetime | None
    what: str
    confidence: str

    def near(self, now: datetime) -> bool:
        """Whether it can be used now and not much longer."""
        return self.opens <= now and self.ends is not None and now <= self.ends <= now + NEAR


TITLES = {
    "paypal": "PayPal", "visa": "Visa 13.1", "mastercard": "Mastercard 4853", "ebay": "eBay", "amazon": "Amazon A-to-z",
    "aliexpress": "AliExpress",
}  # fmt: skip
WHAT = {
    "not_received": "the buyer may open a dispute that it did not come",
    "escalation": "a dispute may be taken to the scheme",
}


def dispute_clocks(order: Order, expected: datetime | None) -> tuple[Clock, ...]:
    """The schemes that may apply to an order, the one that ends first in front. `expected` is when it was to come,
    where the shop promised no day."""
    shipped = [p.shipped_at for p in order.parcels if p.shipped_at is not None]
    dates = Dates(
        paid=order.placed_at.date() if order.placed_at is not None else None,
        shipped=min(shipped).date() if shipped else None,
        promised=order.promised or (expected.date() if expected is not None else None),
        carrier=order.parcels[0].carrier if order.parcels else "",
    )
    found = [
        Clock(TITLES.get(c.scheme, c.scheme), _midnight(c.opens), _midnight(c.closes), WHAT[c.event], c.confidence)
        for c in clocks(dates, schemes_of(order.source))
    ]
    return tuple(sorted(found, key=lambda c: c.ends or datetime.max.replace(tzinfo=UTC)))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def card_facts(
    case: Case,
    record: Conversation,
    history: Sequence[CaseEvent],
    said: Sequence[tuple[datetime, str, str]],
    dossier: Dossier | None,
    facts: Facts,
    now: datetime,
) -> dict[str, Any]:
    """The facts of a case's card. `said` are (when, who, text), oldest first."""
    holder = record.holder.removeprefix(PERSON)
    told: dict[str, Any] = {
        "id": case.id,
        "kind": case.kind,
        "summary": case.summary,
        "queue": case.queue,
        "priority": case.priority.name.lower(),
        "state": case.state.value,
        "owner": case.owner,
        "holder": holder,
        "person": held_by_person(record),
        "waits": waits(case),
        "opened_at": case.opened_at,
        "answer_due": case.answer_due if case.answered_at is None else None,
        "next_due": case.next_due,
        "resolve_due": case.resolve_due,
        "snoozed_until": case.snoozed_until,
        "late": list(case.late),
        "tags": list(case.tags),
        "name": record.name,
        "channel": record.address.channel,
        "locale": record.locale or facts.shop.locale,
        "reachable": record.reachable,
        "last_heard": record.last_inbound_at,
        "proofs": sorted({p.way for p in record.proofs if p.until > now}),
        "why": [line.text for line in history if line.what in {"opened", "again"} and line.text],
        "said": [{"at": at, "who": who, "text": text} for at, who, text in said],
        "order": None,
    }
    return told | _order(dossier, facts, now) if dossier is not None else told


def _order(dossier: Dossier, facts: Facts, now: datetime) -> dict[str, Any]:
    order = dossier.order
    ends = [p.eta.last for p in dossier.parcels if p.eta is not None]
    disputes = dispute_clocks(order, max(ends, default=None))
    timelines = [
        [{"text": s.raw_text, "place": s.place.text, "at": s.local} for s in counted(p, now)[-SCANS:]]
        for p in dossier.parcels
    ]
    signed = [p.number for p in dossier.parcels if p.track is not None and p.track.proof_of_delivery]
    return {
        "order": order_facts(dossier, facts, now),
        "source": order.source,
        "buyer": order.name,
        "country": order.country,
        "items": [{"title": i.title, "quantity": i.quantity} for i in order.items],
        "timelines": timelines,
        "clocks": [{"scheme": c.scheme, "ends": c.ends, "what": c.what, "near": c.near(now)} for c in disputes[:3]],
        "evidence": [m.name or m.kind.value for m in order.evidence] + [f"proof of delivery {n}" for n in signed],
    }


def buttons(case: Case, record: Conversation) -> tuple[str, ...]:
    """What can be done with a case as it stands; each is the kind of an act."""
    if case.closed_at is not None:
        return ("take", "note")
    speaks = ("reply", "note", "handback") if held_by_person(record) else ("take", "reply", "note")
    return (*speaks, "resolve", "snooze", "assign")
