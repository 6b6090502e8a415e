"""WhatsApp's approved templates come from the same files: what is submitted, and what is filled in."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from bot.approved import Approvals, body_faults, deviations
from bot.catalogue import Entry, read_catalogue
from bot.model.markup import plain
from bot.model.messages import Address, Approved, Reply
from bot.model.templates import Body, ListedTemplate
from bot.render import Renderer
from tests.house import TEMPLATES

RENDERER = Renderer([TEMPLATES], "en")
CATALOGUE = read_catalogue(TEMPLATES / "catalogue.yaml")
APPROVALS = Approvals(RENDERER, CATALOGUE)
MAPPED = [e for e in CATALOGUE.entries.values() if e.forms]
FIRST, LAST = datetime(2026, 11, 26, 23, 30, tzinfo=UTC), datetime(2026, 11, 29, 12, tzinfo=UTC)


def reply(template: str, locale: str = "en", **facts: Any) -> Reply:
    """A reply as the engine makes it."""
    return Reply(Address("whatsapp", "1", "2"), template, facts, "k", locale, "Europe/Berlin")


def filled(body: Body, approved: Approved) -> str:
    """What the platform shows: its text with the values in place."""
    text = body.text
    for name, value in approved.parameters:
        text = text.replace("{{" + name + "}}", value)
    return text


def test_a_body_is_the_template_with_placeholders() -> None:
    body = APPROVALS.body("stalled", "en")
    assert body.text.startswith(
        "There has been no news of your parcel for order {{number}} from {{carrier}} for {{silent_days}}, "
    )
    assert body.text.endswith("Reply STOP to stop these messages.")
    assert body.samples == (("number", "1042"), ("carrier", "DHL"), ("silent_days", "6 days"))
    assert (body.name, body.category, body.language) == ("wismo_stalled", "UTILITY", "en_US")


def test_the_values_are_what_the_template_prints_in_the_readers_zone() -> None:
    told = reply("shipped", "de", number="1042", carrier="dhl", tracking="RB1", first=FIRST, last=LAST)
    assert APPROVALS.form(told) == Approved(
        "wismo_shipped_window",
        "de",
        (
            ("number", "1042"),
            ("carrier", "DHL"),
            ("tracking", "RB1"),
            ("window", "zwischen Fr., 27. November und So., 29. November"),
        ),
    )


def test_the_fullest_form_whose_facts_are_known_is_taken() -> None:
    names = [
        getattr(APPROVALS.form(reply("order_confirmed", number="1", **more)), "name", None)
        for more in ({}, {"dispatch_by": FIRST.date()}, {"first": FIRST, "last": LAST}, {"first": FIRST})
    ]
    assert names == [
        "wismo_order_confirmed",
        "wismo_order_confirmed_dispatch",
        "wismo_order_confirmed_window",
        "wismo_order_confirmed",
    ]


@pytest.mark.parametrize("duties", ["seller", "buyer", "unknown"])
def test_who_pays_is_a_form_of_its_own(duties: str) -> None:
    form = APPROVALS.form(reply("customs_duty", number="1", carrier="dhl", duties=duties))
    assert form is not None
    assert form.name == "wismo_customs_duty" + ("" if duties == "unknown" else f"_{duties}")


def test_an_empty_fact_is_no_parameter_and_a_long_one_is_cut() -> None:
    facts = {"number": "1", "carrier": "dhl"}
    bare = APPROVALS.form(reply("pickup_ready", place="", **facts))
    full = APPROVALS.form(reply("pickup_ready", place="Shop " * 60, **facts))
    assert bare is not None
    assert full is not None
    assert bare.name == "wismo_pickup_ready"
    assert len(dict(full.parameters)["place"]) <= 120


def test_a_carriers_own_estimate_is_told_as_its_own() -> None:
    facts: dict[str, Any] = {"number": "1", "carrier": "dhl", "tracking": "RB1", "first": FIRST, "last": LAST}
    forms = [APPROVALS.form(reply("shipped", basis=basis, **facts)) for basis in ("carrier", "lane")]
    assert [f.name for f in forms if f] == ["wismo_shipped_window_carrier", "wismo_shipped_window"]
    body = APPROVALS.body("shipped", "en", "wismo_shipped_window_carrier")
    assert "The parcel should arrive {{window}}, by the carrier's estimate." in body.text


def test_a_carrier_that_is_not_known_is_called_the_carrier() -> None:
    form = APPROVALS.form(reply("out_for_delivery", number="1", carrier=""))
    assert form is not None
    assert form.parameters == (("number", "1"), ("carrier", "the carrier"))


def test_what_is_no_notice_has_no_form() -> None:
    assert APPROVALS.form(reply("where", number="1")) is None
    assert APPROVALS.form(reply("nowhere")) is None


def test_a_language_that_has_no_such_template_is_told_in_the_next_of_the_chain() -> None:
    form = APPROVALS.form(reply("out_for_delivery", "sv", number="1", carrier="ups"))
    assert form is not None
    assert form.language == "en_US"


@pytest.mark.parametrize("locale", RENDERER.locales)
@pytest.mark.parametrize("entry", MAPPED, ids=lambda e: e.name)
def test_filled_in_it_reads_as_the_free_text_does(entry: Entry, locale: str) -> None:
    for form in entry.forms:
        given = {**entry.always, **entry.sometimes}
        known = {fact: given[fact] for facts in form.parameters.values() for fact in facts}
        facts = {**known, **form.when, **({"stop_hint": True} if "stop_hint" in entry.sometimes else {})}
        one_day = {fact: facts[fact.replace("last", "first")] for fact in facts if fact.endswith("last")}
        for told in (replace(reply(entry.name, locale), facts={**facts, **days}) for days in ({}, one_day)):
            approved = APPROVALS.form(told)
            assert approved is not None
            assert filled(APPROVALS.body(entry.name, locale, approved.name), approved) == plain(RENDERER.text(told))


@pytest.mark.parametrize("locale", RENDERER.locales)
@pytest.mark.parametrize("entry", [e for e in MAPPED if "first" in {**e.always, **e.sometimes}], ids=lambda e: e.name)
def test_a_window_of_one_day_names_that_day_once(entry: Entry, locale: str) -> None:
    told = replace(reply(entry.name, locale), facts={**entry.always, "first": FIRST, "last": FIRST})
    approved = APPROVALS.form(told)
    assert approved is not None
    day = plain(RENDERER.printed("first|day", told))
    assert dict(approved.parameters)["window"].count(day) == 1
    assert dict(approved.parameters)["window"] != day


@pytest.mark.parametrize("locale", RENDERER.locales)
def test_the_platform_takes_every_body_of_a_language(locale: str) -> None:
    bodies = list(APPROVALS.bodies(locale))
    assert len({b.name for b in bodies}) == len(bodies)
    assert not [(b.name, fault) for b in bodies for fault in body_faults(b)]


GOOD = Body("wismo_x", "UTILITY", "en", "Order {{number}} is here.", (("number", "1042"),), ("Yes",))


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (replace(GOOD, name="Wismo-X"), "is no name"),
        (replace(GOOD, text="{{number}} is here."), "begins or ends"),
        (replace(GOOD, text="This is order {{number}}."), "begins or ends"),
        (replace(GOOD, text="It {{number}}: {{number}} is."), "twice"),
        (replace(GOOD, text="It {{number}}, {{carrier}} is.", samples=(("number", "1"), ("carrier", "x"))), "no word"),
        (replace(GOOD, text="It is {{carrier}} now."), "nobody gives"),
        (replace(GOOD, text="It is here."), "is not in the text"),
        (replace(GOOD, text="Order {{number}} 1042 came."), "too few words for its parameters: 2 of 3"),
        (replace(GOOD, samples=(("number", " "),)), "no example"),
        (replace(GOOD, text="a" * 950 + " {{number}} b"), "1024 fit"),
        (replace(GOOD, buttons=("x" * 26,)), "longer than 25"),
    ],
)
def test_what_the_platform_refuses_is_named(body: Body, fault: str) -> None:
    assert not list(body_faults(GOOD))
    assert any(fault in found for found in body_faults(body))


def test_no_notice_is_tried_for_longer_than_half_a_day() -> None:
    assert {b.tried for b in APPROVALS.bodies("en")} == {12 * 3600}
    there = ListedTemplate("wismo_x", "en", "APPROVED", "UTILITY", GOOD.text, GOOD.buttons, tried=3600)
    asked = replace(GOOD, tried=12 * 3600)
    (told,) = deviations([asked], [there])
    assert (told.what, told.detail) == ("tried", "WhatsApp tries to deliver it for 1 h and was asked for 12 h")
    assert not list(deviations([asked], [replace(there, tried=12 * 3600)]))
