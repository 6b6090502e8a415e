"""What one parcel teaches, and that what was learned comes from parcels alone."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from bot.model.orders import Order
from bot.model.parcels import Parcel
from bot.model.tracks import OffsetFrom, Place, Scan, Status, Track, Window
from bot.tracking.eta import DISPATCH, JOURNEY, ORDERED, Basis, predict, quiet, rest, route_of
from bot.tracking.learning import Learner, Lesson, given_of, journey, life, spans_of
from bot.tracking.stages import Stage

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
SENT = datetime(2026, 10, 1, 4, tzinfo=UTC)


def scan(day: int, status: Status, country: str, cause: str = "") -> Scan:
    at = SENT + timedelta(days=day)
    place = Place(f"{country} {day}", country)
    return Scan("c", "t", "", at, None, OffsetFrom.EXPLICIT, status, cause, place)


def lesson(shift: int = 0, done: bool = True, number: str = "LX1", eta: Window | None = None) -> Lesson:
    scans = [
        scan(shift, Status.ACCEPTED, "CN"),
        scan(shift + 3, Status.DEPARTED_ORIGIN, "CN"),
        scan(shift + 9, Status.ARRIVED_DESTINATION, "DE"),
    ]
    if done:
        scans.append(scan(shift + 12, Status.DELIVERED, "DE"))
    track = Track("yanwen", number, tuple(scans), origin="CN", destination="DE")
    parcel = Parcel(1, 1, "yanwen", number, scans[-1].status, "", track, eta)
    return Lesson(parcel, "DE", SENT + timedelta(days=shift - 2), date(2026, 10, 20))


def kinds(some: Lesson) -> dict[str, list[tuple[int, int | None]]]:
    first = SENT.date().toordinal()
    found: dict[str, list[tuple[int, int | None]]] = {}
    for kind, span in spans_of(some, life(some, NOW, "CN", "Asia/Shanghai")):
        found.setdefault(kind, []).append((span.start - first, None if span.end is None else span.end - first))
    return found


def test_a_delivered_parcel_teaches_every_stage_it_passed() -> None:
    assert kinds(lesson()) == {
        DISPATCH: [(-2, 0)],
        ORDERED: [(-2, 12)],
        JOURNEY: [(0, 12)],
        rest(Stage.ORIGIN): [(0, 12)],
        rest(Stage.TRANSIT): [(3, 12)],
        rest(Stage.DESTINATION): [(9, 12)],
        quiet(Stage.ORIGIN): [(0, 3)],
        quiet(Stage.TRANSIT): [(3, 9)],
        quiet(Stage.DESTINATION): [(9, 12)],
    }


def test_an_open_parcel_is_watched_in_the_stage_it_is_in() -> None:
    found = kinds(lesson(done=False))
    assert found[JOURNEY] == [(0, None)]
    assert found[quiet(Stage.DESTINATION)] == [(9, None)]
    assert found[quiet(Stage.TRANSIT)] == [(3, 9)]


def test_an_order_that_was_not_sent_is_watched_for_its_dispatch() -> None:
    waiting = Lesson(None, "DE", SENT)
    assert kinds(waiting) == {DISPATCH: [(0, None)], ORDERED: [(0, None)]}
    assert kinds(Lesson(None, "DE", SENT, cancelled=True)) == {}


def test_a_date_said_before_the_delivery_teaches_its_error() -> None:
    said = Window(SENT + timedelta(days=10), SENT + timedelta(days=10), "x", SENT + timedelta(days=3))
    some = lesson(eta=said)
    (given,) = given_of(some, life(some, NOW, "CN", "Asia/Shanghai"))
    assert given.end is not None
    assert given.end - given.date == 2
    after = Window(said.first, said.last, "x", SENT + timedelta(days=12))
    late_word = lesson(eta=after)
    assert list(given_of(late_word, life(late_word, NOW, "CN", "Asia/Shanghai"))) == []


def test_a_line_of_a_history_counts_from_the_hand_over() -> None:
    found = journey(lesson(), NOW, "CN", "Asia/Shanghai")
    assert found is not None
    assert (found.kind, found.service, found.origin, found.destination) == ("handed", "yanwen", "CN", "DE")
    assert (found.end or 0) - found.start == 12
    assert journey(Lesson(None, "DE", SENT), NOW, "CN", "Asia/Shanghai") is None


def test_what_was_learned_predicts_the_next_parcel() -> None:
    learner = Learner(NOW, "CN", "Asia/Shanghai")
    learner.learn([lesson(shift, number=f"LX{shift}") for shift in range(14)])
    learner.learn([lesson(20, done=False, number="LX20")])
    tables = learner.tables()
    assert tables.on == date(2026, 11, 1)
    item = lesson(20, done=False).parcel
    assert item is not None
    route = route_of(item, Order("1", NOW, country="DE"), ZoneInfo("Europe/Berlin"), "CN")
    found = predict(item, route, NOW, tables)
    assert found is not None
    assert found.basis == Basis("lane", 14)
    # It came to its country on 30 October; the others took three days from there.
    assert found.p50 == date(2026, 11, 2)


def test_the_order_of_lessons_does_not_matter() -> None:
    some = [lesson(shift, done=shift % 3 > 0, number=f"LX{shift}") for shift in range(12)]
    one, other = Learner(NOW, "CN", "Asia/Shanghai"), Learner(NOW, "CN", "Asia/Shanghai")
    one.learn(some)
    for each in reversed(some):
        other.learn([each])
    keys = ("", "yanwen", "yanwen:DE", "yanwen:CN>DE")
    first, second = one.tables(), other.tables()
    assert [round(x, 9) for x in first.of(JOURNEY).curve(keys)] == [round(x, 9) for x in second.of(JOURNEY).curve(keys)]
