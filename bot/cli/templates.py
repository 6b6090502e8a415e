"""`wismo templates`: the words that buyers read, proof-read here and approved by WhatsApp."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bot.app import App, open_app, shipped_templates
from bot.approved import Approvals, deviations
from bot.catalogue import Catalogue
from bot.cli.session import DEFAULT, ConfigOption, complain, complete, load, say, stop
from bot.errors import Refused, WismoError
from bot.model.templates import Body
from bot.ports import TemplateRegistry
from bot.proofread import faults
from bot.render import Renderer

templates = typer.Typer(no_args_is_help=True, help="The words that buyers read.")
LocaleOption = Annotated[str, typer.Option(help="Only this language, as in templates/<locale>; else all.")]
Registries = Sequence[tuple[str, TemplateRegistry]]


@templates.command()
def lint(
    folder: Annotated[Path | None, typer.Argument(help="The folder to look at; else the shipped templates.")] = None,
) -> None:
    """Render every reply in every language with all its facts and with the fewest, and name what is wrong."""
    where = folder or shipped_templates()
    found = list(faults(where))
    for fault in found:
        complain(f"✗ {fault}")
    if found:
        raise typer.Exit(1)
    say(f"✓ {where}: every reply is there in every language")


@templates.command()
def push(
    config: ConfigOption = DEFAULT,
    locale: LocaleOption = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only name what would be submitted.")] = False,
) -> None:
    """Submit to WhatsApp what it does not have yet. What it has is left as it is: `check` compares it."""
    raise typer.Exit(1 if complete(_push(config, locale, dry_run)) else 0)


async def _push(config: Path, locale: str, dry_run: bool) -> int:
    refused = 0
    async with _open(config, locale) as (app, registries):
        bodies = wanted(app.renderer, app.catalogue, locale)
        for channel, registry in registries:
            missing = await _missing(registry, bodies)
            if dry_run:
                for body in missing:
                    say(f"{body.name} {body.language}")
                say(f"{channel}: {len(missing)} of {len(bodies)} to submit")
                continue
            bad = await push_all(registry, missing)
            refused += bad
            say(f"{channel}: {len(missing) - bad} of {len(bodies)} submitted, {bad} refused")
    return refused


async def _missing(registry: TemplateRegistry, bodies: Sequence[Body]) -> list[Body]:
    there = {(t.name, t.language) for t in await registry.listed()}
    return [b for b in bodies if (b.name, b.language) not in there]


async def push_all(registry: TemplateRegistry, bodies: Sequence[Body]) -> int:
    """Submit one after the other; how many were refused, each with a complaint.

    Any other error of `bot.errors` ends it and says how far it came: the platform takes so many an hour, and what
    was taken is not submitted by the next push.
    """
    refused = 0
    for done, body in enumerate(bodies):
        try:
            await registry.submit(body)
        except Refused as error:
            refused += 1
            complain(f"✗ {body.name} {body.language}: {error}")
        except WismoError:
            complain(f"✗ {body.name} {body.language}: stopped after {done} of {len(bodies)}; push again for the rest")
            raise
    return refused


@templates.command()
def check(
    config: ConfigOption = DEFAULT,
    locale: LocaleOption = "",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for a monitor.")] = False,
) -> None:
    """Compare with what WhatsApp has: missing, worded otherwise, rejected, paused, of another category, complained of.

    Exit code 0: all can be sent as worded; 1: something is not so.
    """
    found = complete(_check(config, locale))
    if as_json:
        say(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        for row in found:
            say(f"✗ {row['channel']}: {row['name']} {row['language']}: {row['detail']}")
        say(f"{len(found)} to look at." if found else "All templates are approved as they are worded here.")
    raise typer.Exit(1 if found else 0)


async def _check(config: Path, locale: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    async with _open(config, locale) as (app, registries):
        bodies = wanted(app.renderer, app.catalogue, locale)
        for channel, registry in registries:
            found += [{"channel": channel, **asdict(d)} for d in deviations(bodies, await registry.listed())]
    return found


@asynccontextmanager
async def _open(path: Path, locale: str) -> AsyncIterator[tuple[App, Registries]]:
    """The bot and the registries of its channels; the end where there is none, or no such language."""
    async with open_app(load(path)) as app:
        found = [(name, r) for name, c in app.adapters.channels.items() if (r := c.registry()) is not None]
        if not found:
            stop("✗ channels: none has a registry of templates; set channels.whatsapp.waba_id", 2)
        if locale and locale not in app.renderer.locales:
            stop(f"✗ there are no templates in {locale}; there are: {', '.join(app.renderer.locales)}", 2)
        yield app, found


def wanted(renderer: Renderer, catalogue: Catalogue, locale: str = "") -> list[Body]:
    """Everything that is to be approved, in one language or in all, each once."""
    approvals = Approvals(renderer, catalogue)
    locales = [locale] if locale else renderer.locales
    return list({(b.name, b.language): b for one in locales for b in approvals.bodies(one)}.values())


@templates.callback()
def about() -> None:
    """The words that buyers read."""
