"""The demo's shop: some two hundred orders on real lanes, each parcel with a journey that the clock plays.

Everything is made up here, the same at every start: names, streets and mail addresses belong to nobody.
"""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from bot.model.orders import Duties, Item, Order, Shipment

ORDERS = 212
FIRST = 1001
SHOWN = 1042
"""The order that the page suggests to ask for: on its way to the US, in the middle of its journey."""


class Step(Struct, frozen=True):
    """One scan to come: so long after the start, 17TRACK's sub-status, the carrier's text, and where."""

    after: timedelta
    sub: str
    text: str
    place: str
    country: str


class Journey(Struct, frozen=True):
    """What a carrier will report of one number. `carrier` is 17TRACK's key."""

    number: str
    carrier: int
    started_at: datetime
    steps: tuple[Step, ...]
    story: str


class Lane(Struct, frozen=True):
    """A destination: its country, gateway, last depots, and made-up people who live there."""

    country: str
    locale: str
    gateway: str
    cities: tuple[tuple[str, str], ...]
    names: tuple[str, ...]
    prefix: str


LANES = (
    Lane(
        "US",
        "en",
        "New York JFK",
        (("Austin", "78701"), ("Portland", "97205"), ("Denver", "80202")),
        ("Grace Miller", "Sam Ortega", "Dana Whitfield", "Lee Carter"),
        "+1512555",
    ),
    Lane(
        "DE",
        "de",
        "Leipzig",
        (("Köln", "50667"), ("Hamburg", "20095"), ("Dresden", "01067")),
        ("Anna Krüger", "Jonas Weber", "Mira Hoffmann"),
        "+49151234",
    ),
    Lane(
        "FR", "fr", "Paris CDG", (("Lyon", "69002"), ("Nantes", "44000")), ("Élise Martin", "Karim Benali"), "+3361234"
    ),
    Lane(
        "ES",
        "es",
        "Madrid Barajas",
        (("Sevilla", "41001"), ("Valencia", "46002")),
        ("Lucía Romero", "Pablo Serrano"),
        "+3461234",
    ),
    Lane(
        "BR",
        "pt",
        "Curitiba",
        (("São Paulo", "01310-100"), ("Recife", "50030-230")),
        ("Beatriz Souza", "Rafael Lima"),
        "+55119876",
    ),
    Lane(
        "RU",
        "ru",
        "Москва",
        (("Казань", "420111"), ("Пермь", "614000")),
        ("Ольга Иванова", "Тимур Ахметов"),
        "+7916123",
    ),
)
GOODS = (
    Item("Desk lamp", 1, "warm white, EU plug", ("USB cable", "clamp"), "LAMP-2"),
    Item("Trail backpack", 1, "32 l, moss green", ("rain cover",), "PACK-32"),
    Item("Ceramic knife set", 1, "3 pieces", ("blade guards",), "KNIFE-3"),
    Item("Wool scarf", 2, "180 × 30 cm, grey", (), "SCARF-G"),
    Item("Mechanical keyboard", 1, "75 %, brown switches", ("keycap puller", "USB cable"), "KEYB-75"),
    Item("Tea set", 1, "6 cups, celadon", ("bamboo tray",), "TEA-6"),
)
STORIES = (
    "moving",
    "moving",
    "moving",
    "delivered",
    "delivered",
    "out",
    "customs_hold",
    "duty_due",
    "stalled",
    "lost",
    "returned",
    "pickup",
    "split",
    "label",
    "attempted",
    "new",
)


class Shop(Struct, frozen=True):
    """The seeded shop as values."""

    orders: tuple[Order, ...]
    journeys: tuple[Journey, ...]
    stories: dict[str, str]


