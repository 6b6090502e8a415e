"""`wismo templates`: the words that buyers read, proof-read and shown here, and approved by WhatsApp."""

import importlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
import yaml
from jinja2 import TemplateError
from msgspec.structs import asdict

from bot.app import App, open_app, shipped_templates
from bot.approved import Approvals, deviations
from bot.catalogue import Catalogue, read_catalogue
from bot.cli.session import DEFAULT, ConfigOption, complain, complete, load, say, say_json, stop
from bot.errors import Refused, WismoError
from bot.model.markup import plain
from bot.model.messages import Limits, Outbound
from bot.model.templates import Body
from bot.ports import Channel, TemplateRegistry
from bot.proofread import RULES, Fault, faults
from bot.render import Renderer
from bot.specimens import read_edges, specimens

CHANNELS = ("telegram", "slack", "whatsapp")
SARIF = "https://json.schemastore.org/sarif-2.1.0.json"

templates = typer.Typer(no_args_is_help=True, help="The words that buyers read.")
FolderOption = Annotated[Path | None, typer.Option("--folder", help="A seller's folder; else the config's.")]
LocaleOption = Annotated[str, typer.Option(help="Only this language, as in templates/<locale>; else all.")]
Registries = Sequence[tuple[str, TemplateRegistry]]


@templates.command()
def lint(
    config: ConfigOption = DEFAULT,
    folder: FolderOption = None,
    sarif: Annotated[Path | None, typer.Option(help="Also write the faults to this file as SARIF 2.1.0.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The faults as JSON.")] = False,
) -> None:
    """Render every reply in every language with all its facts and with the fewest, and name what is wrong."""
    where = folders_of(config, folder)
    try:
        found = faults(where, {name: channel_limits(name) for name in CHANNELS})
    except (WismoError, yaml.YAMLError) as error:
        stop(f"✗ {error}", 2)
    if sarif:
        sarif.write_text(json.dumps(to_sarif(found), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    if as_json:
        say_json([_row(fault) for fault in found], indent=1)
    else:
        for fault in found:
            complain(f"✗ {fault}")
    if found:
        raise typer.Exit(1)
    if not as_json:
        say(f"✓ {', '.join(map(str, where))}: every reply is there in every language")


@templates.command()
def preview(
    template: Annotated[str, typer.Argument(help="One template; else all.")] = "",
    config: ConfigOption = DEFAULT,
    folder: FolderOption = None,
    locale: Annotated[list[str] | None, typer.Option(help="A language; may be repeated. Else all.")] = None,
    channel: Annotated[list[str] | None, typer.Option(help="A channel; may be repeated. Else all.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with each platform's bubbles instead.")] = None,
) -> None:
    """What the templates say on each channel in each language: fewest facts, all facts, and orders at the edge."""
    where = folders_of(config, folder)
    renderer, catalogue = Renderer(where, "en"), read_catalogue(where[-1] / "catalogue.yaml")
    locales = _among(locale, renderer.locales, "language")
    limits = {name: channel_limits(name) for name in _among(channel, CHANNELS, "channel")}
    _among([template] if template else None, tuple(catalogue.entries), "template")
    edges = read_edges(next((f / "edges.yaml" for f in where if (f / "edges.yaml").is_file()), where[-1]))
    try:
        shown = [
            (code, example, [(name, renderer.render(example.reply, most, 0)) for name, most in limits.items()])
            for code in locales
            for example in specimens(catalogue, code, edges)
            if template in ("", example.template)
        ]
    except TemplateError as error:
        stop(f"✗ {type(error).__name__}: {error}; `wismo templates lint` names the file")
    if html:
        pages = importlib.import_module(
            "bot.pages.previews"
        )  # brings the web framework, which a terminal has no use for
        made = [pages.Shown(e.template, e.case, code, sent) for code, e, sent in shown]
        html.write_text(pages.page(made), encoding="utf-8")
        say(f"✓ {len(made)} examples in {html}")
        return
    for code, example, sent in shown:
        for name, messages in sent:
            say(f"=== {example.template}: {example.case} · {code} · {name}")
            for message in messages:
                say(plain(message.text) + "".join(f"\n[{title}]" for title in _titles(message)) + "\n")


def _titles(message: Outbound) -> list[str]:
    return [*([f"{message.menu} ▾"] if message.menu else []), *(choice.title for choice in message.choices)]


def _among(wanted: Sequence[str] | None, known: Sequence[str], kind: str) -> Sequence[str]:
    """What was asked for, else all; a name that nobody knows ends the command with 2."""
    if unknown := sorted(set(wanted or ()) - set(known)):
        stop(f"✗ no {kind} {', '.join(unknown)}; there are {', '.join(known)}", 2)
    return wanted or known


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
        say_json(found, indent=2)
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


def folders_of(config: Path, folder: Path | None) -> list[Path]:
    """The seller's folder, if there is one, before ours. A folder that is not there ends the command with 2."""
    own = folder or (load(config).templates if config.is_file() else None)
    if own and not own.is_dir():
        stop(f"✗ {own} is no folder", 2)
    return [*([own] if own else []), shipped_templates()]


def channel_limits(name: str) -> Limits:
    """What a channel can carry, by its adapter's own word."""
    module = importlib.import_module(f"adapters.channels.{name}.channel")
    for made in vars(module).values():
        if isinstance(made, type) and issubclass(made, Channel) and vars(made).get("kind") == name:
            return made.limits
    raise WismoError(f"the adapter {name} has no channel")


def _row(fault: Fault) -> Mapping[str, Any]:
    return {"rule": fault.rule, "file": str(fault.path), "line": fault.line or None, "text": fault.text}


def to_sarif(found: Sequence[Fault]) -> Mapping[str, Any]:
    """The faults as SARIF 2.1.0 (OASIS), which code hosts show beside the lines."""
    rules = [{"id": name, "shortDescription": {"text": text}} for name, text in RULES.items()]
    tool = {"driver": {"name": "wismo templates lint", "rules": rules}}
    results = [
        {
            "ruleId": fault.rule,
            "level": "error",
            "message": {"text": fault.text},
            "locations": [{"physicalLocation": _place(fault)}],
        }
        for fault in found
    ]
    return {"$schema": SARIF, "version": "2.1.0", "runs": [{"tool": tool, "results": results}]}


def _place(fault: Fault) -> Mapping[str, Any]:
    path, here = fault.path.resolve(), Path.cwd()
    uri = quote(path.relative_to(here).as_posix()) if path.is_relative_to(here) else path.as_uri()
    return {"artifactLocation": {"uri": uri}, **({"region": {"startLine": fault.line}} if fault.line else {})}
