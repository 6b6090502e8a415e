"""The part of the emulated Telegram where staff sit: a supergroup with topics.

Rules: a message names a topic that is there; a topic's name has 1 to 128 characters; an edit changes something and
finds its message; a bot reacts with one emoji of the allowed ones; 20 messages a minute to the group.
Sources: core.telegram.org/bots/api, "createForumTopic", "editMessageText", "setMessageReaction", "ReactionTypeEmoji".
"""

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

A_MINUTE = 20
REACTIONS = frozenset("👍👎🔥🎉😢🤔👏👌👀🙏⚡💯😁🤯😱🥰🤬🤩🤮💩")


@dataclass
class Forum:
    """A supergroup with topics. `posts` are what our bot wrote, by message."""

    chat: int
    topics: dict[int, str] = field(default_factory=dict)
    posts: dict[int, dict[str, Any]] = field(default_factory=dict)
    reactions: dict[int, str] = field(default_factory=dict)
    times: deque[float] = field(default_factory=deque)

    def wait(self) -> int:
        """Seconds until the group may be written to, 0 for now; a message that may go is counted."""
        now = time.monotonic()
        while self.times and self.times[0] < now - 60:
            self.times.popleft()
        if len(self.times) >= A_MINUTE:
            return int(self.times[0] + 60 - now) + 1
        self.times.append(now)
        return 0

    def fault(self, fields: Mapping[str, Any]) -> str:
        """Why a message may not be sent into this group, or empty."""
        topic = fields.get("message_thread_id")
        return "" if topic is not None and int(topic) in self.topics else "message thread not found"

    def about(self, thread: int) -> dict[str, Any]:
        """What a message in a topic says of where it is."""
        chat = {"id": self.chat, "type": "supergroup", "title": "Desk", "is_forum": True}
        return {"chat": chat, "message_thread_id": thread, "is_topic_message": True}

    def create(self, fields: Mapping[str, Any], number: int) -> dict[str, Any] | str:
        """createForumTopic."""
        name = str(fields["name"])
        if not 1 <= len(name) <= 128:
            return "topic name is invalid"
        self.topics[number] = name
        return {"message_thread_id": number, "name": name, "icon_color": 7322096}

    def edit(self, fields: Mapping[str, Any]) -> dict[str, Any] | str:
        """editMessageText: of a message of the bot's own."""
        post = self.posts.get(int(fields["message_id"]))
        if post is None:
            return "message to edit not found"
        fresh = {"text": str(fields["text"]), "reply_markup": fields.get("reply_markup") or {}}
        if all(post.get(k) == v for k, v in fresh.items()):
            return "message is not modified"
        post |= fresh
        return {"message_id": int(fields["message_id"]), "date": 0, **self.about(int(post["message_thread_id"]))}

    def react(self, fields: Mapping[str, Any]) -> bool | str:
        """setMessageReaction: a bot has one."""
        emoji = [r.get("emoji") for r in fields.get("reaction") or ()]
        if len(emoji) > 1 or any(e not in REACTIONS for e in emoji):
            return "REACTION_INVALID"
        self.reactions[int(fields["message_id"])] = str(emoji[0]) if emoji else ""
        return True
