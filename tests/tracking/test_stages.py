"""Stages of a journey: what starts their clocks and what does not."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.model.parcels import Parcel
from bot.model.tracks import OffsetFrom, Place, Scan, Status, Track
from bot.tracking.stages import Stage, day_of, delivered_on, handed_on, moved, moves, whereabouts
from bot.tracking.standing import counted

START = datetime(2026, 10, 1, 20, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Berlin")


def scan(day: int, status: Status, country: str = "", cause: str = "", physical: bool = True) -> Scan:
    at = START + timedelta(days=day)
    place = Place(f"{country or 'somewhere'} {day}", country)
    return Scan("c", "t", "", at, None, OffsetFrom.EXPLICIT, status, cause, place, physical)


def stages(*scans: Scan) -> list[tuple[str, int]]:
    first = START.astimezone(ZONE).date()
    found = moves(scans, "CN", "DE", ZONE)
    return [(m.stage.value if m.stage else "over", (m.day - first).days) for m in found]


def test_a_journey_passes_its_stages() -> None:
    assert stages(
        scan(0, Status.LABEL_CREATED, physical=False),
        scan(1, Status.ACCEPTED, "CN"),
        scan(2, Status.IN_TRANSIT, "CN"),
        scan(3, Status.CUSTOMS, "CN", "export_processing"),
        scan(4, Status.DEPARTED_ORIGIN, "CN"),
        scan(8, Status.ARRIVED_DESTINATION, "DE"),
        scan(9, Status.CUSTOMS, "DE", "import_processing"),
        scan(11, Status.CUSTOMS, "DE", "released"),
        scan(12, Status.IN_TRANSIT, "DE"),
        scan(13, Status.OUT_FOR_DELIVERY, "DE"),
        scan(13, Status.DELIVERED, "DE"),
    ) == [
        ("label", 0),
        ("origin", 1),
        ("origin", 2),
        ("export", 3),
        ("transit", 4),
        ("destination", 8),
        ("import", 9),
        ("destination", 11),
        ("destination", 12),
        ("out_for_delivery", 13),
        ("over", 13),
    ]


def test_data_only_messages_start_no_clock_but_customs_may_open_its_stage() -> None:
    assert stages(
        scan(0, Status.ACCEPTED, "CN"),
        scan(1, Status.IN_TRANSIT, "CN", physical=False),
        scan(2, Status.ARRIVED_DESTINATION, "DE"),
        scan(3, Status.CUSTOMS, "DE", "import_processing", physical=False),
        scan(5, Status.CUSTOMS, "DE", "held", physical=False),
        scan(6, Status.LABEL_CREATED, physical=False),
    ) == [("origin", 0), ("destination", 2), ("import", 3)]


def test_a_return_ends_the_way_to_the_buyer() -> None:
    found = list(moves((scan(0, Status.ACCEPTED), scan(3, Status.RETURNING), scan(9, Status.DELIVERED)), "", "", ZONE))
    assert [m.stage for m in found] == [Stage.ORIGIN, None]
    assert delivered_on(found) is None


def test_at_home_all_the_way_is_transit() -> None:
    found = moves((scan(0, Status.ACCEPTED, "BR"), scan(1, Status.IN_TRANSIT, "BR")), "BR", "BR", ZONE)
    assert [m.stage for m in found] == [Stage.ORIGIN, Stage.TRANSIT]


def test_days_are_those_on_the_spot() -> None:
    late = scan(0, Status.ACCEPTED)
    assert day_of(late, ZoneInfo("Asia/Shanghai")) == date(2026, 10, 2)
    local = Scan("c", "t", "", START, datetime(2026, 9, 30, 23), OffsetFrom.EXPLICIT, Status.ACCEPTED)  # noqa: DTZ001
    assert day_of(local, ZONE) == date(2026, 9, 30)
    with pytest.raises(ValueError, match="no time"):
        day_of(Scan("c", "t", "", None, None, OffsetFrom.UNKNOWN, Status.ACCEPTED), ZONE)


def test_whereabouts_tell_since_when_a_stage_lasts_and_when_it_last_moved() -> None:
    scans = (scan(0, Status.ACCEPTED, "CN"), scan(4, Status.IN_TRANSIT, "DE"), scan(6, Status.IN_TRANSIT, "DE"))
    item = Parcel(1, 1, "dhl", "1", Status.IN_TRANSIT, track=Track("dhl", "1", scans, origin="CN", destination="DE"))
    steps = moved(item, counted(item, START + timedelta(days=9)), ZONE)
    found = whereabouts(item, steps, ZONE)
    assert found is not None
    assert found.stage is Stage.DESTINATION
    assert (found.entered, found.moved) == (date(2026, 10, 5), date(2026, 10, 7))
    assert found.handed == handed_on(steps) == date(2026, 10, 1)


def test_without_scans_the_sending_is_all_there_is() -> None:
    sent = Parcel(1, 1, "dhl", "1", shipped_at=START)
    found = whereabouts(sent, (), ZONE)
    assert found is not None
    assert (found.stage, found.handed) == (Stage.LABEL, None)
    assert whereabouts(Parcel(1, 1, "dhl", "1"), (), ZONE) is None
