"""`wismo export` and `wismo erase`: what is kept of a person, and its end."""

import re
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from bot.cli.files import write_private
from bot.cli.session import DEFAULT, ConfigOption, YesOption, complete, load, open_store, say, say_json, stop
from bot.config import Config
from bot.store import Store
from bot.store.keeping import Gone
from bot.store.vault import Vault

BuyerArgument = Annotated[str, typer.Argument(help="Id, e-mail, phone (+49...) or order number.")]


def export(
    buyer: BuyerArgument,
    config: ConfigOption = DEFAULT,
    out: Annotated[Path | None, typer.Option(help="Write to this file (readable by you alone).")] = None,
) -> None:
    """Everything that is kept of a buyer, as JSON."""
    told = complete(_export(load(config), buyer))
    if out is None:
        say_json(told, indent=2)
        return
    try:
        write_private(out, msgspec.json.format(msgspec.json.encode(told), indent=2).decode() + "\n")
    except OSError as error:
        stop(f"✗ {out} cannot be written: {error.strerror}")
    say(f"✓ written to {out}")


async def _export(config: Config, buyer: str) -> dict[str, object]:
    async with open_store(config) as store:
        return await store.export_buyer(await _one(store, buyer))


def erase(buyer: BuyerArgument, config: ConfigOption = DEFAULT, yes: YesOption = False) -> None:
    """Erase a buyer: their chats go, their orders lose name, contacts and address. It cannot be undone."""
    settings = load(config)
    number = complete(_found(settings, buyer))
    if not yes and not typer.confirm(f"Erase buyer {number} for good?"):
        stop("Nothing was erased.")
    erased = complete(_erase(settings, number))
    say(f"✓ buyer {number} is erased: {erased.rows} rows, {len(erased.files)} files")
    say("  Backups made before now still hold them; so does what the chat platforms keep on their side.")


async def _found(config: Config, buyer: str) -> int:
    async with open_store(config) as store:
        return await _one(store, buyer)


async def _erase(config: Config, buyer: int) -> Gone:
    async with open_store(config) as store:
        erased = await store.erase_buyer(buyer)
    vault = Vault(config.database.data / "media", config.database.media_bytes)
    for digest in erased.files:
        vault.forget(digest)
    return erased


async def _one(store: Store, text: str) -> int:
    for spelled in dict.fromkeys((text.strip(), re.sub(r"[\s()./-]", "", text))):
        found = await store.find_buyer(spelled)
        if found is not None:
            return found
    return stop("✗ that is no buyer, or more than one; try the e-mail, the phone with its +, or one order's number")
