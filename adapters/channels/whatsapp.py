"""WhatsApp Cloud API over httpx.

In: the handshake, the signature over the raw bytes, and every entry, change, message and status of a batch
as an item of its own. Out: text, reply buttons, list, media, contact request, approved template.
Sources: Meta's Cloud API pages "Webhooks", "Messages", "Media", "Error codes", "Business-scoped user ids".
"""

import csv
import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from bot.errors import Closed, Misconfigured, Refused, Temporary, Unknown, Unreachable, WismoError
from bot.model.events import Event, conversation_lane
from bot.model.markup import runs
from bot.model.messages import Address, Contact, Inbound, Kind, Limits, Media, MediaKind, Outbound, Receipt, State
from bot.ports import Answer, Channel, Item, Rate, Request

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_BREAK = "\u200b"
_MARKERS = str.maketrans({c: c + _BREAK for c in "*_~`"})
_MEDIA = {
    "image": MediaKind.IMAGE,
    "sticker": MediaKind.IMAGE,
    "video": MediaKind.VIDEO,
    "audio": MediaKind.AUDIO,
    "document": MediaKind.DOCUMENT,
}


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    phone_number_id: str = Field(min_length=1)
    access_token: SecretStr = Field(min_length=1)
    app_secret: SecretStr = Field(min_length=1)
    verify_token: SecretStr = Field(min_length=1)
    base_url: str = "https://graph.facebook.com/v24.0"
    rate: Rate = Rate(per_second=80, per_recipient=1 / 6, burst=45)


def connect(settings: Settings, http: httpx.AsyncClient) -> Channel:
    return WhatsApp(settings, http)


