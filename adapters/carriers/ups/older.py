"""UPS's older shapes, read into those of Track v1: the Track web service (JSON, XML, SOAP) and Quantum View.

Their names begin with capitals. Where they come from: UPS Tracking XML and Web Service developer guides, and
`QuantumView.yaml` in https://github.com/UPS-API/api-documentation (MIT).
"""

from collections.abc import Iterator
from typing import Any

from bot.model.foreign import Map, a_map, a_text, first_text, maps, uncapped

WRAPPERS = ("envelope", "body")
RECORDS = ("manifest", "origin", "exception", "delivery", "generic")
"""The kinds of records in a file of Quantum View."""


def unwrapped(told: Map) -> Map:
    """An answer of the older services without its SOAP envelope, in the names of today."""
    inner = a_map(uncapped(told))
    for name in WRAPPERS:
        inner = a_map(inner.get(name)) or inner
    return inner


def status_of(status: Map) -> Map:
    """An activity's status: the XML has type and code each in an element of their own."""
    kind, code = a_map(status.get("statusType")), a_map(status.get("statusCode"))
    if not kind and not code:
        return status
    return {
        "type": first_text(kind.get("code"), status.get("type")),
        "code": first_text(code.get("code"), status.get("code")),
        "description": first_text(kind.get("description"), status.get("description"), code.get("description")),
    }


def days_of(raw: Map) -> dict[str, str]:
    """The days of a shipment or package that stand on their own, by the types of today's `deliveryDate`."""
    named = {"SDD": raw.get("scheduledDeliveryDate"), "RDD": raw.get("rescheduledDeliveryDate")}
    for detail in maps(raw.get("deliveryDetail")):
        what = a_text(a_map(detail.get("type")).get("description")).casefold()
        kind = "RDD" if "resched" in what else "SDD" if "sched" in what else ""
        named[kind] = named.get(kind) or detail.get("date")
    return {kind: day for kind, told in named.items() if kind and (day := a_text(told))}


def records(view: Map) -> Iterator[tuple[str, Map]]:
    """Each record of Quantum View with its kind; a manifest's are its packages."""
    for events in maps(a_map(view.get("quantumViewEvents")).get("subscriptionEvents")):
        for file in maps(events.get("subscriptionFile")):
            for kind in RECORDS:
                for record in maps(file.get(kind)):
                    if kind != "manifest":
                        yield kind, record
                        continue
                    yield from ((kind, {**record, **package}) for package in maps(record.get("package")))


def activity_of(kind: str, record: Map) -> dict[str, Any]:
    """A record of Quantum View as an activity of Track v1."""
    place = a_map(a_map(record.get("activityLocation")).get("addressArtifactFormat"))
    spot = a_map(record.get("deliveryLocation"))
    when = a_map(record.get("activity")) or record
    said = (a_text(record.get(name)) for name in ("statusDescription", "reasonDescription"))
    return {
        "location": {
            "address": {
                "city": place.get("politicalDivision2"),
                "stateProvince": place.get("politicalDivision1"),
                "countryCode": place.get("countryCode"),
            }
        },
        "status": {
            "type": "X" if kind == "exception" else kind,
            "code": first_text(record.get("activityType"), record.get("statusCode"), record.get("reasonCode")),
            "description": ": ".join(filter(None, said)) or spot.get("description"),
        },
        "date": first_text(when.get("date"), record.get("pickupDate")),
        "time": when.get("time"),
    }
