"""Finding tracking numbers in any text: scored candidates, in any script, between phones, dates and order numbers.

Bare digits count only where a carrier's name or a word for tracking stands near them, where they are one of this
buyer's own, or where a long number that passes a check is all there is.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from bot.tracking.checksums import luhn
from bot.tracking.numbers import LETTER_LESS, Candidate, candidates, compact, s10
from bot.tracking.surroundings import (
    DATE,
    KNOWN,
    LIKELY,
    NEAR,
    PHONE_WORD,
    TRACKING,
    WRITTEN_DATE,
    hidden,
    like_card,
    like_phone,
    named_in,
    ordered,
    spoken_of,
)

MINE, NAMED = 0.99, 0.97
CONTEXT, ALONE, LOWEST = 0.35, 0.1, 0.3
"""What a tracking word adds to bare digits, what standing alone adds, and the least worth telling."""
FAIR = 0.4
"""From this on letters and digits that are all there is speak for themselves."""
WEAKEST = 0.18
"""Of a reading that counts only beside its carrier's name."""
WEAK, BY_ITSELF = 0.5, 0.45
"""Below this, letters and digits need a word beside them; from this on, a check that passes speaks for bare digits."""
LONG, SHORT_GROUP, LONGEST_GROUP = 12, 5, 7
"""Digits that may be all there is; and how many stand together where a number is written in groups."""
FRAME = 0.7
"""From this on letters that stand apart may belong to the digits behind them."""
NOTHING_ELSE = 14
"""So many digits are no phone (but for 00 and a country's), hardly an order, and a moment only as `DATE` has it."""
SURE = 0.9
"""From this on a prefix and a check of their own make digits as good as letters."""
CUT = 0.4
"""What a reading loses that breaks off within such groups."""
SHORTEST, LONGEST, MOST_PARTS = 8, 40, 17
_ENDLESS = re.compile(r"[0-9]{60,}")
"""Digits that are no number; patterns that look for prices and phones would try them from each of their places."""

_GLUED = r"(?:AWB|TRACKING|TRACK|TRK|NUMBER|NUM|NO|NR|FEDEX|DHL|UPS|TNT|USPS|DPD|GLS|YODEL|EVRI|HERMES|PUROLATOR)"
_RUN = re.compile(rf"(?<![A-Z0-9]){_GLUED}(?=[A-Z0-9]*\d{{8}})|[A-Z0-9À-ÖØ-ÞĀ-ɏḀ-ỿ]+")
_GAP = re.compile(r"[ \-\u00a0\u2010-\u2015]{1,2}|\.")
_ESCAPED = re.compile(r"%(?:20|2D|2B)")
_ENDS = re.compile(r"[A-Z]{2}\d{9}[A-Z]{2}|4PX\d+[A-Z]{2}|\d{14}[A-Z]|[A-Z0-9]{7}\d{20}[A-Z]")
"""The numbers that end in letters: what else ends in a word has taken in the next one of the sentence."""
_S10 = re.compile(r"[A-Z]{2}\d{9}[A-Z]{2}")
_WORDS = frozenset(
    {"AM", "AT", "BE", "DE", "DO", "ES", "IN", "IS", "IT", "LA", "ME", "MY", "NE", "NO", "PA", "SE", "SO", "TO"}
)
"""Countries' letters that are words as well."""
_BEFORE = _WORDS | frozenset(
    {"AND", "AS", "AWB", "BY", "DA", "DAS", "DEN", "DER", "DI", "DIE", "DU", "EL", "EN", "FOR", "HEY", "HI", "ID", "IM",
     "LE", "LES", "NA", "NR", "OD", "OF", "OK", "ON", "OR", "PLS", "REF", "SON", "THE", "THX", "UN", "UND", "UNE",
     "VOM", "WO", "ZU"}
)  # fmt: skip
"""Words that stand before a number and are no part of it."""
_DIGITS = re.compile(r"(?:[A-Z]*\d){5}")
"""The fewest digits that a number has."""
_TRACK_ID = re.compile(r"(?=[A-Z]*\d)(?=\d*[A-Z])[A-Z0-9]{8}")
"""GLS's track id has fewer (XHAX4HDA, as its label is explained)."""
_NUMERO = re.compile("№|[Nn]º")
_CLEAN = {ord(c): None for c in "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad\u202a\u202b\u202c\u202d\u202e"}


@lru_cache(maxsize=4096)
def _plain(char: str) -> str:
    digit = unicodedata.digit(char, None)
    return str(digit) if digit is not None and unicodedata.category(char) == "Nd" else char


