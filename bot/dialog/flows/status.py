"""Where is it, when will it come, why does it not move, it says delivered: one answer from what is known.

What was said opens the question; what the carrier reports decides the answer.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from msgspec.structs import replace

from bot.dialog.identity import proves
from bot.dialog.say import answer, hand_over
from bot.dialog.telling import is_open, latest, order_facts, public_facts, worst_first, zone_of
from bot.dialog.turn import Decision, Dossier, Reason, Turn
from bot.model.cases import CaseDraft
from bot.model.messages import Option
from bot.model.orders import Duties
from bot.model.parcels import Parcel
from bot.model.tracks import Status

LISTED = 5
LOOKUPS = 20
"""Distinct tracking numbers that a chat may ask without proof, a day."""
TELL_ME = Option("notify:on", phrase="tell_me")
CAME = (Option("i:received", phrase="intent_received"), Option("i:not_received", phrase="intent_not_received"))
TROUBLE = {
    "lost": "lost",
    "destroyed": "lost",
    "damaged": "damaged_missing",
    "refused": "refused",
    "refused_attempt": "refused",
}
"""Causes that only a person can put right, and the case that they are."""
BAD_ENDS = {Status.EXCEPTION, Status.RETURNING, Status.RETURNED, Status.DELIVERED, Status.DELIVERY_ATTEMPTED}
SAYS = {
    "lost": "the carrier says that it is lost. Claim it there, and settle with the buyer.",
    "damaged_missing": "the carrier reports damage. Ask for photos before the box is thrown away.",
    "refused": "the carrier says that it was refused. The buyer asks where it is.",
}
CUSTOMS = {
    "info_required": "customs wants papers or information.",
    "held": "customs holds it. Papers may be wanted.",
    "refused": "customs refused it. Papers may be wanted.",
    "duty_due": "duty is due that we pay. The buyer may have been asked for it: settle it with the carrier.",
}
"""Causes at customs that only a person can settle, and what staff are told."""
MOVING = {
    s.value
    for s in (
        Status.ACCEPTED,
        Status.IN_TRANSIT,
        Status.DEPARTED_ORIGIN,
        Status.ARRIVED_DESTINATION,
        Status.OUT_FOR_DELIVERY,
    )
}
"""Statuses of a parcel on which nothing has gone wrong."""
FAMILY = {"wismo", "delivery_estimate", "stalled"}


def where(turn: Turn, dossiers: Sequence[Dossier], *, worried: bool = False) -> Decision:
    """Where the parcels of one order are; of several orders, a list. `worried`: it was asked why it takes so long, or
    whether it is lost."""
    if len(dossiers) > 1:
        return several(turn, dossiers)
    dossier = dossiers[0]
    record = replace(turn.conversation, focus=dossier.id)
    options = _next_steps(turn, dossier)
    told = order_facts(dossier, turn.facts, turn.now)
    if worried and _as_usual(told):
        told["as_usual"] = True
    zone = zone_of(dossier.order, turn.facts, turn.now)
    trouble = next((TROUBLE[p.cause] for p in dossier.parcels if p.status in BAD_ENDS and p.cause in TROUBLE), None)
    if trouble is not None and record.case is None and proves(record, dossier, turn.now):
        case = CaseDraft(trouble, f"Order {dossier.order.number}: {SAYS[trouble]}", dossier.id)
        return hand_over(turn, "where", case, told, record=record, zone=zone)
    return answer(turn, "where", told, options=options, record=record, zone=zone)


def _as_usual(told: Mapping[str, Any]) -> bool:
    """Whether all that is known of every parcel says that it moves, in time: also by the day that the shop promised."""
    promised = told.get("promised", date.max)
    return (
        bool(told["parcels"])
        and not told.get("promise_passed")
        and all(
            p["status"] in MOVING
            and p["cause"] != "rerouted"
            and not (p["stalled"] or p["ended"])
            and "silent_days" in p
            and "down_since" not in p
            and "untracked" not in p
            and "first" in p
            and not p["late"]
            and latest([promised, p["last"]]) == promised
            for p in told["parcels"]
        )
    )


def _next_steps(turn: Turn, dossier: Dossier) -> tuple[Option, ...]:
    """What a buyer may want after hearing where it is: to be told of changes, or to say whether it came."""
    if dossier.parcels and all(p.status == Status.DELIVERED for p in dossier.parcels):
        return CAME
    if not is_open(dossier) or "parcel_updates" in turn.facts.consents:
        return ()
    return (TELL_ME,)


def several(turn: Turn, dossiers: Sequence[Dossier]) -> Decision:
    """A line for each order and a button for each: as they were named, else the open and newest first."""
    named = turn.said.values("order", "number", "tracking")
    shown = (dossiers if named else sorted(dossiers, key=lambda d: (not is_open(d), -d.id)))[:LISTED]
    lines = [{"number": d.order.number, "status": worst_first(d).value} | _window(turn, d) for d in shown]
    options = tuple(Option(f"o:{d.id}", title=d.order.number) for d in shown)
    return answer(turn, "several", {"orders": lines, "more": len(dossiers) > LISTED}, options=options)


def _window(turn: Turn, dossier: Dossier) -> dict[str, object]:
    parcels = order_facts(dossier, turn.facts, turn.now)["parcels"]
    last = [p["last"] for p in parcels if "last" in p]
    return {"last": latest(last)} if last else {}


def public(turn: Turn, number: str) -> Decision:
    """A tracking number without proof: status, country and day of a parcel of ours, else the carrier's page."""
    if turn.facts.lookups >= LOOKUPS:
        return answer(turn, "lookups_over", options=(Option("i:human", phrase="human"),))
    ours = _parcel(turn, number)
    carrier = next((e.carrier for e in turn.said.entities if e.kind == "tracking" and e.value == number), "")
    if ours is None:
        said = answer(turn, "not_ours", {"tracking": number, "carrier": carrier})
    else:
        said = answer(turn, "public", public_facts(ours, turn.now), options=(Option("i:prove", phrase="see_more"),))
    return replace(said, looked_up=(number,))


