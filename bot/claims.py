"""Words that a text must not hold: what promotes, what promises, and what is personal. The lists are data beside the
templates (`wording.yaml`, which says how they are written)."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

_TAGS = re.compile(r"{%.*?%}|{#.*?#}|</?\w[^<>]*>", re.DOTALL)
_PRINTED = re.compile(r"{{.*?}}", re.DOTALL)


class Wording(Struct, frozen=True):
    """The lists, each language's words as one pattern."""

    promotion: Mapping[str, re.Pattern[str]]
    promise: Mapping[str, re.Pattern[str]]
    personal: frozenset[str]

    def is_personal(self, name: str) -> bool:
        """Whether a fact's name says that it is about a person: `email`, `buyer_email`."""
        return not self.personal.isdisjoint(name.lower().split("_"))


@cache
def read_wording(path: Path) -> Wording:
    """The lists of a template folder."""
    with path.open(encoding="utf-8") as file:  # a stream, so that an error names the file
        raw = yaml.safe_load(file)
    return Wording(_patterns(raw["promotion"]), _patterns(raw["promise"]), frozenset(raw["personal"]))


def found(pattern: re.Pattern[str] | None, source: str) -> Iterator[tuple[int, str]]:
    """Each line of a template that holds one of the words, from 1, with the word. Every branch is read, not only those
    that an example happens to take; what the template prints is no word of its own."""
    bare = _PRINTED.sub(_blank("·"), _TAGS.sub(_blank(""), source))
    for number, line in enumerate(bare.split("\n"), 1):
        yield from ((number, match[0]) for match in (pattern.finditer(line) if pattern else ()))


def _blank(mark: str) -> Any:
    # A tag over several lines keeps its lines, so that those below are numbered as they stand.
    return lambda match: mark + "\n" * match[0].count("\n")


def _patterns(raw: Mapping[str, list[str]]) -> Mapping[str, re.Pattern[str]]:
    return {locale: re.compile("|".join(map(_word, words)), re.IGNORECASE) for locale, words in raw.items()}


def _word(written: str) -> str:
    inner = re.escape(written.strip("*"))
    before = "" if written.startswith("*") else r"(?<!\w)"
    return before + inner + (r"\w*" if written.endswith("*") else r"(?!\w)")