class WhatsApp(Channel):
    """One phone number."""

    kind = "whatsapp"
    limits = Limits(
        text=4096,
        caption=1024,
        buttons=3,
        button_title=20,
        rows=10,
        row_title=24,
        text_with_buttons=1024,
        ask_contact=True,
        window=True,
    )

    def __init__(self, settings: Settings, http: httpx.AsyncClient) -> None:
        self.settings = settings
        self._http = http
        self._base = settings.base_url.rstrip("/")
        self._auth = {"Authorization": f"Bearer {settings.access_token.get_secret_value()}"}
        self._secret = settings.app_secret.get_secret_value().encode()
        self._actions = _error_table()

    async def account(self) -> str:
        return self.settings.phone_number_id

    # ---- in ----------------------------------------------------------------------------------------------

    async def webhook(self, request: Request) -> Answer:
        if request.method == "GET":
            return self._handshake(request.query)
        want = b"sha256=" + hmac.new(self._secret, request.body, hashlib.sha256).hexdigest().encode()
        given = request.headers.get("x-hub-signature-256", "").encode("latin-1", "replace")
        if not hmac.compare_digest(given, want):
            return Answer(401)
        return Answer(items=tuple(self._items(request.body)))

    def _handshake(self, query: Mapping[str, str]) -> Answer:
        want = self.settings.verify_token.get_secret_value().encode()
        given = query.get("hub.verify_token", "").encode()
        if query.get("hub.mode") == "subscribe" and hmac.compare_digest(given, want):
            return Answer(body=query.get("hub.challenge", "").encode(), headers={"content-type": "text/plain"})
        return Answer(403)

    def _items(self, raw: bytes) -> list[Item]:
        try:
            return [item for value, field in _changes(msgspec.json.decode(raw)) for item in self._split(value, field)]
        except (msgspec.DecodeError, RecursionError, AttributeError, TypeError, ValueError):
            return [self._kept(raw)]

    def _kept(self, raw: bytes) -> Item:
        """What cannot be read is kept as it came; no person's lane is delayed by it."""
        return Item(hashlib.sha256(raw).hexdigest(), f"x/whatsapp/{self.settings.phone_number_id}", raw)

    def _split(self, value: Any, field: str) -> list[Item]:
        if field != "messages":
            return [self._kept(msgspec.json.encode({"field": field, "value": value}))]
        account = str(value.get("metadata", {}).get("phone_number_id") or self.settings.phone_number_id)
        contacts = value.get("contacts") or ()
        items = [self._message(account, m, contacts) for m in value.get("messages") or ()]
        items += [self._status(account, s) for s in value.get("statuses") or ()]
        return items or [self._kept(msgspec.json.encode({"field": field, "value": value}))]

    def _message(self, account: str, message: Any, contacts: Any) -> Item:
        try:
            names = _names(message.get("from_user_id"), message.get("from"))
            card: dict[str, Any] = next((c for c in contacts if {c.get("user_id"), c.get("wa_id")} & set(names)), {})
            names = _names(*names, card.get("user_id"), card.get("wa_id"))
            lane = conversation_lane(Address("whatsapp", account, names[0]))
            body = msgspec.json.encode(
                {
                    "account": account,
                    "names": names,
                    "message": message,
                    "name": (card.get("profile") or {}).get("name") or "",
                }
            )
            return Item(f"m:{message['id']}", lane, body, chats=names[1:])
        except (AttributeError, TypeError, KeyError, IndexError):
            return self._kept(msgspec.json.encode({"message": message}))

    def _status(self, account: str, status: Any) -> Item:
        try:
            names = _names(status.get("recipient_user_id"), status.get("recipient_id"))
            lane = conversation_lane(Address("whatsapp", account, names[0]))
            body = msgspec.json.encode({"account": account, "names": names, "status": status})
            return Item(f"s:{status['id']}:{status['status']}", lane, body, chats=names[1:])
        except (AttributeError, TypeError, KeyError, IndexError):
            return self._kept(msgspec.json.encode({"status": status}))

    def decode(self, item: Item) -> Event | None:
        if item.lane.startswith("x/"):
            return None
        told = msgspec.json.decode(item.body)
        sender = Address.parse(item.lane.removeprefix("c/"))
        if "status" in told:
            return self._receipt(item, sender, told["status"])
        return self._inbound(item, sender, told)

    def _receipt(self, item: Item, sender: Address, status: Any) -> Receipt | None:
        states = {
            "sent": State.SENT,
            "delivered": State.DELIVERED,
            "read": State.READ,
            "played": State.READ,
            "failed": State.FAILED,
        }
        state = states.get(str(status.get("status")))
        if state is None:
            return None
        errors = [e for e in status.get("errors") or () if isinstance(e, dict)]
        return Receipt(
            item.key,
            _instant(status.get("timestamp")),
            sender,
            state,
            outbound_id=str(status.get("biz_opaque_callback_data") or ""),
            platform_id=str(status.get("id") or ""),
            reason="; ".join(f"{e.get('code')} {e.get('title', '')}".strip() for e in errors),
            closed=any(e.get("code") == _WINDOW_CLOSED for e in errors),
            pricing=status.get("pricing") or {},
        )

    def _inbound(self, item: Item, sender: Address, told: Any) -> Inbound:
        message = told["message"]
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

    # ---- out ---------------------------------------------------------------------------------------------

    async def send(self, message: Outbound) -> str:
        body: dict[str, Any] = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "biz_opaque_callback_data": message.id,
        }
        body["to" if message.to.chat.isdecimal() else "recipient"] = message.to.chat
        body |= await self._content(message)
        answer = await self._call("POST", f"{self._base}/{self.settings.phone_number_id}/messages", json=body)
        try:
            return str(answer["messages"][0]["id"])
        except (KeyError, IndexError, TypeError) as error:
            raise Unknown("WhatsApp took the message and gave no id") from error

    async def _content(self, message: Outbound) -> dict[str, Any]:
        text = encode(message.text)
        if message.approved is not None:
            return _approved(message)
        if message.media:
            return await self._media(message.media[0], text)
        if message.ask_contact and not message.choices:
            return _interactive(
                {"type": "request_contact_info", "body": {"text": text}, "action": {"name": "request_contact_info"}}
            )
        if message.choices:
            return _interactive(_choices(message, text))
        return {"type": "text", "text": {"body": text, "preview_url": False}}

    async def _media(self, media: Media, caption: str) -> dict[str, Any]:
        content = Path(media.path).read_bytes()  # noqa: ASYNC240 - a local file of at most some megabytes
        form = {"messaging_product": "whatsapp", "type": media.mime}
        answer = await self._call(
            "POST",
            f"{self._base}/{self.settings.phone_number_id}/media",
            data=form,
            files={"file": (media.name or media.kind.value, content, media.mime)},
        )
        sent: dict[str, Any] = {"id": answer.get("id")}
        if caption and media.kind != MediaKind.AUDIO:
            sent["caption"] = caption
        if media.kind == MediaKind.DOCUMENT and media.name:
            sent["filename"] = media.name
        return {"type": media.kind.value, media.kind.value: sent}

    async def fetch(self, media: Media) -> AsyncIterator[bytes]:
        url = media.ref
        if not url.startswith("http"):
            url = (await self._call("GET", f"{self._base}/{media.ref}")).get("url", "")
        async with self._http.stream("GET", url, headers=self._auth) as response:
            if response.status_code != httpx.codes.OK:
                raise Refused(f"WhatsApp does not give the file: HTTP {response.status_code}")
            async for chunk in response.aiter_bytes():
                yield chunk

    async def check(self) -> str:
        told = await self._call("GET", f"{self._base}/{self.settings.phone_number_id}")
        return f"WhatsApp number {told.get('display_phone_number', self.settings.phone_number_id)} answers"

    async def deep_link(self, token: str) -> str | None:
        told = await self._call("GET", f"{self._base}/{self.settings.phone_number_id}")
        digits = "".join(c for c in str(told.get("display_phone_number", "")) if c.isdecimal())
        return f"https://wa.me/{digits}?text={token}" if digits else None

    async def _call(self, method: str, url: str, **parts: Any) -> dict[str, Any]:
        try:
            response = await self._http.request(method, url, headers=self._auth, **parts)
        except _NOT_SENT as error:
            raise Temporary("WhatsApp cannot be reached") from error
        except httpx.HTTPError as error:
            raise Unknown(f"the line to WhatsApp broke: {type(error).__name__}") from error
        try:
            told = msgspec.json.decode(response.content)
        except msgspec.DecodeError:
            told = {}
        if response.is_success and isinstance(told, dict):
            return told
        raise self._error(response.status_code, told, response.headers)

    def _error(self, status: int, told: Any, headers: Mapping[str, str]) -> WismoError:
        error = told.get("error") if isinstance(told, dict) else None
        code = error.get("code") if isinstance(error, dict) else None
        action, seconds = self._actions.get(str(code), ("", 0.0))
        if not action and isinstance(code, int) and 200 <= code < 300:
            action = "operator"
        action = action or _by_status(status)
        text = f"WhatsApp error {code or f'HTTP {status}'}"
        after = float(headers["retry-after"]) if headers.get("retry-after", "").isdecimal() else (seconds or None)
        if action in {"retry", "wait"}:
            return Temporary(text, retry_after=after, account_wide=action == "wait" and code != _PAIR_RATE)
        kinds: dict[str, type[WismoError]] = {"unreachable": Unreachable, "closed": Closed}
        if action == "operator":
            return Misconfigured(text, key="channels.whatsapp")
        return kinds.get(action, Refused)(text)


