"""Telegram's updates in our words, once an item's turn has come. Pure."""

import re
from datetime import UTC, datetime
from typing import Any

import msgspec
import telegram
from telegram import Update

from bot.model.events import Event
from bot.model.messages import Address, Contact, Inbound, Kind, Media, MediaKind
from bot.ports import Item


def read(item: Item, bot: telegram.Bot) -> Event | None:
    """What an update says; None for what concerns nobody."""
    sender = Address.parse(item.lane.removeprefix("c/"))
    try:
        return _typed(item.key, sender, _read_typed(item.body))
    except msgspec.ValidationError:
        return _any(item, sender, bot)


def _any(item: Item, sender: Address, bot: telegram.Bot) -> Event | None:
    told = msgspec.json.decode(item.body)
    try:
        update = Update.de_json(told, bot)
    except (TypeError, KeyError, ValueError, AttributeError):
        return _half_read(item.key, sender, told)
    return _whole(item.key, sender, update)


def _half_read(key: str, sender: Address, told: dict[str, Any]) -> Inbound:
    """A message of which PTB wants fields that it has not: its words, where there are any, and a polite answer."""
    message = told.get("message") or told.get("edited_message")
    if not isinstance(message, dict):
        raise ValueError("not an update that can be read")  # noqa: TRY004 - the port's word for nonsense
    stamp, text = message.get("date"), message.get("text")
    at = datetime.fromtimestamp(stamp, UTC) if isinstance(stamp, int) and 0 <= stamp < _LAST else datetime.now(UTC)
    if isinstance(text, str) and text:
        return Inbound(key, at, sender, text=text)
    return Inbound(key, at, sender, Kind.UNSUPPORTED)


_LAST = 2**36


def _whole(key: str, sender: Address, update: Update) -> Inbound | None:
    if update.my_chat_member is not None:
        gone = update.my_chat_member.new_chat_member.status in {"kicked", "left"}
        return Inbound(key, update.my_chat_member.date, sender, Kind.BLOCKED if gone else Kind.UNBLOCKED)
    user = update.effective_user
    locale = (user.language_code if user else None) or None
    name = user.full_name if user else ""
    if update.callback_query is not None:
        at = datetime.now(UTC)
        return Inbound(key, at, sender, choice=update.callback_query.data, locale=locale, name=name)
    message = update.message or update.edited_message
    if message is None or (user is not None and user.is_bot):
        return None
    heard = {"kind": Kind.EDITED} if update.edited_message is not None else {}
    return Inbound(key, message.date, sender, locale=locale, name=name, **{**_heard(message), **heard})


class _User(msgspec.Struct):
    id: int
    is_bot: bool = False
    first_name: str = ""
    last_name: str = ""
    language_code: str = ""


class _Text(msgspec.Struct, forbid_unknown_fields=True, rename={"sender": "from"}):
    message_id: int
    date: int
    chat: msgspec.Raw
    text: str
    sender: _User
    entities: msgspec.Raw = msgspec.Raw()


class _Typed(msgspec.Struct, forbid_unknown_fields=True):
    """An update that is a text somebody typed and nothing else, which nearly all are: read in 3 us. Any other has
    fields that are not here, and python-telegram-bot reads it, in 200."""

    update_id: int
    message: _Text


_read_typed = msgspec.json.Decoder(_Typed).decode


def _typed(key: str, sender: Address, update: _Typed) -> Inbound | None:
    message, user = update.message, update.message.sender
    if user.is_bot:
        return None
    name = f"{user.first_name} {user.last_name}".rstrip()
    at = datetime.fromtimestamp(message.date, UTC) if 0 <= message.date < _LAST else datetime.now(UTC)
    return Inbound(key, at, sender, locale=user.language_code or None, name=name, **_said(message.text))


def _heard(message: telegram.Message) -> dict[str, Any]:
    """What a message says, whichever kind it is."""
    text = message.text or message.caption or ""
    if _START.match(text):
        return _said(text)
    if message.contact is not None:
        own = message.from_user is not None and message.contact.user_id == message.from_user.id
        forwarded = message.forward_origin is not None
        digits = "".join(c for c in message.contact.phone_number if c.isdigit())
        return {"contact": Contact(f"+{digits}", own and not forwarded)}
    media = media_of(message)
    if media is not None:
        return {"text": text, "media": (media,)}
    return _said(text)


def _said(text: str) -> dict[str, Any]:
    """What a text says; a deep link's comes as `/start <token>`."""
    if start := _START.match(text):
        return {"text": "/start", "start": text[start.end() :].strip() or None}
    return {"text": text} if text else {"kind": Kind.UNSUPPORTED}


_START = re.compile(r"/start(@\w+)?(?!\S)")
"""The command alone, of this bot by name or not: "/started" is none, and its rest no link's token."""


def media_of(message: telegram.Message) -> Media | None:
    """The file of a message."""
    if message.photo:
        return Media(MediaKind.IMAGE, message.photo[-1].file_id, "image/jpeg", size=message.photo[-1].file_size)
    for kind, part in (
        (MediaKind.VIDEO, message.video or message.video_note or message.animation),
        (MediaKind.AUDIO, message.voice or message.audio),
        (MediaKind.DOCUMENT, message.document),
    ):
        if part is not None:
            return Media(
                kind,
                part.file_id,
                getattr(part, "mime_type", None) or "",
                getattr(part, "file_name", None) or "",
                part.file_size,
            )
    return Media(MediaKind.IMAGE, message.sticker.file_id, sticker=True) if message.sticker else None