def make_shop(now: datetime) -> Shop:
    """The demo's orders and the journeys of their parcels, seen from `now` (UTC)."""
    dice = random.Random(42)  # noqa: S311 - a demo that is the same at every start
    orders, journeys, stories = [], [], {}
    for n in range(ORDERS):
        number = str(FIRST + n)
        lane = LANES[0] if FIRST + n == SHOWN else LANES[n % len(LANES)]
        story = "moving" if FIRST + n == SHOWN else STORIES[n % len(STORIES)]
        placed = now - timedelta(days=_age(story, FIRST + n == SHOWN, dice), hours=dice.randrange(20))
        parcels = list(_journeys(n, lane, story, placed, dice))
        journeys += parcels
        stories[number] = story
        orders.append(_order(number, lane, story, placed, now, parcels))
    return Shop(tuple(orders), tuple(journeys), stories)


def _age(story: str, shown: bool, dice: random.Random) -> int:
    ages = {
        "delivered": (16, 30),
        "returned": (30, 40),
        "lost": (40, 50),
        "stalled": (24, 30),
        "new": (0, 1),
        "label": (2, 4),
        "out": (12, 14),
        "pickup": (14, 16),
        "attempted": (13, 15),
    }
    return 9 if shown else dice.randint(*ages.get(story, (6, 11)))


def _order(number: str, lane: Lane, story: str, placed: datetime, now: datetime, parcels: Sequence[Journey]) -> Order:
    dice, n = random.Random(number), int(number) - FIRST  # noqa: S311 - the same at every start
    city, postcode = lane.cities[n % len(lane.cities)]
    name = lane.names[n % len(lane.names)]
    mail = f"{name.split()[0].casefold().translate(_PLAIN)}.{number}@example.org"
    items = tuple(dice.sample(GOODS, 2 if story == "split" else dice.randint(1, 2)))
    return Order(
        number=number,
        updated_at=now,
        source="demo",
        buyer_ref=f"buyer-{n // 2}" if n % 7 == 0 else f"buyer-{number}",
        placed_at=placed,
        name=name,
        email=mail,
        phone=f"{lane.prefix}{n:04d}",
        address=f"{dice.randint(1, 99)} Market Street",
        postcode=postcode,
        city=city,
        country=lane.country,
        locale=lane.locale,
        items=items,
        parcels=tuple(
            Shipment(j.number, SLUGS[j.carrier], j.started_at, (i,) if len(parcels) > 1 else ())
            for i, j in enumerate(parcels)
        ),
        incoterm="DAP" if story == "duty_due" else "DDP",
        duties=Duties.BUYER if story == "duty_due" else Duties.SELLER,
        promised=(placed + timedelta(days=20)).date(),
    )


_PLAIN = str.maketrans(
    "áàâãäéèêíìóòôõöúùüçñабвгдеёжзийклмнопрстуфхцчшщъыьэюя", "aaaaaeeeiiooooouuucnabvgdeegziiklmnoprstufhccss'y'eua"
)
EMS, CHINA_POST, DHL, UPS, FEDEX, TNT, SF, YUN = 3013, 3011, 100001, 100002, 100003, 100004, 100012, 190008
SLUGS = {
    EMS: "ems",
    CHINA_POST: "china-post",
    DHL: "dhl",
    UPS: "ups",
    FEDEX: "fedex",
    TNT: "tnt",
    SF: "sf",
    YUN: "yunexpress",
}


def _journeys(n: int, lane: Lane, story: str, placed: datetime, dice: random.Random) -> Iterator[Journey]:
    if story == "new":
        return
    city = lane.cities[n % len(lane.cities)][0]
    for part in range(2 if story == "split" else 1):
        carrier = tuple(SLUGS)[(n + part * 3) % len(SLUGS)]
        started = placed + timedelta(days=1 + 2 * part, hours=dice.randrange(6))
        steps = tuple(_steps(story, lane, city, dice))
        yield Journey(make_number(carrier, n * 2 + part), carrier, started, steps, story)


def _steps(story: str, lane: Lane, city: str, dice: random.Random) -> Iterator[Step]:
    plan = [*_OUTBOUND[: 1 if story == "label" else None]]
    if story not in {"label", "stalled"}:
        plan += _MIDDLE.get(story, _INBOUND)
        plan += _ENDS.get(story, _DELIVERED if story not in {"lost", "customs_hold", "duty_due"} else ())
    at = timedelta()
    for hours, sub, text, where in plan:
        at += timedelta(hours=hours, minutes=dice.randrange(50))
        place, country = {
            "origin": ("Shenzhen", "CN"),
            "airport": ("Guangzhou", "CN"),
            "gateway": (lane.gateway, lane.country),
            "city": (city, lane.country),
        }[where]
        yield Step(at, sub, text, place, country)


