"""What stands before every page: which hosts and origins are ours, who is signed in, and what they may do.

Every handler is made by `page`, which checks the session and the role anew at each request, and for whatever
changes something also the form's seal. A browser's own word (Origin, Sec-Fetch-Site) is checked as well, on
pages and on the live stream alike.
"""

import hmac
import time
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from msgspec import Struct
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.datastructures import FormData, Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.desk.house import DeskHouse, Settings
from bot.model.staff import Role, Visit

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
    "cache-control": "no-store",
}
SAFE = {"GET", "HEAD"}
ACTS_A_MINUTE = 90
ROOM = 256 * 1024
"""Bytes of a form beside its file."""

NO_TEXT = "There is a character in it that no text has."
"""U+0000, which PostgreSQL keeps in no text."""
DIGITS = 9
"""Of a row's number at most: no table of a shop counts further, and databases refuse what does not fit theirs."""

Handler = Callable[[DeskHouse, Request, Visit], Awaitable[Response]]
Open = Callable[[DeskHouse, Request], Awaitable[Response]]


class Gate:
    """Refuses requests for other hosts and from other origins, and puts the headers on every answer."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; anything but HTTP (a WebSocket) is refused, for we have none."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if self.settings.secure:
                    headers["strict-transport-security"] = "max-age=31536000"
            await send(message)

        problem = self._problem(scope)
        if problem:
            await PlainTextResponse(problem, 403)(scope, receive, with_headers)
            return
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            await PlainTextResponse(NO_TEXT, 400)(scope, receive, with_headers)
            return
        most = self.settings.most_bytes + ROOM
        if int(Headers(scope=scope).get("content-length", "0")) > most:
            await PlainTextResponse("That file is too large.", 413)(scope, receive, with_headers)
            return
        await self.app(scope, _limited(receive, most), with_headers)

    def _problem(self, scope: Scope) -> str:
        headers = Headers(scope=scope)
        ours = self.settings.origin(headers.get("host", ""))
        if not ours:
            return "The desk is not reached under this name: set desk.url in the config, and pass Host on in the proxy."
        origin = headers.get("origin")
        if scope["method"] not in SAFE and origin is None:
            return "A form without an origin."
        if origin is not None and origin != ours:
            return "This came from another site."
        if scope["method"] not in SAFE and headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return "This came from another site."
        return ""


def _limited(receive: Receive, most: int) -> Receive:
    """A body without a length must not go on for ever either: it is cut off like a line that broke."""
    read = 0

    async def limited() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        return message if read <= most else {"type": "http.disconnect"}

    return limited


class _Row(IntegerConvertor):
    regex = f"[0-9]{{1,{DIGITS}}}"


register_url_convertor("row", _Row())


def row_number(text: str) -> int | None:
    """The number of a row, or a version, that an address or a form names; None for what is none."""
    return int(text) if text.isdecimal() and len(text) <= DIGITS else None


def seal(visit: Visit, *parts: str) -> str:
    """A code that only this session's pages know: for its forms, and for paths that nobody can guess."""
    return hmac.new(visit.secret.encode(), "\n".join(parts).encode(), sha256).hexdigest()


def sealed(visit: Visit, code: str, *parts: str) -> bool:
    """Whether the code is this session's, compared in constant time."""
    return hmac.compare_digest(seal(visit, *parts).encode(), code.encode())


def from_elsewhere(request: Request) -> bool:
    """Whether the browser says that another site made this request."""
    return request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}


class Pace:
    """How many acts a session may do a minute, in this process."""

    def __init__(self, a_minute: int = ACTS_A_MINUTE) -> None:
        self._a_minute = a_minute
        self._used: dict[str, tuple[int, int]] = {}

    def spend(self, key: str) -> bool:
        """Whether one more is allowed now."""
        minute = int(time.monotonic() // 60)
        began, used = self._used.get(key, (minute, 0))
        if began != minute:
            self._used = {k: v for k, v in self._used.items() if v[0] == minute}
            used = 0
        self._used[key] = (minute, used + 1)
        return used < self._a_minute


class Page(Struct, frozen=True):
    """A page or an act, and whom it is for; `role` None means anybody."""

    path: str
    method: str
    role: Role | None
    handler: Handler | Open

    def route(self, house: DeskHouse, pace: Pace) -> Route:
        """As Starlette wants it, with its guard around it."""
        guard = _open(house, self) if self.role is None else _guarded(house, self, self.role, pace)
        return Route(self.path, guard, methods=[self.method], name=f"{self.method} {self.path}")


def _is_text(form: FormData) -> bool:
    return not any("\0" in value for _, value in form.multi_items() if isinstance(value, str))


def _open(house: DeskHouse, page: Page) -> Callable[[Request], Awaitable[Response]]:
    handler: Any = page.handler

    async def serve(request: Request) -> Response:
        try:
            if request.method not in SAFE and not _is_text(await request.form(max_files=0, max_fields=5)):
                return PlainTextResponse(NO_TEXT, 400)
            response: Response = await handler(house, request)
        finally:
            await request.close()
        return response

    return serve


def _guarded(house: DeskHouse, page: Page, role: Role, pace: Pace) -> Callable[[Request], Awaitable[Response]]:
    handler: Any = page.handler

    async def serve(request: Request) -> Response:
        try:
            return await admitted(request)
        finally:
            await request.close()  # lets go of files that were sent

    async def admitted(request: Request) -> Response:
        visit = await house.staff.visit(request.cookies.get(house.settings.cookie, ""))
        if visit is None:
            return _not_signed_in(house, request)
        if not visit.role.may(role):
            return refused(house, visit, f"This is for a {role.value}. You are signed in as {visit.role.value}.")
        if request.method not in SAFE:
            form = await request.form(max_files=5, max_part_size=house.settings.most_bytes)
            if not _is_text(form):
                return PlainTextResponse(NO_TEXT, 400)
            if not sealed(visit, str(form.get("seal", "")), "form"):
                return refused(house, visit, "This form is from an earlier sign-in. Go back, reload, and try again.")
            if not pace.spend(visit.key):
                return PlainTextResponse("Too much at once: wait a minute.", 429)
        response: Response = await handler(house, request, visit)
        return response

    return serve


def _not_signed_in(house: DeskHouse, request: Request) -> Response:
    navigation = request.headers.get("sec-fetch-mode", "navigate") == "navigate"
    if request.method not in SAFE or not navigation or "text/event-stream" in request.headers.get("accept", ""):
        return PlainTextResponse("Sign in first.", 401)
    if from_elsewhere(request):
        # A Strict cookie is not sent with a link from another site (a chat, a mail): come again from here.
        return HTMLResponse(house.pages.draw("again.html"))
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/desk/sign-in?next={quote(wanted, safe='')}", 303)


def refused(house: DeskHouse, visit: Visit, why: str) -> Response:
    """What somebody reads who may not do this."""
    return HTMLResponse(house.pages.draw("refused.html", visit=visit, why=why, **frame(visit)), 403)


def frame(visit: Visit) -> dict[str, Any]:
    """What every signed-in page is drawn with."""
    return {
        "me": visit.name,
        "role": visit.role.value,
        "lead": visit.role.may(Role.LEAD),
        "admin": visit.role.may(Role.ADMIN),
        "form_seal": seal(visit, "form"),
    }


def safe_next(wanted: str) -> str:
    """Where to go after signing in: inside the desk only."""
    inside = wanted.startswith("/desk") and "\\" not in wanted and "//" not in wanted.split("?", 1)[0]
    return wanted if inside else "/desk"
