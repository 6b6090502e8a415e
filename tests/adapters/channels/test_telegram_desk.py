"""A Telegram forum as the desk, over real HTTP: the emulated Telegram on one side, the whole bot on the other."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import telegram

from bot.app import App, open_app, serve
from bot.config import build
from bot.model.events import conversation_lane
from bot.model.markup import plain
from bot.model.messages import Address
from bot.sandbox.platform import Phone
from bot.sandbox.telegramforum import Forum
from bot.sandbox.town import PIXEL, Town

pytestmark = pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning")
LEE, KIM, GUEST = 900, 901, 902
GROUP = -1001234
DESK = {
    "queues": {"returns": {"kinds": ["return_refund"]}},
    "channels": {"telegram": {"queues": {"default": GROUP}, "staff": {LEE: "Lee", KIM: "Kim"}}},
}
SECONDS = 25.0


@dataclass
class Shop:
    """A running bot with its town; `forum` is the desk's group."""

    town: Town
    app: App
    forum: Forum
    phone: Phone

    async def until(self, done: Callable[[], object]) -> Any:
        """Wait until something is so; what it is."""
        ends = time.monotonic() + SECONDS
        while not (found := done()):
            assert time.monotonic() < ends, f"never so: {self.texts()}"
            await asyncio.sleep(0.05)
        return found

    async def open_case(self) -> int:
        """Have the buyer ask for a person; the case's topic."""
        self.town.telegram.say(self.phone, "I want to speak to a person")
        await self.until(lambda: self.forum.posts)
        return next(iter(self.forum.topics))

    def texts(self) -> list[str]:
        return [plain(p["text"]) for p in self.forum.posts.values()]

    def card(self) -> str:
        return self.texts()[0]

    def read(self) -> list[str]:
        """What the buyer read."""
        return ["".join(r.text for r in line.runs) for line in self.phone.lines if not line.mine]

    def press(self, who: int, act: str) -> None:
        for number, post in self.forum.posts.items():
            for row in post["reply_markup"].get("inline_keyboard", ()):
                for button in row:
                    if button["callback_data"].startswith(f"{act}:"):
                        self.town.telegram.staff_press(who, self.forum, number, button["callback_data"])
                        return
        raise AssertionError(f"no button {act}")

    async def held_by(self, holder: str) -> None:
        lane = conversation_lane(Address("telegram", self.town.telegram.token.split(":", 1)[0], self.phone.chat))
        ends = time.monotonic() + SECONDS
        while (found := (await self.app.store.conversations([lane]))[lane].holder) != holder:
            assert time.monotonic() < ends, found
            await asyncio.sleep(0.05)


@pytest.fixture
async def shop(town: Town, tmp_path: Path) -> AsyncIterator[Shop]:
    web = socket.socket()
    web.bind(("127.0.0.1", 0))
    port, stop = web.getsockname()[1], asyncio.Event()
    forum = Forum(GROUP)
    town.telegram.forums[str(GROUP)] = forum
    config = build({**town.config(port, str(tmp_path)), "desk": DESK, "carriers": {}}, {})
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(open_app(config, town.clock))
        await app.store.migrate()
        group = await stack.enter_async_context(asyncio.TaskGroup())
        tasks = [group.create_task(w) for w in (serve(app.web, web, stop), app.worker.run(), app.sender.run())]
        living = group.create_task(town.live(port))
        await app.adapters.channels["telegram"].register(f"http://127.0.0.1:{port}/hooks/telegram")
        yield Shop(town, app, forum, town.phone(town.telegram))
        app.worker.stop()
        await app.sender.stop()
        stop.set()
        living.cancel()
        await asyncio.wait(tasks, timeout=10)


