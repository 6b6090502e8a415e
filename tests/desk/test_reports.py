"""The report over a real history, as a page and as a command."""

from datetime import timedelta

from bot.handoff.figures import figures
from bot.model.staff import Role
from bot.store.reports import heard
from tests.deskhouse import DeskHome
from tests.house import HOURS


async def test_a_takeover_and_a_bots_answer_are_told_apart(desk: DeskHome) -> None:
    home = desk.home
    await home.say("Where is my order?", chat="anna")
    await home.say("I want to talk to a human", chat="ben")
    await home.act("take", chat="ben")
    await home.work()
    await home.act("reply", text="Hello Ben", chat="ben")
    await home.work()
    await home.send()
    await home.act("resolve", chat="ben")
    await home.work()
    await home.send()
    now = home.clock.now()
    found = await heard(home.store.database, now - timedelta(days=1), now + timedelta(minutes=1))
    told = figures(found, HOURS, desk.house.zone, now + timedelta(days=4))
    assert (told.contacts, told.judged, told.alone) == (2, 2, 1)
    assert (told.cases, told.answered, told.resolved) == (1, 1, 1)
    assert (told.duplicates, told.lost, told.double_speakers) == (0, 0, 0)
    lead = await desk.visitor("Lena", Role.LEAD)
    page = (await lead.get("/desk/reports?days=7")).text
    assert "questions per 100 parcels" in page
    assert "<svg" in page
