"""A reply that staff change or take back after it has left: where the channel can, it changes for the buyer; elsewhere
staff are told that it stands."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from bot.desk.transcript import read
from bot.errors import Refused
from bot.store.desk import DeskBook
from tests.handoff.test_desk_posts import SURFACE, taken
from tests.house import Home, sqlite_home


@asynccontextmanager
async def answered(folder: Path, *, amends: bool) -> AsyncIterator[tuple[Home, str]]:
    """A reply that the buyer has, and its act."""
    async with sqlite_home(folder) as house:
        limits = replace(house.wire.limits, amends=amends)
        house.engine.takeover = replace(house.engine.takeover, limits={"test": limits})
        await taken(house)
        act = await house.act("reply", text="Teh answer", **SURFACE)
        await house.work()
        await house.send()
        house.wire.sent.clear()
        yield house, act


async def test_an_edit_changes_what_the_buyer_has(tmp_path: Path) -> None:
    async with answered(tmp_path, amends=True) as (house, act):
        for words in ("The answer", "The whole answer"):
            await house.act("edit", text=words, ref=act, **SURFACE)
            await house.work()
            (changed,) = await house.send()
            assert (changed.text, changed.amends) == (words, "p2")
        board = await house.show()
        assert board.texts()[-1] == "Changed in the buyer's chat: The whole answer"


async def test_a_deletion_deletes_it_and_says_that_it_may_have_been_read(tmp_path: Path) -> None:
    async with answered(tmp_path, amends=True) as (house, act):
        await house.act("undo", ref=act, **SURFACE)
        await house.act("undo", ref=act, **SURFACE)
        await house.work()
        (gone,) = await house.send()
        assert (gone.text, gone.amends) == ("", "p2")
        board = await house.show()
        assert board.texts()[-1] == "Deleted in the buyer's chat; they may have read it."
        await house.act("undo", "Kim", ref=act, **SURFACE)
        await house.work()
        assert await house.send() == []


async def test_where_the_channel_cannot_staff_hear_that_it_stands(tmp_path: Path) -> None:
    async with answered(tmp_path, amends=False) as (house, act):
        await house.act("edit", text="The answer", ref=act, **SURFACE)
        await house.act("undo", ref=act, **SURFACE)
        await house.work()
        assert await house.send() == []
        board = await house.show()
        assert [t[:9] for t in board.texts()[-2:]] == ["Too late:", "Too late:"]


async def test_a_platform_that_refuses_is_told_to_staff(tmp_path: Path) -> None:
    async with answered(tmp_path, amends=True) as (house, act):
        await house.act("undo", ref=act, **SURFACE)
        await house.work()
        house.wire.failing.append(Refused("too old to be deleted"))
        await house.send()
        board = await house.show()
        assert "stands in the buyer's chat as it was: Refused: too old to be deleted" in board.texts()[-1]


LONG = "one two three four five six seven eight nine ten eleven twelve thirteen"


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize(("said", "instead"), [(LONG, "short"), ("short", LONG)])
async def test_a_reply_of_several_messages_is_changed_whole_or_not_at_all(
    tmp_path: Path, said: str, instead: str, left: bool
) -> None:
    async with sqlite_home(tmp_path) as house:
        limits = {"test": replace(house.wire.limits, amends=True, text=40)}
        house.engine.takeover = replace(house.engine.takeover, limits=limits)
        await taken(house)
        act = await house.act("reply", text=said, **SURFACE)
        await house.work()
        before = [m.text.strip() for m in await house.send()] if left else []
        house.wire.sent.clear()
        await house.act("edit", text=instead, ref=act, **SURFACE)
        await house.work()
        after = [m.text.strip() for m in await house.send()]
        assert " ".join(before + after) == said
        board = await house.show()
        assert board.texts()[-1].startswith("Not changed:")


async def test_what_changes_a_message_is_no_line_of_what_was_said(tmp_path: Path) -> None:
    async with answered(tmp_path, amends=True) as (house, act):
        await house.act("edit", text="The answer", ref=act, **SURFACE)
        await house.work()
        await house.act("undo", ref=act, **SURFACE)
        await house.work()
        assert [m.text for m in await house.send()] == ["The answer", ""]
        filed = await house.store.case_file(1, 20)
        assert filed is not None
        assert [s.text for s in filed.said if s.who == "staff"] == ["Teh answer"]
        talk = await DeskBook(house.store.database).talk(1)
        assert talk is not None
        lines = read(talk.paper, lambda port, item: None)
        assert ["".join(run.text for run in x.text) for x in lines if x.side == "staff"] == ["Teh answer"]


async def test_what_is_changed_and_taken_back_at_once_is_deleted_and_no_more(tmp_path: Path) -> None:
    async with answered(tmp_path, amends=True) as (house, act):
        await house.act("edit", text="The answer", ref=act, **SURFACE)
        await house.act("undo", ref=act, **SURFACE)
        await house.work()
        assert [m.text for m in await house.send()] == [""]
