"""Whole conversations as they read, through store, engine and renderer."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from bot.model.clock import Clock
from bot.model.events import parcel_lane
from bot.model.markup import plain
from bot.model.messages import Outbound
from bot.model.orders import Duties, Item, Order, Shipment
from bot.model.tracks import OffsetFrom, Place, Scan, Status, Track, TrackUpdate, Window
from bot.ports import Item as Stored
from bot.store.codec import pack
from bot.store.queue import Arrival
from tests.house import NOON, Home, fixed_clock, sqlite_home

FOLDER = Path(__file__).parent / "transcripts"
TRANSCRIPTS = sorted(FOLDER.glob("*.txt"))


def order(number: str, tracking: str, carrier: str, **more: object) -> Order:
    known: dict[str, object] = {
        "buyer_ref": "anna",
        "name": "Anna Krüger",
        "email": "anna@example.org",
        "phone": "+4915112340000",
        "postcode": "10115",
        "country": "DE",
        "address": "Linienstraße 1",
        "city": "Berlin",
        "placed_at": NOON - timedelta(days=9),
        "items": (Item("Desk lamp", 2, "warm white", ("clamp",)),),
        "duties": Duties.SELLER,
        "promised": date(2026, 12, 5),
    }
    return Order(number, NOON, parcels=(Shipment(tracking, carrier),), **(known | more))  # type: ignore[arg-type]


ORDERS = (
    order("1042", "RB123456785CN", "dhl"),
    order("1043", "EE100000005CN", "ems"),
    order("1044", "EE100000048CN", "ems", duties=Duties.BUYER),
    order(
        "2001",
        "EE100000106CN",
        "ems",
        buyer_ref="bob",
        email="bob@example.org",
        phone="+4915112349999",
        postcode="50667",
    ),
    order(
        "3001",
        "EE100000123CN",
        "ems",
        buyer_ref="carl",
        email="carl@example.org",
        phone="+4915112348888",
        postcode="20095",
    ),
    order(
        "4001",
        "EE100000140CN",
        "ems",
        buyer_ref="dora",
        email="dora@example.org",
        phone="+4915112347777",
        postcode="80331",
    ),
)


def scan(days: float, status: Status, text: str, place: str, country: str, cause: str = "") -> Scan:
    at = NOON - timedelta(days=days)
    return Scan("X", text, "", at, at.replace(tzinfo=None), OffsetFrom.EXPLICIT, status, cause, Place(place, country))


TRACKS = (
    Track(
        "dhl",
        "RB123456785CN",
        (
            scan(6, Status.ACCEPTED, "Accepted", "Shenzhen", "CN"),
            scan(1, Status.IN_TRANSIT, "Arrived at hub", "Leipzig", "DE"),
        ),
        eta=Window(NOON + timedelta(days=2), NOON + timedelta(days=5), "dhl"),
        destination="DE",
        source="17track",
        at=NOON,
    ),
    Track(
        "ems",
        "EE100000005CN",
        (
            scan(8, Status.ACCEPTED, "Accepted", "Shenzhen", "CN"),
            scan(1, Status.DELIVERED, "Delivered", "Berlin", "DE"),
        ),
        destination="DE",
        source="17track",
        at=NOON,
    ),
    Track(
        "ems",
        "EE100000048CN",
        (
            scan(8, Status.ACCEPTED, "Accepted", "Shenzhen", "CN"),
            scan(1, Status.CUSTOMS, "Held: duty to be paid by recipient", "Leipzig", "DE", "duty_due"),
        ),
        destination="DE",
        source="17track",
        at=NOON,
    ),
    Track(
        "ems",
        "EE100000140CN",
        (
            scan(8, Status.ACCEPTED, "Accepted", "Shenzhen", "CN"),
            scan(1, Status.CUSTOMS, "Held: duty to be paid by recipient", "Leipzig", "DE", "duty_due"),
        ),
        destination="DE",
        source="17track",
        at=NOON,
    ),
    Track(
        "ems",
        "EE100000123CN",
        (
            scan(8, Status.ACCEPTED, "Accepted", "Shenzhen", "CN"),
            scan(1, Status.EXCEPTION, "Lost in transit", "Leipzig", "DE", "lost"),
        ),
        destination="DE",
        source="17track",
        at=NOON,
    ),
)


async def furnish(house: Home) -> None:
    """The shop that the transcripts talk about."""
    await house.seed(*ORDERS)
    updates = [TrackUpdate(uuid4().hex, NOON, t) for t in TRACKS]
    await house.store.receive([Arrival("wismo", Stored(u.id, parcel_lane(u.track.number), pack(u))) for u in updates])
    await house.work()


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda p: p.stem)
async def test_the_conversation_reads_like_its_transcript(path: Path, tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await furnish(house)
        said: Sequence[Outbound] = ()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line.strip():
                said = await follow(house, line, said, f"{path.name}:{number}")
        assert not await house.store.dead_letters()


async def follow(house: Home, line: str, said: Sequence[Outbound], where: str) -> Sequence[Outbound]:
    """Do what a line says, or hold the answer against it."""
    sign, _, rest = line.partition(" ")
    words = "\n".join(plain(m.text).replace("\u2060", "") for m in said)
    if sign.endswith(">"):
        await house.hear(rest, sign[:-1] or "anna")
    elif sign == "*":
        kind, _, who = rest.partition(" ")
        name, _, text = who.partition(": ")
        await house.act(kind, name, text)
    elif sign == "@":
        house.clock.forward(timedelta(hours=float(rest)))
        return said
    else:
        held = {
            "=": bool(said) and words.split("\n")[0] == rest,
            "~": rest in words,
            "!": rest not in words,
            "?": rest in {c.title for m in said for c in m.choices},
            "-": not said,
        }
        assert held[sign], f"{where}: {line}\nthe answer was:\n{words}\n{[c.title for m in said for c in m.choices]}"
        return said
    await house.work()
    return await house.send()


def test_the_clock_of_the_transcripts_is_a_tuesday() -> None:
    assert isinstance(fixed_clock(), Clock)
    assert datetime(2026, 11, 24, tzinfo=UTC).strftime("%A") == "Tuesday"
