"""`wismo demo`: the bot with emulated platforms on loopback, and a page to use it from.

The same adapters, store, worker and sender as under `run`; only the addresses differ. The sandbox is imported
here and nowhere else, and like the desk only when the command is typed.
"""

import asyncio
import importlib
import logging
import signal
import socket
import tempfile
import webbrowser
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot import app as composition
from bot.cli import logs
from bot.cli.session import complete, ready, say, stop
from bot.cli.templates import push_all, wanted
from bot.config import build
from bot.dialog.identity import e164
from bot.dialog.telling import worst_first
from bot.errors import WismoError
from bot.model.clock import Clock
from bot.model.conversations import Conversation
from bot.model.events import StaffAct, conversation_lane
from bot.model.messages import Address
from bot.model.orders import number_key
from bot.model.parcels import Parcel
from bot.model.staff import Role
from bot.ports import Item
from bot.store.canned import Answer, CannedBook
from bot.store.codec import pack
from bot.store.queue import Arrival

if TYPE_CHECKING:
    from bot.desk.house import DeskHouse

LOOPBACK = "127.0.0.1"
CATCH_UP_SECONDS = 45.0
SETTLE_SECONDS = 0.4
HOUR = timedelta(hours=1)
Entrance = Callable[[Request], Awaitable[Response]]


def demo(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the page listens, on this machine only.")] = 8000,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open a browser.")] = False,
    data: Annotated[Path | None, typer.Option(help="Keep the demo's data here; else it is thrown away.")] = None,
) -> None:
    """Three phones, a seeded shop and a clock to turn, on one page. Nothing leaves this machine."""
    logs.configure(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="wismo-demo-") as scratch:
        complete(_demo(port, not no_browser, data or Path(scratch)))


async def _demo(port: int, browser: bool, data: Path) -> None:
    page_socket, desk_socket = _listen(port), _listen(0)
    town_socket, web_socket = _listen(0), _listen(0)
    town_port, web_port = town_socket.getsockname()[1], web_socket.getsockname()[1]
    sandbox = importlib.import_module("bot.sandbox.town")
    ended = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(signum, ended.set)
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(composition.local_client())
        clock = Clock()
        town = sandbox.make_town(clock, http, town_port)
        app = await stack.enter_async_context(composition.open_app(build(town.config(web_port, str(data)), {}), clock))
        await ready(app.store)
        await app.store.save_orders([(o, e164(o.phone, o.country)) for o in town.shop.orders])
        group = await stack.enter_async_context(asyncio.TaskGroup())
        for served, on in ((town.app, town_socket), (app.web, web_socket)):
            group.create_task(composition.serve(served, on, ended))
        bot = [group.create_task(work) for work in (app.worker.run(), app.sender.run(), town.live(web_port))]
        await app.adapters.channels["telegram"].register(f"http://{LOOPBACK}:{web_port}/hooks/telegram")
        approving = group.create_task(_approve(app))
        say("Asking the carriers about the shop's parcels …")
        await _caught_up(app, ended)
        desk, enter = await _desk(app, desk_socket)
        group.create_task(composition.serve(desk, desk_socket, ended, lifespan=True))
        page = _page(town, app, enter)
        group.create_task(composition.serve(page, page_socket, ended, lifespan=True))
        address = f"http://{LOOPBACK}:{port}"
        say(f"The demo is at {address}\nStop it with Ctrl-C.")
        if browser:
            await asyncio.to_thread(webbrowser.open, address)
        await ended.wait()
        approving.cancel()  # at once: the platform that it speaks to stops too
        desk.state.live.end_streams()
        app.worker.stop()
        await app.sender.stop()
        bot[-1].cancel()


async def _approve(app: composition.App) -> None:
    """Hand the notices' approved forms in, which no buyer waits for: the first is due when the clock was turned."""
    registry = app.adapters.channels["whatsapp"].registry()
    if registry is not None:
        with suppress(WismoError):  # which is told by then; the phones go on without
            await push_all(registry, wanted(app.renderer, app.catalogue))


async def _caught_up(app: composition.App, ended: asyncio.Event) -> None:
    """Until every parcel's first news are in, so that the first question already has its answer; on a machine that is
    too slow for it they come while one looks on."""
    with suppress(TimeoutError):
        async with asyncio.timeout(CATCH_UP_SECONDS):
            while not ended.is_set() and await _missing(app):  # noqa: ASYNC110 - rows ring no bell
                await asyncio.sleep(0.1)