_OUTBOUND = (
    (0, "InfoReceived", "Shipment information received", "origin"),
    (9, "InTransit_PickedUp", "Accepted by carrier", "origin"),
    (14, "InTransit_Other", "Processed at sorting centre", "origin"),
    (26, "InTransit_CustomsProcessing", "Presented to export customs", "airport"),
    (8, "InTransit_CustomsReleased", "Released by export customs", "airport"),
    (20, "InTransit_Departure", "Departed from airport of origin", "airport"),
)
_INBOUND = (
    (40, "InTransit_Arrival", "Arrived at destination country", "gateway"),
    (10, "InTransit_CustomsProcessing", "Import customs clearance started", "gateway"),
    (26, "InTransit_CustomsReleased", "Import customs clearance completed", "gateway"),
    (30, "InTransit_Other", "Arrived at local sorting centre", "city"),
)
_MIDDLE = {
    "customs_hold": (
        *_INBOUND[:2],
        (30, "InTransit_CustomsRequiringInformation", "Held by customs: commercial invoice required", "gateway"),
    ),
    "duty_due": (
        *_INBOUND[:2],
        (
            28,
            "InTransit_CustomsRequiringInformation",
            "Held by customs: import duty to be paid by the recipient",
            "gateway",
        ),
    ),
    "lost": (*_INBOUND[:3], (200, "Exception_Lost", "Shipment cannot be located, declared lost", "gateway")),
}
_DELIVERED = (
    (36, "OutForDelivery_Other", "Out for delivery", "city"),
    (6, "Delivered_Other", "Delivered", "city"),
)
_ENDS = {
    "pickup": ((30, "AvailableForPickup_Other", "Ready for collection at the post office", "city"),),
    "attempted": (
        (30, "OutForDelivery_Other", "Out for delivery", "city"),
        (7, "DeliveryFailure_NoBody", "Delivery attempted: nobody at home", "city"),
    ),
    "returned": (
        (30, "DeliveryFailure_Rejected", "Delivery attempted: refused by recipient", "city"),
        (20, "Exception_Returning", "On its way back to the sender", "city"),
        (300, "Exception_Returned", "Returned to sender", "origin"),
    ),
}


def make_number(carrier: int, n: int) -> str:
    """A tracking number in the carrier's own form, with the right check digit."""
    if carrier in {EMS, CHINA_POST}:
        return _s10("EE" if carrier == EMS else "RB", 10_000_000 + n * 37)
    if carrier == UPS:
        return _ups(f"WM042703{1_000_000 + n * 41:07d}")
    if carrier == FEDEX:
        body = f"{41_000_000_000 + n * 7919:011d}"
        return body + str(sum(int(d) * w for d, w in zip(body, (3, 1, 7) * 4, strict=False)) % 11 % 10)
    if carrier == DHL:
        air = 812_000_000 + n * 53
        return f"{air}{air % 7}"
    if carrier == TNT:
        return "GD" + _s10("", 30_000_000 + n * 29).removesuffix("CN") + "WW"
    return f"SF{1_300_000_000_000 + n * 6151}" if carrier == SF else f"YT{2_632_700_000_000_000 + n * 4241}"


def _s10(letters: str, serial: int) -> str:
    digits = f"{serial:08d}"
    rest = 11 - sum(int(d) * w for d, w in zip(digits, (8, 6, 4, 2, 3, 5, 9, 7), strict=True)) % 11
    return f"{letters}{digits}{ {10: 0, 11: 5}.get(rest, rest) }CN"


def _ups(body: str) -> str:
    values = [int(c) if c.isdigit() else (ord(c) - 3) % 10 for c in body]
    total = sum(v * 2 if i % 2 else v for i, v in enumerate(values))
    return f"1Z{body}{-total % 10}"
