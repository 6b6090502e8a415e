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
"""Of a number that nothing names; after "order" or "#" one digit is enough, where it counts nothing."""
FIRST = "#1"
"""A compliment, and no order."""
_BETWEEN = (
    r"[\s:#.,№°º\-=(]*(?:(?:numbers?|num|n\.o|nos?|nr|ids?|is|was|are|n|num[eé]ro|es|[eé]|est|ist|lautet|der|die|den|meine?|my|mi|mon|"
    r"numer|jest|to|numaram?|numarası|の|は|が|번호|는|은|가|이|"
    r"номер|号码|號碼|号|號|编号|是|为|رقم|هو|هي|رقمه|رقمها)[\s:#.№°º\-=]*){0,3}"
)
_TYPED = re.compile(r"[\d@/]")
"""Without one of these, or a link's token, there is nothing to find."""
_DIGIT = re.compile(r"\d")
_LINK = re.compile(r"(?<![\w-])wismo-[A-Za-z0-9_-]{22}(?![\w-])")
_EMAIL = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
_URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_PHONE = re.compile(
    r"(?<![\w])(?:\+\s?\d[\d\s().\-]{6,18}\d|00[1-9][\d\s().\-]{6,16}\d|\(\d{2,4}\)\s?\d{3,5}[\s.\-]?\d{3,5}|\d{3}[\s.\-]\d{3}[\s.\-]\d{4})(?![\w])"
)
_NATIONAL = re.compile(
    r"(?<![\w.,/-])(?!\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b)(?:"
    r"\(?0[1-9]\d{0,3}\)?[\s/.\-]{1,2}\d{6,8}|"  # 0171 2345678, 07700 900123
    r"\(?0[1-9]\d{0,4}\)?(?:[\s.\-]\d{2,4}){2,4}|"  # 06 12 34 56 78, 020 7946 0958, 090-1234-5678
    r"[78][\s\-]?\(?9\d{2}\)?[\s\-]?\d{3}[\s\-]\d{2}[\s\-]\d{2}|"  # Russia
    r"1[3-9]\d[\s\-]\d{4}[\s\-]\d{4}|"  # China
    r"\d{2}\s9\d{4}[\s\-]\d{4}|"  # Brazil
    r"[5-9]\d{2}(?:\s\d{2}){3}|\d{3}[\s\-]\d{3}[\s\-]\d{3}"  # Spain, Poland
    r")(?![\w-])"
)
_MOBILE = re.compile(r"(?:[78]9\d{9}|1[3-9]\d{9}|0[1-9]\d{8,9})")
"""Undivided digits that are a mobile number of Russia or China, or begin with a trunk zero: perhaps a phone."""
_MOST_OF_PHONE, _FEWEST_OF_PHONE = 15, 9
_DIGITS_OF_LONG = 8
"""With fewer digits in all a message holds no phone that shows itself and no number in groups, and is not searched for
them: each search is a fortieth of a message's CPU."""
_AMOUNT = r"\d{1,3}(?:[.,\s]\d{3})+(?:[.,]\d{1,2})?(?!\d)|\d+(?:[.,]\d{1,2})?"
_CURRENCY = r"US\$|R\$|[$€£¥₽₹₩₺₴]|(?<![^\W\d])(?:USD|EUR|GBP|CNY|RMB|BRL|RUB|INR|Rs\.?|SAR|AED|EGP|JPY|MXN|CAD|AUD)\b"
_CURRENCY_AFTER = (
    rf"{_CURRENCY}|(?:dollars?|euros?|pounds?|bucks|d[oó]lares|reais|rubles?|руб\w*|евро|долл\w*|"
    r"zł|zl|PLN|TL|TRY|lira|円|원|元|块钱|塊錢|块|塊|美元|欧元|ريال|درهم|دولار|جنيه)"
)
_MONEY = re.compile(
    rf"(?:(?:{_CURRENCY})\s?(?:{_AMOUNT}))|(?:(?<![A-Za-z0-9_.,-])(?:{_AMOUNT})\s?(?:{_CURRENCY_AFTER}))", re.IGNORECASE
)
_DATE = re.compile(
    r"(?<!\d)(?:\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{1,2}月\d{1,2}[日号]?|\d{1,2}월\s?\d{1,2}일|\d{1,2}/\d{1,2}|\d{1,2}:\d{2})(?!\d)"
)
_POSTCODE = re.compile(
    r"(?<![\w-])(?:[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}|[A-Z]\d[A-Z]\s?\d[A-Z]\d|\d{4}(?:[A-Z]{2}|\s(?-i:[A-Z]{2}))|\d{5}-\d{3,4}|\d{4}-\d{3}|\d{3}-\d{4}|\d{2}-\d{3})(?![\w-])",
    re.IGNORECASE,
)
_ALONE = re.compile(
    r"\s*(?P<land>(?:[ABDEFHILNPS]|AD|AT|BE|BG|CH|CY|CZ|DE|DK|EE|ES|FI|FIN|FR|GR|HR|HU|IT|LT|LU|LV|MC|MD|NL|PL|PT|RO|SE|SI|SK)"
    r"[\s\-]?)?(?P<code>\d{3}\s?\d{2}|\d{3}\s\d{3}|\d{4,5}|(?<=AD)\d{3}|\d{4}\s(?!OK|OR|IS|PL|NO)[A-Z]{2}|[A-Z]\d[\dW]\s?[A-Z\d]{4})\s*[.!]?\s*",
    re.IGNORECASE,
)
"""A postcode as the answer to our question: shapes that among other words would be anything."""
_PART_OF_CODE = frozenset({"AD", "LT", "LV", "MD"})
"""Countries whose letters belong to the postcode itself."""
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
_CLAUSE_ENDS = re.compile(r"\s*(?:$|[?!;)\n？！。，、؟]|[.,](?:\s|$)|\s\d)")
_SHORT = re.compile(r"#?(?:[A-Za-z]{1,6}[-#]?)?\d{1,2}")
_SHAPED = re.compile(r"(?<![\w-])\d{3}-\d{7}-\d{7}(?![\w-])")
"""Amazon's order number, which needs no word before it."""
_MEASURE = re.compile(
    r"(?<![\w#-])(?:\d+\s?[x×]\s?\d+(?:\s?[x×]\s?\d+)?|"
    r"\d+(?:[.,]\d+)?\s?(?:%|(?:m?ah|g?hz|k?wh?|volts?|v|watts?|[kcm]?m|inch(?:es)?|[mk]?g|lbs?|oz|m?l|[mgt]b)\b))(?![\w-])",
    re.IGNORECASE,
)
"""How large, heavy or strong something is."""
_YEAR = re.compile(
    r"(?<!\w)(?:(?:in|since|from|en|desde|de|em|seit|depuis|dal|w|od|с|в|من|منذ|في|سنة|عام)\s+(?:20[0-3]\d)|"
    r"20[0-3]\d\s?(?:году?|года|年))(?![\w-])",
    re.IGNORECASE,
)
_LISTED = re.compile(
    r"(?:\s*[,、，]\s*#?\d{3,}(?![\w-]))*\s*[,、，]?\s*(?:and|y|e|et|und|и|i|ve|和|跟|及|と|و|하고|그리고|&|\+)\s*#?\d{3,}(?![\d-])",
    re.IGNORECASE,
)
_OF_LIST = re.compile(r"\d{3,}")
# Not a Brazilian postcode ("CEP 01310-100"), though "cep" is Turkish for a mobile phone.
_CUED_PHONE = re.compile(rf"{_BETWEEN}((?!\d{{5}}-\d{{3}}(?!\d))\+?\d[\d\s().\-]{{5,18}}\d)", re.IGNORECASE)
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
    if _TYPED.search(text) is None and "wismo-" not in text:
        return (), text
    reading = _Reading(text)
    reading.each(_LINK, "link")
    if "@" in text:
        reading.each(_EMAIL, "email")
    for m in list(_URL.finditer(reading.left)):
        reading.take(m.start(), m.end(), *_in_url(m[0]))
    digits = _digits(text)
    if digits >= _DIGITS_OF_LONG:
        reading.each(_SHAPED, "order")
        _phones(reading)
    _cued(reading, lexicon.cues["phone_cue"], _CUED_PHONE, "phone", most=15, fewest=7)
    if not _cued(reading, lexicon.cues["postcode_cue"], _CUED_POSTCODE, "postcode", most=10, fewest=2):
        _before(reading, lexicon.cues["postcode_cue"])
    reading.each(_MONEY, "money")
    _postcode_alone(reading)
    if digits >= _DIGITS_OF_LONG:
        _spaced(reading)
        _national_phones(reading)
    _numbered(reading, lexicon)
    if _DIGIT.search(reading.left) is not None:
        reading.each(_DATE, "date")
        if "20" in reading.left:
            reading.each(_YEAR, "date")
        for m in list(_MEASURE.finditer(reading.left)):
            reading.take(m.start(), m.end())
        _tokens(reading, asked=asked)
    return tuple(e for _, e in sorted(reading.found, key=lambda pair: pair[0])), reading.left


