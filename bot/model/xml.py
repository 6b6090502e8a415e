"""XML that nobody here wrote: elements by their local names; what declares, nests or repeats too much is refused."""

from codecs import BOM_UTF8
from collections.abc import Mapping
from typing import Any, NoReturn
from xml.parsers import expat

from msgspec import Struct, field

from bot.model.foreign import LONGEST, a_text, parse_json

DEEPEST = 32
LARGEST = 4_000_000
MOST = 100_000


class Node(Struct):
    """An element: its local name, its attributes by theirs, its own text and the elements in it."""

    name: str
    told: Mapping[str, str] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    inner: list["Node"] = field(default_factory=list)

    def all(self, name: str) -> list["Node"]:
        """The elements in it that have this name."""
        return [node for node in self.inner if node.name == name]

    def first(self, *path: str) -> "Node":
        """The first element of this path; an empty one where there is none."""
        here = self
        for name in path:
            here = next(iter(here.all(name)), Node(name))
        return here

    def text(self, *path: str) -> str:
        """The text of the first element of this path, white space folded."""
        return a_text(" ".join("".join(self.first(*path).words).split()))


class _Reader:
    """Builds nodes from expat's events; whatever declares anything, is too deep or too much is refused."""

    def __init__(self, who: str) -> None:
        self.who = who
        self.root = Node("")
        self._open = [self.root]
        self._count = 0

    def start(self, tag: str, told: Mapping[str, str]) -> None:
        self._count += 1
        if len(self._open) > DEEPEST or self._count > MOST:
            raise ValueError(f"{self.who}: XML of a size that no answer has")
        node = Node(tag.rpartition(":")[2], {name.rpartition(":")[2]: a_text(value) for name, value in told.items()})
        self._open[-1].inner.append(node)
        self._open.append(node)

    def end(self, _: str) -> None:
        self._open.pop()

    def words(self, text: str) -> None:
        words = self._open[-1].words
        if len(words) < LONGEST:
            words.append(text)

    def refuse(self, *_: object) -> NoReturn:
        raise ValueError(f"{self.who}: XML with declarations of its own is not read")


def parse_xml(body: bytes, who: str) -> Node:
    """The root element; ValueError with one clear line where it is no XML or declares a document type. What stands
    before the markup, as a mark of UTF-8, is let be."""
    if len(body) > LARGEST:
        raise ValueError(f"{who}: XML of a size that no answer has")
    reader = _Reader(who)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.words
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = parser.UnparsedEntityDeclHandler = reader.refuse
    parser.ExternalEntityRefHandler = reader.refuse
    try:
        parser.Parse(body.removeprefix(BOM_UTF8).lstrip(), True)
    except (expat.ExpatError, LookupError, UnicodeError) as error:
        raise ValueError(f"{who}: this is not XML") from error
    except ValueError as error:
        ours = str(error).startswith(f"{who}: ")
        raise ValueError(str(error) if ours else f"{who}: this is not XML") from error
    return reader.root.inner[0]


_BEFORE_MARKUP = b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"
"""Byte order marks, the other half of a wide character, and white space."""


def is_xml(body: bytes) -> bool:
    """Whether a body begins as markup does, in any encoding; no JSON does."""
    return body.lstrip(_BEFORE_MARKUP).startswith(b"<")


def parse_either(body: bytes, who: str) -> Any:
    """The JSON of a body, or its XML as JSON would have it; ValueError with one clear line where it is neither."""
    if not is_xml(body):
        return parse_json(body, who)
    if body[:64].lstrip(_BEFORE_MARKUP).lower().startswith((b"<html", b"<!doctype html")):
        raise ValueError(f"{who}: this is a web page and no answer")
    root = parse_xml(body, who)
    return {root.name: plain(root)}


def plain(node: Node) -> Any:
    """An element as JSON would have it: its text, or the elements in it by name, several of one name as a list."""
    if not node.inner:
        return a_text(" ".join("".join(node.words).split()))
    found: dict[str, Any] = {}
    for inner in node.inner:
        found.setdefault(inner.name, []).append(plain(inner))
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}
