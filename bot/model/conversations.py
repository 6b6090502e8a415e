"""A conversation: one chat, who speaks in it, what was proved in it, and what was last asked."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from bot.model.messages import Address, Choice

BOT = "bot"
QUEUE = "queue"
"""Holders beside a named person, who is `staff:<name>`."""


class Proof(Struct, frozen=True):
    """What was shown: a typed factor or a link proves one order, a verified phone proves the buyer.

    Exactly one of `order` and `buyer` is set; both are the store's ids. `way` is link, phone, email,
    postcode or last4. `until` is UTC.
    """

    way: str
    until: datetime
    order: int | None = None
    buyer: int | None = None


class Pending(Struct, frozen=True):
    """What the bot last asked and what it will do with the answer.

    `kind` is prove, clarify, which, confirm, retell … and belongs to one flow; `data` is that flow's own.
    """

    kind: str
    intent: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


class Conversation(Struct, frozen=True):
    """The record that a conversation's turn reads and writes.

    `version` grows whenever the holder changes: the sender lets nothing out that was written under an older
    one. `unsure` counts turns in a row that were not understood. `focus` is the order last spoken of.
    """

    address: Address
    holder: str = BOT
    version: int = 0
    buyer: int | None = None
    proofs: tuple[Proof, ...] = ()
    locale: str = ""
    locale_chosen: bool = False
    pending: Pending | None = None
    offered: tuple[Choice, ...] = ()
    focus: int | None = None
    unsure: int = 0
    case: int | None = None
    name: str = ""
    phone: str = ""
    reachable: bool = True
    last_inbound_at: datetime | None = None
    greeted: bool = False
    muted: bool = False

    def proves(self, order: int, buyer: int | None, now: datetime) -> bool:
        """Whether this chat may hear of that order (of that buyer) now."""
        return any(
            p.until > now and (p.order == order or (p.buyer is not None and p.buyer == buyer)) for p in self.proofs
        )

    def proved_buyer(self, now: datetime) -> int | None:
        """The buyer whom a verified phone proved here, while it holds."""
        return next((p.buyer for p in self.proofs if p.buyer is not None and p.until > now), None)
