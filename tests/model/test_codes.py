"""What a hub's arrival and clearance are by its country."""

import pytest

from bot.model.codes import NOTHING, Code, by_country
from bot.model.tracks import Status

CLEARING, HELD = Code(Status.CUSTOMS), Code(Status.CUSTOMS, "held")
ARRIVED = Code(Status.IN_TRANSIT, "hub_arrived")


@pytest.mark.parametrize(
    ("code", "country", "ends", "means"),
    [
        (CLEARING, "CN", ("CN", "DE"), "customs/export_processing"),
        (CLEARING, "DE", ("CN", "DE"), "customs/import_processing"),
        (CLEARING, "BE", ("CN", "DE"), "customs/"),
        (CLEARING, "CN", ("CN", ""), "customs/export_processing"),
        (CLEARING, "DE", ("", "DE"), "customs/import_processing"),
        (CLEARING, "", ("CN", ""), "customs/"),
        (CLEARING, "", ("", "DE"), "customs/"),
        (CLEARING, "DE", ("DE", "DE"), "customs/"),
        (CLEARING, "DE", ("", ""), "customs/"),
        (HELD, "DE", ("CN", "DE"), "customs/held"),
        (ARRIVED, "DE", ("CN", "DE"), "arrived_destination/"),
        (ARRIVED, "CN", ("CN", "DE"), "in_transit/hub_arrived"),
        (ARRIVED, "DE", ("", "DE"), "in_transit/hub_arrived"),
        (ARRIVED, "", ("CN", "DE"), "in_transit/hub_arrived"),
        (ARRIVED, "", ("CN", ""), "in_transit/hub_arrived"),
        (NOTHING, "DE", ("CN", "DE"), "unknown/"),
    ],
)
def test_a_country_tells_on_which_side_of_the_border_a_hub_lies(
    code: Code, country: str, ends: tuple[str, str], means: str
) -> None:
    told = by_country(code, country, *ends)
    assert f"{told.status}/{told.cause}" == means
