"""Orders, their buyers and their parcels: rows to values, values to rows."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from hashlib import sha256
from typing import Any

from msgspec import Struct
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.dialog.turn import Dossier
from bot.model.messages import Media
from bot.model.orders import Duties, Item, Order, number_key
from bot.model.parcels import Parcel
from bot.model.tracks import Status, Track, Window
from bot.proactive.sighting import Home
from bot.store import codec
from bot.store.database import Database
from bot.store.tables import Buyer, ConsentRow, Look, core
from bot.store.tables import Order as OrderRow
from bot.store.tables import Parcel as ParcelRow

_orders = core(OrderRow)
_parcels = core(ParcelRow)
_looks = core(Look)
_buyers = core(Buyer)
_consents = core(ConsentRow)


class Detail(Struct, frozen=True):
    """The part of an order that is neither personal nor searched."""

    locale: str = ""
    items: tuple[Item, ...] = ()
    incoterm: str = ""
    duties: Duties = Duties.UNKNOWN
    promised: date | None = None
    cancelled: bool = False
    evidence: tuple[Media, ...] = ()


class ParcelState(Struct, frozen=True):
    """A parcel's timeline and its window, as one column."""

    track: Track | None = None
    eta: Window | None = None


def buyer_key(order: Order) -> str:
    """What tells buyers apart: the shop's own name for them, else the e-mail, else the phone, else nothing.

    Hashed, so that the key is no personal datum in clear.
    """
    if order.buyer_ref:
        told = "ref:" + order.buyer_ref
    elif order.email:
        told = "email:" + order.email.strip().casefold()
    elif order.phone:
        told = "phone:" + "".join(c for c in order.phone if c.isdigit())
    else:
        told = f"order:{order.source}:{number_key(order.number)}"
    return sha256(told.encode()).hexdigest()


class Saved(Struct, frozen=True):
    """An order that was written; `changed` where it says something that we did not know."""

    id: int
    changed: bool


async def save_order(
    connection: AsyncConnection, database: Database, order: Order, phone: str, due_at: datetime
) -> Saved | None:
    """Write an order and announce its parcels; None where we know a newer one.

    `phone` is the order's phone in E.164 or empty. New parcels are due for their first look at `due_at`.
    """
    same = (
        _orders.c.shop == order.shop,
        _orders.c.source == order.source,
        _orders.c.number_key == number_key(order.number),
    )
    known = (await connection.execute(select(_orders).where(*same).with_for_update())).first()
    if known is not None and known.updated_at > order.updated_at:
        return None
    buyer = await _buyer(connection, database, order)
    values = {
        "shop": order.shop,
        "source": order.source,
        "number": order.number,
        "number_key": number_key(order.number),
        "buyer_id": buyer,
        "updated_at": order.updated_at,
        "placed_at": order.placed_at,
        "country": order.country,
        "name": order.name,
        "email": order.email,
        "phone": order.phone,
        "phone_e164": phone,
        "address": order.address,
        "postcode": order.postcode,
        "city": order.city,
        "detail": codec.encode(
            Detail(
                order.locale, order.items, order.incoterm, order.duties, order.promised, order.cancelled, order.evidence
            )
        ),
    }
    if known is None:
        order_id = await connection.scalar(insert(_orders).values(**values).returning(_orders.c.id))
    else:
        order_id = known.id
        await connection.execute(update(_orders).where(_orders.c.id == order_id).values(**values))
    changed = known is None or any(getattr(known, name) != v for name, v in values.items() if name != "updated_at")
    changed |= await _save_shipments(connection, order_id, order, due_at)
    changed |= await _save_consents(connection, buyer, order)
    return Saved(int(order_id or 0), changed)


async def _buyer(connection: AsyncConnection, database: Database, order: Order) -> int:
    key = buyer_key(order)
    await connection.execute(database.insert(_buyers).values(shop=order.shop, key=key).on_conflict_do_nothing())
    found = await connection.scalar(select(_buyers.c.id).where(_buyers.c.shop == order.shop, _buyers.c.key == key))
    return int(found or 0)


