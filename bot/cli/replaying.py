"""`wismo replay`: an order's life on a clock of its own, and every message that would leave."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from msgspec.structs import asdict, replace

from bot.cli.session import DEFAULT, ConfigOption, complete, load, open_store, say, say_json, stop
from bot.config import Config, build
from bot.dialog.turn import Dossier
from bot.model.orders import Order, Shipment, number_key
from bot.model.tracks import Track
from bot.replay import Happening, Heard, Said, Script, Unsaid, channel_like, play
from bot.tracking.eta import Tables

_SPEED = re.compile(r"(\d+(?:\.\d+)?)\s*([mhd])/s")
_UNIT = {"m": 60.0, "h": 3600.0, "d": 86400.0}
_ALONE = {
    "shop": {
        "name": "Your shop",
        "country": "CN",
        "timezone": "Asia/Shanghai",
        "hours": {"mon-fri": "09:00-18:00"},
    }
}
"""What a script is played with where there is no config."""


def replay(
    what: Annotated[str, typer.Argument(help="An order number, or a script (YAML or JSON).")],
    begin: Annotated[str, typer.Option("--from", help="Leave out what was before: 2026-11-24 or with a time.")] = "",
    end: Annotated[str, typer.Option("--to", help="Stop there.")] = "",
    speed: Annotated[str, typer.Option(help="Play it slowly: 6h/s, 1d/s. Left out: at once.")] = "",
    channel: Annotated[str, typer.Option(help="The platform that the buyer of an order uses.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: ConfigOption = DEFAULT,
) -> None:
    """Play an order's life through the bot and list every message it would send, and every one it would not, and why.
    Nothing leaves."""
    file = Path(what)
    settings = load(config) if config.is_file() or not file.is_file() else build(_ALONE, {})
    since, until, pace = _moment(begin), _moment(end), _pace(speed)
    if since is not None and until is not None and until <= since:
        stop(f"✗ --to {end} is not after --from {begin}", 2)
    try:
        script = read_script(file) if file.is_file() else complete(_of_order(settings, what, channel))
        channel_like(script.channel)
    except ValueError as error:
        stop(f"✗ {what}: {error}", 2)

    def told(what: Said | Unsaid) -> None:
        if not as_json and (since is None or what.at >= since):
            say(_line(what))

    async def pause(by: timedelta) -> None:
        await asyncio.sleep(by.total_seconds() / pace)

    heard = complete(play(settings, script, until, told, pause if pace else None))
    if as_json:
        say_json(_plain(heard, since))


def read_script(file: Path) -> Script:
    """A script from its file; ValueError says what is wrong with it."""
    try:
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError("this cannot be read as YAML or JSON") from error
    if not isinstance(raw, dict) or not isinstance(raw.get("order"), dict):
        raise ValueError("a script has `order` (as the REST takes it, with its `number`) and `events`")  # noqa: TRY004
    order = _order(raw["order"])
    happenings = [Happening(order.placed_at or order.updated_at, order=order)]
    events = raw.get("events") or []
    if not isinstance(events, list):
        raise ValueError("events: is no list")  # noqa: TRY004
    for place, event in enumerate(events):
        happening = _happening(order, event, place)
        order = happening.order or order
        happenings.append(happening)
    return Script(tuple(happenings), str(raw.get("channel") or "whatsapp"), bool(raw.get("chat", False)))


def _order(raw: dict[str, Any]) -> Order:
    """An order in the REST's own words; `number` beside them."""
    rest = import_module("adapters.shops.rest")
    body = {k: v for k, v in raw.items() if k != "number"}
    at = body.setdefault("updated_at", body.get("placed_at"))
    if "number" not in raw or at is None:
        raise ValueError("order: needs `number` and `placed_at`")
    try:
        model = rest.OrderBody.model_validate(json.loads(json.dumps(body, default=str)))
    except ValueError as error:
        raise ValueError(f"order: {_first(error)}") from None
    order: Order = rest.order_of(str(raw["number"]), model)
    return order


def _happening(order: Order, event: object, place: int) -> Happening:
    where = f"events.{place}"
    if not isinstance(event, dict) or "at" not in event:
        raise ValueError(f"{where}: needs `at` and one of `scan`, `order`, `buyer`, `choice`")
    at = _moment(str(event["at"]))
    if at is None:
        raise ValueError(f"{where}.at: is no time")
    if isinstance(event.get("order"), dict):
        return Happening(at, order=replace(_changed(order, event["order"], at, where), updated_at=at))
    if isinstance(event.get("scan"), dict):
        return Happening(at, track=_track(order, event["scan"], at, where))
    if "buyer" in event or "choice" in event:
        return Happening(at, text=str(event.get("buyer", "")), choice=str(event.get("choice", "")))
    raise ValueError(f"{where}: needs one of `scan`, `order`, `buyer`, `choice`")


