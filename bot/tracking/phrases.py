"""What a scan's own words add to its code: rules in `phrases.csv`, by language.

A text names the cause of a status that a code gave, or gives an unknown code a plain, early step. It never
makes a parcel look better or worse than its code did (§6.2.5), with one exception that only takes a claim
back: "signed at the station" is ready for pickup and not delivered (§6.2.2).
"""

import csv
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, lru_cache
from importlib.resources import files

from bot.model.tracks import Scan, Status

Rule = tuple[re.Pattern[str], Status, str]


@cache
def rules() -> Mapping[Status, tuple[Rule, ...]]:
    """The rules of each status that a code can give, in the order of the file."""
    found: dict[Status, list[Rule]] = defaultdict(list)
    text = files("bot.tracking").joinpath("phrases.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        rule = (re.compile(row["pattern"], re.IGNORECASE), Status(row["to"]), row["cause"])
        found[Status(row["status"])].append(rule)
    return {status: tuple(some) for status, some in found.items()}


def refine(scan: Scan) -> Scan:
    """The scan with what its text adds; the same scan where that is nothing. Applying it twice changes nothing."""
    if scan.cause or not scan.raw_text:
        return scan
    status, cause = _read(scan.status, scan.raw_text)
    if status is scan.status and not cause:
        return scan
    physical = scan.physical and status is not Status.LABEL_CREATED
    return replace(scan, status=status, cause=cause, physical=physical)


@lru_cache(maxsize=16_384)
def _read(status: Status, text: str) -> tuple[Status, str]:
    for pattern, to, cause in rules().get(status, ()):
        if pattern.search(text):
            return to, cause
    return status, ""
