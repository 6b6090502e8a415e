"""A handover counts when a person acknowledges it; until then it climbs, in the shop's hours."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from bot.handoff import PERSON, Rules
from bot.handoff.files import acknowledged, answered, asked_again, buyer_wrote, opened
from bot.handoff.ladder import Looked, look, waits
from bot.handoff.rota import Person, Queue
from bot.model.cases import Case, CaseDraft, CaseState, Priority
from bot.model.conversations import BOT, QUEUE, Conversation
from bot.model.hours import parse_hours
from bot.model.messages import Address

ZONE = ZoneInfo("Asia/Shanghai")
HOURS = parse_hours({"mon-fri": "09:00-18:00"})
MORNING = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
"""Tuesday, ten o'clock in the shop."""
NIGHT = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
WAITING = Conversation(Address("test", "shop", "anna"), holder=QUEUE, locale="de")
STAFF = (Person("Lee"), Person("Kim", locales=frozenset({"de"})), Person("Mia", queues=frozenset({"returns"})))
RULES = Rules(HOURS, ZONE, people=STAFF, queues=(Queue("returns", kinds=frozenset({"return_refund"})),))


def case_at(now: datetime, rules: Rules = RULES, kind: str = "human") -> Case:
    return opened(CaseDraft(kind, "A person was asked for."), WAITING, "Lantern", rules, now).case


def climbed(now: datetime, *minutes: float, rules: Rules = RULES) -> list[Looked]:
    """Looks at these minutes after the case was opened."""
    record, case, seen = WAITING, case_at(now, rules), []
    for minute in minutes:
        looked = look(record, case, rules, now + timedelta(minutes=minute))
        record, case = looked.conversation, looked.case
        seen.append(looked)
    return seen


def called(looked: Looked) -> list[str]:
    return [line.text for line in looked.history if line.what == "paged"]


def test_the_first_to_be_called_is_there_and_speaks_the_language() -> None:
    assert called(climbed(MORNING, 0)[0]) == ["Lee"]
    spoken = replace(RULES, people=(replace(STAFF[0], locales=frozenset({"en"})), STAFF[1]))
    assert called(climbed(MORNING, 0, rules=spoken)[0]) == ["Kim"]


def test_it_climbs_again_then_next_then_everybody_and_an_honest_word() -> None:
    first, again, following, late = climbed(MORNING, 0, 10, 20, 60)
    assert (called(first), called(again), called(following)) == (["Lee"], ["Lee"], ["Kim"])
    assert called(late) == ["Lee, Kim"]
    assert late.template == "case_wait"
    assert late.case.promised_by == MORNING + timedelta(minutes=120)
    assert late.case.answer_due == MORNING + timedelta(minutes=60)


def test_it_says_when_to_look_again_and_never_a_time_that_is_over() -> None:
    for looked, minute in zip(climbed(MORNING, 0, 10, 20, 60, 120), (0, 10, 20, 60, 120), strict=True):
        assert looked.next_at is not None
        assert looked.next_at > MORNING + timedelta(minutes=minute)


def test_rungs_that_were_slept_through_are_one_call_and_one_word() -> None:
    (looked,) = climbed(MORNING, 60 * 24 * 7)
    assert len(called(looked)) == 1
    assert looked.template == "case_wait"


def test_nobody_is_called_at_night_and_the_first_thing_in_the_morning() -> None:
    night, morning = climbed(NIGHT, 0, 60 * 11)
    assert called(night) == []
    assert night.next_at == datetime(2026, 11, 25, 1, 0, tzinfo=UTC)
    assert called(morning) == ["Lee"]


def test_whoever_is_away_is_not_called() -> None:
    away = ((date(2026, 11, 23), date(2026, 11, 24)),)
    rules = replace(RULES, people=(replace(STAFF[0], absent=away), STAFF[1]))
    assert called(climbed(MORNING, 0, rules=rules)[0]) == ["Kim"]
    late_shift = replace(RULES, people=(replace(STAFF[0], hours=parse_hours({"tue": "14:00-18:00"})), STAFF[1]))
    assert called(climbed(MORNING, 0, rules=late_shift)[0]) == ["Kim"]


def test_with_nobody_there_the_buyer_still_hears() -> None:
    rules = replace(RULES, people=(STAFF[2],))
    looked = climbed(MORNING, 0, 10, 20, 60, rules=rules)
    assert not any(map(called, looked))
    assert looked[-1].template == "case_wait"


