"""The desk on a bot of `tests.house`, and a browser without a screen to use it."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from starlette.applications import Starlette

from bot.desk.app import create_desk, pages_folder
from bot.desk.house import DeskHouse, Provider, Settings
from bot.desk.passwords import make
from bot.desk.words import filters
from bot.model.staff import Role
from bot.render import Pages
from bot.store.desk import DeskBook
from bot.store.staff import StaffBook
from tests.house import HOURS, Home

HOST = "127.0.0.1:8081"
PASSWORD = "three brown parcels"
_SEAL = re.compile(r'data-seal="([0-9a-f]+)"')


@dataclass
class Browser:
    """A browser that keeps cookies and says where it comes from, as browsers do."""

    client: httpx.AsyncClient

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers=headers)

    async def post(self, path: str, fields: dict[str, Any] | None = None, **more: Any) -> httpx.Response:
        """Send a form with this session's seal, from our own origin."""
        seal = await self.seal()
        headers = {"origin": f"http://{HOST}", **more.pop("headers", {})}
        return await self.client.post(path, data={"seal": seal, **(fields or {})}, headers=headers, **more)

    async def seal(self) -> str:
        found = _SEAL.search((await self.client.get("/desk")).text)
        return found[1] if found else ""

    async def sign_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        fields = {"name": name, "password": password}
        return await self.client.post("/desk/sign-in", data=fields, headers={"origin": f"http://{HOST}"})


@dataclass
class DeskHome:
    """A bot, its desk, and the staff who may sign in."""

    home: Home
    house: DeskHouse
    app: Starlette

    @property
    def book(self) -> StaffBook:
        return self.house.staff

    def browser(self, base: str = f"http://{HOST}", client: str = "127.0.0.1") -> Browser:
        transport = httpx.ASGITransport(app=self.app, client=(client, 5000))
        return Browser(httpx.AsyncClient(transport=transport, base_url=base))

    async def hire(self, name: str, role: Role = Role.AGENT, email: str = "") -> None:
        """Let a person in, with the tests' password."""
        _, token = await self.book.add(name, role, email)
        await self.book.set_password(token, await make(PASSWORD))

    async def visitor(self, name: str = "Mei", role: Role = Role.AGENT) -> Browser:
        """A browser in which this person is signed in."""
        if await self.book.named(name) is None:
            await self.hire(name, role)
        browser = self.browser()
        assert (await browser.sign_in(name)).status_code == 303
        return browser


@asynccontextmanager
async def desk_home(
    home: Home,
    url: str = "",
    provider: Provider | None = None,
    http: httpx.AsyncClient | None = None,
    undo_seconds: float = 0.0,
) -> AsyncIterator[DeskHome]:
    """A desk on a bot."""
    zone = ZoneInfo("Asia/Shanghai")
    async with http or httpx.AsyncClient() as client:
        house = DeskHouse(
            store=home.store,
            staff=StaffBook(home.store.database, home.clock),
            reading=DeskBook(home.store.database),
            clock=home.clock,
            shop=home.engine.house.shop,
            opening=home.engine.house.desk,
            zone=zone,
            locale="en",
            hours=HOURS,
            renderer=home.renderer,
            pages=Pages(pages_folder(), {"shop": "Lantern", "build": "test"}, filters(zone, home.clock.now)),
            vault=home.engine.house.vault,
            limits={"test": home.wire.limits},
            decode=lambda port, item: home.wire.decode(item) if port == "wire" else None,
            http=client,
            settings=Settings(url, provider, 1024 * 1024, undo_seconds),
            queues=home.engine.house.rules.queue_names,
        )
        yield DeskHome(home, house, create_desk(house))
