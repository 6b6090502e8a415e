"""Recognising numbers: generated ones of every format are found, and what is none of them raises no alarm."""

import random
import string
from collections.abc import Callable
from functools import cache

import pytest

from bot.tracking.checksums import CHECKS
from bot.tracking.numbers import candidates, formats
from bot.tracking.recognise import normalised, recognise, suggest

D, A = string.digits, string.ascii_uppercase
AN = D + A


def digits(rng: random.Random, n: int) -> str:
    return "".join(rng.choice(D) for _ in range(n))


def passing(rng: random.Random, make: Callable[[random.Random], str], check: str) -> str:
    """A number whose check digit is right: made until it is, at most about forty times."""
    while True:
        number = make(rng)
        if not check or CHECKS[check](number):
            return number


def s10(service: str, country: str) -> Callable[[random.Random], str]:
    return lambda r: r.choice(service) + r.choice(A) + digits(r, 9) + country


FRAMED: dict[str, tuple[str, Callable[[random.Random], str], str]] = {
    "ups": ("ups", lambda r: "1Z" + "".join(r.choice(AN) for _ in range(6)) + digits(r, 10), "ups"),
    "ems": ("ems", s10("E", "CN"), "s10"),
    "china post": ("china-post", s10("RLCUV", "CN"), "s10"),
    "usps s10": ("usps", s10("RLCE", "US"), "s10"),
    "royal mail": ("royal-mail", s10("RLC", "GB"), "s10"),
    "canada post s10": ("canada-post", s10("RLC", "CA"), "s10"),
    "australia post s10": ("australia-post", s10("RLC", "AU"), "s10"),
    "deutsche post": ("deutsche-post", s10("RLC", "DE"), "s10"),
    "correios": ("correios", s10("RLN", "BR"), "s10"),
    "russian post": ("russian-post", s10("RLC", "RU"), "s10"),
    "dhl jjd": ("dhl", lambda r: "JJD" + digits(r, 18), ""),
    "dhl jd": ("dhl", lambda r: "JD" + digits(r, 18), ""),
    "dhl ecommerce": ("dhl", lambda r: "GM" + digits(r, 18), ""),
    "dhl paket": ("dhl-paket", lambda r: "00340434" + digits(r, 12), "gs1"),
    "fedex 96": ("fedex", lambda r: "96" + digits(r, 20), "gs1_14"),
    "fedex door tag": ("fedex", lambda r: "DT" + digits(r, 12), ""),
    "usps impb": ("usps", lambda r: r.choice(["92", "93", "94", "95"]) + digits(r, 20), "usps22"),
    "usps with zip": ("usps", lambda r: "420" + digits(r, 5) + "94" + digits(r, 20), "usps22"),
    "tnt gd": ("tnt", lambda r: "GD" + digits(r, 9) + "WW", "tnt"),
    "sf": ("sf", lambda r: "SF1" + digits(r, 12), ""),
    "yodel": ("yodel", lambda r: "JD" + digits(r, 16), ""),
    "ontrac": ("ontrac", lambda r: "C" + digits(r, 14), "ups_plain"),
    "lasership": ("lasership", lambda r: "LX" + digits(r, 8), ""),
    "amazon": ("amazon", lambda r: "TBA" + digits(r, 12), ""),
    "purolator": ("purolator", lambda r: "JFV" + digits(r, 9), "luhn_tail"),
    "canpar": ("canpar", lambda r: "D" + digits(r, 21), ""),
    "landmark": ("landmark", lambda r: "LTN" + digits(r, 8) + "N1", ""),
    "yunexpress": ("yunexpress", lambda r: "YT" + digits(r, 16), ""),
    "yanwen": ("yanwen", lambda r: "UD" + digits(r, 9) + "YP", ""),
    "cainiao": ("cainiao", lambda r: "LP" + digits(r, 14), ""),
    "4px": ("4px", lambda r: "4PX" + digits(r, 13) + "CN", ""),
    "speedee": ("speedee", lambda r: "SP" + digits(r, 18), ""),
    "gofo": ("gofo", lambda r: "GFUS" + digits(r, 14), ""),
}
BARE: dict[str, tuple[str, str, Callable[[random.Random], str], str]] = {
    "dhl express": ("dhl", "DHL", lambda r: digits(r, 10), "mod7"),
    "fedex 12": ("fedex", "FedEx", lambda r: digits(r, 12), "fedex12"),
    "fedex 15": ("fedex", "FedEx", lambda r: digits(r, 15), "gs1"),
    "fedex 20": ("fedex", "FedEx", lambda r: digits(r, 20), "gs1"),
    "fedex 34": ("fedex", "FedEx", lambda r: digits(r, 34), "fedex34"),
    "usps 20": ("usps", "USPS", lambda r: digits(r, 20), "gs1"),
    "tnt 9": ("tnt", "TNT", lambda r: digits(r, 9), "tnt"),
    "canada post 16": ("canada-post", "Canada Post", lambda r: digits(r, 16), "gs1"),
    "dpd 14": ("dpd", "DPD", lambda r: digits(r, 14), ""),
    "gls 11": ("gls", "GLS", lambda r: digits(r, 11), "gls"),
    "evri 16": ("evri", "Evri", lambda r: digits(r, 16), ""),
    "purolator 12": ("purolator", "Purolator", lambda r: digits(r, 12), "luhn"),
    "4px 12": ("4px", "4PX", lambda r: digits(r, 12), ""),
    "australia post": ("australia-post", "Australia Post", lambda r: "7" + digits(r, 11), ""),
}
SENTENCES = (
    "{}",
    "where is my parcel {}?",
    "Hi, order #10422 from 2026-10-03, tracking {} , my phone is +49 170 1234567",
    "我的包裹{}到哪里了",
    "посылка {} где?",
    "https://example.com/track?number={}&lang=en",
)


