"""What a scan's own words add to its code: rules in `phrases.csv`, by language.

A text names the cause of a status that a code gave, or says which step of the way an unknown code or a bare
"in transit" was. It never makes a parcel delivered, returned or lost, which only a code can (§6.2.5), and takes
one claim back: "signed at the station" is ready for pickup and not delivered (§6.2.2). A row without `to` is
a plan and no event: the status stays.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, lru_cache
from importlib.resources import files

from bot.model.tracks import Scan, Status
from bot.tracking.vocabulary import known

Rule = tuple[re.Pattern[str], Status, str]


@cache
def rules() -> Mapping[Status, tuple[Rule, ...]]:
    """The rules of each status that a code can give, in the order of the file."""
    found: dict[Status, list[Rule]] = defaultdict(list)
    text = files("bot.tracking").joinpath("phrases.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        pattern = re.compile(row["pattern"], re.IGNORECASE)
        for status in map(Status, row["status"].split("|")):
            found[status].append((pattern, Status(row["to"]) if row["to"] else status, row["cause"]))
    return {status: tuple(some) for status, some in found.items()}


def refine(scan: Scan) -> Scan:
    """The scan with what its text adds; the same scan where that is nothing. Applying it twice changes nothing."""
    if scan.cause:
        # A list may bring causes of its own; one that the vocabulary has not is none.
        return scan if known(scan.status, scan.cause) else refine(replace(scan, cause=""))
    if not scan.raw_text:
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
            # The step it was may have a cause that the same words name.
            return (to, cause) if cause or to is status else _read(to, text)
    return status, ""
