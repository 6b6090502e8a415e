"""Plots as SVG, drawn here: no script, no request, readable by a screen reader. Pure."""

from collections.abc import Mapping
from datetime import date, timedelta
from html import escape

WIDTH, NARROW, HEIGHT = 920, 400, 200
BAR, GAP, LABEL = 20, 8, 130


def columns(days: Mapping[date, tuple[int, int]], first: date, last: date) -> str:
    """Contacts a day: the part that the bot answered alone, and the rest upon it."""
    span = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    most = max([all_of for all_of, _ in days.values()], default=0) or 1
    step = WIDTH / max(1, len(span))
    height = HEIGHT - 28
    bars = []
    for place, day in enumerate(span):
        all_of, alone = days.get(day, (0, 0))
        tall, low = height * all_of / most, height * alone / most
        x, wide = place * step + step * 0.1, step * 0.8
        words = f"{day.day} {day:%b}: {all_of}, by the bot alone {alone}"
        bars.append(
            f'<g><title>{words}</title><rect class="rest" x="{x:.1f}" y="{height - tall:.1f}" width="{wide:.1f}" '
            f'height="{tall:.1f}"/><rect class="alone" x="{x:.1f}" y="{height - low:.1f}" width="{wide:.1f}" '
            f'height="{low:.1f}"/></g>'
        )
    ticks = "".join(
        f'<text x="{i * step + step / 2:.1f}" y="{HEIGHT - 8}">{span[i].day} {span[i]:%b}</text>'
        for i in range(0, len(span), max(1, len(span) // 7))
    )
    top = f'<text class="top" x="2" y="12">{most}</text>'
    line = f'<path class="base" d="M0 {height}H{WIDTH}"/>'
    return _svg(HEIGHT, "Questions by day", f"{line}{''.join(bars)}{ticks}{top}")


def bars(counts: Mapping[str, int], title: str) -> str:
    """Counts as bars that lie, each with its name and number; narrow enough to be read on a phone."""
    most = max(counts.values(), default=0) or 1
    rows = [
        _row(place, name.replace("_", " "), count, (NARROW - LABEL - 50) * count / most)
        for place, (name, count) in enumerate(counts.items())
    ]
    return _svg(max(1, len(counts)) * (BAR + GAP) + 4, title, "".join(rows), NARROW)


def _row(place: int, name: str, count: int, wide: float) -> str:
    y = place * (BAR + GAP) + 2
    return (
        f'<text class="name" x="{LABEL - 8}" y="{y + 15}">{escape(name)}</text>'
        f'<rect class="alone" x="{LABEL}" y="{y}" width="{wide:.1f}" height="{BAR}" rx="4"/>'
        f'<text class="count" x="{LABEL + wide + 8:.1f}" y="{y + 15}">{count}</text>'
    )


def _svg(height: int, title: str, inside: str, width: int = WIDTH) -> str:
    kind = "chart wide" if width == WIDTH else "chart"
    return (
        f'<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{inside}</svg>"
    )
