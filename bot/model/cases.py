"""A case: something a person must do, in a queue until it is theirs, with its clocks and its history."""

from datetime import datetime
from enum import IntEnum, StrEnum

from msgspec import Struct


class CaseState(StrEnum):
    """`OPEN` asks something of staff, `WAITING` of the buyer or a carrier; `SNOOZED` until a time or a message."""

    OPEN = "open"
    WAITING = "waiting"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"


class Priority(IntEnum):
    """What comes first; the lower the sooner."""

    URGENT = 1
    HIGH = 2
    NORMAL = 3


class CaseDraft(Struct, frozen=True):
    """What a turn asks staff to do. `kind` is the intent or rule that opened it; `summary` is for staff."""

    kind: str
    summary: str
    order: int | None = None


class Case(Struct, frozen=True):
    """A case as staff see it; `id` is 0 until it is stored. Times are UTC, in business time.

    `owner` is a staff name or empty; `queue` is never empty. `answer_due`, `next_due` and `resolve_due` are the
    promises to the buyer in business hours: the first answer, the next one (None while no answer is owed), the
    end. `promised_by` is the time the buyer was last told. `queued_at` is since when it waits for somebody to
    acknowledge it, `step` how many rungs of the ladder were climbed since, `paged` who was called. `active_at` is
    when buyer or staff last wrote while a person speaks, `look_at` when it looks at itself next, `late` which
    promises were already reported as broken, `bridged` replies (act, text) that wait for the buyer to open the
    channel's window again. `version` grows with every change.
    """

    id: int
    conversation: str
    kind: str
    summary: str
    order: int | None
    owner: str
    opened_at: datetime
    closed_at: datetime | None = None
    shop: str = ""
    locale: str = ""
    queue: str = "default"
    priority: Priority = Priority.NORMAL
    state: CaseState = CaseState.OPEN
    tags: tuple[str, ...] = ()
    version: int = 0
    answer_due: datetime | None = None
    next_due: datetime | None = None
    resolve_due: datetime | None = None
    promised_by: datetime | None = None
    answered_at: datetime | None = None
    acknowledged_at: datetime | None = None
    snoozed_until: datetime | None = None
    queued_at: datetime | None = None
    active_at: datetime | None = None
    look_at: datetime | None = None
    step: int = 0
    paged: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    bridged: tuple[tuple[str, str], ...] = ()


class CaseEvent(Struct, frozen=True):
    """One line of a case's history, which is only ever added to. `who` is a staff name, `buyer` or `bot`.

    `what` is opened, again, took, acknowledged, reply, note, push (held back, with a way to send it), push_sent,
    on_its_way, withdrawn, refused, handed_back, resolved, snoozed, woke, assigned, moved, tagged, priority,
    paged, nobody_there, late, told_buyer, bridged, undone and edited (a reply, before it left), recalled and amended
    (after), not_amended (the platform would not), too_late, not_theirs. `key` makes a repeat of the same thing nothing.
    `data` belongs to `what`.
    """

    what: str
    text: str = ""
    who: str = "bot"
    key: str = ""
    data: bytes = b""
    at: datetime | None = None
    id: int = 0
