"""Slack's payloads: split into items as they arrive, read into our words when their turn comes. Pure."""

import hashlib
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from slack_bolt.request.async_request import AsyncBoltRequest

from bot.model.events import conversation_lane
from bot.model.messages import Address, Inbound, Kind, Media, MediaKind
from bot.ports import Item

NONSENSE = (AttributeError, KeyError, IndexError, TypeError, ValueError)
"""What reading a payload raises that is not as documented."""
_WORDS = frozenset({None, "file_share", "thread_broadcast", "me_message"})
"""Subtypes of a message that are simply something a person said."""
_NOTES = frozenset({
    "channel_join", "channel_leave", "channel_topic", "channel_purpose", "channel_name", "channel_archive",
    "channel_unarchive", "group_join", "group_leave", "group_topic", "group_purpose", "group_name", "huddle_thread",
    "pinned_item", "unpinned_item", "reminder_add", "bot_add", "bot_remove", "channel_convert_to_private",
    "channel_posting_permissions", "ekm_access_denied", "assistant_app_thread",
})  # fmt: skip
"""Subtypes by which Slack notes what happened in a room; nobody said them to us."""
_PRESSED = frozenset({"block_actions", "message_action", "interactive_message"})
_REFERENCE = re.compile(r"<([^<>]+)>")
_CHECK_INFO = "check_file_info"
_SLACKBOT = "USLACKBOT"


def payload_of(body: bytes, content_type: str) -> tuple[Any, bytes]:
    """The payload of a request and its JSON; raises ValueError where it cannot be read.

    Events come as JSON, interactivity as a form with the JSON in `payload`, slash commands as form fields.
    """
    if not content_type.startswith("application/x-www-form-urlencoded"):
        return msgspec.json.decode(body), body
    fields = dict(parse_qsl(body.decode(), keep_blank_values=True))
    raw = fields["payload"].encode() if "payload" in fields else msgspec.json.encode(fields)
    return msgspec.json.decode(raw), raw


def kept(raw: bytes) -> Item:
    """What cannot be read is kept as it came; no person's lane is delayed by it."""
    return Item(f"x:{hashlib.sha256(raw).hexdigest()}", "x/slack", raw)


def split(payload: Any, raw: bytes) -> tuple[Item, ...]:
    """The item of a payload; none for noise: what bots say, other rooms, changes that change no word."""
    try:
        if payload.get("type") == "event_callback" and _is_noise(payload["event"]):
            return ()
        return (Item(key_of(payload, raw), _lane(payload), raw),)
    except NONSENSE:
        return (kept(raw),)


def _lane(payload: Any) -> str:
    whose = AsyncBoltRequest(body=payload, mode="socket_mode").context
    team, channel = whose.team_id, whose.channel_id
    if team and channel and channel.startswith("D") and _is_said(payload):
        return conversation_lane(Address("slack", team, channel))
    return f"x/slack/{team or ''}"


def _is_said(payload: Any) -> bool:
    """Whether a person did this in a chat; opening the app's page or a reaction is not said to us."""
    if payload.get("type") == "event_callback":
        return bool(payload["event"].get("type") == "message")
    return bool(payload.get("type") in _PRESSED or "command" in payload)


def key_of(payload: Any, raw: bytes) -> str:
    """The same on every repeat: Slack's own id, else what makes the interaction this one."""
    if payload.get("event_id"):
        return f"e:{payload['event_id']}"
    if payload.get("type") == "block_actions":
        action = payload["actions"][0]
        parts = [
            action.get("action_ts"),
            action.get("action_id"),
            (payload.get("container") or {}).get("message_ts") or (payload.get("message") or {}).get("ts"),
            (payload.get("user") or {}).get("id"),
        ]
        return f"a:{hashlib.sha256(msgspec.json.encode(parts)).hexdigest()}"
    if isinstance(payload.get("view"), dict):
        return f"v:{payload['view'].get('id')}:{payload['view'].get('hash')}"
    if payload.get("trigger_id"):
        return f"t:{payload['trigger_id']}"
    return f"x:{hashlib.sha256(raw).hexdigest()}"


