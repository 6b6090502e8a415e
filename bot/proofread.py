"""The template linter: every reply in every language, rendered with all its facts and with the fewest.

The catalogue says of each reply what it is given. A language that lacks a reply, a phrase or a fact, says more
than it was told, shows a raw value, or has a title too long for a button, is named with its file.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from babel import Locale
from jinja2 import TemplateError

from bot.approved import Approvals, body_faults
from bot.catalogue import Entry, read_catalogue
from bot.model.markup import plain
from bot.model.messages import Address, Reply
from bot.render import Renderer, read_phrases

BUTTON = 20
"""Characters of a button's title on the narrowest channel (WhatsApp)."""
WITH_BUTTONS = 1024
"""Characters of a text with buttons below it on the narrowest channel (WhatsApp)."""
KINDS = {"answer", "notice", "staff"}
_RAW = ("None", "Undefined", "{{", "}}", "{%")
_MANY_IS_MILLIONS = {"es", "fr", "it", "pt"}
_GIVEN = {"phrase", "locale", "zone"}


def faults(folder: Path) -> Iterator[str]:
    """Everything wrong with the templates of a folder, one line each, the file first."""
    renderer = Renderer([folder], "en")
    catalogue = read_catalogue(folder / "catalogue.yaml")
    entries, known = catalogue.entries.values(), set(catalogue.entries)
    approvals = Approvals(renderer, catalogue)
    for locale in renderer.locales:
        there = {p.stem for p in (folder / locale).glob("*.j2")}
        yield from (f"{locale}/{name}.j2: the catalogue lists this reply and it is missing" for name in known - there)
        yield from (f"{locale}/{name}.j2: no reply of the catalogue has this name" for name in there - known)
        yield from _phrase_faults(folder, locale)
        yield from _plural_faults(folder, locale)
        for entry in entries:
            if entry.name in there:
                yield from _reply_faults(renderer, locale, entry)
        yield from _approved_faults(approvals, locale, [e for e in entries if e.name in there])


def _phrase_faults(folder: Path, locale: str) -> Iterator[str]:
    ours, theirs = (_flat(read_phrases(folder / c / "phrases.yaml")) for c in ("en", locale))
    where = f"{locale}/phrases.yaml"
    yield from (f"{where}: {key} is missing" for key in sorted(set(ours) - set(theirs)))
    yield from (f"{where}: {key} is not in English" for key in sorted(set(theirs) - set(ours)))
    for key, text in theirs.items():
        if key.startswith("choice.") and not key.startswith("choice.language_") and len(text) > BUTTON:
            yield f"{where}: {key} has {len(text)} characters; a button takes {BUTTON}"


def _plural_faults(folder: Path, locale: str) -> Iterator[str]:
    """A counted text lacks a plural form of its language; forms of millions alone (Romance `many`) may be missing."""
    wanted = {"other", *Locale.parse(locale.replace("-", "_")).plural_form.tags}
    wanted -= {"many"} if locale in _MANY_IS_MILLIONS else set()
    counted = read_phrases(folder / locale / "phrases.yaml").get("counted", {})
    for name, forms in counted.items():
        missing = ", ".join(sorted(wanted - set(forms)))
        if missing:
            yield f"{locale}/phrases.yaml: counted.{name} lacks {missing}"


def _flat(phrases: Mapping[str, Any]) -> dict[str, str]:
    return {f"{group}.{code}": str(text) for group, texts in phrases.items() for code, text in texts.items()}


def _reply_faults(renderer: Renderer, locale: str, entry: Entry) -> Iterator[str]:
    where = f"{locale}/{entry.name}.j2"
    if entry.kind not in KINDS:
        yield f"catalogue.yaml: {entry.name} is of no known kind"
    used = renderer.named(entry.name, locale) - _GIVEN
    yield from (f"{where}: nobody gives it {name}" for name in sorted(used - {*entry.always, *entry.sometimes}))
    blank = Reply(Address("lint", "", ""), entry.name, {}, "lint", locale)
    for facts in (entry.always, {**entry.always, **entry.sometimes}):
        try:
            text = renderer.text(replace(blank, facts=facts))
        except TemplateError as error:
            yield f"{where}: {type(error).__name__}: {error}"
            continue
        yield from (f"{where}: {fault}" for fault in _text_faults(plain(text), entry))


def _approved_faults(approvals: Approvals, locale: str, entries: Iterable[Entry]) -> Iterator[str]:
    """What the platform would refuse in the approved forms of the notices."""
    for entry, form in ((e, f) for e in entries for f in e.forms):
        try:
            body = approvals.body(entry.name, locale, form.name)
        except TemplateError as error:
            yield f"{locale}/{entry.name}.j2: as {form.name}: {type(error).__name__}: {error}"
            continue
        yield from (f"{locale}/{entry.name}.j2: as {form.name}: {fault}" for fault in body_faults(body))


def _text_faults(text: str, entry: Entry) -> Iterator[str]:
    if not text.strip():
        yield "says nothing"
    yield from (f"shows a raw {raw}" for raw in _RAW if raw in text)
    if entry.choices and len(text) > WITH_BUTTONS:
        yield f"has {len(text)} characters; with buttons {WITH_BUTTONS} fit"
