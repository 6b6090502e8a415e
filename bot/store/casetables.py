"""The tables of cases: what a person has to do, what happened to it, and where desks show it."""

from datetime import datetime

from sqlalchemy import Column, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from bot.store.tables import _id, _json, _machine, _when


class CaseRow(SQLModel, table=True):
    """A case for a person. `detail` is the whole value as JSON; the columns beside it are what lists ask for.

    `touched` is the machine time at which something of it last changed that staff see.
    """

    __tablename__ = "cases"
    __table_args__ = (
        Index("case_touched", "touched"),
        Index(
            "case_open",
            "queue",
            "priority",
            "id",
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
    )
    id: int | None = _id()
    lane: str = Field(index=True)
    kind: str
    summary: str = Field(default="", sa_column=Column(Text, nullable=False))
    order_id: int | None = Field(default=None, index=True)
    owner: str = ""
    shop: str = ""
    locale: str = ""
    queue: str = "default"
    priority: int = 3
    state: str = "open"
    version: int = 0
    opened_at: datetime = _when(nullable=False)
    closed_at: datetime | None = _when()
    changed_at: datetime | None = _when(index=True)
    answer_due: datetime | None = _when()
    next_due: datetime | None = _when()
    resolve_due: datetime | None = _when()
    answered_at: datetime | None = _when()
    acknowledged_at: datetime | None = _when()
    snoozed_until: datetime | None = _when()
    detail: bytes = _json()
    touched: float = _machine()


class CaseEventRow(SQLModel, table=True):
    """A line of a case's history; appended to, never changed. Unique on (case, key) where it has a key."""

    __tablename__ = "case_event"
    __table_args__ = (UniqueConstraint("case_id", "key"),)
    id: int | None = _id()
    case_id: int = Field(index=True)
    lane: str = Field(index=True)
    at: datetime = _when(nullable=False)
    who: str
    what: str
    text: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    key: str | None = None
    data: bytes = _json()


class CaseThread(SQLModel, table=True):
    """Where a desk shows a case: `chat` is the platform's channel, `thread` its id of the case's root message."""

    __tablename__ = "case_thread"
    channel: str = Field(primary_key=True)
    account: str = Field(primary_key=True)
    chat: str = Field(primary_key=True)
    thread: str = Field(primary_key=True)
    case_id: int = Field(index=True)
    lane: str = Field(index=True)
