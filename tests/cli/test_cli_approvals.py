"""`wismo templates push` and `check` as a person types them, against the emulated WhatsApp."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.town import Town
from tests.cli.conftest import Wismo


@pytest.fixture
def config(whole_town: Town, write_config: Callable[..., Path]) -> Path:
    api = whole_town.whatsapp
    part = {
        "phone_number_id": api.number,
        "access_token": api.token,
        "app_secret": api.secret,
        "verify_token": "v",
        "waba_id": api.business,
        "base_url": f"{whole_town.base}/graph/v24.0",
    }
    return write_config(channels={"whatsapp": part})


def findings(wismo: Wismo, *words: str) -> list[dict[str, Any]]:
    result = wismo("templates", "check", "--json", *words)
    told: list[dict[str, Any]] = json.loads(result.stdout)
    assert result.exit_code == (1 if told else 0)
    return told


@pytest.mark.usefixtures("config")
def test_what_is_missing_is_submitted_once_and_then_all_is_well(wismo: Wismo) -> None:
    missing = findings(wismo, "--locale", "pt")
    assert {(m["language"], m["what"]) for m in missing} == {("pt_BR", "missing")}
    dry = wismo("templates", "push", "--locale", "pt", "--dry-run")
    assert (dry.exit_code, len(dry.stdout.splitlines())) == (0, len(missing) + 1)
    assert len(findings(wismo, "--locale", "pt")) == len(missing)
    assert (
        f"{len(missing)} of {len(missing)} submitted, 0 refused" in wismo("templates", "push", "--locale", "pt").stdout
    )
    assert findings(wismo, "--locale", "pt") == []
    assert f"0 of {len(missing)} submitted" in wismo("templates", "push", "--locale", "pt").stdout


@pytest.mark.usefixtures("config")
def test_every_template_in_every_language_is_taken(wismo: Wismo) -> None:
    pushed = wismo("templates", "push")
    assert (pushed.exit_code, pushed.stderr) == (0, "")
    assert findings(wismo) == []
    assert "All templates are approved" in wismo("templates", "check").stdout


@pytest.mark.usefixtures("config")
@pytest.mark.parametrize(
    ("now", "what", "said"),
    [
        ({"status": "REJECTED"}, "status", "REJECTED"),
        ({"status": "PAUSED"}, "status", "PAUSED"),
        ({"status": "DISABLED"}, "status", "DISABLED"),
        ({"status": "PENDING"}, "status", "PENDING"),
        ({"category": "MARKETING"}, "category", "MARKETING"),
        ({"quality_score": {"score": "RED"}}, "quality", "RED"),
        ({"components": [{"type": "BODY", "text": "Your parcel is here. Buy more!"}]}, "text", "another"),
    ],
)
def test_what_is_not_as_it_should_be_is_named(
    wismo: Wismo, whole_town: Town, now: dict[str, Any], what: str, said: str
) -> None:
    wismo("templates", "push", "--locale", "de")
    whole_town.whatsapp.shelf.judge("wismo_lost", "de", **now)
    (found,) = findings(wismo, "--locale", "de")
    assert (found["channel"], found["name"], found["language"], found["what"]) == (
        "whatsapp",
        "wismo_lost",
        "de",
        what,
    )
    assert said in found["detail"]
    told = wismo("templates", "check", "--locale", "de")
    assert (told.exit_code, "1 to look at" in told.stdout, "wismo_lost de" in told.stdout) == (1, True, True)


@pytest.mark.usefixtures("config")
def test_a_refusal_costs_itself_alone(wismo: Wismo, whole_town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = whole_town.whatsapp.shelf
    taken = shelf.fault
    monkeypatch.setattr(shelf, "fault", lambda b: "policy" if b["name"] == "wismo_lost" else taken(b))
    pushed = wismo("templates", "push", "--locale", "de")
    assert (pushed.exit_code, "1 refused" in pushed.stdout) == (1, True)
    assert "wismo_lost de: WhatsApp error 100" in pushed.stderr
    assert [f["name"] for f in findings(wismo, "--locale", "de")] == ["wismo_lost"]


@pytest.mark.usefixtures("config")
def test_a_wrong_language_is_a_wrong_call(wismo: Wismo) -> None:
    result = wismo("templates", "check", "--locale", "xx")
    assert (result.exit_code, "pt" in result.stderr) == (2, True)


@pytest.mark.parametrize("command", ["push", "check"])
def test_without_the_accounts_id_the_key_is_named(
    wismo: Wismo, write_config: Callable[..., Path], whatsapp: dict[str, Any], command: str
) -> None:
    write_config(channels={"whatsapp": whatsapp})
    result = wismo("templates", command)
    assert (result.exit_code, "channels.whatsapp.waba_id" in result.stderr) == (2, True)
