"""UPS before Track v1: the Track web service as XML, SOAP and JSON, freight, and Quantum View.

Written by us after the element tables of UPS's Tracking XML and Web Service developer guides and after
`QuantumView.yaml` (https://github.com/UPS-API/api-documentation). No number or event in here was ever real.
"""

import json
from typing import Any

import pytest

from adapters.carriers.ups import read
from bot.model.tracks import OffsetFrom, Status, Track
from bot.tracking.phrases import refine


def said(track: Track) -> list[str]:
    return [f"{s.status.value}/{s.cause}".rstrip("/") for s in track.scans]


def activity(kind: str, words: str, code: str, at: str) -> str:
    return (
        "<Activity><ActivityLocation><Address><City>ANYTOWN</City><StateProvinceCode>ON</StateProvinceCode>"
        "<CountryCode>CA</CountryCode></Address><Description>FRONT DOOR</Description></ActivityLocation>"
        f"<Status><StatusType><Code>{kind}</Code><Description>{words}</Description></StatusType>"
        f"<StatusCode><Code>{code}</Code></StatusCode></Status>"
        f"<Date>{at[:8]}</Date><Time>{at[8:]}</Time></Activity>"
    )


PACKAGE = (
    "<Package><TrackingNumber>1Z12345E1512345676</TrackingNumber>"
    + activity("D", "DELIVERED", "ZZ", "20261110120000")
    + activity("I", "OUT FOR DELIVERY", "DS", "20261110080000")
    + activity("X", "CUSTOMER WAS NOT AVAILABLE ON THE FIRST ATTEMPT", "48", "20261109150000")
    + activity("D", "LOADED ON DELIVERY VEHICLE", "ZZ", "20261109070000")
    + activity("M", "BILLING INFORMATION RECEIVED", "MP", "20261106010000")
    + "</Package>"
)
SHIPMENT = (
    "<Shipment><Shipper><Address><CountryCode>US</CountryCode></Address></Shipper><ShipTo><Address><CountryCode>CA"
    f"</CountryCode></Address></ShipTo><ScheduledDeliveryDate>20261109</ScheduledDeliveryDate>{PACKAGE}</Shipment>"
)
XML = f"<?xml version='1.0'?><TrackResponse><Response/>{SHIPMENT}</TrackResponse>"
SOAP = f"<s:Envelope xmlns:s='u'><s:Header/><s:Body><TrackResponse>{SHIPMENT}</TrackResponse></s:Body></s:Envelope>"


@pytest.mark.parametrize("body", [XML.encode(), SOAP.encode(), f"\ufeff{XML}".encode(), XML.encode("utf-16")])
def test_the_xml_of_the_track_service_is_read(body: bytes) -> None:
    (track,) = read(body)
    assert (track.number, track.origin, track.destination) == ("1Z12345E1512345676", "US", "CA")
    assert said(track) == [
        "label_created/info_received",
        "unknown",
        "delivery_attempted/not_home",
        "in_transit",
        "delivered",
    ]
    assert [s.known for s in track.scans] == [True, False, True, True, False]
    assert {s.offset_from for s in track.scans} == {OffsetFrom.UNKNOWN}
    assert (track.status, track.eta) == (Status.DELIVERED, None)


@pytest.mark.parametrize(
    ("status", "means"),
    [
        ({"type": "D", "code": "ZZ", "description": "DELIVERED"}, Status.DELIVERED),
        ({"type": "D", "code": "ZZ", "description": "Delivered to sender"}, Status.UNKNOWN),
        ({"type": "D", "code": "ZZ", "description": "Not delivered"}, Status.UNKNOWN),
        ({"type": "D", "code": "ZZ", "description": "Delivered", "statusCode": "998"}, Status.UNKNOWN),
        ({"type": "X", "code": "ZZ", "description": "Delivered"}, Status.EXCEPTION),
    ],
)
def test_type_d_is_a_delivery_where_it_says_that_one_word_and_has_no_number(status: Any, means: Status) -> None:
    package = {"trackingNumber": "1Z", "activity": [{"status": status}]}
    (track,) = read(json.dumps({"trackResponse": {"shipment": [{"package": [package]}]}}).encode())
    assert track.scans[0].status is means


def test_freights_activity_stands_at_the_shipment() -> None:
    events = [
        {"ActivityLocation": {"City": "Anytown", "CountryCode": "DE"}, "Description": "Delivered", "Date": "20261122"},
        {"Description": "Loaded on trailer", "Date": "20261121", "Time": "140000"},
    ]
    due = {"Type": {"Code": "03", "Description": "Scheduled Delivery"}, "Date": "20261125"}
    shipment = {"InquiryNumber": {"Value": "123456789"}, "DeliveryDetail": [due], "Activity": events}
    (track,) = read(json.dumps({"TrackResponse": {"Shipment": shipment}}).encode())
    assert (track.number, said(track)) == ("123456789", ["unknown", "unknown"])
    assert track.scans[1].offset_from is OffsetFrom.LOCATION
    assert track.eta is not None
    assert track.eta.first.day == 25


