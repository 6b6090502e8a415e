"""The tables of `facts/eta.md`: its check values, its edge cases, and what must hold of any history."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.tracking.survival import DAYS, Lanes, Prior, Span, fit, prior_hazard

A = ("", "to:BR", "ems:CN>BR")
FR = ("", "to:FR")
XX = ("", "to:XX")
HISTORY = (
    Span(A, 70, 82),
    Span(A, 75, 90),
    Span(A, 80, 95),
    Span(A, 88, None),
    Span(FR, 90, 97),
    Span(FR, 99, None),
)
PRIOR = Prior(7, 14, 25)


def lanes() -> Lanes:
    return fit(HISTORY, 100, PRIOR)


def test_the_prior_hazard_is_that_of_the_facts() -> None:
    hazard = prior_hazard(PRIOR)
    assert [hazard[t] for t in (0, 7, 8, 14, 15, 120)] == pytest.approx(
        [0.013084, 0.013084, 0.080541, 0.080541, 0.136112, 0.136112], abs=5e-7
    )
    assert len(hazard) == DAYS


def test_the_tables_are_those_of_the_facts() -> None:
    tally = lanes().tallies["to:BR"]
    assert {a: w for a, w in enumerate(tally.ended) if w} == pytest.approx({12: 0.5, 15: 1.191192}, abs=5e-7)
    assert tally.open == {88: 1}


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (A, {7: 0.865478, 12: 0.621311, 15: 0.184272, 20: 0.088664}),
        (FR, {7: 0.735953, 12: 0.525139, 15: 0.192098, 20: 0.092429}),
        (XX, {7: 0.792982, 12: 0.565833, 15: 0.206984, 20: 0.099592}),
    ],
)
def test_survival_is_that_of_the_facts(keys: tuple[str, ...], expected: dict[int, float]) -> None:
    fitted = lanes()
    assert {t: fitted.survival(keys, t) for t in expected} == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize(
    ("age", "windows"),
    [
        (0, ((7, 15, 20), (7, 14, 20), (7, 15, 20))),
        (12, ((12, 15, 21), (12, 15, 23), (12, 15, 23))),
        (20, ((20, 24, 35), (20, 24, 35), (20, 24, 35))),
    ],
)
def test_windows_are_those_of_the_facts(age: int, windows: tuple[tuple[int, ...], ...]) -> None:
    assert tuple(lanes().window(keys, age) for keys in (A, FR, XX)) == windows


def test_late_risk_is_that_of_the_facts() -> None:
    fitted = lanes()
    assert [fitted.late_risk(k, 12, 20) for k in (A, FR, XX)] == pytest.approx([0.108859, 0.138041, 0.138041], abs=5e-7)
    assert [fitted.late_risk(k, 20, 20) for k in (A, FR, XX)] == pytest.approx([0.863888] * 3, abs=5e-7)


def test_the_first_stalled_day_is_that_of_the_facts() -> None:
    fitted = lanes()
    assert [next(d for d in range(DAYS) if fitted.stalled(k, d, 0.05)) for k in (A, FR, XX)] == [24, 25, 25]
    assert [fitted.borne(k, 0.05) for k in (A, FR, XX)] == [24, 25, 25]


def test_with_no_data_the_prior_speaks() -> None:
    assert fit((), 100, PRIOR).window(A, 0) == (7, 14, 25)
    assert fit((), 100).window((), 0) == (5, 12, 40)
    assert len(fit((), 100, Prior(5, 12, 400)).curve(A)) == DAYS


def test_equal_quantiles_are_nudged_apart() -> None:
    assert fit((), 100, Prior(3, 3, 3)).window(A, 0) == (3, 4, 5)
    with pytest.raises(ValueError, match="negative"):
        prior_hazard(Prior(-1, 3, 5))


def test_what_is_open_for_too_long_gets_no_window() -> None:
    assert lanes().window(A, DAYS) is None
    assert lanes().window(A, DAYS - 1) == (120, 120, 120)


def test_a_promise_beyond_the_tables_has_no_known_risk() -> None:
    assert lanes().late_risk(A, 3, DAYS - 1) is None
    assert lanes().late_risk(A, 3, 2) == 1.0


def test_spans_that_cannot_be_are_counted_and_left_out() -> None:
    fitted = fit([*HISTORY, Span(A, 90, 89), Span(A, 100, None), Span(A, 120, 130)], 100, PRIOR)
    assert fitted.faults == 3
    assert fitted.curve(A) == lanes().curve(A)


def test_an_end_of_today_or_later_is_not_known_yet() -> None:
    late = fit([*HISTORY[:3], Span(A, 88, 100), *HISTORY[4:5], Span(FR, 99, 140)], 100, PRIOR)
    assert late.curve(A) == lanes().curve(A)


def test_a_prior_of_the_chain_counts_like_a_parent() -> None:
    fitted = lanes()
    assert fitted.window(("sf:JP",), 0, prior=Prior(2, 3, 6)) == (2, 3, 6)
    assert fitted.window(("to:BR",), 0, prior=Prior(2, 3, 60)) != fitted.window(("to:BR",), 0)


def test_evidence_is_the_most_particular_key_that_has_seen_enough() -> None:
    fitted = lanes()
    assert fitted.evidence(A, 3) == ("ems:CN>BR", 2, 3)
    assert fitted.evidence(FR, 3) == ("", 0, 4)
    assert fitted.evidence(FR, 5) is None


SPANS = st.lists(
    st.builds(
        lambda keys, start, lasts: Span(keys, start, None if lasts is None else start + lasts),
        st.sampled_from([A, FR, ("",), ("", "to:BR", "dhl:CN>BR")]),
        st.integers(0, 140),
        st.none() | st.integers(0, 160),
    ),
    max_size=40,
)


@given(SPANS, st.integers(0, 150))
def test_curves_never_rise_and_windows_stay_within_the_age(spans: list[Span], age: int) -> None:
    fitted = fit(spans, 130)
    for keys in (A, FR, XX):
        curve = fitted.curve(keys)
        assert all(a <= b for a, b in pairwise(curve))
        assert curve[0] >= -1.0
        assert curve[-1] == 0.0
        window = fitted.window(keys, age)
        if age >= DAYS:
            assert window is None
        else:
            assert window is not None
            assert age <= window[0] <= window[1] <= window[2] < DAYS


@given(SPANS, st.integers(0, 118))
def test_waiting_never_brings_the_end_nearer(spans: list[Span], age: int) -> None:
    fitted = fit(spans, 130)
    for now, later in pairwise((fitted.window(A, age), fitted.window(A, age + 1))):
        assert now is not None
        assert later is not None
        assert all(a <= b for a, b in zip(now, later, strict=True))


@given(SPANS, st.integers(1, 60))
def test_day_by_day_gives_what_a_fit_at_once_gives(spans: list[Span], first: int) -> None:
    good = [s for s in spans if s.start < 130]
    grown = Lanes(first)
    for now in range(131):
        for s in good:
            if s.start == now - 1:
                grown.watch(s.keys, s.start)
            if s.end == now - 1:
                grown.close(s.keys, s.start, s.end)
        grown.turn(now)
    for keys in (A, FR, XX):
        assert grown.curve(keys) == pytest.approx(fit(spans, 130).curve(keys), abs=1e-9)
