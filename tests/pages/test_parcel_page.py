"""The parcel's page: what its rows say of a scan, and the way that the map draws."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

from msgspec.structs import replace

from bot.model.parcels import Parcel
from bot.model.tracks import OffsetFrom, Place, Scan, Status, Track
from bot.pages.routemap import draw, stops
from bot.pages.timeline import rows

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def scan(hours: int, status: Status, country: str = "CN", text: str = "step", **more: object) -> Scan:
    at = NOW + timedelta(hours=hours)
    base = Scan("c", text, "", at, at.replace(tzinfo=None), OffsetFrom.EXPLICIT, status, place=Place("Hub", country))
    return replace(base, carrier="ems", **more)


def parcel(*scans: Scan) -> Parcel:
    track = Track("ems", "EA1", tuple(scans), origin="CN", destination="DE")
    return Parcel(1, 1, "ems", "EA1", track=track, shipped_at=NOW - timedelta(days=5))


def test_scans_stand_newest_first_with_what_is_unsure_of_them() -> None:
    listed = rows(
        parcel(
            scan(-24 * 30, Status.DELIVERED, "FR", "another parcel's"),
            scan(-48, Status.LABEL_CREATED, physical=False),
            scan(-24, Status.IN_TRANSIT, offset_from=OffsetFrom.UNKNOWN),
            scan(-2, Status.IN_TRANSIT, "DE", "联系电话:13812345678", known=False),
            scan(48, Status.DELIVERED, "DE"),
        ),
        NOW,
    )
    assert [r.status for r in listed] == ["delivered", "in transit", "in transit", "label created", "delivered"]
    assert [r.marks for r in listed] == [
        ("dated ahead",),
        ("code not in our table",),
        ("zone not known, ±14 h",),
        ("data only",),
        ("before this order: another parcel's",),
    ]
    assert [r.counts for r in listed] == [False, True, True, True, False]
    assert "13812345678" not in listed[1].text


def test_a_parcel_nobody_told_of_has_no_rows_and_a_quiet_map() -> None:
    assert rows(Parcel(1, 1, "ems", "EA1"), NOW) == ()
    assert "no place is known yet" in draw(())


def test_the_way_is_the_countries_in_order_and_what_lies_ahead_is_dashed() -> None:
    scans = (scan(-9, Status.ACCEPTED), scan(-8, Status.IN_TRANSIT), scan(-5, Status.IN_TRANSIT, "AE"))
    assert stops(scans, "CN", "DE") == ("CN", "AE", "DE")
    svg = ET.fromstring(draw(scans, "CN", "DE"))
    paths = [e.get("class") for e in svg.iter() if e.tag.endswith("path")]
    assert paths == ["gone", "ahead"]
    (here,) = [e for e in svg.iter() if e.get("class") == "here"]
    assert 400 < float(here.get("cx") or 0) < 520
    assert svg.get("aria-label") == "Route: CN → AE → DE"


def test_odd_countries_draw_nothing_and_break_nothing() -> None:
    assert stops((scan(-1, Status.IN_TRANSIT, ""), scan(0, Status.IN_TRANSIT, "XX")), "", "ZZ") == ()
    ET.fromstring(draw((scan(0, Status.IN_TRANSIT, "XX"),), "<", "&"))
