"""WhatsApp Cloud API over httpx.

In: the handshake, the signature over the raw bytes, and every entry, change, message and status of a batch
as an item of its own. Out: text, reply buttons, list, media, contact request, approved template.
Sources: Meta's Cloud API pages "Webhooks", "Messages", "Media", "Error codes", "Business-scoped user ids".
"""

import csv
import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from bot.errors import Closed, Misconfigured, Refused, Temporary, Unknown, Unreachable, WismoError
from bot.model.events import Event, conversation_lane
from bot.model.markup import runs
from bot.model.messages import Address, Contact, Inbound, Kind, Limits, Media, MediaKind, Outbound, Receipt, State
from bot.ports import Answer, Channel, Item, Rate, Request

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_WRONG_ADDRESS = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL)
_GARBLED = (LookupError, TypeError, AttributeError, ValueError, RecursionError)
_MARKER = re.compile(r"(?<![A-Za-z0-9])[*_~]|`|^(?=>)", re.MULTILINE)  # what may begin a style or a quote
_META = (".fbsbx.com", ".fbcdn.net", ".facebook.com", ".whatsapp.net")
_ID_LENGTH = 256
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
            return [i for entry in _list(_read(raw), "entry") for i in self._entry(entry)] or [self._kept(raw)]
        except _GARBLED:
            return [self._kept(raw)]

    def _entry(self, entry: Any) -> list[Item]:
        items = [i for change in _list(entry, "changes") for i in self._change(_dict(entry).get("time"), change)]
        return items or [self._kept(msgspec.json.encode(entry))]

    def _kept(self, raw: bytes) -> Item:
        """What cannot be read is kept as it came; no person's lane is delayed by it."""
        return Item(hashlib.sha256(raw).hexdigest(), f"x/whatsapp/{self.settings.phone_number_id}", raw)

    def _change(self, at: Any, change: Any) -> list[Item]:
        value, items = _dict(change).get("value"), list[Item]()
        if _dict(change).get("field") == "messages":
            told = _name(_dict(_dict(value).get("metadata")).get("phone_number_id"))
            account = told if told.isalnum() else self.settings.phone_number_id
            cards = [card for card in _list(value, "contacts") if isinstance(card, dict)]
            known = {name: card for card in cards for name in _names(card.get("user_id"), card.get("wa_id"))}
            items += [self._message(account, m, known) for m in _list(value, "messages")]
            items += [self._status(account, s) for s in _list(value, "statuses")]
        # With its time: an account that turns from green to red and back has three changes, not two.
        return items or [self._kept(msgspec.json.encode({"time": at, "change": change}))]

    def _message(self, account: str, message: Any, known: Mapping[str, Any]) -> Item:
        try:
            names = _names(message.get("from_user_id"), message.get("from"))
            card = next((known[name] for name in names if name in known), {})
            names = _names(*names, card.get("user_id"), card.get("wa_id"))
            name = _dict(card.get("profile")).get("name") or ""
            told = {"account": account, "names": names, "message": message, "name": name}
            return self._item(f"m:{_id(message['id'])}", account, names, told)
        except (AttributeError, TypeError, LookupError):
            return self._kept(msgspec.json.encode({"message": message}))

    def _status(self, account: str, status: Any) -> Item:
        try:
            names = _names(status.get("recipient_user_id"), status.get("recipient_id"))
            told = {"account": account, "names": names, "status": status}
            return self._item(f"s:{_id(status['id'])}:{_id(status['status'])}", account, names, told)
        except (AttributeError, TypeError, LookupError):
            return self._kept(msgspec.json.encode({"status": status}))

    def _item(self, key: str, account: str, names: tuple[str, ...], told: Any) -> Item:
        lane = conversation_lane(Address("whatsapp", account, names[0]))
        return Item(key, lane, msgspec.json.encode(told), chats=names[1:])

    def decode(self, item: Item) -> Event | None:
        if item.lane.startswith("x/"):
            return None
        try:
            told = _read(item.body)
            sender = Address.parse(item.lane.removeprefix("c/"))
            if "status" in told:
                return self._receipt(item, sender, told["status"])
            return self._inbound(item, sender, told)
        except _GARBLED as error:
            raise ValueError("not an item of WhatsApp") from error

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
        errors = [e for e in _list(status, "errors") if isinstance(e, dict)]
        return Receipt(
            item.key,
            _instant(status.get("timestamp")),
            sender,
            state,
            outbound_id=str(status.get("biz_opaque_callback_data") or ""),
            platform_id=str(status.get("id") or ""),
            reason="; ".join(f"{e.get('code')} {e.get('title', '')}".strip() for e in errors),
            closed=any(e.get("code") == _WINDOW_CLOSED for e in errors),
            pricing=_dict(status.get("pricing")),
        )

    def _inbound(self, item: Item, sender: Address, told: Any) -> Inbound | None:
        message = told["message"]
        phone = next((n for n in told["names"] if n.isdecimal()), "")
        if str(message.get("type")) in _UNANSWERED:
            return None
        heard = _heard(message)
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
        url = f"{self._base}/{self.settings.phone_number_id}/messages"
        answer = await self._call("POST", url, lost=Unknown, json=body)
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
        if not answer.get("id"):
            raise Temporary("WhatsApp took the file and gave no id")
        sent: dict[str, Any] = {"id": answer["id"]}
        if caption and media.kind != MediaKind.AUDIO:
            sent["caption"] = caption
        if media.kind == MediaKind.DOCUMENT and media.name:
            sent["filename"] = media.name
        return {"type": media.kind.value, media.kind.value: sent}

    async def fetch(self, media: Media) -> AsyncIterator[bytes]:
        url = media.ref
        if not url.startswith("http"):
            url = str((await self._call("GET", f"{self._base}/{quote(url, safe='')}")).get("url") or "")
        try:
            async with self._http.stream("GET", self._file_url(url), headers=self._auth) as response:
                if response.status_code != httpx.codes.OK:
                    lasts = _by_status(response.status_code) in {"retry", "wait"}
                    raise (Temporary if lasts else Refused)(f"WhatsApp gives no file: HTTP {response.status_code}")
                async for chunk in response.aiter_bytes():
                    yield chunk
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError) as error:
            raise Refused("WhatsApp's address of the file is none") from error
        except httpx.HTTPError as error:
            raise Temporary(f"the line to WhatsApp broke: {type(error).__name__}") from error

    def _file_url(self, url: str) -> str:
        """The token goes to Meta alone, or to where base_url points instead of Meta."""
        given, own = urlsplit(url), urlsplit(self._base)
        meant, ours = (f".{part.hostname or ''}".endswith(_META) for part in (given, own))
        if ours and not (meant and given.scheme == "https"):
            raise Refused("the file is not kept by Meta")
        return given._replace(scheme=own.scheme, netloc=own.netloc).geturl() if meant and not ours else url

    async def check(self) -> str:
        told = await self._call("GET", f"{self._base}/{self.settings.phone_number_id}")
        return f"WhatsApp number {told.get('display_phone_number', self.settings.phone_number_id)} answers"

    async def deep_link(self, token: str) -> str | None:
        told = await self._call("GET", f"{self._base}/{self.settings.phone_number_id}")
        digits = "".join(c for c in str(told.get("display_phone_number", "")) if c.isdecimal())
        return f"https://wa.me/{digits}?text={quote(token)}" if digits else None

    async def _call(self, method: str, url: str, lost: type[WismoError] = Temporary, **parts: Any) -> dict[str, Any]:
        """One call; `lost` is what a broken line means: only a sent message cannot simply be asked for again."""
        try:
            response = await self._http.request(method, url, headers=self._auth, **parts)
        except _WRONG_ADDRESS as error:
            raise Misconfigured("WhatsApp cannot be called so", key="channels.whatsapp.base_url") from error
        except _NOT_SENT as error:
            raise Temporary("WhatsApp cannot be reached") from error
        except httpx.HTTPError as error:
            raise lost(f"the line to WhatsApp broke: {type(error).__name__}") from error
        try:
            told = _dict(msgspec.json.decode(response.content))
        except (msgspec.DecodeError, RecursionError):
            told = {}
        if response.is_success:
            return told
        raise self._error(response, _dict(told.get("error")))

    def _error(self, response: httpx.Response, error: dict[str, Any]) -> WismoError:
        code, after = error.get("code"), response.headers.get("retry-after", "")
        action, seconds = self._actions.get(str(code), ("", 0.0))
        if not action and isinstance(code, int) and 200 <= code < 300:
            action = "operator"
        action = action or _by_status(response.status_code)
        text = f"WhatsApp error {code or f'HTTP {response.status_code}'}"
        if code == 100 and error.get("error_subcode") == _NO_OBJECT and response.request.method == "POST":
            return Misconfigured(text, key="channels.whatsapp.phone_number_id")
        if action in {"retry", "wait"}:
            wait = float(after) if after.isdecimal() else seconds or None
            return Temporary(text, retry_after=wait, account_wide=action == "wait" and code != _PAIR_RATE)
        if action == "operator":
            return Misconfigured(text, key="channels.whatsapp")
        return {"unreachable": Unreachable, "closed": Closed}.get(action, Refused)(text)


