"""Words to meaning: language, typed entities, intents, and the answer to what was asked. Pure.

    text -> entities -> script or model -> concepts of that language -> intents

The language whose words say most is believed where the model is unsure, so a short or mixed message counts too.
"""

from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

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
"""Scores of what a sentence is most like: by far, and only somewhat."""
NEAR, FAR, FARTHER = 2.0, 5.0, 8.0
"""Leads of the likeness: worth a question, worth acting on, worth more than a rule that is unsure itself."""
LONG = 3
"""So many words make a message long enough to change the language of a chat."""
BARE_NUMBER, OTHER = 0.56, 0.3
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


class _Read(Struct, frozen=True):
    """What one language makes of a text."""

    locale: str
    concepts: frozenset[str]
    known: int
    intents: tuple[tuple[str, float], ...]

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
    read, locale = _read(left, conversation.locale, lexicon, model)
    asked = _asked(left, lexicon) if text else ""
    intents = read.intents
    if asked:
        concepts = set(read.concepts) | {"language_name"}
        intents = lexicon.intents(concepts, len(tokens_of(folded(left))))
    if text and not intents:
        intents = _unsaid(found, left)
    yes = _yes(left, read, lexicon)
    if read.locale in lexicon.likened and intents and intents[0][1] < CLEAR and yes is None:
        intents = _likened(left, read, intents, lexicon)
    return Understanding(
        text=text,
        intents=intents,
        words_of=read.locale,
        entities=(*links, *found),
        yes=yes,
        angry=bool(read.concepts & ANGER) or _shouted(text),
        locale=locale,
        asked_locale=asked,
    )


def _shouted(text: str) -> bool:
    """Three exclamation marks in a row, or capitals alone with two marks."""
    letters = [c for c in text if c.isalpha()]
    capitals = len(letters) >= SHOUTED and all(not c.islower() for c in letters) and any(c.isupper() for c in letters)
    return "!!!" in text or (capitals and any(mark in text for mark in ("!!", "??", "?!", "!?")))


def _unsaid(found: Sequence[Entity], left: str) -> tuple[tuple[str, float], ...]:
    """A number and hardly a word asks where it is, one that is named always; else nothing is guessed."""
    if any(e.kind == "tracking" and e.carrier for e in found):
        return (("wismo", CLEAR),)
    if any(e.kind == "order" for e in found):
        return (("wismo", BARE_NUMBER),)
    numbers = any(e.kind in {"number", "tracking"} for e in found)
    return (("wismo", BARE_NUMBER),) if numbers and len(tokens_of(left)) < LONG else (("other", OTHER),)


def _likened(
    left: str, read: _Read, intents: tuple[tuple[str, float], ...], lexicon: Lexicon
) -> tuple[tuple[str, float], ...]:
    """The intents with the one that the sentence is most like: acted on where that leads by far, else asked about.

    A sentence without one word of that intent's own is like it in its spelling alone, and about something else.
    """
    text = folded(left)
    guess, lead = lexicon.likeness.guess(text, read.concepts)
    far = FAR if intents[0][1] < BARE_NUMBER else FARTHER
    score = ALIKE if lead >= far else GUESSED if lead >= NEAR else 0.0
    if not score or guess in {"other", COURTESY} or read.concepts.isdisjoint(lexicon.telling[guess]):
        return intents
    best = dict(intents) | {guess: max(score, dict(intents).get(guess, 0.0))}
    return tuple(sorted(best.items(), key=lambda pair: -pair[1]))


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
    return next((c.value for c in conversation.offered if folded(c.title) == wanted), None)