def normalised(text: str) -> str:
    """The text with full-width forms, other scripts' digits and invisible characters put away, in capitals."""
    if not text.isascii():
        # Their compatible forms would grow together with what follows: №EN… is no NOEN….
        text = _NUMERO.sub(" no ", text)
        text = unicodedata.normalize("NFKC", text).translate(_CLEAN)
        text = "".join(map(_plain, text))
    return _ESCAPED.sub(" ", text.upper())


class _Spot(Struct, frozen=True):
    """A number as it may be read at one place, of `parts` runs of letters and digits."""

    number: str
    start: int
    end: int
    parts: int
    read: tuple[Candidate, ...]


class _Message:
    """A text being searched."""

    def __init__(self, plain: str, own: frozenset[str]) -> None:
        self.plain = plain
        self.own = own
        self.hidden = hidden(plain)
        self.runs = list(_RUN.finditer(plain))
        self._named: frozenset[str] | None = None

    def found(self) -> Iterator[Candidate]:
        """The candidates, place by place."""
        place = 0
        while place < len(self.runs):
            spot = self._best(place) if self._may_begin(place) else None
            if spot and spot.parts > 1 and self.runs[place][0].isalpha() and self._better_without(spot, place):
                place += 1
                continue
            told = list(self._weighed(spot, place)) if spot else []
            yield from told
            # Digits that are said to be something else are so as a whole.
            place += spot.parts if spot and (told or spot.number.isdecimal()) else 1

    def _may_begin(self, place: int) -> bool:
        """Whether a number may begin here: with a digit, or with a few letters and a digit close behind."""
        run = self.runs[place]
        if not run[0].isalpha():
            return True
        if len(run[0]) > SHORT_GROUP or place + 1 == len(self.runs):
            return False
        if self.plain[max(0, run.start() - 1) : run.start()] in {"'", "’"}:
            return False  # "it's 9400…"
        following = self.runs[place + 1]
        near = following.start() - run.end() <= 2
        return near and not (following[0].isalpha() and len(following[0]) != len(run[0]))

    def _better_without(self, spot: _Spot, place: int) -> bool:
        """Whether the first part is a word beside the number: what follows is a likelier one, and no shorter."""
        if spot.number in self.own or spot.read[0].carrier in self._named_anywhere():
            return False
        rest = self._best(place + 1)
        if rest is None or rest.end < spot.end:
            return False
        return rest.number in self.own or rest.read[0].score > spot.read[0].score

    def _best(self, place: int) -> _Spot | None:
        """The likeliest of what this run and those after it may spell together."""
        chain = self._chain(place)
        best: tuple[float, int] = (0.0, 0)
        found = None
        for spot in self._joined(chain):
            if spot.number in self.own:
                return spot
            if not spot.read:
                continue
            worth = spot.read[0].score - (CUT if _cut(chain, spot.parts) else 0.0)
            if (worth, spot.parts) > best:
                best, found = (worth, spot.parts), spot
            if worth >= SURE and not _may_end(chain, spot.parts):
                break
        return found

    def _chain(self, place: int) -> list[re.Match[str]]:
        chain = [self.runs[place]]
        for following in self.runs[place + 1 : place + MOST_PARTS]:
            gap = self.plain[chain[-1].end() : following.start()]
            too_long = following.end() - chain[0].start() > LONGEST + MOST_PARTS
            if too_long or not _GAP.fullmatch(gap) or not _belongs(following[0]):
                break
            if gap == "." and not (chain[-1][0].isdecimal() and following[0].isdecimal()):
                break
            chain.append(following)
        return chain

    def _joined(self, chain: Sequence[re.Match[str]]) -> Iterator[_Spot]:
        number = ""
        for count, run in enumerate(chain, 1):
            number += run[0]
            word = count > 1 and run[0].isalpha() and len(run[0]) not in {1, 2, len(chain[0][0])}
            if len(number) > LONGEST or (word and not _even(chain[:count])):
                return
            if len(number) < SHORTEST or not self._may_be_one(chain[:count], number):
                continue
            read = self._read(chain[0][0], number, count)
            if read is not None:
                yield _Spot(number, chain[0].start(), run.end(), count, read)

    def _may_be_one(self, runs: Sequence[re.Match[str]], number: str) -> bool:
        """Whether these runs may be a number by what they look like together."""
        start, end = runs[0].start(), runs[-1].end()
        if len(runs) > 1 and not (_may_join(runs, number) and self._in_groups(runs, number)):
            return False
        # A phone or a date within letters and digits is none; among bare digits it is.
        bare = number.isdecimal() and len(number) < LETTER_LESS
        covered = set(self.hidden[start:end])
        return KNOWN not in covered and not (bare and covered & {LIKELY, WRITTEN_DATE})

    def _in_groups(self, runs: Sequence[re.Match[str]], number: str) -> bool:
        """Whether what stands between the runs is how a number is written: 7777.7777.7776, but not 52.520008,
        101-063-679-3 3 days or 509.237.808-52, nor a word and a date."""
        gaps = {self.plain[a.end()] for a, _ in pairwise(runs)}
        if len(gaps) > 1 and not _S10.fullmatch(number):
            return False
        if "." in gaps:
            return len(runs) > 2 and _of_one_size(runs)
        return not (runs[0][0].isalpha() and set(self.hidden[runs[1].start() : runs[-1].end()]) == {WRITTEN_DATE})

    def _read(self, first: str, number: str, count: int) -> tuple[Candidate, ...] | None:
        """A number's readings; None where it is none, or where its `first` part is a word beside it."""
        track_id = count == 1 and self._track_id(number)
        if not (track_id or _DIGITS.match(number)) or len(set(number)) == 1:
            return None
        if count > 1 and first in _BEFORE and not _ENDS.fullmatch(number):
            return None  # "le 2025 0307"
        read = candidates(number)
        if track_id:
            return (*read, Candidate("gls", WEAKEST, None, number, "track id"))
        if not first.isalpha():
            return read
        if count > 1 and read and read[0].score < FRAME and read[0].carrier not in self._named_anywhere():
            return None  # "is 33213087431113", "call 5551234567": a word and a number, not one number
        # "TNT 123456789": the name is no part of the number, but for SF's.
        return read if first == "SF" or not named_in(first) else None

    def _track_id(self, number: str) -> bool:
        """Whether this may be GLS's id of a few digits among letters: any word with a digit is like it, so only
        where GLS is spoken of."""
        return "GLS" in self.plain and bool(_TRACK_ID.fullmatch(number))

    def _weighed(self, spot: _Spot, place: int) -> Iterator[Candidate]:
        """The readings of a number by what stands around it; none where that speaks against all of them."""
        if spot.number in self.own:
            known = spot.read or (Candidate("", MINE, None, spot.number, "yours"),)
            yield from (replace(c, score=max(MINE - 0.01 * i, c.score)) for i, c in enumerate(known))
            return
        before = self.plain[max(0, spot.start - NEAR) : spot.start]
        behind = self.plain[spot.end : spot.end + NEAR * 3 // 4]
        around = f"{before} · {behind}"
        near = named_in(around)
        named = near or self._named_anywhere()
        spoken = bool(near) or bool(TRACKING.search(around))
        alone = not any(map(str.isalnum, self.plain[: spot.start] + self.plain[spot.end :]))
        if not spot.number.isdecimal() or len(spot.number) >= LETTER_LESS or spot.read[0].score >= SURE:
            an_order = ordered(before, behind)
            against = an_order or not (spoken or alone)
            for c in spot.read:
                least = LOWEST if spoken or c.valid else FAIR
                strong = c.score >= WEAK or (not against and c.score >= least)
                if strong or (c.carrier in named and not an_order):
                    yield _raised(c, named)
            return
        if self._against(spot, place, before, behind) or not (spoken or (alone and _speaks(spot))):
            return
        if _a_card(spot.number) and not near:
            return
        extra = CONTEXT if spoken else ALONE
        for c in spot.read:
            if c.carrier in named or (c.score > WEAKEST if spoken else _says(c)):
                yield _raised(replace(c, score=min(c.score + extra, 0.9)), named)

    def _named_anywhere(self) -> frozenset[str]:
        if self._named is None:
            self._named = named_in(self.plain)
        return self._named

    def _against(self, spot: _Spot, place: int, before: str, behind: str) -> bool:
        """Whether bare digits are said or seen to be something else."""
        if ordered(before, behind) or PHONE_WORD.search(before):
            return True
        if like_phone(spot.number) and not spoken_of(self.plain, spot.start, spot.end):
            return True
        return bool(DATE.fullmatch(spot.number)) or self._continues(spot, place)

    def _continues(self, spot: _Spot, place: int) -> bool:
        """The digits go on from something before them that is no number of its own: ORD-12345678, 5511 91234567."""
        if not place:
            return False
        last = self.runs[place - 1]
        gap = self.plain[last.end() : spot.start]
        if last[0].isdecimal():
            return bool(_GAP.fullmatch(gap)) and len(spot.number) < LONG
        return gap in {"-", "_"} and not (named_in(last[0]) or TRACKING.search(last[0]) or last[0] in {"NO", "NR"})


def recognise(text: str, mine: Collection[str] = ()) -> tuple[Candidate, ...]:
    """The candidates of all numbers in a text, likeliest first; `mine` are the numbers of this buyer's parcels."""
    plain = _ENDLESS.sub(lambda digits: " " * len(digits[0]), normalised(text[:4000]))
    if not any(map(str.isdecimal, plain)):
        return ()
    found: dict[tuple[str, str], Candidate] = {}
    for c in _Message(plain, frozenset(compact(n) for n in mine)).found():
        key = (c.number, c.carrier)
        found[key] = max(found.get(key, c), c, key=lambda x: x.score)
    return tuple(sorted(found.values(), key=lambda c: (-c.score, c.number)))


def _belongs(part: str) -> bool:
    return len(part) <= SHORT_GROUP or not part.isalpha()


def _may_join(runs: Sequence[re.Match[str]], number: str) -> bool:
    """Whether these may be one number written in groups."""
    longest = max((run[0] for run in runs), key=len)
    if number.isdecimal():
        return len(longest) <= LONGEST_GROUP
    if runs[-1][0].isalpha() and not _ENDS.fullmatch(number) and not _even(runs):
        return False
    if runs[-1][0] in _WORDS and not (_S10.fullmatch(number) and (len(runs) > 2 or s10(number))):
        return False  # "RE202641538 is late"
    alone = candidates(longest) if len(longest) > LONGEST_GROUP + 1 else ()
    return not alone or alone[0].score < WEAK


def _even(runs: Sequence[re.Match[str]]) -> bool:
    """Whether these are a Mail Innovations id, which may end in letters, in groups."""
    return runs[0][0].startswith("MI") and len(runs) > 2 and _of_one_size(runs)


def _of_one_size(runs: Sequence[re.Match[str]]) -> bool:
    """Whether groups are of one size, the last perhaps shorter."""
    sizes = [len(run[0]) for run in runs]
    return len(set(sizes[:-1])) == 1 and sizes[-1] <= sizes[0]


def _cut(chain: Sequence[re.Match[str]], parts: int) -> bool:
    """Whether a number of so many parts would break off within groups of digits."""
    if parts == len(chain):
        return False
    last, following = chain[parts - 1][0], chain[parts][0]
    return following[0].isdecimal() and len(following) <= SHORT_GROUP >= len(last)


def _may_end(chain: Sequence[re.Match[str]], parts: int) -> bool:
    """Whether two letters follow, which may belong to a number: a country's, or a word of the sentence."""
    return parts < len(chain) and chain[parts][0].isalpha() and len(chain[parts][0]) <= len("CN")


def _speaks(spot: _Spot) -> bool:
    """Whether bare digits that are all there is say by themselves whose they are."""
    if len(spot.number) < LONG or like_phone(spot.number):
        return False
    if len(spot.number) == NOTHING_ELSE:
        return not spot.number.startswith("00")
    return any((c.valid and c.score >= BY_ITSELF) or c.score >= WEAK for c in spot.read)


def _a_card(number: str) -> bool:
    """Whether bare digits are a payment card's, which is to be repeated to nobody."""
    return like_card(number) and luhn(number)


def _says(c: Candidate) -> bool:
    """Whether a reading of bare digits that are all there is may be told."""
    return bool(c.valid) or c.score >= WEAK or len(c.number) == NOTHING_ELSE


def _raised(c: Candidate, named: frozenset[str]) -> Candidate:
    return replace(c, score=max(c.score, NAMED - (0.1 if c.valid is False else 0.0))) if c.carrier in named else c


def suggest(number: str) -> tuple[Candidate, ...]:
    """Numbers that differ by one slip (O for 0, I for 1, two neighbours swapped) and pass their check."""
    compacted = compact(number)
    if any(c.valid for c in candidates(compacted)):
        return ()
    found = []
    for other in dict.fromkeys(_slips(compacted)):
        found += [c for c in candidates(other) if c.valid and not other.isdecimal()]
    return tuple(sorted(found, key=lambda c: -c.score))


def _slips(number: str) -> Iterator[str]:
    for place, char in enumerate(number):
        swapped = {"O": "0", "0": "O", "I": "1", "1": "I", "L": "1"}.get(char)
        if swapped is not None:
            yield f"{number[:place]}{swapped}{number[place + 1 :]}"
    for place in range(len(number) - 1):
        if number[place] != number[place + 1]:
            yield f"{number[:place]}{number[place + 1]}{number[place]}{number[place + 2 :]}"
