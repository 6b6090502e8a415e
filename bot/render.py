"""What to say becomes how it reads: a template of the reader's language, rendered once for one address.

Templates are sandboxed and autoescaped into the neutral markup. A value never becomes markup, a link or a
mention on any channel: what would turn into one by itself is broken with a word joiner that nobody sees.
Choices degrade by the channel's limits: buttons, else a list, else a numbered menu.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateNotFound,
    meta,
    nodes,
)
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape
from msgspec import Struct
from msgspec.structs import replace

from bot.errors import Refused
from bot.model.markup import plain
from bot.model.messages import Choice, Limits, Option, Outbound, Reply
from bot.printing import Placeholder, apart, filters, is_right_to_left, phrase

_JOINER = "\u2060"
_LINKS = re.compile(r"@|://|(?<=\w)\.(?=[^\W\d_]{2})|(?<=^)/|(?<=\s)/|(?<=^)#|(?<=\s)#")
_SIGNS = frozenset("@:/.#")
"""Without one of these a text cannot become a link, mention or command."""
INCLUDE = re.compile(r'{% include "([\w.]+)" (?:%}\n?(\n?)|(\+)%})')
"""In a template: the file that it includes, and the empty line that follows; `+%}` keeps the line's own break."""
_BLANK = re.compile(r"\n{3,}")


def isolated(value: object) -> object:
    """A defanged value for a language that is written from right to left."""
    shown = defang(value)
    if isinstance(shown, int) and not isinstance(shown, bool):
        shown = str(shown)
    return shown if isinstance(shown, Markup | Placeholder) or not isinstance(shown, str) else apart(shown)


def defang(value: object) -> object:
    """A value as it is shown: text that a platform would turn into a link, mention or command is broken."""
    if isinstance(value, Markup | Placeholder) or not isinstance(value, str):
        return value
    if "\n" in value:
        value = " ".join(value.split())
    return value if _SIGNS.isdisjoint(value) else _LINKS.sub(lambda m: m[0] + _JOINER, value)


_STAFFS = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Const),
    *(nodes.If, nodes.For, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Test),
    *(nodes.Filter, nodes.Concat),
)
"""What a text of staff may be made of. Arithmetic, calls and assignments are not in it: the sandbox keeps what they
reach for in bounds, but not how long they take, and a second of theirs is a second of everybody's."""
_STAFFS_FILTERS = frozenset(
    {"day", "moment", "hour", "opening", "listed", "land", "capitalize", "default", "first", "last", "length", "lower"}
    | {"title", "trim", "upper"}
)
_NESTED = 2
"""Lists within lists: an order has items, and nothing has more than that."""


def _excess(node: nodes.Node, loops: int = 0) -> str:
    """What a text of staff has that it may not have, named for its writer; empty where there is nothing."""
    if not isinstance(node, _STAFFS):
        return f"a {type(node).__name__.lower()}"
    if isinstance(node, nodes.Filter) and node.name not in _STAFFS_FILTERS:
        return f"the filter {node.name}"
    loops += isinstance(node, nodes.For)
    if loops > _NESTED:
        return "a list within lists"
    return next((found for child in node.iter_child_nodes() if (found := _excess(child, loops))), "")


class _Book(Struct, frozen=True):
    """One language: its templates, its phrases, and the code under which dates are told."""

    locale: str
    environment: ImmutableSandboxedEnvironment
    phrases: Mapping[str, Any]


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox, which finds a fact at once: facts are plain mappings, and Jinja asks them for attributes first."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`p.text` is the fact `text`, or undefined; everything else goes the sandbox's way."""
        if type(obj) is dict:
            if attribute in obj:
                return obj[attribute]
            if not hasattr(dict, attribute):
                return self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Our own `phrase` needs no look whether it is safe: a message calls it several times. Inside a loop Jinja
        gives what is called the loop's variables along."""
        if type(obj) is partial and obj.func is phrase and kwargs.keys() <= {"_loop_vars", "_block_vars"}:
            return obj(*args)
        return super().call(context, obj, *args, **kwargs)


class _Loader(FileSystemLoader):
    """Templates with their includes put in while they are read: at every message each include took a look-up and a
    context of its own, 20 us."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        """The template's text."""
        text, path, fresh = super().get_source(environment, template)
        return INCLUDE.sub(lambda m: self._included(environment, *m.groups("")), text), path, fresh

    def _included(self, environment: Environment, template: str, after: str, keeps: str) -> str:
        text = self.get_source(environment, template)[0].removesuffix("\n")
        # Else the last tag would swallow the next line's break.
        return text + '{{ "" }}' + after if after or keeps else text


