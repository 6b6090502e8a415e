"""A forwarder's list: columns and words by their usual names in seven languages, times and encodings as spreadsheets
write them, and a line that cannot be read is named."""

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.carriers.manual import plain, read
from bot.cli.tracking import described
from bot.model.clock import Clock
from bot.model.codes import rows
from bot.model.tracks import OffsetFrom, Scan, Status
from bot.tracking.timeline import merge
from bot.tracking.vocabulary import known

RECORDED = Path(__file__).parents[2] / "recorded/carriers/manual"
NOW = Clock().now()


def only(body: bytes | str) -> Scan:
    (track,) = read(body.encode() if isinstance(body, str) else body)
    (scan,) = track.scans
    return scan


def test_a_list_becomes_a_track_a_number() -> None:
    one, two = read((RECORDED / "list.csv").read_bytes())
    assert (one.number, one.carrier) == ("FF1", "sea line")
    assert [(s.status.value, s.cause, s.offset_from) for s in one.scans] == [
        ("departed_origin", "", OffsetFrom.EXPLICIT),
        ("customs", "held", OffsetFrom.LOCATION),
    ]
    assert [(s.status.value, s.known, s.raw_text) for s in two.scans] == [("unknown", False, "flying saucer")]


HEADED = [
    ("Tracking No.,Date,Time,Status,Location,Country\nA1,2026-11-10,09:05,Delivered,Berlin,Germany\n", "utf-8"),
    ("Waybill No.|Date/Time|Milestone|Port|Country Code\nA1|2026-11-10 09:05|DELIVERED|Berlin|DE\n", "ascii"),
    ("运单号,日期,时间,状态,地点,国家\nA1,2026/11/10,9:05,已签收,柏林,德国\n", "gb18030"),
    ("单号\t时间\t节点\t城市\t国家\nA1\t2026年11月10日 上午 9:05\t妥投\t柏林\t德国\n", "utf-16"),
    ("Трек-номер;Дата;Время;Статус;Город;Страна\nA1;10.11.2026;09:05;Доставлено;Берлин;Германия\n", "cp1251"),
    ("Número de seguimiento;Fecha;Hora;Estado;Ciudad;País\nA1;2026-11-10;09:05;Entregado;Berlín;Alemania\n", "cp1252"),
    ("Código de rastreio;Data;Hora;Situação;Local;País\nA1;2026-11-10;09:05;Entregue;Berlim;Alemanha\n", "utf-8-sig"),
    ("Sendungsnummer;Datum;Uhrzeit;Ereignis;Ort;Land\nA1;10.11.2026;09:05;Zugestellt;Köln;Deutschland\n", "cp1252"),
    ("N° de suivi;Date;Heure;Statut;Lieu;Pays\nA1;2026-11-10;09:05;Livré;Cologne;Allemagne\n", "utf-16-le"),
    ("sep=;\nAWB;Date;Status;City;Country\nA1;2026-11-10 09:05;Delivered;Berlin;DEU\n", "utf-8"),
    ("Shipment list,,,,\n,,,,\nAWB,Date,Status,City,Country\nA1,2026-11-10 09:05,delivered,Berlin,DE\n", "utf-8"),
]


@pytest.mark.parametrize(("text", "encoding"), HEADED, ids=range(len(HEADED)))
def test_a_list_in_any_of_our_languages_says_the_same(text: str, encoding: str) -> None:
    scan = only(text.encode(encoding))
    assert scan.at is not None
    assert (scan.status, scan.known, scan.place.country) == (Status.DELIVERED, True, "DE")
    assert (scan.at.isoformat(), scan.offset_from) == ("2026-11-10T08:05:00+00:00", OffsetFrom.LOCATION)


@pytest.mark.parametrize(
    ("written", "zone", "at", "origin"),
    [
        ("2026-11-10T09:05:00Z", "", "2026-11-10T09:05", "explicit"),
        ("2026-11-10 09:05 (GMT+8)", "", "2026-11-10T01:05", "explicit"),
        ("2026-11-10 09:05 北京时间", "", "2026-11-10T01:05", "explicit"),
        ("2026/11/10 下午 3:20", "UTC+8", "2026-11-10T07:20", "explicit"),
        ("2026/11/10 星期二 9:05", "8", "2026-11-10T01:05", "explicit"),
        ("2026-11-10 09:05", "-0530", "2026-11-10T14:35", "explicit"),
        ("2026-11-10 09:05", "Mars", "2026-11-10T09:05", "unknown"),
        ("46336.5", "", "2026-11-10T12:00", "unknown"),
        ("46336", "", "2026-11-10T00:00", "unknown"),
        ("25/11/2026 09:05", "", "2026-11-25T09:05", "unknown"),
        ("11/25/26 9:05 PM", "", "2026-11-25T21:05", "unknown"),
        ("10.11.2026", "", "2026-11-10T00:00", "unknown"),
        ("10.11.26 9:05", "+01:00", "2026-11-10T08:05", "explicit"),
        ("1762786800", "", "2025-11-10T15:00", "explicit"),
    ],
)
def test_a_time_is_read_as_people_and_spreadsheets_write_it(written: str, zone: str, at: str, origin: str) -> None:
    scan = only(f"number;at;time zone;status\nA1;{written};{zone};delivered\n")
    assert scan.at is not None
    assert (f"{scan.at:%Y-%m-%dT%H:%M}", scan.offset_from.value) == (at, origin)


def test_a_short_date_is_read_in_the_order_of_its_column() -> None:
    (track,) = read(b"number,at,status\nA1,03/04/2026,delivered\nA1,03/25/2026,in transit\n")
    assert [f"{s.local:%m-%d}" for s in track.scans if s.local] == ["03-04", "03-25"]
    (track,) = read(b"number,at,status\nA1,03/04/2026,delivered\nA1,25/03/2026,in transit\n")
    assert [f"{s.local:%m-%d}" for s in track.scans if s.local] == ["03-25", "04-03"]


