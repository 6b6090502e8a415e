"""The typed pieces of a message: links, addresses, phones, amounts, dates, postcodes and numbers. Pure.

Each kind is taken out of the text before the next is looked for, so that a price is no order number. What is
left of bare digits is a candidate only: a question to the store, never a finding.
"""

import re
from collections.abc import Iterator

from bot.dialog.lexicon import Cue, Lexicon, lowered, plain_digits
from bot.dialog.turn import Entity
from bot.tracking.numbers import BARE, FRAMED, candidates, compact

FEWEST_DIGITS = 3
"""A shorter number is an amount or an age as often as an order: it must be called a number, or stand where one ends."""
_BETWEEN = (
    r"[\s:#.,№°º\-=(]*(?:(?:number|num|no|nr|id|is|was|are|n|num[eé]ro|es|[eé]|est|ist|lautet|der|die|den|meine?|my|mi|mon|"
    r"numer|jest|to|numaram?|numarası|の|は|が|번호|는|은|가|이|"
    r"номер|号码|號碼|号|號|编号|是|为|رقم|هو|هي|رقمه|رقمها)[\s:#.№°º\-=]*){0,3}"
)
_LINK = re.compile(r"(?<![\w-])wismo-[A-Za-z0-9_-]{22}(?![\w-])")
_EMAIL = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
_URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_PHONE = re.compile(
    r"(?<![\w])(?:\+\s?\d[\d\s().\-]{6,18}\d|00[1-9][\d\s().\-]{6,16}\d|\(\d{2,4}\)\s?\d{3,5}[\s.\-]?\d{3,5}|\d{3}[\s.\-]\d{3}[\s.\-]\d{4})(?![\w])"
)
_AMOUNT = r"\d{1,3}(?:[.,\s]\d{3})+(?:[.,]\d{1,2})?(?!\d)|\d+(?:[.,]\d{1,2})?"
_CURRENCY = r"US\$|R\$|[$€£¥₽₹₩₺₴]|(?:USD|EUR|GBP|CNY|RMB|BRL|RUB|INR|Rs\.?|SAR|AED|EGP|JPY|MXN|CAD|AUD)\b"
_CURRENCY_AFTER = (
    rf"{_CURRENCY}|(?:dollars?|euros?|pounds?|bucks|d[oó]lares|reais|rubles?|руб\w*|евро|долл\w*|"
    r"zł|zl|PLN|TL|TRY|lira|円|원|元|块|塊|美元|欧元|ريال|درهم|دولار|جنيه)"
)
_MONEY = re.compile(
    rf"(?:(?:{_CURRENCY})\s?(?:{_AMOUNT}))|(?:(?<![\w.,-])(?:{_AMOUNT})\s?(?:{_CURRENCY_AFTER}))", re.IGNORECASE
)
_DATE = re.compile(
    r"(?<!\d)(?:\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{1,2}月\d{1,2}[日号]?|\d{1,2}월\s?\d{1,2}일|\d{1,2}/\d{1,2}|\d{1,2}:\d{2})(?!\d)"
)
_POSTCODE = re.compile(
    r"(?<![\w-])(?:[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}|[A-Z]\d[A-Z]\s?\d[A-Z]\d|\d{4}\s?[A-Z]{2}|\d{5}-\d{3,4}|\d{4}-\d{3}|\d{3}-\d{4}|\d{2}-\d{3})(?![\w-])",
    re.IGNORECASE,
)
_SPACED = re.compile(
    r"(?<!\w)(?:1Z(?:[ \-]?[A-Z0-9]){16}|[A-Z]{2}[ \-]?(?:\d[ \-]?){9}[A-Z]{2}|SF[ \-]?(?:\d[ \-]?){12,13}|"
    r"YT[ \-]?(?:\d[ \-]?){16}|"
    r"LP[ \-]?(?:\d[ \-]?){14}|J?JD[ \-]?(?:\d[ \-]?){18}|(?:\d{4}[ \-]){2,5}\d{1,4})(?!\w)",
    re.IGNORECASE,
)
_TOKEN = re.compile(
    r"(?<![\w@])#?[A-Za-z0-9][A-Za-z0-9\-_/]*(?![\w@])|(?<=[^\x00-\x7f])#?[A-Za-z0-9][A-Za-z0-9\-_/]*|#?[A-Za-z0-9][A-Za-z0-9\-_/]*(?=[^\x00-\x7f])"
)
_CUED_NUMBER = re.compile(rf"{_BETWEEN}([A-Za-z]{{0,6}}[-#]?\d[A-Za-z0-9\-_/]*)", re.IGNORECASE)
_CALLED_NUMBER = re.compile(
    r"[#:№°º]|\b(?:num|no|nr)\b|number|nummer|numer|n[uú]mero|numéro|numara|номер|号|號|番号|번호|رقم", re.IGNORECASE
)
_CLAUSE_ENDS = re.compile(r"\s*(?:$|[?!;)\n？！。，、؟]|[.,](?:\s|$)|\s\d)")
_SHORT = re.compile(r"#?(?:[A-Za-z]{1,6}[-#]?)?\d{1,2}")
_CUED_PHONE = re.compile(rf"{_BETWEEN}(\+?\d[\d\s().\-]{{5,18}}\d)", re.IGNORECASE)
_CUED_POSTCODE = re.compile(
    rf"{_BETWEEN}([A-Z]{{1,2}}\d[A-Z\d]?\s?\d[A-Z]{{2}}|"
    r"\d{2,6}(?:[\- ]?\d{3,4})?(?:\s?[A-Z]{2}\b)?|[A-Z]\d[A-Z]\s?\d[A-Z]\d)",
    re.IGNORECASE,
)
_BEFORE_CUE = re.compile(
    r"(?<![\w#-])([A-Z0-9][A-Z0-9\-]{2,11})\s*(?:is|es|[eé]|est|ist|,|-|:)?\s*(?:my|the|mi|el|meu|o|mon|le|meine?|die|мой|是我的)?\s*$",
    re.IGNORECASE,
)


