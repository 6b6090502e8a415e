"""WhatsApp's Cloud API as Meta's documents describe it, on loopback. Tables: rules/whatsapp.csv.

Signed webhooks with messages and statuses; the customer service window of 24 hours by the shop's clock; what is
written outside it fails by a status, as it does there; approved templates pass (`approvals`).
"""

import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.model.clock import Clock
from bot.model.markup import Run
from bot.sandbox import marks
from bot.sandbox.approvals import PAGE, Shelf
from bot.sandbox.platform import Bucket, Event, Line, Phone, Platform, Press, Rules, sent_object

WINDOW = timedelta(hours=24)
ROWS = 10
"""Of all sections of a list together."""
_NO_TEMPLATE = 132001
_TYPES = ("text", "image", "video", "audio", "document", "interactive", "template")


class WhatsAppApi(Platform):
    """One phone number of one business."""

    name = "whatsapp"

    def __init__(self, clock: Clock, http: httpx.AsyncClient, number: str, token: str, secret: str, base: str) -> None:
        super().__init__(clock, http)
        self.number = number
        self.token = token
        self.secret = secret
        self.base = base.rstrip("/")
        self.rules = Rules("whatsapp")
        self.rates = Bucket(80, 6.0, 45)
        self.media: dict[str, tuple[bytes, str]] = {}
        self.business = "102290129340398"
        self.shelf = Shelf(self.rules)
        self._quick: set[str] = set()

    def routes(self) -> list[Route]:
        """The paths of the Graph API."""
        return [
            Route(f"/{{version}}/{self.number}/messages", self._messages, methods=["POST"]),
            Route(f"/{{version}}/{self.number}/media", self._keep, methods=["POST"]),
            Route(f"/{{version}}/{self.number}", self._self),
            Route(f"/{{version}}/{self.business}/message_templates", self._list, methods=["GET"]),
            Route(f"/{{version}}/{self.business}/message_templates", self._submit, methods=["POST"]),
            Route("/media/{media}", self._content),
            Route("/{version}/{media}", self._media),
        ]

    # ---- what the phone's owner does ---------------------------------------------------------------------

    def say(self, phone: Phone, text: str) -> None:
        """Write a message."""
        line = phone.add(Line(self._wamid(), True, marks.whatsapp(text), self.clock.now()))
        self._heard(phone, line.id, {"type": "text", "text": {"body": text}})

    def press(self, phone: Phone, line: Line, value: str) -> None:
        """Press a reply button, or pick a row of a list."""
        title = next(b.title for b in line.buttons if b.value == value)
        mine = phone.add(Line(self._wamid(), True, (Run(title),), self.clock.now()))
        if line.id in self._quick:
            answer = {"type": "button", "button": {"payload": value, "text": title}, "context": {"id": line.id}}
            self._heard(phone, mine.id, answer)
            return
        kind = "list_reply" if line.menu else "button_reply"
        pressed = {"type": kind, kind: {"id": value, "title": title}}
        self._heard(phone, mine.id, {"type": "interactive", "interactive": pressed, "context": {"id": line.id}})

    def share(self, phone: Phone, line: Line) -> None:
        """Share the own number where it was asked for."""
        line.share = ""
        mine = phone.add(Line(self._wamid(), True, (Run(f"☎ {phone.number}"),), self.clock.now()))
        digits = phone.number.removeprefix("+")
        card = {
            "name": {"formatted_name": phone.name},
            "origin": "contact_request",
            "phones": [{"phone": phone.number, "wa_id": digits, "type": "CELL"}],
        }
        self._heard(phone, mine.id, {"type": "contacts", "contacts": [card], "context": {"id": line.id}})

    def photo(self, phone: Phone, content: bytes, picture: str) -> None:
        """Send a photo."""
        mine = phone.add(Line(self._wamid(), True, (), self.clock.now(), picture=picture))
        key = str(self.serial())
        self.media[key] = content, "image/jpeg"
        told = {"id": key, "mime_type": "image/jpeg", "sha256": hashlib.sha256(content).hexdigest()}
        self._heard(phone, mine.id, {"type": "image", "image": told})

    def _wamid(self) -> str:
        return f"wamid.{self.serial()}"

    def _heard(self, phone: Phone, wamid: str, content: dict[str, Any]) -> None:
        phone.last_said = self.clock.now()
        message = {"from_user_id": phone.user, "id": wamid, "timestamp": self._stamp()} | content
        card = {"profile": {"name": phone.name}, "user_id": phone.user}
        if phone.number:
            digits = phone.number.removeprefix("+")
            message["from"], card["wa_id"] = digits, digits
        self._change({"contacts": [card], "messages": [message]})

    def _status(self, phone: Phone, line: Line, state: str, opaque: str, error: dict[str, Any] | None = None) -> None:
        told: dict[str, Any] = {
            "id": line.id,
            "status": state,
            "timestamp": self._stamp(),
            "recipient_user_id": phone.user,
            "recipient_id": phone.number.removeprefix("+"),
            "biz_opaque_callback_data": opaque,
        }
        if error is not None:
            told["errors"] = [error]
        else:
            free = {"billable": False, "pricing_model": "PMP", "type": "free_customer_service", "category": "service"}
            told["pricing"] = free
        self._change({"statuses": [told]})

    def _change(self, value: dict[str, Any]) -> None:
        head = {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "15550100", "phone_number_id": self.number},
        }
        self._tell("messages", head | value)

    def _tell(self, field: str, value: dict[str, Any]) -> None:
        change = {"field": field, "value": value}
        body = {"object": "whatsapp_business_account", "entry": [{"id": self.business, "changes": [change]}]}
        self.send(Event(json.dumps(body).encode()))

    def judge(self, name: str, language: str, status: str) -> None:
        """A template is paused, disabled, rejected or approved, and the business is told."""
        self.shelf.judge(name, language, status=status)
        told = {"event": status, "message_template_name": name, "message_template_language": language}
        self._tell("message_template_status_update", told | {"message_template_id": self.serial(), "reason": "NONE"})

    def _stamp(self) -> str:
        return str(int(self.clock.now().timestamp()))

    def headers(self, event: Event) -> dict[str, str]:
        """Meta's signature over the raw bytes."""
        signature = hmac.new(self.secret.encode(), event.body, hashlib.sha256).hexdigest()
        return {"content-type": event.content_type, "X-Hub-Signature-256": f"sha256={signature}"}

    # ---- what the bot calls ------------------------------------------------------------------------------

    def _barred(self, request: Request) -> Response | None:
        if request.headers.get("authorization") == f"Bearer {self.token}":
            return None
        return _refused(401, 190, "Invalid OAuth access token", "OAuthException")

    async def _self(self, request: Request) -> Response:
        told = {"id": self.number, "display_phone_number": "+1 555-0100", "verified_name": "Lantern & Loom"}
        return self._barred(request) or JSONResponse(told | {"quality_rating": "GREEN"})

    async def _list(self, request: Request) -> Response:
        if barred := self._barred(request):
            return barred
        asked = request.query_params
        limit = int(asked["limit"]) if asked.get("limit", "").isdecimal() else PAGE
        return JSONResponse(self.shelf.page(asked.get("after", ""), limit or PAGE, str(request.url.replace(query=""))))

    async def _submit(self, request: Request) -> Response:
        if barred := self._barred(request):
            return barred
        body = await sent_object(request)
        if fault := self.shelf.fault(body):
            return _refused(400, 100, f"(#100) Invalid parameter: {fault}")
        return JSONResponse(self.shelf.submit(self.serial(), body))

    async def _messages(self, request: Request) -> Response:
        if barred := self._barred(request):
            return barred
        body = await sent_object(request)
        if fault := self._fault(body):
            return _refused(400, 100, f"(#100) Invalid parameter: {fault}")
        if body["type"] == "template" and (refusal := self.shelf.refusal(body["template"])):
            return _refused(404 if refusal[0] == _NO_TEMPLATE else 400, refusal[0], f"(#{refusal[0]}) {refusal[1]}")
        phone = self._phone(str(body.get("to") or body.get("recipient")))
        if phone is None:
            return _refused(400, 131030, "(#131030) Recipient phone number not in allowed list")
        if self.faults.strike("too_many"):
            return _refused(429, 130429, "(#130429) Rate limit hit")
        if self.rates.wait(phone.chat):
            return _refused(400, 131056, "(#131056) (Business Account, Consumer Account) pair rate limit hit")
        return self._sent(phone, body)

    def _phone(self, to: str) -> Phone | None:
        return next((p for p in self.phones.values() if to in {p.user, p.number.removeprefix("+")}), None)

    def _sent(self, phone: Phone, body: dict[str, Any]) -> Response:
        free = body["type"] != "template"
        late = phone.last_said is None or self.clock.now() - phone.last_said > WINDOW
        line = _drawn(body, self._wamid(), self)
        opaque = str(body.get("biz_opaque_callback_data", ""))
        if free and (self.faults.strike("closed") or late):
            error = {"code": 131047, "title": "Re-engagement message", "message": "Re-engagement message"}
            self._status(phone, line, "failed", opaque, error)
        else:
            phone.add(line)
            if body["type"] == "template":
                self._quick.add(line.id)
            for state in ("sent", "delivered", "read"):
                self._status(phone, line, state, opaque)
        contact = {"input": body.get("to") or body.get("recipient"), "user_id": phone.user}
        return JSONResponse({"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": line.id}]})

    def _fault(self, body: dict[str, Any]) -> str:
        if fault := self.rules.fault("message", body):
            return fault
        kind = body["type"]
        if body["messaging_product"] != "whatsapp" or kind not in _TYPES:
            return "type"
        if not body.get("to") and not body.get("recipient"):
            return "to or recipient is required"
        content = body.get(kind)
        if not isinstance(content, dict):
            return f"{kind} is required"
        if others := {t for t in _TYPES if t in body} - {kind}:
            return f"{min(others)} does not go with type {kind}"
        if kind == "interactive":
            return self.rules.fault(f"interactive.{content.get('type')}", content) or _interactive_fault(content)
        if fault := self.rules.fault(kind, content):
            return fault
        if kind in {"image", "video", "audio", "document"} and not ({"id", "link"} & set(content)):
            return f"{kind} needs id or link"
        if "id" in content and str(content["id"]) not in self.media:
            return "media id"
        return ""

    async def _keep(self, request: Request) -> Response:
        if barred := self._barred(request):
            return barred
        async with request.form() as form:
            file = form.get("file")
            if form.get("messaging_product") != "whatsapp" or file is None or isinstance(file, str):
                return _refused(400, 100, "(#100) The parameter file is required")
            key = str(self.serial())
            self.media[key] = await file.read(), str(form.get("type") or file.content_type or "")
        return JSONResponse({"id": key})

    async def _media(self, request: Request) -> Response:
        key = request.path_params["media"]
        if barred := self._barred(request):
            return barred
        if key not in self.media:
            return _refused(400, 100, "(#100) Unsupported get request: no such media")
        content, mime = self.media[key]
        told = {"messaging_product": "whatsapp", "url": f"{self.base}/media/{key}", "mime_type": mime, "id": key}
        return JSONResponse(told | {"sha256": hashlib.sha256(content).hexdigest(), "file_size": str(len(content))})

    async def _content(self, request: Request) -> Response:
        if barred := self._barred(request):
            return barred
        content, mime = self.media.get(request.path_params["media"], (b"", ""))
        return Response(content, media_type=mime) if content else Response(status_code=404)