async def _save_shipments(connection: AsyncConnection, order_id: int, order: Order, due_at: datetime) -> bool:
    """Whether one of them is new or another than it was. A carrier that we learned stays where the shop names none."""
    if not order.parcels:
        return False
    rows = await connection.execute(select(_parcels).where(_parcels.c.order_id == order_id))
    known = {row.number: row for row in rows}
    changed = False
    for shipment in order.parcels:
        number = shipment.number.strip().upper()
        before = known.get(number)
        carrier = shipment.carrier or (before.carrier if before is not None else "")
        values = {"carrier": carrier, "items": codec.encode(shipment.items), "shipped_at": shipment.shipped_at}
        if before is not None:
            if all(getattr(before, name) == value for name, value in values.items()):
                continue
            await connection.execute(update(_parcels).where(_parcels.c.id == before.id).values(**values))
            look = update(_looks).where(_looks.c.parcel_id == before.id)
            await connection.execute(look.values(carrier=carrier, shipped_at=shipment.shipped_at))
        else:
            fresh = insert(_parcels).values(order_id=order_id, number=number, **values).returning(_parcels.c.id)
            parcel = await connection.scalar(fresh)
            look_row = {
                "parcel_id": parcel,
                "order_id": order_id,
                "shop": order.shop,
                "carrier": carrier,
                "number": number,
                "shipped_at": shipment.shipped_at,
                "due_at": due_at,
            }
            await connection.execute(insert(_looks).values(**look_row))
        changed = True
    return changed


async def _save_consents(connection: AsyncConnection, buyer: int, order: Order) -> bool:
    """Whether one of them is new."""
    if not order.consent:
        return False
    rows = await connection.execute(
        select(_consents.c.purpose, _consents.c.source, _consents.c.at).where(_consents.c.buyer_id == buyer)
    )
    known = {(r.purpose, r.source, r.at) for r in rows}
    fresh = [
        {"buyer_id": buyer, "lane": "", "purpose": c.purpose, "source": c.source, "given": c.given, "at": c.at}
        for c in order.consent
        if (c.purpose, c.source, c.at) not in known
    ]
    if fresh:
        await connection.execute(insert(_consents), fresh)
    return bool(fresh)


_BY_ID = select(_orders).where(_orders.c.id.in_(bindparam("ids", expanding=True)))
_BY_NUMBER = select(_orders).where(_orders.c.number_key.in_(bindparam("numbers", expanding=True)))
_WITH_LOOK = (
    select(_parcels, _looks.c.asked_at, _looks.c.checked_at, _orders.c.placed_at)
    .join(_orders, _orders.c.id == _parcels.c.order_id)
    .join(_looks, _looks.c.parcel_id == _parcels.c.id, isouter=True)
)
_PARCELS_OF = _WITH_LOOK.where(_parcels.c.order_id.in_(bindparam("ids", expanding=True))).order_by(_parcels.c.id)
_PARCELS_NUMBERED = select(_parcels).where(_parcels.c.number.in_(bindparam("numbers", expanding=True)))


async def find(
    connection: AsyncConnection, numbers: Iterable[str] = (), trackings: Iterable[str] = (), ids: Iterable[int] = ()
) -> tuple[dict[int, Dossier], dict[str, list[int]], dict[str, list[tuple[int, int]]]]:
    """Dossiers by id, order ids by number key, (order id, parcel id) by tracking number."""
    rows = {}
    by_number: dict[str, list[int]] = {}
    by_tracking: dict[str, list[tuple[int, int]]] = {}
    wanted = set(ids)
    if keys := list(set(numbers)):
        for row in await connection.execute(_BY_NUMBER, {"numbers": keys}):
            rows[row.id] = row
            by_number.setdefault(row.number_key, []).append(row.id)
    if codes := list(set(trackings)):
        for row in await connection.execute(_PARCELS_NUMBERED, {"numbers": codes}):
            by_tracking.setdefault(row.number, []).append((row.order_id, row.id))
            wanted.add(row.order_id)
    if missing := list(wanted - rows.keys()):
        rows |= {row.id: row for row in await connection.execute(_BY_ID, {"ids": missing})}
    parcels = await parcels_of(connection, list(rows))
    found = {i: Dossier(i, row.buyer_id, order_value(row), tuple(parcels.get(i, ()))) for i, row in rows.items()}
    return found, by_number, by_tracking


async def parcels_of(connection: AsyncConnection, orders: Sequence[int]) -> dict[int, list[Parcel]]:
    """The parcels of these orders, by order."""
    found: dict[int, list[Parcel]] = {}
    if orders:
        for row in await connection.execute(_PARCELS_OF, {"ids": orders}):
            found.setdefault(row.order_id, []).append(parcel_value(row))
    return found


