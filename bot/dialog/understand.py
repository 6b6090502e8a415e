"""Words to meaning: language, typed entities, intents, and the answer to what was asked. Pure.

    text -> entities -> script or model -> concepts of that language -> intents

The language whose words say most is believed where the model is unsure, so a short or mixed message counts too.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from math import exp

from msgspec import Struct
from msgspec.structs import replace

from bot.dialog.clauses import standing
from bot.dialog.entities import entities
from bot.dialog.language import NONE, SURE, LanguageModel, by_script
from bot.dialog.lexicon import COURTESY, Lexicon, folded, tokens_of
from bot.dialog.romanised import cyrillic
from bot.dialog.turn import Entity, Understanding
from bot.model.conversations import Conversation
from bot.model.messages import Inbound, Kind
from bot.model.tokens import LINK_PREFIX

STRONG = 0.8
"""An intent at this score in the guessed language ends the search; else the other languages are tried."""
CLEAR = 0.7
"""Below this the message is read again with one-letter slips forgiven."""
ALIKE, GUESSED = 0.72, 0.5
"""Scores of what a message is most like where no clear rule says it too: acted on, and asked about."""
TRUST = 2.5
"""What a rule's score weighs beside the logarithm of the likeness's chance."""
LIKELY, MAYBE = 0.6, 0.3
"""Chances, rules and likeness together, from which it is acted on and asked about."""
PLAIN, BRIEF = 0.9, 5
"""A rule at this score is right without a second opinion about a message of so few words, or of known words alone."""
FEWEST = 2
"""Words that are like anything: a yes, a name or a number alone is not."""
NEVER_LOST, FIRM = frozenset({"notify_off", "human"}), 0.95
"""A rule at this score that hears a stop, or a person asked for, is overruled by nothing: to go on sending, or not to
fetch anybody, is worse than to have misread."""
DECLARED = frozenset({"notify_on", "received"})
"""What is written down as the buyer's own word, a consent or that it came: likeness alone may only ask about it."""
BEHIND = 0.12
"""How far what is less likely stands behind what is acted on: more than the lead that `decide` asks for."""
LONG = 3
"""So many words make a message long enough to change the language of a chat."""
BARE_NUMBER, OTHER = 0.56, 0.3
BESIDE: Mapping[str, str] = {"money": "money", "order": "numbered", "tracking": "numbered", "number": "number"}
"""Concepts that kinds of entity carry, beside the words: who names a sum speaks of paying."""
ANGER = frozenset({"anger", "complaint"})
SHOUTED = 12
"""Letters in capitals alone that are no abbreviation."""
LONGEST = 4000
"""Characters that are read; what stands behind them changes no meaning."""
_YES = {"zh": 6, "ja": 12, "ko": 12}
"""Characters of a yes or no in languages whose words are not counted."""
NODS = "👍👌🙏❤😊🙂✅"
"""Said without a word, and meant as a yes or a thank-you."""
SHAKES = "👎❌🚫🙅"
"""Said without a word, and meant as a no."""


class Spoken(Struct, frozen=True):
    """A message without what was taken out of it: as it was typed, its `words` folded, and these one by one. `beside`
    are the concepts of what was taken out."""

    text: str
    words: str
    tokens: Sequence[str]
    beside: frozenset[str] = frozenset()


class _Read(Struct, frozen=True):
    """What one language makes of a text."""

    locale: str
    concepts: frozenset[str]
    known: int
    intents: tuple[tuple[str, float], ...]
    text: str = ""
    length: int = 0

    @property
    def plain(self) -> bool:
        """Whether a rule is sure of it, and it is short or has no word that was not read."""
        read = self.length <= BRIEF or self.known >= self.length
        return read and bool(self.intents) and self.intents[0][1] >= PLAIN

    @property
    def weight(self) -> tuple[float, int]:
        # That something is about anything else is a weaker sign of a language than what we are asked for.
        return (next((score for name, score in self.intents if name != "other"), OTHER), self.known)


def understand(
    messages: Sequence[Inbound], conversation: Conversation, lexicon: Lexicon, model: LanguageModel, country: str = ""
) -> Understanding:
    """The meaning of a chat's waiting messages together; `country` is the shop's, for phones without a prefix."""
    text = "\n".join(m.text for m in messages if m.text and m.kind in {Kind.MESSAGE, Kind.EDITED})[:LONGEST]
    links = tuple(_link(m.start) for m in messages if m.start)
    choice = next((m.choice for m in reversed(messages) if m.choice), None) or _typed_choice(text, conversation)
    if choice is not None:
        return Understanding(text=text, choice=choice, entities=links)
    asked_which = conversation.pending is not None and conversation.pending.kind == "order"
    found, left = entities(text, lexicon, asked=asked_which) if text else ((), "")
    said = spoken(left, found)
    read, locale = heard(said, conversation.locale, lexicon, model)
    read = meant(read, said, lexicon)
    asked = _asked(said, lexicon) if text else ""
    intents = read.intents
    if asked:
        concepts = set(read.concepts) | {"language_name"}
        intents = lexicon.intents(concepts, len(said.tokens))
    if text and not intents:
        intents = _unsaid(found, len(said.tokens))
    yes = _yes(said, read, lexicon)
    answered = yes is not None and conversation.pending is not None
    if read.length >= FEWEST and not read.plain and not asked and not answered and not _firm(intents):
        intents = _weighed(intents, read, lexicon)
    return Understanding(
        text=text,
        intents=intents,
        words_of=read.locale,
        entities=(*links, *found),
        yes=yes,
        angry=bool(read.concepts & ANGER) or _shouted(text),
        greets="greet" in read.concepts and "thanks" not in read.concepts,
        locale=locale,
        asked_locale=asked,
    )


