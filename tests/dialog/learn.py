"""Learn `bot/dialog/words/likeness.bin` anew from the sentences beside this file (half a minute).

    PYTHONPATH=. python -m tests.dialog.learn

A multinomial logistic regression, by Adagrad in a fixed order, so that the same sentences make the same file. It
reads `LEARNT` and nothing else: what is to be measured on is never learnt from.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from math import exp
from pathlib import Path
from random import Random
from zlib import crc32

import yaml

from bot.dialog.entities import entities
from bot.dialog.language import LanguageModel
from bot.dialog.lexicon import Lexicon
from bot.dialog.likeness import CONCEPT, MARK, packed, pieces_of
from bot.dialog.understand import heard, meant, spoken

HERE = Path(__file__).parent
LEARNT = tuple(HERE / name for name in ("sentences.txt", "chatty.txt", "indirect.txt"))
TUNED = tuple(sorted((HERE / "utterances").glob("*.yaml")))
OUT = Path("bot/dialog/words/likeness.bin")
ROUNDS, STEP, DECAY = 5, 0.08, 1e-3
FEWEST = 3
"""A piece is kept that so many sentences have; a rarer one tells of its sentence alone."""
SEED = 1
Weights = dict[str, list[float]]


def sentences(paths: Iterable[Path] = LEARNT) -> Iterator[tuple[str, str]]:
    """The intent and the words of each line; a message of two wishes at once teaches nothing certain."""
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.strip() and "+" not in line.split("|", 2)[1]:
                _, intent, text = line.split("|", 2)
                yield intent, text


def tuned(paths: Iterable[Path] = TUNED) -> Iterator[tuple[str, str]]:
    """The same of the halves that the words of five languages were chosen for."""
    for path in paths:
        yield from yaml.safe_load(path.read_text(encoding="utf-8"))["tuned"]


def checksum(paths: Iterable[Path] = (*LEARNT, *TUNED)) -> int:
    """What tells that a model was learnt from these very sentences."""
    return crc32(b"\n".join(path.read_bytes() for path in paths))


def features(text: str, lexicon: Lexicon, model: LanguageModel) -> dict[str, int]:
    """What the model sees of a message, read as the bot reads it, and what it weighs."""
    found, left = entities(text, lexicon)
    said = spoken(left, found)
    read = meant(heard(said, "", lexicon, model)[0], said, lexicon)
    return dict.fromkeys(sorted(pieces_of(read.text)), 1) | {MARK + c: CONCEPT for c in sorted(read.concepts)}


def learn(listed: Sequence[tuple[str, Mapping[str, int]]]) -> tuple[list[str], list[float], Weights]:
    """The intents, what each has before a word is read, and the weights of the pieces."""
    times = Counter(piece for _, found in listed for piece in found)
    kept = {piece for piece, n in times.items() if n >= FEWEST}
    intents = sorted({intent for intent, _ in listed})
    own = ""  # each intent's own, in no text
    table: Weights = {piece: [0.0] * len(intents) for piece in (own, *sorted(kept))}
    spent: Weights = {piece: [1e-2] * len(intents) for piece in table}
    seen = [(intents.index(i), [(own, 1), *((p, n) for p, n in found.items() if p in kept)]) for i, found in listed]
    shuffle = Random(SEED).shuffle
    for _ in range(ROUNDS):
        shuffle(seen)
        for intent, found in seen:
            _step(table, spent, found, intent)
    return intents, table.pop(own), table


def _step(table: Weights, spent: Weights, found: Collection[tuple[str, int]], meant: int) -> None:
    sums = [0.0] * len(spent[""])
    for piece, times in found:
        sums = [s + times * w for s, w in zip(sums, table[piece], strict=True)]
    most = max(sums)
    parts = [exp(s - most) for s in sums]
    whole = sum(parts)
    wrong = [part / whole - (place == meant) for place, part in enumerate(parts)]
    moved = [(place, w) for place, w in enumerate(wrong) if abs(w) > 1e-3]
    for piece, times in found:
        weights, slopes = table[piece], spent[piece]
        for place, w in moved:
            slope = times * w + DECAY * weights[place]
            slopes[place] += slope * slope
            weights[place] -= STEP * slope / slopes[place] ** 0.5


def main() -> None:
    """Read, learn, write."""
    lexicon, model = Lexicon.load(), LanguageModel()
    listed = [(intent, features(text, lexicon, model)) for intent, text in (*sentences(), *tuned())]
    intents, before, table = learn(listed)
    data = packed(intents, before, table, checksum())
    OUT.write_bytes(data)
    print(f"{len(listed)} sentences, {len(table)} pieces, {len(data):,} bytes")


if __name__ == "__main__":
    main()
