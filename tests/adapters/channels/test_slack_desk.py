"""Slack as the desk, over real HTTP: the emulated Slack on one side, the whole bot on the other.

The emulator is tried with Slack's own client first.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from adapters.channels.slack.acts import act_of, said_to_buyer
from bot.app import App, open_app, serve
from bot.config import Faults, build
from bot.model.conversations import Conversation
from bot.model.events import conversation_lane
from bot.model.messages import Address
from bot.ports import Item, Posting
from bot.sandbox.platform import Phone
from bot.sandbox.slackrooms import Room
from bot.sandbox.town import PIXEL, Town

LEE, KIM, GUEST = "U0LEE", "U0KIM", "U0GUEST"
DESK = {
    "queues": {"returns": {"kinds": ["return_refund"]}},
    "channels": {"slack": {"queues": {"default": "C0DESK"}, "staff": {LEE: "Lee", KIM: "Kim"}}},
}
SECONDS = 12.0


@dataclass
class Shop:
    """A running bot with its town; `room` is the desk's channel."""

    town: Town
    app: App
    room: Room
    phone: Phone

    async def until(self, done: Callable[[], object]) -> Any:
        """Wait until something is so; what it is."""
        ends = time.monotonic() + SECONDS
        while not (found := done()):
            assert time.monotonic() < ends, f"never so: {self.texts()}"
            await asyncio.sleep(0.05)
        return found

    async def open_case(self) -> dict[str, Any]:
        """Have the buyer ask for a person; the case's root message."""
        self.town.telegram.say(self.phone, "I want to speak to a person")
        root: dict[str, Any] = await self.until(lambda: next(iter(self.room.roots()), None))
        return root

    def root(self) -> dict[str, Any]:
        return self.room.roots()[0]

    def texts(self) -> list[str]:
        return [str(m.get("text", "")) for m in self.room.messages]

    def read(self) -> list[str]:
        """What the buyer read."""
        return ["".join(r.text for r in line.runs) for line in self.phone.lines if not line.mine]

    def press(self, who: str, act: str, message: dict[str, Any] | None = None) -> None:
        message = message or self.root()
        elements = [e for b in message["blocks"] if b["type"] == "actions" for e in b["elements"]]
        value = next(e["value"] for e in elements if e["value"].startswith(f"{act}:"))
        self.town.slack.staff_press(who, self.room.id, message, value)

    def say(self, who: str, text: str, files: tuple[bytes, ...] = ()) -> str:
        return self.town.slack.staff_say(who, self.room.id, self.root()["ts"], text, files)

    async def holder(self) -> str:
        return (await self.conversation()).holder

    async def conversation(self) -> Conversation:
        lane = conversation_lane(
            Address("telegram", self.town.telegram.token.split(":", maxsplit=1)[0], self.phone.chat)
        )
        return (await self.app.store.conversations([lane]))[lane]

    async def held_by(self, holder: str) -> None:
        await eventually(self.holder, holder)


def _shows(shop: Shop, wanted: str) -> bool:
    return wanted in str(shop.root()["text"])


async def eventually(ask: Callable[[], Awaitable[str]], wanted: str) -> None:
    ends = time.monotonic() + SECONDS
    while (found := await ask()) != wanted:
        assert time.monotonic() < ends, f"{found} instead of {wanted}"
        await asyncio.sleep(0.05)


