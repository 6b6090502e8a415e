"""What words add to a code, and what they never do: `said.csv` holds sentences as carriers word them, written by us."""

import csv
from collections.abc import Callable
from pathlib import Path
from time import process_time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bot.model.tracks import OffsetFrom, Scan, Status
from bot.tracking.phrases import Rule, refine, rules
from bot.tracking.vocabulary import CAUSES, known, terminal

with Path(__file__).with_name("said.csv").open(encoding="utf-8") as file:
    SAID = [(row["code_says"], row["means"], row["text"]) for row in csv.DictReader(file)]
UNDELIVERED = Path(__file__).with_name("undelivered.txt").read_text(encoding="utf-8").splitlines()
"""Denials, plans, places on the way and returns, in thirteen languages."""
DELIVERED = Path(__file__).with_name("delivered.txt").read_text(encoding="utf-8").splitlines()
"""Deliveries, some of which name a failure before."""
AROUND = st.sampled_from(["{}", "{}.", "{}!", "  {}", "BERLIN: {}", "{} [2026-11-24 10:00]", "【北京】{}", "1/2 {}"])
SPELT = st.sampled_from([str, str.upper, str.lower, str.title])
TEXTS = st.sampled_from([text for _, _, text in SAID] + UNDELIVERED + DELIVERED) | st.text(max_size=40)


def scan(status: str, text: str, cause: str = "") -> Scan:
    return Scan("X", text, "", None, None, OffsetFrom.UNKNOWN, Status(status), cause)


@pytest.mark.parametrize(("code", "means", "text"), SAID)
def test_a_sentence_means_what_it_says(code: str, means: str, text: str) -> None:
    # `unknown` is a code that no table has.
    read = refine(replace(scan(code, text), known=code != "unknown"))
    assert f"{read.status.value}/{read.cause}".rstrip("/") == means


@pytest.mark.parametrize("text", sorted({text for _, _, text in SAID}))
def test_no_sentence_delivers_returns_or_loses_what_a_code_did_not(text: str) -> None:
    for status in set(Status) - {Status.DELIVERED}:
        read = refine(scan(status, text))
        assert read.status is status or not terminal(read.status, read.cause)


def test_no_denial_plan_or_place_on_the_way_is_a_delivery() -> None:
    assert not [text for text in UNDELIVERED if refine(scan("delivered", text)).status is Status.DELIVERED]


def test_a_code_written_as_words_is_read_where_no_table_and_no_text_tell() -> None:
    bare = scan("unknown", "")
    read = refine(replace(bare, raw_code="OUT_FOR_DELIVERY", known=False))
    assert read.status is Status.OUT_FOR_DELIVERY
    assert refine(replace(bare, raw_code="OUT_FOR_DELIVERY")).status is Status.UNKNOWN
    assert refine(replace(bare, raw_code="DELIVERED", known=False)).status is Status.UNKNOWN


@pytest.mark.parametrize("word", ["deliver", "return", "вручен", "zoll", "douan"])
def test_letters_without_an_end_are_no_word_and_cost_nothing(word: str) -> None:
    endless = (word * 300)[:1990]
    assert refine(scan("delivered", f"Delivered {endless}")).status is Status.DELIVERED
    assert refine(scan("delivered", f"Not delivered {endless}")).status is Status.DELIVERY_ATTEMPTED
    took = []
    for status in ("delivered", "unknown", "in_transit"):
        before = process_time()
        refine(scan(status, endless))
        took.append(process_time() - before)
    # Tried from each of its places, such a word takes up to 65 ms.
    assert max(took) < 0.04


@given(st.sampled_from(UNDELIVERED), AROUND, SPELT, st.sampled_from(["", "signed", "safe_place", "damaged"]))
def test_no_code_delivers_against_its_words(text: str, around: str, spelt: Callable[[str], str], cause: str) -> None:
    assert refine(scan("delivered", spelt(around.replace("{}", text)), cause)).status is not Status.DELIVERED