async def test_telegrams_own_client_uses_what_the_desk_needs(town: Town) -> None:
    town.telegram.forums[str(GROUP)] = forum = Forum(GROUP)
    async with telegram.Bot(town.telegram.token, f"{town.base}/telegram/bot", f"{town.base}/telegram/file/bot") as bot:
        topic = await bot.create_forum_topic(GROUP, "Case 1")
        sent = await bot.send_message(GROUP, "Case 1", message_thread_id=topic.message_thread_id)
        await bot.edit_message_text("Case 1, taken", GROUP, sent.message_id)
        await bot.set_message_reaction(GROUP, sent.message_id, "👍")
        assert forum.posts[sent.message_id]["text"] == "Case 1, taken"
        with pytest.raises(telegram.error.BadRequest, match="not modified"):
            await bot.edit_message_text("Case 1, taken", GROUP, sent.message_id)
        with pytest.raises(telegram.error.BadRequest, match="thread not found"):
            await bot.send_message(GROUP, "x", message_thread_id=1)
        with pytest.raises(telegram.error.BadRequest, match=r"(?i)reaction_invalid"):
            await bot.set_message_reaction(GROUP, sent.message_id, "✅")


async def test_a_case_is_a_topic_and_only_r_reaches_the_buyer(shop: Shop) -> None:
    topic = await shop.open_case()
    assert "Case 1" in shop.forum.topics[topic]
    await shop.until(lambda: len(shop.read()) == 1)
    shop.press(GUEST, "take")
    shop.press(LEE, "reply")
    await shop.until(lambda: len(shop.town.telegram.alerts) == 2)
    assert ["not among" in shop.town.telegram.alerts[0], "r:" in shop.town.telegram.alerts[1]] == [True, True]
    shop.press(LEE, "take")
    await shop.held_by("staff:Lee")
    say = shop.town.telegram.staff_say
    say(LEE, shop.forum, topic, "he is lying")
    say(GUEST, shop.forum, topic, "r: I am nobody here")
    quote: dict[str, Any] = {"entities": [{"type": "blockquote", "offset": 3, "length": 6}]}
    written = say(LEE, shop.forum, topic, "r: quotedWe 🙂 look", **quote)
    await shop.until(lambda: "We 🙂 look" in shop.read())
    assert shop.read()[1:] == ["We 🙂 look"]
    await shop.until(lambda: shop.forum.reactions.get(written) == "👌")
    await shop.until(lambda: "Lee speaks" in shop.card())


async def test_a_reply_is_changed_before_it_leaves_and_files_go_both_ways(shop: Shop) -> None:
    topic = await shop.open_case()
    written = shop.town.telegram.staff_say(LEE, shop.forum, topic, "r: teh answer")
    await shop.held_by("staff:Lee")
    shop.town.telegram.staff_say(LEE, shop.forum, topic, "r: the answer", message=written)
    await shop.until(lambda: "the answer" in shop.read())
    assert "teh answer" not in shop.read()
    shop.town.telegram.staff_say(LEE, shop.forum, topic, "r: your label", photo=PIXEL)
    await shop.until(lambda: "your label" in shop.read())
    await shop.until(lambda: any("📎" in text for text in shop.read()))
    shop.town.telegram.photo(shop.phone, PIXEL, "x")
    await shop.until(lambda: any(p["file"] for p in shop.forum.posts.values()))


async def test_a_case_is_given_to_a_colleague_or_to_another_queue_by_a_command(shop: Shop) -> None:
    topic = await shop.open_case()
    shop.press(LEE, "assign")
    await shop.until(lambda: any("/assign" in alert for alert in shop.town.telegram.alerts))
    say = shop.town.telegram.staff_say
    say(LEE, shop.forum, topic, "/assign kim")
    await shop.until(lambda: "Lee gave it to Kim." in shop.texts())
    say(LEE, shop.forum, topic, "/assign Bob")
    await shop.until(lambda: any("That is not known here" in t for t in shop.texts()))
    say(KIM, shop.forum, topic, "/move nowhere")
    await shop.until(lambda: any("There are: returns, default." in t for t in shop.texts()))
    say(KIM, shop.forum, topic, "/move@wismo_bot returns")
    await shop.until(lambda: "Kim moved it to the queue returns." in shop.texts())
    await shop.until(lambda: "Queue returns" in shop.card())
    assert not any("/move" in said or "/assign" in said for said in shop.read())
