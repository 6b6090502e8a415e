"""FedEx Web Services, TrackService (SOAP, as XML or turned into JSON), read into the shapes of Track v1.

Its names begin with capitals; from version 9 on a detail stands in `CompletedTrackDetails` and has a `StatusDetail`,
before that both are flat. Source: the types of FedEx's WSDL (http://fedex.com/ws/track/v9) as generated code has them.
"""

from typing import Any

from bot.model.foreign import Map, a_map, a_text, first_text, maps, uncapped

WRAPPERS = ("envelope", "body", "trackReply")
SEVERE = frozenset({"ERROR", "FAILURE"})
DATES = {
    "shipTimestamp": "SHIP",
    "estimatedDeliveryTimestamp": "ESTIMATED_DELIVERY",
    "commitmentTimestamp": "COMMITMENT",
    "appointmentDeliveryTimestamp": "APPOINTMENT_DELIVERY",
    "actualDeliveryTimestamp": "ACTUAL_DELIVERY",
}


def reply_of(told: Map) -> Map:
    """The reply within its SOAP envelope, in the names of today; empty where this is none."""
    inner = _inner(told)
    return inner if "highestSeverity" in inner or details(inner) else {}


def _inner(told: Map) -> Map:
    inner = a_map(uncapped(told))
    for name in WRAPPERS:
        inner = a_map(inner.get(name)) or inner
    return inner


def details(reply: Map) -> list[Map]:
    """The details of every number asked."""
    whole = [reply, *maps(reply.get("completedTrackDetails"))]
    return [detail for one in whole for detail in maps(one.get("trackDetails"))]


def faults(told: Map) -> list[dict[str, str]]:
    """A reply's notifications that tell of a failure, or the fault that SOAP has in its place."""
    inner = _inner(told)
    soap = [{"code": "", "message": a_text(fault.get("faultstring"))} for fault in maps(inner.get("fault"))]
    return soap + [f for notice in maps(inner.get("notifications")) if (f := fault_of(notice))]


def fault_of(notice: Map) -> dict[str, str]:
    """A notification as today's `error`; empty where it tells of none."""
    if a_text(notice.get("severity")).upper() not in SEVERE:
        return {}
    return {"code": a_text(notice.get("code")), "message": a_text(notice.get("message"))}


def result_of(detail: Map) -> dict[str, Any]:
    """A `TrackDetail` as today's track result."""
    dates = [{"type": d.get("type"), "dateTime": d.get("dateOrTimestamp")} for d in maps(detail.get("datesOrTimes"))]
    dates += [{"type": kind, "dateTime": detail.get(name)} for name, kind in DATES.items()]
    status = a_map(detail.get("statusDetail"))
    return {
        "trackingNumberInfo": {
            "trackingNumber": detail.get("trackingNumber"),
            "trackingNumberUniqueId": detail.get("trackingNumberUniqueIdentifier"),
            "carrierCode": detail.get("carrierCode"),
        },
        "error": fault_of(a_map(detail.get("notification"))),
        "latestStatusDetail": status
        or {"code": detail.get("statusCode"), "description": detail.get("statusDescription")},
        "scanEvents": [_event(event) for event in maps(detail.get("events"))],
        "dateAndTimes": dates,
        "shipperInformation": {
            "address": a_map(detail.get("shipperAddress")) or a_map(detail.get("originLocationAddress"))
        },
        "recipientInformation": {"address": a_map(detail.get("destinationAddress"))},
        "additionalTrackingInfo": {
            "packageIdentifiers": [_identifier(i) for i in maps(detail.get("otherIdentifiers"))]
        },
    }


def _event(event: Map) -> dict[str, Any]:
    return {
        "date": event.get("timestamp"),
        "eventType": event.get("eventType"),
        "eventDescription": event.get("eventDescription"),
        "exceptionCode": event.get("statusExceptionCode"),
        "exceptionDescription": event.get("statusExceptionDescription"),
        "scanLocation": event.get("address"),
    }


def _identifier(told: Map) -> dict[str, Any]:
    inner = a_map(told.get("packageIdentifier")) or told
    return {"type": inner.get("type"), "values": [first_text(inner.get("value"))]}