def _shouted(text: str) -> bool:
    """Three exclamation marks in a row, or capitals alone with two marks."""
    if "!!!" in text or not any(mark in text for mark in ("!!", "??", "?!", "!?")):
        return "!!!" in text
    letters = [c for c in text if c.isalpha()]
    return len(letters) >= SHOUTED and not any(c.islower() for c in letters) and any(c.isupper() for c in letters)


def _unsaid(found: Sequence[Entity], length: int) -> tuple[tuple[str, float], ...]:
    """A number and hardly a word asks where it is, one that is named always; else nothing is guessed."""
    if any(e.kind == "tracking" and e.carrier for e in found):
        return (("wismo", CLEAR),)
    if any(e.kind == "order" for e in found):
        return (("wismo", BARE_NUMBER),)
    numbers = any(e.kind in {"number", "tracking"} for e in found)
    return (("wismo", BARE_NUMBER),) if numbers and length < LONG else (("other", OTHER),)


def _firm(intents: tuple[tuple[str, float], ...]) -> bool:
    return bool(intents) and intents[0][0] in NEVER_LOST and intents[0][1] >= FIRM


def _weighed(intents: tuple[tuple[str, float], ...], read: _Read, lexicon: Lexicon) -> tuple[tuple[str, float], ...]:
    """The intents of the rules, put right by what the message is most like where that is far more likely."""
    said = dict(intents)
    chances = lexicon.likeness.chances(read.text, read.concepts)
    votes = {
        name: chance * exp(TRUST * said.get(name, 0.0)) for name, chance in chances if _may(name, said, read, lexicon)
    }
    best = max(votes, key=lambda name: votes[name])
    chance = votes[best] / sum(votes.values())
    score = ALIKE if chance >= LIKELY else GUESSED if chance >= MAYBE else 0.0
    if best in DECLARED and (not intents or best != intents[0][0]):
        if best in said:
            return intents
        score = min(score, GUESSED)
    if said.get(best, 0.0) >= score or not score:
        if not intents or best == intents[0][0] or not score:
            return intents
        score = said[best]
    rest = {name: min(was, score - BEHIND) for name, was in intents if name not in {best, "other"}}
    return ((best, score), *sorted(rest.items(), key=lambda pair: -pair[1]))


def _may(intent: str, said: Collection[str], read: _Read, lexicon: Lexicon) -> bool:
    """Whether a message may be taken for this: a rule said so, or likeness alone suffices."""
    if intent in said:
        return True
    if intent == COURTESY and set(said) - {"other"}:
        return False  # "Any update on 88213? Thanks": courtesy goes along with what is asked, and overrules nothing.
    rule = lexicon.likened.get(intent)
    return rule is None or rule.fits(read.concepts, read.length)


def _link(start: str) -> Entity:
    token = start if start.startswith(LINK_PREFIX) else LINK_PREFIX + start
    return Entity("link", token, start)


def _typed_choice(text: str, conversation: Conversation) -> str | None:
    """The offered choice whose number or title was typed."""
    typed = text.strip().rstrip(".)").strip()
    if not typed or len(typed) > 80 or not conversation.offered:
        return None
    if typed.isdecimal() and len(typed) <= 2 and 1 <= int(typed) <= len(conversation.offered):
        return conversation.offered[int(typed) - 1].value
    wanted = folded(typed)
    return next((c.value for c in conversation.offered if _folded_title(c.title) == wanted), None)


_folded_title = lru_cache(maxsize=1024)(folded)
"""Titles are few, and compared with at every message."""


def spoken(left: str, found: Sequence[Entity]) -> Spoken:
    """What is `left` of a text from which these were taken."""
    words = folded(left)
    return Spoken(left, words, tokens_of(words), frozenset(BESIDE[e.kind] for e in found if e.kind in BESIDE))


def heard(said: Spoken, prior: str, lexicon: Lexicon, model: LanguageModel) -> tuple[_Read, str]:
    """What it means, and the language that it shows with confidence, or empty."""
    nothing = _Read("", frozenset(), 0, ())
    if not said.tokens:
        nod = frozenset({"ok", "affirm"}) if any(c in NODS for c in said.text) else frozenset[str]()
        nod |= frozenset({"refuse"}) if any(c in SHAKES for c in said.text) else frozenset()
        return _Read("", nod, len(nod), lexicon.intents(set(nod), 1)), ""
    script = by_script(said.text)
    if script == NONE:
        return nothing, ""
    if script == "zh" and prior == "ja":
        script = prior  # Japanese in Han alone ("返品希望") looks Chinese
    if script:
        return _in(script, said, lexicon), script
    return _read_latin(said, prior, lexicon, model)


