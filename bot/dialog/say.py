"""The pieces that every flow answers with."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from bot.dialog.telling import zone_of
from bot.dialog.turn import Decision, Reason, Turn
from bot.model.cases import CaseDraft
from bot.model.conversations import QUEUE, Conversation, Pending
from bot.model.messages import Option, Reply


def answer(  # noqa: PLR0913 - one call says all there is to an answer
    turn: Turn,
    template: str,
    facts: Mapping[str, Any] | None = None,
    *,
    options: Sequence[Option] = (),
    record: Conversation | None = None,
    zone: str = "",
    pending: Pending | None = None,
    ask_contact: bool = False,
    rule: str = "",
) -> Decision:
    """One reply. In the queue it also says who comes and when, since a person was promised."""
    record = replace(record or turn.conversation, pending=pending, unsure=0, greeted=True)
    told = dict(facts or {})
    if record.holder == QUEUE:
        told |= desk_facts(turn)
    reply = Reply(
        record.address,
        template,
        told,
        f"{turn.key}:{template}",
        record.locale or turn.facts.shop.locale,
        zone=zone or _zone(turn, record),
        options=tuple(options),
        ask_contact=ask_contact,
    )
    return Decision(record, (reply,), reasons=(Reason(rule or template),))


def _zone(turn: Turn, record: Conversation) -> str:
    """The zone of the order spoken of, where this turn knows it; else the shop's."""
    dossier = turn.facts.found.get(record.focus) if record.focus is not None else None
    return zone_of(dossier.order, turn.facts, turn.now) if dossier is not None else turn.facts.shop.timezone


def desk_facts(turn: Turn) -> dict[str, Any]:
    """Who answers and when, by the shop's hours."""
    desk = turn.facts.desk
    return {"desk_open": desk.open, "desk_next": desk.next_open, "desk_by": desk.answer_by}


def hand_over(
    turn: Turn,
    template: str,
    case: CaseDraft,
    facts: Mapping[str, Any] | None = None,
    *,
    record: Conversation | None = None,
    zone: str = "",
) -> Decision:
    """Put the conversation in the queue with a case; the buyer hears who answers and when. Where there is a case
    already, it is asked again."""
    before = record or turn.conversation
    decision = answer(turn, template, facts, record=replace(before, holder=QUEUE), zone=zone, rule=f"case.{case.kind}")
    return replace(decision, case=case)


def silent(turn: Turn, rule: str, **inputs: Any) -> Decision:
    """Nothing is said, and the record says why."""
    return Decision(turn.conversation, reasons=(Reason(rule, inputs),))