async def _missing(app: composition.App) -> bool:
    """Whether a parcel was not asked about yet, or its news wait for their turn."""
    _, carriers = await app.store.tracking()
    return any(c.not_asked for c in carriers) or bool((await app.store.health()).waiting)


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((LOOPBACK, port))
        listening.listen(128)  # before anybody serves it, so that an early call waits and is not refused
    except OSError as error:
        stop(f"✗ cannot listen on port {port} ({error.strerror}); choose another: wismo demo --port 8765", 2)
    return listening


def _page(town: Any, app: composition.App, enter: Entrance) -> Any:
    """The page as an ASGI app of its own."""
    page = importlib.import_module("bot.sandbox.page")
    return importlib.import_module("bot.sandbox.serve").make_page(town, _backstage(page, town, app), enter)


async def _desk(app: composition.App, listening: socket.socket) -> tuple[Starlette, Entrance]:
    """The staff's desk, furnished, and the way in."""
    staffroom = importlib.import_module("bot.staffroom")
    house = staffroom.desk_house(app)
    await _furnish(house)
    return staffroom.create_desk(house), _entrance(house, listening.getsockname()[1])


async def _furnish(desk: "DeskHouse") -> None:
    """The demo's staff, and answers that they keep ready."""
    for name, role in (("Mei", Role.ADMIN), ("Lee", Role.AGENT)):
        await desk.staff.add(name, role)
    answers = yaml.safe_load(files("bot.sandbox").joinpath("answers.yaml").read_text(encoding="utf-8"))
    book = CannedBook(desk.store.database, desk.clock)
    if not await book.answers():
        for answer in answers:
            await book.save(Answer(0, answer["title"], answer["locale"], answer["body"]), "Mei")


def _entrance(desk: "DeskHouse", port: int) -> Entrance:
    """Signs whoever opens the demo in to its desk as Mei: cookies know no port, and the page is on this machine."""

    async def enter(request: Request) -> Response:
        person = await desk.staff.named("Mei")
        response = RedirectResponse(f"http://{request.url.hostname}:{port}/desk", 303)
        if person is not None:
            cookie = await desk.staff.sign_in(person.id)
            response.set_cookie(desk.settings.cookie, cookie, path="/", httponly=True, samesite="strict")
        return response

    return enter


def _backstage(page: Any, town: Any, app: composition.App) -> Any:
    addresses = {
        "telegram": Address("telegram", town.telegram.token.split(":")[0], town.phone(town.telegram).chat),
        "whatsapp": Address("whatsapp", town.whatsapp.number, town.phone(town.whatsapp).chat),
        "slack": Address("slack", town.slack.team, town.phone(town.slack).chat),
    }

    async def conversation(address: Address) -> Conversation:
        lane = conversation_lane(address)
        return (await app.store.conversations([lane]))[lane]

    async def case(address: Address) -> str:
        lane = conversation_lane(address)
        return "\n".join(c.summary for c in await app.store.cases() if c.conversation == lane)

    async def act(address: Address, kind: str, text: str) -> None:
        done = StaffAct(uuid4().hex, app.clock.now(), page.STAFF, address, kind, text)
        item = Item(key=done.id, lane=conversation_lane(address), body=pack(done))
        await app.store.receive([Arrival("wismo", item)])
        app.worker.wake.set()

    async def orders() -> Sequence[Any]:
        found = await app.store.find_orders([number_key(o.number) for o in town.shop.orders])
        rows = []
        for dossier in found:
            order = dossier.order
            status = (
                app.renderer.phrase("short", worst_first(dossier).value, "en") if dossier.parcels else "not shipped"
            )
            rows.append(page.OrderRow(order.number, order.name, order.country, status, order.postcode))
        return rows

    async def parcels(number: str) -> Sequence[Parcel]:
        return [p for d in await app.store.find_orders([number_key(number)]) for p in d.parcels]

    turning = asyncio.Lock()

    async def forward(by: timedelta) -> None:
        """In steps, as time would pass: what is due in the morning is not found at night."""
        async with turning:
            end, step = app.clock.now() + by, max(HOUR, by / 24)
            while (left := end - app.clock.now()) > timedelta(0):
                town.forward(min(step, left))
                await _settled(app)

    return page.Backstage(conversation, case, act, orders, parcels, forward, addresses)


async def _settled(app: composition.App) -> None:
    """Until what this step brought has been told, for a moment at most, so that the clock can be seen to turn."""
    with suppress(TimeoutError):
        async with asyncio.timeout(SETTLE_SECONDS):
            await asyncio.sleep(0.02)
            while await app.announcer.look() + await app.store.wake() or await _busy(app):
                app.worker.wake.set()
                await asyncio.sleep(0.02)


async def _busy(app: composition.App) -> bool:
    left = await app.store.health()
    return bool(left.waiting or left.unsent)