@pytest.fixture
async def shop(request: pytest.FixtureRequest, town: Town, tmp_path: Path) -> AsyncIterator[Shop]:
    """The shop; as a test may ask for, one that hears Slack over `socket` mode."""
    town.slack.socket.on = getattr(request, "param", "http") == "socket"
    web = socket.socket()
    web.bind(("127.0.0.1", 0))
    port, stop = web.getsockname()[1], asyncio.Event()
    room = town.slack.staff.add("C0DESK", LEE, KIM, GUEST)
    config = build({**town.config(port, str(tmp_path)), "desk": DESK, "carriers": {}}, {})
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(open_app(config, town.clock))
        await app.store.migrate()
        group = await stack.enter_async_context(asyncio.TaskGroup())
        works = [serve(app.web, web, stop), app.worker.run(), app.sender.run()]
        tasks = [group.create_task(work) for work in works]
        living = group.create_task(town.live(port))
        await app.adapters.channels["telegram"].register(f"http://127.0.0.1:{port}/hooks/telegram")
        yield Shop(town, app, room, town.phone(town.telegram))
        app.worker.stop()
        await app.sender.stop()
        stop.set()
        living.cancel()
        await asyncio.wait(tasks, timeout=10)


async def test_slacks_own_client_uses_what_the_desk_needs(town: Town) -> None:
    room = town.slack.staff.add("C0DESK", LEE)
    client = AsyncWebClient(token=town.slack.token, base_url=f"{town.base}/slack/api/")
    root = str((await client.chat_postMessage(channel=room.id, text="Case 1"))["ts"])
    await client.chat_postMessage(channel=room.id, text="line", thread_ts=root)
    await client.chat_update(channel=room.id, ts=root, text="Case 1, taken")
    told = await client.conversations_replies(channel=room.id, ts=root)
    assert [m["text"] for m in told["messages"]] == ["Case 1, taken", "line"]
    await client.reactions_add(channel=room.id, timestamp=root, name="warning")
    await client.chat_postEphemeral(channel=room.id, user=LEE, text="psst")
    for wrong, error in (
        (client.reactions_add(channel=room.id, timestamp=root, name="warning"), "already_reacted"),
        (client.chat_update(channel=room.id, ts="1.1", text="x"), "message_not_found"),
        (client.chat_postEphemeral(channel=room.id, user="U0NOBODY", text="x"), "user_not_in_channel"),
        (client.views_open(trigger_id="1.1", view=_view()), "exchanged_trigger_id"),
    ):
        with pytest.raises(SlackApiError, match=error):
            await wrong
    town.slack.staff.triggers["2.1"] = (time.monotonic() - 4, LEE)
    with pytest.raises(SlackApiError, match="expired_trigger_id"):
        await client.views_open(trigger_id="2.1", view=_view())
    town.slack.staff.triggers["3.1"] = (time.monotonic(), LEE)
    with pytest.raises(SlackApiError, match="invalid_arguments"):
        await client.views_open(trigger_id="3.1", view=_view() | {"title": {"type": "plain_text", "text": "x" * 25}})
    town.slack.staff.triggers["4.1"] = (time.monotonic(), LEE)
    assert (await client.views_open(trigger_id="4.1", view=_view()))["view"]["id"] in town.slack.staff.views
    room.members.discard(town.slack.bot)
    with pytest.raises(SlackApiError, match="not_in_channel"):
        await client.chat_postMessage(channel=room.id, text="x")


def _view() -> dict[str, Any]:
    words = {"type": "plain_text", "text": "Reply"}
    field = {"type": "plain_text_input", "action_id": "value", "multiline": True}
    block = {"type": "input", "block_id": "asked", "label": words, "element": field}
    return {"type": "modal", "callback_id": "x", "title": words, "submit": words, "blocks": [block]}


BOTH_WAYS = pytest.mark.parametrize("shop", ["http", "socket"], indirect=True)


