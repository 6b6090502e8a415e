"""DHL's divisions that answer in JSON of their own, in the words of Unified: eCommerce Americas (Tracking API v4 and
its webhooks), eCommerce Asia (Tracking API v3: trackItemResponse) and the Benelux (Parcel Tracking: by `barcode`)."""

from collections.abc import Mapping
from datetime import UTC, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from bot.model.foreign import Map, a_map, a_moment, a_text, day_and_clock, first_text, maps

ZONES: Mapping[str, tzinfo] = {
    **dict.fromkeys(("GMT", "UTC", "Z"), UTC),
    **{f"{letter}ST": timezone(timedelta(hours=-h)) for letter, h in zip("ECMP", (5, 6, 7, 8), strict=True)},
    **{f"{letter}DT": timezone(timedelta(hours=1 - h)) for letter, h in zip("ECMP", (5, 6, 7, 8), strict=True)},
    "ET": ZoneInfo("America/New_York"),
    "CT": ZoneInfo("America/Chicago"),
    "MT": ZoneInfo("America/Denver"),
    "PT": ZoneInfo("America/Los_Angeles"),
}
"""The zones that eCommerce Americas names; elsewhere CST is China's as well."""
MAIN = {"DATA_RECEIVED": "pre-transit", "UNDERWAY": "transit", "IN_DELIVERY": "transit"}
"""What a category of the Benelux says of a status that no table has; the others could flatter."""


def of_division(part: Map) -> Map:
    """A shipment in the shape of one of these divisions as Unified would have it; empty where it has none of theirs."""
    if isinstance(part.get("package"), dict) and "events" in part:
        return _american(part)
    if "events" in part and ("trackingID" in part or "shipmentID" in part):
        return _asian(part)
    return _dutch(part) if "barcode" in part and ("events" in part or "view" in part) else {}


def _american(raw: Map) -> Map:
    package, pickup = a_map(raw.get("package")), a_map(a_map(raw.get("pickupDetail")).get("pickupAddress"))
    number = first_text(package.get("trackingId"), package.get("dhlPackageId"), package.get("packageId"))
    return {
        "id": number,
        "service": "ecommerce",
        "origin": {"address": {"countryCode": pickup.get("country")}},
        "destination": {"address": {"countryCode": a_map(raw.get("recipient")).get("country")}},
        "estimatedTimeOfDelivery": first_text(package.get("expectedDelivery"), raw.get("expectedDelivery")),
        "events": [_american_event(event) for event in maps(raw.get("events"))],
    }


def _american_event(event: Map) -> Map:
    clock = day_and_clock(event.get("date"), event.get("time"))
    moment, zone = a_moment(clock), ZONES.get(a_text(event.get("timeZone")).upper())
    if moment is not None and moment.tzinfo is None and zone is not None and "T" in clock:
        clock = moment.replace(tzinfo=zone).isoformat()
    spoken = ("primaryEventDescription", "secondaryEventDescription")
    return {
        "timestamp": clock or first_text(event.get("timestamp"), event.get("date")),
        "status": a_text(event.get("primaryEventId")) or a_text(event.get(spoken[0])),
        "description": first_text(*(event.get(name) for name in spoken)),
        "location": {
            "address": {"addressLocality": a_text(event.get("location")), "countryCode": event.get("country")}
        },
    }


def _asian(raw: Map) -> Map:
    return {
        "id": first_text(raw.get("trackingID"), raw.get("shipmentID")),
        "service": "ecommerce-apac",
        "destination": {"address": {"countryCode": a_map(raw.get("consignee")).get("country")}},
        "events": [_asian_event(event) for event in maps(raw.get("events"))],
    }


def _asian_event(event: Map) -> Map:
    """Its time is that of the place ("LT") and has no offset."""
    place = a_map(event.get("address"))
    return {
        "timestamp": event.get("dateTime"),
        "status": event.get("status"),
        "description": event.get("description"),
        "location": {"address": {"addressLocality": place.get("city"), "countryCode": place.get("country")}},
    }


def _dutch(raw: Map) -> Map:
    """Its events stand in a list of their own or in the phases of a view."""
    phases = maps(a_map(raw.get("view")).get("phases"))
    events = maps(raw.get("events")) or [event for phase in phases for event in maps(phase.get("events"))]
    begin, _, end = a_text(raw.get("plannedDeliveryTimeframe")).partition("/")
    return {
        "id": raw.get("barcode"),
        "service": "parcel-nl",
        "destination": raw.get("destination"),
        "estimatedDeliveryTimeFrame": {"estimatedFrom": begin, "estimatedThrough": end},
        "events": [{"statusCode": MAIN.get(a_text(event.get("category"))), **event} for event in events],
    }
