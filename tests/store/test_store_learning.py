"""What is read to learn from, and the tables of a process, on both databases."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec.structs import replace
from sqlalchemy import update

from bot.forecast import Forecast
from bot.model.clock import Clock
from bot.model.orders import Order, Shipment
from bot.model.tracks import OffsetFrom, Place, Scan, Status, Track
from bot.store import Store
from bot.store.orders import save_parcels
from bot.store.tables import ForecastRow, Parcel, core
from bot.tracking.eta import DISPATCH, JOURNEY, chain
from bot.tracking.learning import Lesson
from bot.tracking.timeline import apply


def track(number: str, begun: datetime, days: int) -> Track:
    first = Scan("a", "took it", "", begun, None, OffsetFrom.EXPLICIT, Status.ACCEPTED, place=Place("X", "CN"))
    last = replace(first, raw_text="gave it", at=begun + timedelta(days=days), status=Status.DELIVERED)
    return Track("yanwen", number, (first, last), origin="CN", destination="DE")


async def fill(store: Store, count: int) -> None:
    now = store.clock.now()
    for n in range(count):
        placed = now - timedelta(days=30 + n)
        order = Order(f"{n}", now, placed_at=placed, country="DE", parcels=(Shipment(f"LX{n}", "yanwen", placed),))
        await store.save_orders([(order, "")])
        ((parcel, _),) = await store.parcels_numbered(f"LX{n}")
        fresh, _ = apply(parcel, track(f"LX{n}", placed + timedelta(days=1), 9), now)
        await store.database.write(lambda c, p=fresh: save_parcels(c, [(p, None)]))  # type: ignore[misc]
    await store.save_orders([(Order("waiting", now, placed_at=now - timedelta(days=2), country="DE"), "")])


async def read(store: Store, since: datetime | None, limit: int) -> list[Lesson]:
    return [lesson async for page in store.lessons(since, limit) for lesson in page]


async def test_every_parcel_is_read_once_whatever_the_page(store: Store) -> None:
    await fill(store, 7)
    for limit in (1, 3, 8, 100):
        lessons = await read(store, None, limit)
        assert len(lessons) == 8
        numbers = {lesson.parcel.number for lesson in lessons if lesson.parcel is not None}
        assert numbers == {f"LX{n}" for n in range(7)}
    assert all(lesson.country == "DE" for lesson in lessons)


async def test_what_is_too_old_is_left_out(store: Store) -> None:
    await fill(store, 7)
    lessons = await read(store, store.clock.now() - timedelta(days=33, hours=1), 3)
    assert len(lessons) == 5


async def test_the_tables_are_fitted_once_a_business_day(store: Store) -> None:
    await fill(store, 12)
    forecast = Forecast(store, store.clock, "CN", "Asia/Shanghai")
    assert forecast.tables.of(JOURNEY).evidence(("",), 1) is None
    assert await forecast.refresh()
    assert not await forecast.refresh()
    seen = forecast.tables.of(JOURNEY).evidence(("", "yanwen"), 10)
    assert seen is not None
    assert seen.ended == 12
    assert forecast.tables.of(DISPATCH).window(chain("", "CN", "DE"), 0) is not None
    before = forecast.tables
    store.clock.forward(timedelta(days=1))
    assert await forecast.refresh()
    assert forecast.tables is not before


async def test_an_empty_shop_has_tables_that_know_nothing(store: Store) -> None:
    forecast = Forecast(store, Clock(), "CN", "Asia/Shanghai")
    assert await forecast.refresh()
    assert forecast.tables.lanes == {}


async def test_another_process_and_the_next_start_take_over_what_was_learned(store: Store) -> None:
    await fill(store, 12)
    first = Forecast(store, store.clock, "CN", "Asia/Shanghai")
    assert await first.refresh()
    lane = chain("yanwen", "CN", "DE")

    async def read_again() -> None:
        raise AssertionError("the second start must read nothing but the tables")

    second = Forecast(store, store.clock, "CN", "Asia/Shanghai")
    assert not second.known
    assert await second.refresh(read_again)
    assert second.known
    for kind in first.tables.lanes:
        for age in (0, 3, 8):
            assert second.tables.of(kind).window(lane, age) == first.tables.of(kind).window(lane, age)
        assert second.tables.of(kind).evidence(lane, 1) == first.tables.of(kind).evidence(lane, 1)
    assert second.tables.residuals.lanes.curve(("",)) == first.tables.residuals.lanes.curve(("",))


async def test_while_one_process_learns_the_others_go_on_with_what_they_know(store: Store) -> None:
    await fill(store, 12)
    one, two = (Forecast(store, store.clock, "CN", "Asia/Shanghai") for _ in range(2))
    seen: list[bool] = []

    async def meanwhile() -> None:
        seen.append(await two.refresh())

    assert await one.refresh(meanwhile)
    assert seen == [False]
    assert await two.refresh()
    assert two.tables.on == one.tables.on


async def test_yesterdays_tables_serve_until_todays_are_learned(store: Store) -> None:
    await fill(store, 12)
    assert await Forecast(store, store.clock, "CN", "Asia/Shanghai").refresh()
    store.clock.forward(timedelta(days=1))
    later = Forecast(store, store.clock, "CN", "Asia/Shanghai")
    served: list[bool] = []

    async def pause() -> None:
        served.append(later.known)

    assert await later.refresh(pause)
    assert served == [True]
    assert later.tables.on == store.clock.now().astimezone(ZoneInfo("Asia/Shanghai")).date()


async def test_a_parcel_that_cannot_be_read_costs_its_own_lesson(store: Store) -> None:
    await fill(store, 12)
    broken = update(core(Parcel)).values(track=b"{").where(core(Parcel).c.id == 3)
    await store.database.write(lambda c: c.execute(broken))
    forecast = Forecast(store, store.clock, "CN", "Asia/Shanghai")
    assert await forecast.refresh()
    assert forecast.known
    seen = forecast.tables.of(JOURNEY).evidence(("", "yanwen"), 10)
    assert seen is not None
    assert seen.ended == 11


async def test_tables_of_another_version_are_learned_anew(store: Store) -> None:
    await fill(store, 12)
    assert await Forecast(store, store.clock, "CN", "Asia/Shanghai").refresh()
    await store.database.write(lambda c: c.execute(update(core(ForecastRow)).values(tables=b'{"lanes": 1}')))
    fresh = Forecast(store, store.clock, "CN", "Asia/Shanghai")
    assert await fresh.refresh()
    assert fresh.tables.of(JOURNEY).evidence(("", "yanwen"), 10) is not None