@BOTH_WAYS
async def test_a_case_is_taken_answered_and_handed_back(shop: Shop) -> None:
    await shop.open_case()
    await shop.until(lambda: any("colleague" in t for t in shop.read()))
    shop.press(LEE, "take")
    await shop.held_by("staff:Lee")
    await shop.until(lambda: "Lee speaks" in shop.root()["text"])
    assert len(shop.room.roots()) == 1
    shop.press(LEE, "reply")
    view = await shop.until(lambda: next(iter(shop.town.slack.staff.views.values()), None))
    shop.town.slack.staff_submit(view, "Hello <b> & welcome")
    await shop.until(lambda: any("Goes to the buyer in 10 seconds" in t for t in shop.texts()))
    assert "Hello <b> & welcome" not in shop.read()
    await shop.until(lambda: "Hello <b> & welcome" in shop.read())
    shop.town.telegram.say(shop.phone, "thanks! <!channel>")
    await shop.until(lambda: any("👤 thanks! &lt;!channel&gt;" in t for t in shop.texts()))
    assert len([t for t in shop.read() if t]) == 2, "the bot is silent while Lee speaks"
    shop.press(LEE, "handback")
    await shop.held_by("bot")
    await shop.until(lambda: any("My colleague has finished" in t for t in shop.read()))


async def test_a_plain_message_is_a_note_and_a_reply_leaves_out_quotes_and_code(shop: Shop) -> None:
    await shop.open_case()
    await shop.until(lambda: len(shop.read()) == 1)
    shop.say(LEE, "he is lying")
    shop.say(GUEST, "r: I am nobody here")
    ts = shop.say(LEE, "r: We look into it\n&gt; he is lying\n`secret`")
    await shop.held_by("staff:Lee")
    await shop.until(lambda: "We look into it" in shop.read())
    assert shop.read()[1:] == ["We look into it"]
    message = shop.room.find(ts)
    assert message is not None
    await shop.until(lambda: message.get("reactions") == ["outbox_tray"])


@BOTH_WAYS
async def test_what_a_buyer_writes_in_slack_is_answered_there(shop: Shop) -> None:
    slack = shop.town.slack
    phone = shop.town.phone(slack)
    slack.say(phone, "I want to speak to a person")
    await shop.until(lambda: any("colleague" in r.text for line in phone.lines if not line.mine for r in line.runs))
    await shop.until(shop.room.roots)
    shop.say(KIM, "r: Hello from Kim")
    await shop.until(lambda: "Hello from Kim" in ["".join(r.text for r in line.runs) for line in phone.lines])


@pytest.mark.parametrize("how", ["button", "deleted"])
async def test_a_reply_is_taken_back_within_ten_seconds(shop: Shop, how: str) -> None:
    await shop.open_case()
    await shop.until(lambda: len(shop.read()) == 1)
    ts = shop.say(LEE, "r: oops")
    line = await shop.until(lambda: next((m for m in shop.room.messages if "Goes to the buyer" in m["text"]), None))
    if how == "button":
        shop.press(LEE, "undo", line)
    else:
        shop.town.slack.staff_change(shop.room.id, ts, None)
    await shop.until(lambda: any("Taken back" in t for t in shop.texts()))
    await asyncio.sleep(0.5)
    assert len(shop.read()) == 1


async def test_a_reply_is_changed_before_it_leaves(shop: Shop) -> None:
    await shop.open_case()
    await shop.until(lambda: len(shop.read()) == 1)
    ts = shop.say(LEE, "r: teh answer")
    await shop.held_by("staff:Lee")
    shop.town.slack.staff_change(shop.room.id, ts, "r: the answer")
    await shop.until(lambda: "the answer" in shop.read())
    assert "teh answer" not in shop.read()


async def test_two_press_at_once_and_the_second_is_told(shop: Shop) -> None:
    root = await shop.open_case()
    shop.press(LEE, "take", root)
    shop.press(KIM, "take", root)
    await shop.held_by("staff:Lee")
    who, told = await shop.until(lambda: next(iter(shop.room.whispers), None))
    assert who == KIM
    assert "Lee was faster" in told["text"]


async def test_a_refused_reply_comes_back_with_its_text_and_a_way_to_take_over(shop: Shop) -> None:
    await shop.open_case()
    shop.press(LEE, "take")
    await shop.held_by("staff:Lee")
    shop.say(KIM, "r: I know this one")
    who, told = await shop.until(lambda: next(iter(shop.room.whispers), None))
    assert who == KIM
    assert "I know this one" in told["text"]
    shop.press(KIM, "take", told)
    await shop.held_by("staff:Kim")


