"""Everything that can happen is an event in exactly one lane; a lane's turn writes only its own record.

Lanes are strings: `c/<address>` a conversation, `p/<number>` a parcel, `o/<source>/<number>` an order.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from bot.model.cases import CaseDraft
from bot.model.messages import Address, Inbound, Media, Receipt
from bot.model.orders import OrderUpdate, number_key
from bot.model.tracks import TrackUpdate


class StaffAct(Struct, frozen=True):
    """A staff member did something to a conversation: open, take, reply, note, handback, resolve, snooze, assign, move,
    ack, tag, priority, send_push, undo, edit, bridge.

    `version` is the holder's version they saw, None where their surface does not show one. `ref` names what is
    sent (a push that was held back), taken back or changed (the id of their reply), or for how many hours the case
    sleeps; `whom` it is assigned to, or the queue it is moved to, `until` it sleeps. `surface` is the desk's channel
    in which they did it, if that is a chat platform, `thread` the platform's id of the thread, `by` of them and
    `message` of their own message there; `case` is the case of that thread, which may be over while the conversation
    has another one. `undo_seconds` is how long a reply waits to be taken back; `senior` tells that they may also take
    back what a colleague wrote.
    """

    id: str
    at: datetime
    staff: str
    to: Address
    kind: str
    text: str = ""
    media: tuple[Media, ...] = ()
    version: int | None = None
    ref: str = ""
    whom: str = ""
    until: datetime | None = None
    surface: Address | None = None
    thread: str = ""
    case: int | None = None
    by: str = ""
    message: str = ""
    undo_seconds: float = 0.0
    senior: bool = False


class Notice(Struct, frozen=True):
    """Something a parcel, order or campaign has to tell one person; gated and worded when it is due.

    `order` and `parcel` are the store's ids of what it is about, from which it is worded; `facts` hold only what
    cannot be read from them. `needs` is the key of an earlier push without which this would make no sense. `case`
    is what staff have to do about it; with no `template` that is all of it.
    """

    id: str
    to: Address
    template: str
    fact_key: str
    purpose: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    due_at: datetime | None = None
    expires_at: datetime | None = None
    order: int | None = None
    parcel: int | None = None
    needs: str = ""
    case: CaseDraft | None = None


class Tick(Struct, frozen=True):
    """A due time has come; `lane` says whose."""

    id: str
    at: datetime
    lane: str


Event = Inbound | Receipt | StaffAct | Notice | TrackUpdate | OrderUpdate | Tick


def conversation_lane(address: Address) -> str:
    """The lane of a chat."""
    return f"c/{address}"


def parcel_lane(number: str) -> str:
    """The lane of a tracking number, whoever carries it and whichever orders it serves."""
    return f"p/{number}"


def order_lane(source: str, number: str) -> str:
    """The lane of an order."""
    return f"o/{source}/{number_key(number)}"