def _read(text: str, prior: str, lexicon: Lexicon, model: LanguageModel) -> tuple[_Read, str]:
    """What the text means, and the language it shows with confidence, or empty."""
    words = folded(text)
    tokens = tokens_of(words)
    nothing = _Read("", frozenset(), 0, ())
    if not tokens:
        nod = frozenset({"ok", "affirm"}) if any(c in NODS for c in text) else frozenset[str]()
        nod |= frozenset({"refuse"}) if any(c in SHAKES for c in text) else frozenset()
        return _Read("", nod, len(nod), lexicon.intents(set(nod), 1)), ""
    script = by_script(text)
    if script == NONE:
        return nothing, ""
    if script == "zh" and prior == "ja":
        script = prior  # Japanese in Han alone ("返品希望") looks Chinese
    if script:
        return _in(script, words, tokens, lexicon), script
    return _read_latin(text, words, tokens, prior, lexicon, model)


def _read_latin(
    text: str, words: str, tokens: Sequence[str], prior: str, lexicon: Lexicon, model: LanguageModel
) -> tuple[_Read, str]:
    """The same of a text in Latin letters, which are those of many languages."""
    guess, sure = model.guess(text) if len(words) > 3 else ("", 0.0)
    long = len(tokens) >= LONG
    if long and sure >= SURE and guess in lexicon.words:
        first = _in(guess, words, tokens, lexicon)
        if first.intents and first.intents[0][1] >= STRONG:
            return first, guess
    latin = [c for c, w in lexicon.words.items() if c not in {"ru", "ar"} and not w.joined]
    reads = [_in(c, words, tokens, lexicon) for c in latin]
    believed = (0.5 if long else 0.3) * sure
    liked = {guess: believed, prior: 0.1} if guess != prior else {prior: believed + 0.1}
    best = max(reads, key=lambda r: r.weight[0] + 0.1 * r.known + liked.get(r.locale, 0.0))
    if best.weight[0] < CLEAR and words.isascii():
        romanised = _romanised(words, lexicon)
        if romanised.weight[0] >= CLEAR and romanised.known > best.known:
            return romanised, romanised.locale if long else ""
    if not best.known:
        return best, guess if long and sure >= SURE and guess in lexicon.words else ""
    rivals = [r for r in reads if r.known >= best.known and r is not best]
    certain = not rivals and len(words) > 3 and (long or not prior)
    if certain or (long and guess == best.locale and sure >= SURE):
        return best, best.locale
    return best, ""


def _romanised(words: str, lexicon: Lexicon) -> _Read:
    """What it means as Russian in Latin letters."""
    text = cyrillic(words)
    return _in("ru", text, tokens_of(text), lexicon)


def _in(locale: str, words: str, tokens: Sequence[str], lexicon: Lexicon) -> _Read:
    """What one language makes of it; only where nothing is clear are one-letter slips forgiven."""
    language = lexicon.words[locale]
    length = -(-len(words) // language.letters) if language.letters else len(tokens)
    concepts, known = language.concepts(words, tokens)
    intents = lexicon.intents(concepts, length)
    if known and not (intents and intents[0][1] >= CLEAR) and not language.joined:
        concepts, known = language.concepts(words, tokens, slips=True)
        intents = lexicon.intents(concepts, length)
    return _Read(locale, frozenset(concepts), known, intents)


def _asked(text: str, lexicon: Lexicon) -> str:
    """The language that is asked for by name."""
    words = folded(text)
    tokens = tokens_of(words)
    if len(tokens) > 8:
        return ""
    pairs = (f"{a} {b}" for a, b in pairwise(tokens))
    for name in (*tokens, *pairs):
        if name in lexicon.languages:
            return lexicon.languages[name]
    if words.isascii():
        return ""
    return next((code for name, code in lexicon.joined_languages.items() if name in words), "")


def _yes(text: str, read: _Read, lexicon: Lexicon) -> bool | None:
    tokens = tokens_of(folded(text))
    joined = bool(read.locale) and lexicon.words[read.locale].joined
    if not tokens and not read.concepts:
        return None
    if len(tokens) > (2 if joined else 4) or (joined and len(text.strip()) > _YES[read.locale]):
        return None
    sides = read.concepts & {"affirm", "refuse"}
    if not sides and read.locale:
        return None
    return None if len(sides) != 1 else "affirm" in sides
