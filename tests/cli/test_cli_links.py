"""`wismo links`: a token that proves one order, as links and as pictures."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bot.links import draw, fresh_token
from bot.model.orders import Order
from bot.store import Store

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


async def two_shops(store: Store) -> None:
    await store.save_orders([(Order("#1042", AT, source=s), "") for s in ("csv", "rest")])


async def one_order(store: Store) -> None:
    await store.save_orders([(Order("#1042", AT, source="csv"), "")])


def links_of(data: Path) -> list[tuple[str, int]]:
    with sqlite3.connect(data / "wismo.db") as connection:
        rows = connection.execute("SELECT hash, revoked FROM link").fetchall()
    connection.close()
    return rows


@pytest.fixture
def shop(write_config: Callable[..., Path], whatsapp: dict[str, Any]) -> Path:
    return write_config(channels={"whatsapp": whatsapp})


@pytest.mark.usefixtures("shop")
def test_the_token_is_in_the_link_and_only_its_hash_in_the_store(
    wismo: Callable[..., Any], with_store: Callable[..., Any], tmp_path: Path
) -> None:
    with_store(one_order)
    told = wismo("links", "1042", "--qr", str(tmp_path / "label.png"))
    assert told.exit_code == 0, told.output
    link = next(line.split(": ")[1] for line in told.output.splitlines() if line.startswith("whatsapp: "))
    token = parse_qs(urlsplit(link).query)["text"][0]
    assert link.startswith("https://wa.me/4930901820?text=")
    assert links_of(tmp_path / "data") == [(sha256(token.encode()).hexdigest(), 0)]
    assert token.encode() not in (tmp_path / "data" / "wismo.db").read_bytes()
    assert (tmp_path / "label.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("shop")
def test_links_can_be_ended(wismo: Callable[..., Any], with_store: Callable[..., Any], tmp_path: Path) -> None:
    with_store(one_order)
    wismo("links", "1042")
    assert "✓ 1 links" in wismo("links", "#1042", "--revoke").output
    assert [revoked for _, revoked in links_of(tmp_path / "data")] == [1]


@pytest.mark.usefixtures("shop")
def test_a_number_in_two_shops_is_not_guessed(wismo: Callable[..., Any], with_store: Callable[..., Any]) -> None:
    with_store(two_shops)
    told = wismo("links", "1042")
    assert told.exit_code == 1
    assert "csv, rest" in told.output
    assert wismo("links", "1042", "--source", "csv").exit_code == 0


@pytest.mark.usefixtures("shop")
def test_an_order_that_is_not_there_is_told(wismo: Callable[..., Any]) -> None:
    told = wismo("links", "9999")
    assert told.exit_code == 1
    assert "there is no order 9999" in told.output


def test_without_a_channel_that_has_links_no_token_is_made(
    wismo: Callable[..., Any], write_config: Callable[..., Path], with_store: Callable[..., Any], tmp_path: Path
) -> None:
    write_config()
    with_store(one_order)
    assert wismo("links", "1042").exit_code == 1
    assert links_of(tmp_path / "data") == []


def test_a_platform_that_is_away_is_named_and_no_token_is_made(
    wismo: Callable[..., Any],
    write_config: Callable[..., Path],
    whatsapp: dict[str, Any],
    with_store: Callable[..., Any],
    tmp_path: Path,
) -> None:
    away = {"base_url": "http://127.0.0.1:9"}
    write_config(channels={"whatsapp": whatsapp | away, "telegram": {"token": "1:a", **away}})
    with_store(one_order)
    told = wismo("links", "1042")
    assert told.exit_code == 1
    assert "✗ telegram: " in told.output
    assert "✗ whatsapp: " in told.output
    assert "no link was made" in told.output
    assert links_of(tmp_path / "data") == []


@pytest.mark.usefixtures("shop")
def test_a_picture_that_cannot_be_drawn_is_told_plainly(
    wismo: Callable[..., Any], with_store: Callable[..., Any], tmp_path: Path
) -> None:
    with_store(one_order)
    told = wismo("links", "1042", "--qr", "label.bmp")
    assert told.exit_code == 2
    assert ".png .svg" in told.output
    assert links_of(tmp_path / "data") == [], "a link that nobody was given"
    told = wismo("links", "1042", "--qr", str(tmp_path / "nowhere" / "label.png"))
    assert told.exit_code == 1
    assert "cannot be written: No such file or directory" in told.output


def test_a_token_fits_telegrams_start_parameter_and_never_repeats() -> None:
    tokens = {fresh_token() for _ in range(1000)}
    assert len(tokens) == 1000
    for token in tokens:
        assert token.startswith("wismo-")
        assert len(token) == len("wismo-") + 22  # 128 bits at 6 a character
        assert len(token) <= 64
        assert token.replace("-", "").replace("_", "").isalnum()


def test_a_picture_can_be_svg(tmp_path: Path) -> None:
    draw("https://t.me/shop_bot?start=wismo-x", tmp_path / "label.svg")
    assert b"<svg" in (tmp_path / "label.svg").read_bytes()
