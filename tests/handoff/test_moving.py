"""A case that is given away: to a colleague or to another queue, it waits until somebody there says yes."""

from datetime import timedelta
from pathlib import Path

from bot.handoff.ladder import waits
from bot.handoff.rota import Person, Queue, Rules
from bot.model.cases import Case
from bot.model.conversations import QUEUE
from bot.model.messages import Address
from tests.house import HOURS, PLACE, ZONE, Home, sqlite_home

MORNING = timedelta(hours=13, minutes=5)
RULES = Rules(
    HOURS,
    ZONE,
    queues=(Queue("returns", kinds=frozenset({"return_refund"})),),
    people=(Person("Lee", queues=frozenset({"default"})), Person("Kim", queues=frozenset({"returns"}))),
)
RETURNS = Address("desk", "board", "C2")
PLACES = {"default": PLACE, "returns": RETURNS}


async def only_case(house: Home) -> Case:
    (case,) = await house.store.cases()
    return case


async def happened(house: Home) -> list[tuple[str, str, str]]:
    return [(e.who, e.what, e.text) for e in await house.store.case_history(1)]


async def test_a_case_in_another_queue_waits_there_and_calls_its_people(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path, rules=RULES) as house:
        await house.ask("a person please")
        await house.act("take", "Lee")
        await house.act("move", "Lee", whom="returns")
        await house.work()
        case = await only_case(house)
        assert (case.queue, case.owner) == ("returns", "")
        assert (await house.conversation()).holder == "staff:Lee"
        assert waits(case)
        assert ("Lee", "moved", "returns") in await happened(house)
        await house.pass_time(MORNING)
        assert [text for _, what, text in await happened(house) if what == "paged"] == ["Kim"]


async def test_no_case_goes_to_a_queue_that_is_not(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path, rules=RULES) as house:
        await house.ask("a person please")
        await house.act("move", "Lee", whom="nowhere")
        await house.work()
        assert (await only_case(house)).queue == "default"
        assert "moved" not in [what for _, what, _ in await happened(house)]


async def test_the_desk_shows_it_in_the_other_channel_and_takes_leave_in_the_first(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path, rules=RULES, places=PLACES) as house:
        await house.ask("a person please")
        await house.show()
        await house.act("move", "Lee", whom="returns", surface=PLACE, by="U0LEE")
        await house.work()
        board = await house.show()
        first, second = board.cards.values()
        assert "goes on in the queue returns" in first.text
        assert not first.choices
        assert first.to == PLACE
        assert second.to == RETURNS
        assert "Take over" in [c.title for c in second.choices]
        await house.act("take", "Kim", surface=RETURNS, by="U0KIM")
        await house.work()
        await house.show()
        first, second = board.cards.values()
        assert "Kim speaks" in second.text
        assert "Kim speaks" not in first.text


async def test_who_still_speaks_does_not_take_back_what_they_gave_away(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path, rules=RULES) as house:
        await house.ask("a person please")
        await house.act("take", "Lee")
        await house.act("assign", "Lee", whom="Kim")
        await house.act("reply", "Lee", "My colleague will write to you.")
        await house.work()
        case = await only_case(house)
        assert case.owner == "Kim"
        assert waits(case)
        await house.act("handback", "Lee")
        await house.work()
        case = await only_case(house)
        assert case.owner == "Kim"
        assert waits(case)
        assert (await house.conversation()).holder == QUEUE
        assert "colleague" in "\n".join(m.text for m in await house.send())


async def test_a_case_given_on_by_somebody_who_leaves_waits_for_whom_it_was_given_to(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path, rules=RULES) as house:
        await house.ask("a person please")
        await house.act("take", "Lee")
        await house.act("assign", "Lee", whom="Kim")
        await house.act("release", "Ada", whom="Lee", senior=True)
        await house.work()
        assert (await house.conversation()).holder == QUEUE
        case = await only_case(house)
        assert (case.owner, case.acknowledged_at) == ("Kim", None)
        assert ("Ada", "released", "Lee") in await happened(house)