class Renderer:
    """Words replies in every language that the folders hold; the seller's folder goes before ours, file by file."""

    def __init__(self, folders: Sequence[Path], default: str) -> None:
        self.folders = tuple(folders)
        found = {
            p.name for folder in folders if folder.is_dir() for p in folder.iterdir() if (p / "phrases.yaml").is_file()
        }
        if not found:
            raise Refused("no language has a phrases.yaml in the template folders")
        self.locales: tuple[str, ...] = tuple(sorted(found))
        self.default = next((code for code in (default, default.split("-", maxsplit=1)[0]) if code in found), "en")
        self._books = {locale: self._book(locale) for locale in self.locales}
        self._templates: dict[tuple[str, str], tuple[Template, str]] = {}

    def _book(self, locale: str) -> _Book:
        environment = _Environment(
            loader=_Loader([folder / locale for folder in self.folders]),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=isolated if is_right_to_left(locale) else defang,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        phrases = phrases_of(self.folders, locale)
        environment.globals["phrase"] = partial(phrase, phrases)
        environment.filters |= filters(phrases, locale)
        environment.globals["locale"] = locale
        return _Book(locale, environment, phrases)

    def chain(self, locale: str) -> tuple[str, ...]:
        """The languages in which a reply is looked for, best first."""
        wanted = (locale, locale.split("-", maxsplit=1)[0], self.default, "en")
        return tuple(dict.fromkeys(code for code in wanted if code in self._books))

    def text(self, reply: Reply) -> str:
        """The reply in neutral markup."""
        template, _ = self._find(reply.template, reply.locale)
        return self._tidy(template, reply.facts, reply.zone)

    def printed(self, expression: str, reply: Reply) -> str:
        """What the reply's template prints where it says `{{ expression }}`, in neutral markup."""
        _, locale = self._find(reply.template, reply.locale)
        key = (f"={expression}", locale)
        if key not in self._templates:
            source = "{{ " + expression + " }}"
            self._templates[key] = self._books[locale].environment.from_string(source), locale
        return self._tidy(self._templates[key][0], reply.facts, reply.zone)

    def language(self, template: str, locale: str) -> str:
        """The language in which a reply is worded for a reader of `locale`."""
        return self._find(template, locale)[1]

    def check(self, source: str, locale: str) -> None:
        """Raise `TemplateSyntaxError`, with its line, where a file's text is no template of the language."""
        self._books[locale].environment.from_string(source)

    def named(self, template: str, locale: str) -> set[str]:
        """The facts that a language's own file of a reply names, with those of what it includes."""
        return set(meta.find_undeclared_variables(self._parsed(template, locale)))

    def mentioned(self, template: str, locale: str) -> set[str]:
        """Every name and attribute that stands in a reply: `parcels`, `p`, `status`."""
        tree = self._parsed(template, locale)
        attributes = {str(n.attr) for n in tree.find_all(nodes.Getattr)}
        return attributes | {str(n.name) for n in tree.find_all(nodes.Name)}

    def _parsed(self, template: str, locale: str) -> nodes.Template:
        environment = self._books[locale].environment
        loader = environment.loader
        return environment.parse(loader.get_source(environment, f"{template}.j2")[0] if loader else "")

    @staticmethod
    def _tidy(template: Template, facts: Mapping[str, Any], zone: str) -> str:
        # What the template's whitespace left over is no part of the message.
        text = template.render(facts, zone=zone).strip()
        return _BLANK.sub("\n\n", text) if "\n\n\n" in text else text

    def _find(self, name: str, locale: str) -> tuple[Template, str]:
        known = self._templates.get((name, locale))
        if known is None:
            for code in self.chain(locale):
                try:
                    template = self._books[code].environment.get_template(f"{name}.j2")
                    template.globals = dict(template.globals)  # a chain of maps is slow, and read at every render
                    known = template, code
                except TemplateNotFound:
                    continue
                break
            else:
                raise Refused(f"there is no template {name} in any language")
            self._templates[name, locale] = known
        return known

    def fill(self, source: str, facts: Mapping[str, Any], locale: str, zone: str) -> str:
        """A text that staff wrote as a template, filled in as plain text for them to read and send.

        Raises `Refused` with what is wrong with it: a fact that is not there, more than facts, conditions, lists and
        filters, or no template at all.
        """
        book = self._books[self.chain(locale)[0]]
        environment = book.environment.overlay(autoescape=False, finalize=None)
        try:
            if excess := _excess(environment.parse(source)):
                raise Refused(f"an answer fills in facts; it cannot hold {excess}")
            return _BLANK.sub("\n\n", environment.from_string(source).render(facts, zone=zone).strip())
        except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
            raise Refused(f"{type(error).__name__}: {error}") from error
        except RecursionError as error:
            raise Refused("brackets within brackets within brackets") from error

    def choices(self, reply: Reply) -> tuple[Choice, ...]:
        """The reply's options as they are titled in its language."""
        return tuple(Choice(o.value, self._title(o, reply.locale)) for o in reply.options)

    def _title(self, option: Option, locale: str) -> str:
        return option.title or self.phrase("choice", option.phrase, locale)

    def phrase(self, kind: str, code: str, locale: str) -> str:
        """A short text of the language, for titles."""
        for book in (self._books[c] for c in self.chain(locale)):
            if (found := phrase(book.phrases, kind, code)) != code:
                return found
        return code

    def render(self, reply: Reply, limits: Limits, holder_version: int) -> tuple[Outbound, ...]:
        """The messages of a reply: one, unless its text is longer than the channel takes."""
        text, choices = self.text(reply), self.choices(reply)
        share = reply.ask_contact and limits.ask_contact
        drawn, menu = ((), False) if share and limits.contact_alone else _degrade(choices, limits)
        if choices and not drawn:
            text += "\n\n" + "\n".join(f"{n}. {escape(c.title)}" for n, c in enumerate(choices, 1))
        most = (limits.text_with_buttons or limits.text) if drawn or share else limits.text
        parts = split(text, most)
        asks = self.phrase("choice", "share_phone", reply.locale) if share else ""
        last = Outbound(
            id="",
            to=reply.to,
            text=parts[-1],
            purpose=reply.purpose,
            holder_version=holder_version,
            expires_at=reply.expires_at,
            choices=drawn,
            media=reply.media,
            menu=self.phrase("choice", "menu", reply.locale)[: limits.button_title] if menu else "",
            ask_contact=asks,
        )
        head = [replace(last, text=p, choices=(), media=(), menu="", ask_contact="") for p in parts[:-1]]
        return (*head, last)


class Pages:
    """Web pages from a folder of templates. Everything is escaped that is not itself a template's markup."""

    def __init__(self, folder: Path, facts: Mapping[str, Any], filters: Mapping[str, Callable[..., Any]]) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(folder),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals |= dict(facts)
        self._environment.filters |= dict(filters)

    def draw(self, name: str, /, **facts: Any) -> str:
        """The page (or part of one) of this name."""
        return self._environment.get_template(name).render(facts)


def phrases_of(folders: Sequence[Path], locale: str) -> dict[str, dict[str, Any]]:
    """A language's short texts by group and code; the first folder that has one gives it.

    Raises `Refused` for a file whose groups are no lists of texts.
    """
    phrases: dict[str, dict[str, Any]] = {}
    for path in (folder / locale / "phrases.yaml" for folder in reversed(folders)):
        for group, texts in read_phrases(path).items() if path.is_file() else ():
            if not isinstance(texts, dict):
                raise Refused(f"{path}: {group} is no list of texts")
            phrases[group] = phrases.get(group, {}) | texts
    return phrases


def read_phrases(path: Path) -> dict[str, Any]:
    """A language's short texts. Every key and value is text: `yes` and `no` are words here."""
    with path.open(encoding="utf-8") as file:  # a stream, so that an error names the file
        return dict(yaml.load(file, Loader=yaml.BaseLoader) or {})  # noqa: S506 - it makes only text


def _degrade(choices: Sequence[Choice], limits: Limits) -> tuple[tuple[Choice, ...], bool]:
    """What the channel can draw of the choices, and whether that is a list."""
    if not choices:
        return (), False
    if len(choices) <= limits.buttons:
        return _unique(choices, limits.button_title), False
    if len(choices) <= limits.rows:
        return _unique(choices, limits.row_title), True
    return (), False


def _unique(choices: Sequence[Choice], most: int) -> tuple[Choice, ...]:
    """Titles cut to the limit and told apart: platforms refuse two of a name."""
    seen: set[str] = set()
    made = []
    for choice in choices:
        title = choice.title if len(choice.title) <= most else choice.title[: most - 1].rstrip() + "…"
        n = 2
        while title in seen:
            mark = f" {n}"
            title, n = choice.title[: most - len(mark)].rstrip() + mark, n + 1
        seen.add(title)
        made.append(Choice(choice.value, title))
    return tuple(made)


def split(text: str, most: int) -> list[str]:
    """The text in parts no longer than `most` characters as a person counts them, cut between paragraphs or lines."""
    if len(text) <= most or len(plain(text)) <= most:
        return [text]
    parts: list[str] = []
    for line in text.split("\n"):
        if parts and len(plain(parts[-1])) + 1 + len(plain(line)) <= most:
            parts[-1] += "\n" + line
        else:
            parts += [line] if len(plain(line)) <= most else _hard(line, most)
    return [p.strip("\n") for p in parts if p.strip()] or [""]


def _hard(line: str, most: int) -> list[str]:
    """A line that is too long by itself loses its markup rather than its words."""
    bare = plain(line)
    return [str(escape(bare[i : i + most])) for i in range(0, len(bare), most)]
