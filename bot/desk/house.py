"""What the desk works with; made once by `app`."""

from collections.abc import Callable, Mapping
from datetime import datetime
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import httpx
from msgspec import Struct

from bot.dialog.turn import Desk, Shop
from bot.handoff.rota import DEFAULT
from bot.model.clock import Clock
from bot.model.events import Event
from bot.model.hours import Hours
from bot.model.messages import Limits
from bot.ports import Item
from bot.render import Pages, Renderer
from bot.store import Store
from bot.store.desk import DeskBook
from bot.store.staff import StaffBook
from bot.store.vault import Vault

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Provider(Struct, frozen=True):
    """An OIDC provider; `claim` is what a member of staff is known by there, which must equal their e-mail."""

    issuer: str
    client_id: str
    client_secret: str
    claim: str = "email"
    title: str = "single sign-on"


class Settings(Struct, frozen=True):
    """How the desk is reached. Without `url` it is reached on this machine alone, over plain HTTP.

    `undo_seconds` is how long a reply waits before it leaves, so that its writer can take it back.
    """

    url: str = ""
    provider: Provider | None = None
    most_bytes: int = 20 * 1024 * 1024
    undo_seconds: float = 10.0

    @property
    def secure(self) -> bool:
        """Whether browsers come over TLS."""
        return self.url.startswith("https://")

    @property
    def cookie(self) -> str:
        """The session cookie's name; `__Host-` makes browsers refuse one that another host or path set."""
        return "__Host-wismo" if self.secure else "wismo"

    def origin(self, host: str) -> str:
        """The origin that pages at this Host have, empty where we are not reached under it."""
        if self.url:
            at = urlsplit(self.url)
            return f"{at.scheme}://{at.netloc}" if host.lower() == at.netloc.lower() else ""
        return f"http://{host}" if host.rsplit(":", 1)[0] in LOOPBACK or host in LOOPBACK else ""


class DeskHouse(Struct, frozen=True):
    """The desk's own ways to the rest of the bot. `limits` are by the channel's kind; `decode` reads what a port
    stored, for the transcript; `opening` tells when people are there, for what the bot would say; `queues` are all
    that a case can be in."""

    store: Store
    staff: StaffBook
    reading: DeskBook
    clock: Clock
    shop: Shop
    opening: Callable[[datetime], Desk]
    zone: ZoneInfo
    locale: str
    hours: Hours
    renderer: Renderer
    pages: Pages
    vault: Vault
    limits: Mapping[str, Limits]
    decode: Callable[[str, Item], Event | None]
    http: httpx.AsyncClient
    settings: Settings
    queues: tuple[str, ...] = (DEFAULT,)

    def now(self) -> datetime:
        """Business time."""
        return self.clock.now()
