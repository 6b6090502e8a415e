"""Recognising numbers: generated ones of every format are found, and what is none of them raises no alarm."""

import random
from collections import Counter

import pytest

from bot.tracking.numbers import candidates, formats
from bot.tracking.recognise import normalised, recognise, suggest
from tests.tracking.specimens import KINDS, NEUTRAL, SPOKEN, Kind, innocent, written

EACH = 40
AMBIGUOUS = frozenset({"sf 12", "4px 12", "ups 12", "gls 12", "australia post 12"})
"""Twelve digits without a check of their own are seven carriers': no answer without the carrier's name."""


def hits(kind: Kind, text: str, number: str) -> bool:
    return any(c.carrier in kind.carriers for c in [c for c in recognise(text) if c.number == number][:2])


def share(kind: Kind, name: str, texts: list[str]) -> float:
    """How many of a kind's numbers, written as people write them, are found with the right carrier."""
    r = random.Random(name)
    found = 0
    for _ in range(EACH):
        number = kind.make(r)
        found += hits(kind, r.choice(texts).replace("{}", written(r, number)), number)
    return found / EACH


@pytest.mark.parametrize("name", [n for n, k in KINDS.items() if k.framed or k.alone])
def test_a_number_that_says_whose_it_is_is_found_alone(name: str) -> None:
    assert share(KINDS[name], name, ["{}"]) >= 0.85


@pytest.mark.parametrize("name", [n for n, k in KINDS.items() if k.framed and n != "cainiao"])
def test_and_among_words_that_say_nothing(name: str) -> None:
    assert share(KINDS[name], name, NEUTRAL) >= 0.9


@pytest.mark.parametrize("name", sorted(set(KINDS) - AMBIGUOUS))
def test_a_word_for_tracking_is_enough_in_fifteen_languages(name: str) -> None:
    assert share(KINDS[name], name, SPOKEN) >= 0.9


@pytest.mark.parametrize("name", KINDS)
def test_the_carriers_name_settles_it(name: str) -> None:
    named = [text.replace("{}", f"{KINDS[name].spoken} {{}}") for text in SPOKEN[:8]]
    assert share(KINDS[name], name, named) >= 0.95


def test_of_all_formats_together_at_least_95_in_100_are_found() -> None:
    rates = [share(kind, f"all {name}", SPOKEN) for name, kind in KINDS.items()]
    assert sum(rates) / len(rates) >= 0.95


def test_spaces_hyphens_and_other_scripts_digits_are_seen_through() -> None:
    for spelled in (
        "1Z 999 AA1 01 2345 6784",
        "1z999aa10123456784",
        "１Ｚ９９９ＡＡ１０１２３４５６７８４",
        "1Z-999-AA1-0123456784",
        "1Z999AA1\u200b0123456784",
    ):
        assert "1Z999AA10123456784" in {c.number for c in recognise(f"it is {spelled}, thanks")}, spelled
    assert normalised("٤٢") == "42"


def test_several_numbers_of_one_message_are_all_told() -> None:
    found = {c.number for c in recognise("RB123456785CN and 1Z999AA10123456784, also SF1234567890123")}
    assert found == {"RB123456785CN", "1Z999AA10123456784", "SF1234567890123"}


def test_orders_phones_dates_and_prices_raise_no_alarm() -> None:
    asked, alarms = Counter[str](), Counter[str]()
    for kind, text in innocent(7, 25):
        asked[kind] += 1
        alarms[kind] += bool(recognise(text))
    assert sum(alarms.values()) <= 0.01 * sum(asked.values()), alarms
    assert all(alarms[kind] <= 0.015 * asked[kind] for kind in asked), alarms


@pytest.mark.parametrize(
    ("text", "number", "carrier"),
    [
        ("FedEx777777777770", "777777777770", "fedex"),
        ("AWB1234567891", "1234567891", "dhl"),
        ("q=1Z%20999%20AA1%200123456784", "1Z999AA10123456784", "ups"),
        ("mi envío 00340434798343785240 no llega", "00340434798343785240", "dhl-paket"),
        ("LX15464365 and it cost $45", "LX15464365", "lasership"),
        ("DHL 801-761-560-5", "8017615605", "dhl"),
        ("9261290000000000000013 from UPS", "9261290000000000000013", "ups"),
        ("my parcel 6739 0251 7425 0338 1673, 4 Oct", "67390251742503381673", "fedex"),
        ("parcel 7777.7777.7776 please", "777777777776", "fedex"),
        ("parcel #777777777776", "777777777776", "fedex"),
        ("it is 777777777776, it was shipped on 3 May", "777777777776", "fedex"),
        ("the parcel's number is 33213087431113", "33213087431113", "dpd"),
        ("IBAN DE89 3704 0044 0532 0130 00, parcel 777777777776", "777777777776", "fedex"),
        ("https://track.dpd.co.uk/search?reference=33213087431113&parcelId=1", "33213087431113", "dpd"),
        ("मेरा पार्सल 777777777776", "777777777776", "fedex"),
        ("GLS Sendung XHAX4HDA", "XHAX4HDA", "gls"),
        ("it's 9400-1118-9922-3197-4284-90", "9400111899223197428490", "usps"),
        ("Hey 926 129 523 527 196 862 719 6 thx", "9261295235271968627196", "fedex"),
        ("mã vận đơn 9400 1118 9922 3197 4284 90 chưa tới", "9400111899223197428490", "usps"),
        ("mi paquete es C1000-00000-00004 y no llega", "C10000000000004", "ontrac"),
        ("081-024-000-700 (FedEx)", "081024000700", "fedex"),
        ("Sendung mit DHL, Nummer 0005460604, vom 3.11.2026", "0005460604", "dhl"),
        ("my parcel 0171 2345678 is late", "01712345678", "gls"),
        ("JJD0099999999", "JJD0099999999", "dhl"),
        ("track 82 000 000 00", "8200000000", "usps"),
        ("BN12345678", "BN12345678", "ontrac"),
        ("takip no: 801-761-560-5 3 gündür aynı", "8017615605", "dhl"),
        ("Carrier: DHL\nTracking number:\n0005460604\nOrder: 10422", "0005460604", "dhl"),
        ("el paquet 777777777776 no arriba", "777777777776", "fedex"),
        ("посилка №RB123456785CN", "RB123456785CN", "china-post"),
    ],
)
def test_a_number_is_cut_out_of_what_stands_around_it(text: str, number: str, carrier: str) -> None:
    assert carrier in [c.carrier for c in recognise(text) if c.number == number][:2], recognise(text)


