"""What staff do from the web: it goes through the bot's own lane, and its writer hears what came of it."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest

from bot.desk.acts import nap
from bot.errors import Closed
from bot.model.conversations import QUEUE
from bot.model.events import StaffAct, conversation_lane
from bot.model.messages import Address
from bot.model.staff import Role
from bot.ports import Item
from bot.store.codec import pack
from bot.store.queue import Arrival
from tests.deskhouse import Browser, DeskHome
from tests.house import NOON

JSON = {"accept": "application/json"}
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 64


async def _has_no_work(desk: DeskHome) -> bool:
    return (await desk.home.store.health()).waiting == 0


async def _waits(desk: DeskHome) -> bool:
    return (await desk.home.conversation()).holder == QUEUE


@asynccontextmanager
async def at_work(desk: DeskHome) -> AsyncIterator[None]:
    """The bot's worker beside the desk."""

    async def run() -> None:
        while True:
            await desk.home.work()
            await asyncio.sleep(0.02)

    working = asyncio.create_task(run())
    try:
        yield
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def until(seen: Callable[[], Awaitable[object]]) -> None:
    """Wait until the bot has done it; a machine that stands still for a while costs no test."""
    async with asyncio.timeout(20):
        while not await seen():
            await asyncio.sleep(0.02)


async def act(browser: Browser, kind: str, text: str = "", **more: str) -> httpx.Response:
    return await browser.post("/desk/cases/1/act", {"kind": kind, "text": text, **more}, headers=JSON)


async def test_what_is_done_on_the_page_of_a_case_that_is_over_never_touches_the_buyers_next_one(
    desk: DeskHome,
) -> None:
    await desk.home.say("I want to talk to a human")
    await desk.home.act("resolve", "Lee")
    await desk.home.work()
    await desk.home.say("I want to talk to a human")
    mei = await desk.visitor("Mei")
    async with at_work(desk):
        for kind in ("resolve", "handback"):
            told = (await act(mei, kind)).json()
            assert told == {"ok": False, "told": "Not done: this case is resolved."}
        assert [c.id for c in await desk.home.store.cases()] == [2]
        assert (await act(mei, "reply", "Hello again")).json()["told"] == "It goes to the buyer. You speak now."
        assert (await act(mei, "send_push", ref="x:reply")).status_code == 409
    assert "Hello again" in [m.text for m in await desk.home.send()]


@pytest.fixture
async def waiting(desk: DeskHome) -> DeskHome:
    """A buyer waits for a person."""
    await desk.home.say("I want to talk to a human")
    await desk.app.state.live.refresh()
    return desk


async def test_a_note_stays_inside_and_a_reply_reaches_the_buyer(waiting: DeskHome) -> None:
    mei = await waiting.visitor("Mei")
    async with at_work(waiting):
        noted = await act(mei, "note", "She has called before.")
        assert noted.json() == {"ok": True, "told": "Noted. Only staff see it."}
        replied = await act(mei, "reply", "Hello, I look into it.")
        assert replied.json()["ok"]
    sent = await waiting.home.send()
    assert [m.text for m in sent] == ["Hello, I look into it."]
    page = (await mei.get("/desk/cases/1")).text
    assert "She has called before." in page
    assert "You speak." in page


async def test_two_take_over_and_one_hears_that_the_other_was_faster(waiting: DeskHome) -> None:
    mei, lee = await waiting.visitor("Mei"), await waiting.visitor("Lee")
    async with at_work(waiting):
        version = str((await waiting.home.conversation()).version)
        first, second = await asyncio.gather(act(mei, "take", version=version), act(lee, "take", version=version))
    told = sorted([first.json()["told"], second.json()["told"]])
    holder = (await waiting.home.conversation()).holder.removeprefix("staff:")
    assert told == sorted(["You speak now. The bot is silent.", f"{holder} was faster and speaks now."])


async def test_a_reply_while_another_speaks_is_kept_as_a_note_and_its_writer_told(waiting: DeskHome) -> None:
    mei, lee = await waiting.visitor("Mei"), await waiting.visitor("Lee")
    async with at_work(waiting):
        await act(mei, "take")
        refused = await act(lee, "reply", "Me too!")
    assert refused.status_code == 409
    assert "Mei speaks now" in refused.json()["told"]
    assert not [m for m in await waiting.home.send() if "Me too" in m.text]
    assert "Me too!" in (await lee.get("/desk/cases/1")).text


async def test_every_act_does_what_its_button_says(waiting: DeskHome) -> None:
    mei = await waiting.visitor("Mei")
    await waiting.hire("Lee")
    async with at_work(waiting):
        for kind, more, told in (
            ("ack", {}, "It is yours."),
            ("take", {}, "You speak now. The bot is silent."),
            ("snooze", {"nap": "4h"}, "It sleeps."),
            ("assign", {"whom": "lee"}, "Given to Lee."),
            ("move", {"whom": "returns"}, "Moved to the queue returns. It waits there for somebody."),
            ("tag", {}, "Done."),
            ("ack", {}, "It is yours."),
            ("handback", {}, "The bot speaks again."),
            ("resolve", {}, "Resolved. The bot speaks again."),
        ):
            answer = await act(mei, kind, "vip", **more)
            assert answer.json()["told"] == told, kind
    assert "#1" in (await mei.get("/desk?view=resolved")).text


