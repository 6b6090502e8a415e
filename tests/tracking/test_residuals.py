"""The learned error of carriers' dates, on what is still open today."""

from bot.tracking.residuals import BEFORE, Given, Residuals, chain, fit

DHL = chain("dhl", "DE")
DAY = 740_000


def window(fitted: Residuals, date: int, today: int) -> tuple[int, ...]:
    ages = fitted.lanes.window(DHL, today - date + BEFORE)
    assert ages is not None
    return tuple(date - BEFORE + age for age in ages)


def test_the_error_is_learned_from_what_was_delivered() -> None:
    given = [Given(DHL, DAY - 40 + i, DAY - 35 + i, DAY - 33 + i) for i in range(30)]
    fitted = fit(given, DAY)
    assert window(fitted, DAY + 5, DAY)[1] == DAY + 7


def test_what_is_still_open_counts_as_watched() -> None:
    done = [Given(DHL, DAY - 40, DAY - 35, DAY - 35)] * 20
    waiting = [Given(DHL, DAY - 20, DAY - 15, None)] * 20
    with_open, without = fit(done + waiting, DAY), fit(done, DAY)
    assert window(with_open, DAY, DAY)[2] > window(without, DAY, DAY)[2]


def test_before_a_date_was_said_nobody_was_at_risk() -> None:
    late_word = fit([Given(DHL, DAY - 3, DAY - 2, DAY - 2)] * 50, DAY)
    assert late_word.lanes.hazard(DHL)[BEFORE - 10] <= late_word.lanes.hazard(())[BEFORE - 10]
    assert late_word.lanes.hazard(DHL)[BEFORE] > 0.9


def test_what_was_said_or_came_today_is_not_known_yet() -> None:
    assert fit([Given(DHL, DAY, DAY + 3, None)], DAY).lanes.faults == 1
    today = fit([Given(DHL, DAY - 5, DAY - 1, DAY)], DAY)
    assert today.lanes.tallies["dhl"].count == 0


def test_a_chain_is_as_long_as_what_is_known() -> None:
    assert DHL == ("", "dhl", "dhl:DE")
    assert chain("dhl", "") == ("", "dhl")
    assert chain("", "DE") == ("",)
