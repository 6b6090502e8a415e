"""`wismo init`: asks, tries, writes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.cli.questions import Prepared
from bot.config import Faults, read

SHOP = {"name": "Lantern", "country": "DE", "timezone": "Europe/Berlin", "hours": "mon-fri 09:00-18:00, 19:00-20:00"}


@pytest.fixture
def answer(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """Writes a file of answers."""

    def write(values: dict[str, Any]) -> Path:
        file = tmp_path / "answers.yaml"
        file.write_text(yaml.safe_dump(values), encoding="utf-8")
        return file

    return write


def test_secrets_go_to_a_file_that_only_the_owner_reads(
    wismo: Callable[..., Any], answer: Callable[..., Path], whatsapp: dict[str, Any], tmp_path: Path
) -> None:
    told = wismo("init", "--answers", str(answer({"shop": SHOP, "channels": {"whatsapp": whatsapp}})))
    assert told.exit_code == 0, told.output
    assert "✓ whatsapp: " in told.output
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    written = (tmp_path / "config.yaml").read_text()
    for secret in ("access_token", "app_secret", "verify_token"):
        assert whatsapp[secret] in (tmp_path / ".env").read_text()
        assert whatsapp[secret] not in written
        assert whatsapp[secret] not in told.output
        assert f"{secret}: ${{WHATSAPP_{secret.upper()}}}" in written


def test_what_init_wrote_is_read_again(
    wismo: Callable[..., Any], answer: Callable[..., Path], whatsapp: dict[str, Any], tmp_path: Path
) -> None:
    whatsapp["app_secret"] = "it's # \\ strange"
    wismo("init", "--answers", str(answer({"shop": SHOP, "channels": {"whatsapp": whatsapp}})))
    config = read(tmp_path / "config.yaml")
    assert config.channels["whatsapp"] == whatsapp
    assert config.shop.hours.text
    assert config.shop.hours.spans[0] == ((540, 1080), (1140, 1200))


def test_refused_credentials_are_told_in_the_platforms_words_and_left_out(
    wismo: Callable[..., Any], answer: Callable[..., Path], whatsapp: dict[str, Any], tmp_path: Path
) -> None:
    whatsapp["access_token"] = "wrong-never-print-me"
    told = wismo("init", "--answers", str(answer({"shop": SHOP, "channels": {"whatsapp": whatsapp}})))
    assert told.exit_code == 1
    assert "190" in told.output
    assert "channels.whatsapp" in told.output
    assert "never-print-me" not in told.output
    assert not read(tmp_path / "config.yaml").channels


def test_nothing_is_overwritten_without_being_asked(
    wismo: Callable[..., Any], answer: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text("mine: true\n")
    told = wismo("init", "--answers", str(answer({"shop": SHOP})))
    assert told.exit_code == 1
    assert (tmp_path / "config.yaml").read_text() == "mine: true\n"
    assert not (tmp_path / ".env").exists()
    assert wismo("init", "--answers", str(answer({"shop": SHOP, "overwrite": True}))).exit_code == 0
    assert read(tmp_path / "config.yaml").shop.name == "Lantern"


def test_other_lines_of_env_stay(
    wismo: Callable[..., Any], answer: Callable[..., Path], whatsapp: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("MINE=1\nWHATSAPP_APP_SECRET=old\n")
    (tmp_path / ".env").chmod(0o644)
    wismo("init", "--answers", str(answer({"shop": SHOP, "channels": {"whatsapp": whatsapp}})))
    lines = (tmp_path / ".env").read_text().splitlines()
    assert "MINE=1" in lines
    assert not any("old" in line for line in lines)
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


def test_wrong_answers_of_a_file_are_told_with_their_keys(
    wismo: Callable[..., Any], answer: Callable[..., Path], tmp_path: Path
) -> None:
    told = wismo("init", "--answers", str(answer({"shop": SHOP | {"country": "Germany", "timezone": "Berlin"}})))
    assert told.exit_code == 2
    assert "✗ shop.country: " in told.output
    assert "✗ shop.timezone: " in told.output
    assert not (tmp_path / "config.yaml").exists()


def test_a_person_is_asked_again_for_what_was_wrong(
    wismo: Callable[..., Any], whatsapp: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").unlink(missing_ok=True)
    typed = [
        "Lantern", "Germany", "Europe/Berlin", "", "mon-fri 09:00-18:00",  # the shop, a wrong country
        "DE",  # asked again for the country alone
        "", "pigeon", "",  # no address; a channel that is not known, then none
        "",
    ]  # fmt: skip
    told = wismo("init", typed="\n".join(typed) + "\n")
    assert told.exit_code == 0, told.output
    assert "✗ shop.country: " in told.output
    assert "not known: pigeon" in told.output
    assert read(tmp_path / "config.yaml").shop.country == "DE"


def test_a_prepared_file_must_hold_what_has_no_default() -> None:
    with pytest.raises(Faults, match=r"shop\.name: is missing"):
        Prepared({}).ask("shop.name", "The name")


def test_a_wrong_address_is_asked_for_again_and_costs_nothing_else(wismo: Callable[..., Any], tmp_path: Path) -> None:
    typed = "Lantern\nDE\nEurope/Berlin\n\nmon-fri 09:00-18:00\nfoo\nhttps://bot.example.org\n\n\n"
    folder = tmp_path / "not" / "there"
    told = wismo("init", "--config", str(folder / "config.yaml"), typed=typed)
    assert told.exit_code == 0, told.output
    assert "✗ web.public_url: write the whole address" in told.output
    assert read(folder / "config.yaml").web.public_url == "https://bot.example.org"


@pytest.mark.parametrize("content", ["[", "shop: [", None])
def test_answers_that_cannot_be_read_are_told_plainly(
    wismo: Callable[..., Any], tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "answers.yaml"
    if content is not None:
        file.write_text(content)
    told = wismo("init", "--answers", str(file))
    assert told.exit_code == 2
    assert "answers.yaml: " in told.output
    assert "Traceback" not in told.output