def meant(read: _Read, said: Spoken, lexicon: Lexicon) -> _Read:
    """What was heard without what the message itself takes back, where anything else is said."""
    if not any(rule.fits(read.concepts, read.length) for rule in lexicon.taken_back):
        return read
    words = standing(read.text, read.locale, lexicon)
    rest = _in(read.locale, replace(said, words=words, tokens=tokens_of(words)), lexicon)
    lost = {name for name, score in read.intents if name in NEVER_LOST and score >= FIRM} - {n for n, _ in rest.intents}
    return rest if rest.length >= FEWEST and not lost else read


def _read_latin(said: Spoken, prior: str, lexicon: Lexicon, model: LanguageModel) -> tuple[_Read, str]:
    """The same in Latin letters, which are those of many languages."""
    words, long = said.words, len(said.tokens) >= LONG
    guess, sure = model.guess(said.text) if len(words) > 3 else ("", 0.0)
    if long and sure >= SURE and guess in lexicon.words:
        first = _in(guess, said, lexicon)
        if first.intents and first.intents[0][1] >= STRONG:
            return first, guess
    latin = [c for c, w in lexicon.words.items() if c not in {"ru", "ar"} and not w.joined]
    reads = [_in(c, said, lexicon) for c in latin]
    believed = (0.5 if long else 0.3) * sure
    liked = {guess: believed, prior: 0.1} if guess != prior else {prior: believed + 0.1}
    best = max(reads, key=lambda r: r.weight[0] + 0.1 * r.known + liked.get(r.locale, 0.0))
    if words.isascii() and (best.weight[0] < CLEAR or sure < SURE):
        other = max(_romanised(said, lexicon), key=lambda r: r.known)
        if other.weight[0] >= BARE_NUMBER and other.known > best.known:
            return other, other.locale if long else ""
    if not best.known:
        slipped = (_slipped(c, said, lexicon) for c in latin)
        best = max(slipped, key=lambda r: r.weight[0] + 0.1 * r.known + liked.get(r.locale, 0.0))
    if not best.known:
        return best, guess if long and sure >= SURE and guess in lexicon.words else ""
    rivals = [r for r in reads if r.known >= best.known and r is not best]
    certain = not rivals and len(words) > 3 and (long or not prior)
    if certain or (long and guess == best.locale and sure >= SURE):
        return best, best.locale
    return best, ""


def _romanised(said: Spoken, lexicon: Lexicon) -> Iterator[_Read]:
    """What it means as Russian or Arabic in Latin letters; of Arabic the words themselves are listed so."""
    text = cyrillic(said.words)
    yield _in("ru", replace(said, words=text, tokens=tokens_of(text)), lexicon)
    yield _in("ar", said, lexicon)


def _in(locale: str, said: Spoken, lexicon: Lexicon) -> _Read:
    """What one language makes of it; only where nothing is clear are one-letter slips forgiven."""
    language = lexicon.words[locale]
    length = -(-len(said.words) // language.letters) if language.letters else len(said.tokens)
    concepts, known = language.concepts(said.words, said.tokens)
    concepts |= said.beside
    intents = lexicon.intents(concepts, length)
    if known and not (intents and intents[0][1] >= CLEAR) and not language.joined:
        return _slipped(locale, said, lexicon)
    return _Read(locale, frozenset(concepts), known, intents, said.words, length)


def _slipped(locale: str, said: Spoken, lexicon: Lexicon) -> _Read:
    """The same with one-letter slips forgiven."""
    length = len(said.tokens)
    concepts, known = lexicon.words[locale].concepts(said.words, said.tokens, slips=True)
    concepts |= said.beside
    return _Read(locale, frozenset(concepts), known, lexicon.intents(concepts, length), said.words, length)


def _asked(said: Spoken, lexicon: Lexicon) -> str:
    """The language that is asked for by name."""
    words, tokens = said.words, said.tokens
    if len(tokens) > 8:
        return ""
    pairs = (f"{a} {b}" for a, b in pairwise(tokens))
    for name in (*tokens, *pairs):
        if name in lexicon.languages:
            return lexicon.languages[name]
    if words.isascii():
        return ""
    return next((code for name, code in lexicon.joined_languages.items() if name in words), "")


def _yes(said: Spoken, read: _Read, lexicon: Lexicon) -> bool | None:
    tokens, joined = said.tokens, bool(read.locale) and lexicon.words[read.locale].joined
    if not tokens and not read.concepts:
        return None
    if len(tokens) > (2 if joined else 4) or (joined and len(said.text.strip()) > _YES[read.locale]):
        return None
    sides = read.concepts & {"affirm", "refuse"}
    if not sides and read.locale:
        return None
    return None if len(sides) != 1 else "affirm" in sides
