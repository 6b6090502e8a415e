"""DHL's divisions that answer in XML, in the words of Unified: Paket's Parcel DE Tracking (attributes of nested `data`
elements, https://developer.dhl.com/api-reference/dhl-parcel-de-shipment-tracking-post-parcel-germany) and the Polish
DHL24 WebAPI (getTrackAndTraceInfo, https://dhl24.com.pl/en/webapi2/doc)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.model.foreign import Map, first_text
from bot.model.xml import Node, parse_xml

SHIPMENTS = frozenset({"piece-shipment", "pieceshipment", "piece-status-public", "piece-shipment-public"})
"""The names of the `data` that is a shipment, in the business and the public query."""
RETURNED = frozenset({"true", "1"})
DONE = {"statusCode": "delivered"}
IN_GERMAN: Mapping[str, str] = {
    "deutschland": "DE",
    "österreich": "AT",
    "schweiz": "CH",
    "frankreich": "FR",
    "niederlande": "NL",
    "belgien": "BE",
    "polen": "PL",
    "italien": "IT",
    "spanien": "ES",
    "tschechische republik": "CZ",
    "großbritannien": "GB",
    "vereinigtes königreich": "GB",
    "vereinigte staaten von amerika": "US",
    "china, volksrepublik": "CN",
    "china": "CN",
}
"""Countries as Paket writes them; the rest is told by their English names."""


def of_xml(body: bytes, who: str) -> Map:
    """The shipments of an answer, or what is wrong with it as a `detail`."""
    root = parse_xml(body, who)
    nodes = list(_nodes(root))
    shipments = [_paket(n) for n in nodes if n.name == "data" and n.told.get("name") in SHIPMENTS]
    shipments += [_polish(n) for n in nodes if n.name == "getTrackAndTraceInfoResult"]
    found = [s for s in shipments if s["id"]]
    faults = (n.text("faultstring") for n in nodes if n.name == "Fault")
    why = first_text(root.told.get("error"), root.told.get("error-text"), *faults)
    return {"shipments": found} if found else {"detail": why}


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for inner in node.inner:
        yield from _nodes(inner)


def _paket(node: Node) -> Map:
    told = node.told
    events = [n.told for n in _nodes(node) if n.told.get("name") == "piece-event"]
    delivery = _delivery(told, events)
    return {
        "id": first_text(told.get("piece-code"), told.get("searched-piece-code"), told.get("piece-identifier")),
        "service": "parcel-de",
        "origin": {"address": {"countryCode": told.get("origin-country")}},
        "destination": {"address": {"countryCode": told.get("dest-country")}},
        "events": [_paket_event(event) | (DONE if event is delivery else {}) for event in events],
        "status": _paket_status(told),
        "returnFlag": told.get("ruecksendung") in RETURNED,
    }


def _paket_status(told: Mapping[str, str]) -> Map:
    """The newest event over again, with the word whether it is delivered."""
    text = first_text(told.get("status"), told.get("short-status"))
    return {"timestamp": _status_at(told), "description": text} | (DONE if _delivered(told) else {})


def _status_at(told: Mapping[str, str]) -> str:
    return first_text(told.get("status-timestamp"), told.get("last-event-timestamp"))


def _delivered(told: Mapping[str, str]) -> bool:
    return told.get("delivery-event-flag") == "1"


def _delivery(told: Mapping[str, str], events: Sequence[Mapping[str, str]]) -> Mapping[str, str] | None:
    """The event that delivered, by the shipment's flag: the one of the status' time and, where that minute has more,
    of its words. No list has all the sentences in which Paket says it."""
    then = [e for e in events if _delivered(told) and e.get("event-timestamp") == _status_at(told)]
    said = [e for e in then if told.get("status") in {e.get("event-status"), e.get("event-text")}]
    return next(iter(said), then[0] if len(then) == 1 else None)


def _paket_event(told: Mapping[str, str]) -> dict[str, Any]:
    country = first_text(told.get("event-country"))
    return {
        "timestamp": told.get("event-timestamp"),
        "status": first_text(told.get("standard-event-code"), told.get("ice")),
        "description": first_text(told.get("event-text"), told.get("event-status"), told.get("event-short-status")),
        "location": {
            "address": {
                "addressLocality": first_text(told.get("event-location"), country),
                "countryCode": IN_GERMAN.get(country.casefold(), country),
            }
        },
    }


def _polish(node: Node) -> Map:
    return {
        "id": node.text("shipmentId"),
        "service": "parcel-pl",
        "events": [
            {
                "timestamp": event.text("timestamp"),
                "status": event.text("status"),
                "description": event.text("description"),
                "location": {"address": {"addressLocality": event.text("terminal"), "countryCode": "PL"}},
            }
            for event in node.first("events").all("item")
        ],
    }
