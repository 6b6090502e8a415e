"""A reply from the web can be taken back for a moment, as one from Slack."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.model.staff import Role
from bot.store import Store
from tests.desk.test_acts import act, at_work
from tests.deskhouse import DeskHome, desk_home
from tests.house import home


@pytest.fixture
async def slow(store: Store, tmp_path: Path) -> AsyncIterator[DeskHome]:
    """A desk whose replies wait, and a buyer who waits for a person."""
    async with _asked_for(store, tmp_path, 60.0) as made:
        yield made


@pytest.fixture
async def quick(store: Store, tmp_path: Path) -> AsyncIterator[DeskHome]:
    """A desk whose replies leave at once."""
    async with _asked_for(store, tmp_path, 0.0) as made:
        yield made


@asynccontextmanager
async def _asked_for(store: Store, folder: Path, undo_seconds: float) -> AsyncIterator[DeskHome]:
    async with home(store, folder) as bot, desk_home(bot, undo_seconds=undo_seconds) as made:
        await bot.say("I want to talk to a human")
        await made.app.state.live.refresh()
        yield made


async def test_a_reply_that_has_not_left_is_taken_back_and_the_buyer_never_reads_it(slow: DeskHome) -> None:
    mei, lee = await slow.visitor("Mei"), await slow.visitor("Lee")
    async with at_work(slow):
        await act(mei, "reply", "To the wrong buyer!")
        assert await slow.home.send() == []
        page = (await mei.get("/desk/cases/1")).text
        assert ">Undo<" in page
        assert ">Undo<" not in (await lee.get("/desk/cases/1")).text
        ref = page.split('value="undo"')[1].split('name="ref" value="')[1].split('"')[0]
        assert (await act(mei, "undo", ref=ref)).json() == {"ok": True, "told": "Taken back."}
    page = (await mei.get("/desk/cases/1")).text
    assert "taken back: the buyer does not read it" in page
    assert ">Undo<" not in page
    (case,) = await slow.home.store.cases()
    assert case.answered_at is None, "nobody has answered"
    assert case.state == "open"


async def test_a_colleagues_reply_is_taken_back_by_a_lead_alone(slow: DeskHome) -> None:
    mei, lee, ada = await slow.visitor("Mei"), await slow.visitor("Lee"), await slow.visitor("Ada", Role.LEAD)
    async with at_work(slow):
        await act(mei, "reply", "Hello")
        page = (await ada.get("/desk/cases/1")).text
        ref = page.split('value="undo"')[1].split('name="ref" value="')[1].split('"')[0]
        told = (await act(lee, "undo", ref=ref)).json()
        assert told == {"ok": False, "told": "Not done: only who wrote it, a lead or an admin can take it back."}
        assert (await act(ada, "undo", ref=ref)).json() == {"ok": True, "told": "Taken back."}


async def test_what_has_left_is_not_taken_back(quick: DeskHome) -> None:
    mei = await quick.visitor("Mei")
    async with at_work(quick):
        await act(mei, "reply", "Hello")
        (sent,) = await quick.home.send()
        key = next(e.key for e in await quick.home.store.case_history(1) if e.what == "reply")
        told = (await act(mei, "undo", ref=key.removesuffix(":reply"))).json()
    assert sent.text == "Hello"
    assert told == {"ok": False, "told": "Too late: it has left already."}