async def test_who_is_not_staff_can_press_nothing(shop: Shop) -> None:
    await shop.open_case()
    shop.press(GUEST, "take")
    who, told = await shop.until(lambda: next(iter(shop.room.whispers), None))
    assert who == GUEST
    assert "not among" in told["text"]
    assert await shop.holder() == "queue"


@BOTH_WAYS
async def test_files_go_both_ways(shop: Shop) -> None:
    await shop.open_case()
    shop.town.telegram.photo(shop.phone, PIXEL, "x")
    await shop.until(lambda: any(m.get("files") for m in shop.room.messages))
    shop.say(LEE, "r: your label", (PIXEL,))
    await shop.until(lambda: "your label" in shop.read())
    await shop.until(lambda: any(line.picture or "📎" in str(line.runs) for line in shop.phone.lines if not line.mine))


async def test_slack_is_down_the_buyer_is_told_and_nothing_is_lost(shop: Shop) -> None:
    shop.town.slack.faults.down = True
    shop.town.telegram.say(shop.phone, "I want to speak to a person")
    await shop.until(lambda: any("colleague" in t for t in shop.read()))
    assert not shop.room.messages
    shop.town.slack.faults.down = False
    await shop.until(lambda: len(shop.room.messages) >= 2)
    assert "Nobody has taken it yet" in shop.root()["text"]


async def test_snooze_assign_move_and_resolve(shop: Shop) -> None:
    await shop.open_case()
    for act, value, wanted in (
        ("snooze", "4", "Snoozed until"),
        ("assign", "Kim", "Kim"),
        ("assign", "queue:returns", "Queue returns"),
    ):
        shop.press(LEE, act)
        view = await shop.until(lambda: next(iter(shop.town.slack.staff.views.values()), None))
        shop.town.slack.staff_submit(view, value)
        await shop.until(partial(_shows, shop, wanted))
    shop.press(LEE, "resolve")
    await shop.held_by("bot")
    await shop.until(lambda: "Resolved" in shop.root()["text"])
    assert await shop.app.store.cases() == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("r: hello", "r: hello"),
        ("&gt; quoted\nr: hello", "r: hello"),
        ("r: a\n```code\nmore```\nb", "r: a\n\nb"),
        ("r: a `x` b", "r: a  b"),
        ("r: a\n&gt;&gt;&gt; all\nthe rest", "r: a"),
        ("r: a\n```never closed", "r: a"),
        ("&gt; r: quoted", ""),
    ],
)
def test_what_may_reach_a_buyer(text: str, said: str) -> None:
    assert said_to_buyer(text) == said


@pytest.mark.parametrize(("typed", "kind", "words"), [("r: see you", "reply", "see you"), ("", "note", "")])
def test_a_forwarded_message_never_reaches_a_buyer(typed: str, kind: str, words: str) -> None:
    forwarded = {"is_share": True, "text": "r: he is lying", "fallback": "r: he is lying", "author_id": KIM}
    event = {
        "type": "message",
        "channel": "C1",
        "user": LEE,
        "ts": "2.0",
        "thread_ts": "1.0",
        "text": typed,
        "attachments": [forwarded],
    }
    posting = Posting("slack", {"default": "C1"}, {LEE: "Lee"})
    act = act_of(Item("k", "c/test/shop/anna", b""), {"type": "event_callback", "event": event}, posting)
    assert act is not None
    assert (act.kind, act.text) == (kind, words)


async def test_a_desk_needs_a_channel_that_can_be_one(town: Town, tmp_path: Path) -> None:
    wrong = {"channels": {"fax": {"queues": {"default": "C1"}, "staff": {"U1": "Lee"}}}}
    config = build({**town.config(1, str(tmp_path)), "desk": wrong, "carriers": {}}, {})
    with pytest.raises(Faults, match=r"desk\.channels\.fax"):
        async with open_app(config):
            pass
