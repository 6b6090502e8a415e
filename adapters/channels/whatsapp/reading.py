"""WhatsApp's batches: split into items as they arrive, read into our words when their turn comes. Pure.

What cannot be read costs itself alone: a bad entry, change, contact, message or status is kept as it came, and
its neighbours are handled.
"""

import csv
import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from bot.model.events import Event, conversation_lane
from bot.model.messages import Address, Contact, Inbound, Kind, Media, MediaKind, Receipt, State
from bot.ports import Alarm, Item

_NONSENSE = (AttributeError, TypeError, KeyError, IndexError, ValueError)
_MEDIA = {
    "image": MediaKind.IMAGE,
    "sticker": MediaKind.IMAGE,
    "video": MediaKind.VIDEO,
    "audio": MediaKind.AUDIO,
    "document": MediaKind.DOCUMENT,
}
_STATES = {
    "sent": State.SENT,
    "delivered": State.DELIVERED,
    "read": State.READ,
    "played": State.READ,
    "failed": State.FAILED,
}


_BAD = {"REJECTED", "PAUSED", "DISABLED", "FLAGGED", "LOCKED", "LIMIT_EXCEEDED"}
"""Events of `message_template_status_update` that keep a template from being sent, or are about to."""


def items(raw: bytes, account: str) -> Iterator[Item]:
    """Every message and status of a call's body; `account` is whose they are where the body does not say."""
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, ValueError):
        yield kept(raw, account)
        return
    found = False
    for value, field in _changes(body):
        found = True
        yield from _split(value, field, account)
    if not found:
        yield kept(raw, account)


def kept(raw: bytes, account: str) -> Item:
    """What cannot be read is kept as it came; no person's lane is delayed by it."""
    return Item(hashlib.sha256(raw).hexdigest(), f"x/whatsapp/{account}", raw)


def alarms(item: Item) -> Iterator[Alarm]:
    """What an item that is kept tells of our templates and somebody should look at.

    Source: Meta's pages on the webhooks `message_template_status_update`, `message_template_quality_update` and
    `template_category_update`.
    """
    if not item.lane.startswith("x/"):
        return
    try:
        told = _dict(msgspec.json.decode(item.body))
    except (msgspec.DecodeError, RecursionError, ValueError):
        return
    value = _dict(told.get("value"))
    what, now = _TEMPLATE_NEWS.get(str(told.get("field")), ("", ""))
    state = str(value.get(now) or "")[:40]
    if not what or (what == "template_status" and state not in _BAD) or (what == "template_quality" and state != "RED"):
        return
    name, language = (str(value.get(f"message_template_{part}") or "")[:80] for part in ("name", "language"))
    yield Alarm(what, f"{name} {language} {state}".strip())


_TEMPLATE_NEWS = {
    "message_template_status_update": ("template_status", "event"),
    "message_template_quality_update": ("template_quality", "new_quality_score"),
    "template_category_update": ("template_category", "new_category"),
}


@cache
def error_table() -> Mapping[str, tuple[str, float]]:
    """WhatsApp's codes: the action and, where the platform names none, the seconds to wait."""
    raw = files("adapters.channels.whatsapp").joinpath("errors.csv").read_text(encoding="utf-8")
    return {row["code"]: (row["action"], float(row["seconds"] or 0)) for row in csv.DictReader(raw.splitlines())}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _changes(body: Any) -> Iterator[tuple[Any, str]]:
    for entry in _list(_dict(body).get("entry")):
        for change in _list(_dict(entry).get("changes")):
            yield _dict(change).get("value", change), str(_dict(change).get("field") or "")


def _split(value: Any, field: str, account: str) -> list[Item]:
    whole = msgspec.json.encode({"field": field, "value": value})
    if field == "user_preferences" and isinstance(value, dict) and _list(value.get("user_preferences")):
        account = str(_dict(value.get("metadata")).get("phone_number_id") or account)
        return [_preference(account, p, _cards(value.get("contacts"))) for p in value["user_preferences"]]
    if field != "messages" or not isinstance(value, dict):
        return [kept(whole, account)]
    account = str(_dict(value.get("metadata")).get("phone_number_id") or account)
    cards = _cards(value.get("contacts"))
    found = [_message(account, m, cards) for m in _list(value.get("messages"))]
    found += [_status(account, s) for s in _list(value.get("statuses"))]
    return found or [kept(whole, account)]


