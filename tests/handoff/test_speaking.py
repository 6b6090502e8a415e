"""One voice: what each staff act does to the holder and the case, through the whole pipe."""

from datetime import timedelta
from pathlib import Path

import pytest

from bot.model.cases import Case, CaseState
from bot.model.conversations import BOT, QUEUE
from bot.model.events import Notice, conversation_lane
from bot.model.markup import plain
from bot.ports import Item
from bot.store import codec
from bot.store.queue import Arrival
from tests.house import Home, sqlite_home


async def only_case(house: Home) -> Case:
    (case,) = await house.store.cases()
    return case


async def lines(house: Home, case: int) -> list[tuple[str, str, str]]:
    return [(e.who, e.what, e.text) for e in await house.store.case_history(case)]


async def push(house: Home, key: str = "n1") -> None:
    notice = Notice(key, house.address(), "handed_back", key, "security")
    item = Item(key=key, lane=conversation_lane(house.address()), body=codec.pack(notice))
    await house.store.receive([Arrival("wismo", item)])


async def test_whoever_takes_over_has_a_case_also_without_a_wish(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await house.act("take")
        await house.work()
        case = await only_case(house)
        assert (case.kind, case.owner, case.queue) == ("staff", "Lee", "default")
        assert (await house.conversation()).case == case.id


async def test_the_bot_answers_in_the_queue_and_repeats_the_same_promise(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        first = await house.ask("a person please")
        promised = (await only_case(house)).promised_by
        house.clock.forward(timedelta(minutes=1))
        again = await house.ask("help")
        assert promised is not None
        told = [text.rsplit("by ", 1)[1].split(".")[0] for text in (first, again)]
        assert told[0] == told[1]
        assert (await house.conversation()).holder == QUEUE


async def test_a_reply_while_another_speaks_is_kept_and_its_writer_is_told(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await house.ask("a person please")
        await house.act("take", "Lee")
        await house.act("reply", "Kim", "I am here too")
        await house.work()
        assert await house.send() == []
        case = await only_case(house)
        assert ("Kim", "refused", "I am here too") in await lines(house, case.id)
        assert case.owner == "Lee"


async def test_handing_back_keeps_the_case_and_resolving_ends_it(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await house.ask("a person please")
        await house.act("take")
        await house.act("handback")
        await house.work()
        assert len(await house.send()) == 1
        case = await only_case(house)
        assert (case.state, case.owner) == (CaseState.WAITING, "Lee")
        assert (await house.conversation()).holder == BOT
        await house.act("resolve")
        await house.work()
        assert await house.store.cases() == []
        (ended,) = await house.store.cases(every=True)
        assert ended.state == CaseState.RESOLVED
        assert ended.closed_at is not None
        assert (await house.conversation()).case is None


async def test_what_the_bot_had_not_sent_is_withdrawn_and_shown(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await house.hear("a person please")
        await house.work()
        await house.act("reply", text="Hello, Lee here")
        await house.work()
        assert [plain(m.text) for m in await house.send()] == ["Hello, Lee here"]
        case = await only_case(house)
        assert [what for _, what, _ in await lines(house, case.id)].count("withdrawn") == 1


async def test_what_is_on_its_way_is_shown_and_the_reply_goes_after_it(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await house.hear("a person please")
        await house.work()
        rows = await house.store.claim_outbox(("test", "shop"), house.sender.accounts["wire"].rates, 5)
        await house.act("reply", text="Hello, Lee here")
        await house.work()
        assert await house.send() == []
        for row in rows:
            await house.sender._send(("test", "shop"), house.sender.accounts["wire"], row)
        await house.send()
        assert plain(house.wire.sent[-1].text) == "Hello, Lee here"
        assert len(house.wire.sent) == len(rows) + 1
        case = await only_case(house)
        assert "on_its_way" in [what for _, what, _ in await lines(house, case.id)]


async def test_a_push_while_a_person_speaks_is_a_note_that_can_be_sent_once(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await house.act("take")
        await push(house)
        await house.work()
        assert await house.send() == []
        case = await only_case(house)
        held = [e for e in await house.store.case_history(case.id) if e.what == "push"]
        assert held[0].text.startswith("My colleague has finished")
        for _ in range(2):
            await house.act("send_push", ref=held[0].key)
        await house.work()
        assert [plain(m.text) for m in await house.send()] == [held[0].text]
        assert [what for _, what, _ in await lines(house, case.id)].count("push_sent") == 1


@pytest.mark.parametrize("sent", [False, True])
async def test_a_reply_can_be_taken_back_until_it_has_left(tmp_path: Path, sent: bool) -> None:
    async with sqlite_home(tmp_path) as house:
        act = await house.act("reply", text="Oops")
        await house.work()
        if sent:
            await house.send()
        await house.act("undo", ref=act)
        await house.work()
        await house.send()
        assert len(house.wire.sent) == int(sent)
        case = await only_case(house)
        assert ("undone", "too_late")[sent] in [what for _, what, _ in await lines(house, case.id)]


async def test_a_case_nobody_takes_climbs_by_itself_and_the_buyer_hears(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await house.ask("a person please")
        for _ in range(30):
            house.clock.forward(timedelta(hours=1))
            await house.store.wake()
            await house.work()
        (told,) = [plain(m.text) for m in await house.send()]
        assert "colleague" in told
        case = await only_case(house)
        assert [what for _, what, _ in await lines(house, case.id)].count("told_buyer") == 1


async def test_a_file_that_staff_send_reaches_the_buyer(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await house.act("reply", text="Your label", media=True)
        await house.work()
        first, second = await house.send()
        assert plain(first.text) == "Your label"
        assert second.media[0].path


async def test_assigned_to_a_colleague_it_waits_for_their_yes(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await house.ask("a person please")
        await house.act("ack", "Lee")
        await house.act("assign", "Lee", whom="Kim")
        await house.work()
        case = await only_case(house)
        assert (case.owner, case.acknowledged_at) == ("Kim", None)
        await house.act("ack", "Kim")
        await house.work()
        assert (await only_case(house)).acknowledged_at is not None


async def test_who_waits_hears_who_will_come(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await house.ask("a person please")
        for _ in range(2):
            await house.act("ack", "Lee")
        await house.work()
        (told,) = await house.send()
        assert "Lee" in plain(told.text)
        assert (await house.conversation()).holder == QUEUE