@pytest.mark.parametrize(
    "text",
    [
        "where is my parcel, order 123-1234567-1234567",
        "my parcel is late, order id ORD-12345678",
        "please call 5511 920473812 when my parcel comes",
        "my parcel, card 4111 1111 1111 1111",
        "4111111111111111",
        "invoice INV-2026-51072",
        "parcel for anna12345678@example.com",
        "ZIP 66742-2875",
        "tracking stopped on 2026-10-03 14:30",
        "parcel scanned 20261003143055",
        "my parcel is late, I paid from DE89 3704 0044 0532 0130 00",
        "my parcel, order PO-211-12345678901234567",
        "parcel id 550e8400-e29b-41d4-a716-446655440000",
        "my parcel for order RE202641538 is late",
        "parcel late, call 5551234567",
        "parcel seen at 52.520008, 13.404954",
        "mon colis expédié le 2025-03-07",
        "mon colis expédié le 20250307",
        "sipariş no 6962421955673947672",
        "Sendung mit Australia Post, vom 3.11.2026",
        "my parcel was scanned 24072025 in Berlin",
        "parcel not here, ring 0171 2345678",
        "배송이 멈췄어요, 주문번호 5512, 010-1234-5678",
        "kargom nerede? 0532 123 45 67",
        "delivery to Hauptstr. 5, 10115 Berlin, 07811488267",
        "the courier can reach me at 09403801713",
        "package still missing. 067-473-31-34. Thanks",
        "my parcel: 4111111111111111",
        "my parcel, paid from PL61 1090 1014 0000 0712 1981 2874 for it",
        "package https://shop.example/item/1005882295844119.html",
        "package https://shop.example/?utm_id=954768482777",
        "my parcel, version 10.0.19045.3803",
        "my parcel, CPF 509.237.808-52",
        "about the shipment / PO 4500012345",
        "package for Anna (067-094-17-70)",
        "Purchase 7509581444 - where is my package?",
        "my parcel 0000000000",
        "my parcel, passport FS5404442",
        "GLS order AB12CD34",
        "my parcel XHAX4HDA",
    ],
)
def test_what_only_looks_like_a_number_is_let_be(text: str) -> None:
    assert recognise(text) == ()


def test_the_buyers_own_number_comes_first_whatever_it_looks_like() -> None:
    first = recognise("is 1234567890 here yet", mine=["123 456 7890"])[0]
    assert (first.number, first.score > 0.9) == ("1234567890", True)
    assert recognise("and FW99887766?", mine=["FW99887766"])[0].number == "FW99887766"
    assert recognise("and fw 9988 7766 5544?", mine=["FW998877665544"])[0].number == "FW998877665544"
    assert recognise("is TBA 123456789012 mine", mine=["123456789012"])[0].number == "123456789012"
    assert recognise("is FW 998877665544 here", mine=["FW998877665544"])[0].number == "FW998877665544"


def test_a_failed_check_lowers_the_score_and_rejects_nothing() -> None:
    good, bad = candidates("1Z999AA10123456784")[0], candidates("1Z999AA10123456785")[0]
    assert (good.checksum, bad.checksum) == ("ok", "failed")
    assert 0 < bad.score < good.score


def test_one_slip_is_suggested_and_a_good_number_is_left_alone() -> None:
    assert "RB123456785CN" in {c.number for c in suggest("RB123465785CN")}
    assert "1Z999AA10123456784" in {c.number for c in suggest("1Z999AA1O123456784")}
    assert suggest("RB123456785CN") == ()


def test_one_look_finds_every_format_that_a_number_is_of() -> None:
    r = random.Random(2)
    numbers = [kind.make(r) for kind in KINDS.values() for _ in range(20)]
    numbers += ["".join(r.choice("0123456789ABCDHJKSTZ") for _ in range(r.randint(8, 24))) for _ in range(500)]
    for number in numbers:
        of = {(c.carrier, c.format) for c in candidates(number) if not c.format.startswith("S10")}
        assert of == {(f.carrier, f.name) for f in formats() if f.read(number)}


def test_every_formats_check_takes_every_number_of_its_form() -> None:
    r = random.Random(1)
    numbers = [kind.make(r) for kind in KINDS.values() for _ in range(20)]
    for one in formats():
        assert 0 < one.weight <= 1
        assert not one.pattern.groups, "a format's groups would be taken for formats"
        for number in numbers:
            one.read(number)


@pytest.mark.parametrize("text", ["", " ", "9" * 5000, "1Z" * 900, "1 " * 2000, "#-" * 900, "\u200b9", "🎁1042🎁"])
def test_odd_texts_are_read_in_peace(text: str) -> None:
    assert isinstance(recognise(text), tuple)
