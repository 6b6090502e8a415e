"""Made-up tracking numbers of every format, what people write around them, and what only looks like one.

The check digits are worked out here by each carrier's published rule, apart from `bot.tracking.checksums`:
a slip there would not be seen by numbers that are tried until they pass.
"""

import csv
import random
import re
import string
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

D, A = string.digits, string.ascii_uppercase
AN = D + A
Make = Callable[[random.Random], str]


def digits(r: random.Random, n: int) -> str:
    return "".join(r.choice(D) for _ in range(n))


def gs1_digit(body: str) -> str:
    """GS1 General Specifications 7.9."""
    return str(-sum(int(d) * (3, 1)[k % 2] for k, d in enumerate(reversed(body))) % 10)


def luhn_digit(body: str) -> str:
    """ISO/IEC 7812-1, annex B."""
    doubled = [int(d) * (2, 1)[k % 2] for k, d in enumerate(reversed(body))]
    return str(-sum(d // 10 + d % 10 for d in doubled) % 10)


def s10_digit(eight: str) -> str:
    """UPU S10, §5."""
    rest = 11 - sum(int(d) * w for d, w in zip(eight, (8, 6, 4, 2, 3, 5, 9, 7), strict=True)) % 11
    return {10: "0", 11: "5"}.get(rest, str(rest))


def ups_digit(body: str) -> str:
    """UPS: every second character doubled, letters as UPS counts them."""
    values = [int(c) if c in D else (ord(c) - 63) % 10 for c in body]
    return str(-sum(v * (1, 2)[k % 2] for k, v in enumerate(values)) % 10)


def fedex_digit(body: str, weights: tuple[int, int, int]) -> str:
    """FedEx: three weights in turn, modulo 11, ten becomes nought."""
    return str(sum(int(d) * weights[k % 3] for k, d in enumerate(body)) % 11 % 10)


def fedex12_digit(body: str) -> str:
    """FedEx Express."""
    return fedex_digit(body, (3, 1, 7))


def dpd_character(body: str) -> str:
    """ISO/IEC 7064, modulo 37, 36."""
    rest = 36
    for c in body:
        rest = ((rest + AN.index(c)) % 36 or 36) * 2 % 37
    return AN[(37 - rest) % 36]


def s10(services: str, country: str, second: str = A) -> Make:
    def make(r: random.Random) -> str:
        eight = digits(r, 8)
        return f"{r.choice(services)}{r.choice(second)}{eight}{s10_digit(eight)}{country}"

    return make


def fixed(head: str, count: int, tail: str = "") -> Make:
    return lambda r: f"{head}{digits(r, count)}{tail}"


def checked(head: str, count: int, digit: Callable[[str], str], *, heads: int = 0) -> Make:
    """`head`, `count` digits and their check digit, which counts the head but for its first `heads` signs."""

    def make(r: random.Random) -> str:
        body = head + digits(r, count)
        return body + digit(body[heads:])

    return make


def ended(body: Make, digit: Callable[[str], str]) -> Make:
    """A body and the check digit over the whole of it."""

    def make(r: random.Random) -> str:
        made = body(r)
        return made + digit(made)

    return make


def modulo_7(count: int) -> Make:
    def make(r: random.Random) -> str:
        body = r.choice("123456789") + digits(r, count - 2)
        return f"{body}{int(body) % 7}"

    return make


def one_of(*makes: Make) -> Make:
    return lambda r: r.choice(makes)(r)


def _ups(r: random.Random) -> str:
    body = "".join(r.choice(AN) for _ in range(6)) + digits(r, 9)
    return f"1Z{body}{ups_digit(body)}"


def _ups_waybill(r: random.Random) -> str:
    body = digits(r, 9)
    return f"{r.choice('HTJKV')}{body}{ups_digit(body)}"


def _tnt9(r: random.Random) -> str:
    body = digits(r, 8)
    return body + r.choice((s10_digit(body), str(int(body) % 7)))


def _fedex34(r: random.Random) -> str:
    tail = digits(r, 13)
    return digits(r, 20) + tail + fedex_digit(tail, (1, 7, 3))


def _fedex96(r: random.Random) -> str:
    tail = digits(r, 14)
    return "96" + digits(r, 5) + tail + gs1_digit(tail)


def _sscc18(r: random.Random) -> str:
    tail = digits(r, 15)
    return digits(r, 2) + tail + gs1_digit(tail)


def _purolator(r: random.Random) -> str:
    body = digits(r, 8)
    return "".join(r.choice(A) for _ in range(3)) + body + luhn_digit(body)


def _dpd(r: random.Random) -> str:
    body = digits(r, 14)
    return body + dpd_character(body)


def _gls(count: int) -> Make:
    return ended(fixed("", count), lambda body: str((int(gs1_digit(body)) - 1) % 10))


def _impb(count: int) -> Make:
    return lambda r: checked(r.choice(("91", "92", "93", "94", "95")), count - 3, gs1_digit)(r)


def _zip(length: int, pic: int) -> Make:
    return lambda r: f"420{digits(r, length)}{_impb(pic)(r)}"


def _mi(r: random.Random) -> str:
    return f"MI{digits(r, 6)}" + "".join(r.choice(AN) for _ in range(r.randint(8, 22)))


class Kind(Struct, frozen=True):
    """A format: whose it is, how its carrier is spoken of, and whether it says so by itself."""

    carriers: tuple[str, ...]
    spoken: str
    make: Make
    framed: bool = True
    alone: bool = False
    """Digits alone in a message are to be taken for it."""


def framed(carrier: str, spoken: str, make: Make) -> Kind:
    return Kind((carrier,), spoken, make)


def bare(carrier: str, spoken: str, make: Make, *, alone: bool = False) -> Kind:
    return Kind((carrier,), spoken, make, framed=False, alone=alone)


POSTS = {
    "GB": "royal-mail", "CA": "canada-post", "AU": "australia-post", "US": "usps", "DE": "deutsche-post",
    "FR": "la-poste", "BR": "correios", "RU": "russian-post", "NL": "postnl", "SG": "singapore-post",
    "HK": "hongkong-post", "JP": "japan-post", "SE": "postnord", "CH": "swiss-post", "EE": "omniva",
    "LT": "lietuvos-pastas", "UA": "ukrposhta", "TR": "ptt",
}  # fmt: skip
KINDS: Mapping[str, Kind] = {
    "ems": framed("ems", "EMS", s10("E", "CN")),
    "ems elsewhere": Kind(("ems", "japan-post"), "EMS", s10("E", "JP")),
    "china post": framed("china-post", "China Post", s10("RCLUV", "CN")),
    **{f"s10 {c}": framed(p, p.replace("-", " "), s10("RCLVUH", c)) for c, p in POSTS.items()},
    "dhl express 10": bare("dhl", "DHL", modulo_7(10)),
    "dhl express 11": bare("dhl", "DHL", modulo_7(11)),
    "dhl jd": framed("dhl", "DHL", one_of(fixed("JD", 18), fixed("JJD", 18), fixed("JD01", 16), fixed("JJD01", 16))),
    "dhl jjd short": framed("dhl", "DHL", one_of(fixed("JJD00", 8), fixed("JJD01", 8))),
    "dhl jvgl": framed("dhl", "DHL", fixed("JVGL", 16)),
    "dhl ecommerce": framed("dhl", "DHL", one_of(fixed("GM", 16), fixed("GM", 18), fixed("GM6051", 14))),
    "dhl ecommerce 14": bare("dhl", "DHL", fixed("1", 13), alone=True),
    "dhl paket": Kind(("dhl-paket", "dhl"), "DHL", checked("00340434", 11, gs1_digit)),
    "fedex 12": bare("fedex", "FedEx", ended(fixed("", 11), fedex12_digit), alone=True),
    "fedex 15": bare("fedex", "FedEx", checked("", 14, gs1_digit), alone=True),
    "fedex 18": bare("fedex", "FedEx", _sscc18, alone=True),
    "fedex 20": bare("fedex", "FedEx", checked("", 19, gs1_digit), alone=True),
    "fedex 20 smartpost": Kind(("fedex", "usps"), "FedEx", lambda r: checked("9261", 17, gs1_digit)(r)[2:], False),
    "fedex 20 smartpost 91": Kind(
        ("fedex", "usps"), "FedEx", lambda r: checked("9102", 17, gs1_digit)(r)[2:], False
    ),
    "fedex 22": framed("fedex", "FedEx", _fedex96),
    "fedex 34": Kind(("fedex",), "FedEx", _fedex34),
    "fedex door tag": framed("fedex", "FedEx", fixed("DT", 12)),
    "ups 1z": framed("ups", "UPS", _ups),
    "ups waybill": framed("ups", "UPS", _ups_waybill),
    "ups t": framed("ups", "UPS", fixed("T", 10)),
    "ups 9": bare("ups", "UPS", fixed("", 9)),
    "ups 12": bare("ups", "UPS", fixed("", 12)),
    "ups mi": framed("ups", "UPS", _mi),
    "ups mi usps": Kind(("ups", "ups-mail-innovations", "usps"), "UPS", checked("926", 18, gs1_digit)),
    "tnt 9": bare("tnt", "TNT", _tnt9),
    "tnt gd": framed("tnt", "TNT", s10("G", "WW", "DE")),
    "sf": framed("sf", "SF Express", one_of(fixed("SF1", 12), fixed("SF0", 12), fixed("SF2", 12), fixed("SF6", 12))),
    "sf 12": bare("sf", "顺丰", fixed("", 12)),
    "usps 20": bare("usps", "USPS", one_of(*(checked(h, 17, gs1_digit) for h in ("70", "03", "23", "14"))), alone=True),
    "usps 22": framed("usps", "USPS", _impb(22)),
    "usps 26": framed("usps", "USPS", _impb(26)),
    "usps 30": framed("usps", "USPS", _zip(5, 22)),
    "usps 34": framed("usps", "USPS", one_of(_zip(9, 22), _zip(5, 26))),
    "usps express guaranteed": bare("usps", "USPS", fixed("82", 8)),
    "canada post 16": bare("canada-post", "Canada Post", checked("", 15, gs1_digit), alone=True),
    "australia post article": bare("australia-post", "Australia Post", one_of(
        fixed("33ABC", 9), fixed("ABC", 18), lambda r: "".join(r.choice(AN) for _ in range(3)) + digits(r, 13),
        lambda r: r.choice(("33", "34", "36", "99")) + "".join(r.choice(A) for _ in range(3)) + digits(r, 18))),
    "australia post 12": bare("australia-post", "Australia Post", one_of(fixed("7", 11), fixed("3", 11))),
    "dpd 14": bare("dpd", "DPD", one_of(fixed("1", 13), fixed("05", 12)), alone=True),
    "dpd 14 with check": bare("dpd", "DPD", _dpd),
    "gls 11": bare("gls", "GLS", one_of(_gls(10), fixed("", 11))),
    "gls 12": bare("gls", "GLS", one_of(_gls(11), fixed("", 12))),
    "yodel": framed("yodel", "Yodel", one_of(fixed("JD", 16), fixed("JJD", 16), fixed("JD0002", 12))),
    "evri 16": bare("evri", "Evri", fixed("", 16)),
    "evri letters": framed("evri", "Evri", lambda r: r.choice("HTPC") + "00" + "".join(r.choice(AN) for _ in range(3))
                           + digits(r, 10)),
    "ontrac": framed("ontrac", "OnTrac", ended(
        lambda r: r.choice("CD") + digits(r, 13), ups_digit)),
    "ontrac any": framed("ontrac", "OnTrac", one_of(fixed("C", 14), fixed("D", 14))),
    "ontrac bn": framed("ontrac", "OnTrac", one_of(fixed("BN", 8), fixed("BN", 10))),
    "ontrac lasership": Kind(("ontrac",), "OnTrac", one_of(fixed("LX", 8), fixed("LS", 8), fixed("1LS", 12))),
    "lasership": framed("lasership", "LaserShip", one_of(
        lambda r: "L" + r.choice(A) + digits(r, 8), fixed("1LS", 12), fixed("1LS", 15))),
    "amazon": framed("amazon", "Amazon", one_of(fixed("TBA", 12), fixed("TBM", 12), fixed("TBC", 12))),
    "purolator 12": bare("purolator", "Purolator", checked("", 11, luhn_digit), alone=True),
    "purolator letters": framed("purolator", "Purolator", _purolator),
    "canpar": framed("canpar", "Canpar", fixed("D", 21)),
    "landmark": framed("landmark", "Landmark", one_of(fixed("LTN", 8, "N1"), fixed("LTN", 9, "N1"))),
    "yunexpress": framed("yunexpress", "YunExpress", one_of(fixed("YT", 16), fixed("YT2", 15))),
    "yanwen": framed("yanwen", "Yanwen", one_of(s10("UVLRA", "YP"), s10("UVLR", "YR"), fixed("UG", 9, "YP"))),
    "cainiao": framed("cainiao", "Cainiao", one_of(
        fixed("LP00", 12), fixed("LP", 14), fixed("CNUSUP", 11), fixed("621", 12))),
    "4px": framed("4px", "4PX", one_of(fixed("4PX", 13, "CN"), fixed("4PX", 13))),
    "4px 12": bare("4px", "4PX", fixed("", 12)),
    "speedee": framed("speedee", "Spee-Dee", one_of(fixed("SP", 18), fixed("SP", 20))),
    "fedex ground economy": Kind(("fedex",), "FedEx", checked("926129", 15, gs1_digit)),
    "postnl 3s": Kind(("postnl", "dhl"), "PostNL", one_of(fixed("3SABCD", 9), fixed("3SABCD", 10), fixed("3SQWE", 11))),
    "dpd barcode": framed("dpd", "DPD", one_of(
        fixed("0010115", 20), lambda r: (body := "0075001" + digits(r, 20)) + dpd_character(body))),
    "hermes": framed("evri", "Hermes", fixed("H", 19)),
    "amazon europe": bare("amazon", "Amazon", one_of(*(fixed(c, 10) for c in ("DE", "FR", "IT", "ES", "GB", "QB")))),
    "cainiao other": framed("cainiao", "Cainiao", one_of(
        fixed("CNG", 14), fixed("AEFP", 10, "RU2"), fixed("ZA", 9, "HQ"))),
    "australia post label": framed("australia-post", "Australia Post", fixed("019931265099999891ABC", 18)),
    "parcelforce": bare("royal-mail", "Parcelforce", one_of(fixed("PB", 7), fixed("PBAB", 10))),
    "gofo": framed("gofo", "GOFO", one_of(fixed("GFUS", 14), fixed("GFUS01", 12))),
}  # fmt: skip

_MESSAGES = list(csv.DictReader(Path(__file__).with_name("messages.csv").read_text(encoding="utf-8").splitlines()))


def messages(kind: str) -> list[str]:
    """What people write: `{}` is the number, `{5}` five digits, `{day}` and its like a date."""
    return [row["text"].replace("\\n", "\n") for row in _MESSAGES if row["kind"] == kind]


NEUTRAL, SPOKEN = messages("neutral"), messages("spoken")
"""Nothing around the number that says what it is; a word for tracking beside it, in fifteen languages."""


def written(r: random.Random, number: str) -> str:
    """A number as people write it."""
    way = r.randrange(8)
    if way == 1:
        return number.lower()
    if way == 2:
        return number.translate({ord(c): ord(c) + 0xFEE0 for c in AN})
    if way in {3, 4}:
        size = r.choice((3, 4, 4, 5))
        return (" ", "-")[way == 4].join(number[k : k + size] for k in range(0, len(number), size))
    if way == 5 and len(number) == 13 and number[-2:].isalpha():
        return f"{number[:2]} {number[2:11]} {number[11:]}"
    return number


PHONES, ORDERS, OTHERS = messages("phones"), messages("orders"), messages("others")
PLAIN_ORDERS = 24
"""So many forms of orders, from the first on, are taken for none even where they stand alone; the others are as
long as a carrier's number and may pass its check."""


def filled(r: random.Random, form: str) -> str:
    """A form with its gaps filled: `{5}` is five digits."""
    year, month, day = r.randint(2020, 2027), r.randint(1, 12), r.randint(1, 28)
    hour, minute = r.randint(0, 23), r.randint(0, 59)
    named = {
        "day": f"{year}-{month:02}-{day:02}",
        "slash": f"{day}/{month}/{year}",
        "dots": f"{day:02}.{month:02}.{year}",
        "compact": f"{year}{month:02}{day:02}",
        "clock": f"{hour:02}:{minute:02}",
        "hhmm": f"{hour:02}{minute:02}",
        "epoch": str(r.randint(1_600_000_000, 1_800_000_000)),
    }
    return re.sub(r"\{(\w+)\}", lambda m: named[m[1]] if m[1] in named else digits(r, int(m[1])), form)


def innocent(seed: int, rounds: int) -> Iterator[tuple[str, str]]:
    """Kind and text of messages without a tracking number."""
    r = random.Random(seed)
    for _ in range(rounds):
        for form in PHONES:
            yield "phone", r.choice(messages("around phones")).format(filled(r, form))
        for form in ORDERS:
            yield "order", r.choice(messages("around orders")).format(filled(r, form))
        for form in ORDERS[:PLAIN_ORDERS]:
            yield "order alone", filled(r, form)
        for form in OTHERS:
            yield "other", filled(r, form)