def _phones(reading: _Reading) -> None:
    """Phones that show it: with a prefix, or a bracket."""
    for m in list(_PHONE.finditer(reading.left)):
        # "00" and eighteen digits is a parcel's label.
        if _digits(m[0]) <= _MOST_OF_PHONE + 2 * m[0].startswith("00"):
            reading.take(m.start(), m.end(), Entity("phone", m[0].strip(), m[0]))


def _national_phones(reading: _Reading) -> None:
    """Phones as one country writes them, told from lists of numbers by their groups."""
    for m in list(_NATIONAL.finditer(reading.left)):
        if _FEWEST_OF_PHONE <= _digits(m[0]) <= _MOST_OF_PHONE:
            reading.take(m.start(), m.end(), Entity("phone", m[0], m[0]))


def _digits(text: str) -> int:
    return sum(map(str.isdigit, text))


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


def _postcode_alone(reading: _Reading) -> None:
    """The whole message is a postcode; one with its country before it may be an order's number all the same."""
    found = _ALONE.fullmatch(reading.left)
    if found is None or (found["code"].isdigit() and not found["land"]):
        return  # bare digits stay a candidate for anything
    raw = reading.left.strip(" .!")
    part = (found["land"] or "").upper().rstrip(" -") in _PART_OF_CODE
    told = [Entity("number", raw, raw, BARE)] if found["land"] else []
    reading.take(0, len(reading.left), Entity("postcode", raw if part else found["code"], raw), *told)


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
            if not found or (
                _digits(raw) < FEWEST_DIGITS and not (kind == "order" and _names(reading, found, lexicon))
            ):
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
                _also(reading, found.end(1))


