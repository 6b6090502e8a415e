"""Words to meaning: language, typed entities, intents, and the answer to what was asked. Pure.

    text -> entities -> script or model -> concepts of that language -> intents

The language whose words say most is believed where the model is unsure, so a short or mixed message counts too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.dialog.entities import entities
from bot.dialog.language import NONE, SURE, LanguageModel, by_script
from bot.dialog.lexicon import Lexicon, folded, tokens_of
from bot.dialog.turn import Entity, Understanding
from bot.model.conversations import Conversation
from bot.model.messages import Inbound, Kind
from bot.model.tokens import LINK_PREFIX

STRONG = 0.8
"""An intent at this score in the guessed language ends the search; else the other languages are tried."""
LONG = 3
"""So many words make a message long enough to change the language of a chat."""
BARE_NUMBER, OTHER = 0.56, 0.3
ANGER = frozenset({"anger", "complaint"})
SHOUTED = 12
"""Letters in capitals alone that are no abbreviation."""
LONGEST = 4000
"""Characters that are read; what stands behind them changes no meaning."""
NODS = "👍👌🙏❤😊🙂✅"
"""Said without a word, and meant as a yes or a thank-you."""


@dataclass(frozen=True, slots=True)
class _Read:
    """What one language makes of a text."""

    locale: str
    concepts: frozenset[str]
    known: int
    intents: tuple[tuple[str, float], ...]

    @property
    def weight(self) -> tuple[float, int]:
        return (self.intents[0][1] if self.intents else 0.0, self.known)


def understand(
    messages: Sequence[Inbound], conversation: Conversation, lexicon: Lexicon, model: LanguageModel, country: str = ""
) -> Understanding:
    """The meaning of a chat's waiting messages together; `country` is the shop's, for phones without a prefix."""
    text = "\n".join(m.text for m in messages if m.text and m.kind in {Kind.MESSAGE, Kind.EDITED})[:LONGEST]
    links = tuple(_link(m.start) for m in messages if m.start)
    choice = next((m.choice for m in reversed(messages) if m.choice), None) or _typed_choice(text, conversation)
    if choice is not None:
        return Understanding(text=text, choice=choice, entities=links)
    found, left = entities(text, lexicon) if text else ((), "")
    read, locale = _read(left, conversation.locale, lexicon, model)
    asked = _asked(left, lexicon) if text else ""
    intents = read.intents
    if asked:
        concepts = set(read.concepts) | {"language_name"}
        intents = lexicon.intents(concepts, len(tokens_of(folded(left))))
    if text and not intents:
        intents = _unsaid(found, left)
    return Understanding(
        text=text,
        intents=intents,
        words_of=read.locale,
        entities=(*links, *found),
        yes=_yes(left, read, lexicon),
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
    """A number and hardly a word asks where it is; anything else is not for us to guess."""
    numbers = any(e.kind in {"order", "number", "tracking"} for e in found)
    return (("wismo", BARE_NUMBER),) if numbers and len(tokens_of(left)) < LONG else (("other", OTHER),)


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
        nod = frozenset({"ok", "affirm"}) if any(c in NODS for c in text) else frozenset()
        return _Read("", nod, len(nod), lexicon.intents(set(nod), 1)), ""
    script = by_script(text)
    if script == NONE:
        return nothing, ""
    if script:
        return _in(script, words, tokens, lexicon), script
    guess, sure = model.guess(text) if len(words) > 3 else ("", 0.0)
    long = len(tokens) >= LONG
    if long and sure >= SURE and guess in lexicon.words:
        first = _in(guess, words, tokens, lexicon)
        if first.intents and first.intents[0][1] >= STRONG:
            return first, guess
    latin = [c for c, w in lexicon.words.items() if c not in {"ru", "zh", "ar"} and not w.joined]
    reads = [_in(c, words, tokens, lexicon) for c in latin]
    liked = {guess: 0.3 * sure, prior: 0.1} if guess != prior else {prior: 0.3 * sure + 0.1}
    best = max(reads, key=lambda r: r.weight[0] + 0.1 * r.known + liked.get(r.locale, 0.0))
    if not best.known:
        return best, guess if long and sure >= SURE and guess in lexicon.words else ""
    rivals = [r for r in reads if r.known >= best.known and r is not best]
    certain = not rivals and len(words) > 3 and (long or not prior)
    if certain or (long and guess == best.locale and sure >= SURE):
        return best, best.locale
    return best, ""


def _in(locale: str, words: str, tokens: Sequence[str], lexicon: Lexicon) -> _Read:
    concepts, known = lexicon.words[locale].concepts(words, tokens)
    return _Read(locale, frozenset(concepts), known, lexicon.intents(concepts, len(tokens)))


def _asked(text: str, lexicon: Lexicon) -> str:
    """The language that is asked for by name."""
    words = folded(text)
    tokens = tokens_of(words)
    if len(tokens) > 8:
        return ""
    spaced = f" {' '.join(tokens)} "
    for name, code in lexicon.languages.items():
        inside = name in words if not name.isascii() and ord(name[0]) > 0x2E80 else f" {name} " in spaced
        if inside:
            return code
    return ""


def _yes(text: str, read: _Read, lexicon: Lexicon) -> bool | None:
    tokens = tokens_of(folded(text))
    short = 4 if read.locale != "zh" else 2
    if not tokens or len(tokens) > short or (read.locale == "zh" and len(text.strip()) > 6):
        return None
    sides = read.concepts & {"affirm", "refuse"}
    if not sides and read.locale:
        return None
    return None if len(sides) != 1 else "affirm" in sides
