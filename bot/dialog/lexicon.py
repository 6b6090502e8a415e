"""The words of each language, read into concepts: `where`, `parcel`, `not`, `customs` …

A file `words/<locale>.yaml` lists for each concept the words that carry it: a word, a `stem*`, or several
words in a row. What the concepts mean together is the same in every language and stands in `words/intents.yaml`.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files

import yaml
from msgspec import Struct, field

from bot.dialog.likeness import Likeness

CUES = ("order_cue", "tracking_cue", "phone_cue", "postcode_cue", "email_cue", "counted_cue")
COURTESY = "greeting_thanks"
TAKEN_BACK = "taken_back"
"""The rules of a clause that is not meant; no intent."""
AGAINST = "but"
"""The concept of words that begin a clause against the one before."""
FIRST_JAMO, LAST_JAMO = 0x1100, 0x11FF
FIRST_JOINED = 0x2E80
"""From here on in Unicode stand scripts that put no spaces between words."""
REMEMBERED = 1000
LONG_WORD = 5
"""Letters of a word in which a slip is forgiven: shorter ones are too near to one another."""
ANY = ""
"""The second word of a phrase whose second is a stem."""
DRAWN_OUT = 4
"""Letters of a word that may have been drawn out: "see" is no drawn-out "se"."""
_REPEATED = re.compile(r"(\w)\1{2,}")
_MARK = re.compile(r"['’ʼ`´]")
_APOSTROPHE = re.compile(r"(?<=\w)['’ʼ`´](?=\w)")
_ELIDED = re.compile(r"\b(l|d|j|n|s|c|m|t|qu)['’ʼ`´](?=\w)")
_DOUBLED = re.compile(r"([^\W\d_])\1")
_TOKEN = re.compile(r"[^\W_]+")
_ARABIC = str.maketrans({"ة": "ه", "ى": "ي", "ـ": None})
_DOTLESS = str.maketrans({"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "ı": "i"})


def plain_digits(text: str) -> str:
    """The text with every script's digits as 0-9 and full-width letters as plain ones; as long as it was or shorter."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", text.replace("№", "#"))
    return "".join(str(unicodedata.digit(c)) if c.isdigit() and not c.isascii() else c for c in text)


