"""A source's code tables: what each of its codes means in the one vocabulary, read from CSV beside its adapter.

Columns: code, status, cause, meaning (the carrier's own words, in brief), where (the document it stands in);
optionally `physical` ("no" for data-only events) and `voids` (the code of the event this one takes back).
"""

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from msgspec import Struct
from msgspec.structs import replace

from bot.model.tracks import Status


class Code(Struct, frozen=True):
    """What one code says. `physical` is False where nobody had the parcel in hand."""

    status: Status
    cause: str = ""
    physical: bool = True
    voids: str = ""


NOTHING = Code(Status.UNKNOWN)
"""What a code says that no table has; the scan's own words may say more (`bot.tracking.phrases`)."""


def by_country(code: Code, country: str, origin: str, destination: str) -> Code:
    """What clearance and arrival, said of any hub, are at the hub in this country: here or there. Where the shipment
    crosses no border, or the countries (ISO 3166 alpha-2, empty where not told) do not tell, the code as it is."""
    if not country or origin == destination:
        return code
    if code.status is Status.CUSTOMS and not code.cause:
        return replace(code, cause={origin: "export_processing", destination: "import_processing"}.get(country, ""))
    if code.cause == "hub_arrived" and origin and country == destination:
        return replace(code, status=Status.ARRIVED_DESTINATION, cause="")
    return code


def rows(name: str) -> list[dict[str, str]]:
    """The rows of `adapters/carriers/<name>.csv`."""
    text = files("adapters.carriers").joinpath(f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def codes(name: str) -> Mapping[str, Code]:
    """The codes of `adapters/carriers/<name>.csv`, as they are written there."""
    return {
        row["code"]: Code(
            Status(row["status"]),
            row["cause"],
            row.get("physical") != "no" and row["status"] != Status.LABEL_CREATED,
            row.get("voids") or "",
        )
        for row in rows(name)
    }