def _message(account: str, message: Any, cards: Mapping[str, dict[str, Any]]) -> Item:
    try:
        called = names(message.get("from_user_id"), message.get("from"))
        card = next((cards[name] for name in called if name in cards), {})
        called = names(*called, card.get("user_id"), card.get("wa_id"))
        lane = conversation_lane(Address("whatsapp", account, called[0]))
        told = {
            "account": account,
            "names": called,
            "message": message,
            "name": _dict(card.get("profile")).get("name") or "",
        }
        return Item(f"m:{_id(message)}", lane, msgspec.json.encode(told), chats=called[1:])
    except _NONSENSE:
        return kept(msgspec.json.encode({"message": message}), account)


def _status(account: str, status: Any) -> Item:
    try:
        called = names(status.get("recipient_user_id"), status.get("recipient_id"))
        lane = conversation_lane(Address("whatsapp", account, called[0]))
        told = {"account": account, "names": called, "status": status}
        return Item(f"s:{_id(status)}:{status['status']}", lane, msgspec.json.encode(told), chats=called[1:])
    except _NONSENSE:
        return kept(msgspec.json.encode({"status": status}), account)


def _preference(account: str, preference: Any, cards: Mapping[str, dict[str, Any]]) -> Item:
    """A person's switch for a business's advertising. It has no id: whose it is and since when make it this one."""
    try:
        called = names(preference.get("user_id"), preference.get("wa_id"))
        card = next((cards[name] for name in called if name in cards), {})
        called = names(*called, card.get("user_id"), card.get("wa_id"))
        lane = conversation_lane(Address("whatsapp", account, called[0]))
        key = f"p:{called[0]}:{preference['category']}:{preference['value']}:{preference['timestamp']}"
        told = {"account": account, "names": called, "preference": preference}
        return Item(key, lane, msgspec.json.encode(told), chats=called[1:])
    except _NONSENSE:
        return kept(msgspec.json.encode({"preference": preference}), account)


def _id(told: Any) -> str:
    """What a repeat is recognised by; a message without an id is a repeat of nothing but itself."""
    own = told["id"]
    if not isinstance(own, str | int) or not own:
        raise ValueError("no id")
    return str(own)


def _cards(contacts: Any) -> dict[str, dict[str, Any]]:
    """The contacts of a change under each of their ids: they are matched by id, not by position."""
    cards = [c for c in _list(contacts) if isinstance(c, dict)]
    return {name: card for card in cards for name in names(card.get("user_id"), card.get("wa_id"))}


def names(*called: Any) -> tuple[str, ...]:
    """What the platform calls a person, the business-scoped id first: a phone number may change hands."""
    known = dict.fromkeys(str(n) for n in called if n and isinstance(n, str | int))
    return tuple(sorted(known, key=str.isdecimal))


def read(item: Item) -> Event | None:
    """What a person did or how far a message got; None where it concerns nobody."""
    if item.lane.startswith("x/"):
        return None
    told = msgspec.json.decode(item.body)
    sender = Address.parse(item.lane.removeprefix("c/"))
    try:
        if "status" in told:
            return _receipt(item, sender, told["status"])
        if "preference" in told:
            return _switched(item, sender, told["preference"])
        return _inbound(item, sender, told)
    except _NONSENSE as error:
        raise ValueError(f"not a message of WhatsApp: {type(error).__name__}") from error


def _receipt(item: Item, sender: Address, status: Any) -> Receipt | None:
    state = _STATES.get(str(status.get("status")))
    if state is None:
        return None
    errors = [e for e in _list(status.get("errors")) if isinstance(e, dict)]
    meant = {error_table().get(str(e.get("code")), ("", 0.0))[0] for e in errors}
    return Receipt(
        item.key,
        _instant(status.get("timestamp")),
        sender,
        state,
        outbound_id=str(status.get("biz_opaque_callback_data") or ""),
        platform_id=str(status.get("id") or ""),
        reason="; ".join(f"{e.get('code')} {e.get('title', '')}".strip() for e in errors),
        closed="closed" in meant,
        gone="unreachable" in meant,
        pricing=_dict(status.get("pricing")),
    )


