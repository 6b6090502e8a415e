"""DHL's words, division by division, and the envelopes in which they come; all of it written by us.

After https://developer.dhl.com/api-reference/shipment-tracking (v1.5.8), its Push (v1.2.5) and the Tracking Webhooks of
DHL eCommerce Americas (v4), whose payload is that of its Tracking API.
"""

import json
from typing import Any

import pytest

from adapters.carriers.dhl import read
from bot.model.codes import codes
from bot.model.tracks import OffsetFrom, Status, Track
from bot.tracking.phrases import refine


def event(main: str, status: Any = None, text: str = "", **more: Any) -> dict[str, Any]:
    told = {"timestamp": "2026-11-12T10:00:00+01:00", "statusCode": main, "status": status, "description": text}
    return {name: value for name, value in told.items() if value} | more


def shipment(*events: Any, service: str = "express", **more: Any) -> dict[str, Any]:
    return {"id": "1234567890", "service": service, "events": list(events)} | more


def one(body: Any) -> Track:
    (track,) = read(json.dumps(body).encode())
    return track


def means(*events: Any, service: str = "express") -> str:
    """What the first of the events says, its text read as the core does."""
    scan = refine(one({"shipments": [shipment(*events, service=service)]}).scans[-1])
    return f"{scan.status}/{scan.cause}".rstrip("/")


@pytest.mark.parametrize(
    ("service", "main", "status", "text", "said"),
    [
        # A parcel shop, a locker and a sender are not the receiver, whatever the main status is.
        ("parcel-nl", "delivered", "DELIVERED_AT_PARCELSHOP", "Afgeleverd bij ServicePoint", "pickup_ready"),
        ("parcel-nl", "delivered", "DELIVERED_AT_PARCELSTATION", "", "pickup_ready/locker"),
        ("", "delivered", "DELIVERED_AT_PARCELSHOP", "", "pickup_ready"),
        ("parcel-nl", "delivered", "DELIVERED_AT_SHIPPER", "", "returned"),
        ("parcel-nl", "delivered", "DELIVERED_AT_NEIGHBOURS", "Bezorgd bij de buren", "delivered/neighbour"),
        ("parcel-nl", "transit", "REFUSED_NOT_COLLECTED", "", "returning/unclaimed"),
        ("parcel-nl", "transit", "SOMETHING_NEW", "", "in_transit"),
        ("ecommerce-europe", "transit", "OUT_FOR_DELIVERY", "", "out_for_delivery"),
        ("ecommerce", "delivered", 600, "DELIVERED", "delivered"),
        ("ecommerce", "transit", 400, "TENDERED TO DELIVERY SERVICE PROVIDER", "in_transit/handed_to_partner"),
        ("ecommerce-apac", "delivered", "77093", "Successfully delivered", "delivered"),
        # Express gives texts where it gives no code; a place or a name may follow.
        ("express", "transit", None, "Shipment on hold", "exception/held"),
        ("express", "transit", None, "Address information needed; contact DHL", "delivery_attempted/address_problem"),
        ("express", "transit", None, "Arrived at Sort Facility  LEIPZIG - GERMANY", "in_transit/hub_arrived"),
        ("express", "transit", None, "Clearance processing complete at LEIPZIG - GERMANY", "customs/released"),
        ("express", "transit", None, "Processed for clearance at LEIPZIG - GERMANY", "customs"),
        ("express", "delivered", None, "Delivered - Signed for by : RECEPTION", "delivered"),
        ("express", "failure", None, "Returned to shipper", "returned"),
        # Paket, in English and German, a second sentence behind the first.
        (
            "parcel-de",
            "transit",
            None,
            "Die Sendung wurde in das Zustellfahrzeug geladen. Die Zustellung erfolgt voraussichtlich heute.",
            "out_for_delivery",
        ),
        (
            "parcel-de",
            "transit",
            None,
            "The shipment could not be delivered. It will be taken to the retail outlet.",
            "delivery_attempted",
        ),
        ("parcel-de", "delivered", None, "Die Sendung wurde dem Absender zugestellt.", "returned"),
        ("post-de", "unknown", "4", "Die Sendung wurde am 13.11.2026 ausgeliefert.", "unknown"),
        # A sentence alone delivers nothing against the main status.
        ("express", "transit", None, "Delivered - Signed for by : RECEPTION", "in_transit"),
        ("ecommerce", "transit", "DELIVERED", "", "in_transit"),
        ("freight", "transit", "DLV", "Delivered", "in_transit"),
        ("express", "failure", None, "Delivered", "exception"),
        ("dgf", "delivered", "POD", "Proof of Delivery", "delivered"),
        ("express", "", None, "", "unknown"),
    ],
)
def test_each_division_is_read_in_its_own_words(service: str, main: str, status: Any, text: str, said: str) -> None:
    assert means(event(main, status, text), service=service) == said


