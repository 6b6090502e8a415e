"""The template linter: every reply in every language, rendered with all its facts and with the fewest.

The catalogue says of each reply what it is given. A language that lacks a reply, a phrase or a fact, says more
than it was told, shows a raw value, or has a title too long for a button, is named with its file.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, TemplateError, meta

from bot.model.markup import plain
from bot.model.messages import Address, Reply
from bot.render import Renderer, read_phrases

BUTTON = 20
"""Characters of a button's title on the narrowest channel (WhatsApp)."""
WITH_BUTTONS = 1024
"""Characters of a text with buttons below it on the narrowest channel (WhatsApp)."""
KINDS = {"answer", "notice", "staff"}
_RAW = ("None", "Undefined", "{{", "}}", "{%")
_GIVEN = {"phrase", "locale", "zone"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One reply of the catalogue: the facts it always gets, those it may get, and its choices' phrases."""

    name: str
    kind: str
    always: Mapping[str, Any]
    sometimes: Mapping[str, Any]
    choices: Sequence[str]


def read_catalogue(path: Path) -> tuple[Entry, ...]:
    """The replies as the catalogue lists them."""
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    return tuple(
        Entry(name, e["kind"], e.get("always", {}), e.get("sometimes", {}), e.get("choices", ()))
        for name, e in raw["replies"].items()
    )


def faults(folder: Path) -> Iterator[str]:
    """Everything wrong with the templates of a folder, one line each, the file first."""
    renderer = Renderer([folder], "en")
    entries = read_catalogue(folder / "catalogue.yaml")
    known = {e.name for e in entries}
    for locale in renderer.locales:
        there = {p.stem for p in (folder / locale).glob("*.j2")}
        yield from (f"{locale}/{name}.j2: the catalogue lists this reply and it is missing" for name in known - there)
        yield from (f"{locale}/{name}.j2: no reply of the catalogue has this name" for name in there - known)
        yield from _phrase_faults(folder, locale)
        for entry in entries:
            if entry.name in there:
                yield from _reply_faults(renderer, folder, locale, entry)


_PARSER = Environment(autoescape=True)
_PARSER.filters |= dict.fromkeys(("day", "moment", "hour", "opening"), str)


def _phrase_faults(folder: Path, locale: str) -> Iterator[str]:
    ours, theirs = (_flat(read_phrases(folder / c / "phrases.yaml")) for c in ("en", locale))
    where = f"{locale}/phrases.yaml"
    yield from (f"{where}: {key} is missing" for key in sorted(set(ours) - set(theirs)))
    yield from (f"{where}: {key} is not in English" for key in sorted(set(theirs) - set(ours)))
    for key, text in theirs.items():
        if key.startswith("choice.") and not key.startswith("choice.language_") and len(text) > BUTTON:
            yield f"{where}: {key} has {len(text)} characters; a button takes {BUTTON}"


def _flat(phrases: Mapping[str, Any]) -> dict[str, str]:
    return {f"{group}.{code}": str(text) for group, texts in phrases.items() for code, text in texts.items()}


def _reply_faults(renderer: Renderer, folder: Path, locale: str, entry: Entry) -> Iterator[str]:
    where = f"{locale}/{entry.name}.j2"
    if entry.kind not in KINDS:
        yield f"catalogue.yaml: {entry.name} is of no known kind"
    source = (folder / locale / f"{entry.name}.j2").read_text("utf-8")
    used = meta.find_undeclared_variables(_PARSER.parse(source)) - _GIVEN
    yield from (f"{where}: nobody gives it {name}" for name in sorted(used - {*entry.always, *entry.sometimes}))
    blank = Reply(Address("lint", "", ""), entry.name, {}, "lint", locale)
    for facts in (entry.always, {**entry.always, **entry.sometimes}):
        try:
            text = renderer.text(replace(blank, facts=facts))
        except TemplateError as error:
            yield f"{where}: {type(error).__name__}: {error}"
            continue
        yield from (f"{where}: {fault}" for fault in _text_faults(plain(text), entry))


def _text_faults(text: str, entry: Entry) -> Iterator[str]:
    if not text.strip():
        yield "says nothing"
    yield from (f"shows a raw {raw}" for raw in _RAW if raw in text)
    if entry.choices and len(text) > WITH_BUTTONS:
        yield f"has {len(text)} characters; with buttons {WITH_BUTTONS} fit"
