"""`wismo templates`: what a seller is told about the words, and in which forms."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Wismo


def _own(folder: Path) -> Path:
    (folder / "words" / "en").mkdir(parents=True)
    (folder / "words" / "en" / "survey.j2").write_text("Closed.\nHere is a discount.", encoding="utf-8")
    return folder / "words"


def test_the_shipped_texts_are_clean(wismo: Wismo) -> None:
    result = wismo("templates", "lint")
    assert (result.exit_code, "every reply is there" in result.output) == (0, True)


def test_a_sellers_folder_is_read_from_the_config_or_the_call(
    wismo: Wismo, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    own = _own(tmp_path)
    called = wismo("templates", "lint", "--folder", str(own), "--json", "--sarif", str(tmp_path / "out.sarif"))
    assert called.exit_code == 1
    assert [(f["rule"], f["line"]) for f in json.loads(called.output)] == [("promotion", 2)]
    run = json.loads((tmp_path / "out.sarif").read_text(encoding="utf-8"))["runs"][0]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert run["results"][0]["ruleId"] in {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert place["artifactLocation"]["uri"].endswith("words/en/survey.j2")
    assert place["region"] == {"startLine": 2}
    write_config(templates=str(own))
    assert wismo("templates", "lint").exit_code == 1


def test_sarif_names_a_file_by_a_uri(wismo: Wismo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = _own(tmp_path / "my words")
    for here in (tmp_path, Path(__file__).parent):
        monkeypatch.chdir(here)
        wismo("templates", "lint", "--folder", str(own), "--sarif", str(tmp_path / "out.sarif"))
        told = json.loads((tmp_path / "out.sarif").read_text(encoding="utf-8"))
        (result,) = told["runs"][0]["results"]
        place = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert place["uri"].endswith("my%20words/words/en/survey.j2")
        assert (told["version"], result["level"]) == ("2.1.0", "error")
        assert told["runs"][0]["tool"]["driver"]["name"]
        assert result["message"]["text"]


SCHEMA: dict[str, tuple[set[str], set[str]]] = {
    "log": ({"version", "runs"}, {"$schema"}),
    "run": ({"tool", "results"}, set()),
    "tool": ({"driver"}, set()),
    "driver": ({"name"}, {"rules"}),
    "rule": ({"id"}, {"shortDescription"}),
    "text": ({"text"}, set()),
    "result": ({"message"}, {"ruleId", "level", "locations"}),
    "location": (set(), {"physicalLocation"}),
    "physicalLocation": ({"artifactLocation"}, {"region"}),
    "artifactLocation": (set(), {"uri"}),
    "region": (set(), {"startLine"}),
}
"""What each object must hold by the schema of SARIF 2.1.0 (OASIS, committee specification), and what of it else we
use; it allows nothing that it does not name. A log of a scan holds its results, be there none."""


def _objects(log: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "log", log
    for run in log["runs"]:
        yield from (("run", run), ("tool", run["tool"]), ("driver", run["tool"]["driver"]))
        for rule in run["tool"]["driver"]["rules"]:
            yield from (("rule", rule), ("text", rule["shortDescription"]))
        for result in run["results"]:
            yield from (("result", result), ("text", result["message"]))
            for location in result["locations"]:
                place = location["physicalLocation"]
                yield from (("location", location), ("physicalLocation", place))
                yield "artifactLocation", place["artifactLocation"]
                yield "region", place.get("region", {})


def test_sarif_is_as_its_schema_says(wismo: Wismo, tmp_path: Path) -> None:
    own = _own(tmp_path)
    for folder, faults in ((["--folder", str(own)], True), ([], False)):
        wismo("templates", "lint", *folder, "--sarif", str(tmp_path / "out.sarif"))
        log = json.loads((tmp_path / "out.sarif").read_text(encoding="utf-8"))
        for name, found in _objects(log):
            must, may = SCHEMA[name]
            assert must <= found.keys() <= must | may, name
        (run,) = log["runs"]
        assert bool(run["results"]) is faults
        ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
        assert len(ids) == len(set(ids))
        for result in run["results"]:
            assert result["ruleId"] in ids
            assert result["level"] in {"none", "note", "warning", "error"}
            assert result["locations"][0]["physicalLocation"].get("region", {"startLine": 1})["startLine"] >= 1


@pytest.mark.parametrize("name", ["en/phrases.yaml", "wording.yaml", "edges.yaml"])
def test_a_file_that_is_no_yaml_is_named_with_its_line(wismo: Wismo, tmp_path: Path, name: str) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / name).write_text("choice: [human\n", encoding="utf-8")
    result = wismo("templates", "lint", "--folder", str(tmp_path))
    assert result.exit_code == 2
    assert f'{name}", line 1' in result.output


def test_a_phrase_where_a_list_of_them_belongs_is_named(wismo: Wismo, tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "phrases.yaml").write_text("choice: human\n", encoding="utf-8")
    result = wismo("templates", "lint", "--folder", str(tmp_path))
    assert (result.exit_code, "en/phrases.yaml: choice is no list of texts" in result.output) == (2, True)


def test_a_folder_that_is_not_there_is_a_wrong_call(wismo: Wismo) -> None:
    assert wismo("templates", "lint", "--folder", "nowhere").exit_code == 2


def test_a_preview_shows_each_channel_and_the_orders_at_the_edge(wismo: Wismo, tmp_path: Path) -> None:
    told = wismo("templates", "preview", "where", "--locale", "de", "--locale", "ar").output
    for case in ("fewest facts", "all facts", "split order", "no estimate"):
        assert all(f"=== where: {case} · {code} · {c}" in told for code in ("de", "ar") for c in ("telegram", "slack"))
    page = tmp_path / "preview.html"
    wismo("templates", "preview", "customs_duty", "--locale", "en", "--channel", "whatsapp", "--html", str(page))
    drawn = page.read_text(encoding="utf-8")
    assert "customs_duty: duty paid by the buyer · en" in drawn
    assert (drawn.count('<section class="phone whatsapp"'), drawn.count("<section")) == (4, 4)
    assert drawn.count('href="#customs_duty-fewest-facts-en"') == drawn.count('id="customs_duty-fewest-facts-en"') == 1
    assert "<b>1042</b>" in drawn
    assert not any(fetched in drawn for fetched in ("<script", "<link", "src=", "@import", "url("))


def test_a_preview_of_what_is_not_there_is_a_wrong_call(wismo: Wismo) -> None:
    for asked in (["nothing"], ["--locale", "xx"], ["--channel", "fax"]):
        assert wismo("templates", "preview", *asked).exit_code == 2


def test_a_template_that_cannot_be_read_is_told_without_a_traceback(wismo: Wismo, tmp_path: Path) -> None:
    (_own(tmp_path) / "en" / "survey.j2").write_text("{% if %}", encoding="utf-8")
    result = wismo("templates", "preview", "survey", "--locale", "en", "--folder", str(tmp_path / "words"))
    assert (result.exit_code, "TemplateSyntaxError" in result.output) == (1, True)
