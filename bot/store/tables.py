"""The tables. Domain tables are the queue: inbox, lane and outbox stand beside orders and conversations.

Times: `Instant` columns are business time in UTC; columns named `*_until`, `not_before` and `since` are machine
time, seconds since 1970 by the database's own clock. Every personal column belongs to a buyer, by its own
`buyer_id` or by the lane of a conversation, so that `Store.erase` finds it.
"""

from datetime import UTC, date, datetime
from enum import IntEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Double,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel


class Instant(TypeDecorator[datetime]):
    """A UTC instant: aware in Python, in both databases stored as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times: nobody can tell when they were."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a naive time cannot be stored")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """SQLite forgets the zone it was given."""
        at: datetime | None = value
        return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at

    def bind_processor(self, dialect: Dialect) -> Any:
        """On SQLite straight to its text: a message binds and reads ten instants, at 3 us by the general way."""
        return _to_text if dialect.name == "sqlite" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """On SQLite straight from its text."""
        return _from_text if dialect.name == "sqlite" else super().result_processor(dialect, coltype)


def _to_text(value: datetime | None) -> str | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError("a naive time cannot be stored")
    return _utc_text(value if value.tzinfo is UTC else value.astimezone(UTC))


@lru_cache(maxsize=256)
def _utc_text(at: datetime) -> str:
    """As SQLAlchemy writes it, without an offset. A batch binds the instant at which it is written to every row."""
    return at.isoformat(" ", "microseconds")[:26]


def _from_text(value: str | None) -> datetime | None:
    # Read with its offset it is aware at once: a tenth of what `replace` costs.
    return None if value is None else datetime.fromisoformat(value + "+00:00")


def core(kind: Any) -> Table:
    """The Core table of a model: the hot path builds its statements once, without objects."""
    table: Table = kind.__table__
    return table


class InboxState(IntEnum):
    """Of an event. `LATER` waits for its due time; `DEAD` is kept with its error."""

    READY = 0
    LATER = 1
    DONE = 2
    DEAD = 3


class OutboxState(IntEnum):
    """Of a message. `READY` and `SENDING` are open: no younger one of the same chat may pass them."""

    READY = 0
    SENDING = 1
    SENT = 2
    WITHDRAWN = 3
    DEAD = 4
    UNKNOWN = 5
    EXPIRED = 6


def _id() -> Any:
    # SQLite's rowid alias must be spelled INTEGER.
    kind = BigInteger().with_variant(Integer, "sqlite")
    return Field(default=None, sa_column=Column(kind, primary_key=True, autoincrement=True))


def _when(*, index: bool = False, nullable: bool = True) -> Any:
    return Field(default=None, sa_column=Column(Instant, nullable=nullable, index=index))


def _machine() -> Any:
    return Field(default=0.0, sa_column=Column(Double, nullable=False, server_default="0"))


def _json() -> Any:
    return Field(default=b"", sa_column=Column(LargeBinary, nullable=False, server_default=text("''")))


class Inbox(SQLModel, table=True):
    """An event as it came; unique on (port, key), so a repeat becomes nothing."""

    __table_args__ = (
        UniqueConstraint("port", "key"),
        Index("inbox_waiting", "lane", "id", sqlite_where=text("state = 0"), postgresql_where=text("state = 0")),
        Index("inbox_later", "due_at", sqlite_where=text("state = 1"), postgresql_where=text("state = 1")),
        Index("inbox_dead", "id", sqlite_where=text("state = 3"), postgresql_where=text("state = 3")),
    )
    id: int | None = _id()
    port: str
    key: str
    lane: str
    body: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    state: int = Field(default=0)
    due_at: datetime | None = _when()
    received_at: datetime = _when(nullable=False, index=True)
    attempts: int = Field(default=0)
    error: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))


class Lane(SQLModel, table=True):
    """What gives order: a lane is leased as a whole. `since` is when its oldest waiting event came, and ten minutes
    later where nobody waits for that one."""

    __table_args__ = (Index("lane_ready", "since", sqlite_where=text("ready > 0"), postgresql_where=text("ready > 0")),)
    key: str = Field(sa_column=Column(String, primary_key=True))
    ready: int = Field(default=0)
    since: float = _machine()
    not_before: float = _machine()
    lease_until: float = _machine()
    owner: str = Field(default="")
    attempts: int = Field(default=0)


class Outbox(SQLModel, table=True):
    """A message to one address; unique on (lane, key): a thing is said once. `body` is the Outbound."""

    __table_args__ = (
        UniqueConstraint("lane", "key"),
        Index("outbox_open", "lane", "id", sqlite_where=text("state <= 1"), postgresql_where=text("state <= 1")),
        Index(
            "outbox_due",
            "channel",
            "account",
            "id",
            sqlite_where=text("state <= 1"),
            postgresql_where=text("state <= 1"),
        ),
        Index("outbox_platform", "channel", "account", "platform_id"),
    )
    id: int | None = _id()
    lane: str
    key: str
    channel: str
    account: str
    chat: str
    purpose: str
    template: str = ""
    body: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    holder_version: int = 0
    state: int = 0
    not_before: float = _machine()
    lease_until: float = _machine()
    owner: str = ""
    attempts: int = 0
    platform_id: str = ""
    receipt: str = ""
    error: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    pricing: bytes = _json()
    created_at: datetime = _when(nullable=False, index=True)
    expires_at: datetime | None = _when()
    sent_at: datetime | None = _when()


class Conversation(SQLModel, table=True):
    """A chat. `state` is the rest of the conversation's value, as JSON."""

    lane: str = Field(sa_column=Column(String, primary_key=True))
    channel: str
    account: str
    chat: str
    buyer_id: int | None = Field(default=None, index=True)
    holder: str = "bot"
    version: int = 0
    case_id: int | None = None
    state: bytes = _json()
    last_inbound_at: datetime | None = _when()