def _is_noise(event: Any) -> bool:
    if event.get("type") != "message":
        return False
    if event.get("channel_type", "im") != "im":
        return True
    now, before = event.get("message") or {}, event.get("previous_message") or {}
    if any(_is_bots(m) for m in (event, now, before)):
        return True
    if event.get("subtype") == "message_changed":
        return bool(now.get("subtype") != "tombstone" and now.get("text") == before.get("text"))
    return bool(event.get("subtype") == "message_replied")


def _is_bots(message: Any) -> bool:
    return bool(message.get("bot_id") or message.get("bot_profile") or message.get("subtype") == "bot_message")


def read(item: Item) -> Inbound | None:
    """What a person did, None where it concerns nobody; raises ValueError on nonsense."""
    if item.lane.startswith("x/"):
        return None
    sender = Address.parse(item.lane.removeprefix("c/"))
    try:
        told: Any = msgspec.json.decode(item.body)
        if told.get("type") == "event_callback":
            return _message(item.key, sender, told["event"])
        if told.get("type") == "block_actions":
            return _choice(item.key, sender, told)
        return Inbound(item.key, instant(told.get("action_ts")), sender, Kind.UNSUPPORTED)
    except NONSENSE as error:
        raise ValueError(f"not a payload of Slack: {type(error).__name__}") from error


def _message(key: str, sender: Address, event: Any) -> Inbound | None:
    subtype = event.get("subtype")
    at = instant(event.get("event_ts") or event.get("ts"))
    if subtype in _WORDS:
        return Inbound(key, at, sender, text=unescape(event.get("text") or ""), media=files_of(event))
    if subtype == "message_changed" and event["message"].get("subtype") != "tombstone":
        return Inbound(key, at, sender, Kind.EDITED, unescape(event["message"].get("text") or ""))
    if subtype in {"message_deleted", "message_changed"}:
        return Inbound(key, at, sender, Kind.DELETED)
    if subtype in _NOTES or event.get("hidden") or event.get("user") in {None, _SLACKBOT}:
        return None
    return Inbound(key, at, sender, Kind.UNSUPPORTED)


def _choice(key: str, sender: Address, told: Any) -> Inbound | None:
    """The value of what was pressed; a button that only opens an address has none and asks for nothing."""
    action = told["actions"][0]
    value = action.get("value") or (action.get("selected_option") or {}).get("value")
    return Inbound(key, instant(action.get("action_ts")), sender, choice=str(value)) if value else None


def files_of(event: Any) -> tuple[Media, ...]:
    """The files of a message that still exist."""
    return tuple(_file(f) for f in event.get("files") or () if f.get("mode") != "tombstone")


def _file(file: Any) -> Media:
    """`ref` is the file's address; or its id where Slack wants to be asked first (Slack Connect)."""
    address = "" if file.get("file_access") == _CHECK_INFO else file.get("url_private") or ""
    mime, size = str(file.get("mimetype") or ""), file.get("size")
    return Media(
        _KINDS.get(mime.partition("/")[0], MediaKind.DOCUMENT),
        ref=str(address or file.get("id") or ""),
        mime=mime,
        name=str(file.get("name") or file.get("title") or ""),
        size=size if isinstance(size, int) else None,
    )


_KINDS = {"image": MediaKind.IMAGE, "video": MediaKind.VIDEO, "audio": MediaKind.AUDIO}


def instant(stamp: Any) -> datetime:
    """A Slack time stamp in UTC; nonsense is 1970."""
    try:
        return datetime.fromtimestamp(float(stamp), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


def unescape(text: str) -> str:
    """Slack's text as the person typed it: references as words, the three entities as characters."""
    if "<" in text:
        text = _REFERENCE.sub(_reference, text)
    if "&" in text:
        text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return text


def _reference(match: re.Match[str]) -> str:
    target, _, label = match[1].partition("|")
    if target[0] in "@#":
        return target[0] + (label or target[1:])
    if target[0] == "!":
        return label or "@" + target[1:]
    # Slack makes `example.com/x` a link labelled with what was typed; a link's token must not be lost in it.
    if not label or (target.startswith("http") and label in target):
        return target
    return label
