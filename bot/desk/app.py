"""The desk as an ASGI app: every page and act by its path, and whom it is for."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache, partial
from hashlib import sha256
from importlib.resources import files as resources
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from bot.desk import acts, canned, conversation, exports, files, front, opening, people, reportpage, signin
from bot.desk.gate import Gate, Pace, Page
from bot.desk.house import DeskHouse
from bot.desk.live import Live, Stream
from bot.model.staff import Role
from bot.store.desk import MOST_LINES

STATIC = {"desk.css": "text/css", "desk.js": "text/javascript", "icon.svg": "image/svg+xml"}
FOREVER = "public, max-age=31536000, immutable"


@cache
def static_files() -> dict[str, bytes]:
    """What browsers fetch beside the pages."""
    return {name: resources("bot.desk").joinpath("static", name).read_bytes() for name in STATIC}


def build_mark(content: Mapping[str, bytes]) -> str:
    """What changes in an address whenever a file does, so that browsers may keep files for ever."""
    return sha256(b"".join(content[name] for name in sorted(content))).hexdigest()[:10]


def pages_folder() -> Path:
    """Where the pages' templates lie."""
    return Path(str(resources("bot.desk") / "pages"))


NEWEST = 40
"""So many of a conversation's newest messages are read again for a page that has the older ones."""


async def home(house: DeskHouse, request: Request) -> Response:
    """The root leads to the desk."""
    return RedirectResponse("/desk", 303)


async def health(house: DeskHouse, request: Request) -> Response:
    """Whether the process is up and its database answers."""
    await house.staff.count()
    return PlainTextResponse("ok")


async def favicon(house: DeskHouse, request: Request) -> Response:
    """What browsers ask for unasked."""
    return RedirectResponse("/desk/static/icon.svg", 303)


async def static(house: DeskHouse, request: Request) -> Response:
    """A file of ours."""
    name = request.path_params["name"]
    if name not in STATIC:
        return PlainTextResponse("There is no such file.", 404)
    return Response(static_files()[name], media_type=STATIC[name], headers={"cache-control": FOREVER})


PAGES: tuple[Page, ...] = (
    Page("/", "GET", None, home),
    Page("/healthz", "GET", None, health),
    Page("/favicon.ico", "GET", None, favicon),
    Page("/desk/static/{name}", "GET", None, static),
    Page("/desk/sign-in", "GET", None, signin.show),
    Page("/desk/sign-in", "POST", None, signin.sign_in),
    Page("/desk/invite/{token}", "GET", None, signin.show_invite),
    Page("/desk/invite/{token}", "POST", None, signin.use_invite),
    Page("/desk/sign-out", "POST", Role.AGENT, signin.sign_out),
    Page("/desk", "GET", Role.AGENT, front.inbox),
    Page("/desk/here", "GET", Role.AGENT, front.here),
    Page("/desk/stream", "GET", Role.AGENT, front.stream),
    Page("/desk/cases/{id:row}", "GET", Role.AGENT, conversation.show),
    Page("/desk/cases/{id:row}/act", "POST", Role.AGENT, acts.act),
    Page("/desk/cases/{id:row}/transcript.html", "GET", Role.AGENT, exports.as_html),
    Page("/desk/cases/{id:row}/transcript.json", "GET", Role.AGENT, exports.as_json),
    Page("/desk/files/{id:row}/{code}", "GET", Role.AGENT, files.serve),
    Page("/desk/new", "GET", Role.AGENT, opening.show),
    Page("/desk/new", "POST", Role.AGENT, opening.open_case),
    Page("/desk/reports", "GET", Role.LEAD, reportpage.show),
    Page("/desk/export.csv", "GET", Role.LEAD, exports.as_csv),
    Page("/desk/canned", "GET", Role.LEAD, canned.show),
    Page("/desk/canned", "POST", Role.LEAD, canned.save),
    Page("/desk/canned/{id:row}/delete", "POST", Role.LEAD, canned.delete),
    Page("/desk/staff", "GET", Role.ADMIN, people.show),
    Page("/desk/staff", "POST", Role.ADMIN, people.add),
    Page("/desk/staff/{id:row}/link", "POST", Role.ADMIN, people.link),
    Page("/desk/staff/{id:row}/role", "POST", Role.ADMIN, people.set_role),
    Page("/desk/staff/{id:row}/out", "POST", Role.ADMIN, people.shut_out),
    Page("/desk/staff/{id:row}/in", "POST", Role.ADMIN, people.let_in),
    Page("/desk/audit", "GET", Role.ADMIN, people.audit),
)


def create_desk(house: DeskHouse) -> Starlette:
    """The desk, ready to be served."""
    pace = Pace()
    live = Live(house, partial(front.row, house), partial(_parts, house))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await live.start()
        yield
        await live.stop()

    app = Starlette(
        routes=[page.route(house, pace) for page in pages(house)],
        middleware=[Middleware(Gate, settings=house.settings)],
        lifespan=lifespan,
    )
    app.state.live = live
    return app


async def _parts(house: DeskHouse, stream: Stream, here: Sequence[str]) -> dict[str, str]:
    """What is new of the case that a stream follows."""
    sheet = await conversation.gather(house, stream.case or 0, NEWEST if stream.lines else MOST_LINES)
    if sheet is None:
        return {}
    if sheet.line.touched == stream.seen:
        # The page was drawn from just this: it has every line.
        stream.lines |= {line.key: line for line in sheet.lines}
        stream.seen = None
    return conversation.parts(house, sheet, stream.visit, here, stream.lines)


def pages(house: DeskHouse) -> tuple[Page, ...]:
    """All pages; those of the OIDC provider where there is one."""
    if house.settings.provider is None:
        return PAGES
    from bot.desk import oidc  # noqa: PLC0415 - its library is as large as the rest of the desk

    there, back = Page("/desk/oidc/start", "GET", None, oidc.start), Page("/desk/oidc/back", "GET", None, oidc.finish)
    return (*PAGES, there, back)