def _parcel(turn: Turn, number: str) -> Parcel | None:
    pairs = turn.facts.trackings.get(number, ())
    parcels = (
        p
        for order, parcel in pairs
        if order in turn.facts.found
        for p in turn.facts.found[order].parcels
        if p.id == parcel
    )
    return next(parcels, None)


def not_received(turn: Turn, dossiers: Sequence[Dossier]) -> Decision:
    """Delivered, the carrier says: what to check, and a person looks into it. Not delivered: where it is."""
    delivered = [d for d in dossiers if any(p.status == Status.DELIVERED for p in d.parcels)]
    if not delivered:
        said = where(turn, dossiers)
        return replace(said, reasons=(*said.reasons, Reason("not_received.not_delivered_yet")))
    dossier = delivered[0]
    case = CaseDraft(
        "not_received",
        f"Order {dossier.order.number}: delivered by the carrier's word, not received by the "
        "buyer's. Get the proof of delivery before the carrier's data ends.",
        dossier.id,
    )
    told = order_facts(dossier, turn.facts, turn.now)
    record = replace(turn.conversation, focus=dossier.id)
    return hand_over(turn, "not_received", case, told, record=record, zone=zone_of(dossier.order, turn.facts, turn.now))


def customs(turn: Turn, dossiers: Sequence[Dossier]) -> Decision:
    """What customs wants and who pays; never an amount. What only a person can give opens a case, and so does duty that
    somebody asks of the buyer where the shop pays it."""
    dossier = dossiers[0]
    told = order_facts(dossier, turn.facts, turn.now)
    record = replace(turn.conversation, focus=dossier.id)
    zone = zone_of(dossier.order, turn.facts, turn.now)
    ours = dossier.order.duties == Duties.SELLER
    causes = [p.cause for p in dossier.parcels if p.status == Status.CUSTOMS]
    says = next((CUSTOMS[c] for c in causes if c in CUSTOMS and (ours or c != "duty_due")), "")
    if not says:
        return answer(turn, "customs", told, record=record, zone=zone)
    case = CaseDraft("customs", f"Order {dossier.order.number}: {says}", dossier.id)
    return hand_over(turn, "customs", case, told, record=record, zone=zone)


def packing_list(turn: Turn, dossiers: Sequence[Dossier]) -> Decision:
    """What is in the box, as it was packed."""
    dossier = dossiers[0]
    items = [
        {"title": i.title, "quantity": i.quantity, "specification": i.specification, "accessories": list(i.accessories)}
        for i in dossier.order.items
    ]
    record = replace(turn.conversation, focus=dossier.id)
    return answer(turn, "packing_list", {"number": dossier.order.number, "items": items}, record=record)


def received(turn: Turn, dossiers: Sequence[Dossier]) -> Decision:
    """It came: thanks, and the record says so."""
    said = answer(turn, "received", {"number": dossiers[0].order.number})
    return replace(said, reasons=(*said.reasons, Reason("buyer.received", {"order": dossiers[0].id})))


def proved(turn: Turn, dossiers: Sequence[Dossier]) -> list[Dossier]:
    """Those of the dossiers that this chat may hear of."""
    return [d for d in dossiers if proves(turn.conversation, d, turn.now)]
