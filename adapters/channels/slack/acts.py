"""What staff do at the desk, from Slack's payloads. Pure.

A message in a case's thread is a note, unless it begins with `r:`; quotes, code and what was forwarded are never
part of a reply. A button's value is `<act>:<case>:<version or what it is about>`; a modal brings the same along.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from adapters.channels.slack.reading import files_of, instant, key_of, unescape
from bot.model.events import StaffAct
from bot.model.messages import Address, Media
from bot.ports import Item, Posting

ACTION, CALLBACK = "desk-", "wismo-desk"
ASKS = frozenset({"reply", "note", "snooze", "assign"})
"""Acts whose button opens a modal first."""
UNDO_SECONDS = 10.0
HOURS = {"1": "1 hour", "4": "4 hours", "24": "1 day", "72": "3 days", "168": "1 week"}
QUEUE = "queue:"
"""Before a queue's name among those to whom a case can be given."""
_WORDS = frozenset({None, "file_share", "thread_broadcast"})
_REPLY = re.compile(r"\s*r:\s*", re.IGNORECASE)
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_REST_QUOTED = re.compile(r"^\s*&gt;&gt;&gt;.*\Z", re.MULTILINE | re.DOTALL)
_QUOTED = re.compile(r"^\s*&gt;.*(?:\n|\Z)", re.MULTILINE)
TITLES = {"reply": "Reply to the buyer", "note": "Internal note", "snooze": "Snooze the case", "assign": "Give it to"}
SUBMITS = {"reply": "Send to the buyer", "note": "Keep note", "snooze": "Snooze", "assign": "Assign"}


class Pressed(Struct, frozen=True):
    """A button of ours: what it does, with which case; `about` is the holder's version or what is meant."""

    act: str
    case: str
    about: str
    who: str
    place: str
    thread: str
    trigger: str


def pressed(payload: Any) -> Pressed | None:
    """The desk's button that was pressed, None for any other."""
    if payload.get("type") != "block_actions" or not payload.get("actions"):
        return None
    action = payload["actions"][0]
    parts = str(action.get("value") or "").split(":", 2)
    if not str(action.get("action_id", "")).startswith(ACTION) or len(parts) != 3:
        return None
    message = payload.get("message") or {}
    container = payload.get("container") or {}
    thread = message.get("thread_ts") or container.get("thread_ts") or container.get("message_ts") or message.get("ts")
    place = (payload.get("channel") or {}).get("id") or container.get("channel_id") or ""
    act, case, about = parts
    who, trigger = payload["user"]["id"], str(payload.get("trigger_id", ""))
    return Pressed(act, case, about, who, str(place), str(thread or ""), trigger)


def items_of(payload: Any, raw: bytes, posting: Posting) -> tuple[Item, ...] | None:
    """What of a payload is the desk's to store; None where it is not the desk's at all."""
    kind = payload.get("type")
    if kind == "view_submission" and payload["view"].get("callback_id") == CALLBACK:
        about = msgspec.json.decode(payload["view"]["private_metadata"])
        return _of(payload["user"]["id"], posting, Item(key_of(payload, raw), f"k/{about['case']}", raw))
    if (button := pressed(payload)) is not None:
        return _of(button.who, posting, Item(key_of(payload, raw), f"k/{button.case}", raw))
    if kind == "event_callback" and payload["event"].get("channel") in posting.queues.values():
        return _said(payload, raw, posting)
    return None


def _of(who: str, posting: Posting, item: Item) -> tuple[Item, ...]:
    return (item,) if who in posting.staff else ()


def _said(payload: Any, raw: bytes, posting: Posting) -> tuple[Item, ...]:
    """Of what is said in a desk's channel only what staff say in a thread, change or delete there."""
    event = payload["event"]
    if event.get("type") != "message":
        return ()
    now, before = event.get("message") or {}, event.get("previous_message") or {}
    written = before if event.get("subtype") in {"message_changed", "message_deleted"} else event
    thread, who = written.get("thread_ts"), written.get("user")
    if not thread or thread == written.get("ts") or written.get("bot_id") or who not in posting.staff:
        return ()
    if event.get("subtype") == "message_changed" and now.get("text") == before.get("text"):
        return ()
    if event.get("subtype") not in _WORDS | {"message_changed", "message_deleted"}:
        return ()
    said = event.get("subtype") in _WORDS
    key = message_key(event["channel"], str(event["ts"])) if said else f"e:{payload['event_id']}"
    return (Item(key, f"t/{event['channel']}/{thread}", raw),)


def message_key(place: str, ts: str) -> str:
    """The act that a message of staff is; an edit or deletion of it names the same."""
    return f"m:{place}:{ts}"


