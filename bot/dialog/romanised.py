"""Russian typed in Latin letters ("gde moya posylka"), read back into Cyrillic as well as spelling allows. Pure.

People follow no one standard, so the usual spellings are all taken; a soft sign that is left out counts as the slip of
one letter that the reader forgives anyway.
"""

import re

_SPELLINGS = {
    "shch": "щ", "sch": "щ", "zh": "ж", "kh": "х", "ch": "ч", "sh": "ш", "ts": "ц", "yo": "е", "jo": "е", "yu": "ю",
    "ju": "ю", "ya": "я", "ja": "я", "ye": "е", "je": "е", "ay": "аи", "ey": "еи", "iy": "ии", "oy": "ои", "uy": "уи",
    "a": "а", "b": "б", "c": "ц", "d": "д", "e": "е", "f": "ф", "g": "г", "h": "х", "i": "и", "j": "и", "k": "к",
    "l": "л", "m": "м", "n": "н", "o": "о", "p": "п", "q": "к", "r": "р", "s": "с", "t": "т", "u": "у", "v": "в",
    "w": "в", "x": "х", "y": "ы", "z": "з",
}  # fmt: skip
# A y between vowels belongs to the second: "moya" is mo + ya.
_SPELT = re.compile(r"shch|sch|zh|kh|ch|sh|ts|[yj][aoue]|[aeiou]y(?![aoue])|[a-z]")


def cyrillic(folded: str) -> str:
    """A folded text with each Latin letter as the Russian one it most likely stands for."""
    return _SPELT.sub(lambda found: _SPELLINGS[found[0]], folded)