class _Reading:
    """A text being taken apart: what was found, and what is left with holes where it was."""

    def __init__(self, text: str) -> None:
        self.left = text
        self.low = lowered(text)
        self.found: list[tuple[int, Entity]] = []

    def take(self, start: int, end: int, *entities: Entity) -> None:
        self.found += [(start, e) for e in entities]
        hole = " " * (end - start)
        self.left = f"{self.left[:start]}{hole}{self.left[end:]}"
        self.low = f"{self.low[:start]}{hole}{self.low[end:]}"

    def each(self, pattern: re.Pattern[str], kind: str) -> None:
        for m in list(pattern.finditer(self.left)):
            self.take(m.start(), m.end(), Entity(kind, m[0].strip(), m[0]))


def entities(text: str, lexicon: Lexicon, *, asked: bool = False) -> tuple[tuple[Entity, ...], str]:
    """The typed pieces in the order of the text, and the text without them. `asked`: an order's number was just asked
    for, so a short one that stands alone is it."""
    text = plain_digits(text)
    if not any(c.isdigit() or c in "@/" for c in text) and "wismo-" not in text:
        return (), text
    reading = _Reading(text)
    reading.each(_LINK, "link")
    if "@" in text:
        reading.each(_EMAIL, "email")
    for m in list(_URL.finditer(reading.left)):
        reading.take(m.start(), m.end(), *_in_url(m[0]))
    reading.each(_PHONE, "phone")
    _cued(reading, lexicon.cues["phone_cue"], _CUED_PHONE, "phone", most=15, fewest=7)
    if not _cued(reading, lexicon.cues["postcode_cue"], _CUED_POSTCODE, "postcode", most=10, fewest=2):
        _before(reading, lexicon.cues["postcode_cue"])
    reading.each(_MONEY, "money")
    _spaced(reading)
    _numbered(reading, lexicon)
    reading.each(_DATE, "date")
    _tokens(reading, asked=asked)
    return tuple(e for _, e in sorted(reading.found, key=lambda pair: pair[0])), reading.left


def _digits(text: str) -> int:
    return sum(c.isdigit() for c in text)


def _in_url(url: str) -> Iterator[Entity]:
    for part in re.findall(r"[A-Za-z0-9]{8,40}", url):
        best = next(iter(candidates(part.upper())), None)
        if best is not None and not part.isdigit():
            yield Entity("tracking", part.upper(), part, best.score, best.carrier)


