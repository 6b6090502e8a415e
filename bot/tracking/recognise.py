"""Finding tracking numbers in any text: scored candidates, in any script, between phones, dates and order numbers.

Bare digits count only where a carrier's name or a word for tracking stands near them, where they are one of this
buyer's own, or where a long number that passes a check is all there is.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import cache, lru_cache

from bot.tracking.numbers import LETTER_LESS, Candidate, candidates, compact, rows

NEAR = 40
"""Characters before a number, and half as many behind, in which a word speaks of it."""
MINE, NAMED = 0.99, 0.97
CONTEXT, ALONE, LOWEST = 0.35, 0.1, 0.3
"""What a tracking word adds to bare digits, what standing alone adds, and the least worth telling."""
LONG = 12
LONGEST, MOST_PARTS = 40, 12

_TRACKING = re.compile(
    r"track|parcel|package|shipment|waybill|awb|consignment|seguimiento|rastre|env[ií]o|paquete|encomenda|objeto|"
    r"suivi|colis|sendung|paket|трек|посылк|отправлени|накладн|单号|單號|快递|快遞|包裹|物流|运单|跟踪|شحن|تتبع|طرد",
    re.IGNORECASE,
)
_ORDER = re.compile(
    r"(?:order|pedido|commande|bestell\w*|auftrag\w*|заказ\w*|订单|訂單|invoice|factura|rechnung|طلب)\W{0,3}"
    r"(?:(?:number|num|no|nr|id|n|номер|号|號|is|es|ist)\W{0,3}){0,2}$|#$",
    re.IGNORECASE,
)
_PHONE = re.compile(
    r"(?<![A-Z0-9])(?:\+\s?\d[\d\s().\-]{6,17}\d|00[1-9][\d\s().\-]{7,15}\d|\(\d{2,4}\)[\s\d.\-]{6,12}\d|"
    r"1[3-9]\d[\s\-]?\d{4}[\s\-]?\d{4}|0\d{1,4}[\s/\-]\d[\d\s\-]{4,10}\d|\d{3}[\-.\s]\d{3}[\-.\s]\d{4})(?![A-Z0-9])"
)
_PHONE_WORD = re.compile(
    r"(?:phone|tel|mobile|call|whatsapp|телефон|звон|电话|手机|móvil|celular|هاتف)\W{0,6}\w{0,3}\W{0,3}$", re.IGNORECASE
)
_DATE = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{4}|\d{6})?")
_WRITTEN_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T\s]+\d{1,2}:\d{2}(?::\d{2})?)?|\d{1,2}:\d{2}")
_PRICE = re.compile(r"[$€£¥₽₹]\s?\d[\d.,\s]*\d|\d[\d.,]*\s?(?:USD|EUR|GBP|CNY|RUB|BRL|[$€£¥₽₹])")
_RUN = re.compile(r"[A-Z0-9]+")
_GAP = re.compile(r"[ \-\u00a0\u2010-\u2015]{1,2}")
_CLEAN = {ord(c): None for c in "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad\u202a\u202b\u202c\u202d\u202e"}


@lru_cache(maxsize=4096)
def _plain(char: str) -> str:
    digit = unicodedata.digit(char, None)
    return str(digit) if digit is not None and unicodedata.category(char) == "Nd" else char


def normalised(text: str) -> str:
    """The text with full-width forms, other scripts' digits and invisible characters put away, in capitals."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_CLEAN)
        text = "".join(map(_plain, text))
    return text.upper()


@cache
def _names() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple(
        (row["carrier"], re.compile(rf"(?<![A-Za-z])(?:{row['names']})(?![A-Za-z])", re.IGNORECASE))
        for row in rows("names.csv")
    )


@cache
def _any_name() -> re.Pattern[str]:
    return re.compile("|".join(row["names"] for row in rows("names.csv")), re.IGNORECASE)


def named_in(text: str) -> frozenset[str]:
    """The carriers that are spoken of."""
    if not _any_name().search(text):
        return frozenset()
    return frozenset(carrier for carrier, pattern in _names() if pattern.search(text))


