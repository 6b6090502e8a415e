"""Second numbers that stand in a scan's words only."""

import pytest

from bot.model.tracks import Leg, OffsetFrom, Role, Scan, Status, Track
from bot.tracking.handover import legs_told, number_told
from bot.tracking.timeline import merge


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("快件已退回/转寄,新单号为: SF1000000000022", "SF1000000000022"),
        ("已转单，转单号为 LX123456785CN", "LX123456785CN"),
        ("包裹已交末端派送，单号：9400100000000000000000", "9400100000000000000000"),
        ("Handed to partner, new tracking number is 1ZWISM000300000011", "1ZWISM000300000011"),
        ("Last-mile tracking number: 00340434161094000000", "00340434161094000000"),
        ("Новый трек-номер RA123456785RU", "RA123456785RU"),
        ("Handed over to USPS, tracking no. 9400100000000000000000", "9400100000000000000000"),
        ("Destination tracking number: LX123456785DE", "LX123456785DE"),
        ("Nuevo número de guía 123456789012", "123456789012"),
        ("Flight number CA1234567 departed", ""),
        ("新单号为待定", ""),
        ("请联系快递员，电话号码13800000000", ""),
        ("正在派送，派送员：张三，电话号码13800000000", ""),
        ("末端派送单号 13800000000", ""),
        ("Flight number 747 departed", ""),
        ("Order number 10420000 picked", ""),
        ("House number missing", ""),
    ],
)
def test_a_hand_over_names_its_number(text: str, number: str) -> None:
    assert number_told(text) == number


def test_the_second_number_is_a_leg_of_its_own_and_told_once() -> None:
    text = "快件已转寄,新单号为: SF1000000000022"
    scan = Scan("648", text, "", None, None, OffsetFrom.UNKNOWN, Status.IN_TRANSIT, "rerouted")
    track = Track("sf", "SF1000000000011", (scan, scan))
    legs = (Leg("sf", "SF1000000000011", Role.FIRST_MILE), Leg("", "SF1000000000022", Role.LAST_MILE))
    assert legs_told(track) == legs
    once = merge(None, track)
    assert once.legs == legs
    assert merge(once, track) == once
