"""`wismo links`: what a seller puts into the parcel or the order mail."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from bot.app import App, open_app
from bot.cli.session import DEFAULT, ConfigOption, complain, complete, load, open_store, ready, say, stop
from bot.config import Config
from bot.dialog.turn import Dossier
from bot.errors import WismoError
from bot.links import draw, draw_in_terminal, fresh_token
from bot.model.orders import number_key
from bot.store import Store
from bot.store.guessing import hashed

PICTURES = (".png", ".svg")


def links(
    order: Annotated[str, typer.Argument(help="The order's number.")],
    config: ConfigOption = DEFAULT,
    qr: Annotated[Path | None, typer.Option(help="Draw QR codes into this .png or .svg file.")] = None,
    terminal: Annotated[bool, typer.Option("--terminal", help="Draw QR codes right here.")] = False,
    revoke: Annotated[bool, typer.Option("--revoke", help="End every link of this order.")] = False,
    source: Annotated[str, typer.Option(help="Which shop it came from, where two have this number.")] = "",
) -> None:
    """Make links with which a buyer opens the chat and has proved this order."""
    if qr is not None and qr.suffix.lower() not in PICTURES:
        stop(f"✗ --qr {qr}: the name must end in one of {' '.join(PICTURES)}", 2)
    settings = load(config)
    if revoke:
        ended = complete(_revoke(settings, order, source))
        say(f"✓ {ended} links of order {order} are ended")
        return
    made = complete(_make(settings, order, source))
    for channel, link in made.items():
        say(f"{channel}: {link}")
        if terminal:
            draw_in_terminal(link, sys.stdout)
        if qr is not None:
            file = qr if len(made) == 1 else qr.with_stem(f"{qr.stem}-{channel}")
            try:
                draw(link, file)
            except OSError as error:
                stop(f"✗ {file} cannot be written: {error.strerror}")
            say(f"✓ drawn to {file}")


async def _revoke(config: Config, order: str, source: str) -> int:
    async with open_store(config) as store:
        return await store.revoke_links((await _one(store, order, source)).id)


async def _make(config: Config, order: str, source: str) -> Mapping[str, str]:
    async with open_app(config) as app:
        await ready(app.store)
        dossier = await _one(app.store, order, source)
        token = fresh_token()
        made, silent = await _deep_links(app, token)
        if not made:
            stop("✗ no link was made" if silent else "✗ no channel of the config has links; Telegram and WhatsApp do")
        await app.store.save_link(hashed(token), dossier.id)
        return made


async def _deep_links(app: App, token: str) -> tuple[dict[str, str], bool]:
    """The links by channel, and whether a channel could not say what its own is."""
    made, silent = {}, False
    for name, channel in app.adapters.channels.items():
        try:
            link = await channel.deep_link(token)
        except WismoError as error:
            complain(f"✗ {name}: {error}")
            silent = True
            continue
        if link is not None:
            made[name] = link
    return made, silent


async def _one(store: Store, order: str, source: str) -> Dossier:
    found = [d for d in await store.find_orders([number_key(order)]) if source in {"", d.order.source}]
    if not found:
        stop(f"✗ there is no order {order}")
    if len(found) > 1:
        names = ", ".join(sorted(d.order.source for d in found))
        stop(f"✗ order {order} is in several shops; add --source, one of: {names}")
    return found[0]
