"""The words of each language, read into concepts: `where`, `parcel`, `not`, `customs` …

A file `words/<locale>.yaml` lists for each concept the words that carry it: a word, a `stem*`, or several
words in a row. What the concepts mean together is the same in every language and stands in `words/intents.yaml`.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files

import yaml

CUES = ("order_cue", "tracking_cue", "phone_cue", "postcode_cue", "email_cue")
COURTESY = "greeting_thanks"
_REPEATED = re.compile(r"(\w)\1{2,}")
_APOSTROPHE = re.compile(r"(?<=\w)['’ʼ`´](?=\w)")
_ELIDED = re.compile(r"\b(l|d|j|n|s|c|m|t|qu)['’ʼ`´](?=\w)")
_TOKEN = re.compile(r"[^\W_]+")
_ARABIC = str.maketrans({"ة": "ه", "ى": "ي", "ـ": None})
_DOTLESS = str.maketrans({"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe"})


def plain_digits(text: str) -> str:
    """The text with every script's digits as 0-9 and full-width letters as plain ones; as long as it was or shorter."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", text)
    return "".join(str(unicodedata.digit(c)) if c.isdigit() and not c.isascii() else c for c in text)


@lru_cache(maxsize=4096)
def folded(text: str) -> str:
    """A text as words are compared: without case, accents, apostrophes and drawn-out letters."""
    text = text.casefold()
    text = _APOSTROPHE.sub("", _ELIDED.sub(r"\1 ", text)) if any(c in text for c in "'’ʼ`´") else text
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text).translate(_DOTLESS).translate(_ARABIC)
        text = "".join(c for c in text if not unicodedata.combining(c))
    return _REPEATED.sub(r"\1\1", text)


@dataclass(slots=True)
class Words:
    """One language's words. `joined` languages are written without spaces: a word is found anywhere.

    `phrases` are by their first word, in a joined language by their first character.
    """

    locale: str
    joined: bool = False
    whole: dict[str, frozenset[str]] = field(default_factory=dict)
    stems: dict[str, frozenset[str]] = field(default_factory=dict)
    phrases: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    cues: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    languages: Mapping[str, str] = field(default_factory=dict)
    shortest: int = 99

    def add(self, concept: str, written: str) -> None:
        """Take one word, stem or phrase for a concept."""
        word = folded(written.rstrip("*"))
        tokens = _TOKEN.findall(word)
        if self.joined:
            self.phrases.setdefault(word[:1], []).append((word, concept))
        elif len(tokens) > 1:
            end = "" if written.endswith("*") else " "
            self.phrases.setdefault(tokens[0], []).append((f" {' '.join(tokens)}{end}", concept))
        elif written.endswith("*"):
            self.stems[word] = self.stems.get(word, frozenset()) | {concept}
            self.shortest = min(self.shortest, len(word))
        else:
            self.whole[word] = self.whole.get(word, frozenset()) | {concept}

    def concepts(self, text: str, tokens: Sequence[str]) -> tuple[set[str], int]:
        """The concepts of a folded text, and how many of its words this language knows."""
        found: set[str] = set()
        known = 0
        for token in tokens:
            hit = self._token(token)
            found |= hit
            known += bool(hit)
        spaced = text if self.joined else f" {' '.join(tokens)} "
        # Only the phrases that begin with a word (a character) of the text are looked for: ten of five hundred.
        for first in set(text if self.joined else tokens):
            for phrase, concept in self.phrases.get(first, ()):
                if phrase in spaced:
                    found.add(concept)
                    known += 1
        return found, known

    def _token(self, token: str) -> frozenset[str]:
        if self.joined:
            return frozenset()
        hit = self.whole.get(token, frozenset())
        for end in range(self.shortest, len(token) + 1):
            stem = self.stems.get(token[:end])
            if stem:
                hit |= stem
        return hit


@dataclass(frozen=True, slots=True)
class Rule:
    """An intent follows from concepts: all of `every` (each a set of which one is enough), none of `no`."""

    intent: str
    score: float
    every: tuple[frozenset[str], ...]
    no: frozenset[str]
    most_words: int

    def fits(self, concepts: set[str], words: int) -> bool:
        """Whether this rule holds for a message."""
        if words > self.most_words or not self.no.isdisjoint(concepts):
            return False
        return not any(map(concepts.isdisjoint, self.every))