def top_two(text: str, number: str) -> list[str]:
    return [c.carrier for c in recognise(text) if c.number == number][:2]


@pytest.mark.parametrize("name", FRAMED)
def test_numbers_with_letters_are_found_bare_and_in_sentences(name: str) -> None:
    carrier, make, check = FRAMED[name]
    rng = random.Random(name)
    found = 0
    for n in range(60):
        number = passing(rng, make, check)
        found += carrier in top_two(SENTENCES[n % len(SENTENCES)].format(number), number)
    assert found >= 57, found


@pytest.mark.parametrize("name", BARE)
def test_bare_digits_are_found_beside_their_carriers_name(name: str) -> None:
    carrier, spoken, make, check = BARE[name]
    rng = random.Random(name)
    for text in ("{1} {0}", "tracking number {0} with {1}", "{1}单号{0}", "my parcel, {1} no. {0}, please"):
        number = passing(rng, make, check)
        assert carrier in top_two(text.format(number, spoken), number), (text, number)


def test_spaces_hyphens_and_other_scripts_digits_are_seen_through() -> None:
    for written in (
        "1Z 999 AA1 01 2345 6784",
        "1z999aa10123456784",
        "１Ｚ９９９ＡＡ１０１２３４５６７８４",
        "1Z-999-AA1-0123456784",
        "1Z999AA1\u200b0123456784",
    ):
        assert "1Z999AA10123456784" in {c.number for c in recognise(f"it is {written}, thanks")}, written
    assert normalised("٤٢") == "42"


def test_several_numbers_of_one_message_are_all_told() -> None:
    found = {c.number for c in recognise("RB123456785CN and 1Z999AA10123456784, also SF1234567890123")}
    assert found == {"RB123456785CN", "1Z999AA10123456784", "SF1234567890123"}


@cache
def innocent() -> tuple[str, ...]:
    rng = random.Random(7)

    def day() -> str:
        return f"20{rng.randint(20, 29)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"

    texts: list[str] = []
    for _ in range(400):
        texts += [
            f"my order {digits(rng, rng.randint(4, 10))} is late",
            f"order number: XB{digits(rng, 7)}",
            f"#{digits(rng, rng.randint(4, 8))}",
            f"订单号 {digits(rng, 10)}",
            f"заказ № {digits(rng, 8)}",
            f"call me on +49 1{digits(rng, 2)} {digits(rng, 7)}",
            f"my phone is 1{rng.choice('3456789')}{digits(rng, 9)}",
            f"({digits(rng, 3)}) {digits(rng, 3)}-{digits(rng, 4)}",
            f"ordered on {day()} at {rng.randint(0, 23)}:{rng.randint(10, 59)}",
            day().replace("-", ""),
            f"I paid ${digits(rng, 3)}.{digits(rng, 2)} on {rng.randint(1, 28)}/{rng.randint(1, 12)}/2026",
            digits(rng, rng.randint(4, 10)),
            f"ORD-{digits(rng, 8)}",
            f"{digits(rng, 5)} is my postcode",
        ]
    return tuple(texts)


def test_orders_phones_dates_and_prices_raise_no_alarm() -> None:
    alarms = [t for t in innocent() if recognise(t)]
    assert len(alarms) <= 0.01 * len(innocent()), alarms[:20]


def test_the_buyers_own_number_comes_first_whatever_it_looks_like() -> None:
    first = recognise("is 1234567890 here yet", mine=["123 456 7890"])[0]
    assert (first.number, first.score > 0.9) == ("1234567890", True)
    assert recognise("and FW99887766?", mine=["FW99887766"])[0].number == "FW99887766"


def test_a_failed_check_lowers_the_score_and_rejects_nothing() -> None:
    good, bad = candidates("1Z999AA10123456784")[0], candidates("1Z999AA10123456785")[0]
    assert (good.checksum, bad.checksum) == ("ok", "failed")
    assert 0 < bad.score < good.score


def test_one_slip_is_suggested_and_a_good_number_is_left_alone() -> None:
    assert "RB123456785CN" in {c.number for c in suggest("RB123465785CN")}
    assert "1Z999AA10123456784" in {c.number for c in suggest("1Z999AA1O123456784")}
    assert suggest("RB123456785CN") == ()


def test_every_formats_check_takes_every_number_of_its_form() -> None:
    for one in formats():
        assert one.weight <= 1
        if one.check is not None:
            for _, make, _ in FRAMED.values():
                one.read(make(random.Random(1)))


@pytest.mark.parametrize("text", ["", " ", "9" * 5000, "1Z" * 900, "1 " * 2000, "#-" * 900, "\u200b9", "🎁1042🎁"])
def test_odd_texts_are_read_in_peace(text: str) -> None:
    assert isinstance(recognise(text), tuple)
