"""What a message is most like, of those whose meaning is known: the second opinion beside the rules. Pure.

A linear model over pieces of words and the concepts of the lexicon. It is learnt from sentences of our own by
`python -m tests.dialog.learn`, ships as `words/likeness.bin` and takes 7 MiB in memory. All intents' weights of a piece
stand side by side in one integer, so that a piece is added to all of them at once: some 20 us a message.
"""

import re
import struct
from collections.abc import Collection, Mapping, Sequence
from importlib.resources import files
from math import exp
from zlib import compress, decompress

from msgspec import Struct

LONGEST = 160
"""Characters that are looked at."""
CONCEPT = 2
"""What a concept weighs beside a piece: pieces overlap, and tell much of the same."""
MARK = "="
"""Stands before a concept's name, that it is no piece of a word."""
_SPACED, _JOINED = (3, 4, 5), (1, 2, 3)
_NUMBER = re.compile(r"\d+")
_LANE, _MIDDLE = 4, 128
"""Bytes of an intent's lane, and the byte that is a weight of nothing."""
_HEAD = struct.Struct("<IfIHH")


class Likeness(Struct, frozen=True):
    """The model: `table` has of each piece the weights of all intents, a lane each.

    A weight is a byte, `scale` of it are one unit of log odds; `before` is what each intent has before a word is read.
    `learnt_from` is the checksum of the sentences.
    """

    intents: tuple[str, ...]
    before: tuple[float, ...]
    scale: float
    table: Mapping[str, int]
    learnt_from: int

    @classmethod
    def load(cls) -> "Likeness":
        """Read the packaged model."""
        return cls.unpacked((files("bot.dialog") / "words" / "likeness.bin").read_bytes())

    @classmethod
    def unpacked(cls, data: bytes) -> "Likeness":
        """The model that `packed` wrote."""
        data = decompress(data)
        learnt_from, scale, named, width, of_intents = _HEAD.unpack_from(data)
        at = _HEAD.size
        intents = tuple(data[at : at + of_intents].decode().split("\n"))
        at += of_intents
        before = struct.unpack_from(f"<{width}f", data, at)
        at += 4 * width
        pieces = data[at : at + named].decode().split("\n")
        at += named
        lanes = struct.Struct(f"<{width}I")
        table = {
            piece: int.from_bytes(lanes.pack(*data[at + i * width : at + (i + 1) * width]), "little")
            for i, piece in enumerate(pieces)
        }
        return cls(intents, before, scale, table, learnt_from)

    def chances(self, text: str, concepts: Collection[str]) -> list[tuple[str, float]]:
        """How likely each intent is, 0 to 1 and 1 together, of a folded text and what its words carry."""
        table = self.table
        seen = [table[piece] for piece in pieces_of(text) if piece in table]
        said = [table[name] for concept in concepts if (name := MARK + concept) in table]
        width = len(self.intents)
        total = sum(seen) + CONCEPT * sum(said)
        sums = struct.unpack_from(f"<{width}I", total.to_bytes(_LANE * width, "little"))
        middle = _MIDDLE * (len(seen) + CONCEPT * len(said))
        scale = self.scale
        parts = [exp(b + (s - middle) / scale) for b, s in zip(self.before, sums, strict=True)]
        whole = sum(parts)
        return [(intent, part / whole) for intent, part in zip(self.intents, parts, strict=True)]


def pieces_of(text: str) -> set[str]:
    """The pieces of a folded text: of numbers only that there is one, and of scripts without spaces shorter ones."""
    words = f" {' '.join(_NUMBER.sub('0', text).split())} "[:LONGEST]
    joined = not words.isascii() and any(c > "\u2e80" for c in words)
    return {words[i : i + n] for n in (_JOINED if joined else _SPACED) for i in range(len(words) - n + 1)}


def packed(
    intents: Sequence[str], before: Sequence[float], table: Mapping[str, Sequence[float]], learnt_from: int
) -> bytes:
    """A model as it ships, from its weights in units of log odds, one an intent."""
    scale = (_MIDDLE - 1) / max(abs(weight) for weights in table.values() for weight in weights)
    names, pieces = "\n".join(intents).encode(), "\n".join(table).encode()
    cells = bytes(round(weight * scale) + _MIDDLE for weights in table.values() for weight in weights)
    head = _HEAD.pack(learnt_from, scale, len(pieces), len(intents), len(names))
    return compress(head + names + struct.pack(f"<{len(intents)}f", *before) + pieces + cells, 9)
