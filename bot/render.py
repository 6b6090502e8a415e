"""What to say becomes how it reads: a template of the reader's language, rendered once for one address.

Templates are sandboxed and autoescaped into the neutral markup. A value never becomes markup, a link or a
mention on any channel: what would turn into one by itself is broken with a word joiner that nobody sees.
Choices degrade by the channel's limits: buttons, else a list, else a numbered menu.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from babel.dates import format_skeleton, format_time
from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateNotFound,
    pass_context,
)
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

from bot.errors import Refused
from bot.model.markup import plain
from bot.model.messages import Choice, Limits, Option, Outbound, Reply

_JOINER = "\u2060"
_LINKS = re.compile(r"@|://|(?<=\w)\.(?=[a-zA-Z\u0400-\u04ff]{2})|(?<=^)/|(?<=\s)/|(?<=^)#|(?<=\s)#")
_BLANK = re.compile(r"\n{3,}")


def defang(value: object) -> object:
    """A value as it is shown: text that a platform would turn into a link, mention or command is broken."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return _LINKS.sub(lambda m: m[0] + _JOINER, " ".join(value.split()) if "\n" in value else value)


@dataclass(frozen=True, slots=True)
class _Book:
    """One language: its templates, its phrases, and the code under which dates are told."""

    locale: str
    environment: ImmutableSandboxedEnvironment
    phrases: Mapping[str, Any]


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
        self.default = default if default in found else "en"
        self._books = {locale: self._book(locale) for locale in self.locales}
        self._templates: dict[tuple[str, str], tuple[Template, str]] = {}

    def _book(self, locale: str) -> _Book:
        environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader([folder / locale for folder in self.folders]),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=defang,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        phrases: dict[str, Any] = {}
        for folder in reversed(self.folders):
            path = folder / locale / "phrases.yaml"
            if path.is_file():
                phrases |= read_phrases(path)
        environment.globals["phrase"] = lambda kind, code="": _phrase(phrases, kind, code)
        environment.filters |= {"day": _day, "moment": _moment, "hour": _hour, "opening": _opening}
        environment.globals["locale"] = locale
        return _Book(locale, environment, phrases)

    def chain(self, locale: str) -> tuple[str, ...]:
        """The languages in which a reply is looked for, best first."""
        wanted = (locale, locale.split("-", maxsplit=1)[0], self.default, "en")
        return tuple(dict.fromkeys(code for code in wanted if code in self._books))

    def text(self, reply: Reply) -> str:
        """The reply in neutral markup."""
        template, _ = self._find(reply.template, reply.locale)
        # What the template's whitespace left over is no part of the message.
        return _BLANK.sub("\n\n", template.render(reply.facts, zone=reply.zone).strip())

    def _find(self, name: str, locale: str) -> tuple[Template, str]:
        known = self._templates.get((name, locale))
        if known is None:
            for code in self.chain(locale):
                try:
                    known = self._books[code].environment.get_template(f"{name}.j2"), code
                except TemplateNotFound:
                    continue
                break
            else:
                raise Refused(f"there is no template {name} in any language")
            self._templates[name, locale] = known
        return known

    def fill(self, source: str, facts: Mapping[str, Any], locale: str, zone: str) -> str:
        """A text that staff wrote as a template, filled in as plain text for them to read and send.

        Raises `Refused` with what is wrong with it: a fact that is not there, or no template at all.
        """
        book = self._books[self.chain(locale)[0]]
        environment = book.environment.overlay(autoescape=False, finalize=None)
        try:
            return _BLANK.sub("\n\n", environment.from_string(source).render(facts, zone=zone).strip())
        except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
            raise Refused(f"{type(error).__name__}: {error}") from error

    def choices(self, reply: Reply) -> tuple[Choice, ...]:
        """The reply's options as they are titled in its language."""
        return tuple(Choice(o.value, self._title(o, reply.locale)) for o in reply.options)

    def _title(self, option: Option, locale: str) -> str:
        return option.title or self.phrase("choice", option.phrase, locale)

    def phrase(self, kind: str, code: str, locale: str) -> str:
        """A short text of the language, for titles."""
        for book in (self._books[c] for c in self.chain(locale)):
            if (found := _phrase(book.phrases, kind, code)) != code:
                return found
        return code

    def render(self, reply: Reply, limits: Limits, holder_version: int) -> tuple[Outbound, ...]:
        """The messages of a reply: one, unless its text is longer than the channel takes."""
        text, choices = self.text(reply), self.choices(reply)
        drawn, menu = _degrade(choices, limits)
        if choices and not drawn:
            text += "\n\n" + "\n".join(f"{n}. {escape(c.title)}" for n, c in enumerate(choices, 1))
        share = reply.ask_contact and limits.ask_contact
        most = (limits.text_with_buttons or limits.text) if drawn or share else limits.text
        parts = split(text, most)
        first = Outbound(
            id="",
            to=reply.to,
            text="",
            purpose=reply.purpose,
            holder_version=holder_version,
            expires_at=reply.expires_at,
        )
        head = [replace(first, text=part) for part in parts[:-1]]
        asks = self.phrase("choice", "share_phone", reply.locale) if share else ""
        last = replace(
            first,
            text=parts[-1],
            choices=drawn,
            media=reply.media,
            menu=self.phrase("choice", "menu", reply.locale)[: limits.button_title] if menu else "",
            ask_contact="" if drawn and limits.window else asks,
        )
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


def read_phrases(path: Path) -> dict[str, Any]:
    """A language's short texts. Every key and value is text: `yes` and `no` are words here."""
    return dict(yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader))  # noqa: S506 - it makes only text


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
    if len(plain(text)) <= most:
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


def _phrase(phrases: Mapping[str, Any], kind: str, code: str) -> str:
    group = phrases.get(kind)
    if isinstance(group, Mapping):
        return str(group.get(code, group.get("_", code)))
    return str(group) if group is not None else code


@lru_cache(maxsize=4096)
def _date_text(day: date, locale: str) -> str:
    return format_skeleton("MMMEd", datetime(day.year, day.month, day.day), locale=locale)  # noqa: DTZ001 - a day has no zone


@lru_cache(maxsize=16_384)
def _hour_text(hour: int, minute: int, locale: str) -> str:
    return format_time(time(hour, minute), "short", locale=locale)


def _local(value: datetime, zone: str) -> datetime:
    # A scan's wall clock has no zone and is shown as it stands there.
    return value if value.tzinfo is None else value.astimezone(ZoneInfo(zone))


def _opening(words: str) -> str:
    """Words that open a sentence."""
    return words[:1].upper() + words[1:]


@pass_context
def _day(context: Context, value: date | datetime) -> str:
    """A day as people say it: Tue, 24 Nov."""
    local = _local(value, context["zone"]).date() if isinstance(value, datetime) else value
    return _date_text(local, context["locale"].replace("-", "_"))


@pass_context
def _hour(context: Context, value: datetime) -> str:
    """The hour and minute of an instant, in the reader's zone."""
    local = _local(value, context["zone"])
    return _hour_text(local.hour, local.minute, context["locale"].replace("-", "_"))


@pass_context
def _moment(context: Context, value: datetime) -> str:
    """Day and hour together."""
    return f"{_day(context, value)}, {_hour(context, value)}"
