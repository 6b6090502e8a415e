"""Every figure of the report, counted again in another way: from the raw rows of a shop that lived a fortnight."""

import json
import sqlite3
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median_high

from bot.handoff.figures import figures
from bot.model.events import Notice, conversation_lane
from bot.model.orders import Order, Shipment
from bot.ports import Item
from bot.proactive.pushes import UPDATES
from bot.store import codec
from bot.store.queue import MAX_ATTEMPTS, Arrival
from bot.store.reports import heard
from tests.house import HOURS, NOON, ZONE, Home, sqlite_home

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OPEN = {0: (9, 18), 1: (9, 18), 2: (9, 18), 3: (9, 18), 4: (9, 18)}
"""Monday to Friday from nine to six, as the tests' shop has it."""
ANNA = Order("1042", NOON, buyer_ref="anna", name="Anna", postcode="10115", country="DE", placed_at=NOON - DAY,
             parcels=(Shipment("RB123456785CN", shipped_at=NOON), Shipment("RB123456799CN")))  # fmt: skip
OLD = Order("900", NOON, buyer_ref="otto", postcode="20095", country="DE", placed_at=NOON - 60 * DAY,
            parcels=(Shipment("LX123456785CN", shipped_at=NOON - 50 * DAY),))  # fmt: skip


async def lived(house: Home) -> None:
    """Questions with and without a person, pushes that nobody asked for, and one of each thing that must not be."""
    await house.seed(ANNA, OLD)
    await house.say("where is my order 1042?")
    await house.say("10115")
    await house.say("thanks", chat="polite")
    await house.say("a person please", chat="ben")
    for n, chat in enumerate(("anna", "never-wrote")):
        to = house.address(chat)
        notice = Notice(f"n{n}", to, "shipped", f"{n}:shipped:1", UPDATES, {}, house.clock.now(),
                        house.clock.now() + DAY, order=1)  # fmt: skip
        await house.store.receive([Arrival("wismo", Item(notice.id, conversation_lane(to), codec.pack(notice)))])
    await house.work()
    house.clock.forward(30 * timedelta(minutes=1))
    await house.act("reply", "Mei", "Hello Ben", chat="ben")
    await house.work()
    await house.send()
    house.clock.forward(20 * HOUR)
    await house.act("resolve", "Mei", chat="ben")
    await house.work()
    await house.send()
    house.clock.forward(5 * DAY)
    await house.say("where is my order 1042?")
    await house.say("this parcel is lost, I want my money back", chat="cora")
    house.clock.forward(4 * DAY)
    await house.hear("where is it", chat="dora")
    for _ in range(MAX_ATTEMPTS):
        (claim,) = await house.store.claim(1)
        await house.store.fail(claim, "Refused: on purpose", 0.0)


def harmed(file: Path) -> None:
    """The bot says a thing twice in Anna's chat, and one thing in Ben's while Mei speaks."""
    with sqlite3.connect(file) as db:
        db.row_factory = sqlite3.Row
        last = dict(db.execute("SELECT * FROM outbox WHERE lane LIKE '%anna' ORDER BY id DESC LIMIT 1").fetchone())
        spoke = db.execute("SELECT at FROM case_event WHERE what = 'took'").fetchone()["at"]
        then = (datetime.fromisoformat(spoke) + HOUR).isoformat(sep=" ").replace("+00:00", "")
        ben = last["lane"].replace("anna", "ben")
        for changed in ({"key": "again"}, {"key": "over", "lane": ben, "chat": "ben", "created_at": then}):
            row = {k: v for k, v in (last | changed).items() if k != "id"}
            db.execute(f"INSERT INTO outbox ({','.join(row)}) VALUES ({','.join('?' * len(row))})", list(row.values()))
    db.close()


def at(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def business_hours(start: str, end: str) -> float:
    """By walking through every minute."""
    minute, last, open_minutes = at(start), at(end), 0
    while minute < last:
        local = minute.astimezone(ZONE)
        hours = OPEN.get(local.weekday())
        open_minutes += hours is not None and hours[0] <= local.hour < hours[1]
        minute += timedelta(minutes=1)
    return open_minutes / 60


async def test_each_figure_is_what_the_raw_rows_say(tmp_path: Path) -> None:
    async with sqlite_home(tmp_path) as house:
        await lived(house)
        now = house.clock.now()
        harmed(tmp_path / "wismo.db")
        since = now - 14 * DAY
        told = figures(await heard(house.store.database, since, now + HOUR), HOURS, ZONE, now)
    db = sqlite3.connect(tmp_path / "wismo.db")
    db.row_factory = sqlite3.Row
    sent = db.execute("SELECT coalesce(p.shipped_at, o.placed_at) FROM parcel p JOIN orders o ON o.id = p.order_id")
    assert told.parcels == sum(at(began) >= since for (began,) in sent) == 2

    begun: list[tuple[str, datetime]] = []
    latest: dict[str, datetime] = {}
    for row in db.execute("SELECT lane, received_at, body FROM inbox WHERE port = 'wire' AND state = 2 ORDER BY id"):
        when, text = at(row["received_at"]), json.loads(row["body"])["text"]
        if (row["lane"] not in latest or when - latest[row["lane"]] > DAY) and text != "thanks":
            begun.append((row["lane"].rpartition("/")[2], when))
        latest[row["lane"]] = when
    assert [chat for chat, _ in begun] == ["anna", "ben", "anna", "cora"], "pushes and thanks are no questions"
    assert told.contacts == len(begun)
    assert told.per_hundred == 100 * len(begun) / 2
    assert sum(n for n, _ in told.by_day.values()) == len(begun)

    own = db.execute("SELECT lane, received_at, body FROM inbox WHERE port = 'wismo'").fetchall()
    acts = [row for row in own if row["body"].startswith(b"StaffAct")]
    assert len(acts) == 2
    judged = [(chat, when) for chat, when in begun if now - when >= 72 * HOUR]
    alone = [
        (chat, when)
        for chat, when in judged
        if not any(a["lane"].endswith(chat) and when <= at(a["received_at"]) < when + 72 * HOUR for a in acts)
    ]
    assert (told.judged, told.alone) == (len(judged), len(alone)) == (4, 3)
    assert told.alone_share == 3 / 4

    cases = db.execute("SELECT kind, opened_at, answered_at, closed_at FROM cases").fetchall()
    first = [business_hours(c["opened_at"], c["answered_at"]) for c in cases if c["answered_at"]]
    ends = [business_hours(c["opened_at"], c["closed_at"]) for c in cases if c["closed_at"]]
    assert (told.cases, told.answered, told.resolved) == (len(cases), len(first), len(ends))
    assert told.reasons == Counter(c["kind"] for c in cases)
    limits = {"under 15 min": 0.25, "15 min to 1 h": 1, "1 to 4 h": 4, "4 to 8 h": 8, "8 to 24 h": 24, "over 24 h": 1e9}
    for counted, lengths in ((told.first_response, first), (told.resolve, ends)):
        found = Counter(next(name for name, most in limits.items() if length < most) for length in lengths)
        assert {name: n for name, n in counted.items() if n} == found
    assert told.first_median_hours == median_high(first)
    dead = db.execute("SELECT count(*) FROM inbox WHERE state = 3").fetchone()[0]
    assert (told.duplicates, told.lost, told.double_speakers) == (1, dead, 1)
    assert dead == 1
    db.close()
