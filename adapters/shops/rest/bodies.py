"""The bodies of the REST, what is wrong with one, and what it says in our words. Pure.

The models are the published schema. What no schema can say (`beyond`) is told in the same way, with the field.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from bot.model.foreign import THIS_AGE
from bot.model.orders import Consent, Duties, Item, Order, Shipment
from bot.model.tracks import OffsetFrom, Place, Scan, Status, Track
from bot.tracking.numbers import compact

SOURCE = "rest"
AHEAD = timedelta(minutes=5)
"""So far may the sender's clock be before ours: from further ahead, `updated_at` would bar every update until then."""
SCANS_AHEAD = timedelta(days=1)
"""A scan's time may be off by a zone; what is further ahead has not happened."""
TEXT = "^[^\\x00]*$"
"""Any text but a NUL, which no database keeps."""
NAMED = "^[^\\x00]*[A-Za-z0-9][^\\x00]*$"
"""An order's number: decoration alone finds nothing."""
TRACKING = "^([^A-Za-z0-9\\x00]*[A-Za-z0-9]){4}[^\\x00]*$"
"""A tracking number: four letters or digits at least, however they are spaced."""
LONGEST_NUMBER = 100
"""Characters of an order's number."""


def _instant(value: object) -> object:
    """Unix seconds, which pydantic would take too, are no date of the schema."""
    if not isinstance(value, datetime) and not (isinstance(value, str) and _INSTANT.match(value)):
        raise ValueError("write it like 2026-11-24T10:00:00+08:00")
    return value


def _day(value: object) -> object:
    if not isinstance(value, date) and not (isinstance(value, str) and _DAY.fullmatch(value)):
        raise ValueError("write it like 2026-11-24")
    return value


def _whole(value: object) -> object:
    """2.0 is a whole number in JSON."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_INSTANT, _DAY = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d"), re.compile(r"\d{4}-\d\d-\d\d")


def _of_this_age(moment: datetime) -> datetime:
    if not THIS_AGE[0] <= moment.year < THIS_AGE[1]:
        raise ValueError(f"must be between the years {THIS_AGE[0]} and {THIS_AGE[1]}")
    return moment


Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_instant),
    AfterValidator(_of_this_age),
    Field(json_schema_extra={"pattern": "^(199[0-9]|2[01][0-9]{2})-"}),
]
Day = Annotated[date, BeforeValidator(_day)]
Flag = Annotated[bool, Field(strict=True)]
Whole = Annotated[int, Field(strict=True), BeforeValidator(_whole)]
Text = Annotated[str, Field(pattern=TEXT, max_length=300)]
Country = Field("", pattern="^([A-Z]{2})?$", description="ISO 3166 alpha-2")


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ItemBody(_Body):
    """A line of the packing list."""

    title: Text = Field(min_length=1)
    quantity: Whole = Field(1, ge=1, le=100_000)
    specification: Text = ""
    accessories: list[Text] = Field(default_factory=list, max_length=50)
    sku: Text = ""


class ParcelBody(_Body):
    """A parcel that was shipped; `items` are indexes into the order's items from 0, none for all of them."""

    number: str = Field(pattern=TRACKING, max_length=50)
    carrier: Text = Field("", max_length=50)
    shipped_at: Moment | None = None
    items: list[Annotated[Whole, Field(ge=0)]] = Field(default_factory=list, max_length=500)


class ConsentBody(_Body):
    """One opt-in or its withdrawal."""

    purpose: Text = Field(min_length=1, max_length=50)
    source: Text = Field(min_length=1, max_length=200)
    at: Moment
    given: Flag = True


class OrderBody(_Body):
    """An order as it stands; a later `updated_at` replaces it whole."""

    updated_at: Moment = Field(description="at most 5 minutes ahead of our clock; an older one than known is ignored")
    buyer_ref: Text = ""
    placed_at: Moment | None = None
    name: Text = ""
    email: Text = ""
    phone: Text = Field("", max_length=40)
    address: Text = Field("", max_length=500)
    postcode: Text = Field("", max_length=20)
    city: Text = ""
    country: str = Country
    locale: str = Field("", max_length=12, pattern="^([A-Za-z]{2,3}(-[A-Za-z0-9]+)*)?$")
    items: list[ItemBody] = Field(default_factory=list, max_length=500)
    parcels: list[ParcelBody] = Field(default_factory=list, max_length=100)
    incoterm: Literal["", "DDP", "DAP", "DDU"] = ""
    duties: Duties = Duties.UNKNOWN
    promised: Day | None = None
    cancelled: Flag = False
    consent: list[ConsentBody] = Field(default_factory=list, max_length=100)