@pytest.mark.parametrize("text", DELIVERED)
def test_a_delivery_that_tells_how_it_came_about_stays_one(text: str) -> None:
    assert refine(scan("delivered", text)).status is Status.DELIVERED


@given(TEXTS)
def test_an_unknown_code_neither_delivers_nor_frightens(text: str) -> None:
    for status in (Status.UNKNOWN, Status.IN_TRANSIT):
        read = refine(replace(scan(status, text), known=False))
        assert read.status not in {Status.DELIVERED, Status.RETURNING, Status.RETURNED, Status.EXCEPTION}


STEMMED = sorted(
    {rule.pattern.pattern: rule for some in rules().values() for rule in some if rule.stems}.values(),
    key=lambda rule: rule.pattern.pattern,
)


def has_stem(rule: Rule, text: str) -> bool:
    return any(stem in text for stem in rule.stems)


def test_whatever_a_pattern_meets_has_one_of_its_stems() -> None:
    texts = {text.lower() for _, _, text in SAID} | {text.lower() for text in UNDELIVERED + DELIVERED}
    for rule in STEMMED:
        met = [text for text in texts if rule.pattern.search(text)]
        assert all(has_stem(rule, text) for text in met), (rule.pattern.pattern, rule.stems)


@pytest.mark.slow
def test_and_so_has_whatever_it_could_meet() -> None:
    for rule in STEMMED:

        @settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.from_regex(rule.pattern), st.just(rule))
        def every(text: str, rule: Rule) -> None:
            assert has_stem(rule, text) or not rule.pattern.search(text)

        every()


def test_words_that_lead_in_a_circle_change_nothing() -> None:
    text = "Delivery not attempted - unable to deliver today, not delivered: weather delay"
    for status in (Status.DELIVERY_ATTEMPTED, Status.EXCEPTION):
        read = refine(scan(status, text))
        assert refine(read) == read


@given(st.lists(TEXTS, min_size=2, max_size=4).map("; ".join), st.sampled_from(list(Status)))
def test_sentences_run_together_settle_too(text: str, status: Status) -> None:
    for known_ in (True, False):
        read = refine(replace(scan(status, text), known=known_))
        assert refine(read) == read


@given(TEXTS, st.sampled_from([(s, c) for s, causes in CAUSES.items() for c in causes]))
def test_any_code_with_any_words_stays_in_the_vocabulary_and_settles(text: str, said: tuple[Status, str]) -> None:
    read = refine(scan(said[0], text, said[1]))
    assert known(read.status, read.cause)
    assert refine(read) == read


def test_signed_with_a_cause_can_be_at_a_station_too_but_collected_is_collected() -> None:
    assert refine(scan("delivered", "已签收，签收人：菜鸟驿站", "signed")).status is Status.PICKUP_READY
    assert refine(scan("delivered", "Delivered to parcel locker", "collected")).status is Status.DELIVERED
    kept = refine(scan("delivered", "Delivered, front door", "signed"))
    assert (kept.status, kept.cause) == (Status.DELIVERED, "signed")


def test_customs_that_holds_for_something_says_for_what() -> None:
    for text, cause in [
        ("Clearance delay: documents required by customs", "info_required"),
        ("Held by customs: duties and taxes unpaid", "duty_due"),
        ("Clearance delay", "held"),
        ("Cleared customs", "held"),
    ]:
        assert refine(scan("customs", text, "held")).cause == cause
    assert refine(scan("customs", "Clearance information required", "released")).cause == "released"


def test_one_code_for_papers_and_duty_is_told_apart_by_its_words() -> None:
    for text, cause in [
        ("Held by customs: import duty to be paid by the recipient", "duty_due"),
        ("Held by customs: commercial invoice required", "info_required"),
        ("Customs clearance completed", "info_required"),
        ("", "info_required"),
    ]:
        assert refine(scan("customs", text, "info_required")).cause == cause
