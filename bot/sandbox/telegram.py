"""The Telegram Bot API as its documents describe it, on loopback. Tables: rules/telegram.csv.

Webhook with secret token or getUpdates, but not both; HTML is parsed as Telegram parses it; texts, captions,
keyboards and rates are held to the documented limits.
"""

import asyncio
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.model.clock import Clock
from bot.model.markup import plain, runs
from bot.sandbox.platform import Bucket, Event, Line, Phone, Platform, Press, Rule, Rules, first_fault, sent_object
from bot.sandbox.telegramforum import Forum

TEXT, CAPTION, DATA, BUTTONS = 4096, 1024, 64, 100
DELETABLE = timedelta(hours=48)
"""A bot deletes a message of its own within this time."""
_TAGS = frozenset(
    ["b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "span", "a", "code", "pre", "blockquote", "tg-spoiler"]
)
_ACTIONS = frozenset({"url", "callback_data", "web_app", "login_url", "copy_text", "callback_game", "pay"}) | {
    f"switch_inline_query{which}" for which in ("", "_current_chat", "_chosen_chat")
}
"""Of these an inline button has exactly one."""
_BARE = re.compile(r"<(?![A-Za-z/])")
_SECRET = re.compile(r"[A-Za-z0-9_-]{0,256}")
_ACTIVE = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
_TOO_OLD = "query is too old and response timeout expired or query ID is invalid"

_TOO_LONG = ("message caption is too long", "message is too long")
_ABILITIES = ("can_join_groups", "can_read_all_group_messages", "supports_inline_queries")


class _Html(HTMLParser):
    """Finds the fault that Telegram would find in an HTML text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.fault = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in _TAGS:
            self.fault = self.fault or f'Unsupported start tag "{tag}"'
        if tag == "span" and ("class", "tg-spoiler") not in attrs:
            self.fault = self.fault or 'Tag "span" must have class "tg-spoiler"'
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.fault = self.fault or f'Unexpected end tag "{tag}"'


def html_fault(text: str) -> str:
    """What Telegram would say of this HTML, or empty."""
    if _BARE.search(text):
        return 'can\'t parse entities: Unsupported start tag ""'
    parser = _Html()
    parser.feed(text)
    parser.close()
    unclosed = f'Can\'t find end tag corresponding to start tag "{parser.open[-1]}"' if parser.open else ""
    fault = parser.fault or unclosed
    return f"can't parse entities: {fault}" if fault else ""


class TelegramApi(Platform):
    """One bot's server. `token` is the bot's; the paths are those of api.telegram.org."""

    name = "telegram"

    def __init__(self, clock: Clock, http: httpx.AsyncClient, token: str, username: str = "lantern_demo_bot") -> None:
        super().__init__(clock, http)
        self.token = token
        self.username = username
        self.rules = Rules("telegram")
        self.rates = Bucket(30, 1.0, 5)
        self.secret = ""
        self.updates: list[dict[str, Any]] = []
        self.pressed: set[str] = set()
        self.files: dict[str, bytes] = {}
        self.forums: dict[str, Forum] = {}
        self.alerts: list[str] = []
        self._more = asyncio.Event()

    def routes(self) -> list[Route]:
        """The paths of the Bot API."""
        return [
            Route("/bot{token}/{method}", self._call, methods=["GET", "POST"]),
            Route("/file/bot{token}/{path:path}", self._file),
        ]

    # ---- what the phone's owner does ---------------------------------------------------------------------

    def say(self, phone: Phone, text: str) -> None:
        """Write a message."""
        phone.add(Line(str(self.serial()), True, tuple(runs(_escape(text))), self.clock.now()))
        self._update("message", self._message(phone) | {"text": text} | _commands(text))

    def press(self, phone: Phone, line: Line, value: str) -> None:
        """Press an inline button, or a key that writes its title."""
        if value.startswith(_KEY):
            self.say(phone, value.removeprefix(_KEY))
            return
        query = str(self.serial())
        self.pressed.add(query)
        text = "".join(r.text for r in line.runs)
        message = self._message(phone) | {"message_id": int(line.id), "from": self._me(), "text": text}
        told = {"id": query, "from": self._user(phone), "message": message, "chat_instance": phone.chat, "data": value}
        self._update("callback_query", told)

    def share(self, phone: Phone, line: Line) -> None:
        """Share the own phone number by the keyboard's button."""
        line.share = ""
        phone.add(Line(str(self.serial()), True, tuple(runs(f"☎ {phone.number}")), self.clock.now()))
        card = {"phone_number": phone.number, "first_name": phone.name, "user_id": int(phone.user)}
        self._update("message", self._message(phone) | {"contact": card})

    def photo(self, phone: Phone, content: bytes, picture: str) -> None:
        """Send a photo."""
        phone.add(Line(str(self.serial()), True, (), self.clock.now(), picture=picture))
        key = f"photo-{self.serial()}"
        self.files[key] = content
        size = {"file_id": key, "file_unique_id": key, "width": 90, "height": 90, "file_size": len(content)}
        self._update("message", self._message(phone) | {"photo": [size]})

    def block(self, phone: Phone, gone: bool) -> None:
        """Block the bot, or let it in again."""
        states = [{"user": self._me(), "status": s, "until_date": 0} for s in ("member", "kicked")]
        old, new = states if gone else reversed(states)
        change = {"old_chat_member": old, "new_chat_member": new, "date": self._stamp()}
        self._update("my_chat_member", change | {"chat": _chat(phone), "from": self._user(phone)})

    # ---- what staff do in their forum --------------------------------------------------------------------

    def staff_say(
        self, user: int, forum: Forum, topic: int, text: str, *, message: int = 0, photo: bytes = b"", **more: Any
    ) -> int:
        """Write into a topic, or with `message` change what was written; the message's id."""
        number = message or self.serial()
        told: dict[str, Any] = {"message_id": number, "date": self._stamp(), **forum.about(topic), **more}
        told["from"] = {"id": user, "is_bot": False, "first_name": "Staff"}
        if photo:
            key = f"photo-{self.serial()}"
            self.files[key] = photo
            size = {"file_id": key, "file_unique_id": key, "width": 90, "height": 90, "file_size": len(photo)}
            told |= {"photo": [size], "caption": text}
        else:
            told["text"] = text
        self._update("edited_message" if message else "message", told)
        return number

    def staff_press(self, user: int, forum: Forum, message: int, value: str) -> None:
        """Press a button of ours."""
        post = forum.posts[message]
        query = str(self.serial())
        self.pressed.add(query)
        shown = {"message_id": message, "date": self._stamp(), **forum.about(int(post["message_thread_id"]))}
        who = {"id": user, "is_bot": False, "first_name": "Staff"}
        told = {"id": query, "from": who, "message": shown | {"from": self._me()}, "chat_instance": "1", "data": value}
        self._update("callback_query", told)

    def _update(self, kind: str, content: dict[str, Any]) -> None:
        update = {"update_id": self.serial(), kind: content}
        if self.hook:
            self.send(Event(json.dumps(update).encode()))
        else:
            self.updates.append(update)
            self._more.set()

    def headers(self, event: Event) -> dict[str, str]:
        """The secret that setWebhook was given."""
        secret = {"X-Telegram-Bot-Api-Secret-Token": self.secret} if self.secret else {}
        return {"content-type": event.content_type} | secret

    def acknowledged(self, answer: httpx.Response) -> None:
        """A webhook's answer may itself be one method call."""
        if answer.headers.get("content-type", "").startswith("application/json") and answer.content:
            asked = answer.json()
            self._do(str(asked.pop("method", "")), asked)

    def _stamp(self) -> int:
        return int(self.clock.now().timestamp())

    def _me(self) -> dict[str, Any]:
        return {"id": int(self.token.split(":")[0]), "is_bot": True, "first_name": "Lantern", "username": self.username}

    def _user(self, phone: Phone) -> dict[str, Any]:
        return {"id": int(phone.user), "is_bot": False, "first_name": phone.name, "language_code": phone.locale}

    def _message(self, phone: Phone) -> dict[str, Any]:
        return {"message_id": self.serial(), "date": self._stamp(), "chat": _chat(phone), "from": self._user(phone)}

    # ---- what the bot calls ------------------------------------------------------------------------------

    async def _call(self, request: Request) -> Response:
        if request.path_params["token"] != self.token:
            return _refused(401, "Unauthorized")
        fields, sent = await _fields(request)
        method = request.path_params["method"]
        rules = self.rules.methods.get(method, {})
        # In a form every value is text.
        fields = {k: int(v) if _is_int(rules.get(k), v) else v for k, v in fields.items()}
        if method == "getUpdates":
            return await self._get_updates(fields)
        return self._do(method, fields, sent)

    def _do(self, method: str, fields: dict[str, Any], sent: dict[str, bytes] | None = None) -> Response:
        known = {k: v for k, v in fields.items() if v is not None}
        if fault := self.rules.fault(method, known | dict.fromkeys(sent or {}, "attach://")):
            status = 404 if method not in self.rules.methods else 400
            return _refused(status, f"Bad Request: {fault}")
        if (forum := self.forums.get(str(known.get("chat_id", "")))) is not None:
            return self._in_forum(forum, method, known, sent or {})
        if method in {"sendMessage", "sendPhoto", "sendVideo", "sendAudio", "sendDocument"}:
            return self._send(method, known, sent or {})
        if method in {"editMessageText", "deleteMessage"}:
            return self._amend(method, known)
        answers: dict[str, Callable[[], Any]] = {
            "getMe": lambda: self._me() | dict.fromkeys(_ABILITIES, False),
            "setWebhook": lambda: self._set_webhook(known),
            "deleteWebhook": self._delete_webhook,
            "getWebhookInfo": self._webhook_info,
            "getFile": lambda: self._get_file(str(known["file_id"])),
        }
        if method == "setWebhook" and not _SECRET.fullmatch(str(known.get("secret_token", ""))):
            return _refused(400, "Bad Request: secret token contains unallowed characters")
        if method == "answerCallbackQuery":
            query = str(known["callback_query_id"])
            if query not in self.pressed:
                return _refused(400, f"Bad Request: {_TOO_OLD}")
            self.pressed.discard(query)
            self.alerts += [str(known["text"])] if known.get("text") else []
            return _ok(True)
        if method not in answers:
            return _refused(400, "Bad Request: chat not found")
        told = answers[method]()
        return _ok(told) if told is not None else _refused(400, "Bad Request: invalid file_id")

    def _in_forum(self, forum: Forum, method: str, fields: dict[str, Any], sent: dict[str, bytes]) -> Response:
        calls: dict[str, Callable[[], Any]] = {
            "createForumTopic": lambda: forum.create(fields, self.serial()),
            "editMessageText": lambda: forum.edit(fields),
            "setMessageReaction": lambda: forum.react(fields),
        }
        raw = str(fields.get("text") or fields.get("caption") or "")
        fault = html_fault(raw) or _keyboard_fault(fields.get("reply_markup") or {})
        if method in calls:
            told = fault or calls[method]()
            return _refused(400, f"Bad Request: {told}") if isinstance(told, str) else _ok(told)
        if fault := fault or forum.fault(fields) or (_TOO_LONG[1] if len(plain(raw)) > TEXT else ""):
            return _refused(400, f"Bad Request: {fault}")
        if seconds := 3 if self.faults.strike("too_many") else forum.wait():
            told = {"ok": False, "error_code": 429, "description": f"Too Many Requests: retry after {seconds}"}
            return JSONResponse(told | {"parameters": {"retry_after": seconds}}, 429)
        number, topic = self.serial(), int(fields["message_thread_id"])
        markup = fields.get("reply_markup") or {}
        forum.posts[number] = {"text": raw, "message_thread_id": topic, "reply_markup": markup, "file": bool(sent)}
        return _ok({"message_id": number, "date": self._stamp(), "from": self._me(), **forum.about(topic), "text": raw})

    def _webhook_info(self) -> dict[str, Any]:
        return {"url": self.hook, "has_custom_certificate": False, "pending_update_count": self.undelivered}

    def _set_webhook(self, fields: dict[str, Any]) -> bool:
        self.hook, self.secret = str(fields["url"]), str(fields.get("secret_token", ""))
        for update in self.updates:
            self.send(Event(json.dumps(update).encode()))
        self.updates.clear()
        return True

    def _delete_webhook(self) -> bool:
        self.hook = self.secret = ""
        return True

    def _get_file(self, key: str) -> dict[str, Any] | None:
        if key not in self.files:
            return None
        size = len(self.files[key])
        return {"file_id": key, "file_unique_id": key, "file_size": size, "file_path": f"photos/{key}.jpg"}

    async def _file(self, request: Request) -> Response:
        key = request.path_params["path"].removeprefix("photos/").removesuffix(".jpg")
        if request.path_params["token"] != self.token or key not in self.files:
            return _refused(404, "Not Found")
        return Response(self.files[key], media_type="image/jpeg")

    async def _get_updates(self, fields: dict[str, Any]) -> Response:
        if self.hook:
            return _refused(409, _ACTIVE)
        if fault := self.rules.fault("getUpdates", {k: v for k, v in fields.items() if v is not None}):
            return _refused(400, f"Bad Request: {fault}")
        offset = int(fields.get("offset") or 0)
        self.updates = [u for u in self.updates if u["update_id"] >= offset]
        if not self.updates:
            self._more.clear()
            try:
                await asyncio.wait_for(self._more.wait(), min(float(fields.get("timeout") or 0), 50.0))
            except TimeoutError:
                return _ok([])
        return _ok(self.updates[: int(fields.get("limit") or 100)])

    def _send(self, method: str, fields: dict[str, Any], sent: dict[str, bytes]) -> Response:
        phone = self.phones.get(str(fields["chat_id"]))
        if phone is None:
            return _refused(400, "Bad Request: chat not found")
        raw = str(fields.get("text") or fields.get("caption") or "")
        html = fields.get("parse_mode") == "HTML"
        words = plain(raw) if html else raw
        most = TEXT if method == "sendMessage" else CAPTION
        fault = first_fault(
            [
                html_fault(raw) if html else "",
                "message text is empty" if method == "sendMessage" and not words.strip() else "",
                _TOO_LONG[method == "sendMessage"] if len(words) > most else "",
                _keyboard_fault(fields.get("reply_markup") or {}),
            ]
        )
        if fault:
            return _refused(400, f"Bad Request: {fault}")
        wait = 3.0 if self.faults.strike("too_many") else self.rates.wait(phone.chat)
        if wait:
            seconds = int(wait) + 1
            told = {"ok": False, "error_code": 429, "description": f"Too Many Requests: retry after {seconds}"}
            return JSONResponse(told | {"parameters": {"retry_after": seconds}}, 429)
        line = self._shown(phone, raw if html else _escape(raw), fields.get("reply_markup") or {}, bool(sent))
        message = {"message_id": int(line.id), "date": self._stamp(), "chat": _chat(phone), "from": self._me()}
        return _ok(message | ({"text": words} if method == "sendMessage" else {"caption": words}))

    def _amend(self, method: str, fields: dict[str, Any]) -> Response:
        phone = self.phones.get(str(fields.get("chat_id")))
        line = phone.theirs(str(fields.get("message_id"))) if phone else None
        if phone is None or line is None:
            return _refused(
                400, f"Bad Request: message to {'edit' if method == 'editMessageText' else 'delete'} not found"
            )
        if method == "deleteMessage":
            if self.clock.now() - line.at > DELETABLE:
                return _refused(400, "Bad Request: message can't be deleted")
            phone.amend(line, None)
            return _ok(True)
        if fault := html_fault(raw := str(fields["text"])):
            return _refused(400, f"Bad Request: {fault}")
        if (shown := tuple(runs(raw))) == line.runs:
            return _refused(400, "Bad Request: message is not modified")
        phone.amend(line, shown)
        return _ok({"message_id": int(line.id), "date": self._stamp(), "chat": _chat(phone), "text": plain(raw)})

    def _shown(self, phone: Phone, text: str, keyboard: dict[str, Any], has_file: bool) -> Line:
        inline = [b for row in keyboard.get("inline_keyboard", ()) for b in row]
        below = [b for row in keyboard.get("keyboard", ()) for b in row]
        buttons = tuple(Press(str(b["text"]), str(b.get("callback_data", ""))) for b in inline)
        buttons += tuple(Press(str(b["text"]), f"{_KEY}{b['text']}") for b in below if not b.get("request_contact"))
        share = next((str(b["text"]) for b in below if b.get("request_contact")), "")
        shown = tuple(runs(("📎 " if has_file else "") + text))
        return phone.add(Line(str(self.serial()), False, shown, self.clock.now(), buttons, share=share))


_KEY = "key:"
"""A key of the keyboard under the chat, as the page's press names it; inline buttons have their callback data."""


def _commands(text: str) -> dict[str, Any]:
    if not text.startswith("/"):
        return {}
    return {"entities": [{"type": "bot_command", "offset": 0, "length": len(text.split(maxsplit=1)[0])}]}


def _chat(phone: Phone) -> dict[str, Any]:
    return {"id": int(phone.chat), "type": "private", "first_name": phone.name}


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _keyboard_fault(keyboard: dict[str, Any]) -> str:
    """What no table says of a keyboard."""
    inline = [button for row in keyboard.get("inline_keyboard", ()) for button in row]
    if len(inline) + sum(map(len, keyboard.get("keyboard", ()))) > BUTTONS:
        return "reply markup is too long"
    for button in inline:
        if len(_ACTIONS & set(button)) != 1:
            return "text buttons are unallowed in the inline keyboard"
        if not 1 <= len(str(button.get("callback_data", "-")).encode()) <= DATA:
            return "BUTTON_DATA_INVALID"
    return ""


async def _fields(request: Request) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The fields of a call and its files; JSON, a form, or a form with files."""
    if request.headers.get("content-type", "").startswith("application/json"):
        return await sent_object(request), {}
    fields: dict[str, Any] = {}
    sent: dict[str, bytes] = {}
    async with request.form() as form:
        for key, value in form.multi_items():
            if isinstance(value, str):
                fields[key] = _loaded(value)
            else:
                sent[key] = await value.read()
    for key, value in list(fields.items()):
        if isinstance(value, str) and value.startswith("attach://"):
            sent[key] = sent.pop(value.removeprefix("attach://"), b"")
            del fields[key]
    return fields | dict(request.query_params), sent


def _is_int(rule: Rule | None, value: Any) -> bool:
    return rule is not None and rule.kind.startswith("int") and isinstance(value, str) and value.lstrip("-").isdecimal()


def _loaded(value: str) -> Any:
    if value[:1] not in "{[" and value not in {"true", "false"}:
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _ok(result: Any) -> Response:
    return JSONResponse({"ok": True, "result": result})


def _refused(status: int, description: str) -> Response:
    return JSONResponse({"ok": False, "error_code": status, "description": description}, status)


def phone_of(chat: str, name: str, number: str, locale: str, said: datetime | None = None) -> Phone:
    """A person on this platform; a private chat's id is the user's."""
    return Phone(chat, chat, name, number, locale, last_said=said)