async def test_the_transcript_tells_what_staff_did_and_what_was_withdrawn(waiting: DeskHome) -> None:
    mei, _ = await waiting.visitor("Mei"), await waiting.visitor("Lee")
    async with at_work(waiting):
        await act(mei, "take")
        await act(mei, "assign", whom="Lee")
        await act(mei, "tag", "vip")
        await act(mei, "handback")
    page = (await mei.get("/desk/cases/1")).text
    for told in ("Case opened", "Mei took over", "Mei gave it to: Lee", "Mei set the tags: vip", "Mei handed back"):
        assert told in page, told


async def test_a_reply_to_a_buyer_without_a_chat_says_so_and_blames_nobody(waiting: DeskHome) -> None:
    mei, store = await waiting.visitor("Mei"), waiting.home.store
    lane = Address("none", "order", "1")
    draft = StaffAct("s1", waiting.house.now(), "Mei", lane, "note", "He never wrote to us.")
    await store.receive([Arrival("wismo", Item("s1", conversation_lane(lane), pack(draft)))])
    async with at_work(waiting):
        await until(lambda: store.handled("wismo", "s1"))
        (number,) = [c.id for c in await store.cases() if c.conversation == conversation_lane(lane)]
        answer = await mei.post(f"/desk/cases/{number}/act", {"kind": "reply", "text": "Hello"}, headers=JSON)
    assert answer.status_code == 409
    assert answer.json()["told"].startswith("Not sent: no chat of this buyer is known.")
    page = (await mei.get(f"/desk/cases/{number}")).text
    assert "not sent: no chat of this buyer is known" in page
    assert "no chat known" in page


async def test_nobody_can_give_a_case_to_a_stranger_or_send_nothing(waiting: DeskHome) -> None:
    mei = await waiting.visitor("Mei")
    assert (await act(mei, "assign", whom="Stranger")).status_code == 409
    assert (await act(mei, "move", whom="nowhere")).status_code == 409
    assert (await act(mei, "reply", "   ")).status_code == 409
    assert (await act(mei, "fly")).status_code == 409


