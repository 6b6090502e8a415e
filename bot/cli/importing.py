"""`wismo import FILE.csv`: columns guessed and shown, the choice kept, good rows never lost to bad ones."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from msgspec.structs import replace
from rich.progress import track
from rich.table import Table

from bot.cli.files import write_config
from bot.cli.session import DEFAULT, ConfigOption, YesOption, complain, complete, console, load, open_store, say, stop
from bot.config import Config
from bot.dialog.identity import e164
from bot.model.clock import Clock
from bot.model.orders import Order

BATCH = 200
SHOWN_ERRORS = 20
MAPPING = "import-columns.yaml"
"""Where the chosen columns are kept, in the data folder; the next import of such a file uses them."""


def import_(
    file: Annotated[Path, typer.Argument(help="A CSV export of orders.")],
    config: ConfigOption = DEFAULT,
    yes: YesOption = False,
    column: Annotated[
        list[str] | None, typer.Option("--column", help="field=Heading, where the guess is wrong; can be repeated.")
    ] = None,
) -> None:
    """Import orders from a CSV file. Can be repeated: an order that is there is brought up to date."""
    settings = load(config)
    reader: Any = importlib.import_module("adapters.shops.csvfile")
    try:
        table = reader.load(file)
    except (OSError, ValueError) as error:
        stop(f"✗ {file}: {error}", 2)
    kept = settings.database.data / MAPPING
    columns = _chosen(reader, table, kept, column or [])
    _show(columns, table.header, reader.date_order(table, columns, settings.shop.country))
    if "number" not in columns:
        stop(
            f"✗ no column holds the order number; say which: --column number=Heading (of {', '.join(table.header)})", 2
        )
    if not yes:
        typer.confirm(f"Import {len(table.rows)} rows?", default=True, abort=True)
    settings.database.make_folder()
    write_config(kept, {"columns": columns}, "# The columns of the last `wismo import`; the next one uses them.\n")
    good, errors = _read(reader, table, columns, settings)
    saved = complete(_save(settings, good))
    for row in errors[:SHOWN_ERRORS]:
        complain(f"✗ line {row.line}{', ' + row.column if row.column else ''}: {row.message}")
    if len(errors) > SHOWN_ERRORS:
        complain(f"✗ … and {len(errors) - SHOWN_ERRORS} more")
    say(f"✓ {saved} orders imported, {len(good) - saved} unchanged, {len(errors)} rows left out")
    if errors:
        raise typer.Exit(1)


def _chosen(reader: Any, table: Any, kept: Path, told: Sequence[str]) -> dict[str, str]:
    """The guess, then what was kept of the last time, then what was told now."""
    columns: dict[str, str] = reader.guess_columns(table)
    if kept.is_file():
        before = (yaml.safe_load(kept.read_text(encoding="utf-8")) or {}).get("columns", {})
        columns |= {f: h for f, h in before.items() if h in table.header}
    for pair in told:
        field, sep, heading = pair.partition("=")
        if not sep or field not in reader.fields() or heading not in table.header:
            stop(f"✗ --column {pair}: write field=Heading; fields are {', '.join(reader.fields())}", 2)
        columns[field] = heading
    return columns


def _show(columns: dict[str, str], header: Sequence[str], dates: str) -> None:
    shown = Table("field", "column")
    for field, heading in columns.items():
        shown.add_row(field, heading)
    console().print(shown)
    unused = [h for h in header if h not in columns.values()]
    if unused:
        say(f"Not used: {', '.join(unused)}")
    if dates == "both":
        say("Some dates have the day first, some the month: such as 03/04 cannot be read.")
    elif dates:
        say(f"Dates such as 03/04 are read {dates}.")


def _read(reader: Any, table: Any, columns: dict[str, str], settings: Config) -> tuple[list[Order], list[Any]]:
    good: list[Order] = []
    errors: list[Any] = []
    for read in reader.orders(table, columns, Clock().now(), settings.shop.country):
        if isinstance(read, Order):
            good.append(read)
        else:
            errors.append(read)
    return good, sorted(errors, key=lambda error: int(error.line))


async def _save(settings: Config, orders: Sequence[Order]) -> int:
    saved = 0
    async with open_store(settings) as store:
        for start in track(range(0, len(orders), BATCH), "Importing", disable=len(orders) < BATCH):
            batch = [(o, e164(o.phone, o.country or settings.shop.country)) for o in orders[start : start + BATCH]]
            saved += await store.save_orders([(_of(settings, o), phone) for o, phone in batch])
    return saved


def _of(settings: Config, order: Order) -> Order:
    return replace(order, shop=settings.shop.name)
