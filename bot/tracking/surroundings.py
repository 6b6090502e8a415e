"""What stands around a number in a message, and what in a message is no number of a parcel at all. Pure.

The words are those of chat messages in fifteen languages; texts are normalised first (`recognise.normalised`).
"""

import re
from functools import cache, lru_cache

from bot.tracking.numbers import rows


def _words(spelled: str) -> re.Pattern[str]:
    # In capitals, as the text is: to ignore case costs more than the search.
    return re.compile(spelled.upper())


TRACKING = _words(
    "track|parcel|package|ship(?:ment|ping|ped)|deliver|courier|waybill|awb|consignment|piececode|"
    "seguimiento|gu[ií]a|rastre|env[ií]o|paquet|encomenda|objeto|pacote|suivi|colis|exp[eé]dition|sendung|verfolg|"
    "paket|lieferung|spedizion|pacco|tracciamento|pakket|zending|pakke|f[oö]rs[aä]ndelse|forsendelse|z[aá]sie?lk|bal[ií]k|"
    "csomag|k[uü]ldem[eé]ny|colet|paczk|przesy[lł]k|przewozow|po[sš]iljk|siunt[aoų]|saadetis|s[uū]t[iī]jum|l[aä]hety|seuranta|"
    "sendings|sendingen|kurir|kiriman|pengirim|bungkusan|kiện hàng|vận chuyển|bağlama|ติดตาม|מעקב|"
    "পার্সেল|پارسل|ამანათ|ծանրոց|kargo|bưu kiện|δ[εέ]μα|αποστολ|пратк|пошиљк|بسته|مرسوله|رهگیری|小包|送り状|お届け|"
    "takip|g[oö]nderi|(?<![a-z])resi |v[aậ]n [dđ][oơ]n|трек|отслежив|посылк|посилк|отправлени|відправлен|накладн|"
    "单号|單號|快递|快遞|快件|包裹|物流|运单|運單|跟踪|追踪|追跡|荷物|配送|伝票|송장|택배|배송|شحن|تتبع|طرد|משלוח|חבילה|พัสดุ|पार्सल|ट्रैकिंग|शिपमेंट"
)
_NUMBER_WORDS = (
    r"\W{0,3}(?:(?:NUMBER|NUMMER|NUM|NO|NR|ID|N|N[UÚ]MERO|CODE|НОМЕР|号|號|编号|編號|番号|번호|IS|ES|IST|EST|È|:)"
    r"\W{0,3}){0,3}"
)
_ORDER_WORDS = (
    "order|pedido|encargo|commande|bestell|auftrag|ordine|zam[oó]wieni|sipari[sş]|заказ|订单|訂單|注文|주문|طلب|invoice|"
    "factura|fattura|facture|rechnung|faktura|account|konto|card|visa|kart|customer|kunden|client|ticket|case|article|"
    "artikel|sku|vat|iban|isbn|ean|upc|imei|serial|zip|postcode|post code|postal code|plz|cep|邮编|ref|"
    "passport|reisepass|pasaporte|паспорт|护照|身份证|инн|cpf|cnpj|nif|dni|siren|siret|transaction|paypal|purchase|покупк|"
    r"(?<![a-z])p\.?o\.?(?![a-z])"
).upper()
_ORDER = re.compile(
    rf"(?:{_ORDER_WORDS})\w{{0,8}}{_NUMBER_WORDS}$|#$|/(?:ITEMS?|ITM|DP|P|PRODUCTS?|STATUS)/[^ /]*$|UTM_\w+=$"
)
_PHONE_WORDS = (
    "phone|tel|mobile|call|cell|whatsapp|handy|телефон|звон|电话|電話|手机|手機|m[oó]vil|celular|t[eé]l[eé]f|"
    "numer telefonu|هاتف|جوال|전화|reach(?!ed)|(?<![a-z])ring(?![a-z])|contact|erreich|(?<![a-z])hp(?![a-z])|sđt|โทร"
).upper()
PHONE_WORD = re.compile(
    rf"(?:{_PHONE_WORDS})\w*(?:\W{{0,6}}\w{{0,5}}(?:\W(?:AT|ON|UNDER|UNTER|AU|AL|EN|EM|НА|ПО))?\W{{0,3}}|[\W\d]{{0,14}})$"
)
_PHONE = re.compile(
    r"(?<![A-Z0-9])(?:\+\s?\d[\d\s().\-]{6,17}\d|"
    r"(?<!\d[ \-.])(?:00[1-9][\d\s().\-]{7,15}\d|\(\d{2,4}\)[\s\d.\-]{6,12}\d|"
    r"1[3-9]\d[\s\-]?\d{4}[\s\-]?\d{4}|0\d{1,4}[\s/.\-]\d[\d\s.\-]{4,10}\d|\d{3}[\-.\s]\d{3}[\-.\s]\d{4}|"
    r"[5-9]\d\d[\- ]\d{3}[\- ]\d{3}|"
    r"1-[2-9]\d{2}-\d{3}-\d{4}|8[\s\-]\(?\d{3}\)?[\s\-]\d{3}[\s\-]\d{2}[\s\-]\d{2})(?![ \-.]\d))(?![A-Z0-9])"
)
_ZIP4 = re.compile(r"(?<![A-Z0-9\-])\d{5}-\d{4}(?![A-Z0-9\-])")
MOST_DIGITS, AT_HOME = 15, 12
"""Of a phone number (ITU-T E.164), and of one without its country (Germany's are the longest)."""
_DATE = re.compile(
    r"(?<![\d\-])\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?!-\d)(?:[T\s]+\d{1,2}:\d{2}(?::\d{2})?)?|(?<!\d)\d{1,2}:\d{2}(?!\d)"
)
_PRICE = re.compile(r"[$€£¥₽₹]\s?\d[\d.,\s]*\d|\d[\d.,]*\s?(?:USD|EUR|GBP|CNY|RUB|BRL|[$€£¥₽₹])")
_ADDRESS = re.compile(r"[\w.+%\-]+@[\w\-]+(?:\.[\w\-]+)+")
_MARKETPLACE = re.compile(
    r"(?<![A-Z0-9\-])(?:\d{3}-\d{7}-\d{7}|\d{2}-\d{5}-\d{5}|PO-\d{3}-\d{14,20}"
    r"|[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12})(?![A-Z0-9\-])"
)
"""The order numbers of Amazon, eBay and Temu, and a UUID."""
_IBAN = re.compile(
    r"(?<![A-Z0-9])[A-Z]{2}\d\d ?[A-Z0-9]{4}(?: ?(?=[A-Z]{0,3}\d)[A-Z0-9]{4}){1,6}(?: ?(?=[A-Z]{0,2}\d)[A-Z0-9]{1,3})?"
    r"(?![A-Z0-9])"
)
_IBAN_LENGTHS = {
    **dict.fromkeys(("DE", "GB", "IE", "BG"), 22),
    **dict.fromkeys(("ES", "SE", "CZ", "SK", "RO", "SA"), 24),
    **dict.fromkeys(("FR", "IT", "GR"), 27),
    **dict.fromkeys(("NL", "DK", "FI"), 18),
    **dict.fromkeys(("AT", "LT", "EE", "LU", "KZ"), 20),
    **dict.fromkeys(("CH", "LV", "HR"), 21),
    **dict.fromkeys(("PL", "HU", "CY"), 28),
    "BE": 16,
    "NO": 15,
    "SI": 19,
    "AE": 23,
    "IL": 23,
    "PT": 25,
    "TR": 26,
    "UA": 29,
}
"""By country, from the IBAN registry of ISO 13616."""
_NUMBER = re.compile(rf"\s*{_NUMBER_WORDS}")
_CLAUSE = re.compile(r"(?<!:)\n|[,;!?()。，；！？]|(?<=\w\w\w\w)\.\s")
NEAR = 40
"""Characters before a number, and three quarters as many behind, in which a word speaks of it."""
BESIDE = 12
"""Characters behind it in which a carrier may be named in brackets."""
KNOWN, LIKELY, WRITTEN_DATE = "\x00", "·", "¦"
"""Marks of what is no parcel's number whatever is said, what is hardly one, and a date."""
_HIDDEN = (
    (LIKELY, "@", _ADDRESS),
    (KNOWN, "-", _MARKETPLACE),
    (KNOWN, "", _IBAN),
    (LIKELY, "", _PRICE),
    (LIKELY, "", _PHONE),
    (LIKELY, "-", _ZIP4),
    (WRITTEN_DATE, "", _DATE),
)
"""What is hidden, with what, and a sign without which it cannot be there."""
_LATIN = re.compile("[A-Z]")
DATE = re.compile(
    r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d)?)?"
    r"|(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])20\d\d"
)
_ABROAD = re.compile(
    r"861[3-9]\d{9}|49(?:1[5-7]\d{8,9})|447\d{9}|393\d{9}|91[6-9]\d{9}|905\d{9}|9665\d{8}|9715\d{8}|201\d{9}|3809?\d{8,9}|"
    r"5[45]\d{11}|521\d{10}|52(?:55|33|81|22|66)\d{8}|628\d{8,10}|639\d{9}|81[789]0\d{8}|8210\d{8}|3519\d{8}|35[38]\d{8,9}|"
    r"420[67]\d{8}|4219\d{8}|2347?\d{9}|081\d{9}|0[1-9]\d{8,9}|01[5-7]\d{9}|[78]9\d{9}|1[3-9]\d{9}|[1-9][1-9]9\d{8}|00[1-9]\d{9,12}"
)
"""Mobile numbers with a country's code and nothing to show for it, and those that begin with 0 or as Russia's,
China's and Brazil's do at home."""
_CARD = re.compile(r"4\d{15}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|62\d{14}|6(?:5\d\d|011)\d{12}")


