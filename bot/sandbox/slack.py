"""Slack's Web API and Events API as its documents describe them, on loopback. Tables: rules/slack.csv.

A direct message with an app: signed events in a JSON body, block actions in a form, Block Kit held to its
limits, files by the three-step upload, and one message a second to a channel. Where `socket` is on, the same events
go over the app's own connections.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from bot.model.clock import Clock
from bot.model.markup import Run
from bot.sandbox import marks
from bot.sandbox.platform import Bucket, Event, Line, Phone, Platform, Press, Rules, sent_object
from bot.sandbox.slackrooms import Rooms
from bot.sandbox.slacksocket import FORM, SocketMode

RULES = Rules("slack")


class SlackApi(Platform):
    """One workspace with one app in it. `base` is where this API is reached, for the addresses that it hands out."""

    name = "slack"
    team = "T0LANTERN"
    bot = "U0LANTERN"
    app = "A0LANTERN"

    def __init__(self, clock: Clock, http: httpx.AsyncClient, token: str, secret: str, base: str) -> None:
        super().__init__(clock, http)
        self.token = token
        self.secret = secret
        self.base = base.rstrip("/")
        self.rules = RULES
        self.rates = Bucket(10, 1.0, 4)
        self.files: dict[str, dict[str, Any]] = {}
        self.kept: dict[str, list[dict[str, Any]]] = {}
        self.staff = Rooms(self.bot)
        self.socket = SocketMode(self.base, self.app)

    def routes(self) -> list[BaseRoute]:
        """The paths of the Web API, the upload address, the private file address and Socket Mode's."""
        return [
            Route("/api/{method}", self._call, methods=["GET", "POST"]),
            Route("/upload/{file}", self._upload, methods=["POST"]),
            Route("/files-pri/{file}", self._private),
            WebSocketRoute("/link/", self.socket.link),
        ]

    # ---- what the phone's owner does ---------------------------------------------------------------------

    def say(self, phone: Phone, text: str) -> None:
        """Write a message."""
        phone.add(Line(self._ts(), True, (Run(text),), self.clock.now()))
        safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        self._event(self._message(phone) | {"text": safe})

    def press(self, phone: Phone, line: Line, value: str) -> None:
        """Press a button."""
        number, title = next((n, b.title) for n, b in enumerate(line.buttons) if b.value == value)
        action = {
            "type": "button",
            "action_id": f"choice-{number}",
            "block_id": "b1",
            "value": value,
            "action_ts": self._ts(),
            "text": {"type": "plain_text", "text": title, "emoji": False},
        }
        payload = {
            "type": "block_actions",
            "team": {"id": self.team, "domain": "lantern"},
            "api_app_id": self.app,
            "user": {"id": phone.user, "username": phone.name, "name": phone.name, "team_id": self.team},
            "container": {"type": "message", "message_ts": line.id, "channel_id": phone.chat, "is_ephemeral": False},
            "channel": {"id": phone.chat, "name": "directmessage"},
            "message": {"ts": line.id, "bot_id": "B0LANTERN", "type": "message"},
            "actions": [action],
            "trigger_id": f"{self.serial()}.1",
            "response_url": f"{self.base}/response/{self.serial()}",
        }
        self._interact(payload)

    def photo(self, phone: Phone, content: bytes, picture: str) -> None:
        """Send a photo."""
        phone.add(Line(self._ts(), True, (), self.clock.now(), picture=picture))
        file = f"F{self.serial()}"
        told = {
            "id": file,
            "name": "photo.jpg",
            "title": "photo",
            "mimetype": "image/jpeg",
            "filetype": "jpg",
            "size": len(content),
            "url_private": f"{self.base}/files-pri/{file}",
            "user": phone.user,
        }
        self.files[file] = told | {"content": content}
        self._event(self._message(phone) | {"subtype": "file_share", "text": "", "files": [told]})

    # ---- what staff do in their channels ----------------------------------------------------------------

    def staff_say(
        self, user: str, room: str, thread: str, text: str, files: Sequence[bytes] = (), subtype: str = ""
    ) -> str:
        """Write into a thread; `text` is as Slack sends it, with its entities. The message's id."""
        ts = self._ts()
        message: dict[str, Any] = {"type": "message", "user": user, "ts": ts, "thread_ts": thread, "text": text}
        if files:
            message |= {"subtype": "file_share", "files": [self._file(user, content) for content in files]}
        if subtype:
            message["subtype"] = subtype
        self.staff.rooms[room].messages.append(message)
        self._event(message | {"channel": room, "event_ts": ts, "channel_type": "channel", "team": self.team})
        return ts

    def _file(self, user: str, content: bytes) -> dict[str, Any]:
        file = f"F{self.serial()}"
        told = {
            "id": file,
            "name": "label.png",
            "mimetype": "image/png",
            "size": len(content),
            "url_private": f"{self.base}/files-pri/{file}",
            "user": user,
        }
        self.files[file] = told | {"content": content}
        return told

    def staff_change(self, room: str, ts: str, text: str | None) -> None:
        """Change one's message, or with None delete it."""
        messages = self.staff.rooms[room].messages
        before = next(m for m in messages if m["ts"] == ts)
        event = {"type": "message", "channel": room, "channel_type": "channel", "event_ts": self._ts(), "hidden": True}
        if text is None:
            messages.remove(before)
            self._event(event | {"subtype": "message_deleted", "deleted_ts": ts, "previous_message": dict(before)})
            return
        now = dict(before) | {"text": text, "edited": {"user": before["user"], "ts": self._ts()}}
        messages[messages.index(before)] = now
        self._event(event | {"subtype": "message_changed", "message": now, "previous_message": dict(before)})

    def staff_press(self, user: str, room: str, message: dict[str, Any], value: str) -> None:
        """Press a button of ours; what it asks opens in `staff.views`."""
        blocks = [e for b in message.get("blocks") or () if b["type"] == "actions" for e in b["elements"]]
        button = next(e for e in blocks if e["value"] == value)
        trigger = f"{self.serial()}.1"
        self.staff.triggers[trigger] = (time.monotonic(), user)
        action = {k: button[k] for k in ("action_id", "value", "text")}
        payload = self._interaction(user) | {
            "type": "block_actions",
            "container": {"type": "message", "message_ts": message["ts"], "channel_id": room},
            "channel": {"id": room, "name": "support"},
            "message": {k: message[k] for k in ("ts", "thread_ts") if k in message},
            "actions": [action | {"type": "button", "block_id": "b1", "action_ts": self._ts()}],
            "trigger_id": trigger,
        }
        self._interact(payload)

    def staff_submit(self, view: dict[str, Any], value: str) -> None:
        """Send an open form off."""
        del self.staff.views[view["id"]]
        block = view["blocks"][0]
        chosen = block["element"]["type"] == "static_select"
        given = {"selected_option": {"value": value}} if chosen else {"value": value}
        state = {"values": {block["block_id"]: {block["element"]["action_id"]: given}}}
        payload = self._interaction(view["user"]) | {"type": "view_submission", "view": view | {"state": state}}
        self._interact(payload)

    def _interaction(self, user: str) -> dict[str, Any]:
        return {
            "team": {"id": self.team, "domain": "lantern"},
            "api_app_id": self.app,
            "user": {"id": user, "username": user, "name": user, "team_id": self.team},
        }

    def _interact(self, payload: dict[str, Any]) -> None:
        self.send(Event(urlencode({"payload": json.dumps(payload)}).encode(), FORM))

    def _ts(self) -> str:
        return f"{self.clock.now().timestamp():.6f}"

    def _message(self, phone: Phone) -> dict[str, Any]:
        ts = self._ts()
        return {
            "type": "message",
            "user": phone.user,
            "ts": ts,
            "channel": phone.chat,
            "event_ts": ts,
            "channel_type": "im",
            "team": self.team,
            "client_msg_id": str(self.serial()),
        }

    def _event(self, event: dict[str, Any]) -> None:
        body = {
            "token": "unused",
            "team_id": self.team,
            "api_app_id": self.app,
            "event": event,
            "type": "event_callback",
            "event_id": f"Ev{self.serial()}",
            "event_time": int(float(event["event_ts"])),
            "authorizations": [{"team_id": self.team, "user_id": self.bot, "is_bot": True}],
        }
        self.send(Event(json.dumps(body).encode()))

    def headers(self, event: Event) -> dict[str, str]:
        """Slack's v0 signature over machine time and body."""
        stamp = str(int(time.time()))
        signed = b"v0:%b:%b" % (stamp.encode(), event.body)
        signature = "v0=" + hmac.new(self.secret.encode(), signed, hashlib.sha256).hexdigest()
        return {"content-type": event.content_type, "X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature}

    async def handed(self, event: Event, attempt: int) -> bool:
        """Over Socket Mode where it is on, else as every platform does."""
        return await (self.socket.send(event, attempt) if self.socket.on else super().handed(event, attempt))

    # ---- what the bot calls ------------------------------------------------------------------------------

    async def _call(self, request: Request) -> Response:
        method = request.path_params["method"]
        fields = await _fields(request)
        if method == "apps.connections.open":
            return self._connection(request, fields)
        token = request.headers.get("authorization", "").removeprefix("Bearer ") or str(fields.pop("token", ""))
        if not hmac.compare_digest(token.encode(), self.token.encode()):
            return _refused("invalid_auth" if token else "not_authed")
        if "." not in method or method not in self.rules.methods:
            return _refused("unknown_method")
        if fault := self.rules.fault(method, fields):
            return _refused("invalid_arguments", fault)
        answers = {
            "auth.test": self._auth,
            "chat.postMessage": self._post,
            "conversations.open": self._open,
            "conversations.history": self._history,
            "files.getUploadURLExternal": self._upload_url,
            "files.completeUploadExternal": self._complete,
            "files.info": self._info,
        }
        return answers[method](fields) if method in answers else self._in_room(method, fields)

    def _in_room(self, method: str, fields: dict[str, Any]) -> Response:
        """What only happens in staff's channels."""
        if method == "views.open":
            return _told(self.staff.open(fields, f"V{self.serial()}"))
        if (phone := self.phones.get(str(fields["channel"]))) is not None:
            return self._amend(phone, method, fields)
        if str(fields["channel"]) not in self.staff.rooms:
            return _refused("channel_not_found")
        calls: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "chat.update": self.staff.update,
            "chat.postEphemeral": lambda f: self.staff.whisper(f, self._ts()),
            "reactions.add": self.staff.react,
            "conversations.replies": self.staff.replies,
        }
        if refused := self._not_now(fields):
            return refused
        return _told(calls[method](fields))

    def _not_now(self, fields: dict[str, Any]) -> Response | None:
        """Why a call into staff's channels is refused, whatever it says."""
        if self.faults.strike("down"):
            return JSONResponse({"ok": False, "error": "service_unavailable"}, 503)
        if closed := self.staff.closed(fields):
            return _refused(closed)
        if fault := next((f for f in map(block_fault, fields.get("blocks") or []) if f), ""):
            return _refused("invalid_blocks", fault)
        return None

    def _connection(self, request: Request, fields: dict[str, Any]) -> Response:
        """apps.connections.open: the app-level token stands in the header, not among the fields."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if fault := self.rules.fault("apps.connections.open", fields):
            return _refused("invalid_arguments", fault)
        if hmac.compare_digest(token.encode(), self.token.encode()):
            return _refused("not_allowed_token_type")
        if not hmac.compare_digest(token.encode(), self.socket.token.encode()):
            return _refused("invalid_auth" if token else "not_authed")
        return _ok({"url": self.socket.ticket()})

    def _auth(self, fields: dict[str, Any]) -> Response:
        told = {"url": "https://lantern.slack.com/", "team": "Lantern & Loom", "user": "lantern", "team_id": self.team}
        return _ok(told | {"user_id": self.bot, "bot_id": "B0LANTERN"})

    def _open(self, fields: dict[str, Any]) -> Response:
        phone = next((p for p in self.phones.values() if p.user == fields.get("users")), None)
        return _ok({"channel": {"id": phone.chat}}) if phone else _refused("user_not_found")

    def _post(self, fields: dict[str, Any]) -> Response:
        phone = self.phones.get(str(fields["channel"]))
        if phone is None:
            return self._posted(fields)
        blocks = fields.get("blocks") or []
        if not blocks and not fields.get("text"):
            return _refused("no_text")
        if fault := next((f for f in map(block_fault, blocks) if f), ""):
            return _refused("invalid_blocks", fault)
        if limited := self._limited(phone.chat):
            return limited
        return self._shown(phone, fields, blocks)

    def _posted(self, fields: dict[str, Any]) -> Response:
        if str(fields["channel"]) not in self.staff.rooms:
            return _refused("channel_not_found")
        refused = self._not_now(fields) or self._limited(str(fields["channel"]))
        return refused or _told(self.staff.post(fields, self._ts()))

    def _limited(self, chat: str) -> Response | None:
        wait = 3.0 if self.faults.strike("too_many") else self.rates.wait(chat)
        if not wait:
            return None
        return JSONResponse({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": str(int(wait) + 1)})

    def _shown(self, phone: Phone, fields: dict[str, Any], blocks: list[Any], prefix: str = "") -> Response:
        texts = [b["text"]["text"] for b in blocks if b["type"] == "section"]
        buttons = tuple(
            Press(e["text"]["text"], e["value"]) for b in blocks if b["type"] == "actions" for e in b["elements"]
        )
        text = "\n".join(texts) if blocks else str(fields.get("text", ""))
        line = phone.add(Line(self._ts(), False, marks.slack(prefix + text), self.clock.now(), buttons))
        message = {"type": "message", "ts": line.id, "text": fields.get("text", ""), "bot_id": "B0LANTERN"}
        if "metadata" in fields:
            message["metadata"] = fields["metadata"]
        self.kept.setdefault(phone.chat, []).insert(0, message)
        return _ok({"channel": phone.chat, "ts": line.id, "message": message})

    def _amend(self, phone: Phone, method: str, fields: dict[str, Any]) -> Response:
        """chat.update and chat.delete in a direct message: of the app's own alone."""
        line = phone.theirs(str(fields.get("ts")))
        if line is None or method not in {"chat.update", "chat.delete"}:
            return _refused("message_not_found" if line is None else "channel_not_found")
        phone.amend(line, marks.slack(str(fields.get("text", ""))) if method == "chat.update" else None)
        return _ok({"channel": phone.chat, "ts": line.id})

    def _history(self, fields: dict[str, Any]) -> Response:
        if str(fields["channel"]) in self.staff.rooms:
            return self._not_now(fields) or _told(self.staff.history(fields))
        told = self.kept.get(str(fields["channel"]), [])[: int(fields.get("limit") or 100)]
        if str(fields.get("include_all_metadata", "")).lower() not in {"true", "1"}:
            told = [{k: v for k, v in m.items() if k != "metadata"} for m in told]
        return _ok({"messages": told, "has_more": False})

    def _upload_url(self, fields: dict[str, Any]) -> Response:
        file = f"F{self.serial()}"
        self.files[file] = {"id": file, "name": fields["filename"], "length": int(fields["length"])}
        return _ok({"upload_url": f"{self.base}/upload/{file}", "file_id": file})

    async def _upload(self, request: Request) -> Response:
        told = self.files.get(request.path_params["file"])
        content = await request.body()
        if told is None or len(content) != told["length"]:
            return PlainTextResponse("the length is not what was announced", 400)
        told["content"] = content
        return PlainTextResponse(f"OK - {len(content)}")

    def _complete(self, fields: dict[str, Any]) -> Response:
        try:
            wanted = [self.files.get(str(f.get("id"))) for f in json.loads(fields["files"])]
            blocks = json.loads(fields.get("blocks", "[]"))
        except (ValueError, AttributeError):
            return _refused("invalid_arguments")
        if not wanted or any(f is None or "content" not in f for f in wanted):
            return _refused("file_not_found")
        where = str(fields.get("channel_id", ""))
        if where in self.staff.rooms:
            shared = {"channel": where, "text": fields.get("initial_comment", ""), "thread_ts": fields.get("thread_ts")}
            posted = self.staff.post({k: v for k, v in shared.items() if v is not None}, self._ts())
            posted["message"]["files"] = [{"id": f["id"], "name": f["name"]} for f in wanted if f]
            return _ok({"files": [{"id": f["id"], "title": f["name"]} for f in wanted if f]})
        phone = self.phones.get(where)
        if phone is None:
            return _refused("channel_not_found")
        self._shown(phone, {"text": fields.get("initial_comment", "")}, blocks, "📎 ")
        return _ok({"files": [{"id": f["id"], "title": f["name"]} for f in wanted if f]})

    def _info(self, fields: dict[str, Any]) -> Response:
        told = self.files.get(str(fields["file"]))
        return _ok({"file": {k: v for k, v in told.items() if k != "content"}}) if told else _refused("file_not_found")

    async def _private(self, request: Request) -> Response:
        told = self.files.get(request.path_params["file"])
        if request.headers.get("authorization") != f"Bearer {self.token}" or told is None:
            return PlainTextResponse("not for you", 403)
        return Response(told["content"], media_type=str(told.get("mimetype", "application/octet-stream")))


def block_fault(block: Any) -> str:
    """What is wrong with one block, by docs.slack.dev/reference/block-kit; empty where it is right."""
    kind = block.get("type") if isinstance(block, dict) else block
    if kind not in {"section", "actions"}:
        return f"{kind} is not drawn here"
    if fault := RULES.fault(kind, block):
        return fault
    ids = [e["action_id"] for e in block.get("elements", ()) if "action_id" in e]
    if kind == "actions" and (not block["elements"] or len(set(ids)) < len(ids)):
        return "an actions block has 1 to 25 elements, each with an action_id of its own"
    return ""


async def _fields(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").startswith("application/json"):
        return await sent_object(request)
    return {k: v for k, v in (await request.form()).items() if isinstance(v, str)} | dict(request.query_params)


def _told(answer: dict[str, Any]) -> Response:
    return JSONResponse({"ok": "error" not in answer} | answer)


def _ok(told: dict[str, Any]) -> Response:
    return JSONResponse({"ok": True} | told)


def _refused(error: str, detail: str = "") -> Response:
    more = {"response_metadata": {"messages": [f"[ERROR] {detail}"]}} if detail else {}
    return JSONResponse({"ok": False, "error": error} | more)
