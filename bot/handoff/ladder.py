"""A handover counts when a person acknowledges it; until then it climbs. And what else a case's time brings. Pure.

called     as soon as somebody is there, one person is called
step 1     after `ping_minutes` the same person is called again
step 2     after as long again, the next person
step 3     when the answer was due, everybody is called and the buyer hears that it takes longer, and until when
step 4 …   after each further `answer_minutes` everybody is called again

A case looks at itself in the turns of its conversation; `next_at` is when it wants the next one.
"""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from bot.handoff.files import queued
from bot.handoff.rota import Rules
from bot.handoff.speaking import PERSON, held_by_person
from bot.model.cases import Case, CaseEvent, CaseState
from bot.model.conversations import BOT, QUEUE, Conversation

EVERYBODY = 3
"""From this step on everybody is called."""
MOST_STEPS = 60
"""Whoever was called so often will not come by being called."""


class Looked(Struct, frozen=True):
    """What a look at a case leads to. `template` is a word to the buyer."""

    conversation: Conversation
    case: Case
    history: tuple[CaseEvent, ...] = ()
    template: str = ""
    next_at: datetime | None = None


def look(record: Conversation, case: Case, rules: Rules, now: datetime) -> Looked:
    """Do all that is due by now, and say when to look again."""
    if case.state == CaseState.RESOLVED:
        return Looked(record, case)
    done = Looked(record, case)
    for step in (_wake, _idle, _climb, _promises):
        more = step(done.conversation, done.case, rules, now)
        done = Looked(more.conversation, more.case, done.history + more.history, more.template or done.template)
    return replace(done, next_at=_next(done.conversation, done.case, rules, now))


def waits(case: Case) -> bool:
    """Whether nobody has said yet that the case is theirs."""
    return case.state == CaseState.OPEN and case.acknowledged_at is None and case.queued_at is not None


def _wake(record: Conversation, case: Case, rules: Rules, now: datetime) -> Looked:
    if case.state != CaseState.SNOOZED or case.snoozed_until is None or case.snoozed_until > now:
        return Looked(record, case)
    woken = replace(case, state=CaseState.OPEN, snoozed_until=None, active_at=now)
    return Looked(record, woken, (CaseEvent("woke", data=case.owner.encode()),))


def _idle(record: Conversation, case: Case, rules: Rules, now: datetime) -> Looked:
    """A person who has been silent too long speaks no more: an unanswered buyer waits in the queue again."""
    due = _idle_due(record, case, rules)
    if due is None or due > now:
        return Looked(record, case)
    owes = case.next_due is not None or case.answered_at is None
    free = replace(record, holder=QUEUE if owes else BOT, version=record.version + 1, unsure=0)
    name = record.holder.removeprefix(PERSON)
    left = CaseEvent("handed_back", "idle", data=name.encode())
    if owes:
        return Looked(free, replace(queued(case, rules, now), owner=""), (left,), "case_wait")
    return Looked(free, replace(case, state=CaseState.WAITING, active_at=None), (left,), "handed_back")


def _idle_due(record: Conversation, case: Case, rules: Rules) -> datetime | None:
    if not held_by_person(record) or case.active_at is None or case.state == CaseState.SNOOZED:
        return None
    return rules.after(case.active_at, rules.handback_hours * 60)


def _climb(record: Conversation, case: Case, rules: Rules, now: datetime) -> Looked:
    history: list[CaseEvent] = []
    template = ""
    while waits(case) and (due := _rung(case, rules)) is not None and due <= now:
        called = _called(case, rules, now)
        what = CaseEvent("paged" if called else "nobody_there", ", ".join(called), data=str(case.step).encode())
        # Rungs that were slept through together are one call.
        history = [h for h in history if h.what not in {"paged", "nobody_there"}] + [what]
        if case.step == EVERYBODY and record.holder == QUEUE:
            case = replace(case, promised_by=rules.after(now, rules.answer_minutes))
            history.append(CaseEvent("told_buyer", "late"))
            template = "case_wait"
        case = replace(case, step=case.step + 1, paged=(*case.paged, *called)[-20:])
    return Looked(record, case, tuple(history), template)


def _rung(case: Case, rules: Rules) -> datetime | None:
    """When the next rung is due: `step` counts those climbed, the first call among them."""
    since, step = case.queued_at, case.step
    if since is None or step >= MOST_STEPS:
        return None
    if step == 0:
        return rules.hours.next_open(since, rules.zone)
    answer = float(rules.answer_minutes)
    ping = min(float(rules.ping_minutes), answer / 3)
    minutes = ping * step if step < EVERYBODY else answer * (step - EVERYBODY + 1)
    return rules.after(since, minutes)


def _called(case: Case, rules: Rules, now: datetime) -> tuple[str, ...]:
    """Whom this rung calls; where no staff are named in the config, the queue's channel is all there is to call."""
    if not rules.people:
        return ("everybody",)
    there = rules.on_shift(case.queue, case.locale, now)
    if case.step >= EVERYBODY:
        return there
    if case.step == 0 and case.owner in there:
        return (case.owner,)
    if case.step == 1 and case.paged and case.paged[-1] in there:
        return case.paged[-1:]
    following = rules.next_person(case.queue, case.locale, now, case.paged)
    return (following,) if following else ()


def _promises(record: Conversation, case: Case, rules: Rules, now: datetime) -> Looked:
    """Promises that were broken are reported once each."""
    history = []
    for name, due in _running(case):
        if due <= now and name not in case.late:
            case = replace(case, late=(*case.late, name))
            history.append(CaseEvent("late", name, data=case.owner.encode()))
    return Looked(record, case, tuple(history))


def _running(case: Case) -> list[tuple[str, datetime]]:
    clocks = (
        ("answer", case.answer_due if case.answered_at is None else None),
        ("next", case.next_due),
        ("resolve", case.resolve_due),
    )
    return [(name, due) for name, due in clocks if due is not None and case.state != CaseState.SNOOZED]


def _next(record: Conversation, case: Case, rules: Rules, now: datetime) -> datetime | None:
    due = [at for name, at in _running(case) if name not in case.late]
    due += [at for at in (_idle_due(record, case, rules), case.snoozed_until) if at is not None]
    if waits(case) and (rung := _rung(case, rules)) is not None:
        due.append(rung)
    return min((at for at in due if at > now), default=None)
