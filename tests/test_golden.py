"""A changed sentence shows in review: every template of every language stands beside the tests as it reads."""

import re
from difflib import unified_diff
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

from bot.catalogue import read_catalogue
from bot.model.markup import plain
from bot.specimens import read_edges, specimens
from tests.golden.rewrite import HERE, TEMPLATES, golden, make

RENDERER, CATALOGUE = make()


def _written(path: Path) -> list[str]:
    """The pieces of text that stand in a template, whichever branch they are in."""
    tree = Environment(trim_blocks=True, lstrip_blocks=True, autoescape=True).parse(path.read_text(encoding="utf-8"))
    return [piece.data for piece in tree.find_all(nodes.TemplateData)]


@pytest.mark.parametrize("locale", RENDERER.locales)
def test_every_template_reads_as_it_was_reviewed(locale: str) -> None:
    kept = (HERE / f"{locale}.txt").read_text(encoding="utf-8").splitlines()
    said = golden(RENDERER, CATALOGUE, locale).splitlines()
    changed = "\n".join(unified_diff(kept, said, f"golden/{locale}.txt", f"templates/{locale}", n=2, lineterm=""))
    if changed:
        pytest.fail(f"{changed}\nIf it should read so now: python tests/golden/rewrite.py", pytrace=False)


def test_each_language_has_its_file_and_no_other_has_one() -> None:
    assert {p.stem for p in HERE.glob("*.txt")} == set(RENDERER.locales)


def test_every_template_and_every_approved_form_is_in_it() -> None:
    kept = (HERE / "en.txt").read_text(encoding="utf-8")
    entries = read_catalogue(TEMPLATES / "catalogue.yaml").entries.values()
    assert all(f"=== {e.name}: fewest facts\n" in kept for e in entries)
    assert all(f"=== approved {f.name} (" in kept for e in entries for f in e.forms)


@pytest.mark.parametrize("locale", RENDERER.locales)
def test_every_sentence_of_every_template_is_in_it(locale: str) -> None:
    kept = (HERE / f"{locale}.txt").read_text(encoding="utf-8")
    texts = [t for path in (TEMPLATES / locale).glob("*.[ji]*") for t in _written(path)]
    written = {line.strip() for text in texts for line in plain(text).split("\n")}
    assert not sorted(line for line in written if line not in kept)


@pytest.mark.parametrize("locale", RENDERER.locales)
def test_a_window_of_one_day_names_that_day_once(locale: str) -> None:
    told = {s.case: s.reply for s in specimens(CATALOGUE, locale, read_edges(TEMPLATES / "edges.yaml"))}
    for case, fact in (
        ("a day by the carrier", "parcels[0].first"),
        ("windows of a day", "old_first"),
        ("windows of a day", "first"),
    ):
        day = RENDERER.printed(f"{fact}|day", told[case])
        assert RENDERER.text(told[case]).count(day) == 1, f"{case}: {day}"


@pytest.mark.parametrize("locale", RENDERER.locales)
def test_a_digest_says_of_a_carriers_estimate_what_the_notice_alone_says(locale: str) -> None:
    told = {s.case: s.reply for s in specimens(CATALOGUE, locale, read_edges(TEMPLATES / "edges.yaml"))}
    alone = plain(RENDERER.text(told["by the carrier"])).split("\n\n")[1]
    assert alone in plain(RENDERER.text(told["a line by the carrier"]))


@pytest.mark.parametrize("locale", RENDERER.locales)
def test_no_two_sentences_run_together(locale: str) -> None:
    kept = (HERE / f"{locale}.txt").read_text(encoding="utf-8")
    assert not re.findall(r".*[^\W\d_)]{3}[.!?][^\W\d_]{2}.*", kept)


def test_french_signs_stand_behind_a_space_that_does_not_break() -> None:
    kept = re.sub(r"(?m)^===.*", "", (HERE / "fr.txt").read_text(encoding="utf-8"))
    assert not re.findall(r".{12}[ \w)][:;!?»](?=\s|$)|« .{12}", kept)


@pytest.mark.parametrize("locale", ["ja", "zh"])
def test_han_and_kana_have_signs_of_their_own_width(locale: str) -> None:
    kept = re.sub(r"(?m)^===.*|\{\{\w+\}\}", "", (HERE / f"{locale}.txt").read_text(encoding="utf-8"))
    assert not re.findall(r".*[\u3040-\u30ff\u4e00-\u9fff][,.;:!?()].*|.*[,;:!?()][\u3040-\u30ff\u4e00-\u9fff].*", kept)


def test_spanish_questions_and_cries_are_opened_too() -> None:
    kept = (HERE / "es.txt").read_text(encoding="utf-8")
    assert (kept.count("?"), kept.count("!")) == (kept.count("¿"), kept.count("¡"))


def test_arabic_has_commas_and_question_marks_of_its_own() -> None:
    kept = re.sub(r"(?m)^===.*", "", (HERE / "ar.txt").read_text(encoding="utf-8"))
    assert not re.findall(r".*[\u0600-\u06ff] ?[,;?].*", kept)
