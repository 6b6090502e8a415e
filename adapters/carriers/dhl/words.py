"""What DHL's codes, names and sentences mean, division by division."""

import re
from collections.abc import Sequence
from functools import cache, lru_cache

from bot.model.codes import NOTHING, Code, codes, rows
from bot.model.foreign import Map, a_text, first_text
from bot.model.tracks import Status

_SHORT = re.compile(r"[A-Z]{2}|[0-9]{1,5}")
_NAME = re.compile(r"[A-Z]{3,5}|(?=[A-Z0-9_/-]*[_0-9])[A-Z][A-Z0-9_/-]{2,79}")
"""An abbreviation, or words that an underscore or a figure makes a name: PARCEL_SORTED_AT_HUB."""
_NO_WORD = re.compile(r"[\W_]+")
_SENTENCE_ENDS = re.compile(r"(?<=\w{3})\. ")


@lru_cache(maxsize=256)
def main_code(told: str) -> Code | None:
    """What a `statusCode` says, in any spelling ("Pre-Transit", "PRE_TRANSIT")."""
    return codes("dhl_status").get(_NO_WORD.sub("-", told.lower()).strip("-"))


def _plain(told: str) -> str:
    return _NO_WORD.sub(" ", told.upper()).strip()


@cache
def _openings() -> Sequence[str]:
    """The texts that a place or a name follows, the longest first."""
    return sorted((r["code"] for r in rows("dhl_text") if r["opens"] == "yes"), key=len, reverse=True)


@lru_cache(maxsize=4096)
def sentence(told: str) -> Code | None:
    """What a fixed text says: as a whole, by its first sentence, or by its opening words."""
    table, whole = codes("dhl_text"), _plain(told)
    found = table.get(whole) or table.get(_plain(_SENTENCE_ENDS.split(told, maxsplit=1)[0]))
    if found is None and whole:
        found = next((table[o] for o in _openings() if whole.startswith(f"{o} ")), None)
    return found


def division_code(told: str, service: str) -> Code | None:
    """What a division's own code says; None where no table has it."""
    division, word = service.casefold(), told.upper()
    table = {"": "mydhl_event", "express": "mydhl_event", "parcel-pl": "dhl_parcel_pl"}.get(division, "")
    table = "dhl_ecommerce" if division.startswith("ecommerce") else table
    found = codes(table).get(word) if table else None
    if found is None and ("_" in word or division == "parcel-nl"):
        # Of the Dutch catalogue a lone word is its category's; others write the same words as sentences.
        found = codes("dhl_parcel_nl").get(word)
    return found


def _lists_codes(division: str) -> bool:
    """Whether a short code of this division that no table has is a new one: what its text says is a guess then."""
    return division in {"", "express"} or division.startswith("ecommerce")


def read_code(event: Map, service: str) -> tuple[str, Code, bool]:
    """The raw code of an event, what it says, and whether a table has it. The division's word comes first.

    A delivery that is only in a sentence does not stand against a `statusCode` that says otherwise.
    """
    told = first_text(event.get("status"), event.get("divisionalStatus"))
    main = first_text(event.get("statusCode"), event.get("simplifiedStatus"))
    short, named = _SHORT.fullmatch(told.upper()) is not None, _NAME.fullmatch(told) is not None
    fallback = main_code(main) or main_code(told)
    found = division_code(told, service) if told else None
    if found is None and not (short and _lists_codes(service.casefold())):
        found = sentence(told) or sentence(a_text(event.get("description")))
        if found is not None and fallback is not None and _contradicts(fallback.status, found.status):
            found = None
    coded = short or named
    known = found is not None or (not coded and fallback is not None)
    return (told if coded else main or told), found or fallback or NOTHING, known


def _contradicts(main: Status, said: Status) -> bool:
    if said is Status.DELIVERED:
        return main not in {Status.DELIVERED, Status.UNKNOWN}
    return said is Status.RETURNED and main in {Status.IN_TRANSIT, Status.LABEL_CREATED}
