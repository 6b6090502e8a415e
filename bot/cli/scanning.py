"""`wismo scan`: staff write down by hand what a carrier or a forwarder told them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.session import DEFAULT, ConfigOption, complete, load, open_store, say, stop
from bot.cli.tracking import reader
from bot.config import Config
from bot.model.foreign import When, a_country, when
from bot.model.tracks import OffsetFrom, Place, Scan, Status, Track
from bot.tracker import news
from bot.tracking.numbers import compact
from bot.tracking.vocabulary import CAUSES, known

SOURCE = "staff"


def scan(
    number: Annotated[str, typer.Argument(help="The tracking number.")],
    said: Annotated[str, typer.Option("--status", help="What happened: a status, or status/cause (customs/held).")],
    at: Annotated[str, typer.Option(help="When: 2026-11-24T15:20, with or without +08:00. Left out: now.")] = "",
    place: Annotated[str, typer.Option(help="Where.")] = "",
    country: Annotated[str, typer.Option(help="Its country, two letters.")] = "",
    text: Annotated[str, typer.Option(help="What was said of it.")] = "",
    config: ConfigOption = DEFAULT,
) -> None:
    """Write a scan down by hand; it counts as every other does."""
    word, _, cause = said.partition("/")
    if word not in set(Status):
        stop(f"✗ there is no status {word}; there are {', '.join(Status)}", 2)
    status = Status(word)
    if not known(status, cause):
        allowed = ", ".join(c for c in CAUSES[status] if c) or "none"
        stop(f"✗ {status.value} has no cause {cause}; it has {allowed}", 2)
    if country and not a_country(country):
        stop(f"✗ {country} is no country's two letters", 2)
    moment = when(at, country=a_country(country)) if at else _now()
    if moment.at is None:
        stop(f"✗ {at} is no time: write it as 2026-11-24T15:20 or 2026-11-24T15:20+08:00", 2)
    made = Scan(
        raw_code=status.value,
        raw_text=text,
        raw_time=moment.raw_time,
        at=moment.at,
        local=moment.local,
        offset_from=moment.offset_from,
        status=status,
        cause=cause,
        place=Place(place, a_country(country)),
        physical=status is not Status.LABEL_CREATED,
        source=SOURCE,
    )
    complete(_written(load(config), compact(number), made))
    sure = "" if moment.offset_from is not OffsetFrom.UNKNOWN else "; its zone is not known: add +08:00 or --country"
    say(f"✓ {status.value} of {number} at {moment.at:%Y-%m-%d %H:%M} UTC{sure}")


def scans(
    file: Annotated[Path, typer.Argument(help="A forwarder's list as CSV or JSON.")],
    config: ConfigOption = DEFAULT,
) -> None:
    """Take over a freight forwarder's list of scans; a line that cannot be read is named and nothing is taken."""
    read = reader("manual")
    try:
        tracks = read(file.read_bytes())
    except OSError as error:
        stop(f"✗ {file} cannot be read: {error.strerror}", 2)
    except ValueError as error:
        stop(f"✗ {file.name}: {error}", 2)
    strangers = complete(_taken(load(config), tracks))
    say(f"✓ {sum(len(t.scans) for t in tracks)} scans of {len(tracks)} numbers")
    for number in strangers:
        say(f"  {number}: no order has such a parcel, so its scans were left out")
    for word in sorted({s.raw_code for t in tracks for s in t.scans if not s.known}):
        say(f"  {word}: not one of our words, so it is kept and means nothing yet")


async def _taken(config: Config, tracks: list[Track]) -> list[str]:
    async with open_store(config) as store:
        now = store.clock.now()
        strangers = [t.number for t in tracks if not await store.parcels_numbered(t.number)]
        known = [t for t in tracks if t.number not in strangers]
        await store.receive([news(t, now) for t in known])
        return strangers


def _now() -> When:
    now = datetime.now(UTC)
    return When(now.isoformat(), now, now.replace(tzinfo=None), OffsetFrom.EXPLICIT)


async def _written(config: Config, number: str, made: Scan) -> None:
    async with open_store(config) as store:
        parcels = [p for p, _ in await store.parcels_numbered(number)]
        if not parcels:
            stop(f"✗ no order has a parcel {number}")
        now = store.clock.now()
        track = Track(parcels[0].carrier, number, (made,), source=SOURCE, at=now)
        await store.receive([news(track, now)])