async def numbered(connection: AsyncConnection, number: str) -> list[tuple[Parcel, Home]]:
    """Every parcel under this number, whichever orders it serves, with where it goes; on PostgreSQL the parcels' rows
    stay locked."""
    rows = await connection.execute(_NUMBERED, {"number": number})
    return [(parcel_value(row), Home(row.country, row.postcode)) for row in rows]


_NUMBERED = (
    select(
        _parcels,
        _looks.c.asked_at,
        _looks.c.checked_at,
        _orders.c.placed_at,
        _orders.c.country,
        _orders.c.postcode,
    )
    .select_from(
        _parcels.join(_looks, _looks.c.parcel_id == _parcels.c.id, isouter=True).join(
            _orders, _orders.c.id == _parcels.c.order_id
        )
    )
    .where(_parcels.c.number == bindparam("number"))
    .order_by(_parcels.c.id)
    .with_for_update(of=_parcels)
)


def order_value(row: Any) -> Order:
    """An order's row as the shop's order."""
    person = {"name": row.name, "email": row.email, "phone": row.phone, "address": row.address, "city": row.city}
    detail = _read_detail(row.detail)
    return _order(row, detail, evidence=detail.evidence, **person)


def spoken_of(row: Any) -> Order:
    """An order's row as the shop's order, with what a message may tell of it and nothing of the person; for who read
    `SPOKEN` of it."""
    return _order(row, _read_detail(row.detail))


def _order(row: Any, detail: Detail, **more: Any) -> Order:
    return Order(
        number=row.number,
        updated_at=row.updated_at,
        source=row.source,
        shop=row.shop,
        placed_at=row.placed_at,
        postcode=row.postcode,
        country=row.country,
        locale=detail.locale,
        items=detail.items,
        incoterm=detail.incoterm,
        duties=detail.duties,
        promised=detail.promised,
        cancelled=detail.cancelled,
        **more,
    )


SPOKEN = tuple(
    _orders.c[name] for name in ("number", "updated_at", "source", "shop", "placed_at", "postcode", "country", "detail")
)
_read_detail = codec.reader(Detail)


def parcel_value(row: Any) -> Parcel:
    """A parcel's row as a value."""
    state = codec.decode(row.track, ParcelState) if row.track else ParcelState()
    return Parcel(
        id=row.id,
        order_id=row.order_id,
        carrier=row.carrier,
        number=row.number,
        status=Status(row.status),
        cause=row.cause,
        track=state.track,
        eta=state.eta,
        items=codec.decode(row.items, tuple[int, ...]) if row.items else (),
        shipped_at=row.shipped_at,
        checked_at=row.checked_at,
        asked_at=row.asked_at,
        changed_at=row.changed_at,
        ordered_at=row.placed_at,
    )


async def save_parcels(connection: AsyncConnection, parcels: Sequence[tuple[Parcel, datetime | None]]) -> None:
    """Write what a look or a push changed; each with the time of its next look (None: never)."""
    rows = [
        {
            "row": p.id,
            "to_carrier": p.carrier,
            "to_status": p.status.value,
            "to_cause": p.cause,
            "to_track": codec.encode(ParcelState(p.track, p.eta)),
            "changed": p.changed_at,
        }
        for p, _ in parcels
    ]
    looks = [
        {
            "row": p.id,
            "to_carrier": p.carrier,
            "to_status": p.status.value,
            "to_cause": p.cause,
            "changed": p.changed_at,
            "checked": p.checked_at,
            "due": due,
        }
        for p, due in parcels
    ]
    if rows:
        await connection.execute(_SAVE_PARCEL, rows)
        await connection.execute(_SAVE_LOOK, looks)


_SAVE_PARCEL = (
    update(_parcels)
    .where(_parcels.c.id == bindparam("row"))
    .values(
        carrier=bindparam("to_carrier"),
        status=bindparam("to_status"),
        cause=bindparam("to_cause"),
        track=bindparam("to_track"),
        changed_at=bindparam("changed"),
    )
)
_SAVE_LOOK = (
    update(_looks)
    .where(_looks.c.parcel_id == bindparam("row"))
    .values(
        carrier=bindparam("to_carrier"),
        status=bindparam("to_status"),
        cause=bindparam("to_cause"),
        changed_at=bindparam("changed"),
        checked_at=bindparam("checked"),
        due_at=bindparam("due"),
    )
)
