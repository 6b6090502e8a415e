"""What the emulated platforms share: rules as data, a phone's chat, faults to switch on, and delivery to the bot.

An emulator knows only the platform's documented wire. It refuses what the documents do not allow, since a
sandbox that takes anything proves nothing.
"""

import asyncio
import csv
import random
import time
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Any

import httpx
from msgspec import Struct, field
from msgspec.structs import replace
from starlette.requests import Request

from bot.model.clock import Clock
from bot.model.markup import Run

TRIES = 12
"""So often an unacknowledged event is delivered again before the platform gives up."""


class Rule(Struct, frozen=True):
    """One field that a method or an object takes. `most` is a length in characters or items, 0 for none.

    `kind` may say more behind a colon: the values of a `one`, the range of an `int`, the objects (rows of the same
    table, one of several) that an `object`, each of a `list` or each in the lists of `rows` has to be.
    """

    kind: str
    required: bool
    most: int


class Rules:
    """The fields of a platform's methods, from a table that names the vendor's page."""

    _KINDS: Mapping[str, tuple[type, ...]] = {
        "str": (str,),
        "int": (int,),
        "bool": (bool,),
        "object": (dict,),
        "list": (list,),
        "rows": (list,),
        "id": (str, int),
        "one": (str,),
    }

    def __init__(self, name: str) -> None:
        text = files("bot.sandbox.rules").joinpath(f"{name}.csv").read_text(encoding="utf-8")
        self.methods: dict[str, dict[str, Rule]] = {}
        for row in csv.DictReader(text.splitlines()):
            fields = self.methods.setdefault(row["method"], {})
            if row["field"]:
                fields[row["field"]] = Rule(row["kind"], row["required"] == "yes", int(row["most"] or 0))

    def fault(self, method: str, fields: Mapping[str, Any]) -> str:
        """What is wrong with a call, or empty."""
        known = self.methods.get(method)
        if known is None:
            return f"there is no method {method}"
        for name, rule in known.items():
            if rule.required and fields.get(name) in (None, ""):
                return f"{name} is required"
        for name, value in fields.items():
            if name not in known:
                return f"{name} is no field of {method}"
            if fault := self._misfit(name, value, known[name]):
                return fault
        return ""

    def _misfit(self, name: str, value: Any, rule: Rule) -> str:
        kind, _, more = rule.kind.partition(":")
        kinds = self._KINDS[kind]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            return f"{name} must be {kind}"
        if rule.most and isinstance(value, str | list) and len(value) > rule.most:
            return f"{name} is longer than {rule.most}"
        return self._inside(name, value, kind, more) if more else ""

    def _inside(self, name: str, value: Any, kind: str, more: str) -> str:
        if kind == "one":
            return "" if value in more.split("|") else f"{name} must be one of {more}"
        if kind == "int":
            least, most = map(int, more.split("-"))
            return "" if least <= value <= most else f"{name} must be {more}"
        lists = value if kind == "rows" else [value if kind == "list" else [value]]
        parts = [part for row in lists for part in (row if isinstance(row, list) else [row])]
        return next((f"{name}: {fault}" for part in parts if (fault := self._none_of(more, part))), "")

    def _none_of(self, objects: str, value: Any) -> str:
        """What is wrong with a value that must be one of these objects: with the last, where none fits."""
        fault = ""
        for known in objects.split("|"):
            fault = self.fault(known, value) if isinstance(value, dict) else f"must be {known}"
            if not fault:
                break
        return fault


async def sent_object(request: Request) -> dict[str, Any]:
    """The JSON object of a call's body; what is none is a call without any field."""
    try:
        told = await request.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


class Press(Struct, frozen=True):
    """A button on a phone; `value` is what the platform sends back for it."""

    title: str
    value: str


class Line(Struct):
    """A message as it stands in a phone's chat. `mine` is the phone owner's own."""

    id: str
    mine: bool
    runs: tuple[Run, ...]
    at: datetime
    buttons: tuple[Press, ...] = ()
    menu: str = ""
    share: str = ""
    picture: str = ""


