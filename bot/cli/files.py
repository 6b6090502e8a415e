"""The two files that `wismo init` writes: the config, and beside it `.env` with the secrets, for you alone."""

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import yaml

from bot.errors import Misconfigured

HEAD = "# Written by `wismo init`. Every key is explained in config.example.yaml. Secrets are in .env, not here.\n"


def write_config(path: Path, values: Mapping[str, Any], head: str = HEAD) -> None:
    """Replace the config, or another file of settings, in one step."""
    text = head + yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)
    _replace(path, text, 0o644)


def write_secrets(path: Path, secrets: Mapping[str, str]) -> None:
    """Put the secrets into `.env`, mode 0600; lines of other names stay as they are."""
    kept = []
    if path.is_file():
        kept = [line for line in path.read_text(encoding="utf-8").splitlines() if _name(line) not in secrets]
    lines = [*kept, *(f"{name}={_quoted(name, value)}" for name, value in secrets.items())]
    _replace(path, "\n".join(lines) + "\n", 0o600)


def write_private(path: Path, text: str) -> None:
    """Replace a file that nobody but its owner may read, in one step."""
    _replace(path, text, 0o600)


def _name(line: str) -> str:
    return line.partition("=")[0].removeprefix("export ").strip()


def _quoted(name: str, value: str) -> str:
    if "\n" in value or "${" in value:
        raise Misconfigured(f"{name}: a secret cannot hold a line break or ${{", key=name)
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _replace(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # A temporary file is 0600 from its first byte on, so that a secret never lies open.
    with NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False, encoding="utf-8") as file:
        part = Path(file.name)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.chmod(mode)
    part.replace(path)