def _cued(reading: _Reading, cue: Cue, value: re.Pattern[str], kind: str, *, most: int, fewest: int) -> bool:
    before = len(reading.found)
    for m in list(cue.found_in(reading.low)):
        found = value.match(reading.left, m.end())
        if found and fewest <= _digits(found[1]) <= most:
            reading.take(found.start(1), found.end(1), Entity(kind, found[1].strip(), found[1]))
    return len(reading.found) > before


def _before(reading: _Reading, cue: Cue) -> None:
    """`90210 is my zip`: the value stands before its name."""
    for m in list(cue.found_in(reading.low)):
        found = _BEFORE_CUE.search(reading.left, max(0, m.start() - 30), m.start())
        if found and _digits(found[1]) >= 2:
            reading.take(found.start(1), found.end(1), Entity("postcode", found[1], found[1]))


def _spaced(reading: _Reading) -> None:
    """Tracking numbers written in groups."""
    for m in list(_SPACED.finditer(reading.left)):
        best = next(iter(candidates(compact(m[0]))), None)
        if best is not None and (best.score > BARE or best.valid):
            reading.take(m.start(), m.end(), Entity("tracking", compact(m[0]), m[0], best.score, best.carrier))


def _numbered(reading: _Reading, lexicon: Lexicon) -> None:
    """Numbers that a word before them names: an order's or a parcel's."""
    for cue, kind in (("order_cue", "order"), ("tracking_cue", "tracking")):
        for m in list(lexicon.cues[cue].found_in(reading.low)):
            found = _CUED_NUMBER.match(reading.left, m.end())
            raw = found[1].strip("-/_") if found else ""
            if not found or (_digits(raw) < FEWEST_DIGITS and not _is_short(reading, m.start(), found, kind)):
                continue
            number = compact(raw)
            best = next(iter(candidates(number)), None)
            if best is not None and best.score > BARE:
                reading.take(found.start(1), found.end(1), Entity("tracking", number, raw, best.score, best.carrier))
            elif kind == "tracking" and len(number) >= 8:
                reading.take(
                    found.start(1), found.end(1), Entity("tracking", number, raw, FRAMED, best.carrier if best else "")
                )
            elif kind == "order":
                reading.take(found.start(1), found.end(1), Entity("order", raw.lstrip("#"), raw))


def _is_short(reading: _Reading, cue: int, found: re.Match[str], kind: str) -> bool:
    """Whether a number of one or two digits is an order's all the same: `order no. 42 is late`, `order 42?`."""
    if kind != "order" or not _SHORT.fullmatch(found[1]):
        return False
    called = _CALLED_NUMBER.search(reading.low, cue, found.start(1))
    return called is not None or _CLAUSE_ENDS.match(reading.left, found.end(1)) is not None


def _tokens(reading: _Reading, *, asked: bool) -> None:
    postcodes = {m.start(): m for m in _POSTCODE.finditer(reading.left)}
    for m in list(_TOKEN.finditer(reading.left)):
        raw = m[0].strip("-/_")
        if _digits(raw) < FEWEST_DIGITS and m.start() not in postcodes:
            alone = asked and _CLAUSE_ENDS.match(reading.left, m.end())
            if _SHORT.fullmatch(raw) and (raw.startswith("#") or alone):
                reading.take(m.start(), m.end(), Entity("order", raw.lstrip("#"), raw, 0.8))
            continue
        if not reading.left[m.start() : m.end()].strip():
            continue
        number = compact(raw)
        best = next(iter(candidates(number)), None)
        if m.start() in postcodes and not (best and best.score > BARE):
            code = postcodes[m.start()]
            reading.take(code.start(), code.end(), Entity("postcode", code[0], code[0]))
        elif best is not None and best.score > BARE and not number.isdigit():
            reading.take(m.start(), m.end(), Entity("tracking", number, raw, best.score, best.carrier))
        elif raw.startswith("#") or (not number.isdigit() and number[-1].isdigit()):
            reading.take(m.start(), m.end(), Entity("order", raw.lstrip("#"), raw, 0.8))
        elif number.isdigit():
            reading.take(m.start(), m.end(), *_bare(raw, number))


def _bare(raw: str, number: str) -> Iterator[Entity]:
    """Bare digits: perhaps an order's, perhaps a carrier's; the store tells which."""
    yield Entity("number", raw, raw, BARE)
    best = next(iter(candidates(number)), None)
    if best is not None and (best.valid or best.score > BARE):
        yield Entity("tracking", number, raw, best.score, best.carrier)