def test_a_push_may_name_its_statuses_otherwise() -> None:
    status = {"timestamp": "2026-11-12T10:00:00Z", "simplifiedStatus": "Delivered", "divisionalStatus": "OK"}
    track = one({"scope": "subscription.push", "self": "x", "shipments": [{"id": "1234567890", "status": status}]})
    assert [(s.raw_code, s.status, s.offset_from) for s in track.scans] == [
        ("OK", Status.DELIVERED, OffsetFrom.EXPLICIT)
    ]


def test_every_text_of_the_table_is_met_as_it_is_written() -> None:
    for text, code in codes("dhl_text").items():
        main = "delivered" if code.status is Status.DELIVERED else "failure"
        scan = one({"shipments": [shipment(event(main, None, text.lower()), service="parcel-de")]}).scans[0]
        assert (scan.status, scan.cause, scan.known) == (code.status, code.cause, True), text


@pytest.mark.parametrize(
    ("main", "text", "remark", "said", "means"),
    [
        ("transit", "Clearance event", "Awaiting payment of import duties", "Clearance event: Await", "duty_due"),
        ("transit", "Clearance event", "Clearance event", "Clearance event", ""),
        ("failure", "Exception", "The address is incomplete", "Exception: The address is incomplete", "address"),
        ("transit", "Processed", "Awaiting payment of import duties", "Processed", ""),
        ("delivered", "Delivered", "Left with a neighbour", "Delivered", ""),
    ],
)
def test_a_remark_says_why_of_what_went_wrong(main: str, text: str, remark: str, said: str, means: str) -> None:
    (scan,) = one({"shipments": [shipment(event(main, None, text, remark=remark))]}).scans
    assert scan.raw_text.startswith(said)
    assert refine(scan).cause == means


# ---- the whole -------------------------------------------------------------------------------------------


def test_a_status_later_than_every_event_is_one_and_else_is_none() -> None:
    old = event("transit", "WC", "With delivery courier")
    later = event("delivered", None, "Delivered", timestamp="2026-11-12T15:00:00+01:00")
    assert [s.status.value for s in one({"shipments": [shipment(old, status=later)]}).scans] == [
        "out_for_delivery",
        "delivered",
    ]
    for same in (old, event("transit", None, "x"), {"statusCode": "delivered"}, event("transit", timestamp="?")):
        assert len(one({"shipments": [shipment(old, status=same)]}).scans) == 1