@pytest.mark.parametrize("kind", ["take", "ack"])
def test_who_acknowledges_ends_the_climb(kind: str) -> None:
    case = acknowledged(case_at(MORNING), "Lee", MORNING)
    record = replace(WAITING, holder=PERSON + "Lee") if kind == "take" else WAITING
    looked = look(record, case, RULES, MORNING + timedelta(minutes=59))
    assert not waits(looked.case)
    assert called(looked) == []


def test_a_broken_promise_is_reported_once() -> None:
    case = acknowledged(case_at(MORNING), "Lee", MORNING)
    first = look(WAITING, case, RULES, MORNING + timedelta(minutes=61))
    assert [h.text for h in first.history if h.what == "late"] == ["answer"]
    assert not look(WAITING, first.case, RULES, MORNING + timedelta(minutes=62)).history


def test_the_next_answer_is_owed_from_the_buyers_word_until_staff_answer() -> None:
    case = answered(acknowledged(case_at(MORNING), "Lee", MORNING), MORNING)
    assert case.state == CaseState.WAITING
    owed = buyer_wrote(case, RULES, MORNING + timedelta(minutes=5), person=True)
    assert owed.next_due == MORNING + timedelta(minutes=65)
    assert owed.state == CaseState.OPEN
    again = buyer_wrote(owed, RULES, MORNING + timedelta(minutes=30), person=True)
    assert again.next_due == owed.next_due
    assert answered(again, MORNING + timedelta(minutes=40)).next_due is None


def test_an_idle_person_hands_back_with_a_word_and_an_unanswered_buyer_waits_again() -> None:
    held = replace(WAITING, holder=PERSON + "Lee", version=1)
    case = answered(acknowledged(case_at(MORNING), "Lee", MORNING), MORNING)
    quiet = look(held, case, RULES, MORNING + timedelta(hours=4))
    assert (quiet.conversation.holder, quiet.template) == (BOT, "handed_back")
    assert quiet.conversation.version == 2
    owed = buyer_wrote(case, RULES, MORNING + timedelta(minutes=1), person=True)
    left = look(held, owed, RULES, MORNING + timedelta(hours=4, minutes=1))
    assert (left.conversation.holder, left.template) == (QUEUE, "case_wait")
    assert waits(left.case)
    assert called(left)


def test_a_snoozed_case_is_quiet_until_its_time_or_the_buyers_word() -> None:
    until = MORNING + timedelta(hours=3)
    case = replace(acknowledged(case_at(MORNING), "Lee", MORNING), state=CaseState.SNOOZED, snoozed_until=until)
    asleep = look(WAITING, case, RULES, MORNING + timedelta(hours=2))
    assert not asleep.history
    assert asleep.next_at == until
    assert [h.what for h in look(WAITING, case, RULES, until).history][:1] == ["woke"]
    assert buyer_wrote(case, RULES, MORNING, person=False).state == CaseState.OPEN


def test_a_dispute_clock_that_runs_out_is_urgent() -> None:
    near = CaseDraft("dispute_near", "Its buyer can open a dispute.")
    assert opened(near, WAITING, "shop", RULES, MORNING).case.priority == Priority.URGENT
    assert asked_again(case_at(MORNING), near, RULES, MORNING, waits=True).case.priority == Priority.URGENT


def test_asked_again_a_case_keeps_its_queue_and_takes_the_higher_priority() -> None:
    case = case_at(MORNING)
    again = asked_again(case, CaseDraft("anger", "Angry."), RULES, MORNING, waits=True)
    assert again.case.priority == Priority.URGENT
    assert again.case.queued_at == case.queued_at
    assert [h.what for h in again.history] == ["again"]
    handed_back = replace(acknowledged(case, "Lee", MORNING), state=CaseState.WAITING)
    later = asked_again(handed_back, CaseDraft("human", "Once more."), RULES, MORNING + timedelta(hours=1), waits=True)
    assert waits(later.case)
    assert called(look(WAITING, later.case, RULES, MORNING + timedelta(hours=1))) == ["Lee"]


def test_a_case_comes_to_the_first_queue_that_takes_it() -> None:
    assert case_at(MORNING, kind="return_refund").queue == "returns"
    assert case_at(MORNING).queue == "default"
