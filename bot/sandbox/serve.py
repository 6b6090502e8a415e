"""The demo's page as an ASGI app: on this machine's names only, with nothing kept in the visitor's browser."""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from nicegui import ui
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response

from bot.sandbox import parcelpage
from bot.sandbox.page import Backstage, build
from bot.sandbox.town import HOSTS, Town


def make_page(town: Town, stage: Backstage, enter: Callable[[Request], Awaitable[Response]]) -> FastAPI:
    """An app with the page at its root; `enter` signs the visitor in to the staff's desk."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)

    app.add_route("/staff-desk", enter)

    @ui.page("/")
    def index() -> None:
        build(town, stage)

    @ui.page("/orders/{number}")
    async def order(number: str) -> None:
        await parcelpage.build(number, stage.parcels, town.clock.now())

    ui.run_with(app, title="Wismo demo", favicon="📦", show_welcome_message=False)
    return app
