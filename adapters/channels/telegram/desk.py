"""A Telegram forum as the desk of staff: a supergroup with topics, one topic a case.

There are no forms: a reply is a message in the topic that begins with `r:`; `/assign NAME` gives the case to a
colleague, `/move QUEUE` to another queue, and anything else is a note. Nothing can be said to one person alone in a
group, so a word to one is said in the topic and names them.
Sources: core.telegram.org/bots/api, "createForumTopic", "editMessageText", "setMessageReaction", "Message"
(message_thread_id, forward_origin), "MessageEntity"; core.telegram.org/bots/faq (20 messages a minute to a group).
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

import msgspec
import telegram
from msgspec import Struct
from msgspec.structs import replace
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Update

from adapters.channels.telegram.reading import media_of
from bot.errors import Misconfigured, Refused, Unreachable
from bot.model.events import StaffAct
from bot.model.markup import plain
from bot.model.messages import Address, Media, Outbound
from bot.ports import Desk, Item, Posting, Rate

TOPIC, TEXT, DATA = 128, 4096, 64
UNDO_SECONDS = 10.0
MARKS = {"sent": "👌", "delivered": "👍", "read": "👀", "failed": "😢"}
"""Of the emoji that Telegram lets a bot react with."""
HOW = (
    "Write into this topic: a message that begins with r: goes to the buyer, any other is a note. "
    "Each file of an album needs an r: of its own."
)
"""Telegram sends an album as messages of their own, of which one has the caption."""
GIVE = "Write /assign and a colleague's name into this topic, or /move and a queue's."
NOBODY = "You are not among this desk's staff, so nothing was done."
_COMMAND = re.compile(r"/(assign|move)(?:@\w+)?(?:\s+(.*?))?\s*", re.IGNORECASE | re.DOTALL)
_REPLY = re.compile(r"\s*r:\s*", re.IGNORECASE)
HELP = {"reply": HOW, "note": HOW, "assign": GIVE}
"""What a button says for which there would be a form elsewhere."""
_HIDDEN = frozenset({"blockquote", "expandable_blockquote", "code", "pre"})

Call = Callable[[str, dict[str, Any]], Awaitable[Any]]
Share = Callable[[Media, str, dict[str, Any]], Awaitable[Any]]


class Taken(Struct, frozen=True):
    """What of an update is the desk's: what to store, the button press to answer, and what to say to who pressed."""

    items: tuple[Item, ...] = ()
    pressed: str = ""
    alert: str = ""


