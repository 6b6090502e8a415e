"""How facts are printed: dates, hours, windows, counts, lists and countries as the reader's language has them (CLDR).

Each prints a `Placeholder` as the expression that would print the fact, for templates whose facts come later.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from functools import lru_cache, partial
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time
from babel.lists import format_list
from jinja2 import UndefinedError, pass_context
from jinja2.runtime import Context

_OPEN, _CLOSE = "\ue000", "\ue001"
"""Around a placeholder until the template is rendered: private letters that no text holds."""


class Placeholder(str):
    """A fact that is not known yet: an approved template is rendered with these, and prints where each one stands.

    `expression` is what a template would print for it (`first|day`): filters add to it instead of being applied.
    """

    __slots__ = ("expression", "name")
    name: str
    expression: str

    def __new__(cls, name: str, expression: str = "") -> "Placeholder":
        """A placeholder for the fact `name`."""
        made = super().__new__(cls, f"{_OPEN}{name} {expression or name}{_CLOSE}")
        made.name, made.expression = name, expression or name
        return made

    def through(self, form: str) -> "Placeholder":
        """The same fact, printed in a form: `%s|day`."""
        return Placeholder(self.name, form % self.expression)


_RIGHT_TO_LEFT = {"ar", "fa", "he", "ur"}
_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"
_FOREIGN = re.compile(r"[A-Za-z0-9\u00c0-\u052f]")
_OWN = re.compile(r"[\u0590-\u07ff\u08a0-\u08ff]")


def is_right_to_left(locale: str) -> bool:
    """Whether the language is written from right to left."""
    return locale.split("-", maxsplit=1)[0] in _RIGHT_TO_LEFT


def apart(text: str) -> str:
    """A value as it stands in a sentence from right to left: Latin letters and digits keep their own direction, and
    the sentence keeps its (Unicode UAX 9, FSI and PDI)."""
    foreign = _FOREIGN.search(text) and not _OWN.search(text)
    return f"{_ISOLATE}{text}{_END_ISOLATE}" if foreign else text


PLACED = re.compile(f"{_OPEN}([a-z][a-z0-9_]*) ([^{_CLOSE}]+){_CLOSE}")
"""A placeholder in a rendered text: its name and its expression."""


def filters(phrases: Mapping[str, Any], locale: str) -> dict[str, Callable[..., str]]:
    """What the templates of a language print with, by the names that they use."""
    return {
        "day": day,
        "moment": moment,
        "hour": hour,
        "opening": opening,
        "window": window,
        "listed": listed,
        "land": land,
        "counted": partial(counted, phrases, locale),
    }


def phrase(phrases: Mapping[str, Any], kind: str, code: str = "") -> str:
    """A short text of the language: of this kind for this code, else of the kind for all others, else the code."""
    if isinstance(code, Placeholder):
        return code.through(f'phrase("{kind}", %s)')
    group = phrases.get(kind)
    if isinstance(group, Mapping):
        return str(group.get(code, group.get("_", code)))
    return str(group) if group is not None else code


@lru_cache(maxsize=64)
def _date_pattern(locale: str) -> str:
    """Weekday, day and month by CLDR; the month in full where its short form has a dot or another case, and brackets
    of Japanese width."""
    known = Locale.parse(locale).datetime_skeletons
    if "MMMMEd" in known:
        return str(known["MMMMEd"].pattern)
    short = str(known["MMMEd"].pattern)
    if locale.startswith("ja"):
        return short.replace("(", "（").replace(")", "）")
    return short if locale.startswith("en") else short.replace("MMM", "MMMM")


@lru_cache(maxsize=4096)
def _date_text(day: date, locale: str) -> str:
    return format_date(day, _date_pattern(locale), locale=locale)


@lru_cache(maxsize=64)
def _hour_pattern(locale: str) -> str:
    """Hour and minute by CLDR, with the half of the day in words: Korean and Arabic say it so."""
    return str(Locale.parse(locale).time_formats["short"].pattern).replace("a", "aaaa")


@lru_cache(maxsize=16_384)
def _hour_text(hour: int, minute: int, locale: str) -> str:
    return format_time(time(hour, minute), _hour_pattern(locale), locale=locale)


@lru_cache(maxsize=64)
def _cldr(locale: str) -> Locale:
    return Locale.parse(locale.replace("-", "_"))


def _local(value: datetime, zone: str) -> datetime:
    # A scan's wall clock has no zone and is shown as it stands there.
    return value if value.tzinfo is None else value.astimezone(ZoneInfo(zone))


def opening(words: str) -> str:
    """Words that open a sentence."""
    if isinstance(words, Placeholder):
        return words.through("%s|opening")
    return words[:1].upper() + words[1:]


def counted(phrases: Mapping[str, Any], locale: str, number: int, kind: str) -> str:
    """A text with a number in it, in the plural form of its language (CLDR); `{n}` stands for it."""
    if isinstance(number, Placeholder):
        return number.through(f'%s|counted("{kind}")')
    forms = phrases.get("counted", {}).get(kind)
    if forms is None:
        raise UndefinedError(f"the phrases have no counted.{kind}")
    return str(forms.get(_cldr(locale).plural_form(number), forms["other"])).replace("{n}", str(number))


@pass_context
def listed(context: Context, values: Sequence[str]) -> str:
    """Several things in a row, as the language joins them: A, B and C."""
    if isinstance(values, Placeholder):
        return values.through("%s|listed")
    locale, said = context["locale"], [str(v) for v in values]
    if len(said) > 1 and is_right_to_left(locale):
        said = [apart(v) for v in said]
    return format_list(said, locale=_cldr(locale))


@pass_context
def land(context: Context, code: str) -> str:
    """A country's name in the reader's language, from its ISO 3166 code."""
    if isinstance(code, Placeholder):
        return code.through("%s|land")
    return str(_cldr(context["locale"]).territories.get(code, code))


@pass_context
def day(context: Context, value: date | datetime | Placeholder) -> str:
    """A day as people say it: Tue, 24 Nov."""
    if isinstance(value, Placeholder):
        return value.through("%s|day")
    if not isinstance(value, date):
        raise UndefinedError(f"{type(value).__name__} is no day")
    local = _local(value, context["zone"]).date() if isinstance(value, datetime) else value
    return _date_text(local, context["locale"].replace("-", "_"))


@pass_context
def hour(context: Context, value: datetime | Placeholder) -> str:
    """The hour and minute of an instant, in the reader's zone."""
    if isinstance(value, Placeholder):
        return value.through("%s|hour")
    local = _local(value, context["zone"])
    return _hour_text(local.hour, local.minute, context["locale"].replace("-", "_"))


@pass_context
def moment(context: Context, value: datetime | Placeholder) -> str:
    """Day and hour together, joined as the language's phrases say."""
    if isinstance(value, Placeholder):
        return value.through("%s|moment")
    joined: str = context["phrase"]("moment", "joined")
    return joined.replace("{day}", day(context, value)).replace("{hour}", hour(context, value))


@pass_context
def window(context: Context, first: date | datetime | Placeholder, last: date | datetime | Placeholder) -> str:
    """When something is likely to come, as it stands beside the verb: around a day, or between two days."""
    if isinstance(first, Placeholder) and isinstance(last, Placeholder):
        return first.through(f"%s|window({last.expression})")
    days = day(context, first), day(context, last)
    said: str = context["phrase"]("window", "day" if days[0] == days[1] else "days")
    return said.replace("{first}", days[0]).replace("{last}", days[1])
