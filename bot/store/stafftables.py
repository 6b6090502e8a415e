"""The tables of the web desk: who may sign in, who is signed in, what they looked at, and their canned answers.

`*_until` columns are machine time, so that a clock turned forward in the demo signs nobody out. Nothing here
is a buyer's: the audit log names cases and orders by their numbers.
"""

from datetime import datetime

from sqlalchemy import Column, Double, Index, String, Text
from sqlmodel import Field, SQLModel

from bot.store.tables import _id, _machine, _when


class StaffRow(SQLModel, table=True):
    """A member of staff. `key` is the name as it is compared. `invite` is the hash of a one-time link's token."""

    __tablename__ = "staff"
    id: int | None = _id()
    key: str = Field(unique=True)
    name: str
    role: str
    active: bool = True
    email: str = Field(default="", index=True)
    password: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    invite: str = Field(default="", index=True)
    invite_until: float = _machine()
    created_at: datetime = _when(nullable=False)
    seen_at: datetime | None = _when()


class SessionRow(SQLModel, table=True):
    """A signed-in browser: the hash of its cookie, and until when it holds, at rest and at the most."""

    __tablename__ = "staff_session"
    key: str = Field(sa_column=Column(String, primary_key=True))
    staff_id: int = Field(index=True)
    secret: str
    valid_until: float = _machine()
    most_until: float = Field(sa_column=Column(Double, nullable=False))


class FlowRow(SQLModel, table=True):
    """A sign-in that was sent to the OIDC provider and is not back yet; `key` is the hash of its state."""

    __tablename__ = "staff_flow"
    key: str = Field(sa_column=Column(String, primary_key=True))
    browser: str
    nonce: str
    verifier: str
    valid_until: float = _machine()


class AuditRow(SQLModel, table=True):
    """Who looked at or did what; appended to, never changed."""

    __tablename__ = "audit"
    __table_args__ = (Index("audit_case", "case_id"),)
    id: int | None = _id()
    at: datetime = _when(nullable=False, index=True)
    staff: str
    what: str
    case_id: int | None = None
    order_id: int | None = None
    detail: str = ""


class CannedRow(SQLModel, table=True):
    """An answer kept ready: a template over the facts of the case's order."""

    __tablename__ = "canned"
    id: int | None = _id()
    title: str
    locale: str = ""
    body: str = Field(sa_column=Column(Text, nullable=False))
    changed_by: str = ""
    changed_at: datetime = _when(nullable=False)
