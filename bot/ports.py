"""The ports: what the core asks of the outside, in our own values. Adapters stand behind them.

An adapter module `adapters.<kind>.<name>` has `class Settings(pydantic.BaseModel)` with a `base_url`, and
`connect(settings, http) -> Port`. It translates and does nothing else: no retry, no state, no rule.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct, field
from pydantic import BaseModel, ConfigDict, Field

from bot.model.events import Event
from bot.model.messages import Limits, Media, Outbound
from bot.model.templates import Body, ListedTemplate
from bot.model.tracks import Track, TrackRef


class Request(Struct, frozen=True):
    """An HTTP request as it came. Header names are lower case; `body` is the raw bytes that were signed.

    `path` and `raw_query` are as they were sent, percent-encoding and all: a signature may cover them.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    raw_query: str = ""


class Item(Struct, frozen=True):
    """One event still in the platform's own words, ready to be stored.

    `key` is unique per port and the same on every repeat. `lane` is fixed here and for good. `chats` are
    the other names under which the platform may know the same person (their conversation is found by any
    of them). `quiet` is how many seconds the lane waits for more of the same (an album), 0 for none.
    """

    key: str
    lane: str
    body: bytes
    chats: tuple[str, ...] = ()
    quiet: float = 0.0


class Alarm(Struct, frozen=True):
    """Something that the platform tells of our account and somebody should look at.

    `what` is one of a few words, for a metric; `about` says more, for the log, and nothing of a person.
    """

    what: str
    about: str


class Answer(Struct, frozen=True):
    """What to tell the caller of a webhook once `items` are safely stored.

    `link` is a token: each channel's link that brings it along is added to the JSON of `body`, with its QR code.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    items: tuple[Item, ...] = ()
    link: str = ""
    alarms: tuple[Alarm, ...] = ()


class Rate(BaseModel):
    """How fast an account may be used: calls a second in all and to one recipient, with a burst to one.

    0 means no limit of ours; the platform's own still holds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    per_second: float = Field(ge=0)
    per_recipient: float = Field(default=0, ge=0)
    burst: int = Field(default=1, ge=1)


Deliver = Callable[[Sequence[Item]], Awaitable[None]]
"""Stores items durably; returns after the commit, raises where nothing was stored."""


class Port(ABC):
    """One account of one platform, carrier or shop."""

    listens = False
    """Whether `listen` must run (long polling, a socket); one process does, under a lease."""

    async def listen(self, deliver: Deliver) -> None:
        """Fetch events until cancelled; acknowledge to the platform only what `deliver` has stored."""

    async def webhook(self, request: Request) -> Answer:
        """Verify, then split into items. No decoding, no side effect. A wrong signature is 401."""
        return Answer(404)

    @abstractmethod
    def decode(self, item: Item) -> Event | None:
        """The event in our words; None for what concerns nobody. Pure; raises ValueError on nonsense."""

    async def check(self) -> str:
        """Try the credentials by a real call and return one line for `wismo doctor`, or raise."""
        return "nothing to check"

    async def close(self) -> None:
        """Let go of connections."""


class Desk(ABC):
    """Where staff see cases and answer: one thread a case in a channel of their own platform.

    `place` is the platform's id of that channel, `thread` of the case's root message in it. Buttons come as choices
    whose values are `<act>:<case>:<holder's version or what it is about>`. Raises the errors of `bot.errors`.
    """

    rate: Rate | None = None
    """How fast a desk's channels may be written to, where that is not as fast as the account's chats."""

    @abstractmethod
    async def open(self, place: str, card: Outbound) -> str:
        """Show a new case; the id of its thread. `card.id` finds it again."""

    @abstractmethod
    async def show(self, place: str, thread: str, card: Outbound) -> None:
        """Bring a case's card up to date; raises `Refused` where it is gone, so that it is opened anew."""

    @abstractmethod
    async def post(self, place: str, thread: str, note: Outbound, mention: Sequence[str] = ()) -> str:
        """Add a line to a case's thread, with files and buttons; the line's id. `mention` are names of staff."""

    @abstractmethod
    async def mark(self, place: str, message: str, state: str) -> None:
        """Show how far a staff message got, on that message: sent, delivered, read or failed."""

    @abstractmethod
    async def tell(self, place: str, thread: str, who: str, note: Outbound) -> None:
        """Say something that one person alone reads; `who` is the platform's id of them."""

    async def find(self, place: str, thread: str, post: str) -> str | None:
        """After an unknown outcome: the platform's id of our post, None where that cannot be told."""
        return None


