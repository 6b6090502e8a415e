"""Whether they were satisfied is asked once, after a person helped, and only where the gate lets it through."""

from datetime import timedelta
from pathlib import Path

from bot.handoff.figures import figures
from bot.model.markup import plain
from bot.model.messages import Outbound
from bot.model.orders import Order
from bot.store.reports import heard
from tests.house import HOURS, NOON, ZONE, Home, sqlite_home

ANNA = Order("1042", NOON, buyer_ref="anna", name="Anna", postcode="10115", country="DE")


def surveys(sent: list[Outbound]) -> list[Outbound]:
    return [m for m in sent if "satisfied" in plain(m.text)]


async def helped(house: Home, *, consent: bool = True, reply: bool = True) -> None:
    """Anna proved her order, a person helped her and resolved the case."""
    await house.seed(ANNA)
    await house.ask("where is my order 1042?")
    await house.ask("10115")
    if consent:
        await house.ask(choice="notify:on")
    await house.ask("a person please")
    await house.act("take")
    if reply:
        await house.act("reply", text="It leaves tomorrow.")
    await house.act("tag", text="vip")
    await house.work()
    await house.act("resolve")
    await house.work()
    await house.send()


async def test_it_is_asked_once_after_a_while_and_the_answer_is_in_the_report(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await helped(house)
        assert surveys(await house.pass_time(timedelta(minutes=1))) == []
        (asked,) = surveys(await house.pass_time(timedelta(hours=1)))
        assert [c.title for c in asked.choices] == ["Satisfied", "Not satisfied"]
        thanked = await house.ask(choice=asked.choices[1].value)
        assert thanked
        assert surveys(await house.pass_time(timedelta(days=1))) == []
        now = house.clock.now()
        found = await heard(house.store.database, now - timedelta(days=7), now)
        told = figures(found, HOURS, ZONE, now)
        assert (told.rated, told.satisfied) == (1, 0)
        assert told.satisfied_share == 0.0
        await house.ask(choice=asked.choices[0].value)
        now = house.clock.now() + timedelta(seconds=1)
        told = figures(await heard(house.store.database, now - timedelta(days=7), now), HOURS, ZONE, now)
        assert (told.rated, told.satisfied) == (1, 1), "the last word counts, once"
        assert told.contacts == 1, "a verdict is no question"


async def test_resolved_again_it_is_not_asked_again(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await helped(house)
        assert len(surveys(await house.pass_time(timedelta(hours=1)))) == 1
        await house.ask("a person please")
        await house.act("take")
        await house.act("reply", text="Here I am.")
        await house.work()
        await house.act("resolve")
        await house.work()
        assert len(surveys(await house.pass_time(timedelta(hours=1)))) == 0, "one calm message a day"


async def test_who_did_not_consent_or_was_not_answered_is_not_asked(tmp_path: Path) -> None:
    for name, how in (("a", {"consent": False}), ("b", {"reply": False})):
        (tmp_path / name).mkdir()
        async with sqlite_home(tmp_path / name) as house:
            await helped(house, **how)
            assert surveys(await house.pass_time(timedelta(hours=1))) == [], how
            assert surveys(await house.pass_time(timedelta(days=3))) == [], how


async def test_while_a_person_speaks_again_it_is_no_message_but_a_note(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await helped(house)
        await house.act("take")
        await house.work()
        assert surveys(await house.pass_time(timedelta(hours=1))) == []


async def test_without_an_order_no_consent_is_known_and_nothing_is_asked(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await house.ask("a person please")
        await house.act("reply", text="Hello.")
        await house.work()
        await house.act("resolve")
        await house.work()
        await house.send()
        assert surveys(await house.pass_time(timedelta(hours=1))) == []


async def test_one_that_the_night_caught_before_it_left_is_not_asked_and_holds_nobody_up(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await helped(house)
        house.clock.forward(timedelta(hours=1))
        await house.store.wake()
        await house.work()
        house.clock.forward(timedelta(hours=9))
        assert surveys(await house.pass_time()) == []
        assert surveys(await house.pass_time(timedelta(hours=10))) == []
        assert await house.store.dead_letters() == []
        assert "1042" in await house.ask("where is my order 1042?")
