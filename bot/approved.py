"""WhatsApp's approved templates, worded by the same files as everything else.

Outside its 24 hours the platform takes only a text that it approved beforehand, with named parameters in it. That
text is a reply rendered once with placeholders for the parameters (`bodies`), and the values are what the reply's
template prints in their place (`Approvals.form`). So there is one wording, and what cannot vary inside an approved
text is a variant of its own in the catalogue.

Rules: Meta's pages "Message templates" and "Create templates" (named parameters, 1,024 characters, no parameter first,
last or next to another, an example for each). Meta also refuses "too many variable parameters relative to the message
length" and names no number; two providers found that n parameters want 2n + 1 words beside them (Syniverse, "How to
avoid too many parameters rejection"; Mercuri, "Minimum words/parameters ratio").
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from bot.catalogue import Catalogue, Entry, Form
from bot.model.markup import plain
from bot.model.messages import Address, Approved, Reply
from bot.model.templates import Body, ListedTemplate
from bot.printing import PLACED, Placeholder
from bot.render import Renderer

LONGEST = 1024
"""Characters of a body."""
VALUE = 120
"""Characters of a parameter's value, so that a body with six of them stays within `LONGEST` when it is filled in."""
BUTTON = 25
"""Characters of a quick reply's title."""
TRIED_SECONDS = {"UTILITY": 12 * 3600}
"""So long the platform tries to deliver to a phone that is off, by category: the longest that it lets one set. Left to
itself it tries for 30 days, and a date of last week would arrive as news."""
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_HERE = re.compile(r"\{\{([a-z0-9_]+)\}\}")
_WORD = re.compile(r"[^\W\d_]+")
_UNPARTED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_APART = re.compile(r"\}\}\W*\{\{")
_EDGE = re.compile(r"^\W*\{\{|\}\}\W*$")


class Approvals:
    """The approved forms of a shop's notices."""

    def __init__(self, renderer: Renderer, catalogue: Catalogue) -> None:
        self._renderer = renderer
        self._catalogue = catalogue
        self._expressions: dict[tuple[str, str], dict[str, str]] = {}

    def form(self, reply: Reply) -> Approved | None:
        """The approved template that says this reply, with its parameters' values; None where there is none."""
        entry = self._catalogue.entries.get(reply.template)
        for form in (f for f in entry.forms if f.fits(reply.facts)) if entry else ():
            locale = self._renderer.language(reply.template, reply.locale)
            values = self._values(reply, form, locale)
            if all(value for _, value in values):  # the platform refuses an empty one
                return Approved(form.name, self._code(locale), values)
        return None

    def body(self, template: str, locale: str, name: str = "") -> Body:
        """What is submitted for approval; `name` picks a variant, else it is the entry's own form."""
        entry = self._catalogue.entries[template]
        form = next(f for f in entry.forms if f.name == name) if name else entry.forms[-1]
        locale = self._renderer.language(template, locale)
        example = _blank(entry, locale, {**entry.always, **entry.sometimes, **form.when})
        buttons = tuple(self._renderer.phrase("choice", c, locale) for c in entry.choices)
        text = PLACED.sub(lambda m: "{{" + m[1] + "}}", self._raw(entry, form, locale))
        values, tried = self._values(example, form, locale), TRIED_SECONDS.get(form.category, 0)
        return Body(form.name, form.category, self._code(locale), text, values, buttons, tried)

    def bodies(self, locale: str) -> Iterator[Body]:
        """All that is to be approved in a language."""
        for entry in self._catalogue.entries.values():
            yield from (self.body(entry.name, locale, form.name) for form in entry.forms)

    def _values(self, reply: Reply, form: Form, locale: str) -> tuple[tuple[str, str], ...]:
        known = self._printed(self._catalogue.entries[reply.template], form, locale)
        return tuple((p, _cut(plain(self._renderer.printed(known[p], reply)))) for p in form.parameters)

    def _printed(self, entry: Entry, form: Form, locale: str) -> Mapping[str, str]:
        """The expression that the template prints for each parameter."""
        key = (form.name, locale)
        if key not in self._expressions:
            found = dict(PLACED.findall(self._raw(entry, form, locale)))
            self._expressions[key] = {p: found.get(p, facts[0]) for p, facts in form.parameters.items()}
        return self._expressions[key]

    def _raw(self, entry: Entry, form: Form, locale: str) -> str:
        always = {"stop_hint": True} if "stop_hint" in entry.sometimes else {}
        placed = {fact: Placeholder(p, fact) for p, facts in form.parameters.items() for fact in facts}
        return plain(self._renderer.text(_blank(entry, locale, {**always, **form.when, **placed})))

    def _code(self, locale: str) -> str:
        return self._catalogue.languages.get(locale, locale)