class TelegramDesk(Desk):
    """Forums of one bot. `call` is a method of the Bot API, `share` sends a file; both raise our errors."""

    rate = Rate(per_second=0, per_recipient=1 / 3, burst=3)
    """Telegram's twenty messages a minute to a group."""

    def __init__(self, call: Call, share: Share, encode: Callable[[str], str], posting: Posting) -> None:
        self.posting = posting
        self._call = call
        self._share = share
        self._encode = encode
        self._ids = {name: who for who, name in posting.staff.items()}

    async def open(self, place: str, card: Outbound) -> str:
        name = plain(card.text).split("\n", 1)[0][:TOPIC]
        topic = int((await self._told("createForumTopic", {"chat_id": place, "name": name}))["message_thread_id"])
        sent = await self._told("sendMessage", self._message(place, card) | {"message_thread_id": topic})
        return f"{topic}/{sent['message_id']}"

    async def show(self, place: str, thread: str, card: Outbound) -> None:
        body = self._message(place, card) | {"message_id": int(thread.partition("/")[2])}
        try:
            await self._told("editMessageText", body)
        except Refused as error:
            if "not modified" not in str(error):
                raise

    async def post(self, place: str, thread: str, note: Outbound, mention: Sequence[str] = ()) -> str:
        topic = {"message_thread_id": int(thread.partition("/")[0])}
        called = [f'<a href="tg://user?id={self._ids[n]}">{escape(n)}</a>' for n in mention if n in self._ids]
        body = self._message(place, note, " ".join(called)) | topic
        for media in note.media:
            text, body["text"] = body["text"], ""
            await self._shared(media, text, {"chat_id": place, "parse_mode": "HTML"} | topic)
        if note.media:
            return ""
        return str((await self._told("sendMessage", body))["message_id"])

    async def _shared(self, media: Media, caption: str, parts: dict[str, Any]) -> None:
        try:
            await self._share(media, caption, parts)
        except Unreachable as error:
            raise Misconfigured(f"the desk's group {parts['chat_id']}: {error}", key="desk.channels") from error

    async def mark(self, place: str, message: str, state: str) -> None:
        reaction = [{"type": "emoji", "emoji": MARKS.get(state, "🤔")}]
        await self._told("setMessageReaction", {"chat_id": place, "message_id": int(message), "reaction": reaction})

    async def tell(self, place: str, thread: str, who: str, note: Outbound) -> None:
        name = self.posting.staff.get(who, "")
        await self.post(place, thread, note, (name,) if name else ())

    def _message(self, place: str, note: Outbound, called: str = "") -> dict[str, Any]:
        text = "\n".join(part for part in (called, self._encode(note.text)) if part)
        if len(plain(text)) > TEXT:
            text = escape(plain(note.text)[: TEXT - 1] + "…", quote=False)
        body: dict[str, Any] = {
            "chat_id": place,
            "text": text,
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
        }
        if note.choices:
            rows = [InlineKeyboardButton(c.title, callback_data=c.value) for c in note.choices]
            body["reply_markup"] = InlineKeyboardMarkup([rows[i : i + 3] for i in range(0, len(rows), 3)]).to_dict()
        return body

    async def _told(self, method: str, body: dict[str, Any]) -> Any:
        """What Telegram told. A group that is not open to us is no reason to lose a case: it waits until it is."""
        try:
            return await self._call(method, body)
        except Unreachable as error:
            raise Misconfigured(f"the desk's group {body['chat_id']}: {error}", key="desk.channels") from error

    # ---- in ----------------------------------------------------------------------------------------------

    def taken(self, update: Any, raw: bytes) -> Taken | None:
        """What of an update is the desk's; None where it is not. Raises on what is not as documented."""
        query = update.get("callback_query")
        message = query["message"] if query else update.get("message") or update.get("edited_message") or {}
        place = str((message.get("chat") or {}).get("id", ""))
        if place not in self.posting.queues.values():
            return None
        who = str((query or message)["from"]["id"])
        if query:
            return self._pressed(query, who, str(update["update_id"]), raw)
        topic = message.get("message_thread_id")
        if who not in self.posting.staff or not topic or not message.get("is_topic_message"):
            return Taken()
        edited = "edited_message" in update
        key = f"e:{update['update_id']}" if edited else _key(place, message["message_id"])
        return Taken((Item(key, f"t/{place}/{topic}", raw),))

    def _pressed(self, query: Any, who: str, update: str, raw: bytes) -> Taken:
        act, case, _ = str(query["data"]).split(":", 2)
        if who not in self.posting.staff:
            return Taken(pressed=str(query["id"]), alert=NOBODY)
        if act in HELP:
            return Taken(pressed=str(query["id"]), alert=HELP[act])
        return Taken((Item(f"u:{update}", f"k/{case}", raw),), str(query["id"]))

    def act_of(self, item: Item, bot: telegram.Bot) -> StaffAct | None:
        """The staff act of an item whose conversation was found; None where it is a buyer's."""
        told = msgspec.json.decode(item.body)
        if self.taken(told, item.body) is None:
            return None
        to = Address.parse(item.lane.removeprefix("c/"))
        update = Update.de_json(told, bot)
        query = update.callback_query
        if query is not None and query.message is not None:
            act, _, about = str(query.data).split(":", 2)
            who = str(query.from_user.id)
            return StaffAct(
                item.key,
                datetime.now(UTC),
                self.posting.staff[who],
                to,
                act,
                version=int(about) if about.isdecimal() else None,
                ref="" if act == "snooze" else about,
                surface=Address("desk", self.posting.name, str(query.message.chat.id)),
                thread=str(told["callback_query"]["message"].get("message_thread_id") or ""),
                by=who,
            )
        message = update.message or update.edited_message
        if message is None or message.from_user is None:
            return None
        return self._written(item.key, to, message, edited=update.edited_message is not None)

    def _written(self, key: str, to: Address, message: telegram.Message, *, edited: bool) -> StaffAct:
        who, place = str(message.from_user.id) if message.from_user else "", str(message.chat.id)
        whole = message.text or message.caption or ""
        safe = "" if message.forward_origin is not None else said_to_buyer(message)
        made = StaffAct(
            key,
            message.date,
            self.posting.staff[who],
            to,
            "note",
            surface=Address("desk", self.posting.name, place),
            thread=str(message.message_thread_id or ""),
            by=who,
        )
        if not edited and message.forward_origin is None and (given := _COMMAND.fullmatch(whole)):
            kind, whom = self._given(given[1].lower(), given[2] or "")
            return replace(made, kind=kind, text=whole, whom=whom)
        reply = _REPLY.match(safe)
        words = safe[reply.end() :] if reply else whole
        media = media_of(message)
        kind = ("edit" if edited else "reply") if reply else "note"
        return replace(
            made,
            kind=kind,
            text=words.strip() or (f"📎 {media.name or media.kind.value}" if media and not reply else ""),
            media=(media,) if media and reply and not edited else (),
            ref=_key(place, message.message_id) if edited else "",
            message=str(message.message_id),
            undo_seconds=UNDO_SECONDS if kind == "reply" else 0.0,
        )

    def _given(self, act: str, wanted: str) -> tuple[str, str]:
        """What a command does, and the name as we have it. A colleague whom nobody knows is nobody's to get a case."""
        if act == "move":
            return act, wanted
        known = {name.casefold(): name for name in self.posting.staff.values()}
        name = known.get(wanted.casefold(), "")
        return (act, name) if name else ("assign to nobody", "")


def _key(place: str, message: Any) -> str:
    """The act that a message of staff is; its edit names the same. Short: a button has to carry it."""
    return f"m:{place}:{message}"


def said_to_buyer(message: telegram.Message) -> str:
    """What of a message may reach a buyer: no code, no quote. Telegram counts in UTF-16."""
    text = (message.text or message.caption or "").encode("utf-16-le")
    entities = message.entities or message.caption_entities or ()
    for e in sorted(entities, key=lambda e: -e.offset):
        if e.type in _HIDDEN:
            text = text[: 2 * e.offset] + text[2 * (e.offset + e.length) :]
    return text.decode("utf-16-le").strip()
