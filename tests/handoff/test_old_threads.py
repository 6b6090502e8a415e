"""What staff do in the thread of a case that is over, or that went on in another channel: they hear what is true there,
and the desk shows it."""

from pathlib import Path
from typing import Any

from bot.model.messages import Address
from tests.handoff.test_moving import PLACES, RETURNS, RULES
from tests.house import PLACE, Home, sqlite_home

LEE: dict[str, Any] = {"surface": PLACE, "by": "U0LEE", "thread": "t1"}
KIM: dict[str, Any] = {"surface": PLACE, "by": "U0KIM", "thread": "t1"}


async def resolved(house: Home) -> None:
    """A case that Lee answered and resolved, as a desk shows it."""
    await house.ask("a person please")
    await house.show()
    await house.act("reply", "Lee", "Here you are.", **LEE)
    await house.act("resolve", "Lee", **LEE)
    await house.work()
    await house.send()
    await house.show()


async def test_an_old_button_tells_its_presser_that_the_case_is_over_and_redraws_the_card(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await resolved(house)
        stale = house.board.cards.pop("t1")
        house.board.cards["t1"] = stale.__class__(id="", to=PLACE, text="as it was before")
        for kind in ("snooze", "resolve", "handback", "assign"):
            await house.act(kind, "Kim", **KIM)
            await house.work()
            board = await house.show()
            assert [who for who, _ in board.told] == ["U0KIM"]
            assert "is resolved, so nothing was done" in board.told.pop()[1].text
        assert "Resolved by Lee" in board.cards["t1"].text
        assert await house.store.cases() == []
        assert len(board.cards) == 1


async def test_a_word_to_the_buyer_in_an_old_thread_goes_on_in_a_new_case_with_a_thread_of_its_own(
    tmp_path: Path,
) -> None:
    async with sqlite_home(tmp_path) as house:
        await resolved(house)
        await house.act("note", "Kim", "They called again.", message="18.1", **KIM)
        await house.act("reply", "Kim", "One more thing.", message="18.2", undo_seconds=10.0, **KIM)
        await house.work()
        board = await house.show()
        assert [c.id for c in board.cards.values()] == ["case-1", "case-2"]
        assert "goes on in the buyer's case that is open now" in board.told[-1][1].text
        here = [t for thread, note, _ in board.lines if thread == "t2" for t in [note.text]]
        assert any("They called again." in t for t in here), "what was noted elsewhere is not in the new thread"
        undo = next(note for thread, note, _ in board.lines if thread == "t1" and note.choices)
        assert undo.choices[0].title == "Undo"


async def test_an_answer_to_staff_opens_no_card_where_the_case_is_not(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path, rules=RULES, places=PLACES) as house:
        await house.act("open", "Lee", "A return.")
        await house.act("move", "Lee", whom="returns")
        await house.work()
        await house.show()
        await house.act("move", "Kim", whom="no such queue", surface=PLACE, by="U0KIM")
        await house.work()
        board = await house.show()
        assert [c.to for c in board.cards.values()] == [RETURNS]
        assert board.told


async def test_a_failure_is_told_where_the_case_is_now(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path, rules=RULES, places=PLACES) as house:
        await house.ask("a person please")
        await house.show()
        await house.act("reply", "Lee", "Soon.", message="18.1", undo_seconds=0.0, **LEE)
        await house.act("move", "Lee", whom="returns", **LEE)
        await house.work()
        await house.show()
        await house.send()
        await house.show()
        assert house.board.marked == [("18.1", "sent")]
        where = {card.to for card in house.board.cards.values() if card.choices}
        assert where == {Address("desk", "board", "C2")}
