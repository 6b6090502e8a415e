"""Who may take a reply back, and until when."""

from datetime import timedelta
from pathlib import Path

from tests.handoff.test_desk_posts import SURFACE, taken
from tests.house import sqlite_home


async def test_a_reply_and_its_undo_in_one_turn_leave_nothing_for_the_buyer(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await taken(house)
        await house.send()
        act = await house.act("reply", text="To the wrong buyer!", undo_seconds=0.0, **SURFACE)
        await house.act("undo", ref=act, **SURFACE)
        await house.work()
        assert await house.send() == []
        board = await house.show()
        assert "Taken back; the buyer does not read it." in board.texts()
        (case,) = await house.store.cases()
        assert case.answered_at is None


async def test_a_reply_and_its_edit_in_one_turn_say_the_new_words(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await taken(house)
        await house.send()
        act = await house.act("reply", text="Teh answer", **SURFACE)
        await house.act("edit", text="The answer", ref=act, **SURFACE)
        await house.act("edit", text="  ", ref=act, **SURFACE)
        await house.work()
        assert [m.text for m in await house.send()] == ["The answer"]


async def test_an_undo_that_came_too_late_is_told_again_when_it_was_not(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await taken(house)
        await house.send()
        act = await house.act("reply", text="On its way", **SURFACE)
        await house.work()
        account = house.sender.accounts["wire"]
        (row,) = await house.store.claim_outbox(("test", "shop"), account.rates, 1)
        await house.act("undo", ref=act, **SURFACE)
        await house.work()
        await house.store.give_back_outbox([row])
        await house.act("undo", ref=act, **SURFACE)
        await house.work()
        board = await house.show()
        assert [t[:11] for t in board.texts()[-2:]] == ["Too late: i", "Taken back;"]
        assert await house.send() == []


async def test_only_its_writer_or_somebody_senior_takes_a_reply_back(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await taken(house)
        await house.send()
        act = await house.act("reply", text="Hello", undo_seconds=60.0, **SURFACE)
        await house.work()
        await house.act("undo", "Kim", ref=act, **SURFACE)
        await house.work()
        board = await house.show()
        assert board.texts()[-1].startswith("Kim cannot take that back")
        (case,) = await house.store.cases()
        assert case.answered_at is not None
        await house.act("undo", "Kim", ref=act, senior=True)
        await house.work()
        board = await house.show()
        assert board.texts()[-1] == "Taken back; the buyer does not read it."


async def test_a_reply_that_its_writer_edits_into_a_note_never_reaches_the_buyer(tmp_path: Path) -> None:
    """Whoever takes the `r:` away again means it for colleagues; a note that is edited takes nothing back."""
    async with sqlite_home(tmp_path) as house:
        await taken(house)
        await house.send()
        reply = await house.act("reply", text="She lies, refuse it", undo_seconds=60.0, **SURFACE)
        note = await house.act("note", text="Cal the carrier", **SURFACE)
        await house.work()
        await house.act("note", text="She lies, refuse it", ref=reply, **SURFACE)
        await house.act("note", text="Call the carrier", ref=note, **SURFACE)
        await house.work()
        house.clock.forward(timedelta(minutes=2))
        assert await house.send() == []
        what = [line.what for line in await house.store.case_history(1)]
        assert (what.count("undone"), what.count("not_theirs"), what.count("too_late")) == (1, 0, 0)
        assert what.count("note") == 3
        board = await house.show()
        assert "Taken back; the buyer does not read it." in board.texts()


async def test_a_reply_edited_into_a_note_in_the_turn_that_wrote_it_is_a_note(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await taken(house)
        await house.send()
        reply = await house.act("reply", text="She lies", **SURFACE)
        await house.act("note", text="She lies", ref=reply, **SURFACE)
        await house.work()
        assert await house.send() == []