def _cut(value: str) -> str:
    return value if len(value) <= VALUE else value[: VALUE - 1].rstrip() + "…"


def _blank(entry: Entry, locale: str, facts: Mapping[str, Any]) -> Reply:
    return replace(Reply(Address("lint", "", ""), entry.name, {}, "lint", locale), facts=facts)


def body_faults(body: Body) -> Iterator[str]:
    """What the platform would refuse in a body."""
    names = [name for name, _ in body.samples]
    if not _NAME.fullmatch(body.name):
        yield f"{body.name} is no name: lower-case letters, digits and _ only"
    yield from (f"the parameter {n} is not named as the platform wants it" for n in names if not _NAME.fullmatch(n))
    placed = _HERE.findall(body.text)
    yield from (f"the parameter {n} is not in the text" for n in names if n not in placed)
    yield from (f"the parameter {n} stands in the text twice" for n in set(placed) if placed.count(n) > 1)
    yield from (f"nobody gives the parameter {n}" for n in set(placed) - set(names))
    yield from (f"the parameter {n} has no example" for n, sample in body.samples if not sample.strip())
    if (most := len(_HERE.sub("", body.text)) + VALUE * len(names)) > LONGEST:
        yield f"has up to {most} characters when it is filled in; {LONGEST} fit"
    words, wanted = _words(_HERE.sub(" ", body.text)), 2 * len(names) + 1
    if names and words < wanted:
        yield f"has too few words for its parameters: {words} of {wanted}"
    if _EDGE.search(body.text):
        yield "begins or ends with a parameter"
    if _APART.search(body.text):
        yield "has two parameters with no word between them"
    yield from (f"the button “{b}” is longer than {BUTTON}" for b in body.buttons if len(b) > BUTTON)


def _words(text: str) -> int:
    """The words of a text; where no space parts them, two signs are taken for one."""
    unparted = _UNPARTED.findall(text)
    return len(_WORD.findall(_UNPARTED.sub(" ", text))) + len(unparted) // 2


class Deviation(Struct, frozen=True):
    """Something of a template at the platform that is not as it should be: what kind of thing, and in words."""

    name: str
    language: str
    what: str
    detail: str


def deviations(wanted: Iterable[Body], listed: Iterable[ListedTemplate]) -> Iterator[Deviation]:
    """What keeps our templates from being sent as we word them and at the price that we expect."""
    there = {(t.name, t.language): t for t in listed}
    for body in wanted:
        found = there.get((body.name, body.language))
        told = _told(body, found) if found is not None else [("missing", "WhatsApp does not have it")]
        yield from (Deviation(body.name, body.language, what, detail) for what, detail in told)


def _told(body: Body, found: ListedTemplate) -> Iterator[tuple[str, str]]:
    if found.status != "APPROVED":
        yield "status", f"WhatsApp has it as {found.status or 'nothing it names'}"
    if found.category != body.category:
        yield "category", f"is {found.category or 'of no category'} there and {body.category} here"
    if found.text.strip() != body.text.strip():
        yield "text", "the text there is another"
    if found.buttons != body.buttons:
        yield "buttons", f"the buttons there are {', '.join(found.buttons) or 'none'}"
    if body.tried and found.tried != body.tried:
        yield "tried", f"WhatsApp tries to deliver it for {_hours(found.tried)} and was asked for {_hours(body.tried)}"
    if found.quality == "RED":
        yield "quality", "buyers complain of it: its quality is RED, and WhatsApp may pause it"


def _hours(seconds: int) -> str:
    return f"{seconds / 3600:g} h" if seconds > 0 else "its 30 days"
