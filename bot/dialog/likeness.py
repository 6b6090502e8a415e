"""What a sentence is most like, of those whose meaning is known. Asked where the rules see nothing clear.

A naive Bayes model over pieces of words and the concepts of the lexicon, made from `words/sentences.txt` when the bot
starts (some tenths of a second) and kept in a table of half a megabyte: no file of weights can grow stale. It is eager,
as such models are, so what it says counts less than a rule.
"""

from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from math import log
from zlib import crc32

from msgspec import Struct

ROWS = 1 << 13
"""Pieces of words share the rows of the table by their checksum."""
LONGEST = 120
"""Characters that are looked at."""
OF_PIECES, OF_CONCEPTS = 0.35, 1.0
"""Pieces overlap and tell much of the same: each counts less than a concept."""
RARE = 0.2
_SPACED, _JOINED = (3, 4, 5), (1, 2, 3)


class Likeness(Struct, frozen=True):
    """The table: for each row what it adds to each intent, by how often it was seen there."""

    intents: tuple[str, ...]
    before: tuple[float, ...]
    table: array  # type: ignore[type-arg]  # of floats
    seen: bytes

    @classmethod
    def learn(cls, sentences: Iterable[tuple[str, str, Collection[str]]]) -> "Likeness":
        """From sentences as (intent, folded text, concepts)."""
        listed = list(sentences)
        intents = tuple(sorted({intent for intent, _, _ in listed}))
        width = len(intents)
        counts = array("f", bytes(4 * ROWS * width))
        seen = bytearray(ROWS)
        totals, spoken = [0.0] * width, [0] * width
        for intent, text, concepts in listed:
            place = intents.index(intent)
            spoken[place] += 1
            for row, weight in _rows(text, concepts):
                counts[row * width + place] += weight
                totals[place] += weight
                seen[row] = 1
        most = [totals[place] + RARE * sum(seen) for place in range(width)]
        never = array("f", [log(RARE / most[place]) for place in range(width)])
        table = never * ROWS
        for at, count in enumerate(counts):
            if count:
                table[at] = log((count + RARE) / most[at % width])
        return cls(intents, tuple(log(n) for n in spoken), table, bytes(seen))

    def guess(self, text: str, concepts: Collection[str]) -> tuple[str, float]:
        """The likeliest intent, and by how much it leads; the lead has no unit and is no probability."""
        scores: Sequence[float] = self.before
        width = len(self.intents)
        for row, weight in _rows(text, concepts):
            if self.seen[row]:
                scale = OF_CONCEPTS if weight > 1 else OF_PIECES
                added = self.table[row * width : (row + 1) * width]
                scores = [score + scale * more for score, more in zip(scores, added, strict=True)]
        best, second = sorted(scores, reverse=True)[:2]
        return self.intents[scores.index(best)], best - second


def _rows(text: str, concepts: Collection[str]) -> Iterator[tuple[int, float]]:
    """The rows of a text's pieces and concepts, each once, with what it weighs."""
    words = f" {' '.join(text.split())} "[:LONGEST]
    joined = any(ord(c) > 0x2E80 for c in words)
    pieces = {words[i : i + n] for n in (_JOINED if joined else _SPACED) for i in range(len(words) - n + 1)}
    for piece in pieces:
        yield crc32(piece.encode()) % ROWS, 1.0
    for concept in concepts:
        yield crc32(b"\x00" + concept.encode()) % ROWS, 3.0
