"""A reply from the web can be taken back for a moment, as one from Slack."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from bot.model.staff import Role
from bot.store import Store
from tests.desk.test_acts import act, at_work
from tests.deskhouse import DeskHome, desk_home
from tests.house import Wire, home

AGENT = Role.AGENT


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


@pytest.fixture
async def amending(store: Store, tmp_path: Path) -> AsyncIterator[DeskHome]:
    """A desk on a channel that changes and deletes what it delivered."""
    async with _asked_for(store, tmp_path, 0.0, amends=True) as made:
        yield made


@asynccontextmanager
async def _asked_for(
    store: Store, folder: Path, undo_seconds: float, *, amends: bool = False
) -> AsyncIterator[DeskHome]:
    wire = Wire(limits=replace(Wire().limits, amends=amends))
    async with home(store, folder, wire=wire) as bot, desk_home(bot, undo_seconds=undo_seconds) as made:
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


def changes(page: str) -> list[str]:
    """What can be done to replies that have left, as their page offers it."""
    return [kind for kind in ("edit", "undo") if f'name="kind" value="{kind}"' in page]


async def test_what_has_left_is_changed_and_deleted_where_the_channel_can(amending: DeskHome) -> None:
    mei, lee, ada = [await amending.visitor(n, r) for n, r in (("Mei", AGENT), ("Lee", AGENT), ("Ada", Role.LEAD))]
    async with at_work(amending):
        await act(mei, "reply", "Teh answer")
        (sent,) = await amending.home.send()
        page = (await mei.get("/desk/cases/1")).text
        assert changes(page) == ["edit", "undo"]
        assert changes((await lee.get("/desk/cases/1")).text) == []
        ref = page.split('name="ref" value="')[1].split('"')[0]
        assert (await act(lee, "edit", "Ha", ref=ref)).json()["told"].startswith("Not done: only who wrote it")
        assert (await act(mei, "edit", " ", ref=ref)).json() == {"ok": False, "told": "There is nothing to send."}
        told = (await act(mei, "edit", "The answer", ref=ref)).json()
        assert told == {"ok": True, "told": "Changed in the buyer's chat."}
        (changed,) = await amending.home.send()
        assert (changed.text, changed.amends) == ("The answer", "p2")
        page = (await mei.get("/desk/cases/1")).text
        assert "changed since" in page
        assert ">The answer</textarea>" in page, "the next edit begins with what the buyer has"
        told = (await act(ada, "undo", ref=ref)).json()
        assert told == {"ok": True, "told": "Deleted in the buyer's chat; they may have read it."}
        (gone,) = await amending.home.send()
        assert (gone.text, gone.amends) == ("", "p2")
        page = (await ada.get("/desk/cases/1")).text
    assert "deleted in the buyer" in page
    assert changes(page) == []
    assert sent.text == "Teh answer"


async def test_a_reply_of_several_messages_can_be_deleted_alone_and_its_writer_reads_so(amending: DeskHome) -> None:
    mei = await amending.visitor("Mei")
    async with at_work(amending):
        await act(mei, "reply", "word " * 1000)
        assert len(await amending.home.send()) == 2
        page = (await mei.get("/desk/cases/1")).text
        assert changes(page) == ["undo"]
        assert "It went in several messages" in page
        ref = page.split('name="ref" value="')[1].split('"')[0]
        told = (await act(mei, "edit", "shorter", ref=ref)).json()
        assert told == {"ok": False, "told": "Not changed: it went in several messages. Delete it and write anew."}
        assert (await act(mei, "undo", ref=ref)).json()["ok"]
        assert [(m.text, bool(m.amends)) for m in await amending.home.send()] == [("", True), ("", True)]


async def test_that_a_channel_cannot_change_what_it_delivered_is_said_while_there_is_time(slow: DeskHome) -> None:
    mei = await slow.visitor("Mei")
    async with at_work(slow):
        await act(mei, "reply", "Hello")
        assert "Test cannot change it later" in (await mei.get("/desk/cases/1")).text


async def test_an_edit_by_somebody_else_in_the_same_turn_changes_nothing(slow: DeskHome) -> None:
    bot = slow.home
    ref = await bot.act("reply", "Mei", "Mine", undo_seconds=60.0)
    await bot.act("edit", "Lee", "Not mine", ref=ref)
    await bot.work()
    await bot.act("edit", "Lee", "Not mine either", ref=ref)
    await bot.work()
    said = [e.what for e in await bot.store.case_history(1)]
    assert said.count("not_theirs") == 2
    await bot.act("edit", "Mei", "Mine, better", ref=ref)
    await bot.work()
    assert "edited" in [e.what for e in await bot.store.case_history(1)]