def _by_status(status: int) -> str:
    """Where there is no code: Graph gives one with every refusal, so most else does not come from Graph."""
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.REQUEST_TIMEOUT:
        return "retry"
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return "wait"
    return "refused" if status in {400, 413} else "operator"


_WINDOW_CLOSED = 131047
_PAIR_RATE = 131056
_NO_OBJECT = 33  # "Object with ID '…' does not exist": the phone number id is wrong


def _error_table() -> dict[str, tuple[str, float]]:
    raw = files("adapters.channels").joinpath("whatsapp_errors.csv").read_text(encoding="utf-8")
    return {row["code"]: (row["action"], float(row["seconds"] or 0)) for row in csv.DictReader(raw.splitlines())}


def _read(raw: bytes) -> Any:
    """JSON; half a character, as at the end of a name cut short, becomes `?` and does not cost the batch."""
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return msgspec.json.decode(json.dumps(json.loads(raw), ensure_ascii=False).encode("utf-8", "replace"))


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any, key: str) -> list[Any]:
    found = _dict(value).get(key)
    return found if isinstance(found, list) else []


def _name(value: Any) -> str:
    """An id as text, empty where it cannot be one."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if len(text) <= _ID_LENGTH and text.isprintable() else ""


def _id(value: Any) -> str:
    if name := _name(value):
        return name
    raise TypeError("not an id")


def _names(*names: Any) -> tuple[str, ...]:
    """What the platform calls a person, the business-scoped id first: a phone number may change hands."""
    known = dict.fromkeys(n for n in map(_name, names) if n)
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
        ref=str(part.get("id") or part.get("url") or ""),  # the id lasts 7 days, the address 5 minutes
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


def _edited(message: Any) -> dict[str, Any]:
    return _heard((message.get("edit") or {}).get("message") or {}) | {"kind": Kind.EDITED}


def _heard(message: Any) -> dict[str, Any]:
    """What a message says, whichever type it is; one that is not as documented is one we cannot read."""
    try:
        return _READERS[str(message.get("type"))](message)
    except (LookupError, TypeError, AttributeError):
        return {"kind": Kind.UNSUPPORTED}


_READERS = {
    "text": _text,
    **dict.fromkeys(_MEDIA, _file),
    "interactive": _pressed,
    "button": _button,
    "contacts": _contacts,
    "edit": _edited,
    "revoke": lambda _: {"kind": Kind.DELETED},
}
_UNANSWERED = {"reaction", "system"}
"""A thumb up and Meta's own notes (a changed number) ask for nothing."""


def encode(markup: str) -> str:
    """Neutral markup as WhatsApp reads it; markers in data are broken, since nothing escapes them."""
    parts = []
    for run in runs(markup):
        text = run.text.replace("`", "'") if run.code else _MARKER.sub("\\g<0>\u200b", run.text)
        if mark := "`" if run.code else "*" if run.bold else "_" if run.italic else "":
            # A mark that touches a space, or whose pair is in another line, is shown as it is.
            text = re.sub(r"[^\s\u200b][^\n]*(?<!\s)", rf"{mark}\g<0>{mark}", text)
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
    body = [{"type": "body", "parameters": parameters}] if parameters else []
    return {
        "type": "template",
        "template": {"name": approved.name, "language": {"code": approved.language}, "components": body},
    }
