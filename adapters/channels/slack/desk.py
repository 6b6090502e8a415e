"""Slack as the desk of staff: one message a case in the queue's channel, one thread below it.

Sources: docs.slack.dev, "chat.update", "chat.postEphemeral", "reactions.add", "conversations.replies", "views.open",
"view_submission payload", "block_actions payload", "message event".
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from adapters.channels.slack.acts import ACTION, ASKS, Pressed, items_of, modal, pressed
from adapters.channels.slack.blocks import METADATA, blocks, escape, mrkdwn
from adapters.channels.slack.calls import Calls
from bot.errors import Misconfigured, Refused, Unreachable, WismoError
from bot.model.markup import plain
from bot.model.messages import Media, Outbound
from bot.ports import Desk, Item, Posting

log = logging.getLogger(__name__)

OPEN_SECONDS = 2.5
"""A modal's trigger is good for three seconds."""
MOST_BLOCKS = 50
NEWEST = 200
MARKS = {"sent": "outbox_tray", "delivered": "white_check_mark", "read": "eyes", "failed": "warning"}
SAME = {"already_reacted", "message_not_found", "no_reaction"}

Upload = Callable[[Media], Awaitable[dict[str, str]]]


class SlackDesk(Desk):
    """A workspace's channels as desks. `upload` is the channel's own first two steps of sharing a file."""

    def __init__(self, calls: Calls, upload: Upload, posting: Posting) -> None:
        self.posting = posting
        self._calls = calls
        self._upload = upload
        self._ids = {name: who for who, name in posting.staff.items()}

    async def open(self, place: str, card: Outbound) -> str:
        told = await self._call("chat.postMessage", _message(place, card))
        return str(told["ts"])

    async def show(self, place: str, thread: str, card: Outbound) -> None:
        await self._call("chat.update", _updated(place, thread, card))

    async def post(self, place: str, thread: str, note: Outbound, mention: Sequence[str] = ()) -> str:
        called = " ".join(f"<@{self._ids[name]}>" for name in mention if name in self._ids)
        if note.media:
            return await self._shared(place, thread, note)
        body = _message(place, note, called) | {"thread_ts": thread}
        return str((await self._call("chat.postMessage", body))["ts"])

    async def _shared(self, place: str, thread: str, note: Outbound) -> str:
        uploaded = [await self._upload(media) for media in note.media]
        form = {"files": json.dumps(uploaded), "channel_id": place, "thread_ts": thread}
        if note.text:
            form["initial_comment"] = mrkdwn(note.text)
        await self._told(self._calls.call("files.completeUploadExternal", data=form), place)
        return uploaded[0]["id"]

    async def mark(self, place: str, message: str, state: str) -> None:
        body = {"channel": place, "timestamp": message, "name": MARKS.get(state, "grey_question")}
        try:
            await self._call("reactions.add", body)
        except Refused as error:
            if not any(code in str(error) for code in SAME):
                raise

    async def tell(self, place: str, thread: str, who: str, note: Outbound) -> None:
        body = _message(place, note) | {"user": who, "thread_ts": thread}
        for unknown in ("metadata", "unfurl_links", "unfurl_media"):
            body.pop(unknown)
        await self._call("chat.postEphemeral", body)

    async def find(self, place: str, thread: str, post: str) -> str | None:
        """By the id in the metadata of the newest messages; a shared file carries none."""
        form = {"channel": place, "limit": NEWEST, "include_all_metadata": "true"}
        method = "conversations.replies" if thread else "conversations.history"
        told = await self._told(self._calls.ask(method, data=form | ({"ts": thread} if thread else {})), place)
        for message in told.get("messages") or ():
            metadata = message.get("metadata") or {}
            if metadata.get("event_type") == METADATA and metadata.get("event_payload", {}).get("id") == post:
                return str(message["ts"])
        return None

    async def _call(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        return await self._told(self._calls.call(method, json=body), body["channel"])

    async def _told(self, call: Awaitable[dict[str, Any]], place: str) -> dict[str, Any]:
        """What Slack told. A channel that is not open to us is no reason to lose a case: it waits until it is."""
        try:
            return await call
        except Unreachable as error:
            raise Misconfigured(f"the desk's channel {place}: {error}", key="desk.channels") from error

    # ---- in ----------------------------------------------------------------------------------------------

    async def items(self, payload: Any, raw: bytes) -> tuple[Item, ...] | None:
        """What of a payload is to be stored; a button that asks something opens its modal instead, at once.

        None where the payload is not the desk's.
        """
        button = pressed(payload)
        items = items_of(payload, raw, self.posting)
        if button is None or items is None:
            return items
        if button.who not in self.posting.staff:
            await self._whispered(button, "You are not among this desk's staff, so nothing was done.")
            return ()
        if button.act not in ASKS:
            return items
        await self._asked(button)
        return ()

    async def _asked(self, button: Pressed) -> None:
        body = {"trigger_id": button.trigger, "view": modal(button, self.posting)}
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                await self._calls.call("views.open", json=body)
        except (WismoError, TimeoutError) as error:
            log.warning("slack: a modal did not open: %s", type(error).__name__)
            await self._whispered(button, "Slack did not open the form in time. Please press again.")

    async def _whispered(self, button: Pressed, text: str) -> None:
        body = {"channel": button.place, "user": button.who, "thread_ts": button.thread, "text": text}
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                await self._calls.call("chat.postEphemeral", json=body)
        except (WismoError, TimeoutError) as error:
            log.warning("slack: a word to staff was not told: %s", type(error).__name__)


def _message(place: str, note: Outbound, called: str = "") -> dict[str, Any]:
    """A post. Buyers' words are escaped, so that nothing in them becomes a mention, a link or a style."""
    made = _blocks(note)
    if called:
        made = [{"type": "section", "text": {"type": "mrkdwn", "text": called}}, *made]
    return {
        "channel": place,
        "text": f"{called} {escape(plain(note.text))}".strip()[:3000],
        "blocks": made[:MOST_BLOCKS],
        "unfurl_links": False,
        "unfurl_media": False,
        "metadata": {"event_type": METADATA, "event_payload": {"id": note.id}},
    }


def _updated(place: str, thread: str, card: Outbound) -> dict[str, Any]:
    body = _message(place, card) | {"ts": thread}
    return {k: v for k, v in body.items() if k not in {"unfurl_links", "unfurl_media"}}


def _blocks(note: Outbound) -> list[dict[str, Any]]:
    made = blocks(note)
    for block in made:
        for element in block.get("elements", ()) if block["type"] == "actions" else ():
            element["action_id"] = ACTION + element["action_id"]
    return made
