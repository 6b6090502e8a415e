"""How words become a message: dates, plurals, lists and directions of each language, and values that stay values."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from bot.errors import Refused
from bot.model.markup import plain
from bot.model.messages import Address, Limits, Option, Reply
from bot.render import Renderer
from tests.house import TEMPLATES

RENDERER = Renderer([TEMPLATES], "en")
ALL = ("ar", "de", "en", "es", "fr", "it", "ja", "ko", "pl", "pt", "ru", "tr", "zh")
MORNING = datetime(2026, 11, 26, 8, 5, tzinfo=UTC)


def said(template: str, locale: str, zone: str = "Europe/Berlin", **facts: Any) -> str:
    """A reply as a person reads it."""
    return plain(RENDERER.text(Reply(Address("t", "", ""), template, facts, "k", locale, zone)))


def printed(expression: str, locale: str, **facts: Any) -> str:
    """What a template prints for an expression."""
    reply = Reply(Address("t", "", ""), "thanks", facts, "k", locale, "Europe/Berlin")
    return plain(RENDERER.printed(expression, reply))


def test_all_thirteen_languages_are_there() -> None:
    assert RENDERER.locales == ALL


@pytest.mark.parametrize(
    ("locale", "day"),
    [
        ("en", "Thu, Nov 26"),
        ("es", "jue, 26 de noviembre"),
        ("pt", "qui., 26 de novembro"),
        ("fr", "jeu. 26 novembre"),
        ("de", "Do., 26. November"),
        ("it", "gio 26 novembre"),
        ("ru", "чт, 26 ноября"),
        ("pl", "czw., 26 listopada"),
        ("tr", "26 Kasım Per"),
        ("ar", "الخميس، 26 نوفمبر"),
        ("zh", "11月26日周四"),
        ("ja", "11月26日（木）"),
        ("ko", "11월 26일 (목)"),
    ],
)
def test_a_day_is_said_as_the_language_says_it_and_ends_no_sentence_with_two_dots(locale: str, day: str) -> None:
    assert printed("day|day", locale, day=date(2026, 11, 26)) == day
    assert not day.endswith(".")


@pytest.mark.parametrize(
    ("locale", "moment"),
    [
        ("en", "Thu, Nov 26 at 9:05\u202fAM"),
        ("de", "Do., 26. November, 09:05 Uhr"),
        ("ar", "الخميس، 26 نوفمبر الساعة 9:05 ص"),
        ("zh", "11月26日周四 09:05"),
        ("ja", "11月26日（木）9:05"),
        ("ko", "11월 26일 (목) 오전 9:05"),
    ],
)
def test_a_moment_is_joined_as_the_language_joins_it(locale: str, moment: str) -> None:
    assert printed("at|moment", locale, at=MORNING) == moment


def test_a_day_is_told_in_the_readers_zone() -> None:
    late = datetime(2026, 11, 26, 23, 30, tzinfo=UTC)
    facts = {"number": "1042", "first": late, "last": late}
    assert "Thu, Nov 26" in said("estimate", "en", "America/New_York", **facts)
    assert "Fri, Nov 27" in said("estimate", "en", "Asia/Tokyo", **facts)


@pytest.mark.parametrize(
    ("locale", "counted"),
    [
        ("en", ["1 day", "2 days", "5 days", "22 days"]),
        ("ru", ["1 день", "2 дня", "5 дней", "22 дня"]),
        ("pl", ["1 dzień", "2 dni", "5 dni", "22 dni"]),
        ("ar", ["يوم واحد", "يومان", "5 أيام", "22 يومًا"]),
        ("ja", ["1日間", "2日間", "5日間", "22日間"]),
        ("tr", ["1 gün", "2 gün", "5 gün", "22 gün"]),
    ],
)
def test_days_are_counted_in_the_plural_forms_of_the_language(locale: str, counted: list[str]) -> None:
    found = [printed('n|counted("days")', locale, n=n).strip("\u2068\u2069") for n in (1, 2, 5, 22)]
    assert found == counted


@pytest.mark.parametrize(
    ("locale", "listed"),
    [
        ("en", "A, B, and C"),
        ("de", "A, B und C"),
        ("ja", "A、B、C"),
        ("zh", "A、B和C"),
        ("ar", "\u2068A\u2069 و\u2068B\u2069 و\u2068C\u2069"),
    ],
)
def test_things_are_joined_as_the_language_joins_them(locale: str, listed: str) -> None:
    assert printed("things|listed", locale, things=["A", "B", "C"]) == listed


def test_a_country_has_its_name_and_an_unknown_code_stays() -> None:
    assert printed("c|land", "pl", c="DE") == "Niemcy"
    assert printed("c|land", "ja", c="XQ") == "XQ"


def test_latin_inside_arabic_keeps_its_own_direction() -> None:
    text = said("shipped", "ar", number="1042", carrier="dhl", tracking="RB123456785CN")
    assert "\u2068RB123456785CN\u2069" in text
    assert "\u2068DHL\u2069" in text
    assert printed("things|listed", "ar", things=["Scarf"]) == "\u2068Scarf\u2069"
    assert "\u2068" not in said("shipped", "en", number="1042", carrier="dhl", tracking="RB123456785CN")


def test_a_value_never_becomes_a_link_or_markup() -> None:
    text = RENDERER.text(
        Reply(Address("t", "", ""), "pickup_ready", _place("see evil.example <b>x</b>"), "k", "en", "UTC")
    )
    assert "evil.\u2060example" in text
    assert "&lt;b&gt;x" in text
    assert "例子.\u2060中国" in RENDERER.text(
        Reply(Address("t", "", ""), "pickup_ready", _place("例子.中国"), "k", "en", "UTC")
    )


def _place(place: str) -> dict[str, Any]:
    return {"number": "1042", "carrier": "dhl", "place": place}


@pytest.mark.parametrize("locale", ALL)
def test_a_window_of_one_day_names_it_once(locale: str) -> None:
    day = printed("day|day", locale, day=MORNING)
    assert said("estimate", locale, number="1042", first=MORNING, last=MORNING).count(day) == 1
    assert "140" in said("estimate", locale, number="1042", first=MORNING, last=MORNING, basis="lane", basis_n=140)


@pytest.mark.parametrize("locale", ALL)
def test_the_way_to_stop_is_told_only_where_it_is_asked_for(locale: str) -> None:
    stop = RENDERER.phrase("notice", "stop", locale)
    facts = {"number": "1042", "carrier": "dhl"}
    assert stop not in said("out_for_delivery", locale, **facts)
    assert said("out_for_delivery", locale, stop_hint=True, **facts).endswith(stop)


@pytest.mark.parametrize("locale", ALL)
def test_a_carrier_without_a_name_is_still_said_in_whole_sentences(locale: str) -> None:
    nameless = RENDERER.phrase("carrier", "nobody", locale)
    assert nameless in said("out_for_delivery", locale, number="1042", carrier="nobody")


def test_a_message_that_must_ask_for_the_number_alone_lists_its_choices_as_text() -> None:
    """WhatsApp's contact request carries no buttons; what it offers beside can still be typed."""
    asking = Reply(
        Address("t", "", ""), "ask_order", {}, "k", "en", options=(Option("i:human", phrase="human"),), ask_contact=True
    )
    alone = Limits(text=4096, caption=0, buttons=3, button_title=20, ask_contact=True, contact_alone=True)
    (message,) = RENDERER.render(asking, alone, 0)
    assert (message.choices, bool(message.ask_contact)) == ((), True)
    assert message.text.endswith("1. Talk to a person")
    (both,) = RENDERER.render(asking, replace(alone, contact_alone=False), 0)
    assert (len(both.choices), bool(both.ask_contact)) == (1, True)