async def test_where_the_bot_is_down_the_act_is_kept_and_shown_as_waiting(
    waiting: DeskHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.desk.acts.PATIENCE", 0.1)
    mei = await waiting.visitor("Mei")
    assert "not handled it yet" in (await act(mei, "reply", "Hello")).json()["told"]
    assert "waits for the bot" in (await mei.get("/desk/cases/1")).text
    async with at_work(waiting):
        await until(lambda: _has_no_work(waiting))
    assert [m.text for m in await waiting.home.send()] == ["Hello"]


async def test_a_file_is_typed_by_its_content_and_one_that_is_too_large_refused(waiting: DeskHome) -> None:
    mei = await waiting.visitor("Mei")
    async with at_work(waiting):
        good = await mei.post(
            "/desk/cases/1/act", {"kind": "reply"}, files={"file": ("../../x.html", PNG, "text/html")}, headers=JSON
        )
        assert good.json()["ok"], good.text
        large = await mei.post(
            "/desk/cases/1/act", {"kind": "reply"}, files={"file": ("x.bin", b"0" * 2_000_000)}, headers=JSON
        )
        assert large.status_code == 413
    (sent,) = await waiting.home.send()
    assert sent.media[0].mime == "image/png"
    assert "/" not in sent.media[0].name


async def test_a_buyers_photo_is_an_attachment_under_a_path_of_this_session(desk: DeskHome) -> None:
    await desk.home.say("look", media=["image"])
    await desk.home.say("I want to talk to a human")
    mei, lee = await desk.visitor("Mei"), await desk.visitor("Lee")
    page = (await mei.get("/desk/cases/1")).text
    path = "/desk/files/" + page.split("/desk/files/")[1].split('"')[0]
    shown = await mei.get(path)
    assert shown.status_code == 200
    assert shown.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in shown.headers["content-security-policy"]
    assert (await lee.get(path)).status_code == 404
    assert (await mei.get(path[:-1] + ("0" if path[-1] != "0" else "1"))).status_code == 404
    assert (await desk.browser().get(path)).status_code in {303, 401}


async def test_each_file_stands_at_what_brought_it(desk: DeskHome) -> None:
    await desk.home.hear("front", media=["image"], key="a1")
    await desk.home.hear("back", media=["image"], key="a2")
    await desk.home.say("I want to talk to a human")
    await desk.home.act("reply", "Mei", "Your label", media=True)
    await desk.home.work()
    await desk.home.send()
    mei = await desk.visitor("Mei")
    shown = lines_of((await mei.get("/desk/cases/1")).text)
    files = [(side, text, line.count("<img")) for side, text, line in shown if "front" in line or "<img" in line]
    assert files == [("buyer", "front", 1), ("buyer", "back", 1), ("staff", "", 1)]


async def test_a_file_that_was_not_kept_is_not_silently_missing(desk: DeskHome) -> None:
    desk.house.vault.most = 10
    await desk.home.say("my lamp", media=["video"])
    await desk.home.say("I want to talk to a human")
    mei = await desk.visitor("Mei")
    (line,) = [line for _, text, line in lines_of((await mei.get("/desk/cases/1")).text) if text == "my lamp"]
    assert "a file that could not be fetched" in line


async def test_a_pressed_button_is_told_by_its_words(desk: DeskHome) -> None:
    (asked,) = await desk.home.say("where is my parcel?")
    await desk.home.say("", choice=asked.choices[0].value)
    await desk.home.say("I want to talk to a human")
    mei = await desk.visitor("Mei")
    assert f"pressed “{asked.choices[0].title}”" in (await mei.get("/desk/cases/1")).text


def lines_of(page: str) -> list[tuple[str, str, str]]:
    """The transcript's lines: whose, what is said, and all of it."""
    made = []
    for part in page.split('<li id="line-')[1:]:
        line = part.split("</ol>")[0]
        side, said = re.search(r'class="line (\w+)', line), re.search(r'class="said"[^>]*>(.*?)</div>', line, re.DOTALL)
        made.append((side[1] if side else "", said[1] if said else "", line))
    return made


async def test_an_answer_kept_ready_is_filled_with_the_facts_and_never_breaks_out(waiting: DeskHome) -> None:
    lead = await waiting.visitor("Lena", Role.LEAD)
    kept = await lead.post("/desk/canned", {"title": "Hi", "body": "Hello {{ name or 'there' }} from {{ shop }}"})
    assert kept.status_code == 303
    assert "from Lantern" in (await lead.get("/desk/cases/1")).text
    for body in ("{{ ''.__class__.__mro__ }}", "{% for i in range(10) %}", "{{ nothing_known }}", "{{ 1 / 0 }}"):
        assert (await lead.post("/desk/canned", {"title": "Bad", "body": body})).status_code == 400, body


async def test_a_reply_that_the_window_kept_back_shows_the_way_out(waiting: DeskHome) -> None:
    mei = await waiting.visitor("Mei")
    async with at_work(waiting):
        await act(mei, "reply", "It comes tomorrow.")
        waiting.home.wire.failing.append(Closed("the window is shut"))
        await waiting.home.send()
        page = (await mei.get("/desk/cases/1")).text
        assert "not delivered" in page
        assert "Tell the buyer that an answer waits" in page
        ref = page.split('name="ref" value="')[1].split('"')[0]
        told = (await act(mei, "bridge", ref=ref)).json()
    assert told["told"].startswith(("The buyer is told", "No approved template"))


def test_a_case_sleeps_as_long_as_was_asked() -> None:
    zone = ZoneInfo("Asia/Shanghai")
    assert nap("4h", NOON, zone) == NOON + timedelta(hours=4)
    tomorrow = nap("1d", NOON, zone)
    assert tomorrow is not None
    assert tomorrow.astimezone(zone).hour == 9
    assert nap("for ever", NOON, zone) is None


async def test_what_is_over_is_not_opened_again_by_a_tag(waiting: DeskHome) -> None:
    mei = await waiting.visitor("Mei")
    async with at_work(waiting):
        await act(mei, "resolve")
        for kind, more in (("tag", {}), ("priority", {}), ("snooze", {"nap": "1d"}), ("move", {"whom": "returns"})):
            told = await act(mei, kind, "high", **more)
            assert told.json() == {"ok": False, "told": "It is resolved. Take it over again first."}, kind
    assert await waiting.home.store.cases() == []
    assert 'value="tag"' not in (await mei.get("/desk/cases/1")).text


async def test_whoever_is_shut_out_leaves_no_buyer_with_nobody(waiting: DeskHome) -> None:
    bot = waiting.home
    lee, ada = await waiting.visitor("Lee"), await waiting.visitor("Ada", Role.ADMIN)
    async with at_work(waiting):
        await act(lee, "reply", "I look into it")
        await bot.send()
        assert (await bot.conversation()).holder == "staff:Lee"
        assert (await act(ada, "release", whom="Lee")).status_code == 409, "no form does this"
        person = await waiting.book.named("Lee")
        assert person is not None
        await ada.post(f"/desk/staff/{person.id}/out")
        await until(lambda: _waits(waiting))
    assert (await bot.conversation()).holder == QUEUE
    (case,) = await bot.store.cases()
    assert (case.owner, case.state, case.acknowledged_at) == ("", "open", None)
    assert any("colleague" in m.text for m in await bot.send()), "the buyer hears who answers and when"
    assert "from somebody who works here no more: Lee" in (await ada.get("/desk/cases/1")).text
