"""A calibration as one page with its plots: no script, nothing fetched, fit for an e-mail."""

from collections.abc import Mapping
from html import escape

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 720, 240, 46, 14, 46
LOW, HIGH = 0.5, 1.0
STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:760px;margin:2em auto;padding:0 1em;color:#1c2733;background:#fff}
h1{font-size:1.4em}h2{font-size:1.1em;margin-top:2em}table{border-collapse:collapse;width:100%}
td,th{padding:.25em .6em;text-align:right;border-bottom:1px solid #dde3ea}td:first-child,th:first-child{text-align:left}
.grey{color:#66788a}svg{width:100%;height:auto}text{font:11px system-ui,sans-serif;fill:#44566a}
@media(prefers-color-scheme:dark){body{background:#10161d;color:#dbe4ee}td,th{border-color:#2a3643}text{fill:#9fb2c6}}
"""
HEAD = ("", "n", "80 % held", "90 % held", "days wide", "pinball", "p50 off by", "later than p90")


def page(values: Mapping[str, object]) -> str:
    """The whole page."""
    history, overall = _map(values["history"]), _map(values["overall"])
    baselines = _map(values["baselines"])
    parts = [
        "<h1>Did the delivery windows hold?</h1>",
        f"<p>{_number(history['scored'])} parcels handed over from {history['first']} to {history['last']}, each asked "
        "about with what was known before that day. A window is calibrated when the share of parcels that came inside "
        "it is near what it names; the whiskers are Wilson's 95 % intervals.</p>",
        _table({"all, at hand-over": overall, "global 60-day quantiles": _map(baselines["global_60_days"])}),
        "<h2>By month of hand-over</h2>",
        _plot(_map(values["months"])),
        "<h2>By age at asking</h2><p>Parcels still open after so many days, asked again then.</p>",
        _table({f"after {age} days": _map(row) for age, row in _map(values["ages"]).items()}),
        "<h2>By lane</h2>",
        _plot(dict(list(_map(values["lanes"]).items())[:24])),
        _table({name: _map(row) for name, row in list(_map(values["lanes"]).items())[:60]}),
        _promise(_map(baselines["promise"])),
    ]
    body = "\n".join(parts)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Calibration of delivery windows</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style><body>{body}</body></html>\n'
    )


def _map(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else escape(str(value))


def _share(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _table(rows: Mapping[str, Mapping[str, object]]) -> str:
    head = "".join(f"<th>{h}</th>" for h in HEAD)
    body = "".join(f"<tr><td>{escape(name)}</td>{_cells(row)}</tr>" for name, row in rows.items())
    return f"<table><tr>{head}</tr>{body}</table>"


def _cells(row: Mapping[str, object]) -> str:
    if not row.get("enough"):
        return f'<td>{_number(row.get("n", 0))}</td><td colspan="6" class="grey">not enough data</td>'
    shown = (
        _number(row["n"]),
        f"{_share(row['coverage80']):.1%}",
        f"{_share(row['coverage90']):.1%}",
        f"{_share(row['width80']):.1f}",
        f"{_share(row['pinball']):.3f}",
        f"{_share(row['mae_p50']):.1f} days",
        f"{_share(row['later_than_p90']):.1%}",
    )
    return "".join(f"<td>{cell}</td>" for cell in shown)


def _height(share: float) -> float:
    clipped = min(max(share, LOW), HIGH)
    return TOP + (HIGH - clipped) / (HIGH - LOW) * (HEIGHT - TOP - BOTTOM)


def _plot(rows: Mapping[str, object]) -> str:
    """Both coverages as points with whiskers, over lines at what they should be."""
    scored = {name: _map(row) for name, row in rows.items() if _map(row).get("enough")}
    if not scored:
        return '<p class="grey">Not enough data.</p>'
    step = (WIDTH - LEFT - 10) / len(scored)
    parts = [_line(level) for level in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)]
    for place, (name, row) in enumerate(scored.items()):
        x = LEFT + (place + 0.5) * step
        parts += [_point(x - 3, row, "80", "#2166ac"), _point(x + 3, row, "90", "#b2560d")]
        parts.append(
            f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 12}" transform="rotate(40 {x:.1f} {HEIGHT - BOTTOM + 12})">'
            f"{escape(name)}</text>"
        )
    said = (
        '<p class="grey"><span style="color:#2166ac">●</span> 80 % window <span style="color:#b2560d">●</span> 90 %</p>'
    )
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="share inside">{"".join(parts)}</svg>{said}'


def _line(level: float) -> str:
    y = _height(level)
    nominal = level in {0.8, 0.9}
    style = 'stroke="#7d8fa1" stroke-dasharray="5 4"' if nominal else 'stroke="#7d8fa1" stroke-opacity=".25"'
    return (
        f'<line x1="{LEFT}" x2="{WIDTH - 8}" y1="{y:.1f}" y2="{y:.1f}" {style}/>'
        f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{level:.0%}</text>'
    )


def _point(x: float, row: Mapping[str, object], which: str, colour: str) -> str:
    share, ends = _share(row[f"coverage{which}"]), row[f"coverage{which}_ci"]
    low, high = (_share(e) for e in ends) if isinstance(ends, list) else (share, share)
    title = f"<title>{share:.1%} ({low:.1%} to {high:.1%}), n {_number(row['n'])}</title>"
    return (
        f'<g stroke="{colour}" fill="{colour}">{title}'
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_height(high):.1f}" y2="{_height(low):.1f}"/>'
        f'<circle cx="{x:.1f}" cy="{_height(share):.1f}" r="3"/></g>'
    )


def _promise(promise: Mapping[str, object]) -> str:
    if not promise.get("enough"):
        return ""
    return (
        f"<h2>Beside the promised date</h2><p>The promised date was kept by {_share(promise['kept']):.1%} of "
        f"{_number(promise['n'])} parcels and lay {_share(promise['mae']):.1f} days off on average; p50 of the same "
        f"parcels lay {_share(promise['mae_p50']):.1f} days off.</p>"
    )
