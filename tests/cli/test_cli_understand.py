"""`wismo understand`: one message a line in, one JSON line out."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Wismo = Callable[..., Result]


def told(wismo: Wismo, file: Path, command: str = "understand") -> list[dict[str, object]]:
    done = wismo(command, "--file", str(file))
    assert done.exit_code == 0
    return [json.loads(line) for line in done.stdout_bytes.decode().split("\n")[:-1]]


@pytest.mark.parametrize("command", ["understand", "recognise"])
def test_a_line_ends_at_a_line_feed_and_nowhere_else(wismo: Wismo, tmp_path: Path, command: str) -> None:
    """A phone puts signs into a message that some take for a line's end: each answer must stand at its message."""
    messages = ["where is\u2028my order 1042?", "page\x0cbreak 1043", "next\x85line", "", "wo ist mein Paket?"]
    file = tmp_path / "messages.txt"
    file.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(messages).encode() + b"\n")
    lines = told(wismo, file, command)
    assert len(lines) == len(messages)
    if command == "understand":
        assert [line["text"] for line in lines] == messages


def test_a_line_says_language_intents_with_scores_and_entities(wismo: Wismo, tmp_path: Path) -> None:
    file = tmp_path / "messages.txt"
    file.write_text("Wo ist meine Bestellung 1042? Meine Mail ist anna@example.org\n\xff", encoding="latin-1")
    said, broken = told(wismo, file)
    assert said["language"] == "de"
    assert said["intents"][0]["name"] == "wismo"  # type: ignore[index]
    assert 0 < said["intents"][0]["score"] <= 1  # type: ignore[index]
    kinds = {e["kind"]: e["value"] for e in said["entities"]}  # type: ignore[attr-defined]
    assert kinds == {"order": "1042", "email": "anna@example.org"}
    assert broken["text"] == "\ufffd"


@pytest.mark.parametrize("words", [[], ["text", "--file", "-"], ["--file", "nowhere.txt"], ["--file", "/"]])
def test_what_cannot_be_read_is_told_with_exit_code_2(wismo: Wismo, words: list[str]) -> None:
    assert wismo("understand", *words).exit_code == 2


def test_json_is_utf8_whatever_a_terminal_can_show() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "bot", "understand", "--json", "где мой заказ 1042"],
        env=environment,
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert json.loads(done.stdout)["text"] == "где мой заказ 1042"
