"""What `wismo init` asks, answered by a person at a terminal or by a file prepared beforehand.

A key is the one under which the answer stands in the config, such as `shop.timezone`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import typer

from bot.cli.session import say
from bot.config import Faults


class Questions(Protocol):
    """Somebody who answers. `patient` tells that they can be asked again after a wrong answer."""

    patient: bool

    def ask(self, key: str, prompt: str, default: str | None = None, *, secret: bool = False) -> Any:
        """One value; `default` None means that there must be an answer."""

    def optional(self, key: str) -> Any:
        """A value that is only taken where it was offered; nobody is asked for it."""

    def yes(self, key: str, prompt: str, *, default: bool) -> bool:
        """Yes or no."""

    def choose(self, key: str, prompt: str, among: Sequence[str]) -> list[str]:
        """Any of several names."""


class Terminal:
    """A person. What is secret does not show while they type it."""

    patient = True

    def ask(self, key: str, prompt: str, default: str | None = None, *, secret: bool = False) -> Any:
        """Ask until there is an answer."""
        shown = not secret
        return typer.prompt(f"{prompt} ({key})", default=default, hide_input=secret, show_default=shown)

    def optional(self, key: str) -> Any:
        """Nothing: a person is not bothered."""

    def yes(self, key: str, prompt: str, *, default: bool) -> bool:
        """Ask yes or no."""
        return typer.confirm(prompt, default=default)

    def choose(self, key: str, prompt: str, among: Sequence[str]) -> list[str]:
        """Ask for names, separated by commas or spaces, until all are known."""
        while True:
            typed = typer.prompt(f"{prompt} ({', '.join(among)}; nothing for none)", default="", show_default=False)
            names = list(dict.fromkeys(typed.replace(",", " ").split()))
            strange = [n for n in names if n not in among]
            if not strange:
                return names
            say(f"✗ not known: {', '.join(strange)}")


class Prepared:
    """A file of answers, laid out like the config; `overwrite: true` allows to replace files."""

    patient = False

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers

    def ask(self, key: str, prompt: str, default: str | None = None, *, secret: bool = False) -> Any:
        """The prepared value, else the default; raises `Faults` where there is neither."""
        found = self.optional(key)
        if found is None and default is None:
            raise Faults([f"{key}: is missing in the answers"])
        return default if found is None else found

    def optional(self, key: str) -> Any:
        """The prepared value or None."""
        value: Any = self.answers
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value

    def yes(self, key: str, prompt: str, *, default: bool) -> bool:
        """The prepared answer; without one no."""
        return self.optional(key) is True

    def choose(self, key: str, prompt: str, among: Sequence[str]) -> list[str]:
        """The names that have answers; raises `Faults` for strange ones."""
        names = list(self.optional(key) or {})
        strange = [n for n in names if n not in among]
        if strange:
            raise Faults([f"{key}.{name}: there is no adapter of this name" for name in strange])
        return names
