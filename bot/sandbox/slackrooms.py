"""The part of the emulated Slack where staff sit: channels with threads, buttons, modals, reactions and files.

Rules: a bot posts only where it is a member; an update needs a message of its own; a modal's trigger is good for
three seconds and once; a reaction is added once; a message a second to a channel.
Sources: docs.slack.dev, "chat.update", "chat.postEphemeral", "views.open", "Modal views", "Input block",
"reactions.add", "conversations.replies", "view_submission payload", "message_changed".
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TRIGGER_SECONDS = 3.0
BLOCKS = 100
Answer = dict[str, Any]
"""What a method tells beside `ok`; `error` where it refuses."""


@dataclass
class Room:
    """A channel. `messages` are all of it, threads too, oldest first; `whispers` are (user, message)."""

    id: str
    members: set[str] = field(default_factory=set)
    messages: list[dict[str, Any]] = field(default_factory=list)
    whispers: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    archived: bool = False

    def find(self, ts: str) -> dict[str, Any] | None:
        """The message of this id."""
        return next((m for m in self.messages if m["ts"] == ts), None)

    def roots(self) -> list[dict[str, Any]]:
        """What the channel itself shows."""
        return [m for m in self.messages if m.get("thread_ts") in {None, m["ts"]}]

    def thread(self, ts: str) -> list[dict[str, Any]]:
        """A root message and what was said below it."""
        return [m for m in self.messages if ts in {m["ts"], m.get("thread_ts")}]


class Rooms:
    """The workspace's channels and the forms that are open; `bot` is our bot's user."""

    def __init__(self, bot: str) -> None:
        self.bot = bot
        self.rooms: dict[str, Room] = {}
        self.triggers: dict[str, tuple[float, str]] = {}
        self.views: dict[str, dict[str, Any]] = {}

    def add(self, room: str, *members: str) -> Room:
        """A channel with these people and our bot."""
        made = Room(room, {*members, self.bot})
        self.rooms[room] = made
        return made

    def closed(self, fields: Mapping[str, Any]) -> str:
        """Why the bot may not write there, or empty."""
        room = self.rooms[str(fields["channel"])]
        if room.archived:
            return "is_archived"
        return "" if self.bot in room.members else "not_in_channel"

    def post(self, fields: Mapping[str, Any], ts: str) -> Answer:
        """chat.postMessage in a channel."""
        room = self.rooms[str(fields["channel"])]
        thread = fields.get("thread_ts")
        if thread is not None and room.find(str(thread)) is None:
            return {"error": "message_not_found"}
        kept = {k: fields[k] for k in ("text", "blocks", "metadata", "thread_ts") if k in fields}
        message = {"type": "message", "ts": ts, "bot_id": "B0LANTERN", "user": self.bot} | kept
        room.messages.append(message)
        return {"channel": room.id, "ts": ts, "message": message}

    def update(self, fields: Mapping[str, Any]) -> Answer:
        """chat.update: of its own messages alone."""
        message = self.rooms[str(fields["channel"])].find(str(fields["ts"]))
        if message is None:
            return {"error": "message_not_found"}
        if message.get("bot_id") != "B0LANTERN":
            return {"error": "cant_update_message"}
        message |= {k: fields[k] for k in ("text", "blocks", "metadata") if k in fields}
        return {"channel": fields["channel"], "ts": fields["ts"], "text": message.get("text", "")}

    def whisper(self, fields: Mapping[str, Any], ts: str) -> Answer:
        """chat.postEphemeral: to somebody who is in the channel."""
        room = self.rooms[str(fields["channel"])]
        if fields["user"] not in room.members:
            return {"error": "user_not_in_channel"}
        room.whispers.append((str(fields["user"]), dict(fields) | {"ts": ts}))
        return {"message_ts": ts}

    def react(self, fields: Mapping[str, Any]) -> Answer:
        """reactions.add: one of a kind."""
        room = self.rooms.get(str(fields["channel"]))
        message = room.find(str(fields["timestamp"])) if room else None
        if message is None:
            return {"error": "message_not_found"}
        names = message.setdefault("reactions", [])
        if fields["name"] in names:
            return {"error": "already_reacted"}
        names.append(fields["name"])
        return {}

    def replies(self, fields: Mapping[str, Any]) -> Answer:
        """conversations.replies, with metadata where it was asked for."""
        room = self.rooms[str(fields["channel"])]
        found = room.thread(str(fields["ts"]))
        if not found:
            return {"error": "thread_not_found"}
        return {"messages": _told(found, fields), "has_more": False}

    def history(self, fields: Mapping[str, Any]) -> Answer:
        """conversations.history: newest first, without what is below threads."""
        found = self.rooms[str(fields["channel"])].roots()[::-1]
        return {"messages": _told(found[: int(fields.get("limit") or 100)], fields), "has_more": False}

    def open(self, fields: Mapping[str, Any], view: str) -> Answer:
        """views.open: in time, once, and of a form as documented."""
        since, user = self.triggers.pop(str(fields["trigger_id"]), (0.0, ""))
        if not user:
            return {"error": "exchanged_trigger_id"}
        if time.monotonic() - since > TRIGGER_SECONDS:
            return {"error": "expired_trigger_id"}
        if fault := view_fault(fields["view"]):
            return {"error": "invalid_arguments", "response_metadata": {"messages": [f"[ERROR] {fault}"]}}
        made = dict(fields["view"]) | {"id": view, "hash": f"{view}.h", "user": user}
        self.views[view] = made
        return {"view": made}


def _told(messages: list[dict[str, Any]], fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    if str(fields.get("include_all_metadata", "")).lower() in {"true", "1"}:
        return messages
    return [{k: v for k, v in m.items() if k != "metadata"} for m in messages]


def view_fault(view: Any) -> str:
    """What is wrong with a modal, by docs.slack.dev/reference/views; empty where it is right."""
    if view.get("type") != "modal" or not 1 <= len(view.get("blocks") or ()) <= BLOCKS:
        return "a modal has 1 to 100 blocks"
    for name, needed in (("title", True), ("submit", True), ("close", False)):
        text = view.get(name) or {}
        if (needed or text) and (text.get("type") != "plain_text" or not 1 <= len(text.get("text", "")) <= 24):
            return f"{name} is plain_text of 1 to 24 characters"
    if len(view.get("private_metadata", "")) > 3000 or len(view.get("callback_id", "")) > 255:
        return "private_metadata or callback_id is too long"
    return next((f for f in map(_input_fault, view["blocks"]) if f), "")


def _input_fault(block: Any) -> str:
    if block.get("type") != "input":
        return (
            "" if block.get("type") in {"section", "context", "divider"} else f"{block.get('type')} is not drawn here"
        )
    label, element = block.get("label") or {}, block.get("element") or {}
    if label.get("type") != "plain_text" or not 1 <= len(label.get("text", "")) <= 2000:
        return "an input's label is plain_text of 1 to 2000 characters"
    if element.get("type") == "plain_text_input":
        return "max_length is 1 to 3000" if not 1 <= element.get("max_length", 1) <= 3000 else ""
    if element.get("type") == "static_select":
        options = element.get("options") or ()
        fits = all(1 <= len(o["text"]["text"]) <= 75 and len(o["value"]) <= 150 for o in options)
        return "" if 1 <= len(options) <= 100 and fits else "a select has 1 to 100 options that fit"
    return f"{element.get('type')} is not drawn here"