def _interactive_fault(content: dict[str, Any]) -> str:
    """What no table says: nothing is empty, and nothing of one name stands twice."""
    action = content["action"]
    if content["type"] == "button":
        replies = [b["reply"] for b in action["buttons"]]
        apart = len({r["id"] for r in replies}) == len({r["title"] for r in replies}) == len(replies)
        return "" if replies and apart else "interactive.action.buttons"
    if content["type"] == "list":
        sections = action["sections"]
        rows = [row for section in sections for row in section["rows"]]
        if len(sections) > 1 and not all(section.get("title") for section in sections):
            return "interactive.action.sections.title"
        apart = len({row["id"] for row in rows}) == len(rows)
        return "" if 1 <= len(rows) <= ROWS and apart else "interactive.action.sections.rows"
    return ""


def _drawn(body: dict[str, Any], wamid: str, api: WhatsAppApi) -> Line:
    """A message as the phone shows it."""
    kind, content = body["type"], body[body["type"]]
    line = Line(wamid, False, (), api.clock.now())
    if kind == "interactive":
        action = content["action"]
        line.runs = marks.whatsapp(content["body"]["text"])
        if content["type"] == "request_contact_info":
            line.share = "Share phone number"
        elif content["type"] == "button":
            line.buttons = tuple(Press(b["reply"]["title"], b["reply"]["id"]) for b in action["buttons"])
        else:
            line.menu = action["button"]
            line.buttons = tuple(Press(r["title"], r["id"]) for s in action["sections"] for r in s["rows"])
    elif kind == "text":
        line.runs = marks.whatsapp(content["body"])
    elif kind == "template":
        text, line.buttons = api.shelf.filled(content)
        line.runs = marks.whatsapp(text)
    else:
        line.runs = marks.whatsapp(f"📎 {content.get('caption', '')}")
    return line


def _refused(status: int, code: int, message: str, kind: str = "OAuthException") -> Response:
    error = {"message": message, "type": kind, "code": code, "fbtrace_id": "sandbox"}
    return JSONResponse({"error": error}, status)