@pytest.mark.parametrize(
    ("status", "text", "means"),
    [
        ("OUT_FOR_DELIVERY", "", "out_for_delivery"),
        ("customs/held", "", "customs/held"),
        ("customs/teleported", "", "customs"),
        ("已签收 Delivered", "", "delivered"),
        ("已签收 Returned", "", "unknown"),
        ("Delivered?", "", "unknown"),
        ("not delivered", "", "delivery_attempted"),
        ("undelivered", "", "delivery_attempted"),
        ("delivered", "delivered to local carrier USPS", "in_transit/handed_to_partner"),
        ("签收", "快件已放入丰巢柜", "pickup_ready/locker"),
        ("flying saucer", "Arrived at sorting hub", "in_transit/hub_arrived"),
        ("", "Delivered", "delivered"),
        ("已签收/Delivered", "", "delivered"),
        ("delivered/attempted", "", "unknown"),
        ("Delivered/Failed", "", "unknown"),
    ],
)
def test_a_word_means_what_it_says_and_never_more(status: str, text: str, means: str) -> None:
    body = [{"Number": "A1", "Time": "2026-11-10 10:00", "Status": status, "Description": text}]
    (track,) = read(json.dumps(body, ensure_ascii=False).encode())
    told = described(merge(None, track), NOW)
    assert f"{told['status']}/{told['cause'] or ''}".rstrip("/") == means


@pytest.mark.parametrize(
    ("status", "reason", "means", "text"),
    [
        ("exception", "lost", "exception/lost", "exception"),
        ("exception", "wrong address", "exception/address", "exception (wrong address)"),
        ("Delivered", "Refused by consignee", "delivery_attempted/refused_attempt", "Delivered (Refused by consignee)"),
        ("Delivered", "Not delivered", "delivery_attempted", "Delivered (Not delivered)"),
        ("Delivered", "signed", "delivered/signed", "Delivered"),
    ],
)
def test_a_reason_in_words_of_its_own_says_more_or_takes_the_status_back(
    status: str, reason: str, means: str, text: str
) -> None:
    body = [{"Number": "A1", "Time": "2026-11-10 10:00", "Status": status, "Reason": reason}]
    (track,) = read(json.dumps(body).encode())
    assert track.scans[0].raw_text == text
    told = described(merge(None, track), NOW)
    assert f"{told['status']}/{told['cause'] or ''}".rstrip("/") == means


EVENTS = [
    {"time": "2026-11-11 10:00", "description": "Somewhere"},
    {"time": "2026-11-10 10:00", "event": "picked up"},
]


@pytest.mark.parametrize(
    "body",
    [
        {"number": "A1", "status": "delivered", "events": EVENTS},
        {"code": 0, "data": {"tracking_number": "A1", "state": "delivered", "traces": EVENTS}},
        {"data": [{"waybill": "A-1", "status": "delivered", "scans": EVENTS}]},
    ],
)
def test_the_wholes_status_is_no_scans(body: Any) -> None:
    (track,) = read(json.dumps(body).encode())
    assert (track.number, [s.status.value for s in track.scans]) == ("A1", ["accepted", "unknown"])


def test_an_end_that_is_repeated_on_every_row_is_the_wholes() -> None:
    head = b"number,status,date,event description\n"
    (track,) = read(head + b"A1,Delivered,2026-11-12,Out\nA1,Delivered,2026-11-11,Somewhere\n")
    assert track.status is Status.DELIVERED
    assert {s.status for s in track.scans} == {Status.UNKNOWN}
    (one,) = read(head + b"A1,Delivered,2026-11-12,signed by X\n")
    assert one.scans[0].status is Status.DELIVERED


@pytest.mark.parametrize("cell", ["ab-12 34", '="AB1234"', "'AB1234", "ＡＢ１２３４"])
def test_a_number_is_as_orders_hold_it(cell: str) -> None:
    (track,) = read(json.dumps([{"number": cell, "at": "2026-11-10", "status": "delivered"}]).encode())
    assert track.number == "AB1234"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"number,at,status\n,2026-10-01,delivered\n", "line 2 has no tracking number"),
        (b"number,at,status\nA1,2026-10-01,delivered\nA1,soon,delivered\n", "line 3 has no time"),
        (b"number,at,status\nA1,03/04/2026,delivered\n", "line 2: '03/04/2026' can be two days"),
        (b"number,at,status\nA1,31/02/2026,delivered\n", "line 2 has no time"),
        (b"number,at,status\n1.23457E+17,2026-10-01,delivered\n", "line 2: 1.23457E.17 was shortened"),
        (b'number,at,status\n"A1,2026-10-01,delivered\n', "line 2 has a quote that is never closed"),
        (b"number,status\nA1,delivered\n", "no column at"),
        (b"number,at,status\n", "holds no scan"),
        (b"PK\x03\x04", "this is a spreadsheet"),
        (b"<html></html>", "no column number, at, status"),
        (b'{"code": 500, "message": "x"}', "no tracking number"),
        (b'{"a":[' * 40 + b'{"number": "A1"}' + b"]}" * 40, "holds no scan"),
    ],
    ids=range(12),
)
def test_what_cannot_be_read_is_named(body: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read(body)


def test_no_word_and_no_heading_means_two_things() -> None:
    for table, column in (("manual_words", "code"), ("manual_columns", "titles")):
        every = [plain(word) for row in rows(table) for word in row[column].split("|")]
        assert len(every) == len(set(every)), sorted({w for w in every if every.count(w) > 1})
    assert all(known(Status(row["status"]), row["cause"]) for row in rows("manual_words"))
