"""A forwarder's list: columns by their usual names, words by the table, and a line that cannot be read is named."""

from pathlib import Path

import pytest

from adapters.carriers.manual import read
from bot.model.tracks import OffsetFrom

RECORDED = Path(__file__).parents[2] / "recorded/carriers/manual"


def test_a_list_becomes_a_track_a_number() -> None:
    one, two = read((RECORDED / "list.csv").read_bytes())
    assert (one.number, one.carrier) == ("FF-1", "sea line")
    assert [(s.status.value, s.cause, s.offset_from) for s in one.scans] == [
        ("departed_origin", "", OffsetFrom.EXPLICIT),
        ("customs", "held", OffsetFrom.LOCATION),
    ]
    assert [(s.status.value, s.known, s.raw_text) for s in two.scans] == [("unknown", False, "flying saucer")]


def test_json_is_taken_too_and_chinese_columns() -> None:
    (track,) = read((RECORDED / "list.json").read_bytes())
    assert (track.number, track.scans[0].status.value) == ("FF-3", "delivered")
    (chinese,) = read("运单号;时间;状态\nAB1;2026-10-01 10:00;清关完成\n".encode("gb18030"))
    assert (chinese.scans[0].status.value, chinese.scans[0].cause) == ("customs", "released")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"number,at,status\n,2026-10-01,delivered\n", "line 2 has no tracking number"),
        (b"number,at,status\nA1,2026-10-01,delivered\nA1,soon,delivered\n", "line 3 has no time"),
        (b"number,status\nA1,delivered\n", "no column at"),
        (b"number,at,status\n", "holds no scan"),
    ],
)
def test_what_cannot_be_read_is_named(body: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read(body)
