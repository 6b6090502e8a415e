"""An order as the shop tells it."""

import re
from datetime import date, datetime
from enum import StrEnum

from msgspec import Struct, field

from bot.model.messages import Media


class Item(Struct, frozen=True):
    """A line of the packing list."""

    title: str
    quantity: int = 1
    specification: str = ""
    accessories: tuple[str, ...] = ()
    sku: str = ""


class Consent(Struct, frozen=True):
    """Proof of one opt-in or, with `given` False, of its withdrawal. `at` is UTC."""

    purpose: str
    source: str
    at: datetime
    given: bool = True


class Duties(StrEnum):
    """Who pays duty and tax at the border."""

    SELLER = "seller"
    BUYER = "buyer"
    UNKNOWN = "unknown"


class Shipment(Struct, frozen=True):
    """A parcel as the shop announces it, before any carrier has spoken."""

    number: str
    carrier: str = ""
    shipped_at: datetime | None = None
    items: tuple[int, ...] = ()


class Order(Struct, frozen=True):
    """One order; its key is (shop, source, number).

    `buyer_ref` is the shop's own name for the buyer, where it has one. `phone` is as the shop wrote it;
    `bot.model.proof.e164` reads it. `country` is ISO 3166 alpha-2. `promised` is the shop's own delivery date.
    `incoterm` is DDP, DAP, DDU or empty. `updated_at` orders the shop's updates: an older one is ignored.
    """

    number: str
    updated_at: datetime
    source: str = "rest"
    shop: str = ""
    buyer_ref: str = ""
    placed_at: datetime | None = None
    name: str = ""
    email: str = ""
    phone: str = ""
    address: str = ""
    postcode: str = ""
    city: str = ""
    country: str = ""
    locale: str = ""
    items: tuple[Item, ...] = ()
    parcels: tuple[Shipment, ...] = ()
    incoterm: str = ""
    duties: Duties = Duties.UNKNOWN
    promised: date | None = None
    cancelled: bool = False
    consent: tuple[Consent, ...] = ()
    evidence: tuple[Media, ...] = field(default=())


_DECORATION = re.compile(r"[\W_]+")


def number_key(text: str) -> str:
    """An order number as it is compared: without case, spaces and decoration, so `#1042` finds `1042`."""
    return _DECORATION.sub("", text).casefold()


class OrderUpdate(Struct, frozen=True):
    """The shop told us of an order; `at` is when we heard it, UTC. `link` is the SHA-256 of the token that the
    shop was answered with, for its buyer's link."""

    id: str
    at: datetime
    order: Order
    link: str = ""