@pytest.mark.parametrize(
    ("there", "cause"), [([["JD1"]], "partial"), ([["JD1"], ["JD2"]], ""), ([["JD1", "JD2"]], ""), ([None], "")]
)
def test_the_delivery_of_some_pieces_is_partial(there: list[Any], cause: str) -> None:
    events = [event("delivered", "OK", f"x{n}", pieceIds=pieces) for n, pieces in enumerate(there)]
    track = one({"shipments": [shipment(*events, details={"pieceIds": ["JD1", "JD2"]})]})
    assert {s.cause for s in track.scans} == {cause}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: {"shipments": [s]},
        lambda s: {"shipments": s},
        lambda s: [s],
        lambda s: s,
        lambda s: {"data": {"shipments": [s]}},
        lambda s: json.dumps({"shipments": [s]}),
        lambda s: {"id": "request-1", "status": "ok", "body": {"shipments": [s]}},
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-le"])
def test_a_shipment_is_found_in_any_envelope(wrap: Any, encoding: str) -> None:
    body = json.dumps(wrap(shipment(event("transit", "WC")))).encode(encoding)
    (track,) = read(body)
    assert [s.status.value for s in track.scans] == ["out_for_delivery"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"scope": "subscription.validate", "self": "x", "secret": "s"}, r"subscription \(subscription.validate\)"),
        ({"scope": "subscription.failure", "failure": {"title": "Not Found", "detail": "Gone"}}, "Gone"),
        ({"id": "r", "status": "404", "title": "Not Found", "detail": "No shipment"}, "No shipment"),
        ({"status": 429, "title": "Too many requests"}, "Too many requests"),
        ({"events": [], "status": None}, "neither"),
    ],
)
def test_what_is_no_shipment_is_one_clear_line(body: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why) as raised:
        read(json.dumps(body).encode())
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("zone", "at", "origin"),
    [
        ("ET", "2026-11-14T15:05:00+00:00", OffsetFrom.EXPLICIT),
        ("PDT", "2026-11-14T17:05:00+00:00", OffsetFrom.EXPLICIT),
        ("XX", "2026-11-14T10:05:00+00:00", OffsetFrom.UNKNOWN),
    ],
)
def test_a_package_of_ecommerce_americas_is_a_shipment(zone: str, at: str, origin: OffsetFrom) -> None:
    told = {
        "date": "2026-11-14",
        "time": "10:05:00",
        "timeZone": zone,
        "location": "Franklin, KY, US",
        "country": "US",
        "primaryEventId": 598,
        "primaryEventDescription": "OUT FOR DELIVERY",
    }
    package = {"trackingId": "9261290000000000000001", "dhlPackageId": "GM0000000000000001"}
    track = one({"packages": [{"package": package, "recipient": {"country": "US"}, "events": [told]}]})
    (scan,) = track.scans
    assert (track.number, track.destination, scan.raw_code) == ("9261290000000000000001", "US", "598")
    assert (scan.status, scan.at and scan.at.isoformat(), scan.offset_from) == (Status.OUT_FOR_DELIVERY, at, origin)


def test_an_item_of_ecommerce_asia_is_a_shipment_with_the_clock_of_the_place() -> None:
    told = [
        {"status": "77206", "description": "picked up", "dateTime": "2026-11-12 10:31:33", "timezone": "LT"}
        | {"address": {"city": "", "country": "HK"}},
        {"status": "77093", "description": "delivered", "dateTime": "2026-11-15 10:31:33", "timezone": "LT"}
        | {"address": {"city": "Sydney", "country": "AU"}},
    ]
    item = {"shipmentID": "S1", "trackingID": "5718111728440124", "consignee": {"country": "AU"}, "events": told}
    track = one({"trackItemResponse": {"hdr": {}, "bd": {"shipmentItems": [item], "responseStatus": {"code": "200"}}}})
    assert (track.number, track.destination) == ("5718111728440124", "AU")
    assert [(s.status.value, s.place.text, s.place.country, s.offset_from.value) for s in track.scans] == [
        ("accepted", "", "HK", "location"),
        ("delivered", "Sydney", "AU", "unknown"),
    ]


@pytest.mark.parametrize("phases", [False, True])
def test_a_parcel_of_the_benelux_is_a_shipment(phases: bool) -> None:
    told = [
        {"category": "DATA_RECEIVED", "status": "PRENOTIFICATION_RECEIVED", "timestamp": "2026-11-12T08:00:00Z"},
        {"category": "IN_DELIVERY", "status": "OUT_FOR_DELIVERY", "timestamp": "2026-11-13T08:00:00+01:00"},
    ]
    view = {
        "view": {"phases": [{"phase": "A", "events": told[:1]}, {"phase": "B", "events": told[1:]}, {"phase": "C"}]}
    }
    planned = {"plannedDeliveryTimeframe": "2026-11-13T13:15:00+01:00/2026-11-13T15:15:00+01:00"}
    track = one([{"barcode": "JVGL00000000000000000001"} | planned | (view if phases else {"events": told})])
    assert track.number == "JVGL00000000000000000001"
    assert track.eta is not None
    assert (track.eta.first.hour, track.eta.last.hour) == (13, 15)
    assert [(s.raw_code, s.status.value, f"{s.at:%d %H:%M}") for s in track.scans if s.at] == [
        ("PRENOTIFICATION_RECEIVED", "label_created", "12 08:00"),
        ("OUT_FOR_DELIVERY", "out_for_delivery", "13 07:00"),
    ]


