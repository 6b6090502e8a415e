"""What a message takes back, and what then stands. Pure.

"I don't want to cancel, where is it?" names cancelling and asks for no such thing; "I thought it was lost, but it came
today" tells of no loss. A clause that denies a wish or tells of a fear that is over is left out, where another one says
what is meant. Which concepts take a clause back stands in `words/intents.yaml` under `taken_back`.
"""

import re
from collections.abc import Iterator

from bot.dialog.lexicon import Lexicon, tokens_of

_BETWEEN = re.compile(r"[.,;:!?\n。、،؛؟…—–]+|\s-\s")
"""What stands between clauses of a folded text, in which most full-width marks are plain ones."""


def standing(words: str, locale: str, lexicon: Lexicon) -> str:
    """The folded `words` of a message without the clauses that it takes back."""
    kept = [clause for clause in _clauses(words, locale, lexicon) if not _taken_back(clause, locale, lexicon)]
    return ", ".join(kept)


def _clauses(words: str, locale: str, lexicon: Lexicon) -> Iterator[str]:
    against = lexicon.words[locale].against
    for part in _BETWEEN.split(words):
        yield from filter(str.strip, against.split(part) if against else (part,))


def _taken_back(clause: str, locale: str, lexicon: Lexicon) -> bool:
    tokens = tokens_of(clause)
    concepts, _ = lexicon.words[locale].concepts(clause, tokens)
    return any(rule.fits(concepts, len(tokens)) for rule in lexicon.taken_back)
