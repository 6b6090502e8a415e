"""What a desk is told, in which order, also over an outage; and that nothing internal leaves for the buyer."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bot.errors import Closed, Refused
from bot.model.events import StaffAct, conversation_lane
from bot.model.markup import plain
from bot.model.messages import Approved, DeskPost, Receipt, Reply, State
from bot.model.orders import Item as Line
from bot.model.orders import Order, Shipment
from bot.ports import Item
from bot.store import codec
from bot.store.queue import Arrival
from tests.house import NOON, PLACE, Home, sqlite_home

SURFACE: dict[str, Any] = {"surface": PLACE, "by": "U0LEE"}


async def taken(house: Home) -> None:
    await house.ask("a person please")
    await house.act("take", "Lee", **SURFACE)
    await house.work()
    await house.show()


async def test_a_case_is_one_card_in_one_thread_that_is_brought_up_to_date(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await house.ask("a person please")
        board = await house.show()
        (card,) = board.cards.values()
        assert "Nobody has taken it yet" in card.text
        assert [c.title for c in card.choices][:2] == ["Take over", "Reply"]
        await house.act("take", "Lee", **SURFACE)
        await house.work()
        await house.show()
        (card,) = board.cards.values()
        assert "Lee speaks" in card.text
        assert "Hand back" in [c.title for c in card.choices]
        assert len(board.cards) == 1


async def test_the_card_tells_who_proved_what_and_why(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        items = (Line("Paper lantern", 2),)
        parcels = (Shipment("EE100000005CN", "ems"),)
        order = Order(
            "1042", NOON, buyer_ref="anna", name="Anna", postcode="10115", country="DE", parcels=parcels, items=items,
            placed_at=NOON - timedelta(days=9),
        )  # fmt: skip
        await house.seed(order)
        await house.ask("where is my order 1042?")
        await house.ask("10115")
        await house.ask("my lantern is broken <!channel>")
        board = await house.show()
        (card,) = board.cards.values()
        text = plain(card.text)
        for wanted in ("Order 1042", "Anna", "2 × Paper lantern", "EE100000005CN", "Proved: postcode", "PayPal", "💡"):
            assert wanted in text, wanted
        assert "my lantern is broken" in text


async def test_what_the_buyer_says_and_sends_comes_into_the_thread(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await taken(house)
        await house.say("are you there?")
        await house.say("", media=["image"])
        board = await house.show()
        assert "👤 are you there?" in board.texts()
        assert board.lines[-1][1].media[0].path


async def test_what_has_no_words_is_told_in_words(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await taken(house)
        await house.say("", contact={"phone": "+491700000000", "own": True})
        await house.say("", kind="unsupported")
        house.engine.house.vault.most = 10
        await house.say("my lamp", media=["video", "image"])
        board = await house.show()
        assert board.texts()[-3:] == [
            "👤 shared a phone number.",
            "👤 sent something that cannot be shown here.",
            "👤 my lamp ⚠ sent what could not be fetched, or is too large to be kept: video, image",
        ]


@pytest.mark.parametrize(("words", "rest"), [("Your label", "The rest goes to them."), ("", "Nothing was sent.")])
async def test_a_file_of_staff_that_is_not_kept_is_told_to_its_writer(tmp_path: Path, words: str, rest: str) -> None:
    async with sqlite_home(tmp_path) as house:
        await taken(house)
        house.engine.house.vault.most = 10
        before = len(house.wire.sent)
        await house.act("reply", text=words, media=True, **SURFACE)
        await house.work()
        await house.send()
        board = await house.show()
        assert [m.text for m in house.wire.sent[before:]] == ([words] if words else [])
        who, note = board.told[-1]
        assert who == "U0LEE"
        assert "does not get image" in note.text
        assert rest in note.text
        (case,) = await house.store.cases()
        assert (case.answered_at is None) == (not words), "nothing was answered"


async def test_a_file_alone_can_be_taken_back_too(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await taken(house)
        before = len(house.wire.sent)
        act = await house.act("reply", media=True, undo_seconds=10.0, **SURFACE)
        await house.work()
        board = await house.show()
        (line,) = [note for _, note, _ in board.lines if "Goes to the buyer" in note.text]
        assert plain(line.text) == "Goes to the buyer in 10 seconds: 📎 image"
        assert line.choices[0].value == f"undo:1:{act}"
        await house.act("undo", ref=act, **SURFACE)
        await house.work()
        await house.show()
        assert "Taken back; the buyer does not read it." in board.texts()
        assert len(house.wire.sent) == before


async def test_a_reply_where_no_chat_is_known_is_not_said_to_be_anothers(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        line = DeskPost("say", 0, "staff/line", {"what": "refused", "who": "Lee", "text": "Hi", "about": "no_chat"})
        text = house.renderer.text(Reply(PLACE, line.template, line.facts, "", "en"))
        assert text == "📝 Lee (not sent, no chat of this buyer is known): Hi"


async def test_a_desk_that_is_down_loses_nothing_and_gets_the_newest_card(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        house.board.down = True
        told = await house.ask("a person please")
        assert "colleague" in told
        await house.show()
        await house.say("hello?")
        await house.act("take", "Kim")
        await house.work()
        await house.show()
        assert not house.board.cards
        house.board.down = False
        board = await house.show()
        (card,) = board.cards.values()
        assert "Kim speaks" in card.text
        assert [t for t in board.texts() if t.startswith("👤")] == ["👤 a person please", "👤 hello?"]


async def test_a_refused_reply_comes_back_to_its_writer_alone_with_its_text(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await taken(house)
        await house.act("reply", "Kim", "I can help", surface=PLACE, by="U0KIM")
        await house.work()
        board = await house.show()
        who, note = board.told[-1]
        assert who == "U0KIM"
        assert "Lee speaks" in note.text
        assert "I can help" in note.text
        assert note.choices[0].title == "Take over from Lee"
        assert note.choices[0].value.startswith("take:1:")


async def test_a_reply_is_marked_as_it_gets_on_and_a_failure_says_the_way_out(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await taken(house)
        before = len(house.wire.sent)
        await house.act("reply", text="Soon!", message="17.1", **SURFACE)
        await house.work()
        (sent,) = await house.send()
        assert len(house.wire.sent) == before + 1
        await _receipt(house, sent.id, State.DELIVERED)
        board = await house.show()
        assert board.marked == [("17.1", "sent"), ("17.1", "delivered")]
        house.wire.failing.append(Refused("the number is unknown"))
        await house.act("reply", text="And now?", message="17.2", **SURFACE)
        await house.work()
        await house.send()
        await house.show()
        assert board.marked[-1] == ("17.2", "failed")
        assert "Not delivered: And now?" in board.texts()[-1]
        assert board.lines[-1][2] == ("Lee",)


async def _receipt(house: Home, outbound: str, state: State) -> None:
    receipt = Receipt(f"r{outbound}", house.clock.now(), house.address(), state, outbound_id=outbound)
    item = Item(key=receipt.id, lane=conversation_lane(house.address()), body=codec.pack(receipt))
    await house.store.receive([Arrival("wismo", item)])
    await house.work()


async def test_a_reply_with_time_to_think_can_be_taken_back_or_changed(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await taken(house)
        act = await house.act("reply", text="Teh answer", message="17.1", undo_seconds=10.0, **SURFACE)
        await house.work()
        board = await house.show()
        assert "Goes to the buyer in 10 seconds: Teh answer" in board.texts()
        assert board.lines[-1][1].choices[0].value == f"undo:1:{act}"
        assert await house.send() == []
        await house.act("edit", text="The answer", ref=act, **SURFACE)
        await house.work()
        await house.act("undo", ref=act, **SURFACE)
        await house.work()
        await house.show()
        assert board.texts()[-2:] == ["Changed before it left: The answer", "Taken back; the buyer does not read it."]


async def test_a_thread_that_staff_deleted_is_opened_anew(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await taken(house)
        house.board.cards.clear()
        await house.act("tag", text="vip")
        await house.work()
        board = await house.show()
        (card,) = board.cards.values()
        assert "vip" in card.text


async def test_what_comes_from_a_desk_finds_its_conversation(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await taken(house)
        act = StaffAct("s-thread", house.clock.now(), "Lee", house.address(), "note", "psst")
        for lane in ("t/C1/t1", "t/C1/t99", "k/1", "k/77", "k/x"):
            item = Item(key=f"key-{lane}", lane=lane, body=codec.pack(act))
            await house.store.receive([Arrival("board", item)])
        claims = await house.store.claim(10)
        lanes = {c.lane: len(c.events) for c in claims}
        assert lanes == {conversation_lane(house.address()): 2, "x/desk/C1/t99": 1, "x/desk": 2}


async def test_a_thread_that_is_written_in_before_it_is_known_is_found_a_moment_later(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await house.ask("a person please")
        act = StaffAct("s-early", house.clock.now(), "Lee", house.address(), "reply", "Already here")
        await house.store.receive([Arrival("board", Item(key=act.id, lane="t/C1/t1", body=codec.pack(act)))])
        (claim,) = await house.store.claim(10)
        await house.engine.handle([claim])
        await house.show()
        await asyncio.sleep(1.1)
        house.engine.house.ports["board"] = house.wire  # type: ignore[index]
        await house.work()
        assert [plain(m.text) for m in await house.send()] == ["Already here"]


async def test_no_note_ever_reaches_the_buyer(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await taken(house)
        house.wire.sent.clear()
        await house.act("note", text="he is lying", **SURFACE)
        await house.work()
        await house.send()
        await house.show()
        assert not house.wire.sent
        assert "📝 Lee: he is lying" in house.board.texts()


async def test_a_reply_into_a_closed_window_waits_behind_an_approved_template(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        approved = Approved("wismo_answer_waiting", "en_US", (("shop", "Lantern"),))
        house.engine.takeover = replace(house.engine.takeover, approve=lambda reply: approved)
        await taken(house)
        house.wire.failing.append(Closed("the window is over"))
        act = await house.act("reply", text="It leaves tomorrow", message="17.1", **SURFACE)
        await house.work()
        assert await house.send() == []
        board = await house.show()
        (button,) = board.lines[-1][1].choices
        assert (button.value, button.title) == (f"bridge:1:{act}", "Tell them an answer waits")
        await house.act("bridge", ref=act, **SURFACE)
        await house.work()
        (told,) = await house.send()
        assert (told.approved, told.choices[0].value) == (approved, "read:answer")
        said = await house.say("", choice="read:answer")
        assert [plain(m.text) for m in said] == ["It leaves tomorrow"]
        assert await house.say("thanks") == []
        await house.show()
        assert any("lets the buyer know" in t for t in board.texts())
