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
_DOTLESS = str.maketrans({"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "ı": "i"})


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
    """One language's words. `joined` languages are written without spaces: a word is found anywhere."""

    locale: str
    joined: bool = False
    whole: dict[str, frozenset[str]] = field(default_factory=dict)
    stems: dict[str, frozenset[str]] = field(default_factory=dict)
    phrases: list[tuple[str, str]] = field(default_factory=list)
    cues: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    languages: Mapping[str, str] = field(default_factory=dict)
    shortest: int = 99

    def add(self, concept: str, written: str) -> None:
        """Take one word, stem or phrase for a concept."""
        word = folded(written.rstrip("*"))
        tokens = _TOKEN.findall(word)
        if self.joined:
            self.phrases.append((word, concept))
        elif len(tokens) > 1 or not tokens:
            end = "" if written.endswith("*") else " "
            self.phrases.append((f" {' '.join(tokens) or word}{end}", concept))
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
        for phrase, concept in self.phrases:
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
        return (
            words <= self.most_words
            and all(not group.isdisjoint(concepts) for group in self.every)
            and self.no.isdisjoint(concepts)
        )


@dataclass(frozen=True, slots=True)
class Lexicon:
    """All languages' words and the rules over them."""

    words: Mapping[str, Words]
    rules: tuple[Rule, ...]
    languages: Mapping[str, str]
    cues: Mapping[str, re.Pattern[str]]

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
        return cls(words, rules, languages, _cues(read.values()))

    def intents(self, concepts: set[str], words: int) -> tuple[tuple[str, float], ...]:
        """The intents that the concepts carry, likeliest first; of one intent its best rule counts."""
        best: dict[str, float] = {}
        for rule in self.rules:
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


def _cues(read: Iterable[Mapping[str, Mapping[str, str]]]) -> dict[str, re.Pattern[str]]:
    listed: dict[str, set[str]] = {}
    for raw in read:
        for cue, written in raw["cues"].items():
            listed.setdefault(cue, set()).update(w.strip() for w in written.split(","))
    return {
        cue: re.compile("|".join(_cue(w) for w in sorted(ws, key=len, reverse=True)), re.IGNORECASE)
        for cue, ws in listed.items()
    }


def _cue(written: str) -> str:
    pattern = re.escape(written.rstrip("*")) + (r"\w*" if written.endswith("*") else "")
    return (
        pattern
        if not written[0].isalnum() or ord(written[0]) >= 0x2E80
        else rf"(?<!\w){pattern}" + ("" if written.endswith("*") else r"(?!\w)")
    )


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