class Phone(Struct):
    """A person with this platform on their phone."""

    chat: str
    user: str
    name: str
    number: str
    locale: str
    lines: list[Line] = field(default_factory=list)
    last_said: datetime | None = None
    changed: int = 0

    def add(self, line: Line) -> Line:
        """Show one more message."""
        self.lines.append(line)
        self.changed += 1
        return line

    def theirs(self, number: str) -> Line | None:
        """A message of the other side that is still there."""
        return next((line for line in self.lines if line.id == number and not line.mine), None)

    def amend(self, line: Line, shown: tuple[Run, ...] | None) -> None:
        """Show other words instead, or, with None, nothing any more."""
        place = self.lines.index(line)
        self.lines[place : place + 1] = [replace(line, runs=shown)] if shown is not None else []
        self.changed += 1


class Faults(Struct):
    """What goes wrong on purpose, and how often it did, by its name."""

    too_many: bool = False
    duplicate: bool = False
    shuffle: bool = False
    closed: bool = False
    down: bool = False
    met: dict[str, int] = {}

    def strike(self, name: str) -> bool:
        """Whether this goes wrong now; who looks on sees that it did."""
        on: bool = getattr(self, name)
        if on:
            self.met[name] = self.met.get(name, 0) + 1
        return on


class Bucket:
    """A documented rate: so many a second in all, one a `pace` seconds to a chat with a short burst."""

    def __init__(self, per_second: float, pace: float, burst: int) -> None:
        self._per_second, self._pace, self._burst = per_second, pace, burst
        self._all: deque[float] = deque()
        self._chats: dict[str, deque[float]] = defaultdict(deque)

    def wait(self, chat: str) -> float:
        """Seconds to wait before this chat may be written to, 0 for now; a call that may go is counted."""
        now = time.monotonic()
        _forget(self._all, now - 1.0)
        chats = self._chats[chat]
        _forget(chats, now - self._pace * self._burst)
        if len(self._all) >= self._per_second:
            return 1.0
        if len(chats) >= self._burst:
            return max(1.0, chats[0] + self._pace * self._burst - now)
        self._all.append(now)
        chats.append(now)
        return 0.0


def _forget(times: deque[float], before: float) -> None:
    while times and times[0] < before:
        times.popleft()


class Event(Struct, frozen=True):
    """One call of the bot's webhook, ready to be signed."""

    body: bytes
    content_type: str = "application/json"


class Platform:
    """The base of an emulator: its phones, its faults, and the events on their way to the bot."""

    name = ""
    tries = TRIES

    def __init__(self, clock: Clock, http: httpx.AsyncClient) -> None:
        self.clock = clock
        self.http = http
        self.faults = Faults()
        self.phones: dict[str, Phone] = {}
        self.hook = ""
        self.undelivered = 0
        self._queue: asyncio.Queue[Event] = asyncio.Queue()
        self._serial = random.SystemRandom().randrange(10**8, 10**9)

    def serial(self) -> int:
        """A number that grows."""
        self._serial += 1
        return self._serial

    def send(self, event: Event) -> None:
        """Have an event delivered."""
        self.undelivered += 1
        self._queue.put_nowait(event)

    async def deliver(self) -> None:
        """Deliver events until cancelled: in order, again while not acknowledged; twice or shuffled on purpose."""
        while True:
            events = [await self._queue.get()]
            if self.faults.shuffle:
                await asyncio.sleep(1.0)
                while not self._queue.empty():
                    events.append(self._queue.get_nowait())
                if len(events) > 1 and self.faults.strike("shuffle"):
                    events.reverse()
            for event in events:
                for _ in range(2 if self.faults.strike("duplicate") else 1):
                    await self._deliver(event)
                self.undelivered -= 1

    async def _deliver(self, event: Event) -> None:
        for attempt in range(self.tries):
            if await self.handed(event, attempt):
                return
            await asyncio.sleep(min(0.2 * 2**attempt, 30.0))
        self.given_up(event)

    async def handed(self, event: Event, attempt: int) -> bool:
        """Whether the bot took this, at the first attempt (0) or a later one."""
        try:
            answer = await self.http.post(self.hook, content=event.body, headers=self.headers(event))
        except httpx.HTTPError:
            return False
        if answer.is_success:
            self.acknowledged(answer)
        return answer.is_success

    def headers(self, event: Event) -> dict[str, str]:
        """The signed headers of a delivery."""
        raise NotImplementedError

    def acknowledged(self, answer: httpx.Response) -> None:
        """What the bot's answer to a delivery may ask for."""

    def given_up(self, event: Event) -> None:
        """Nobody took this in all the tries."""


def first_fault(checks: Sequence[str]) -> str:
    """The first of several findings that is one."""
    return next((c for c in checks if c), "")