@dataclass(frozen=True, slots=True)
class Lexicon:
    """All languages' words and the rules over them."""

    words: Mapping[str, Words]
    rules: tuple[Rule, ...]
    languages: Mapping[str, str]
    cues: Mapping[str, "Cue"]
    by_concept: Mapping[str, tuple[int, ...]]
    """The places of the rules that a concept may fulfil: of ninety, a message's concepts leave a dozen to look at."""

    @classmethod
    def load(cls) -> "Lexicon":
        """Read the packaged word files."""
        folder = files("bot.dialog") / "words"
        read = {
            entry.name.removesuffix(".yaml"): yaml.safe_load(entry.read_text(encoding="utf-8"))
            for entry in folder.iterdir()
            if entry.name.endswith(".yaml")
        }
        rules = tuple(_rules(read.pop("intents")))
        words = {locale: _words(locale, raw) for locale, raw in sorted(read.items())}
        languages = {
            folded(name): code for raw in read.values() for code, names in raw["languages"].items() for name in names
        }
        return cls(words, rules, languages, _cues(read.values()), _by_concept(rules))

    def intents(self, concepts: set[str], words: int) -> tuple[tuple[str, float], ...]:
        """The intents that the concepts carry, likeliest first; of one intent its best rule counts."""
        best: dict[str, float] = {}
        places = {place for concept in concepts for place in self.by_concept.get(concept, ())}
        for rule in [self.rules[place] for place in sorted(places.union(self.by_concept[""]))]:
            if rule.score > best.get(rule.intent, 0.0) and rule.fits(concepts, words):
                best[rule.intent] = rule.score
        if len(best) > 1:
            # "It came, thank you": courtesy goes along with what is said and does not compete with it.
            best.pop(COURTESY, None)
        return tuple(sorted(best.items(), key=lambda pair: -pair[1]))


def tokens_of(text: str) -> list[str]:
    """The words of a folded text."""
    return _TOKEN.findall(text)


def _words(locale: str, raw: Mapping[str, object]) -> Words:
    words = Words(locale, joined=bool(raw.get("joined", False)))
    concepts = raw["concepts"]
    assert isinstance(concepts, Mapping)  # noqa: S101 - our own file
    for concept, listed in concepts.items():
        for written in str(listed).split(","):
            if written.strip():
                words.add(str(concept), written.strip())
    return words


def lowered(text: str) -> str:
    """The text in lower case, each character in its place."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(c.lower()[0] for c in text)


class Cue:
    """The words of all languages that announce a number: they are looked for in `lowered` text.

    A word's first letter comes first in its pattern, and that no letter stands before it behind that: so the
    engine skips to the places where one of the first letters stands. Asked the other way round, and without
    regard to case, it tried fifty words at every character, which took 50 us and was a tenth of a message.
    """

    def __init__(self, words: Iterable[str]) -> None:
        by_first: dict[str, list[str]] = {}
        for word in sorted({lowered(w) for w in words}, key=lambda w: (-len(w), w)):
            by_first.setdefault(word[0], []).append(word)
        self._pattern = re.compile("|".join(_group(first, ws) for first, ws in by_first.items()))
        self.found_in = self._pattern.finditer


def _group(first: str, words: Sequence[str]) -> str:
    rest = "|".join(_cue(w) for w in words)
    alone = first.isalnum() and ord(first) < 0x2E80
    return rf"{re.escape(first)}(?<!\w\w)(?:{rest})" if alone else rf"{re.escape(first)}(?:{rest})"


def _cue(word: str) -> str:
    """The pattern of a word behind its first letter."""
    if word.endswith("*"):
        return re.escape(word[1:-1]) + r"\w*"
    return re.escape(word[1:]) + (r"(?!\w)" if word[0].isalnum() and ord(word[0]) < 0x2E80 else "")


def _cues(read: Iterable[Mapping[str, Mapping[str, str]]]) -> dict[str, Cue]:
    listed: dict[str, set[str]] = {}
    for raw in read:
        for cue, written in raw["cues"].items():
            listed.setdefault(cue, set()).update(w.strip() for w in written.split(","))
    return {cue: Cue(words) for cue, words in listed.items()}


def _by_concept(rules: Sequence[Rule]) -> dict[str, tuple[int, ...]]:
    """Rules by each concept of their first group; those that ask for none under the empty name."""
    places: dict[str, list[int]] = {"": []}
    for place, rule in enumerate(rules):
        for concept in rule.every[0] if rule.every else ("",):
            places.setdefault(concept, []).append(place)
    return {concept: tuple(found) for concept, found in places.items()}


def _rules(raw: Mapping[str, Sequence[str]]) -> Iterable[Rule]:
    for intent, lines in raw.items():
        for line in lines:
            score, _, condition = line.partition(" ")
            every: list[frozenset[str]] = []
            no: set[str] = set()
            most = 999
            for part in condition.split("&"):
                term = part.strip()
                if term.startswith("words<="):
                    most = int(term.removeprefix("words<="))
                elif term.startswith("!"):
                    no |= {t.strip() for t in term[1:].split("|")}
                else:
                    every.append(frozenset(t.strip() for t in term.split("|")))
            yield Rule(intent, float(score), tuple(every), frozenset(no), most)
