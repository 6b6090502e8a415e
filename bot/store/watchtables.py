"""The tables of what is told unasked: watched orders, parcels at a glance, who follows, what left, campaigns."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index, Integer, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from bot.store.tables import _id, _json, _machine, _when

_CAMPAIGNS = "substr(key, 1, 9) = 'campaign:'"


class Watch(SQLModel, table=True):
    """An order that the announcer looks at when it is due (None: never again), and what was told of it.

    `glance` is a `Watched`, `told` a `Told`, `footing` of each parcel a `Footing`, all as JSON; empty where the next
    look has to see the order. News take the lease from `owner`, so that a look which began before them does not put
    off the next. Narrow, because a look that finds nothing touches this row alone.
    """

    __table_args__ = (
        Index(
            "watch_due", "due_at", sqlite_where=text("due_at IS NOT NULL"), postgresql_where=text("due_at IS NOT NULL")
        ),
    )
    order_id: int = Field(
        sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False)
    )
    due_at: datetime | None = _when()
    lease_until: float = _machine()
    owner: str = ""
    glance: bytes = _json()
    told: bytes = _json()
    footing: bytes = _json()


class SightRow(SQLModel, table=True):
    """A parcel at a glance (a `Sight` as JSON), for the announcer."""

    __tablename__ = "sight"
    parcel_id: int = Field(
        sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False)
    )
    order_id: int = Field(index=True)
    glance: bytes = _json()


class Follow(SQLModel, table=True):
    """A chat that asked to be told of an order after it had proved it."""

    order_id: int = Field(primary_key=True)
    lane: str = Field(primary_key=True, index=True)


class Proved(SQLModel, table=True):
    """A chat that proved an order, as its conversation says; by which the desk finds the chats of an order."""

    order_id: int = Field(
        sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False)
    )
    lane: str = Field(primary_key=True, index=True)


class PushRow(SQLModel, table=True):
    """What left for a buyer unasked, once under its key; caps are counted here. A campaign's share one key, by which
    they are counted: they alone stand in the index of keys. From `expires_at` on it is no news, also where it is made
    again; None on rows of before migration 0011."""

    __tablename__ = "push"
    __table_args__ = (
        UniqueConstraint("buyer_id", "key"),
        Index("push_campaign", "key", sqlite_where=text(_CAMPAIGNS), postgresql_where=text(_CAMPAIGNS)),
    )
    id: int | None = _id()
    buyer_id: int
    key: str
    template: str
    urgent: bool
    order_id: int = Field(index=True)
    parcel_id: int | None = None
    lane: str = Field(index=True)
    message: str = ""
    at: datetime = _when(nullable=False)
    expires_at: datetime | None = _when()


class CampaignRow(SQLModel, table=True):
    """A seller's campaign: `plan` is a `Plan` as JSON; `cursor` the last order that was looked at."""

    __tablename__ = "campaign"
    id: int | None = _id()
    name: str = Field(unique=True)
    state: str = "planned"
    plan: bytes = _json()
    cursor: int = 0
    reached: int = 0
    note: str = ""
    due_at: datetime | None = _when()
    created_at: datetime = _when(nullable=False)
    ended_at: datetime | None = _when()