class Alias(SQLModel, table=True):
    """Another name under which a platform knows the same person."""

    channel: str = Field(primary_key=True)
    account: str = Field(primary_key=True)
    chat: str = Field(primary_key=True)
    lane: str = Field(index=True)


class Buyer(SQLModel, table=True):
    """A person who bought; `key` is a hash of what the shop tells them apart by. `pushes` counts what left unasked:
    whoever lets more leave must have seen this many, so that two chats cannot both pass."""

    __table_args__ = (UniqueConstraint("shop", "key"),)
    id: int | None = _id()
    shop: str
    key: str
    erased_at: datetime | None = _when()
    pushes: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))


class Order(SQLModel, table=True):
    """An order; `detail` holds what is not personal and not searched, as JSON."""

    __tablename__ = "orders"
    __table_args__ = (UniqueConstraint("shop", "source", "number_key"),)
    id: int | None = _id()
    shop: str
    source: str
    number: str
    number_key: str = Field(index=True)
    buyer_id: int | None = Field(default=None, index=True)
    updated_at: datetime = _when(nullable=False)
    placed_at: datetime | None = _when()
    country: str = ""
    name: str = ""
    email: str = ""
    phone: str = ""
    phone_e164: str = Field(default="", index=True)
    address: str = ""
    postcode: str = ""
    city: str = ""
    detail: bytes = _json()


class Parcel(SQLModel, table=True):
    """A parcel of an order; `track` is its merged timeline, as JSON."""

    __table_args__ = (UniqueConstraint("number", "order_id"),)
    id: int | None = _id()
    order_id: int = Field(index=True)
    carrier: str = ""
    number: str
    status: str = "unknown"
    cause: str = ""
    items: bytes = _json()
    track: bytes = _json()
    shipped_at: datetime | None = _when()
    changed_at: datetime | None = _when()


class Look(SQLModel, table=True):
    """When a parcel is next asked about (`due_at`, None for never again), was last asked about and last answered for.

    Apart from the parcel, whose row is wide: a sweep that hears nothing new reads and writes here alone, so what it
    needs of the parcel stands here too, written with it. At a million parcels their own rows are gigabytes, which
    no page cache holds. `heard` is a fingerprint of what a source last said.
    """

    __table_args__ = (
        Index(
            "look_due",
            "shop",
            "carrier",
            "due_at",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
    )
    parcel_id: int = Field(
        sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False)
    )
    shop: str = ""
    carrier: str = ""
    due_at: datetime | None = _when()
    asked_at: datetime | None = _when()
    checked_at: datetime | None = _when()
    heard: str = ""
    order_id: int = 0
    number: str = ""
    status: str = Field(default="unknown")
    cause: str = ""
    shipped_at: datetime | None = _when()
    changed_at: datetime | None = _when()


class ConsentRow(SQLModel, table=True):
    """The ledger: appended to, never changed; the newest row of (buyer or lane, purpose) holds."""

    __tablename__ = "consent"
    id: int | None = _id()
    buyer_id: int | None = Field(default=None, index=True)
    lane: str = Field(default="", index=True)
    purpose: str
    source: str
    given: bool
    at: datetime = _when(nullable=False)


class LinkRow(SQLModel, table=True):
    """A deep link's token, hashed."""

    __tablename__ = "link"
    hash: str = Field(sa_column=Column(String, primary_key=True))
    order_id: int = Field(index=True)
    created_at: datetime = _when(nullable=False)
    revoked: bool = False
    first_chat: str = ""


class Guess(SQLModel, table=True):
    """A wrong proof (`subject` a hash of the order text) or an unproved look-up (of the tracking number)."""

    __table_args__ = (Index("guess_subject", "kind", "subject", "at"), Index("guess_lane", "kind", "lane", "at"))
    id: int | None = _id()
    kind: str
    lane: str
    subject: str
    at: datetime = _when(nullable=False, index=True)


class DecisionRow(SQLModel, table=True):
    """Why something was said or not: rules and inputs, without personal data. `about` is the order or parcel that it
    concerns, as `o/<id>` or `p/<id>`."""

    __tablename__ = "decision"
    id: int | None = _id()
    lane: str = Field(index=True)
    about: str = Field(default="", sa_column=Column(String, nullable=False, server_default="", index=True))
    turn: str
    at: datetime = _when(nullable=False, index=True)
    reasons: bytes = _json()


class MediaRow(SQLModel, table=True):
    """A stored file and the chat it came from; the content lies under the data folder by its digest."""

    __tablename__ = "media"
    id: int | None = _id()
    lane: str = Field(index=True)
    digest: str = Field(index=True)
    mime: str
    name: str = ""
    size: int = 0
    at: datetime = _when(nullable=False)


class Bucket(SQLModel, table=True):
    """A rate shared by all processes: the machine time at which the next send would be on schedule."""

    key: str = Field(sa_column=Column(String, primary_key=True))
    free_at: float = _machine()


class Lease(SQLModel, table=True):
    """Who alone may do a named thing (poll an account) until when."""

    name: str = Field(sa_column=Column(String, primary_key=True))
    owner: str = ""
    lease_until: float = _machine()


class ForecastRow(SQLModel, table=True):
    """What was learned of how long parcels take, as known before the shop's business day `day`: one row."""

    __tablename__ = "forecast"
    id: int = Field(primary_key=True)
    day: date
    tables: bytes = _json()


class Feed(SQLModel, table=True):
    """Whether a tracking source answers; `down_since` is None while it does."""

    source: str = Field(sa_column=Column(String, primary_key=True))
    failures: int = 0
    down_since: datetime | None = _when()
    last_ok_at: datetime | None = _when()
