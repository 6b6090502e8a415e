"""What the doctor says of the desk."""

from datetime import date, timedelta
from pathlib import Path

from bot.cli.deskcheck import posted, shifts, signed_in
from bot.handoff.rota import Person, Queue, Rules
from bot.store.desks import PostsWaiting, posts_waiting
from tests.house import HOURS, NOON, ZONE, sqlite_home

MORNING = NOON + timedelta(hours=14)
"""Ten in Shanghai, on the day after."""
AWAY = ((date(2026, 1, 1), date(2026, 12, 31)),)


def test_cases_that_nobody_can_look_at_are_a_problem() -> None:
    assert signed_in(2, channels=False, cases=5)[0]
    assert signed_in(0, channels=False, cases=0)[0]
    assert signed_in(0, channels=True, cases=5)[0]
    good, _, remedy = signed_in(0, channels=False, cases=1)
    assert not good
    assert "wismo staff add" in remedy


async def test_who_is_there_is_told_and_whom_nobody_answers_is_a_problem(tmp_path: Path) -> None:
    queues = (Queue("returns"),)
    async with sqlite_home(tmp_path) as house:
        await house.ask("a person please")
        cases = await house.store.cases()
        lee = Person("Lee", queues=frozenset({"default"}))
        told = list(shifts(Rules(HOURS, ZONE, queues=queues, people=(lee,)), cases, MORNING))
        assert [(good, text.split(": ", 1)[1]) for good, text, _ in told] == [
            (False, "nobody works in the queue returns"),
            (True, "on shift in the queue default: Lee"),
        ]
        away = Person("Lee", absent=AWAY)
        ((good, text, _),) = shifts(Rules(HOURS, ZONE, people=(away,)), cases, MORNING)
        assert not good
        assert "1 wait in the queue default, and nobody is on shift" in text
        ((good, _, _),) = shifts(Rules(HOURS, ZONE, people=(away,)), cases, NOON)
        assert good, "at night nobody has to be there"
        assert list(shifts(Rules(HOURS, ZONE), cases, MORNING)) == []


async def test_a_desk_that_takes_no_posts_is_a_problem(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        house.board.down = True
        await house.ask("a person please")
        await house.show()
        (waiting,) = await posts_waiting(house.store.database, house.clock.now() + timedelta(minutes=5))
        assert waiting.account == "board"
        assert not posted(waiting)[0]
        house.board.down = False
        await house.show()
        assert await posts_waiting(house.store.database, house.clock.now()) == []
    assert posted(PostsWaiting("board", 1, 3.0))[0]
