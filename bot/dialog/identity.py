"""Whose order is it? Proofs, the factors that count, and those that prove nothing. Pure.

A typed factor or a link proves one order, a verified phone proves the buyer. Guesses are counted by the typed
order text, existing or not, so that nothing about an order can be learned by asking.
"""

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta

import phonenumbers

from bot.dialog.turn import Dossier, Link, Understanding
from bot.model.conversations import Conversation, Proof
from bot.model.orders import Order
from bot.model.tracks import Status

PROOF_LASTS = timedelta(days=30)
LINK_LASTS = timedelta(days=30)
"""After delivery."""
MISSES = 5
"""Wrong guesses an hour, per chat and per typed order text, after which typed proof is closed there."""
FACTORS = ("email", "postcode", "last4", "phone")
_OFFERED = frozenset({*FACTORS, "number"})
"""The kinds of entity that can be meant as a detail."""
_PLACEHOLDER = re.compile(r"^(n/?a|none|null|test|unknown|x+|0+|1234|12345|123456|-+)$")


def e164(text: str, country: str) -> str:
    """A phone in E.164, or empty where it is no possible number or an obvious filler."""
    try:
        number = phonenumbers.parse(text, country or None)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_possible_number(number):
        return ""
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return "" if len(set(written[-8:])) <= 1 else written


def plain(factor: str) -> str:
    """A factor as it is compared: without case, spaces and hyphens, in plain digits."""
    return re.sub(r"[\s\-–—.]+", "", unicodedata.normalize("NFKC", factor)).casefold()


def matches(order: Order, kind: str, value: str) -> bool:
    """Whether a typed factor is this order's. An empty or filler value of the order proves nothing."""
    if kind == "email":
        return _real(order.email) and "@" in order.email and value.strip().casefold() == order.email.strip().casefold()
    if kind == "postcode":
        return _real(order.postcode) and plain(value) == plain(order.postcode)
    full = e164(order.phone, order.country)
    if not full:
        return False
    if kind == "phone":
        return e164(value, order.country) == full
    return kind == "last4" and plain(value) == full[-4:]


def _real(value: str) -> bool:
    bare = plain(value)
    return bool(bare) and not _PLACEHOLDER.match(bare) and len(set(bare)) > 1


def factor(said: Understanding, orders: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The one thing a message offers as proof, under every kind it may be; empty where it offers none.

    A bare number that is also the order's cannot be its own proof.
    """
    if not any(e.kind in _OFFERED for e in said.entities):
        return ()
    taken = {plain(o) for o in orders}
    for wanted in ("email", "phone"):
        for value in said.values(wanted):
            if plain(value) not in taken:
                return ((wanted, value),)
    readings = [(e.kind, e.value, e.raw) for e in said.entities if e.kind in {"postcode", "last4", "number"}]
    for _, value, raw in readings:
        if plain(value) not in taken:
            kinds = {k for k, v, r in readings if r == raw} | ({"last4"} if len(plain(value)) == 4 else set())
            return tuple((k, value) for k in ("postcode", "last4") if k in kinds or k == "postcode")
    return ()


def closed(chat_misses: int, order_misses: int) -> bool:
    """Whether typed proof is closed here for now."""
    return chat_misses >= MISSES or order_misses >= MISSES


def proof_of_order(way: str, order: int, now: datetime) -> Proof:
    """A proof that holds for one order."""
    return Proof(way, now + PROOF_LASTS, order=order)


def proof_of_buyer(buyer: int, now: datetime) -> Proof:
    """A proof that holds for everything a buyer ordered."""
    return Proof("phone", now + PROOF_LASTS, buyer=buyer)


def proves(conversation: Conversation, dossier: Dossier, now: datetime) -> bool:
    """Whether this chat may hear of this order."""
    return conversation.proves(dossier.id, dossier.buyer, now)


def link_holds(link: Link | None, dossier: Dossier | None, now: datetime) -> bool:
    """Whether a link still proves its order: not revoked, and not 30 days past the last delivery."""
    if link is None or dossier is None or link.revoked:
        return False
    delivered = [p.changed_at for p in dossier.parcels if p.status == Status.DELIVERED and p.changed_at]
    return len(delivered) < len(dossier.parcels) or not delivered or max(delivered) + LINK_LASTS > now
