"""The template linter: every reply in every language, rendered with all its facts and with the fewest.

The catalogue says of each reply what it is given. A language that lacks a reply, a phrase or a fact, says more
than it was told, promotes, promises, prints what is personal, shows a raw value, or is too long for a channel, is
named with its file. A seller's folder goes before ours, file by file, and is read by the same rules.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from babel import Locale
from jinja2 import Environment, TemplateError, TemplateNotFound, TemplateSyntaxError, nodes
from msgspec import Struct

from bot.approved import Approvals, body_faults
from bot.catalogue import Catalogue, Entry, read_catalogue
from bot.claims import Wording, found, read_wording
from bot.model.markup import plain, unbalanced
from bot.model.messages import Limits
from bot.render import INCLUDE, Renderer, phrases_of
from bot.specimens import Specimen, read_edges, specimens

KINDS = {"answer", "notice", "staff"}
RULES = {
    "approved": "WhatsApp would refuse the approved form",
    "button": "A button's title is too long for a channel",
    "encoding": "The file is not UTF-8",
    "fact": "The template names a fact that nobody gives it",
    "length": "The text is too long for a channel",
    "markup": "The markup is not balanced, or not ours",
    "missing": "A language lacks a text, or has one too many",
    "personal": "The template prints what is personal",
    "plural": "A counted text lacks a plural form of its language",
    "promise": "The text promises what only the carrier can keep",
    "promotion": "The text promotes in a utility notice",
    "render": "The template cannot be rendered, or shows a raw value",
    "slot": "A phrase lacks the place of a value, or has one that nobody fills",
    "unused": "A fact of the catalogue is not used",
}
_RAW = ("None", "Undefined", "{{", "}}", "{%")
_MANY_IS_MILLIONS = {"es", "fr", "it", "pt"}
_GIVEN = {"phrase", "locale", "zone"}
_BROKEN = (TemplateError, TypeError, ValueError, ArithmeticError, AttributeError, LookupError)
"""What a template may raise while it is rendered: its own errors, and those of a value that is not of its filter's."""
_QUOTED = re.compile(r"'(\w+)'")
_SLOT = re.compile(r"{[^{}]*}")


class Fault(Struct, frozen=True):
    """Something wrong: the rule (of `RULES`), the file, its line from 1 (0: not known), and what it is."""

    rule: str
    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}{f':{self.line}' if self.line else ''}: {self.text}"


def faults(folders: Sequence[Path], channels: Mapping[str, Limits]) -> list[Fault]:
    """Everything wrong with the templates of these folders, a seller's first and ours last, on these channels.

    Raises `Refused` or `yaml.YAMLError` where a file of theirs is not of the form that the rest is read by.
    """
    return list(_unreadable(folders)) or list(dict.fromkeys(Proofreader(folders, channels).read()))


def _unreadable(folders: Sequence[Path]) -> Iterator[Fault]:
    """Files that no other rule can read: with one that includes itself there would be no end."""
    for path in sorted(p for folder in folders for p in folder.rglob("*") if p.suffix in {".j2", ".inc", ".yaml"}):
        try:
            text = (raw := path.read_bytes()).decode("utf-8")
        except UnicodeDecodeError as error:
            yield Fault("encoding", path, raw.count(b"\n", 0, error.start) + 1, "is not UTF-8: save it as UTF-8")
            continue
        for itself in (m for m in INCLUDE.finditer(text) if m[1] == path.name):
            yield Fault("render", path, text.count("\n", 0, itself.start()) + 1, "includes itself")