def _names(reading: _Reading, found: re.Match[str], lexicon: Lexicon) -> bool:
    """Whether a short number names an order: "order 42" and "order A7?", not "order 3 more", "order, 2 weeks ago" or
    "order ps5 has not come"."""
    if not found[1].isdigit():
        return bool(_SHORT.fullmatch(found[1]) and _CLAUSE_ENDS.match(reading.left, found.end(1)))
    behind = found.end(1) + (reading.left[found.end(1) : found.end(1) + 1] == " ")
    return not lexicon.cues["counted_cue"].begins(reading.low, behind)


def _also(reading: _Reading, start: int) -> None:
    """The other numbers of a list that ends in "and": "orders 1042, 1043 and 1050"."""
    listed = _LISTED.match(reading.left, start)
    for m in list(_OF_LIST.finditer(reading.left, *listed.span())) if listed else ():
        reading.take(m.start(), m.end(), Entity("order", m[0], m[0]))


def _tokens(reading: _Reading, *, asked: bool) -> None:
    postcodes = {m.start(): m for m in _POSTCODE.finditer(reading.left)}
    for m in list(_TOKEN.finditer(reading.left)):
        if m[0].isalpha():
            continue
        raw = m[0].strip("-/_")
        named = raw.startswith("#") and raw != FIRST and raw[1:].isdigit()
        if _digits(raw) < FEWEST_DIGITS and m.start() not in postcodes and not named:
            if asked and _SHORT.fullmatch(raw) and _CLAUSE_ENDS.match(reading.left, m.end()):
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
    if _MOBILE.fullmatch(number):
        yield Entity("phone", number, raw, BARE)
    best = next(iter(candidates(number)), None)
    if best is not None and (best.valid or best.score > BARE):
        yield Entity("tracking", number, raw, best.score, best.carrier)
