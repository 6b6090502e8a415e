"""The page of an order's parcels: where each is, its way on a map, its legs and its timeline."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from html import escape
from importlib.resources import files
from itertools import groupby

from nicegui import ui

from bot.model.parcels import Parcel
from bot.pages.routemap import draw, stops
from bot.pages.timeline import Row, named, rows
from bot.tracking.standing import fence, standing
from bot.tracking.vocabulary import action

Parcels = Callable[[str], Awaitable[Sequence[Parcel]]]


async def build(number: str, parcels: Parcels, now: datetime) -> None:
    """Draw the page for one visitor."""
    ui.page_title(f"Order {number}")
    for folder, name in (("bot.pages", "phones.css"), ("bot.sandbox", "page.css"), ("bot.sandbox", "parcel.css")):
        ui.add_css(files(folder).joinpath(name).read_text(encoding="utf-8"))
    found = await parcels(number)
    with ui.element("main").classes("demo parcels"):
        ui.html(
            f'<header class="head"><h1>Order {escape(number)}</h1><a href="/">Back to the phones</a></header>',
            sanitize=False,
        )
        if not found:
            ui.html("<p>This order has no parcel yet.</p>", sanitize=False)
        for parcel in found:
            ui.html(_parcel(parcel, now), sanitize=False)


def _parcel(parcel: Parcel, now: datetime) -> str:
    track = parcel.track
    scans = standing(track, now, fence(parcel)) if track else ()
    ends = (track.origin, track.destination) if track else ("", "")
    way = " → ".join(stops(scans, *ends))
    legs = "".join(
        f"<li>{escape(leg.role.value.replace('_', ' '))}: {escape(named(leg.carrier) or 'carrier not known')} "
        f"<code>{escape(leg.number)}</code></li>"
        for leg in (track.legs if track else ())
    )
    return (
        f'<section class="card parcel"><h2>{escape(named(parcel.carrier) or "carrier not known")} '
        f"<code>{escape(parcel.number)}</code></h2>"
        f'<p class="standing {escape(parcel.status.value)}">{escape(_standing(parcel))}</p>{_facts(parcel, now)}'
        f'{draw(scans, *ends)}<p class="way">{escape(way)}</p>'
        f"{f'<ul class=legs>{legs}</ul>' if legs else ''}{_timeline(rows(parcel, now))}</section>"
    )


def _standing(parcel: Parcel) -> str:
    words = parcel.status.value.replace("_", " ")
    return f"{words}: {parcel.cause.replace('_', ' ')}" if parcel.cause else words


def _facts(parcel: Parcel, now: datetime) -> str:
    told = []
    who = action(parcel.status, parcel.cause).value
    if who != "none":
        told.append(f"The {who} has to act.")
    if parcel.eta is not None:
        eta = parcel.eta
        told.append(f"Expected {eta.first:%a %d %b} to {eta.last:%a %d %b}, says {named(eta.basis)}.")
    if parcel.checked_at is not None:
        told.append(f"As of {parcel.checked_at:%d %b %H:%M} UTC.")
    elif parcel.asked_at is None:
        told.append("No carrier was asked yet.")
    return f"<p>{escape(' '.join(told))}</p>"


def _timeline(listed: Sequence[Row]) -> str:
    days = []
    for day, some in groupby(listed, key=lambda row: row.day):
        title = f"{day:%A, %d %B %Y}" if day else "No time told"
        days.append(f"<li><h3>{title}</h3><ol>{''.join(map(_scan, some))}</ol></li>")
    return f'<ol class="timeline">{"".join(days)}</ol>' if days else "<p>No scan yet.</p>"


def _scan(row: Row) -> str:
    marks = "".join(f"<em>{escape(mark)}</em>" for mark in row.marks)
    kind = "scan" if row.counts else "scan faint"
    return (
        f'<li class="{kind}"><time>{escape(row.time) or "–"}</time><div><b>{escape(row.status)}</b>'
        f"<span>{escape(row.place)}</span><p>{escape(row.text)}</p>{marks}<small>{escape(row.carrier)}</small></div></li>"
    )
