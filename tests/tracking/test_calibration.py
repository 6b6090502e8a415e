"""Calibration: only what was known counts, what is claimed is what came, and any sensible table can be read."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.tracking.calibration import Journey, Recent, Settings, calibrate, worst_month
from bot.tracking.history import Dates, columns, read
from bot.tracking.results import told
from bot.tracking.scores import Score, interval, pinball

DAY = 739_000


def history(count: int = 6000, days: int = 300, seed: int = 1, shift: float = 1.0) -> list[Journey]:
    """Lanes of different speed; the second half slower by `shift`."""
    rng = random.Random(seed)
    out = []
    for _ in range(count):
        start, lane = rng.randrange(days), rng.randrange(6)
        took = (6 + 2 * lane) * math.exp(rng.gauss(0, 0.35)) * (shift if start > days / 2 else 1.0)
        end = None if rng.random() < 0.01 else DAY + start + int(took)
        promise = DAY + start + 8 + 3 * lane
        out.append(Journey("handed", "", "SP", f"D{lane}", DAY + start, end, promise))
    return out


def test_windows_hold_what_they_name_on_a_quiet_history() -> None:
    report = calibrate(history())
    overall = report.overall
    assert overall.n > 2000
    assert 0.79 <= overall.in80 / overall.n <= 0.88
    assert 0.89 <= overall.in90 / overall.n <= 0.95
    assert abs(overall.in80 / overall.n - overall.due80 / overall.n) < 0.03
    assert overall.loss < report.everyone[0].loss
    for age in (7, 15):
        assert report.by_age[age].in80 / report.by_age[age].n >= 0.78


def test_the_future_teaches_nothing() -> None:
    """Whatever happens after a day, what was said until that day is the same."""
    calm, upset = history(), history(shift=3.0)
    half = DAY + 150
    first = [j for j in calm if j.start <= half]
    same = [j for j in upset if j.start <= half]
    assert first == same
    one, other = (calibrate(h, Settings(first=DAY + 61)).months for h in (calm, upset))
    early = sorted(one)[:2]
    assert [one[m] for m in early] == [other[m] for m in early]


def test_nothing_is_scored_before_there_is_a_history_nor_before_it_is_ripe() -> None:
    report = calibrate(history())
    assert report.first >= DAY + 60
    last = max(j.end or j.start for j in history())
    assert last - 75 <= report.last <= last - 60
    assert calibrate([]).overall.n == 0
    assert calibrate(history(20)).overall.n <= 20


def test_impossible_rows_are_counted_and_left_out() -> None:
    bad = Journey("handed", "", "A", "B", DAY + 9, DAY + 3, None)
    typo = Journey("handed", "", "A", "B", DAY + 9, DAY + 9000, None)
    future = Journey("handed", "", "A", "B", DAY + 9000, None, None)
    ancient = Journey("handed", "", "A", "B", 1, None, None)
    report = calibrate([*history(1500), bad, typo, future, ancient])
    assert report.faults == 4
    clean = calibrate(history(1500))
    assert abs(report.first - clean.first) + abs(report.last - clean.last) <= 10


def test_days_that_no_history_has_break_nothing() -> None:
    first, last = (Journey("handed", "", "", "", day, None, None) for day in (DAY - 200_000, DAY + 200_000))
    known = Journey("handed", "", "", "", DAY, DAY + 9, None)
    assert calibrate([first, last, known]).overall.n == 0
    assert calibrate([first]).overall.n == 0
    assert calibrate(history(), Settings(half_life=1)).overall.n > 0


def test_two_clocks_are_never_mixed() -> None:
    placed = [j._replace(kind="placed", start=j.start - 5) for j in history(2000, seed=2)]
    report = calibrate([*history(3000), *placed])
    assert report.overall.n > 1500
    assert 0.76 <= report.overall.in80 / report.overall.n <= 0.9


def test_the_plain_rival_forgets_after_sixty_days() -> None:
    recent = Recent()
    recent.turn(100, [5] * 10)
    assert recent.window(0) == (5, 5, 5, 5, 5)
    assert recent.window(6) is None
    recent.turn(160, [9])
    assert recent.window(0) == (9, 9, 9, 9, 9)


def test_a_young_lane_is_set_beside_its_parent() -> None:
    report = calibrate(history())
    for low, (mine, parents) in report.young.items():
        assert low in {0, 1, 5, 10}
        assert mine.n == parents.n


def test_results_have_their_stable_keys() -> None:
    values = told(read(["placed_at", "delivered_at"], []), calibrate(history()))
    assert values.keys() >= {"overall", "ages", "months", "lanes", "baselines", "history", "worst_month", "warnings"}
    assert values["ages"].keys() == {"0", "7", "15", "30"}
    assert values["overall"]["enough"]
    assert {"coverage80", "coverage80_ci", "coverage90", "width80", "pinball", "mae_p50"} <= values["overall"].keys()
    assert values["baselines"].keys() == {"global_60_days", "promise"}


def test_few_are_no_score() -> None:
    score = Score()
    score.add((1, 2, 3, 4, 5), 3)
    assert score.told() == {"n": 1, "enough": False}
    assert worst_month([("2026-01", score)], 100) is None


def test_pinball_and_interval_are_those_of_the_books() -> None:
    assert pinball(0.9, 10, 12) == pytest.approx(1.8)
    assert pinball(0.9, 10, 8) == pytest.approx(0.2)
    assert interval(80, 100) == pytest.approx((0.7112, 0.8666), abs=1e-4)
    assert interval(0, 0) == (0.0, 1.0)


# ---- reading tables --------------------------------------------------------------------------------------

HEADER = ["placed_at", "handed_at", "delivered_at", "promised_at", "origin", "destination", "service"]


@pytest.mark.parametrize(
    "written",
    [
        "2017-10-02 10:56:33",
        "2017-10-02T10:56:33.000Z",
        "2017-10-02T23:56:33-03:00",
        "2017-10-02",
        "2017/10/2",
        "20171002",
        "20171002T105633Z",
        "02/10/2017 10:56",
        "2.10.2017",
        "02-Oct-2017 10:56",
        "Oct 2, 2017",
        "Mon, 02 Oct 2017 10:56:33 GMT",
        "1506941793",
        "1506941793000",
        " 2017-10-02 00:00 ",
        "2017年10月2日 10:56",
        "43010",
        "43010.4559",
    ],
)
def test_a_day_is_read_however_it_is_written(written: str) -> None:
    assert Dates([written]).day(written) == 736_604


def test_whose_slashes_they_are_is_told_by_the_column() -> None:
    american = Dates(["10/02/2017", "10/25/2017"])
    assert american.day("10/02/2017") == 736_604
    assert Dates(["02/10/2017", "25/10/2017"]).day("02/10/2017") == 736_604


@pytest.mark.parametrize("written", ["", "null", "NaT", "NaN", "None", "0000-00-00 00:00:00"])
def test_nothing_is_read_as_nothing(written: str) -> None:
    assert Dates([written]).day(written) is None


def test_rows_that_cannot_be_read_cost_themselves_alone() -> None:
    found = read(
        HEADER,
        [
            ["2026-01-01", "2026-01-03", "2026-01-09", "2026-01-20", "SP", "RJ", "pac"],
            ["2026-01-01", "soon", "2026-01-09", "", "SP", "RJ", ""],
            ["", "", "2026-01-09", "", "SP", "RJ", ""],
            ["2026-01-01", "", "2026-01-09"],
            ["2026-02-31", "", "", "", "", "", ""],
            ["0001-01-01", "", "", "", "", "", ""],
            ["", "2999-12-31", "", "", "", "", ""],
        ],
    )
    assert (found.rows, found.unreadable, found.without_start) == (7, 4, 1)
    assert [j.kind for j in found.journeys] == ["handed", "placed"]
    assert found.journeys[0].service == "pac"
    assert found.journeys[1].origin == ""


def test_columns_may_be_missing_and_stand_anywhere() -> None:
    assert columns(["\ufeffDelivered At", "ORIGIN", "placed_at", "x"]) == {
        "delivered_at": 0,
        "origin": 1,
        "placed_at": 2,
    }
    with pytest.raises(ValueError, match="delivered_at"):
        columns(["placed_at"])
    with pytest.raises(ValueError, match="start"):
        columns(["delivered_at"])


@given(st.lists(st.lists(st.text(max_size=24), max_size=9), max_size=12))
def test_no_table_breaks_the_reader(rows: list[list[str]]) -> None:
    found = read(HEADER, rows)
    assert len(found.journeys) + found.unreadable + found.without_start == found.rows == len(rows)
