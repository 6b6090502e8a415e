"""An order that is put off unread is one of which a whole look would have said nothing; and it is looked at again."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bot.model.tracks import Status, Window
from bot.proactive.announce import Rules, announce
from bot.proactive.expecting import Expectations
from bot.proactive.footing import Footing
from bot.proactive.skim import Skim
from bot.proactive.watching import Sight, Told, Watched
from bot.store import codec
from bot.tracking.eta import Tables, chain, rest
from bot.tracking.stages import Stage, Whereabouts
from bot.tracking.survival import Lanes, Span

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TODAY = NOW.date()
ORDER = Watched(7, "1042", country="DE", zone="Europe/Berlin", placed=NOW - 9 * DAY)
STATUSES = [Status.UNKNOWN, Status.LABEL_CREATED, Status.IN_TRANSIT, Status.CUSTOMS, Status.DELIVERED]
NOBODY: frozenset[str] = frozenset()


def learned(days: int) -> Tables:
    """Forty parcels that came so many days after they had left."""
    lanes = Lanes(TODAY.toordinal())
    start = TODAY.toordinal() - 100
    lanes.learn([Span(chain("dhl", "CN", "DE"), start + n, start + n + days) for n in range(40)])
    lanes.settle()
    return Tables(TODAY, {rest(Stage.TRANSIT): lanes})


def parcel(number: int = 1, **more: object) -> Sight:
    moved = NOW - DAY
    where = Whereabouts(Stage.TRANSIT, moved.date(), moved.date(), moved.date())
    found = Sight(
        number, "dhl", f"812000000{number}", Status.IN_TRANSIT, since=moved, seen=moved, handed=moved, moved=moved,
        shipped=moved, where=where, source="dhl", origin="CN",
    )  # fmt: skip
    return replace(found, **more)


class Desk:
    """What a look and a skim say of one order, by tables that can be others the next time."""

    def __init__(self, tables: Tables, rules: Rules = Rules()) -> None:  # noqa: B008 - frozen
        self.tables = tables
        self.rules = rules
        self.expectations = Expectations(lambda: self.tables, "CN")
        self.skim = Skim(self.expectations, rules, codec.reader(tuple[Footing, ...]))

    def look(self, order: Watched, parcels: list[Sight], told: Told | None, now: datetime) -> tuple[Told, bytes, bool]:
        """What is told after a look, on what it stands, and whether there was news."""
        before = told.parcels if told is not None else {}
        outlooks = {p.parcel: self.expectations.at_a_glance(order, p, before.get(p.parcel), now) for p in parcels}
        found = announce(order, parcels, told, outlooks, now, self.rules)
        assert found.told is not None
        news = found.told is not told or bool(found.pushes or found.cases or found.reasons)
        return found.told, codec.encode(found.stands) if found.stands else b"", news


def test_what_stands_as_it_did_is_put_off_and_its_like_with_it() -> None:
    desk = Desk(learned(20))
    _, stands, _ = desk.look(ORDER, [parcel()], None, NOW)
    _, alike, _ = desk.look(replace(ORDER, order=8, number="1043"), [parcel(2)], None, NOW)
    assert stands == alike
    assert desk.skim.settled(NOBODY, NOW) == set()
    assert not desk.skim.holds_news(stands, NOBODY, NOW + DAY)
    assert desk.skim.settled(NOBODY, NOW + DAY) == {alike}


def test_other_tables_are_found_out() -> None:
    desk = Desk(learned(20))
    _, stands, _ = desk.look(ORDER, [parcel()], None, NOW)
    assert not desk.skim.holds_news(stands, NOBODY, NOW + HOUR)
    desk.tables = learned(40)
    assert desk.skim.settled(NOBODY, NOW + HOUR) == set()
    assert desk.skim.holds_news(stands, NOBODY, NOW + HOUR)


def test_of_a_parcel_whose_feed_is_down_nothing_is_taken_for_settled() -> None:
    desk = Desk(learned(20))
    _, stands, _ = desk.look(ORDER, [parcel()], None, NOW)
    assert not desk.skim.holds_news(stands, NOBODY, NOW + HOUR)
    assert desk.skim.holds_news(stands, frozenset({"dhl"}), NOW + HOUR)
    assert not desk.skim.holds_news(stands, NOBODY, NOW + HOUR)


def test_an_order_that_was_not_sent_is_read_each_time() -> None:
    _, stands, _ = Desk(Tables()).look(ORDER, [], None, NOW)
    assert stands == b""


def test_a_parcel_that_waits_to_be_fetched_is_read_each_time() -> None:
    _, stands, _ = Desk(Tables()).look(ORDER, [parcel(status=Status.PICKUP_READY)], None, NOW)
    assert stands == b""


@given(
    states=st.lists(
        st.tuples(
            st.sampled_from(
                [Status.UNKNOWN, Status.LABEL_CREATED, Status.IN_TRANSIT, Status.CUSTOMS, Status.DELIVERED]
            ),
            st.sampled_from(["", "duty_due", "held"]),
            st.integers(0, 30),
            st.none() | st.integers(-5, 20),
        ),
        max_size=2,
    ),
    promised=st.none() | st.integers(-5, 30),
    lasts=st.tuples(st.integers(5, 40), st.integers(5, 40)),
    later=st.integers(0, 20),
    down=st.sampled_from([NOBODY, frozenset({"dhl"})]),
)
def test_a_look_at_what_was_put_off_would_have_found_nothing(
    states: list[tuple[Status, str, int, int | None]],
    promised: int | None,
    lasts: tuple[int, int],
    later: int,
    down: frozenset[str],
) -> None:
    order = replace(ORDER, promised=None if promised is None else TODAY + timedelta(days=promised))
    parcels = []
    for number, (status, cause, ago, given_day) in enumerate(states, 1):
        day: date = TODAY - timedelta(days=ago)
        window = Window(NOW, NOW + timedelta(days=given_day), "dhl") if given_day is not None else None
        where = Whereabouts(Stage.TRANSIT, day, day, day) if status is not Status.UNKNOWN else None
        parcels.append(parcel(number, status=status, cause=cause, where=where, window=window))
    desk = Desk(learned(lasts[0]))
    told, _, _ = desk.look(order, parcels, None, NOW)
    told, stands, _ = desk.look(order, parcels, told, NOW + HOUR)
    desk.tables = learned(lasts[1])
    now = NOW + timedelta(days=later)
    if not desk.skim.holds_news(stands, down, now):
        assert not desk.look(order, parcels, told, now)[2]
