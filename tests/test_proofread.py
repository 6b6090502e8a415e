"""The template linter: our own texts pass, and each thing that may be wrong with a seller's is found and placed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bot.cli.templates import CHANNELS, channel_limits
from bot.model.markup import unbalanced
from bot.proofread import RULES, Fault, Proofreader, faults
from bot.render import Renderer
from tests.house import TEMPLATES

LIMITS = {name: channel_limits(name) for name in CHANNELS}
Lint = Callable[[str, str], list[Fault]]


@pytest.fixture
def lint(tmp_path: Path) -> Lint:
    """What is found in a language when a seller has one file of their own."""

    def look(name: str, text: str) -> list[Fault]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
        return list(Proofreader([tmp_path, TEMPLATES], LIMITS).language(name.split("/", maxsplit=1)[0]))

    return look


def test_our_own_texts_are_clean() -> None:
    assert [str(f) for f in faults([TEMPLATES], LIMITS)] == []


SURVEY = "We have closed your question."


@pytest.mark.parametrize(
    ("name", "text", "rule", "line", "told"),
    [
        ("en/survey.j2", f"{SURVEY}\nHere is a discount.", "promotion", 2, "“discount” promotes"),
        ("de/survey.j2", "Mit Gutscheincode!", "promotion", 1, "“Gutscheincode” promotes"),
        ("ja/survey.j2", "次回のお買い物が割引になります。", "promotion", 1, "“割引になります” promotes"),
        (
            "en/estimate.j2",
            "Order {{ number }}\nwill arrive on {{ first|day }} {{ last }}.",
            "promise",
            2,
            "“will arrive” promises",
        ),
        ("en/thanks.j2", "{# a\nb #}\nGuaranteed!", "promise", 3, "“Guaranteed” promises"),
        ("de/thanks.j2", "Das garantieren wir.", "promise", 1, "“garantieren” promises"),
        ("en/thanks.j2", "Hello\n{{ shop.email|upper }}", "personal", 2, "prints email"),
        ("en/survey.j2", "Hello {{ buyer_phone }}", "personal", 1, "prints buyer_phone"),
        ("en/survey.j2", f"{SURVEY}\n{{{{ order }}}}", "fact", 2, "nobody gives it order"),
        ("en/survey.j2", "<b>Closed.", "markup", 1, "<b> is not closed"),
        ("en/survey.j2", "<strong>Closed.</strong>", "markup", 1, "<strong> is no markup of ours"),
        ("en/survey.j2", "{% if %}", "render", 1, "TemplateSyntaxError"),
        ("en/survey.j2", "{{ 1|nope }}", "render", 1, "No filter named 'nope'"),
        ("en/survey.j2", '\n{{ phrase("headlines", "delivered") }}', "missing", 2, "no phrase headlines.delivered"),
        ("en/survey.j2", '{{ phrase("headline", "delivred") }}', "missing", 1, "no phrase headline.delivred"),
        ("en/survey.j2", "Enjoy 10% off.", "promotion", 1, "“% off” promotes"),
        ("fr/survey.j2", "Profitez de 10% de remise.", "promotion", 1, "“% de remise” promotes"),
        ("en/thanks.j2", "It will be with you tomorrow.", "promise", 1, "“will be with you” promises"),
        ("en/thanks.j2", "Your parcel will arrive tomorrow.", "promise", 1, "“will arrive” promises"),
        ("de/thanks.j2", "Ihr Paket kommt morgen.", "promise", 1, "“kommt morgen” promises"),
        ("ar/thanks.j2", "سيصل غدًا.", "promise", 1, "promises"),
        ("zh/thanks.j2", "您的包裹明天送达。", "promise", 1, "“明天送达” promises"),
        ("de/thanks.j2", "Es kommt sicher an.", "promise", 1, "“kommt sicher” promises"),
        ("en/survey.j2", "x" * 1025, "length", 0, "has 1025 characters with fewest facts; whatsapp takes 1024"),
        ("en/surwey.j2", SURVEY, "missing", 0, "no reply of the catalogue has this name"),
        ("sv/phrases.yaml", "choice: {human: Prata med en person nu}", "button", 1, "a button of whatsapp takes 20"),
        ("sv/phrases.yaml", "counted: {days: {other: dagar}}", "plural", 0, "counted.days lacks one"),
        ("sv/phrases.yaml", "choice: {human: <b>Du</b>}", "markup", 1, "has markup"),
        ("es/phrases.yaml", 'moment:\n  joined: "{day} a {hora}"', "slot", 2, "moment.joined: nobody fills {hora}"),
        ("es/phrases.yaml", 'moment:\n  joined: "{day} a"', "slot", 2, "moment.joined does not say {hour}"),
        ("ru/phrases.yaml", "window: {day: около}", "slot", 1, "window.day does not say {first}"),
        ("fr/phrases.yaml", 'counted:\n  days:\n    one: "{N} jour"\n    other: jours', "slot", 3, "nobody fills {N}"),
        ("es/window.inc", "Hola\n{{ frist|window(last) }}", "fact", 2, "nobody gives it frist"),
        ("es/window.inc", "\n{{ first|window(last) }", "render", 2, "TemplateSyntaxError"),
        ("ar/shipped.j2", "تم شحن طلبك.", "unused", 0, "does not say tracking, which it is given every time"),
        ("zh/thanks.j2", '谢谢\n{% include "nope.inc" %}', "render", 2, "there is no nope.inc"),
        ("ru/received.j2", "\n{{ number|day }}", "render", 0, "str is no day"),
        ("en/where.j2", "\n{{ parcels[0].adress }}", "render", 2, "has no attribute 'adress'"),
    ],
)
def test_what_is_wrong_is_named_with_its_file_and_line(
    lint: Lint, tmp_path: Path, name: str, text: str, rule: str, line: int, told: str
) -> None:
    found = [f for f in lint(name, text) if f.path == tmp_path / name and f.rule == rule]
    assert any(told in f.text and f.line == line for f in found), found
    assert not [f for f in found if "\n" in f.text]
    assert rule in RULES


def test_what_a_sellers_own_language_lacks_is_missing_from_the_sellers_folder(lint: Lint, tmp_path: Path) -> None:
    found = [f.path for f in lint("sv/phrases.yaml", "choice: {human: Fråga}") if f.rule == "missing"]
    assert tmp_path / "sv/where.j2" in found
    assert all(path.is_relative_to(tmp_path) for path in found)


def test_an_included_file_that_is_wrong_is_named_and_not_ours_that_includes_it(lint: Lint, tmp_path: Path) -> None:
    found = lint("es/window.inc", "{% if first is defined %}{{ first|window(last) }}, {{ frist }}{% endif %}")
    assert {f.path for f in found} == {tmp_path / "es/window.inc"}
    assert {f.rule for f in found} == {"fact", "render", "approved"}


def test_a_file_that_is_not_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "de").mkdir()
    (tmp_path / "de/thanks.j2").write_bytes("Danke!\nSchöne Grüße".encode("cp1252"))
    assert [(f.rule, f.path.name, f.line) for f in faults([tmp_path, TEMPLATES], LIMITS)] == [
        ("encoding", "thanks.j2", 2)
    ]


def test_a_file_that_includes_ours_of_its_own_name_would_include_itself_for_ever(tmp_path: Path) -> None:
    (tmp_path / "de").mkdir()
    (tmp_path / "de/window.inc").write_text('Gute Nachricht!\n{% include "window.inc" %}', encoding="utf-8")
    assert [str(f) for f in faults([tmp_path, TEMPLATES], LIMITS)] == [f"{tmp_path}/de/window.inc:2: includes itself"]


def test_a_seller_changes_one_phrase_and_keeps_the_others(lint: Lint, tmp_path: Path) -> None:
    assert lint("ja/phrases.yaml", "choice: {human: 人と話す}") == []
    told = Renderer([tmp_path, TEMPLATES], "en")
    assert [told.phrase("choice", c, "ja") for c in ("human", "yes")] == ["人と話す", "はい"]


def test_a_word_inside_another_and_a_fact_of_its_name_are_no_promise(lint: Lint) -> None:
    text = "{% if promised is defined %}Order {{ number }}, compromised, wholesale.{% endif %} {{ number }}"
    assert not [f for f in lint("en/delayed.j2", text) if f.rule in {"promise", "promotion"}]


def test_an_answer_may_speak_of_a_gift_that_a_utility_notice_may_not(lint: Lint) -> None:
    assert "promotion" not in {f.rule for f in lint("en/thanks.j2", "Enjoy your discount.")}


def test_a_fact_that_no_language_uses_is_named_at_its_entry(tmp_path: Path) -> None:
    for locale in (p.name for p in TEMPLATES.iterdir() if p.is_dir()):
        (tmp_path / locale).mkdir()
        (tmp_path / locale / "answer_waiting.j2").write_text("…", encoding="utf-8")
    unused = [f for f in faults([tmp_path, TEMPLATES], LIMITS) if f.rule == "unused" and f.path.suffix == ".yaml"]
    assert [(f.path.name, f.text) for f in unused] == [
        ("catalogue.yaml", "answer_waiting is given shop and no language uses it")
    ]
    assert unused[0].line > 1


@pytest.mark.parametrize(
    ("markup", "told"),
    [
        ("<b>a</b> <i>b</i> a &lt; b", []),
        ("<b>a <i>b</b></i>", ["</b> closes nothing that is open there", "<b> is not closed"]),
        ("a</i>", ["</i> closes nothing that is open there"]),
        ('<a href="https://x.example">x</a>', []),
        ('<a href="x.example">x</a>', ['<a href="x.example"> is no link to a page, an e-mail address or a phone']),
    ],
)
def test_tags_are_closed_in_turn(markup: str, told: list[str]) -> None:
    assert list(unbalanced(markup)) == told
