"""The same bot in a terminal: what is typed is a buyer's message, what is answered is printed.

Nothing is drawn as a button: choices are a numbered menu, and a typed number or title picks one.
"""

import asyncio
import sys
import threading
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import msgspec
from pydantic import BaseModel, ConfigDict

from bot.model.events import conversation_lane
from bot.model.markup import plain
from bot.model.messages import Address, Inbound, Limits, Outbound
from bot.ports import Channel, Deliver, Item

YOU, BOT = "you> ", "bot> "


class Settings(BaseModel):
    """`chat` names the conversation that is held."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    chat: str = "terminal"


def connect(settings: Settings, http: httpx.AsyncClient) -> "Console":
    return Console(settings)


class Console(Channel):
    """One terminal. `listen` returns when nothing more will be typed, or `end` was called."""

    kind = "console"
    limits = Limits(text=100_000, caption=0, buttons=0, button_title=80, media=False)
    listens = True

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lines: asyncio.Queue[str] = asyncio.Queue()

    async def account(self) -> str:
        return "terminal"

    async def listen(self, deliver: Deliver) -> None:
        loop = asyncio.get_running_loop()

        def read() -> None:
            while line := sys.stdin.readline():
                loop.call_soon_threadsafe(self._lines.put_nowait, line)
            loop.call_soon_threadsafe(self.end)

        # A thread of the loop's own pool would be waited for at the end, until somebody typed one line more.
        threading.Thread(target=read, daemon=True).start()
        _write(YOU)
        while line := await self._lines.get():
            if line.strip():
                await deliver([self._item(line.strip())])
            else:
                _write(YOU)

    def end(self) -> None:
        """Nothing more will be typed."""
        self._lines.put_nowait("")

    @property
    def lane(self) -> str:
        """The conversation's lane."""
        return conversation_lane(Address(self.kind, "terminal", self.settings.chat))

    def _item(self, text: str) -> Item:
        sayable = text.encode(errors="replace").decode()  # bytes of another encoding came as half characters
        body = msgspec.json.encode({"at": datetime.now(UTC).isoformat(), "text": sayable})
        return Item(uuid4().hex, self.lane, body)

    def decode(self, item: Item) -> Inbound:
        told = msgspec.json.decode(item.body)
        sender = Address.parse(item.lane.removeprefix("c/"))
        return Inbound(item.key, datetime.fromisoformat(told["at"]), sender, text=told["text"])

    async def send(self, message: Outbound) -> str:
        lines = plain(message.text).split("\n")
        _write("\r" + BOT + ("\n" + " " * len(BOT)).join(lines) + "\n" + YOU)
        return message.id


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
