"""`wismo staff`: a link to sign in with, the list, and the way out."""

from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Wismo


def test_a_person_is_let_in_listed_and_shut_out(wismo: Wismo, write_config: Callable[..., Path]) -> None:
    write_config()
    added = wismo("staff", "add", "Mei Chen", "--role", "lead", "--email", "mei@example.org")
    assert "http://127.0.0.1:8081/desk/invite/" in added.output
    assert "Mei Chen" in wismo("staff", "list").output
    assert wismo("staff", "remove", "mei chen").exit_code == 0
    assert "shut out" in wismo("staff", "list").output


def test_a_stranger_is_not_removed(wismo: Wismo, write_config: Callable[..., Path]) -> None:
    write_config()
    assert wismo("staff", "remove", "Nobody").exit_code == 1


def test_the_desk_is_not_reached_over_plain_http_from_elsewhere(
    wismo: Wismo, write_config: Callable[..., Path]
) -> None:
    write_config(desk={"url": "http://desk.example.org"})
    refused = wismo("staff", "list")
    assert refused.exit_code == 2
    assert "desk.url" in refused.output + refused.stderr