class Proofreader:
    """One reading of all templates."""

    def __init__(self, folders: Sequence[Path], channels: Mapping[str, Limits]) -> None:
        self._folders = folders
        self._channels = channels
        self._renderer = Renderer(folders, "en")
        self._catalogue: Catalogue = read_catalogue(folders[-1] / "catalogue.yaml")
        self._wording: Wording = read_wording(self._path("wording.yaml"))
        self._approvals = Approvals(self._renderer, self._catalogue)
        self._edges = read_edges(self._path("edges.yaml"))
        self._used: dict[str, set[str]] = {}

    def read(self) -> Iterator[Fault]:
        """All faults, language by language."""
        for locale in sorted(set(self._catalogue.languages) - set(self._renderer.locales)):
            yield self._fault(
                "missing", f"{locale}/phrases.yaml", "the catalogue lists this language and it is missing"
            )
        for locale in self._renderer.locales:
            yield from self.language(locale)
        yield from self._catalogue_faults()

    def language(self, locale: str) -> Iterator[Fault]:
        """The faults of one language."""
        known = self._catalogue.entries
        there = {p.stem for folder in self._folders for p in (folder / locale).glob("*.j2")}
        for name in sorted(known.keys() - there):
            yield self._fault("missing", f"{locale}/{name}.j2", "the catalogue lists this reply and it is missing")
        for name in sorted(there - known.keys()):
            yield self._fault("missing", f"{locale}/{name}.j2", "no reply of the catalogue has this name")
        phrases = phrases_of(self._folders, locale)
        yield from self._syntax_faults(locale)
        yield from self._phrase_faults(locale, phrases)
        yield from self._slot_faults(locale, phrases)
        yield from self._plural_faults(locale, phrases)
        yield from self._word_faults(locale)
        yield from self._named_phrase_faults(locale, phrases)
        for entry in (e for e in known.values() if e.name in there):
            yield from self._fact_faults(entry, locale)
            yield from self._approved_faults(entry, locale)
        for specimen in specimens(self._catalogue, locale, self._edges):
            if specimen.template in there:
                yield from self._specimen_faults(specimen, locale)

    # ---- phrases -----------------------------------------------------------------------------------------

    def _phrase_faults(self, locale: str, phrases: Mapping[str, Any]) -> Iterator[Fault]:
        ours, theirs = _flat(phrases_of(self._folders, "en")), _flat(phrases)
        where = f"{locale}/phrases.yaml"
        for key in sorted(set(ours) - set(theirs)):
            yield self._fault("missing", where, f"{key} is missing")
        for key in sorted(set(theirs) - set(ours)):
            yield self._fault("missing", where, f"{key} is not in English")
        for key, text in theirs.items():
            if "<" in text:
                yield self._fault("markup", where, f"{key} has markup; a phrase is shown as it stands", text)
            if key.startswith("choice.") and not key.startswith("choice.language_"):
                for name, limits in self._channels.items():
                    if len(text) > limits.button_title:
                        most = limits.button_title
                        told = f"{key} has {len(text)} characters; a button of {name} takes {most}"
                        yield self._fault("button", where, told, text)

    def _slot_faults(self, locale: str, phrases: Mapping[str, Any]) -> Iterator[Fault]:
        """The places of values in a phrase are those of our English; a plural form may say its number in words."""
        ours = _flat(phrases_of(self._folders[-1:], "en"))
        where = f"{locale}/phrases.yaml"
        for key, text in _flat(phrases).items():
            counts = key.startswith("counted.")
            there = set(_SLOT.findall(text))
            wanted = {"{n}"} if counts else set(_SLOT.findall(ours.get(key, "")))
            yield from (self._fault("slot", where, f"{key}: nobody fills {s}", s) for s in sorted(there - wanted))
            for slot in sorted(wanted - there) if not counts else ():
                yield self._fault("slot", where, f"{key} does not say {slot}", text)

    def _plural_faults(self, locale: str, phrases: Mapping[str, Any]) -> Iterator[Fault]:
        """A counted text lacks a form of its language; one of millions alone (Romance `many`) may be missing."""
        wanted = {"other", *Locale.parse(locale.replace("-", "_")).plural_form.tags}
        wanted -= {"many"} if locale in _MANY_IS_MILLIONS else set()
        for name, forms in phrases.get("counted", {}).items():
            if missing := ", ".join(sorted(wanted - set(forms))):
                yield self._fault("plural", f"{locale}/phrases.yaml", f"counted.{name} lacks {missing}")

    def _named_phrase_faults(self, locale: str, phrases: Mapping[str, Any]) -> Iterator[Fault]:
        """A template names a phrase that is not there: its code would be shown."""
        for path, source in self._sources(locale):
            try:
                tree = Environment(autoescape=True).parse(source)
            except TemplateError:
                continue  # told where the template is rendered
            for call in tree.find_all(nodes.Call):
                if isinstance(call.node, nodes.Name) and call.node.name == "phrase":
                    named = [a.value for a in call.args if isinstance(a, nodes.Const)]
                    if named and not _has(phrases, *named):
                        yield Fault("missing", path, call.lineno, f"there is no phrase {'.'.join(map(str, named))}")

    # ---- syntax ---------------------------------------------------------------------------------------------

    def _syntax_faults(self, locale: str) -> Iterator[Fault]:
        for path, source in self._sources(locale):
            if path.suffix != ".yaml":
                try:
                    self._renderer.check(source, locale)
                except TemplateSyntaxError as error:
                    yield Fault("render", path, error.lineno, _told(error))

    def _broken(
        self, error: Exception, locale: str, name: str, rule: str = "render", prefix: str = ""
    ) -> Iterator[Fault]:
        """What a template raised, in the file (itself, or one that it includes) that says the name it is about."""
        if isinstance(error, TemplateSyntaxError):
            return  # told of its own file
        said = (
            str(error.name) if isinstance(error, TemplateNotFound) else next(iter(_QUOTED.findall(str(error))[-1:]), "")
        )
        yield self._fault(rule, self._says(f"{locale}/{name}.j2", said), prefix + _told(error), said)

    def _says(self, name: str, word: str) -> str:
        """The file that has the word: this one, or one that it includes."""
        return next((f for f in self._included(name) if word and word in self._text(f)), name)

    def _included(self, name: str) -> Iterator[str]:
        """A file and all that it includes."""
        yield name
        for inner, *_ in INCLUDE.findall(self._text(name)):
            yield from self._included(f"{name.split('/', maxsplit=1)[0]}/{inner}")

    # ---- words -------------------------------------------------------------------------------------------

    def _word_faults(self, locale: str) -> Iterator[Fault]:
        """Promotion where WhatsApp's UTILITY notices take their words from, promises anywhere."""
        for path, source in self._sources(locale):
            entry = self._catalogue.entries.get(path.stem)
            utility = entry is None or any(form.category == "UTILITY" for form in entry.forms)
            for line, word in found(self._wording.promise.get(locale), source):
                yield Fault("promise", path, line, f"“{word}” promises; say what is usual or expected")
            for line, word in found(self._wording.promotion.get(locale), source) if utility else ():
                yield Fault("promotion", path, line, f"“{word}” promotes, and this is a utility notice")

    # ---- facts -------------------------------------------------------------------------------------------

    def _fact_faults(self, entry: Entry, locale: str) -> Iterator[Fault]:
        where = f"{locale}/{entry.name}.j2"
        try:
            used = self._renderer.named(entry.name, locale) - _GIVEN
        except TemplateError as error:
            yield from self._broken(error, locale, entry.name)
            return
        for name in sorted(entry.always.keys() - used - set(entry.spare)):
            yield self._fault("unused", where, f"does not say {name}, which it is given every time")
        self._used.setdefault(entry.name, set()).update(used)
        for name in sorted(used - {*entry.always, *entry.sometimes}):
            yield self._fault("fact", self._says(where, name), f"nobody gives it {name}", name)
        for name in sorted(filter(self._wording.is_personal, self._renderer.mentioned(entry.name, locale))):
            yield self._fault("personal", self._says(where, name), f"prints {name}, which is personal", name)

    def _catalogue_faults(self) -> Iterator[Fault]:
        path = self._folders[-1] / "catalogue.yaml"
        lines = path.read_text(encoding="utf-8").split("\n")
        for entry in self._catalogue.entries.values():
            line = next((n for n, text in enumerate(lines, 1) if text.startswith(f"  {entry.name}:")), 0)
            if entry.kind not in KINDS:
                yield Fault("fact", path, line, f"{entry.name} is of no known kind")
            used = {*self._used.get(entry.name, ()), *entry.spare}
            for name in sorted({*entry.always, *entry.sometimes} - used):
                yield Fault("unused", path, line, f"{entry.name} is given {name} and no language uses it")

    # ---- texts -------------------------------------------------------------------------------------------

    def _specimen_faults(self, specimen: Specimen, locale: str) -> Iterator[Fault]:
        where = f"{locale}/{specimen.template}.j2"
        try:
            text = self._renderer.text(specimen.reply)
        except _BROKEN as error:
            yield from self._broken(error, locale, specimen.template)
            return
        for told in unbalanced(text):
            yield self._fault("markup", where, told, told.split(" ", maxsplit=1)[0])
        bare = plain(text)
        if not bare.strip():
            yield self._fault("render", where, "says nothing")
        for raw in (r for r in _RAW if r in bare):
            yield self._fault("render", where, f"shows a raw {raw}", raw)
        for name, limits in self._channels.items():
            most = (limits.text_with_buttons or limits.text) if specimen.reply.options else limits.text
            if len(bare) > most:
                yield self._fault(
                    "length", where, f"has {len(bare)} characters with {specimen.case}; {name} takes {most}"
                )

    def _approved_faults(self, entry: Entry, locale: str) -> Iterator[Fault]:
        """What the platform would refuse in the approved forms of a notice."""
        where = f"{locale}/{entry.name}.j2"
        for form in entry.forms:
            try:
                body = self._approvals.body(entry.name, locale, form.name)
            except _BROKEN as error:
                yield from self._broken(error, locale, entry.name, "approved", f"as {form.name}: ")
                continue
            for told in body_faults(body):
                yield self._fault("approved", where, f"as {form.name}: {told}")

    # ---- files -------------------------------------------------------------------------------------------

    def _path(self, name: str) -> Path:
        """The file that counts: the seller's, else ours; where nobody has it, beside its language's others."""
        there = [f / name for f in self._folders if (f / name).is_file()]
        beside = [f / name for f in reversed(self._folders) if (f / name).parent.is_dir()]
        return next(iter([*there, *beside]), self._folders[-1] / name)

    def _sources(self, locale: str) -> Iterator[tuple[Path, str]]:
        """The files of a language that count, with their text."""
        for name in sorted({p.name for f in self._folders for p in (f / locale).glob("*.*")}):
            path = self._path(f"{locale}/{name}")
            yield path, path.read_text(encoding="utf-8")

    def _text(self, name: str) -> str:
        path = self._path(name)
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def _fault(self, rule: str, name: str, text: str, holds: str = "", line: int = 0) -> Fault:
        """A fault in a file; its line is the first that `holds` what is wrong."""
        path = self._path(name)
        if holds and path.is_file():
            lines = path.read_text(encoding="utf-8").split("\n")
            line = next((n for n, there in enumerate(lines, 1) if holds in there), 0)
        return Fault(rule, path, line, text)


def _told(error: Exception) -> str:
    """What is wrong in one line; a template's error as text adds the place, over several."""
    if isinstance(error, TemplateNotFound):
        return f"there is no {error.name}"
    return f"{type(error).__name__}: {error.message if isinstance(error, TemplateError) else error}"


def _has(phrases: Mapping[str, Any], group: str, code: str = "_") -> bool:
    """Whether a phrase is there; of a group alone, whether it is."""
    texts = phrases.get(group, {})
    return bool(texts) if code == "_" else code in texts or "_" in texts


def _flat(phrases: Mapping[str, Any]) -> dict[str, str]:
    return {f"{group}.{code}": str(text) for group, texts in phrases.items() for code, text in texts.items()}
