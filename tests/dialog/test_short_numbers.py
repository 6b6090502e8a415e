"""A small shop's orders have one or two digits: taken where they are called a number, and not out of any sentence."""

import pytest

from bot.dialog.entities import entities
from tests.house import LEXICON


def orders(text: str, *, asked: bool = False) -> list[str]:
    found, _ = entities(text, LEXICON, asked=asked)
    return [e.value for e in found if e.kind == "order"]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("where is order 42?", "42"),
        ("where is order 42? 50667", "42"),
        ("order 7 80331", "7"),
        ("order 7, postcode 80331", "7"),
        ("where is my order number 7? postcode 80331", "7"),
        ("order no. 42 has not come", "42"),
        ("#42 50667", "42"),
        ("where is #7", "7"),
        ("Wo ist meine Bestellung 42?", "42"),
        ("Bestellnummer 7 ist nicht da", "7"),
        ("номер заказа 42", "42"),
        ("订单号42", "42"),
        ("order A7?", "A7"),
    ],
)
def test_a_short_number_that_is_named_is_an_orders(text: str, number: str) -> None:
    assert orders(text) == [number]


@pytest.mark.parametrize(
    "text",
    [
        "my order is 2 weeks late",
        "I want to order 2 more lamps",
        "order from 24.11.2026",
        "my order of 2 lamps",
        "my order ps5 has not arrived",
        "I ordered 3 days ago",
        "order 10,50 EUR",
        "wait 5 days",
        "7",
    ],
)
def test_a_short_number_that_is_not_named_is_none(text: str) -> None:
    assert orders(text) == []


@pytest.mark.parametrize("text", ["7", "42", "it is 42", "42, 50667", "42 50667", "A7"])
def test_whoever_was_just_asked_for_the_number_may_give_it_bare(text: str) -> None:
    assert orders(text, asked=True) in (["42"], ["7"], ["A7"])


def test_even_then_an_amount_is_no_number() -> None:
    assert orders("I have waited 2 weeks", asked=True) == []