class TemplateRegistry(ABC):
    """Where a platform keeps the templates that it approves. Raises the errors of `bot.errors`."""

    @abstractmethod
    async def listed(self) -> Sequence[ListedTemplate]:
        """All that it has, ours and others."""

    @abstractmethod
    async def submit(self, body: Body) -> str:
        """Hand one in for approval; its status then, in the platform's word."""


class Posting(Struct, frozen=True):
    """What a desk on one platform works with: the key under which it stands in the config, its channels by queue, and
    names of staff by the platform's id. `every_queue` are all that a case can be moved to, shown here or not."""

    name: str
    queues: Mapping[str, str]
    staff: Mapping[str, str]
    every_queue: Sequence[str] = ()


class Channel(Port):
    """A chat platform that buyers write on."""

    kind: str
    limits: Limits
    receipts = False
    """Whether a receipt with our own id tells later what became of a message whose outcome is unknown."""

    @abstractmethod
    async def account(self) -> str:
        """The platform's own id of this account; asked of the platform where settings do not tell it."""

    @abstractmethod
    async def send(self, message: Outbound) -> str:
        """One platform call; the platform's id of the message. Raises the errors of `bot.errors`."""

    async def find(self, message: Outbound) -> str | None:
        """After an unknown outcome: the platform's id if it got the message, None if that cannot be told."""
        return None

    def desk(self, posting: Posting) -> Desk | None:
        """This account as a desk too; None where the platform is none. Called once, before anything else."""
        return None

    def registry(self) -> TemplateRegistry | None:
        """Where this account's approved templates are kept; None where it needs none, or settings do not tell."""
        return None

    def fetch(self, media: Media) -> AsyncIterator[bytes]:
        """The content of an incoming file, in chunks."""
        raise NotImplementedError

    async def register(self, url: str) -> str:
        """Point the platform's webhook at `url` where its API allows; one line of what was done."""
        return f"set the webhook to {url} in the platform's console"

    async def registered(self) -> str | None:
        """Where the platform sends its events now, empty for nowhere; None where it does not say."""
        return None

    def chat_of(self, phone: str) -> str:
        """The chat in which whoever has this number (E.164) can be written to first, or empty."""
        return ""

    async def deep_link(self, token: str) -> str | None:
        """A link that opens this account's chat and brings `token` along; None where the platform has none."""
        return None


class Capabilities(Struct, frozen=True):
    """What a tracking source can do; `per_second` and `per_day` are its documented budget.

    `carriers` are whose parcels it knows, empty for an aggregator that knows everybody's. A `batch` of 0 is a
    source that cannot be asked: it only tells.
    """

    carriers: frozenset[str] = frozenset()
    push: bool = False
    batch: int = 1
    needs_phone: bool = False
    needs_postcode: bool = False
    history_days: int | None = None
    per_second: float = 1.0
    per_day: int | None = None


class TrackingSource(Port):
    """A carrier or an aggregator that knows where parcels are."""

    kind: str
    capabilities: Capabilities

    @abstractmethod
    async def track(self, refs: Sequence[TrackRef]) -> Sequence[Track | None]:
        """One answer a ref, in order, None where the source knows nothing yet. At most `capabilities.batch`."""

    async def refresh(self, refs: Sequence[TrackRef]) -> Sequence[Track | None]:
        """As `track`, and have an aggregator ask the carrier now, which may cost."""
        return await self.track(refs)

    async def stop(self, refs: Sequence[TrackRef]) -> None:
        """Nobody needs to hear of these any more."""

    async def resume(self, refs: Sequence[TrackRef]) -> Sequence[TrackRef]:
        """Hear again of numbers that the source has stopped; those of which it will."""
        return refs

    async def missed(self, since: datetime) -> Sequence[TrackRef]:
        """Numbers of which the source had news since then and could not push them."""
        return ()
