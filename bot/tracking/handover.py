"""From one carrier to the next (`facts/carriers.md` §7.5): the second number where only a scan's words tell it
("已转单，新单号为…"), and the delivery that was one to the next carrier and not to the buyer."""

import re
from collections.abc import Sequence
from functools import lru_cache

from msgspec.structs import replace

from bot.model.tracks import Leg, Role, Scan, Status, Track

_NUMBER = r"[\s:：【\[#]*(?!1[3-9]\d{9}(?!\d))([A-Z]{0,5}\d[A-Z0-9]{6,30})(?![A-Z0-9])"
_TOLD = re.compile(
    r"(?:(?:转单|换单|转寄|转运|转派|末端|尾程|派送)[^。；]{0,12}?单号[为是]?|[转新换]单号[为是]?"
    r"|(?i:\b(?:new|exchange|local|last[- ]mile|final[- ]mile|partner|delivery|destination|postal)"
    r"(?: \w+){0,2} (?:tracking |waybill )?"
    r"(?:number|no\.?)(?: is)?)"
    r"|(?i:\b(?:handed|transferred|tendered|passed)\b[^.;]{0,40}? (?:tracking |waybill )(?:number|no\.?)(?: is)?)"
    r"|(?i:\bnouveau numéro(?: de suivi)?|\bneue (?:sendungs|paket)nummer|\bnuevo número(?: de (?:seguimiento|guía))?"
    r"|\bnovo (?:número|código)(?: de rastreio)?|\bнов\w+ (?:трек-?)?номер))" + _NUMBER
)
_SIGNS = ("单号", "umber", "no.", "No.", "uméro", "úmero", "ummer", "ódigo", "омер")


@lru_cache(maxsize=16_384)
def number_told(text: str) -> str:
    """The other number that a text hands the parcel over to; empty where it tells none."""
    if not any(sign in text for sign in _SIGNS):
        return ""
    found = _TOLD.search(text)
    return found[1] if found and sum(c.isdigit() for c in found[1]) >= 6 else ""


def legs_told(track: Track) -> tuple[Leg, ...]:
    """The track's legs with those that its scans' words add; who carries the second is not told."""
    known = {leg.number for leg in track.legs} | {track.number}
    told = dict.fromkeys(n for scan in track.scans if (n := number_told(scan.raw_text)) and n not in known)
    if not told:
        return track.legs
    first = () if track.legs else (Leg(track.carrier, track.number, Role.FIRST_MILE),)
    return (*track.legs, *first, *(Leg("", number, Role.LAST_MILE) for number in told))


_OPEN = frozenset(Status) - {Status.UNKNOWN, Status.DELIVERED, Status.RETURNING, Status.RETURNED}
"""What a source says of a whole that it takes for not yet delivered."""


def passed_on(scans: Sequence[Scan], track: Track) -> Sequence[Scan]:
    """The track's scans, oldest first, with each delivery to the next carrier as the step of the way that it was:
    another carrier handled the parcel after it or is the last mile's, and the source, which sees both, does not call
    the whole delivered."""
    if track.status not in _OPEN or not any(s.status is Status.DELIVERED for s in scans):
        return scans
    told: list[Scan] = []
    after = {leg.carrier for leg in track.legs if leg.role is Role.LAST_MILE and leg.carrier}
    for scan in reversed(scans):
        if scan.status is Status.DELIVERED and scan.carrier and after - {scan.carrier}:
            told.append(replace(scan, status=Status.IN_TRANSIT, cause="handed_to_partner"))
            continue
        told.append(scan)
        if scan.physical and scan.known and scan.carrier and scan.status in _OPEN:
            after.add(scan.carrier)
    return told[::-1]