FACTS = {"name": "Anna", "last": date(2026, 12, 4), "items": [{"title": "Lamp", "quantity": 2}], "scan": None}


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("Hello {{ name or 'there' }}, by {{ last | day }}.", "Hello Anna, by Fri, Dec 4."),
        (
            "{% for i in items %}{{ i.quantity }} × {{ i.title }}{% if not loop.last %}, {% endif %}{% endfor %}",
            "2 × Lamp",
        ),
        ("{% if scan %}{{ scan }}{% else %}No scan yet{% endif %}", "No scan yet"),
        ("{{ items[0].title | upper ~ '!' }}", "LAMP!"),
        ("{{ name | default('you', true) }}{{ ' (' ~ items | length ~ ')' if items }}", "Anna (1)"),
    ],
)
def test_an_answer_of_staff_is_filled_with_facts(text: str, reads: str) -> None:
    assert RENDERER.fill(text, FACTS, "en", "UTC") == reads


@pytest.mark.parametrize(
    "text",
    [
        "{{ 'x' * 300000000 }}",
        "{{ 10 ** 10000000 }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% set x = 'aa' %}{% set x = x ~ x %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ name | center(999999999) }}",
        "{{ '%999999999d' % 1 }}",
        "{{ '{:>999999999}'.format(1) }}",
        "{% for a in items %}{% for b in items %}{% for c in items %}{% endfor %}{% endfor %}{% endfor %}",
        "{% include 'where.j2' %}",
        "{{ lipsum(100000) }}",
        "{{ " + "(" * 1500 + "name" + ")" * 1500 + " }}",
    ],
)
def test_an_answer_of_staff_cannot_take_the_desks_time(text: str) -> None:
    with pytest.raises(Refused):
        RENDERER.fill(text, FACTS, "en", "UTC")
