"""`wismo templates`: are all replies there in all languages, do they say only what is true, and how do they look?"""

import importlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from jinja2 import TemplateError

from bot.app import shipped_templates
from bot.catalogue import read_catalogue
from bot.cli.session import DEFAULT, ConfigOption, complain, load, say, stop
from bot.errors import WismoError
from bot.model.markup import plain
from bot.model.messages import Limits, Outbound
from bot.ports import Channel
from bot.proofread import RULES, Fault, faults
from bot.render import Renderer
from bot.specimens import read_edges, specimens

CHANNELS = ("telegram", "slack", "whatsapp")
SARIF = "https://json.schemastore.org/sarif-2.1.0.json"

templates = typer.Typer(no_args_is_help=True, help="The words that buyers read.")
FolderOption = Annotated[Path | None, typer.Option("--folder", help="A seller's folder; else the config's.")]


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
    except WismoError as error:
        stop(f"✗ {error}", 2)
    if sarif:
        sarif.write_text(json.dumps(to_sarif(found), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    if as_json:
        say(json.dumps([_row(fault) for fault in found], ensure_ascii=False, indent=1))
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
        made = [pages.Shown(f"{e.template}: {e.case}", code, sent) for code, e, sent in shown]
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


@templates.callback()
def about() -> None:
    """The words that buyers read."""


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
    uri = path.relative_to(here).as_posix() if path.is_relative_to(here) else path.as_uri()
    return {"artifactLocation": {"uri": uri}, **({"region": {"startLine": fault.line}} if fault.line else {})}