def _switched(item: Item, sender: Address, preference: Any) -> Inbound | None:
    """Source: Meta's page on the webhook `user_preferences`."""
    kind = _SWITCHED.get(str(preference.get("value")))
    if kind is None or preference.get("category") != "marketing_messages":
        return None
    return Inbound(item.key, _instant(preference.get("timestamp")), sender, kind)


_SWITCHED = {"stop": Kind.ADVERTISING_OFF, "resume": Kind.ADVERTISING_ON}


def _inbound(item: Item, sender: Address, told: Any) -> Inbound | None:
    message = told["message"]
    if message.get("type") == "reaction":
        return None  # a heart under our message asks for nothing
    if message.get("type") == "system" and "changed" not in str(_dict(message.get("system")).get("type")):
        return None  # what the platform notes is nobody's word
    phone = next((n for n in told["names"] if n.isdecimal()), "")
    heard = _READERS.get(str(message.get("type")), _unsupported)(message)
    return Inbound(
        item.key,
        _instant(message.get("timestamp")),
        sender,
        phone=f"+{phone}" if phone else None,
        name=str(told.get("name") or ""),
        **heard,
    )


def _instant(stamp: Any) -> datetime:
    try:
        return datetime.fromtimestamp(int(stamp), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


def _text(message: Any) -> dict[str, Any]:
    return {"text": str(_dict(message.get("text")).get("body") or "")}


def _file(message: Any) -> dict[str, Any]:
    kind = str(message["type"])
    part = _dict(message.get(kind))
    media = Media(
        _MEDIA[kind],
        ref=file_ref(part),
        mime=str(part.get("mime_type") or ""),
        name=str(part.get("filename") or ""),
        sticker=kind == "sticker",
    )
    return {"text": str(part.get("caption") or ""), "media": (media,)}


def file_ref(part: Mapping[str, Any]) -> str:
    """What a file is fetched and checked by: its id, its SHA-256 and its address, any of them empty."""
    told = ["".join(str(part.get(name) or "").split()) for name in ("id", "sha256", "url")]
    return " ".join(told) if told[0] or told[2] else ""


def _pressed(message: Any) -> dict[str, Any]:
    part = _dict(message.get("interactive"))
    reply = part.get("button_reply") or part.get("list_reply")
    if isinstance(reply, dict) and reply.get("id"):
        return {"choice": str(reply["id"]), "text": str(reply.get("title") or "")}
    return {"kind": Kind.UNSUPPORTED}


def _button(message: Any) -> dict[str, Any]:
    part = _dict(message.get("button"))
    return {"choice": str(part.get("payload") or "") or None, "text": str(part.get("text") or "")}


def _contacts(message: Any) -> dict[str, Any]:
    for card in _list(message.get("contacts")):
        for phone in _list(_dict(card).get("phones")):
            digits = str(_dict(phone).get("wa_id") or _dict(phone).get("phone") or "")
            if digits:
                own = card.get("origin") == "contact_request"
                return {"contact": Contact("+" + "".join(c for c in digits if c.isdigit()), own)}
    return {"kind": Kind.UNSUPPORTED}


def _edited(message: Any) -> dict[str, Any]:
    return {"kind": Kind.EDITED, **_text(_dict(_dict(message.get("edit")).get("message")))}


def _system(message: Any) -> dict[str, Any]:
    """`user_changed_number`, `user_changed_user_id`."""
    return {"kind": Kind.MOVED}


def _unsupported(message: Any) -> dict[str, Any]:
    return {"kind": Kind.DELETED if message.get("type") == "revoke" else Kind.UNSUPPORTED}


_READERS = {
    "text": _text,
    **dict.fromkeys(_MEDIA, _file),
    "interactive": _pressed,
    "button": _button,
    "contacts": _contacts,
    "edit": _edited,
    "system": _system,
}
