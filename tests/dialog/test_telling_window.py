"""When it will come, as buyers are told: what the window rests on, and only after proof."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from bot.dialog.flows.status import where
from bot.dialog.telling import latest, order_facts, public_facts
from bot.dialog.turn import Desk, Dossier, Facts, Shop, Turn, Understanding
from bot.model.conversations import Conversation, Proof
from bot.model.messages import Address
from bot.model.orders import Order, Shipment
from bot.model.parcels import Parcel
from bot.model.tracks import OffsetFrom, Place, Scan, Status, Track, Window
from bot.store.orders import save_parcels
from bot.tracking import survival
from bot.tracking.eta import JOURNEY, Tables, chain
from bot.tracking.survival import Span
from tests.house import sqlite_home

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
SHOP = Shop("Lantern", "CN", "Asia/Shanghai", "en")
DESK = Desk(True, NOW, NOW, "")


def learned(now: datetime = NOW) -> Tables:
    keys, today = chain("yanwen", "CN", "DE"), now.date().toordinal()
    spans = [Span(keys, today - 30, today - 30 + days) for days in range(8, 28)]
    return Tables(now.date(), {JOURNEY: survival.fit(spans, today)})


def dossier(now: datetime = NOW, eta: Window | None = None, days: int = 5) -> Dossier:
    at = now - timedelta(days=days)
    scan = Scan("a", "took it", "", at, None, OffsetFrom.EXPLICIT, Status.ACCEPTED, place=Place("Yiwu", "CN"))
    track = Track("yanwen", "YW1", (scan,), origin="CN", destination="DE")
    parcel = Parcel(1, 1, "yanwen", "YW1", Status.ACCEPTED, "", track, eta, shipped_at=at, checked_at=now)
    order = Order("1042", now, placed_at=at, country="DE", email="anna@example.com", postcode="10115")
    return Dossier(1, 1, order, (parcel,))


def told(some: Dossier, tables: Tables, now: datetime = NOW) -> dict[str, object]:
    (parcel,) = order_facts(some, Facts(SHOP, DESK, tables=tables), now)["parcels"]
    return {k: v for k, v in parcel.items() if k in {"first", "last", "basis", "basis_n", "late", "again_last"}}


def test_without_a_carriers_date_the_lane_tells() -> None:
    found = told(dossier(), learned())
    assert (found["basis"], found["basis_n"], found["late"]) == ("lane", 20, False)
    assert found["first"] >= NOW.date()  # type: ignore[operator]
    assert told(dossier(), Tables()) == {}


def test_a_carriers_date_of_unknown_error_is_told_as_it_is() -> None:
    day = datetime(2026, 11, 8, tzinfo=ZoneInfo("Europe/Berlin"))
    found = told(dossier(eta=Window(day, day, "yanwen", NOW)), learned())
    assert found == {"first": day, "last": day, "basis": "carrier", "late": False}


def test_a_carriers_date_that_has_passed_is_answered_by_the_lane() -> None:
    day = datetime(2026, 10, 20, tzinfo=ZoneInfo("Europe/Berlin"))
    found = told(dossier(eta=Window(day, day, "yanwen", NOW), days=15), learned())
    assert found["late"]
    assert found["again_last"] > NOW.date()  # type: ignore[operator]


def test_a_carriers_moment_and_a_learned_day_can_be_compared() -> None:
    moment = datetime(2026, 11, 8, tzinfo=ZoneInfo("Europe/Berlin"))
    assert latest([moment, date(2026, 11, 9)]) == date(2026, 11, 9)
    assert latest([moment, date(2026, 11, 7)]) == moment


def test_a_number_alone_shows_no_window() -> None:
    (parcel,) = dossier().parcels
    assert public_facts(parcel, NOW).keys() <= {"tracking", "status", "day", "country"}


@pytest.mark.parametrize(
    ("locale", "words"),
    [("en", "based on 20 parcels"), ("de", "auf 20 Pakete"), ("ru", "о 20 посылках")],
)
async def test_the_answer_says_what_its_window_rests_on(tmp_path: Path, locale: str, words: str) -> None:
    async with sqlite_home(tmp_path) as house:
        now = house.clock.now()
        house.engine.house = replace(house.engine.house, tables=lambda: learned(now))
        some = dossier(now)
        order = replace(some.order, locale=locale, parcels=(Shipment("YW1", "yanwen", now - timedelta(days=5)),))
        await house.seed(order)
        ((row, _),) = await house.store.parcels_numbered("YW1")
        parcel = replace(some.parcels[0], id=row.id, order_id=row.order_id)
        await house.store.database.write(lambda c: save_parcels(c, [(parcel, None)]))
        asked = {"en": "where is my order 1042?", "de": "wo ist meine Bestellung 1042?", "ru": "где мой заказ 1042?"}
        first = await house.ask(asked[locale])
        assert words not in first
        assert words in await house.ask("anna@example.com")


@pytest.mark.parametrize(
    ("promised", "reassured"),
    [(None, True), (date(2026, 12, 20), True), (date(2026, 11, 10), False), (date(2026, 10, 31), False)],
)
def test_nothing_points_to_a_delay_only_where_the_shops_promise_holds(promised: date | None, reassured: bool) -> None:
    some = dossier()
    some = replace(some, order=replace(some.order, promised=promised))
    proved = Conversation(Address("test", "shop", "anna"), focus=1, proofs=(Proof("email", NOW, order=1),))
    worried = Understanding("is it lost?", (("stalled", 0.9),))
    facts = Facts(SHOP, DESK, {1: some}, tables=learned())
    said = where(Turn("1", proved, (), worried, facts, NOW), [some], worried=True)
    assert ("as_usual" in said.replies[0].facts) is reassured


def test_of_a_packet_that_is_not_scanned_all_the_way_nobody_says_that_it_moves() -> None:
    some = dossier()
    some = replace(some, parcels=(replace(some.parcels[0], carrier="ems", number="UA123456785CN"),))
    proved = Conversation(Address("test", "shop", "anna"), focus=1, proofs=(Proof("email", NOW, order=1),))
    facts = Facts(SHOP, DESK, {1: some}, tables=learned())
    asked = Turn("1", proved, (), Understanding("is it lost?", (("stalled", 0.9),)), facts, NOW)
    said = where(asked, [some], worried=True)
    assert "untracked" in said.replies[0].facts["parcels"][0]
    assert "as_usual" not in said.replies[0].facts