class ScanBody(_Body):
    """Something that happened to a parcel, with its instant."""

    at: Moment = Field(description="at most a day ahead of our clock")
    text: Text = Field(min_length=1, max_length=500)
    status: Status = Status.UNKNOWN
    cause: Text = Field("", max_length=50)
    place: Text = ""
    country: str = Country
    code: Text = Field("", max_length=50)
    physical: Flag = True


class ScansBody(_Body):
    """All scans that the sender knows of a parcel."""

    updated_at: Moment = Field(description="at most 5 minutes ahead of our clock")
    scans: list[ScanBody] = Field(min_length=1, max_length=500)


def unnamed(model: type[_Body], names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What is wrong with the names in the path, each with the field: an order's number, or a carrier and a number."""
    if model is OrderBody:
        if not re.search(NAMED, names[0]) or len(names[0]) > LONGEST_NUMBER:
            yield "number", f"must hold a letter or digit and have at most {LONGEST_NUMBER} characters"
        return
    carrier, number = names
    if len(carrier) > 50 or "\x00" in carrier:
        yield "carrier", "must have at most 50 characters"
    if not re.search(TRACKING, number) or len(number) > 50:
        yield "number", "must hold four letters or digits and have at most 50 characters"


def beyond(body: OrderBody | ScansBody, now: datetime) -> Iterator[tuple[str, str]]:
    """What is wrong with a body that fits the schema, each with the field."""
    if body.updated_at > now + AHEAD:
        yield "updated_at", f"is more than {AHEAD.seconds // 60} minutes ahead of our clock ({now:%Y-%m-%dT%H:%M:%SZ})"
    if isinstance(body, ScansBody):
        for place, scan in enumerate(body.scans):
            if scan.at > now + SCANS_AHEAD:
                yield f"scans.{place}.at", "is more than a day ahead of our clock"
        return
    for place, parcel in enumerate(body.parcels):
        if any(item >= len(body.items) for item in parcel.items):
            yield f"parcels.{place}.items", f"names an item that is not there; there are {len(body.items)}, from 0"


# ---- in our words ----------------------------------------------------------------------------------------


def order_of(number: str, body: OrderBody) -> Order:
    """The order that a body tells of."""
    return Order(
        number=number,
        updated_at=body.updated_at.astimezone(UTC),
        source=SOURCE,
        buyer_ref=body.buyer_ref,
        placed_at=_utc(body.placed_at),
        name=body.name,
        email=body.email,
        phone=body.phone,
        address=body.address,
        postcode=body.postcode,
        city=body.city,
        country=body.country,
        locale=body.locale,
        items=tuple(Item(i.title, i.quantity, i.specification, tuple(i.accessories), i.sku) for i in body.items),
        parcels=tuple(
            Shipment(compact(p.number), p.carrier.casefold(), _utc(p.shipped_at), tuple(p.items)) for p in body.parcels
        ),
        incoterm=body.incoterm,
        duties=body.duties,
        promised=body.promised,
        cancelled=body.cancelled,
        consent=tuple(Consent(c.purpose, c.source, c.at.astimezone(UTC), c.given) for c in body.consent),
    )


def track_of(carrier: str, number: str, body: ScansBody) -> Track:
    """The scans that a body tells of."""
    scans = tuple(
        Scan(
            raw_code=s.code,
            raw_text=s.text,
            raw_time=s.at.isoformat(),
            at=s.at.astimezone(UTC),
            local=s.at.replace(tzinfo=None),
            offset_from=OffsetFrom.EXPLICIT,
            status=s.status,
            cause=s.cause,
            place=Place(s.place, s.country),
            physical=s.physical,
            carrier=carrier.casefold(),
            source=SOURCE,
        )
        for s in sorted(body.scans, key=lambda s: s.at)
    )
    return Track(carrier.casefold(), compact(number), scans, source=SOURCE, at=body.updated_at.astimezone(UTC))


def _utc(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC) if moment is not None else None