def test_quantum_views_records_are_each_packages_timeline() -> None:
    place = {"AddressArtifactFormat": {"PoliticalDivision2": "Anytown", "CountryCode": "DE"}}
    file = {
        "Manifest": {
            "PickupDate": "20261118",
            "ScheduledDeliveryDate": "20261122",
            "Package": {"TrackingNumber": "1ZA"},
        },
        "Origin": {"TrackingNumber": "1ZA", "Date": "20261119", "Time": "203000", "ActivityLocation": place},
        "Exception": [{"TrackingNumber": "1ZA", "Date": "20261120", "Time": "203000", "StatusCode": "48"}],
        "Delivery": [{"TrackingNumber": "1ZA", "Date": "20261122", "Time": "113000"}],
        "Generic": [
            {"ActivityType": "OD", "TrackingNumber": "1ZB", "Activity": {"Date": "20261121", "Time": "070000"}},
            {"ActivityType": "SD", "TrackingNumber": "1ZB", "RescheduledDeliveryDate": "20261123"},
            {"ActivityType": "QQ", "TrackingNumber": "1ZB"},
        ],
    }
    view = {"QuantumViewEvents": {"SubscriptionEvents": {"SubscriptionFile": [file]}}}
    first, second = read(json.dumps({"QuantumViewResponse": view}).encode())
    assert said(first) == [
        "label_created/info_received",
        "in_transit/origin_facility",
        "delivery_attempted/not_home",
        "delivered",
    ]
    assert (first.scans[1].place.text, first.scans[1].offset_from) == ("Anytown, DE", OffsetFrom.LOCATION)
    assert first.eta is None
    assert sorted(said(second)) == ["out_for_delivery", "unknown", "unknown"]
    assert second.eta is not None
    assert second.eta.first.day == 23


def test_the_reason_of_an_exception_in_quantum_view_is_said() -> None:
    told = {"StatusDescription": "DELIVERY ATTEMPTED", "ReasonDescription": "THE CUSTOMER WAS NOT AVAILABLE"}
    file = {"Exception": {"TrackingNumber": "1ZA", "Date": "20261120", "Time": "203000"} | told}
    view = {"QuantumViewEvents": {"SubscriptionEvents": {"SubscriptionFile": file}}}
    (track,) = read(json.dumps({"QuantumViewResponse": view}).encode())
    assert track.scans[0].raw_text == "DELIVERY ATTEMPTED: THE CUSTOMER WAS NOT AVAILABLE"
    assert refine(track.scans[0]).cause == "not_home"


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (
            b"<TrackResponse><Response><Error><ErrorCode>151018</ErrorCode><ErrorDescription>Invalid tracking number"
            b"</ErrorDescription></Error></Response></TrackResponse>",
            "UPS: 151018 Invalid tracking number",
        ),
        (
            b'{"Fault":{"detail":{"Errors":{"ErrorDetail":{"PrimaryErrorCode":{"Code":"1","Description":"x"}}}}}}',
            "UPS: 1 x",
        ),
        (b"<html><body>busy</body></html>", "UPS: this is a web page and no answer"),
        (b'<!DOCTYPE html><html lang="en">', "UPS: this is a web page and no answer"),
        (b'{"TrackResponse":' + b"[" * 900 + b"]" * 900 + b"}", "UPS: neither an answer nor a push"),
    ],
)
def test_a_fault_of_any_age_is_one_clear_line(body: bytes, line: str) -> None:
    with pytest.raises(ValueError, match=line):
        read(body)


@pytest.mark.parametrize(
    ("warnings", "cause"),
    [
        (None, "not_found"),
        ([{"code": "TW0001", "message": "Tracking Information Not Found"}], "not_found"),
        ({"code": "TV9000", "message": "The service failed"}, ""),
    ],
)
def test_a_warning_that_a_service_failed_says_nothing_of_the_number(warnings: Any, cause: str) -> None:
    shipment = {"inquiryNumber": "1ZA", "warnings": warnings}
    (track,) = read(json.dumps({"trackResponse": {"shipment": [shipment]}}).encode())
    assert (track.status, track.cause) == (Status.UNKNOWN, cause)


def test_of_a_list_what_cannot_be_read_costs_itself_only() -> None:
    good = {"trackingNumber": "1ZA", "activityStatus": {"type": "I", "code": "OT"}}
    tracks = read(
        json.dumps(
            [good, {"activityStatus": {}}, 7, {"trackResponse": {"shipment": {"inquiryNumber": "1ZB"}}}]
        ).encode()
    )
    assert [t.number for t in tracks] == ["1ZA", "1ZB"]


def test_a_list_of_pushes_is_one_timeline_a_parcel() -> None:
    def push(number: str, code: str, clock: str, **more: str) -> dict[str, Any]:
        when = {"gmtActivityDate": "20261120", "gmtActivityTime": clock}
        return {"trackingNumber": number, "activityStatus": {"type": "I", "code": code}} | when | more

    pushes = [
        push("1ZA", "OT", "131519", scheduledDeliveryDate="20261121"),
        push("1ZB", "DP", "101500"),
        push("1ZA", "DP", "081500", scheduledDeliveryDate="20261120", alternateTrackingNumber="9" + "2" * 21),
    ]
    first, second = read(json.dumps(pushes).encode())
    assert (first.number, said(first)) == ("1ZA", ["in_transit/hub_departed", "out_for_delivery"])
    assert (first.status, second.number) == (Status.OUT_FOR_DELIVERY, "1ZB")
    assert first.eta is not None
    assert first.eta.first.day == 21
    assert [leg.carrier for leg in first.legs] == ["ups", "usps"]