@cache
def _names() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((row["carrier"], re.compile(row["names"].upper())) for row in rows("names.csv"))


@cache
def _any_name() -> re.Pattern[str]:
    # The longest first: DHL Paket is not to be heard as DHL alone.
    spelled = "|".join(row["names"].upper() for row in rows("names.csv")).split("|")
    return re.compile("|".join(sorted(spelled, key=len, reverse=True)))


@lru_cache(maxsize=256)
def _called(name: str) -> frozenset[str]:
    return frozenset(carrier for carrier, pattern in _names() if pattern.search(name))


def named_in(text: str) -> frozenset[str]:
    """The carriers that are spoken of, in a text in capitals."""
    found: frozenset[str] = frozenset()
    for m in _any_name().finditer(text):
        if not (_LATIN.match(text, m.start() - 1) if m.start() else None) and not _LATIN.match(text, m.end()):
            found |= _called(m[0])
    return found


def ordered(before: str, behind: str = "") -> bool:
    """Whether what stands before a number calls it an order's, a card's or the like: "order no.", "#", "ref"; not
    where the same word or address speaks of a parcel: "parcel #", "#… parcel", "shipment ref", "…/track?reference="."""
    found = _ORDER.search(before)
    if found is None:
        return False
    if found[0] == "#":
        return not (TRACKING.search(before[-20:]) or TRACKING.search(behind[:12]))
    if before.endswith("=") and TRACKING.search(before[before.rfind(" ") + 1 :]):
        return False
    parcels = found[0].startswith("REF") and TRACKING.search(before[max(0, found.start() - 14) : found.start()])
    return not parcels