def _by_status(status: int) -> str:
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return "retry"
    return "wait" if status == httpx.codes.TOO_MANY_REQUESTS else "refused"


_WINDOW_CLOSED = 131047
_PAIR_RATE = 131056


def _error_table() -> dict[str, tuple[str, float]]:
    raw = files("adapters.channels").joinpath("whatsapp_errors.csv").read_text(encoding="utf-8")
    return {row["code"]: (row["action"], float(row["seconds"] or 0)) for row in csv.DictReader(raw.splitlines())}


def _changes(body: Any) -> list[tuple[Any, str]]:
    return [
        (c.get("value") or {}, str(c.get("field") or ""))
        for e in body.get("entry") or ()
        for c in e.get("changes") or ()
    ]


def _names(*names: Any) -> tuple[str, ...]:
    """What the platform calls a person, the business-scoped id first: a phone number may change hands."""
    known = dict.fromkeys(str(n) for n in names if n)
    return tuple(sorted(known, key=str.isdecimal))


def _instant(stamp: Any) -> datetime:
    try:
        return datetime.fromtimestamp(int(stamp), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


def _text(message: Any) -> dict[str, Any]:
    return {"text": str((message.get("text") or {}).get("body") or "")}


def _file(message: Any) -> dict[str, Any]:
    kind = str(message["type"])
    part = message.get(kind) or {}
    media = Media(
        _MEDIA[kind],
        ref=str(part.get("url") or part.get("id") or ""),
        mime=str(part.get("mime_type") or ""),
        name=str(part.get("filename") or ""),
    )
    return {"text": str(part.get("caption") or ""), "media": (media,)}


def _pressed(message: Any) -> dict[str, Any]:
    part = message.get("interactive") or {}
    reply = part.get("button_reply") or part.get("list_reply")
    if isinstance(reply, dict) and reply.get("id"):
        return {"choice": str(reply["id"]), "text": str(reply.get("title") or "")}
    return {"kind": Kind.UNSUPPORTED}


def _button(message: Any) -> dict[str, Any]:
    part = message.get("button") or {}
    return {"choice": str(part.get("payload") or "") or None, "text": str(part.get("text") or "")}


def _contacts(message: Any) -> dict[str, Any]:
    for card in message.get("contacts") or ():
        for phone in card.get("phones") or ():
            digits = str(phone.get("wa_id") or phone.get("phone") or "")
            if digits:
                own = card.get("origin") == "contact_request"
                return {"contact": Contact("+" + "".join(c for c in digits if c.isdigit()), own)}
    return {"kind": Kind.UNSUPPORTED}


def _unsupported(message: Any) -> dict[str, Any]:
    kinds = {"edit": Kind.EDITED, "revoke": Kind.DELETED}
    return {"kind": kinds.get(str(message.get("type")), Kind.UNSUPPORTED)}


_READERS = {
    "text": _text,
    **dict.fromkeys(_MEDIA, _file),
    "interactive": _pressed,
    "button": _button,
    "contacts": _contacts,
}


def encode(markup: str) -> str:
    """Neutral markup as WhatsApp reads it; markers in data are broken, since nothing escapes them."""
    parts = []
    for run in runs(markup):
        text = run.text if run.code else run.text.translate(_MARKERS)
        mark = "`" if run.code else "*" if run.bold else "_" if run.italic else ""
        core = text.strip()
        if mark and core:
            before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
            text = f"{before}{mark}{core}{mark}{after}"
        parts.append(f"{text} {run.link}" if run.link and run.link != run.text else run.link or text)
    return "".join(parts)


def _interactive(content: dict[str, Any]) -> dict[str, Any]:
    return {"type": "interactive", "interactive": content}


def _choices(message: Outbound, text: str) -> dict[str, Any]:
    if len(message.choices) <= WhatsApp.limits.buttons:
        buttons = [{"type": "reply", "reply": {"id": c.value, "title": c.title}} for c in message.choices]
        return {"type": "button", "body": {"text": text}, "action": {"buttons": buttons}}
    rows = [{"id": c.value, "title": c.title} for c in message.choices]
    return {"type": "list", "body": {"text": text}, "action": {"button": message.menu, "sections": [{"rows": rows}]}}


def _approved(message: Outbound) -> dict[str, Any]:
    approved = message.approved
    assert approved is not None  # noqa: S101 - the caller looked
    parameters = [{"type": "text", "parameter_name": n, "text": " ".join(v.split())} for n, v in approved.parameters]
    components: list[dict[str, Any]] = [{"type": "body", "parameters": parameters}] if parameters else []
    # The titles were approved with the text; without a payload a press would come back as its title.
    components += [
        {
            "type": "button",
            "sub_type": "quick_reply",
            "index": str(index),
            "parameters": [{"type": "payload", "payload": choice.value}],
        }
        for index, choice in enumerate(message.choices)
    ]
    return {
        "type": "template",
        "template": {"name": approved.name, "language": {"code": approved.language}, "components": components},
    }