@pytest.mark.parametrize(
    ("category", "means"), [("UNDERWAY", "in_transit"), ("IN_DELIVERY", "in_transit"), ("DELIVERED", "unknown")]
)
def test_a_category_of_the_benelux_speaks_where_its_status_is_new_and_never_delivers(category: str, means: str) -> None:
    told = {"category": category, "status": "WARMED_UP_7", "timestamp": "2026-11-12T08:00:00Z"}
    (scan,) = one([{"barcode": "JVGL00000000000000000001", "events": [told]}]).scans
    assert (scan.status.value, scan.raw_code, scan.known) == (means, "WARMED_UP_7", False)


# ---- divisions that answer in XML ------------------------------------------------------------------------


def paket(code: str, at: str, text: str) -> str:
    said = f'event-timestamp="{at}" event-text="{text}" event-country="Deutschland" standard-event-code="{code}"'
    return f'<data name="piece-event" {said}/>'


PAKET = (
    '<data name="piece-shipment-list" code="0"><data name="piece-shipment" piece-code="00340434161094000001" '
    'recipient-name="NOBODY" dest-country="DE" delivery-event-flag="{flag}" ruecksendung="{back}" '
    'status-timestamp="18.11.2026 10:02" status="Die Sendung wurde erfolgreich zugestellt.">{events}</data></data>'
)
"""Parcel DE Tracking; written after its page at developer.dhl.com."""
POLISH = (
    "<e:Envelope xmlns:e='u'><e:Body><r><getTrackAndTraceInfoResult><shipmentId>11111111111</shipmentId><events><item>"
    "<status>CN</status><description>Shipment arrived at DHL depot.</description><timestamp>2026-10-12 07:40:31"
    "</timestamp><terminal>WA</terminal></item></events></getTrackAndTraceInfoResult></r></e:Body></e:Envelope>"
)
"""getTrackAndTraceInfo; written after https://dhl24.com.pl/en/webapi2/doc/info/shipmentEvent.html."""


def test_paket_and_dhl_poland_are_read_in_xml() -> None:
    events = paket("PO", "18.11.2026 08:00", "Die Sendung wurde in das Zustellfahrzeug geladen.")
    (track,) = read(PAKET.format(flag="1", back="false", events=events).encode())
    assert [(s.raw_code, s.status.value, s.offset_from.value) for s in track.scans] == [
        ("PO", "out_for_delivery", "location"),
        ("delivered", "delivered", "unknown"),
    ]
    assert "NOBODY" not in repr(track)
    (back,) = read(PAKET.format(flag="1", back="true", events=events).encode())
    assert back.scans[-1].status is Status.RETURNED
    (track,) = read(POLISH.replace("<status>CN<", "<status>DOR<").encode())
    assert track.scans[0].status is Status.DELIVERED
    (track,) = read(POLISH.encode())
    assert [(s.raw_code, s.place.country, refine(s).cause) for s in track.scans] == [("CN", "PL", "hub_arrived")]
    with pytest.raises(ValueError, match="Keine Daten"):
        read(b'<data name="piece-shipment-list" code="100" error="Keine Daten gefunden"/>')


@pytest.mark.parametrize(
    ("flag", "status", "means"),
    [
        ("1", "An die Hauspost übergeben", ["out_for_delivery", "delivered", "unknown"]),
        ("0", "An die Hauspost übergeben", ["out_for_delivery", "unknown", "unknown"]),
        ("1", "Die Sendung ist da", ["out_for_delivery", "unknown", "unknown"]),
    ],
)
def test_pakets_flag_makes_the_event_of_its_status_the_delivery(flag: str, status: str, means: list[str]) -> None:
    events = paket("PO", "18.11.2026 08:00", "Die Sendung wurde in das Zustellfahrzeug geladen.")
    events += paket("ZU", "18.11.2026 10:02", "An die Hauspost übergeben") + paket(
        "ZU", "18.11.2026 10:02", "Quittiert"
    )
    told = PAKET.replace("Die Sendung wurde erfolgreich zugestellt.", status).format(flag=flag, back="", events=events)
    (track,) = read(told.encode())
    assert [s.status.value for s in sorted(track.scans, key=lambda s: (s.raw_time, s.raw_text))] == means
