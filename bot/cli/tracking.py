"""`wismo decode` and `wismo track`: what a carrier's raw words mean, and what carriers say of a number now."""

import importlib
import pkgutil
import sys
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from msgspec.structs import replace

from bot.app import open_app
from bot.cli.session import DEFAULT, ConfigOption, complain, complete, load, say, stop
from bot.config import Config
from bot.errors import describe
from bot.model.tracks import Scan, Track, TrackRef, Window
from bot.ports import TrackingSource
from bot.tracking.handover import legs_told
from bot.tracking.masking import mask
from bot.tracking.numbers import compact
from bot.tracking.phrases import refine
from bot.tracking.timeline import derive
from bot.tracking.vocabulary import action

JsonOption = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]
LARGEST = 64_000_000
"""Bytes that a packed body is let grow to."""
Read = Callable[[bytes], list[Track]]


def decode(
    source: Annotated[str, typer.Argument(help="The carrier or aggregator whose words these are.")],
    file: Annotated[Path, typer.Argument(help="A raw response or webhook body. - is stdin.")],
    as_json: JsonOption = False,
) -> None:
    """Say what a carrier's raw response or webhook body means. Exit code 2: it cannot be read as that source's."""
    read = reader(source)
    try:
        body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        stop(f"✗ {file} cannot be read: {error.strerror}", 2)
    body = _unpacked(body)
    now = datetime.now(UTC)
    try:
        tracks = [_refined(track) for track in read(body)]
        told = msgspec.json.encode([described(track, now) for track in tracks])
    except ValueError as error:
        # What a body says of itself may be long and of several lines.
        stop(f"✗ {' '.join(str(error).split())[:300]}", 2)
    except Exception as error:
        # Nobody's body may end in a traceback; that it came to this is a defect of the adapter.
        stop(f"✗ {source}: this cannot be read ({describe(error)})", 2)
    if not tracks:
        stop(f"✗ {source}: there is no shipment in this", 2)
    if as_json:
        # As bytes: JSON is UTF-8 whatever the terminal's encoding is.
        typer.echo(told if len(tracks) > 1 else told[1:-1])
        return
    for track in tracks:
        _show(track, now)


def _unpacked(body: bytes) -> bytes:
    """A body that was kept as it came over the wire may still be packed (gzip); it as it is where it cannot be read."""
    if not body.startswith(b"\x1f\x8b"):
        return body
    try:
        return zlib.decompressobj(wbits=31).decompress(body, LARGEST)
    except zlib.error:
        return body


def _sources() -> list[str]:
    return sorted(m.name for m in pkgutil.iter_modules(importlib.import_module("adapters.carriers").__path__))


def reader(source: str) -> Read:
    """How a source's raw words are read; ends the program where there is no such source."""
    name = source.strip().lower().replace("-", "_")
    if name not in _sources():
        stop(f"✗ there is no source {source}; there are {', '.join(_sources())}", 2)
    read: Read = importlib.import_module(f"adapters.carriers.{name}").read
    return read


def track(  # noqa: PLR0913, PLR0917 - the command's options
    number: Annotated[str, typer.Argument(help="The tracking number.")],
    carrier: Annotated[str, typer.Option(help="Whose number it is; else the source finds out.")] = "",
    phone: Annotated[str, typer.Option(help="The last four digits of a phone, where the carrier asks (SF).")] = "",
    postcode: Annotated[str, typer.Option(help="The recipient's postcode, where the carrier asks.")] = "",
    refresh: Annotated[bool, typer.Option(help="Have an aggregator ask the carrier now; that may cost.")] = False,
    again: Annotated[
        bool, typer.Option(help="Have an aggregator that stopped a silent number track it again; it may do so once.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT,
) -> None:
    """Ask the carriers of the config about a number, now. Exit code 1: nobody knows it."""
    ref = TrackRef(compact(number), carrier.strip().lower(), phone[-4:], postcode)
    found = complete(_asked(load(config), ref, refresh, again))
    if found is None:
        stop(f"✗ no source knows anything of {ref.number} yet")
    now, known = datetime.now(UTC), _refined(found)
    if as_json:
        typer.echo(msgspec.json.encode(described(known, now)))
    else:
        _show(known, now)


async def _asked(config: Config, ref: TrackRef, refresh: bool, again: bool) -> Track | None:
    async with open_app(config) as app:
        source: TrackingSource | None = app.worker.tracker.source_of(ref.carrier)
        if source is None:
            stop("✗ the config names no carrier to ask: see `carriers:` in config.example.yaml")
        if again and not await source.resume([ref]):
            complain(f"! {source.kind} does not track {ref.number} again: it never stopped, or was resumed before")
        return (await (source.refresh if refresh else source.track)([ref]))[0]


def _refined(track: Track) -> Track:
    """The track with what its texts say; each of the source's events stays, even one told twice."""
    return replace(track, scans=tuple(map(refine, track.scans)), legs=legs_told(track))


def described(track: Track, now: datetime) -> dict[str, Any]:
    """A track as plain values, its status derived from the whole timeline as of `now`."""
    state = derive(track, now)
    return {
        "carrier": track.carrier,
        "number": track.number,
        "status": state.status.value,
        "cause": state.cause or None,
        "action_required": action(state.status, state.cause).value,
        "eta": _window(track.eta),
        "legs": [{"carrier": leg.carrier, "number": leg.number, "role": leg.role.value} for leg in track.legs],
        "scans": [_scan(scan) for scan in track.scans],
    }


def _window(eta: Window | None) -> dict[str, str] | None:
    return {"first": eta.first.isoformat(), "last": eta.last.isoformat(), "basis": eta.basis} if eta else None


def _scan(scan: Scan) -> dict[str, Any]:
    return {
        "at_utc": scan.at.strftime("%Y-%m-%dT%H:%M:%SZ") if scan.at else None,
        "at_local": scan.local.isoformat() if scan.local else None,
        "offset_from": scan.offset_from.value,
        "status": scan.status.value,
        "cause": scan.cause or None,
        "physical": scan.physical,
        "place": _place(scan) or None,
        "raw_code": scan.raw_code,
        "raw_text": scan.raw_text,
        "raw_time": scan.raw_time,
    }


def _place(scan: Scan) -> str:
    text, country = scan.place.text, scan.place.country
    return text if not country or text.endswith(country) else f"{text}, {country}".lstrip(", ")


def _show(track: Track, now: datetime) -> None:
    told = described(track, now)
    cause = f" ({told['cause']})" if told["cause"] else ""
    say(f"{track.number}  {track.carrier or 'carrier not known'}  {told['status']}{cause}")
    if told["action_required"] != "none":
        say(f"  to act: {told['action_required']}")
    if track.eta:
        say(f"  expected {track.eta.first:%d %b} to {track.eta.last:%d %b}, says {track.eta.basis}")
    for leg in track.legs:
        say(f"  {leg.role.value.replace('_', ' ')}: {leg.carrier or 'not known'} {leg.number}")
    for scan in reversed(track.scans):
        at = f"{scan.local:%Y-%m-%d %H:%M}" if scan.local else scan.raw_time or "no time"
        cause = f"/{scan.cause}" if scan.cause else ""
        data = "" if scan.physical else " (data)"
        say(f"  {at:16}  {scan.status.value}{cause}{data}  {_place(scan)}  {mask(scan.raw_text)}".rstrip())
