"""Tracking numbers: which carrier's they look like, and how sure that is. Pure.

A pattern with letters around the digits says much; bare digits say little, since one random number in ten
passes some carrier's check. A failed check lowers the score and rejects nothing: carriers' own developer
numbers fail it. Rules from the carriers' published formats and the UPU's S10.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

FRAMED, BARE, FAILED = 0.95, 0.5, 0.6
"""Scores of a number framed by letters and of bare digits with a passed check; a failed check multiplies."""
_SPACES = re.compile(r"[\s\-]+")
_COUNTRY = (
    "A[DEFGILMNORSTUWXZ]|B[ABDEFGHIJLMNOQRSTVWYZ]|C[ACDFGHIKLMNORUVWXYZ]|D[EJKMOZ]|E[CEGHRST]|F[IJKMOR]"
    "|G[ABDEFGHILMNPQRSTUWY]|H[KMNRTU]|I[DELMNOQRST]|J[EMOP]|K[EGHIMNPRWYZ]|L[ABCIKRSTUVY]"
    "|M[ACDEFGHKLMNOPQRSTUVWXYZ]|N[ACEFGILOPRUZ]|OM|P[AEFGHKLMNRSTWY]|QA|R[EOSUW]"
    "|S[ABCDEGHIJKLMNORSTVXYZ]|T[CDFGHJKLMNORTVWZ]|U[AGMSYZ]|V[ACEGINU]|W[FS]|Y[ET]|Z[AMW]"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A reading of a number. `valid` tells the check digit: True, False, or None where the format has none."""

    carrier: str
    score: float
    valid: bool | None = None


def gs1(digits: str) -> bool:
    """GS1's modulo 10 over a whole number."""
    total = sum(int(d) * (3 if place % 2 == 0 else 1) for place, d in enumerate(reversed(digits[:-1])))
    return (10 - total % 10) % 10 == int(digits[-1])


def s10(digits: str) -> bool:
    """UPU S10: eight digits and their check."""
    total = sum(int(d) * w for d, w in zip(digits, (8, 6, 4, 2, 3, 5, 9, 7), strict=False))
    check = 11 - total % 11
    return {10: 0, 11: 5}.get(check, check) == int(digits[8])


def mod7(digits: str) -> bool:
    """DHL Express: the leading digits as one number, modulo 7."""
    return int(digits[:-1]) % 7 == int(digits[-1])


def ups(number: str) -> bool:
    """UPS 1Z: over the fifteen characters behind it."""
    values = [int(c) if c.isdigit() else (ord(c) - 3) % 10 for c in number[2:17]]
    total = sum(v * (2 if place % 2 else 1) for place, v in enumerate(values))
    return number[17].isdigit() and (10 - total % 10) % 10 == int(number[17])


def fedex12(digits: str) -> bool:
    """FedEx Express: weights 3, 1, 7, modulo 11, modulo 10."""
    total = sum(int(d) * (3, 1, 7)[place % 3] for place, d in enumerate(digits[:11]))
    return total % 11 % 10 == int(digits[11])


def _inner(check: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda number: check(re.sub(r"\D", "", number))


def _either(number: str) -> bool:
    digits = re.sub(r"\D", "", number)
    return s10(digits) or mod7(digits)


_Rule = tuple[str, re.Pattern[str], Callable[[str], bool] | None]


def _rule(carrier: str, pattern: str, check: Callable[[str], bool] | None = None) -> _Rule:
    return carrier, re.compile(pattern), check


_FRAMED: tuple[_Rule, ...] = (
    _rule("ups", r"1Z[A-Z0-9]{15}\d", ups),
    _rule("tnt", r"G[DE]\d{9}WW", _either),
    _rule("ems", r"E[A-Z]\d{9}CN", _inner(s10)),
    _rule("china-post", r"[A-Z]{2}\d{9}CN", _inner(s10)),
    _rule("yanwen", r"[A-Z]{2}\d{9}YR"),
    _rule("usps", r"[A-Z]{2}\d{9}US", _inner(s10)),
    _rule("royal-mail", r"[A-Z]{2}\d{9}GB", _inner(s10)),
    _rule("deutsche-post", r"[A-Z]{2}\d{9}DE", _inner(s10)),
    _rule("la-poste", r"[A-Z]{2}\d{9}FR", _inner(s10)),
    _rule("correios", r"[A-Z]{2}\d{9}BR", _inner(s10)),
    _rule("russian-post", r"[A-Z]{2}\d{9}RU", _inner(s10)),
    _rule("", rf"[A-Z]{{2}}\d{{9}}(?:{_COUNTRY})", _inner(s10)),
    _rule("sf", r"SF[A-Z0-9]\d{11,12}"),
    _rule("yunexpress", r"YT\d{16}"),
    _rule("cainiao", r"(?:LP|CNG?)\d{14,18}"),
    _rule("4px", r"4PX\d{10,16}[A-Z]{0,2}"),
    _rule("dhl", r"J?JD\d{18}|JVGL\d{10,16}"),
    _rule("dhl", r"GM\d{10,37}|(?:RX|UV)\d{14,37}"),
    _rule("gofo", r"GFUS\d{14}"),
    _rule("amazon", r"TB[AMC]\d{12}"),
    _rule("deutsche-post", r"0034\d{16}", gs1),
    _rule("usps", r"(?:420\d{5}(?:\d{4})?)?9[1-5]\d{20}", lambda n: gs1(n[-22:])),
    _rule("fedex", r"96\d{20}", lambda n: gs1(n[7:])),
)
_BARE: tuple[_Rule, ...] = (
    _rule("dhl", r"\d{10,11}", mod7),
    _rule("fedex", r"\d{12}", fedex12),
    _rule("fedex", r"\d{15}", gs1),
    _rule("usps", r"\d{20}", gs1),
    _rule("tnt", r"\d{9}", _either),
)


def compact(text: str) -> str:
    """A number as it is compared: upper case, without spaces and hyphens."""
    return _SPACES.sub("", text).upper()


def candidates(number: str) -> tuple[Candidate, ...]:
    """Whose a compact number may be, likeliest first; empty where it looks like no carrier's."""
    rules, base = (_BARE, BARE) if number.isdigit() and len(number) < 20 else (_FRAMED + _BARE, FRAMED)
    found = []
    for carrier, pattern, check in rules:
        if pattern.fullmatch(number):
            valid = check(number) if check is not None else None
            found.append(Candidate(carrier, base * (FAILED if valid is False else 1.0), valid))
            if base == FRAMED:
                break
    return tuple(sorted(found, key=lambda c: -c.score))
