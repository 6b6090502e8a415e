"""`wismo doctor`: plain words and an exit code."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bot.ports import Item
from bot.store import Store
from bot.store.queue import MAX_ATTEMPTS, Arrival
from tests.cli.conftest import Platform

Act = Callable[[Callable[[Store], Any]], Any]


async def kill_an_event(store: Store) -> None:
    await store.receive([Arrival("whatsapp", Item("k1", "c/whatsapp/106/4930", b'{"text": "buyer-words"}'))])
    for _ in range(MAX_ATTEMPTS):
        (claim,) = await store.claim(1)
        await store.fail(claim, "Refused: the platform said no", 0.0)


async def nothing(store: Store) -> None:
    """Only bring the tables up."""


@pytest.fixture
def config(write_config: Callable[..., Path], whatsapp: dict[str, Any]) -> Path:
    return write_config(channels={"whatsapp": whatsapp}, web={"public_url": "https://desk.example.com"})


@pytest.mark.usefixtures("config")
def test_a_well_shop_is_told_so_with_exit_code_0(wismo: Callable[..., Any], with_store: Act) -> None:
    with_store(nothing)
    told = wismo("doctor")
    assert told.exit_code == 0, told.output
    assert "✗" not in told.output
    assert "✓ whatsapp: " in told.output
    assert "https://desk.example.com/hooks/whatsapp" in told.output
    assert "✓ desk: nobody can sign in to the web desk yet" in told.output
    assert "never-print-me" not in told.output


@pytest.mark.usefixtures("config")
def test_a_new_shop_is_not_sent_to_a_step_that_run_does_by_itself(wismo: Callable[..., Any]) -> None:
    told = wismo("doctor")
    assert (told.exit_code, "database: SQLite, made just now" in told.output) == (0, True), told.output
    assert "migrate" not in told.output


@pytest.mark.usefixtures("config")
def test_a_database_of_another_version_is_told_with_what_brings_it_here(
    wismo: Callable[..., Any], with_store: Act, tmp_path: Path
) -> None:
    with_store(nothing)
    file = tmp_path / "data" / "wismo.db"

    def put_at(revision: str) -> None:
        with sqlite3.connect(file) as connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        connection.close()

    put_at("0001")
    older = wismo("doctor")
    assert older.exit_code == 0
    assert "at revision 0001" in older.output
    assert "the next `wismo run` brings it there" in older.output
    put_at("9999")
    for command in ("doctor", "cases", "migrate"):
        newer = wismo(command)
        assert newer.exit_code == 1
        assert "of a newer Wismo" in newer.output


def test_a_shop_without_a_channel_is_not_well(wismo: Callable[..., Any], write_config: Callable[..., Path]) -> None:
    write_config()
    told = wismo("doctor")
    assert told.exit_code == 1
    assert "✗ channels: none" in told.output
    assert "✓ carriers: none" in told.output


def test_refused_credentials_are_a_problem(
    wismo: Callable[..., Any], write_config: Callable[..., Path], whatsapp: dict[str, Any], with_store: Act
) -> None:
    with_store(nothing)
    write_config(
        channels={"whatsapp": whatsapp | {"access_token": "wrong-never-print-me"}},
        web={"public_url": "https://desk.example.com"},
    )
    told = wismo("doctor")
    assert told.exit_code == 1
    assert "✗ whatsapp: " in told.output
    assert "never-print-me" not in told.output


def test_a_webhook_without_an_address_is_a_problem(
    wismo: Callable[..., Any], write_config: Callable[..., Path], whatsapp: dict[str, Any], with_store: Act
) -> None:
    with_store(nothing)
    write_config(channels={"whatsapp": whatsapp})
    told = wismo("doctor")
    assert told.exit_code == 1
    assert "web.public_url" in told.output


@pytest.mark.usefixtures("config")
def test_registering_says_what_was_done(wismo: Callable[..., Any], with_store: Act) -> None:
    with_store(nothing)
    told = wismo("doctor", "--register")
    assert "set the webhook to https://desk.example.com/hooks/whatsapp" in told.output


@pytest.mark.usefixtures("config")
def test_dead_letters_are_listed_without_content_and_can_be_replayed(
    wismo: Callable[..., Any], with_store: Act
) -> None:
    with_store(kill_an_event)
    told = wismo("doctor")
    assert told.exit_code == 1
    assert "1 events could not be handled" in told.output
    assert "whatsapp: Refused: the platform said no" in told.output
    assert "buyer-words" not in told.output
    assert "✓ 0 " in wismo("replay-dead", "999").output
    assert "✓ 1 " in wismo("replay-dead", "--all").output
    assert "dead letters: none" in wismo("doctor").output


@pytest.mark.usefixtures("config")
def test_replaying_nothing_in_particular_is_refused(wismo: Callable[..., Any]) -> None:
    assert wismo("replay-dead").exit_code == 2


def test_a_database_that_does_not_answer_is_told(
    wismo: Callable[..., Any], write_config: Callable[..., Path], tmp_path: Path
) -> None:
    url = "postgresql://u:never-print-me@127.0.0.1:9/none"
    write_config(database={"url": url, "data": str(tmp_path / "data")})
    told = wismo("doctor")
    assert told.exit_code == 1
    assert "database.url: the database gives no answer" in told.output
    assert "never-print-me" not in told.output


def test_faults_of_the_config_are_problems(wismo: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("shop: {name: X, country: DE, timezone: Europe/Berlin}\n")
    told = wismo("doctor")
    assert told.exit_code == 1
    assert "✗ shop.hours: " in told.output


@pytest.fixture
def telegram(platform: str) -> dict[str, str]:
    base = platform.removesuffix("/v24.0")
    return {"token": "111:never-print-me", "secret": "s", "mode": "webhook", "base_url": base}


@pytest.mark.parametrize(
    ("hook", "wanted"),
    [
        ("https://desk.example.com/hooks/telegram", "✓ telegram: the webhook is set to"),
        ("https://other.example.com/hooks/telegram", "✗ telegram: its events go to https://other.example.com"),
        ("", "✗ telegram: its webhook is not set"),
    ],
)
def test_a_webhook_that_leads_elsewhere_is_a_problem(
    wismo: Callable[..., Any],
    write_config: Callable[..., Path],
    telegram: dict[str, str],
    with_store: Act,
    monkeypatch: pytest.MonkeyPatch,
    hook: str,
    wanted: str,
) -> None:
    monkeypatch.setattr(Platform, "hook", hook)
    with_store(nothing)
    write_config(channels={"telegram": telegram}, web={"public_url": "https://desk.example.com"})
    told = wismo("doctor")
    assert wanted in told.output
    assert told.exit_code == (0 if hook.startswith("https://desk") else 1)


async def leave_an_answer_for_another_team(store: Store) -> None:
    query = text(
        "insert into outbox (lane, key, channel, account, chat, purpose, template, body, holder_version, created_at,"
        " not_before, state, lease_until, owner, attempts, platform_id, receipt, error, pricing)"
        " values ('c/whatsapp/999/49', 'k', 'whatsapp', '999', '49', 'answer', 't', '', 0, '2026-11-25 10:00:00',"
        " 0, 0, 0, '', 0, '', '', '', '')"
    )
    await store.database.write(lambda c: c.execute(query))


@pytest.mark.usefixtures("config")
def test_answers_for_an_account_that_no_config_has_are_told(wismo: Callable[..., Any], with_store: Act) -> None:
    with_store(leave_an_answer_for_another_team)
    told = wismo("doctor")
    assert told.exit_code == 1
    assert "✗ outbox: 1 for the whatsapp account 999, which the config does not have" in told.output
    assert "whatsapp-2 with adapter: whatsapp" in told.output


@pytest.mark.usefixtures("config")
def test_the_folder_of_buyers_data_is_closed_to_others(wismo: Callable[..., Any], tmp_path: Path) -> None:
    assert wismo("migrate").exit_code == 0
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0
