"""The check digits of tracking numbers. Each takes a compact number and tells whether it passes; none rejects it.

Rules: UPU S10; GS1 General Specifications 7.9; the carriers' own as `facts/carriers.md` §3 and §4.2 have them.
"""

from collections.abc import Callable, Mapping
from string import ascii_uppercase, digits

_ALPHABET = digits + ascii_uppercase


def _digits(number: str) -> str:
    return "".join(c for c in number if c.isdecimal())


def gs1(number: str) -> bool:
    """GS1's modulo 10 over a whole number."""
    total = sum(int(d) * (3 if place % 2 == 0 else 1) for place, d in enumerate(reversed(number[:-1])))
    return (10 - total % 10) % 10 == int(number[-1])


def s10(number: str) -> bool:
    """UPU S10: eight digits and their check; letters around them are passed over."""
    nine = _digits(number)
    total = sum(int(d) * w for d, w in zip(nine, (8, 6, 4, 2, 3, 5, 9, 7), strict=False))
    check = 11 - total % 11
    return {10: 0, 11: 5}.get(check, check) == int(nine[8])


def mod7(number: str) -> bool:
    """DHL Express: the leading digits as one number, modulo 7."""
    return int(number[:-1]) % 7 == int(number[-1])


def tnt(number: str) -> bool:
    """TNT: S10's rule or modulo 7 over the nine digits; both are in use."""
    nine = _digits(number)
    return s10(nine) or mod7(nine)


def _ups(part: str, check: str) -> bool:
    values = [int(c) if c.isdecimal() else (ord(c) - 3) % 10 for c in part]
    total = sum(v * (2 if place % 2 else 1) for place, v in enumerate(values))
    return check.isdecimal() and (10 - total % 10) % 10 == int(check)


def ups(number: str) -> bool:
    """UPS 1Z: over the fifteen characters behind it."""
    return _ups(number[2:17], number[17])


def ups_waybill(number: str) -> bool:
    """UPS waybills: the same over the nine digits behind the letter."""
    return _ups(number[1:10], number[10])


def ups_plain(number: str) -> bool:
    """OnTrac: UPS's rule over everything before the last digit, the letter counted as UPS counts it."""
    return _ups(number[:-1], number[-1])


def fedex12(number: str) -> bool:
    """FedEx Express: weights 3, 1, 7, modulo 11, modulo 10."""
    total = sum(int(d) * (3, 1, 7)[place % 3] for place, d in enumerate(number[:11]))
    return total % 11 % 10 == int(number[11])


def fedex34(number: str) -> bool:
    """FedEx's label barcode: the last fourteen, weights 1, 7, 3."""
    tail = number[-14:]
    total = sum(int(d) * (1, 7, 3)[place % 3] for place, d in enumerate(tail[:13]))
    return total % 11 % 10 == int(tail[13])


def luhn(number: str) -> bool:
    """Luhn's modulo 10 (ISO/IEC 7812-1, annex B)."""
    doubled = (int(d) * (2 if place % 2 else 1) for place, d in enumerate(reversed(number)))
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def iso7064(number: str) -> bool:
    """DPD: ISO 7064 modulo 37, 36."""
    rest = 36
    for c in number[:-1]:
        rest = (rest + _ALPHABET.index(c)) % 36 or 36
        rest = rest * 2 % 37
    return (rest + _ALPHABET.index(number[-1])) % 36 == 1


def gls(number: str) -> bool:
    """GLS: GS1's weights and one more."""
    total = sum(int(d) * (3 if place % 2 == 0 else 1) for place, d in enumerate(reversed(number[:-1]))) + 1
    return (10 - total % 10) % 10 == int(number[-1])


def identcode(number: str) -> bool:
    """Deutsche Post's Identcode: weights 4 and 9, modulo 10."""
    total = sum(int(d) * (4, 9)[place % 2] for place, d in enumerate(number[:-1]))
    return -total % 10 == int(number[-1])


def usps_pic(number: str) -> bool:
    """USPS: GS1's rule over the package's own code, without the ZIP in front of it (Publication 199)."""
    own = number.removeprefix("420")
    starts = (len(own) - size for size in (22, 26) if len(own) >= size)
    return any(own[start] == "9" and gs1(own[start:]) for start in starts)


CHECKS: Mapping[str, Callable[[str], bool]] = {
    "gs1": gs1,
    "gs1_14": lambda n: gs1(n[-15:]),
    "gs1_15": lambda n: gs1(n[-16:]),
    "gs1_or_91": lambda n: gs1(n) or gs1("92" + n) or gs1("91" + n),
    "identcode": identcode,
    "usps_pic": usps_pic,
    "usps22": lambda n: gs1(n[-22:]),
    "s10": s10,
    "mod7": mod7,
    "tnt": tnt,
    "ups": ups,
    "ups_waybill": ups_waybill,
    "ups_plain": ups_plain,
    "fedex12": fedex12,
    "fedex34": fedex34,
    "luhn": luhn,
    "luhn_tail": lambda n: luhn(n[-9:]),
    "iso7064": iso7064,
    "gls": gls,
}
"""The rules by the name under which `formats.csv` asks for them."""
