"""How a case is opened, asked again, written to by its buyer, and kept on its clocks. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from bot.handoff.rota import Rules
from bot.model.cases import Case, CaseDraft, CaseEvent, CaseState, Priority
from bot.model.conversations import Conversation
from bot.model.events import conversation_lane

PRIORITIES: Mapping[str, Priority] = {
    "dispute_near": Priority.URGENT,
    "anger": Priority.URGENT,
    "lost": Priority.HIGH,
    "not_received": Priority.HIGH,
    "damaged_missing": Priority.HIGH,
    "refused": Priority.HIGH,
    "change_address": Priority.HIGH,
    "customs": Priority.HIGH,
}

JUST_NOW = timedelta(minutes=2)
"""A first answer that is taken back was given no longer ago: replies wait for seconds."""


class Desked(Struct, frozen=True):
    """A case as a step leaves it, with the lines that the step adds to its history."""

    case: Case
    history: tuple[CaseEvent, ...] = ()


def opened(draft: CaseDraft, record: Conversation, shop: str, rules: Rules, now: datetime) -> Desked:
    """A new case in its queue, with its clocks running."""
    due = rules.after(now, rules.answer_minutes)
    case = Case(
        id=0,
        conversation=conversation_lane(record.address),
        kind=draft.kind,
        summary=draft.summary,
        order=draft.order,
        owner="",
        opened_at=now,
        shop=shop,
        locale=record.locale,
        queue=rules.queue_for(shop, record.locale, draft.kind),
        priority=PRIORITIES.get(draft.kind, Priority.NORMAL),
        answer_due=due,
        promised_by=due,
        resolve_due=rules.after(now, rules.resolve_hours * 60),
        queued_at=now,
    )
    return Desked(case, (CaseEvent("opened", draft.summary, data=draft.kind.encode()),))


def asked_again(case: Case, draft: CaseDraft, rules: Rules, now: datetime, *, waits: bool) -> Desked:
    """The same buyer asks for a person once more, or a rule does. `waits`: nobody speaks with them now.

    A case that somebody had acknowledged and handed back climbs its ladder anew, from its owner on.
    """
    priority = min(case.priority, PRIORITIES.get(draft.kind, Priority.NORMAL))
    again = replace(case, priority=priority, order=case.order if case.order is not None else draft.order)
    same = draft.kind == case.kind and draft.summary == case.summary
    history = () if same else (CaseEvent("again", draft.summary, data=draft.kind.encode()),)
    if case.state == CaseState.RESOLVED:
        return reopened(again, draft, rules, now)
    if waits and case.state != CaseState.OPEN:
        again = queued(again, rules, now)
    return Desked(again, history)


def reopened(case: Case, draft: CaseDraft, rules: Rules, now: datetime) -> Desked:
    """A case that was resolved a moment ago, in the same turn, goes on."""
    again = replace(queued(case, rules, now), closed_at=None)
    return Desked(again, (CaseEvent("again", draft.summary, data=draft.kind.encode()),))


def queued(case: Case, rules: Rules, now: datetime) -> Case:
    """The case waits for somebody from now on."""
    due = rules.after(now, rules.answer_minutes)
    return replace(
        case,
        state=CaseState.OPEN,
        acknowledged_at=None,
        snoozed_until=None,
        queued_at=now,
        step=0,
        paged=(),
        active_at=None,
        promised_by=due,
        next_due=due if case.answered_at is not None else case.next_due,
        late=(),
    )


def buyer_wrote(case: Case, rules: Rules, now: datetime, *, person: bool) -> Case:
    """The buyer wrote: a snoozed case wakes, and where a person speaks an answer is owed."""
    if case.state == CaseState.SNOOZED:
        case = replace(case, state=CaseState.OPEN, snoozed_until=None)
    if not person:
        return case
    owed = case.next_due is None and case.answered_at is not None
    due = rules.after(now, rules.next_minutes) if owed else case.next_due
    late = tuple(name for name in case.late if name != "next") if owed else case.late
    return replace(case, state=CaseState.OPEN, next_due=due, active_at=now, late=late)


def answered(case: Case, now: datetime) -> Case:
    """A person answered: nothing is owed until the buyer writes again."""
    return replace(
        case,
        state=CaseState.WAITING,
        answered_at=case.answered_at or now,
        next_due=None,
        active_at=now,
        snoozed_until=None,
        late=tuple(name for name in case.late if name not in {"next", "answer"}),
    )


def unanswered(case: Case, rules: Rules, now: datetime) -> Case:
    """A reply was taken back before it left: its buyer waits again."""
    if case.state == CaseState.RESOLVED or case.answered_at is None:
        return case
    if now - case.answered_at < JUST_NOW:
        return replace(case, state=CaseState.OPEN, answered_at=None)
    return replace(case, state=CaseState.OPEN, next_due=case.next_due or rules.after(now, rules.next_minutes))


def acknowledged(case: Case, name: str, now: datetime) -> Case:
    """A person said that it is theirs."""
    return replace(case, owner=name, acknowledged_at=now, active_at=now)