def hidden(plain: str) -> str:
    """The text with `LIKELY` over what is an address, a phone or a price by its looks, `WRITTEN_DATE` over a date, and
    `KNOWN` over what is a marketplace's order number or an account."""
    for mark, sign, pattern in _HIDDEN:
        if sign not in plain:
            continue
        for m in list(pattern.finditer(plain)):
            if pattern is _PHONE and sum(map(str.isdecimal, m[0])) > _most_digits(m[0]):
                continue
            if pattern in {_PHONE, _ZIP4} and _tracked(plain, m.start(), m.end()):
                continue
            if pattern is _IBAN and not _checked(m[0]):
                continue
            if pattern is _DATE and plain[m.end() : m.end() + 1].isalnum():
                continue
            plain = f"{plain[: m.start()]}{mark * (m.end() - m.start())}{plain[m.end() :]}"
    return plain


def _checked(iban: str) -> bool:
    """Whether an IBAN has its country's length and the right check digits (ISO 13616: modulo 97 of the rearranged
    number is 1)."""
    number = iban.replace(" ", "")
    if len(number) != _IBAN_LENGTHS.get(number[:2]):
        return False
    return int("".join(str(int(c, 36)) for c in number[4:] + number[:4])) % 97 == 1


def _most_digits(phone: str) -> int:
    return MOST_DIGITS if phone.startswith(("+", "00")) else AT_HOME


def _tracked(plain: str, start: int, end: int) -> bool:
    """Whether what looks like a phone is called a parcel's number."""
    if plain.startswith("+", start) or PHONE_WORD.search(plain, max(0, start - NEAR), start):
        return False
    return spoken_of(plain, start, end)


def spoken_of(plain: str, start: int, end: int) -> bool:
    """Whether the clause that a stretch stands in speaks of a parcel or carrier: "parcel late, 0171 2345678" does not,
    "my parcel 0171 2345678" does."""
    clauses = _CLAUSE.split(plain[max(0, start - NEAR) : start])
    before = " ".join(clauses[-2:]) if clauses[-1].strip() and _NUMBER.fullmatch(clauses[-1]) else clauses[-1]
    behind = _CLAUSE.split(plain[end : end + NEAR * 3 // 4], maxsplit=1)[0]
    beside = behind.strip() or plain[end : end + BESIDE]
    return bool(TRACKING.search(before) or TRACKING.search(behind) or named_in(f"{before} · {beside}"))


def like_phone(number: str) -> bool:
    """Whether bare digits are a mobile number abroad."""
    return bool(_ABROAD.fullmatch(number))


def like_card(number: str) -> bool:
    """Whether bare digits are of a payment card's length and kind."""
    return bool(_CARD.fullmatch(number))
