"""The report's figures, by hand: what counts as a question, as the bot alone, as two voices."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from bot.handoff.figures import Heard, Said, Step, Ticket, Turn, figures
from tests.house import HOURS, NOON

ZONE = ZoneInfo("Asia/Shanghai")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BEGAN = NOON - 10 * DAY


def made(**more: object) -> Heard:
    values = {"since": NOON - 28 * DAY, "until": NOON, "parcels": 200} | more
    return Heard(**values)  # type: ignore[arg-type]


def test_a_question_is_what_is_written_until_a_day_of_silence_and_thanks_is_none() -> None:
    turns = [
        Turn("c/a", BEGAN, ("where",)),
        Turn("c/a", BEGAN + HOUR, ("customs",)),
        Turn("c/a", BEGAN + HOUR + DAY + HOUR, ("where",)),
        Turn("c/b", BEGAN, ("thanks",)),
    ]
    found = figures(made(turns=turns), HOURS, ZONE, NOON)
    assert (found.contacts, found.per_hundred) == (2, 1.0)
    assert sum(all_of for all_of, _ in found.by_day.values()) == 2


def test_the_bot_was_alone_where_nobody_acted_in_72_hours_and_young_questions_are_not_judged() -> None:
    turns = [Turn(f"c/{lane}", BEGAN, ("where",)) for lane in "abc"] + [Turn("c/d", NOON - DAY, ("where",))]
    steps = [
        Step("c/a", BEGAN + 71 * HOUR, "reply", "Mei"),
        Step("c/b", BEGAN + 73 * HOUR, "reply", "Mei"),
        Step("c/c", BEGAN, "opened", "bot"),
    ]
    found = figures(made(turns=turns, steps=steps), HOURS, ZONE, NOON)
    assert (found.judged, found.alone) == (3, 2)
    assert found.alone_share == 2 / 3


def test_times_run_in_business_hours() -> None:
    evening = NOON.replace(hour=9, minute=50)  # 17:50 in Shanghai, ten minutes before closing
    next_day = evening + 15 * HOUR + timedelta(minutes=20)  # 09:10 on the day after
    found = figures(made(tickets=[Ticket("human", evening, next_day, evening + 30 * DAY)]), HOURS, ZONE, NOON)
    assert found.first_response["15 min to 1 h"] == 1
    assert found.resolve["over 24 h"] == 1
    assert found.reasons == {"human": 1}
    assert found.first_median_hours is not None
    assert round(found.first_median_hours * 60) == 20


def test_two_voices_are_found_and_what_was_written_before_is_none() -> None:
    steps = [
        Step("c/a", BEGAN, "took", "Mei"),
        Step("c/a", BEGAN + HOUR, "resolved", "Mei"),
        Step("c/b", BEGAN, "took", "Lee"),
    ]
    said = [
        Said("c/a", "1", BEGAN - HOUR),
        Said("c/a", "2", BEGAN + HOUR / 2),
        Said("c/a", "3", BEGAN + HOUR),
        Said("c/b", "4", BEGAN + 2 * HOUR),
        Said("c/c", "5", BEGAN),
    ]
    assert figures(made(steps=steps, said=said), HOURS, ZONE, NOON).double_speakers == 2


def test_the_same_words_again_are_doubled_unless_the_buyer_said_something_in_between() -> None:
    said = [Said("c/a", "Hello", BEGAN + n * HOUR) for n in (1, 3)]
    assert figures(made(said=said), HOURS, ZONE, NOON).duplicates == 1
    asked = [Turn("c/a", BEGAN + 2 * HOUR, ("where",))]
    assert figures(made(said=said, turns=asked), HOURS, ZONE, NOON).duplicates == 0


def test_a_shop_without_a_parcel_has_no_rate() -> None:
    found = figures(made(parcels=0), HOURS, ZONE, NOON)
    assert (found.per_hundred, found.alone_share, found.first_median_hours) == (None, None, None)