@lru_cache(maxsize=4096)
def lowered(text: str) -> str:
    """The text in lower case, each character in its place."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(c.lower()[0] for c in text)


def folded(text: str) -> str:
    """A text as words are compared: without case, accents, apostrophes and drawn-out letters."""
    text = text.casefold()
    text = _APOSTROPHE.sub("", _ELIDED.sub(r"\1 ", text)) if _MARK.search(text) else text
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text).translate(_DOTLESS).translate(_ARABIC)
        text = "".join(c for c in text if not unicodedata.combining(c))
    return _REPEATED.sub(r"\1\1", text)


class Phrase(Struct, frozen=True):
    """Words in a row, found by the first two of them. `open` ones end in a stem."""

    rest: tuple[str, ...]
    open: bool
    concept: str

    def follows(self, tokens: Sequence[str], at: int) -> bool:
        """Whether the rest stands behind the word at this place."""
        end = at + 1 + len(self.rest)
        if end > len(tokens):
            return False
        found = tuple(tokens[at + 1 : end])
        if not self.open or not self.rest:
            return found == self.rest
        return found[:-1] == self.rest[:-1] and found[-1].startswith(self.rest[-1])


class Words(Struct):
    """One language's words. `joined` languages are written without spaces: a word is found anywhere.

    `letters` are how many make a word on average, where nothing else tells how long a message is.
    `prefixes` are what the language writes together with the word that follows (Arabic's "and", "the", "to").
    `spelled` are letters that people write otherwise where their keyboard lacks them (German "ue" for "ü"),
    `variants` the other form of a character and its plain one (traditional and simplified Chinese).
    `against` finds the words that begin a clause against the one before ("but").
    """

    locale: str
    joined: bool = False
    prefixes: tuple[str, ...] = ()
    spelled: tuple[tuple[str, str], ...] = ()
    variants: Mapping[int, str] = field(default_factory=dict)
    letters: int = 0
    whole: dict[str, frozenset[str]] = field(default_factory=dict)
    stems: dict[str, frozenset[str]] = field(default_factory=dict)
    phrases: dict[str, dict[str, list[Phrase]]] = field(default_factory=dict)
    near: dict[str, list[str]] = field(default_factory=dict)
    met: dict[str, frozenset[str]] = field(default_factory=dict)
    slips: dict[str, str] = field(default_factory=dict)
    languages: Mapping[str, str] = field(default_factory=dict)
    shortest: int = 99
    against: re.Pattern[str] | None = None

    def add(self, concept: str, written: str) -> None:
        """Take one word, stem or phrase for a concept."""
        word = folded(written.rstrip("*")).translate(self.variants)
        stem = written.endswith("*")
        tokens = list(word) if self.joined else _TOKEN.findall(word)
        if len(tokens) != 1:
            first, *rest = tokens
            second = rest[0] if len(rest) > 1 or (rest and not stem) else ANY
            self.phrases.setdefault(first, {}).setdefault(second, []).append(Phrase(tuple(rest), stem, concept))
        elif stem:
            self.stems[word] = self.stems.get(word, frozenset()) | {concept}
            self.shortest = min(self.shortest, len(word))
        else:
            self.whole[word] = self.whole.get(word, frozenset()) | {concept}

    def index(self) -> None:
        """Sort the long words by their first letter, among which a slip is looked for."""
        listed = {**dict.fromkeys(self._in_phrases(), frozenset[str]()), **self.stems, **self.whole}
        for word, concepts in listed.items():
            # "could" is no slip of "couldn't": a negation is written out or it is none.
            if len(word) >= LONG_WORD and "negation" not in concepts and not self.joined:
                self.near.setdefault(word[0], []).append(word)

    def _in_phrases(self) -> Iterator[str]:
        for first, begun in self.phrases.items():
            yield first
            for phrases in begun.values():
                yield from (word for phrase in phrases for word in phrase.rest)

    def concepts(self, text: str, tokens: Sequence[str], *, slips: bool = False) -> tuple[set[str], int]:
        """The concepts of a folded text, and how many of its words this language knows.

        With `slips` a long unknown word counts as the known one that it is one letter away from.
        """
        found: set[str] = set()
        known = 0
        tokens = list(text.translate(self.variants)) if self.joined else tokens
        if slips:
            tokens = [self._meant(token) for token in tokens]
        last = len(tokens) - 1
        for at, token in enumerate(tokens):
            hit = self._token(token)
            if hit:
                found |= hit
                known += 1
            begun = self.phrases.get(token)
            if begun is None or (at == last and not self.joined):
                continue
            for second in (tokens[at + 1] if at < last else ANY, ANY):
                for phrase in begun.get(second, ()):
                    if phrase.follows(tokens, at):
                        found.add(phrase.concept)
                        known += 1
                if second == ANY:
                    break
        return found, known

    def _token(self, token: str) -> frozenset[str]:
        """What a word carries; what was looked up is remembered, for people use the same words."""
        found = self.met.get(token)
        if found is None:
            if len(self.met) >= REMEMBERED:
                self.met.clear()
            found = self.met[token] = self._looked_up(token)
        return found

    def _looked_up(self, token: str) -> frozenset[str]:
        hit = self._plain(token) or self._plain(self._respelled(token))
        if hit or not self.prefixes:
            return hit
        bare = (token.removeprefix(p) for p in self.prefixes if token.startswith(p))
        return next((found for word in bare if len(word) > 1 and (found := self._plain(word))), hit)

    def _respelled(self, token: str) -> str:
        """The word with the language's own letters, and without those drawn out ("holaa")."""
        for typed, meant in self.spelled:
            token = token.replace(typed, meant)
        return _DOUBLED.sub(r"\1", token) if len(token) >= DRAWN_OUT else token

    def _plain(self, token: str) -> frozenset[str]:
        hit = self.whole.get(token, frozenset())
        for end in range(self.shortest, len(token) + 1):
            stem = self.stems.get(token[:end])
            if stem:
                hit |= stem
        return hit

    def _meant(self, token: str) -> str:
        """The word that a long unknown one is a slip of, else itself."""
        if len(token) < LONG_WORD or self._token(token) or token in self.phrases:
            return token
        meant = self.slips.get(token)
        if meant is None:
            if len(self.slips) >= REMEMBERED:
                self.slips.clear()
            known = self.near.get(token[0], ())
            meant = self.slips[token] = next((word for word in known if _is_slip(token, word)), token)
        return meant


def _is_slip(typed: str, meant: str) -> bool:
    """Whether one letter was left out, added, changed or swapped with the next."""
    longer = len(typed) - len(meant)
    if not -1 <= longer <= 1:
        return False
    at = next((i for i, (a, b) in enumerate(zip(typed, meant, strict=False)) if a != b), min(len(typed), len(meant)))
    if longer:
        return typed[at + (longer > 0) :] == meant[at + (longer < 0) :]
    swapped = typed[at : at + 2] == meant[at : at + 2][::-1] and typed[at + 2 :] == meant[at + 2 :]
    return swapped or typed[at + 1 :] == meant[at + 1 :]


class Rule(Struct, frozen=True):
    """An intent follows from concepts: all of `every` (each a set of which one is enough), none of `no`."""

    intent: str
    score: float
    every: tuple[frozenset[str], ...]
    no: frozenset[str]
    most_words: int

    def fits(self, concepts: Collection[str], words: int) -> bool:
        """Whether this rule holds for a message."""
        return (
            words <= self.most_words
            and all(not group.isdisjoint(concepts) for group in self.every)
            and self.no.isdisjoint(concepts)
        )


class Lexicon(Struct, frozen=True):
    """All languages' words and the rules over them, by each concept that a rule's first term may be met by."""

    words: Mapping[str, Words]
    begins: Mapping[str, Sequence[Rule]]
    rank: Mapping[str, int]
    languages: Mapping[str, str]
    joined_languages: Mapping[str, str]
    cues: Mapping[str, "Cue"]
    likened: Mapping[str, Rule]
    """Of an intent what must hold that it is told by likeness alone; of most nothing must."""
    taken_back: Sequence[Rule]
    """Of what a clause must hold that is said and not meant."""
    likeness: Likeness

    @classmethod
    def load(cls) -> "Lexicon":
        """Read the packaged word files."""
        folder = files("bot.dialog") / "words"
        read = {
            entry.name.removesuffix(".yaml"): yaml.safe_load(entry.read_text(encoding="utf-8"))
            for entry in folder.iterdir()
            if entry.name.endswith(".yaml")
        }
        begins: dict[str, list[Rule]] = {}
        rank = {intent: place for place, intent in enumerate(read["intents"])}
        rules = list(_rules(read.pop("intents")))
        taken_back = [rule for rule in rules if rule.intent == TAKEN_BACK]
        for rule in rules:
            for concept in rule.every[0] if rule.score and rule.intent != TAKEN_BACK else ():
                begins.setdefault(concept, []).append(rule)
        likened = {rule.intent: rule for rule in rules if not rule.score}
        words = {locale: _words(locale, raw) for locale, raw in sorted(read.items())}
        languages = {
            " ".join(_TOKEN.findall(folded(name))): code
            for raw in read.values()
            for code, names in raw["languages"].items()
            for name in names
        }
        joined = {name: code for name, code in languages.items() if _unspaced(name[0])}
        return cls(words, begins, rank, languages, joined, _cues(read.values()), likened, taken_back, Likeness.load())

    def intents(self, concepts: Collection[str], words: int) -> tuple[tuple[str, float], ...]:
        """The intents that the concepts carry, likeliest first; of one intent its best rule counts."""
        best: dict[str, float] = {}
        for concept in concepts:
            for rule in self.begins.get(concept, ()):
                if rule.score > best.get(rule.intent, 0.0) and rule.fits(concepts, words):
                    best[rule.intent] = rule.score
        if len(best) > 1:
            # "It came, thank you": courtesy goes along with what is said and does not compete with it.
            best.pop(COURTESY, None)
        # Of equal ones the file's order decides: a set's own is another in each process.
        return tuple(sorted(best.items(), key=lambda pair: (-pair[1], self.rank[pair[0]])))


def _unspaced(letter: str) -> bool:
    """Whether a folded letter is of a script whose words take endings or stand without spaces: Han, kana, jamo."""
    return ord(letter) >= FIRST_JOINED or FIRST_JAMO <= ord(letter) <= LAST_JAMO


def tokens_of(text: str) -> list[str]:
    """The words of a folded text."""
    return _TOKEN.findall(text)


def _words(locale: str, raw: Mapping[str, object]) -> Words:
    prefixes = tuple(folded(p.strip()) for p in str(raw.get("prefixes") or "").split(",") if p.strip())
    letters = int(str(raw.get("letters") or 0))
    spelled = tuple((a, b) for pair in str(raw.get("spelled") or "").split(",") if pair for a, b in [pair.split(":")])
    variants = {ord(pair[0]): pair[1] for pair in str(raw.get("variants") or "").split()}
    words = Words(locale, bool(raw.get("joined", False)), prefixes, spelled, variants, letters)
    concepts = raw["concepts"]
    assert isinstance(concepts, Mapping)  # noqa: S101 - our own file
    for concept, listed in concepts.items():
        for written in str(listed).split(","):
            if written.strip():
                words.add(str(concept), written.strip())
    words.index()
    words.against = _between(str(concepts.get(AGAINST, "")), joined=words.joined)
    return words


def _between(listed: str, *, joined: bool) -> re.Pattern[str] | None:
    """Finds the listed words in a folded text."""
    words = [re.escape(folded(word.strip())) for word in listed.split(",") if word.strip()]
    edge = "" if joined else r"\b"
    return re.compile(f"{edge}(?:{'|'.join(words)}){edge}") if words else None


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

    def begins(self, text: str, at: int) -> bool:
        """Whether one of the words stands at this place."""
        return self._pattern.match(text, at) is not None


def _group(first: str, words: Sequence[str]) -> str:
    rest = "|".join(_cue(w) for w in words)
    alone = first.isalnum() and ord(first) < 0x2E80
    return rf"{re.escape(first)}(?<!\w\w)(?:{rest})" if alone else rf"{re.escape(first)}(?:{rest})"


def _cue(word: str) -> str:
    """The pattern of a word behind its first letter."""
    if word.endswith("*"):
        return re.escape(word[1:-1]) + r"\w*"
    return re.escape(word[1:]) + (r"(?![^\W\d])" if word[0].isalnum() and ord(word[0]) < 0x2E80 else "")


def _cues(read: Iterable[Mapping[str, Mapping[str, str]]]) -> dict[str, Cue]:
    listed: dict[str, set[str]] = {}
    for raw in read:
        for cue, written in raw["cues"].items():
            listed.setdefault(cue, set()).update(w.strip() for w in written.split(","))
    return {cue: Cue(words) for cue, words in listed.items()}


def _rules(raw: Mapping[str, Sequence[str]]) -> Iterable[Rule]:
    for intent, lines in raw.items():
        for line in lines:
            score, _, condition = line.partition(" ")
            score = "0" if score == "likeness" else score
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
