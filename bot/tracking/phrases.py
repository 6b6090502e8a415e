"""What a scan's own words add to its code: rules in `phrases/<language>.csv`.

A text names the cause of a status that a code gave, or says which step of the way an unknown code or a bare
"in transit" was. It never makes a parcel delivered or lost, which only a code can (§6.2.5), and it takes one claim
back: "delivered" at a station or locker is ready for pickup (§6.2.2), to the next carrier a step of the way, to the
sender a return, and none at all where the words say so. A row without `to` is a plan and no event: the status stays.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files

from msgspec.structs import replace

from bot.model.tracks import Scan, Status
from bot.tracking.vocabulary import known

KINDS = (
    "returned",  # "delivered" to its sender
    "denied",  # says itself that it was not delivered
    "collected",  # taken out of the locker or over the counter by the buyer: delivered after all
    "counter",  # "delivered" to a counter or locker
    "handed_on",  # "delivered" to the next carrier
    "planned",  # a delivery that is still to come
    "halfway",  # "delivered" to a place on the way
    "failed",  # the delivery is said to have failed
    "locker",  # put into a locker
    "data",  # data only
    "no_event",  # a plan, and no event
    "back",  # goes back to its sender
    "door",  # what happens at the buyer's door or counter
    "customs",  # what customs does
    "step",  # a step of the way
    "exception",  # what an exception is
    "plain",  # on the way, and no more
    "cause",  # names the cause only
)
"""What a rule tells, in the order in which rules are asked, whatever their language; then as their file has them."""
_SCRIPTS = {
    "latin": re.compile("[a-z]"),
    "cyrillic": re.compile("[а-яё]"),
    "han": re.compile("[\u3040-\u30ff\u4e00-\u9fff]"),
    "hangul": re.compile("[\uac00-\ud7a3]"),
}
_WRITTEN_IN = {"ru": "cyrillic", "zh": "han", "ja": "han", "ko": "hangul"}
"""The script of a language that is not written in Latin letters."""

Rule = tuple[re.Pattern[str], Status, str]


@cache
def rules(scripts: frozenset[str] = frozenset(_SCRIPTS)) -> Mapping[Status, tuple[Rule, ...]]:
    """The rules of each status that a code can give, in the order in which they are asked; those alone that a text
    in these scripts can meet. Patterns are of small letters, as is the text that they are tried on."""
    found: dict[Status, list[Rule]] = defaultdict(list)
    rows = [row for language, row in _rows() if _WRITTEN_IN.get(language, "latin") in scripts]
    for row in sorted(rows, key=lambda row: KINDS.index(row["kind"])):
        pattern = re.compile(row["pattern"])
        for status in map(Status, row["status"].split("|")):
            found[status].append((pattern, Status(row["to"]) if row["to"] else status, row["cause"]))
    return {status: tuple(some) for status, some in found.items()}


def _rows() -> Iterator[tuple[str, dict[str, str]]]:
    tables = files("bot.tracking").joinpath("phrases").iterdir()
    for table in sorted((t for t in tables if t.name.endswith(".csv")), key=lambda t: t.name):
        for row in csv.DictReader(table.read_text(encoding="utf-8").splitlines()):
            yield table.name.removesuffix(".csv"), row


def refine(scan: Scan) -> Scan:
    """The scan with what its text adds; the same scan where that is nothing. Applying it twice changes nothing."""
    if scan.cause and not known(scan.status, scan.cause):
        # A list may bring causes of its own; one that the vocabulary has not is none.
        return refine(replace(scan, cause=""))
    if not scan.raw_text or (scan.cause and not _doubtful(scan)):
        return scan
    status, cause = _told(scan.status, scan.raw_text, scan.known or scan.status not in _PLAIN)
    if status is scan.status and (scan.cause or not cause) and not _asked_for(scan, cause):
        return scan
    physical = scan.physical and status is not Status.LABEL_CREATED
    return replace(scan, status=status, cause=cause, physical=physical)


_DIGITS = re.compile(r"[0-9]+")
_PLAIN = frozenset({Status.UNKNOWN, Status.IN_TRANSIT, Status.DELIVERY_ATTEMPTED})
_GRAVE = frozenset({Status.RETURNING, Status.EXCEPTION})
"""What a code that nobody knows does not become from `_PLAIN`, whatever its words are."""


def _doubtful(scan: Scan) -> bool:
    """Whether words can say more or less than a code that named a cause: "signed" may have been at a station, and
    customs may hold for something that somebody has to give: papers or, where a source has one code for both, duty."""
    held = scan.status is Status.CUSTOMS and scan.cause in {"held", "info_required"}
    return held or (scan.status is Status.DELIVERED and scan.cause != "collected")


def _asked_for(scan: Scan, cause: str) -> bool:
    return scan.status is Status.CUSTOMS and cause in {"info_required", "duty_due"}


@lru_cache(maxsize=16_384)
def _told(status: Status, text: str, grave: bool) -> tuple[Status, str]:
    # No rule asks for a number, and numbers are what makes two sentences of a carrier's different.
    return _read(status, _DIGITS.sub("0", text), grave)


@lru_cache(maxsize=16_384)
def _read(said: Status, text: str, grave: bool) -> tuple[Status, str]:
    text = text.lower()
    every = rules(frozenset(script for script, letters in _SCRIPTS.items() if letters.search(text)))
    status, passed = said, {said}
    while (told := _first(every.get(status, ()), text, grave)) is not None:
        to, cause = told
        if cause or to is status:
            return to, cause
        if to in passed:
            # "Not attempted, not delivered": words that lead in a circle say nothing.
            return said, ""
        # The step it was may have a cause that the same words name.
        status = to
        passed.add(to)
    return status, ""


def _first(some: Sequence[Rule], text: str, grave: bool) -> tuple[Status, str] | None:
    """Where the first rule that the text meets leads."""
    for pattern, to, cause in some:
        if (grave or to not in _GRAVE) and pattern.search(text):
            return to, cause
    return None
