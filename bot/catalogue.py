"""The catalogue beside the templates: what each reply is given, and under which name WhatsApp approved it."""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct, field


class Form(Struct, frozen=True):
    """One approved template: its name there, its named parameters in order, and the facts it is written for.

    `parameters` says of each the facts that it prints: its own of that name, or first and last of a window.
    """

    name: str
    category: str
    parameters: Mapping[str, Sequence[str]]
    when: Mapping[str, Any] = field(default_factory=dict)

    def fits(self, facts: Mapping[str, Any]) -> bool:
        """Whether these facts can be said with it: every parameter is known, and what it fixes is so."""
        return all(facts.get(fact) is not None for fact in chain(*self.parameters.values())) and all(
            facts.get(name) == value for name, value in self.when.items()
        )


class Entry(Struct, frozen=True):
    """One reply: the facts it always gets and may get, its choices' phrases, its approved forms, fullest first.

    `spare` names those of its facts that no text of ours uses: a seller's own may.
    """

    name: str
    kind: str
    always: Mapping[str, Any]
    sometimes: Mapping[str, Any]
    choices: Sequence[str]
    forms: tuple[Form, ...] = ()
    spare: Sequence[str] = ()


class Catalogue(Struct, frozen=True):
    """All replies by name, and WhatsApp's code of each language."""

    entries: Mapping[str, Entry]
    languages: Mapping[str, str]


@cache
def read_catalogue(path: Path) -> Catalogue:
    """The catalogue of a template folder."""
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    entries = {name: _entry(name, e) for name, e in raw["replies"].items()}
    return Catalogue(entries, raw.get("whatsapp_languages", {}))


def _entry(name: str, raw: Mapping[str, Any]) -> Entry:
    given = (raw.get("always", {}), raw.get("sometimes", {}), raw.get("choices", ()))
    return Entry(name, raw["kind"], *given, _forms(raw.get("whatsapp")), raw.get("spare", ()))


def _forms(raw: Mapping[str, Any] | None) -> tuple[Form, ...]:
    if raw is None:
        return ()
    listed = [*raw.get("variants", ()), raw]
    return tuple(Form(e["name"], raw["category"], _parameters(e["parameters"]), e.get("when", {})) for e in listed)


def _parameters(raw: Sequence[str | Mapping[str, Sequence[str]]]) -> Mapping[str, Sequence[str]]:
    """`[number, window: [first, last]]`: a name alone prints the fact of that name."""
    return {name: facts for p in raw for name, facts in ({p: [p]} if isinstance(p, str) else p).items()}
