"""The sandbox as a whole: the emulated platforms on one loopback port, three people with phones, and a photo."""

import asyncio
import base64
import secrets
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import httpx
from msgspec import Struct
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Mount

from bot.model.clock import Clock
from bot.sandbox.carriers import CarrierApi, DhlApi, FedExApi, SfApi, TntApi, UpsApi
from bot.sandbox.platform import Phone, Platform
from bot.sandbox.seventeentrack import SeventeenTrackApi
from bot.sandbox.shop import SHOWN, Shop, make_shop
from bot.sandbox.slack import SlackApi
from bot.sandbox.telegram import TelegramApi, phone_of
from bot.sandbox.whatsapp import WhatsAppApi

HOSTS = ["127.0.0.1", "localhost", "[::1]"]
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAIAAAACUFjqAAAAEklEQVR4nGNowANYRqVpKA0AmvwtgWmZb+UAAAAASUVORK5CYII="
)
"""A small picture, which a phone sends as the photo of a parcel."""


class Town(Struct):
    """Everything outside the bot: platforms, carriers' news, people."""

    clock: Clock
    shop: Shop
    telegram: TelegramApi
    slack: SlackApi
    whatsapp: WhatsAppApi
    carriers: SeventeenTrackApi
    direct: tuple[CarrierApi, ...]
    app: Starlette
    http: httpx.AsyncClient
    base: str

    @property
    def chats(self) -> tuple[TelegramApi, WhatsAppApi, SlackApi]:
        """The chat platforms in the order in which their phones stand."""
        return self.telegram, self.whatsapp, self.slack

    @property
    def platforms(self) -> tuple[Platform, ...]:
        """Everything that delivers to the bot."""
        return self.telegram, self.whatsapp, self.slack, self.carriers, *self.direct

    def phone(self, platform: Platform) -> Phone:
        """The one person on a platform."""
        return next(iter(platform.phones.values()))

    def forward(self, by: timedelta) -> None:
        """Turn the clock on; what happened to parcels meanwhile is pushed."""
        self.clock.forward(by)
        self.carriers.push()

    def config(self, web: int, data: str) -> dict[str, object]:
        """The bot's config for this town: the real adapters, with addresses on loopback."""
        return {
            "shop": {
                "name": "Lantern & Loom",
                "country": "CN",
                "timezone": "Asia/Shanghai",
                "locale": "en",
                "hours": {"mon-fri": "09:00-18:00", "sat": "10:00-16:00"},
            },
            "database": {"data": data},
            "web": {"port": web},
            "channels": {
                "telegram": {
                    "token": self.telegram.token,
                    "secret": secrets.token_urlsafe(24),
                    "mode": "webhook",
                    "base_url": f"{self.base}/telegram",
                },
                "slack": {
                    "bot_token": self.slack.token,
                    "signing_secret": self.slack.secret,
                    "base_url": f"{self.base}/slack/api/",
                    **({"mode": "socket", "app_token": self.slack.socket.token} if self.slack.socket.on else {}),
                },
                "whatsapp": {
                    "phone_number_id": self.whatsapp.number,
                    "access_token": self.whatsapp.token,
                    "app_secret": self.whatsapp.secret,
                    "verify_token": secrets.token_urlsafe(12),
                    "waba_id": self.whatsapp.business,
                    "base_url": f"{self.base}/graph/v24.0",
                },
            },
            "carriers": {
                "seventeentrack": {"token": self.carriers.token, "base_url": f"{self.base}/17track/track/v2.4"},
                **{carrier.name: carrier.settings(self.base) for carrier in self.direct},
            },
        }

    async def live(self, web: int) -> None:
        """Deliver to a bot that listens on `web`, until cancelled. Telegram learns its webhook from the bot."""
        for platform in self.platforms[1:]:
            platform.hook = f"http://127.0.0.1:{web}/hooks/{platform.name}"
        async with AsyncExitStack() as stack:
            group = await stack.enter_async_context(asyncio.TaskGroup())
            for platform in self.platforms:
                group.create_task(platform.deliver())


def make_town(clock: Clock, http: httpx.AsyncClient, port: int) -> Town:
    """A town on a loopback port, with fresh secrets."""
    base = f"http://127.0.0.1:{port}"
    shop = make_shop(clock.now())
    token = f"{secrets.randbelow(10**9) + 10**9}:{secrets.token_urlsafe(26)}"
    telegram = TelegramApi(clock, http, token)
    slack = SlackApi(clock, http, f"xoxb-{secrets.token_hex(16)}", secrets.token_hex(16), f"{base}/slack")
    whatsapp = WhatsAppApi(
        clock, http, "106540352242922", secrets.token_hex(24), secrets.token_hex(16), f"{base}/graph"
    )
    carriers = SeventeenTrackApi(clock, http, secrets.token_hex(16).upper(), shop.journeys)
    direct = tuple(api(clock, http, shop.journeys) for api in (UpsApi, FedExApi, DhlApi, SfApi, TntApi))
    shown = next(o for o in shop.orders if o.number == str(SHOWN))
    german = next(o for o in shop.orders if o.country == "DE" and shop.stories[o.number] == "moving")
    telegram.phones["700100200"] = phone_of("700100200", shown.name.split()[0], shown.phone, "en")
    whatsapp.phones["DE.4915112340077"] = Phone(
        "DE.4915112340077", "DE.4915112340077", german.name.split()[0], german.phone, "de"
    )
    slack.phones["D0SAM"] = Phone("D0SAM", "U0SAM", "Sam", "", "en")
    chats = (("/telegram", telegram), ("/slack", slack), ("/graph", whatsapp), ("/17track", carriers))
    parts: list[tuple[str, Any]] = [*chats, *((carrier.path, carrier) for carrier in direct)]
    app = Starlette(
        routes=[Mount(path, routes=platform.routes()) for path, platform in parts],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)],
    )
    return Town(clock, shop, telegram, slack, whatsapp, carriers, direct, app, http, base)
