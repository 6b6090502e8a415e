"""`wismo why`: the rules that decided what was said of an order, a parcel or in a message, and what was not."""

import json
from typing import Annotated

import typer

from bot.cli.session import DEFAULT, ConfigOption, complete, load, open_store, say, stop
from bot.config import Config
from bot.store.why import Why


def why(
    what: Annotated[str, typer.Argument(help="An order number, a tracking number, or a message's id.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: ConfigOption = DEFAULT,
) -> None:
    """Say why messages were sent or left out, rule by rule."""
    found = complete(_asked(load(config), what))
    if not found:
        stop(f"✗ nothing was decided about {what}: it is no order, parcel or message, or nobody was to be told")
    if as_json:
        say(json.dumps([_plain(w) for w in found], ensure_ascii=False))
        return
    for w in found:
        inputs = ", ".join(f"{k}={v}" for k, v in w.inputs.items())
        say(f"{w.at:%Y-%m-%d %H:%M} UTC  {w.about or '-'}  {w.rule}  {inputs}")


async def _asked(config: Config, what: str) -> list[Why]:
    async with open_store(config) as store:
        return await store.reasons_about(what)


def _plain(w: Why) -> dict[str, object]:
    return {"at": w.at.isoformat(), "about": w.about, "rule": w.rule, "inputs": dict(w.inputs)}
