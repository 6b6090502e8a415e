"""What a person sees whose config is wrong."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import bot
from bot.config import KeepPart, build
from bot.store.keeping import Retention
from tests.cli.conftest import SHOP

COMMANDS = (["run"], ["migrate"], ["cases"], ["erase", "x"], ["links", "1"])


def test_the_version_is_told(wismo: Callable[..., Any]) -> None:
    assert wismo("--version").output.strip() == f"wismo {bot.__version__}"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c[0])
def test_every_fault_is_told_at_once_with_its_key(
    command: list[str], wismo: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text(
        "shop: {name: X, country: Germany, timezone: Berlin}\n"
        "web: {port: 99999}\n"
        "colour: red\n"
        "channels: {telegram: {token: '${NOT_SET_ANYWHERE}'}}\n"
    )
    told = wismo(*command)
    assert told.exit_code == 2
    for key in ("shop.country", "shop.timezone", "shop.hours", "web.port", "colour", "channels.telegram.token"):
        assert f"✗ {key}: " in told.output
    assert "NOT_SET_ANYWHERE" in told.output
    assert "Traceback" not in told.output


def test_an_adapters_faults_come_with_their_keys_and_without_values(
    wismo: Callable[..., Any], write_config: Callable[..., Path]
) -> None:
    write_config(
        channels={
            "whatsapp": {"access_token": "never-print-me", "colour": "never-print-me"},
            "pigeon": {"token": "never-print-me"},
        }
    )
    told = wismo("run")
    assert told.exit_code == 2
    for key in ("channels.whatsapp.phone_number_id", "channels.whatsapp.colour", "channels.pigeon"):
        assert f"✗ {key}: " in told.output
    assert "never-print-me" not in told.output


def test_a_missing_config_is_told_plainly(wismo: Callable[..., Any], tmp_path: Path) -> None:
    told = wismo("run")
    assert told.exit_code == 2
    assert "config.yaml: there is no such file; `wismo init` writes one" in told.output


def test_the_example_holds_exactly_the_fixed_keys_and_is_understood(tmp_path: Path) -> None:
    raw = (Path(bot.__file__).parents[1] / "config.example.yaml").read_text(encoding="utf-8")
    names = set(re.findall(r"\$\{(\w+)\}", raw)) - {"NAME", "DATABASE_URL"}
    config = build(yaml.safe_load(raw), dict.fromkeys(names, "secret-value"))
    assert set(yaml.safe_load(raw)) == {
        "shop", "database", "web", "channels", "carriers", "shops", "desk", "proactive"
    }  # fmt: skip
    assert set(config.channels) == {"telegram", "slack", "whatsapp"}
    assert config.database.keep.retention() == KeepPart().retention() == Retention(30, 365, 540, 90, 540)


def test_what_only_fails_later_is_told_at_once_and_says_what_to_write(
    wismo: Callable[..., Any], write_config: Callable[..., Path]
) -> None:
    write_config(
        shop=SHOP | {"country": "Germany"},
        database={"url": "mysql://u:never-print-me@db/wismo"},
        web={"public_url": "bot.example.org"},
    )
    told = wismo("run")
    assert told.exit_code == 2
    assert "✗ shop.country: write its two letters, like DE or CN" in told.output
    assert "✗ database.url: begins with postgresql://" in told.output
    assert "✗ web.public_url: write the whole address, like https://" in told.output
    assert "never-print-me" not in told.output


def test_a_telegram_webhook_without_its_secret_is_refused(
    wismo: Callable[..., Any], write_config: Callable[..., Path]
) -> None:
    write_config(channels={"telegram": {"token": "1:never-print-me", "mode": "webhook"}})
    told = wismo("run")
    assert told.exit_code == 2
    assert "✗ channels.telegram: secret is needed in webhook mode" in told.output
    assert "never-print-me" not in told.output