def _changed(order: Order, raw: dict[str, Any], at: datetime, where: str) -> Order:
    try:
        changed = _order({"placed_at": order.placed_at, **raw, "number": order.number, "updated_at": at})
    except ValueError as error:
        raise ValueError(f"{where}.{error}") from None
    given = {name: getattr(changed, name) for name in raw if hasattr(changed, name) and name != "number"}
    return replace(order, **given)


def _track(order: Order, raw: dict[str, Any], at: datetime, where: str) -> Track:
    rest = import_module("adapters.shops.rest")
    known = order.parcels[0] if order.parcels else None
    number = str(raw.get("number") or (known.number if known else ""))
    carrier = str(raw.get("carrier") or (known.carrier if known else ""))
    body = {k: v for k, v in raw.items() if k not in {"number", "carrier"}}
    body = {"text": str(raw.get("status", "scan")), "at": at.isoformat(), **body}
    if not number:
        raise ValueError(f"{where}.scan: needs `number`, or a parcel in the order")
    try:
        scans = rest.ScansBody.model_validate(
            {"updated_at": at.isoformat(), "scans": [json.loads(json.dumps(body, default=str))]}
        )
    except ValueError as error:
        raise ValueError(f"{where}.scan: {_first(error)}") from None
    track: Track = rest.track_of(carrier, number, scans)
    return track


def _first(error: ValueError) -> str:
    faults: list[dict[str, Any]] = getattr(error, "errors", lambda **_: [])(include_input=False, include_url=False)
    return "; ".join(f"{'.'.join(str(p) for p in f['loc'])}: {f['msg']}" for f in faults) or str(error)


async def _of_order(config: Config, number: str, channel: str) -> Script:
    """What the shop and its carriers told of a real order, as a script."""
    async with open_store(config) as store:
        found = await store.find_orders([number_key(number)])
        if len(found) != 1:
            raise ValueError("there is no such order" if not found else "several orders have this number")
        consents = await store.consents_of(found[0].buyer or 0)
        tables = await store.learned() or Tables()
    dossier = found[0]
    order = replace(dossier.order, consent=tuple(consents))
    used = channel or next(iter(config.channels), "whatsapp")
    kind = str(config.channels.get(used, {}).get("adapter", used))
    return Script(tuple(_life(dossier, order)), kind, tables=tables)


def _life(dossier: Dossier, order: Order) -> list[Happening]:
    placed = order.placed_at or order.updated_at
    begins = [p.shipped_at for p in dossier.parcels if p.shipped_at is not None]
    life = [Happening(min([placed, *begins]), order=replace(order, parcels=()))]
    sent = sorted(order.parcels or _shipments(dossier), key=lambda s: s.shipped_at or placed)
    for count, shipment in enumerate(sent, 1):
        life.append(Happening(shipment.shipped_at or placed, order=replace(order, parcels=tuple(sent[:count]))))
    for track in (p.track for p in dossier.parcels if p.track is not None):
        scans = (replace(track, scans=(scan,), eta=None) for scan in track.scans)
        life += [Happening(t.scans[0].at, track=t) for t in scans if t.scans[0].at is not None]
    return life


def _shipments(dossier: Dossier) -> tuple[Shipment, ...]:
    return tuple(Shipment(p.number, p.carrier, p.shipped_at, p.items) for p in dossier.parcels)


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        stop(f"✗ {text} is no time: write it as 2026-11-24 or 2026-11-24T15:20+08:00", 2)
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _pace(speed: str) -> float:
    """Seconds of the script's time a second."""
    if not speed:
        return 0.0
    found = _SPEED.fullmatch(speed.strip())
    if found is None or not float(found[1]):
        stop(f"✗ {speed} is no speed: write it as 6h/s or 1d/s", 2)
    return float(found[1]) * _UNIT[found[2]]


def _line(what: Said | Unsaid) -> str:
    at = f"{what.at:%Y-%m-%d %H:%M} UTC"
    if isinstance(what, Said):
        body = what.text.replace("\n", "\n" + " " * 24)
        form = f", as the approved template {what.approved}" if what.approved else ""
        buttons = f"\n{'':24}[{'] ['.join(what.choices)}]" if what.choices else ""
        return f"{at}  → {what.channel} {what.to} ({what.template}{form})\n{'':24}{body}{buttons}"
    later = f" until {what.until:%Y-%m-%d %H:%M} UTC" if what.until else ""
    return f"{at}  ✗ {what.template}: {what.rule}{later}"


def _plain(heard: Heard, since: datetime | None) -> dict[str, Any]:
    def shown(rows: list[Any]) -> list[dict[str, Any]]:
        return [
            {k: v.isoformat() if isinstance(v, datetime) else v for k, v in asdict(row).items()}
            for row in rows
            if since is None or row.at >= since
        ]

    return {"messages": shown(heard.said), "suppressed": shown(heard.unsaid)}