def act_of(item: Item, told: Any, posting: Posting) -> StaffAct | None:
    """The staff act of an item, None where it is not the desk's."""
    to = Address.parse(item.lane.removeprefix("c/"))
    if told.get("type") == "view_submission":
        return _submitted(item.key, to, told, posting)
    if (button := pressed(told)) is not None:
        about = button.about
        return StaffAct(
            item.key,
            instant(told["actions"][0].get("action_ts")),
            posting.staff[button.who],
            to,
            button.act,
            version=int(about) if about.isdecimal() else None,
            ref=about,
            surface=Address("desk", posting.name, button.place),
            thread=button.thread,
            by=button.who,
        )
    event = told.get("event") or {}
    if told.get("type") == "event_callback" and event.get("channel") in posting.queues.values():
        return _written(item.key, to, event, posting)
    return None


def _written(key: str, to: Address, event: Any, posting: Posting) -> StaffAct:
    changed = event.get("subtype") == "message_changed"
    deleted = event.get("subtype") == "message_deleted"
    written = event["previous_message"] if changed or deleted else event
    who = str(written["user"])
    surface, thread = Address("desk", posting.name, event["channel"]), str(written.get("thread_ts") or "")
    at, name = instant(event.get("event_ts") or event.get("ts")), posting.staff[who]
    first = message_key(event["channel"], str(written["ts"]))
    if deleted:
        kind = "undo" if _REPLY.match(said_to_buyer(written.get("text") or "")) else "note"
        return StaffAct(
            key, at, name, to, kind, "(deleted their note)", ref=first, surface=surface, thread=thread, by=who
        )
    now = event["message"] if changed else event
    text, files = now.get("text") or "", files_of(now)
    reply = _REPLY.match(safe := said_to_buyer(text))
    if changed:
        was = _REPLY.match(said_to_buyer(written.get("text") or ""))
        kind, words = ("edit", unescape(safe[reply.end() :])) if reply and was else ("note", unescape(text))
        return StaffAct(key, at, name, to, kind, words.strip(), ref=first, surface=surface, thread=thread, by=who)
    words = unescape(safe[reply.end() :]) if reply else unescape(text)
    return StaffAct(
        key,
        at,
        name,
        to,
        "reply" if reply else "note",
        words.strip() or ("" if reply else _named(files)),
        files if reply else (),
        surface=surface,
        thread=thread,
        by=who,
        message=str(event["ts"]),
        undo_seconds=UNDO_SECONDS if reply else 0.0,
    )


def _named(files: tuple[Media, ...]) -> str:
    return ", ".join(f"📎 {f.name or f.kind.value}" for f in files)


def said_to_buyer(text: str) -> str:
    """What of a message may reach a buyer: no code, no quote."""
    return _QUOTED.sub("", _REST_QUOTED.sub("", _CODE.sub("", text))).strip()


def _submitted(key: str, to: Address, told: Any, posting: Posting) -> StaffAct:
    about = msgspec.json.decode(told["view"]["private_metadata"])
    values = told["view"]["state"]["values"]
    field = next(iter(next(iter(values.values())).values()))
    value = str(field.get("value") or (field.get("selected_option") or {}).get("value") or "")
    who, act = told["user"]["id"], str(about["act"])
    if act == "assign" and value.startswith(QUEUE):
        act, value = "move", value.removeprefix(QUEUE)
    return StaffAct(
        key,
        instant(None),
        posting.staff[who],
        to,
        act,
        value if act in {"reply", "note"} else "",
        version=int(about["about"]) if str(about["about"]).isdecimal() else None,
        ref=value if act == "snooze" else "",
        whom=value if act in {"assign", "move"} else "",
        surface=Address("desk", posting.name, about["place"]),
        thread=str(about.get("thread") or ""),
        by=who,
        undo_seconds=UNDO_SECONDS if act == "reply" else 0.0,
    )


def modal(button: Pressed, posting: Posting) -> dict[str, Any]:
    """The form that a button opens; it carries what the button carried."""
    about = {"act": button.act, "case": button.case, "about": button.about, "place": button.place}
    return {
        "type": "modal",
        "callback_id": CALLBACK,
        "private_metadata": msgspec.json.encode(about | {"thread": button.thread}).decode(),
        "title": _words(TITLES[button.act]),
        "submit": _words(SUBMITS[button.act]),
        "close": _words("Cancel"),
        "blocks": [
            {
                "type": "input",
                "block_id": "asked",
                "label": _words(TITLES[button.act]),
                "element": _ELEMENTS[button.act](posting),
            }
        ],
    }


def _words(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": True}


def _text_input(_: Posting) -> dict[str, Any]:
    return {"type": "plain_text_input", "action_id": "value", "multiline": True, "max_length": 3000}


def _select(options: Mapping[str, str]) -> dict[str, Any]:
    made = [{"text": _words(title[:75]), "value": value} for value, title in list(options.items())[:100]]
    return {"type": "static_select", "action_id": "value", "options": made}


_ELEMENTS: Mapping[str, Callable[[Posting], dict[str, Any]]] = {
    "reply": _text_input,
    "note": _text_input,
    "snooze": lambda _: _select(HOURS),
    "assign": lambda posting: _select(
        {f"{QUEUE}{name}": f"The queue {name}" for name in posting.every_queue if len(posting.every_queue) > 1}
        | {name: name for name in sorted(set(posting.staff.values()))}
    ),
}
