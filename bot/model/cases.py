"""A case: something a person must do. First form; the takeover issue builds the desks on it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class CaseDraft:
    """What a turn asks staff to do. `kind` is the intent or rule that opened it; `summary` is for staff."""

    kind: str
    summary: str
    order: int | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A case as staff see it. `owner` is a staff name or empty; times are UTC."""

    id: int
    conversation: str
    kind: str
    summary: str
    order: int | None
    owner: str
    opened_at: datetime
    closed_at: datetime | None = None
