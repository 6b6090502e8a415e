"""A parcel's way on a map, drawn without the internet: the world as dots, its stops joined by arcs. Pure.

The dots and a country's place are the principal cities of the time zone database (tzdata's zone.tab).
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from itertools import pairwise

from bot.model.tracks import Scan

WIDTH, HEIGHT = 720, 300
SOUTH, NORTH = -56.0, 78.0
_DEGREES = re.compile(r"([+-])(\d{2})(\d{2})(?:\d{2})?([+-])(\d{3})(\d{2})(?:\d{2})?")

Point = tuple[float, float]


@cache
def _cities() -> tuple[tuple[str, str, Point], ...]:
    """Country, city and place of every zone."""
    found = []
    for line in files("tzdata").joinpath("zoneinfo/zone.tab").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        country, where, zone, *_ = line.split("\t")
        if told := _DEGREES.match(where):
            latitude = float(told[1] + "1") * (int(told[2]) + int(told[3]) / 60)
            longitude = float(told[4] + "1") * (int(told[5]) + int(told[6]) / 60)
            found.append((country, zone.rsplit("/", 1)[-1].replace("_", " "), _placed(latitude, longitude)))
    return tuple(found)


def _placed(latitude: float, longitude: float) -> Point:
    """Where a place lies on the picture (equirectangular)."""
    height = (NORTH - max(SOUTH, min(NORTH, latitude))) / (NORTH - SOUTH) * HEIGHT
    return (longitude + 180) / 360 * WIDTH, height


@cache
def _countries() -> Mapping[str, Point]:
    places: dict[str, Point] = {}
    for country, _, point in _cities():
        places.setdefault(country, point)
    return places


def stops(scans: Sequence[Scan], origin: str = "", destination: str = "") -> tuple[str, ...]:
    """The countries a parcel passed, in order, each once in a row; ISO alpha-2. Where it is to end comes last."""
    passed = [origin, *(s.place.country for s in scans), destination]
    known = [c for c in passed if c in _countries()]
    return tuple(c for i, c in enumerate(known) if i == 0 or c != known[i - 1])


def draw(scans: Sequence[Scan], origin: str = "", destination: str = "") -> str:
    """The map as SVG. What lies ahead is dashed; the last place that was scanned is marked."""
    way = stops(scans, origin, destination)
    reached = next((s.place.country for s in reversed(scans) if s.place.country in _countries()), "")
    seen = max((i for i, c in enumerate(way) if c == reached), default=-1)
    lit = "".join(_dot(p, "on" if c in way else "off") for c, _, p in _cities())
    arcs = "".join(_arc(_countries()[a], _countries()[b], ahead=i >= seen) for i, (a, b) in enumerate(pairwise(way)))
    marks = "".join(_mark(_countries()[c], c, here=i == seen) for i, c in enumerate(way))
    title = escape(" → ".join(way)) or "no place is known yet"
    return (
        f'<svg class="routemap" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Route: {title}">'
        f"<title>{title}</title>{lit}{arcs}{marks}</svg>"
    )


def _dot(point: Point, kind: str) -> str:
    return f'<circle class="{kind}" cx="{point[0]:.1f}" cy="{point[1]:.1f}" r="1.8"/>'


def _arc(start: Point, end: Point, *, ahead: bool) -> str:
    height = min(start[1], end[1]) - abs(start[0] - end[0]) * 0.18
    middle = (start[0] + end[0]) / 2
    path = f"M{start[0]:.1f} {start[1]:.1f}Q{middle:.1f} {max(height, 4):.1f} {end[0]:.1f} {end[1]:.1f}"
    return f'<path class="{"ahead" if ahead else "gone"}" d="{path}"/>'


def _mark(point: Point, country: str, *, here: bool) -> str:
    x, y = point
    kind, size = ("here", 6) if here else ("stop", 4)
    label = f'<text x="{x:.1f}" y="{y + 9:.1f}">{escape(country)}</text>'
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{size}"/>{label}'
