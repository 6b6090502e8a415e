"""Example replies to look at: every template with its fewest facts, with all of them, and orders at the edge."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from bot.catalogue import Catalogue, Entry
from bot.model.messages import Address, Option, Reply

FEWEST, ALL = "fewest facts", "all facts"


class Edge(Struct, frozen=True):
    """An order at the edge: the template it is told with, and the facts that differ from the fewest."""

    name: str
    template: str
    facts: Mapping[str, Any]


class Specimen(Struct, frozen=True):
    """One example: the template, what is special about it, and the reply as the engine would make it."""

    template: str
    case: str
    reply: Reply


def read_edges(path: Path) -> tuple[Edge, ...]:
    """The edge orders of a template folder; none where it has no such file."""
    if not path.is_file():
        return ()
    with path.open(encoding="utf-8") as file:  # a stream, so that an error names the file
        raw = yaml.safe_load(file)
    return tuple(Edge(name, e["template"], e["facts"]) for name, e in raw["edges"].items())


def specimens(catalogue: Catalogue, locale: str, edges: tuple[Edge, ...] = ()) -> Iterator[Specimen]:
    """All examples in a language, template by template. Days are told in UTC, so that they read the same everywhere."""
    for entry in catalogue.entries.values():
        yield Specimen(entry.name, FEWEST, _reply(entry, entry.always, locale))
        if entry.sometimes:
            yield Specimen(entry.name, ALL, _reply(entry, {**entry.always, **entry.sometimes}, locale))
        for edge in (e for e in edges if e.template == entry.name):
            yield Specimen(entry.name, edge.name, _reply(entry, {**entry.always, **edge.facts}, locale))


def _reply(entry: Entry, facts: Mapping[str, Any], locale: str) -> Reply:
    options = tuple(Option(choice, choice) for choice in entry.choices)
    return Reply(Address("preview", "", ""), entry.name, facts, "preview", locale, options=options)