def recognise(text: str, mine: Collection[str] = ()) -> tuple[Candidate, ...]:
    """The candidates of all numbers in a text, likeliest first; `mine` are the numbers of this buyer's parcels."""
    plain = normalised(text[:4000])
    if not any(c.isdecimal() for c in plain):
        return ()
    hidden = _hidden(plain)
    own = frozenset(compact(n) for n in mine)
    found: dict[tuple[str, str], Candidate] = {}
    taken = 0
    spots = list(_RUN.finditer(plain))
    for place, run in enumerate(spots):
        if run.start() < taken:
            continue
        for number, start, end in _joined(plain, spots, place):
            # A phone or a date within letters and digits is none; among bare digits it is.
            if number.isdecimal() and len(number) < LETTER_LESS and "·" in hidden[start:end]:
                continue
            read = list(_read(plain, number, start, end, own))
            if read:
                taken = end
                for c in read:
                    key = (c.number, c.carrier)
                    found[key] = max(found.get(key, c), c, key=lambda x: x.score)
                break
    return tuple(sorted(found.values(), key=lambda c: (-c.score, c.number)))


def _hidden(plain: str) -> str:
    """The text without what is a phone, a date or a price by its looks."""
    for pattern in (_PRICE, _PHONE, _WRITTEN_DATE):
        for m in list(pattern.finditer(plain)):
            if pattern is _PHONE and _tracked(plain, m.start(), m.end()):
                continue
            if pattern is _WRITTEN_DATE and any(c.isalnum() for c in plain[m.end() : m.end() + 1]):
                continue
            plain = f"{plain[: m.start()]}{'·' * (m.end() - m.start())}{plain[m.end() :]}"
    return plain


def _tracked(plain: str, start: int, end: int) -> bool:
    before = plain[max(0, start - NEAR) : start]
    return (
        not plain.startswith("+", start)
        and not _PHONE_WORD.search(before)
        and bool(_TRACKING.search(before) or _any_name().search(before))
    )


def _joined(text: str, spots: list[re.Match[str]], place: int) -> Iterator[tuple[str, int, int]]:
    """A run of letters and digits with those that follow it after one space or hyphen, longest first."""
    parts = [spots[place]]
    for following in spots[place + 1 : place + MOST_PARTS] if _belongs(parts[0][0]) else ():
        gap = text[parts[-1].end() : following.start()]
        size = following.end() - parts[0].start()
        if not _GAP.fullmatch(gap) or size > LONGEST + MOST_PARTS or not _belongs(following[0]):
            break
        parts.append(following)
    if len(parts) > 1 and named_in(parts[0][0]) and candidates(parts[1][0]):
        return  # "TNT 123456789": the name is no part of the number
    for count in range(len(parts), 0, -1):
        number = "".join(p[0] for p in parts[:count])
        if 8 <= len(number) <= LONGEST and sum(c.isdecimal() for c in number) >= 5:
            yield number, parts[0].start(), parts[count - 1].end()


def _belongs(part: str) -> bool:
    return (
        part.isdecimal() or (len(part) <= 3 and part.isalpha()) or (part.isalnum() and any(c.isdecimal() for c in part))
    )


def _read(plain: str, number: str, start: int, end: int, own: frozenset[str]) -> Iterator[Candidate]:
    read = candidates(number)
    if number in own:
        known = read or (Candidate("", MINE, None, number, "yours"),)
        yield from (replace(c, score=max(MINE - 0.01 * i, c.score)) for i, c in enumerate(known))
        return
    if not read:
        return
    before, behind = plain[max(0, start - NEAR) : start], plain[end : end + NEAR // 2]
    around = f"{before} · {behind}"
    named = named_in(around)
    if not number.isdecimal() or len(number) >= LETTER_LESS:
        if read[0].score < LOWEST and not named:
            return
        yield from (_raised(c, named) for c in read if c.score >= LOWEST or c.carrier in named)
        return
    spoken = bool(named) or bool(_TRACKING.search(around))
    alone = not plain[:start].strip() and not plain[end:].strip()
    if _ORDER.search(before) or _PHONE_WORD.search(before) or (_DATE.fullmatch(number) and not spoken):
        return
    if not spoken and not (alone and len(number) >= LONG and not _like_phone(number)):
        return
    extra = CONTEXT if spoken else ALONE
    for c in read:
        if c.carrier in named or (c.score + extra >= LOWEST and (spoken or c.valid)):
            yield _raised(replace(c, score=min(c.score + extra, 0.9)), named)


def _raised(c: Candidate, named: frozenset[str]) -> Candidate:
    return replace(c, score=max(c.score, NAMED - (0.1 if c.valid is False else 0.0))) if c.carrier in named else c


def _like_phone(number: str) -> bool:
    """Twelve or thirteen digits that begin like a country's mobile number."""
    return len(number) <= 13 and number.startswith(("861", "49", "44", "33", "34", "39", "55", "79", "91", "62", "52"))


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
