"""`wismo import FILE.csv`: columns guessed and shown, the choice kept, good rows never lost to bad ones."""

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
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
from bot.model.shortdates import Style, read, usual

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
    style: Annotated[
        Style | None, typer.Option("--dates", help="What stands in front in dates such as 03/04/26 or 26-11-24.")
    ] = None,
) -> None:
    """Import orders from a CSV file. Can be repeated: an order that is there is brought up to date."""
    settings = load(config)
    reader: Any = importlib.import_module("adapters.shops.csvfile")
    try:
        table = reader.load(file)
    except OSError as error:
        stop(f"✗ {file} cannot be read: {error.strerror}", 2)
    except ValueError as error:
        stop(f"✗ {file}: {error}", 2)
    kept = settings.database.data / MAPPING
    before = (yaml.safe_load(kept.read_text(encoding="utf-8")) or {}) if kept.is_file() else {}
    columns = _chosen(reader, table, before.get("columns", {}), column or [])
    _show(columns, table.header)
    if "number" not in columns:
        stop(
            f"✗ no column holds the order number; say which: --column number=Heading (of {', '.join(table.header)})", 2
        )
    now = Clock().now()
    dates = reader.dates(table, columns, now)
    known = {h: Style(s) for h, s in before.get("dates", {}).items() if s in set(Style)}
    ask = _guessed if yes else _asked
    styles = {f: _style(d, style, known.get(d.heading), settings.shop.country, ask) for f, d in dates.items()}
    if not yes:
        typer.confirm(f"Import {len(table.rows)} rows?", default=True, abort=True)
    settings.database.make_folder()
    kept_dates = known | {dates[f].heading: s for f, s in styles.items() if s is not None}
    values = {"columns": columns, "dates": {heading: str(s) for heading, s in kept_dates.items()}}
    write_config(kept, values, "# The columns of the last `wismo import`; the next one uses them.\n")
    good, errors = _read(reader.orders(table, columns, now, styles))
    saved = complete(_save(settings, good))
    for row in errors[:SHOWN_ERRORS]:
        complain(f"✗ line {row.line}{', ' + row.column if row.column else ''}: {row.message}")
    if len(errors) > SHOWN_ERRORS:
        complain(f"✗ … and {len(errors) - SHOWN_ERRORS} more")
    say(f"✓ {saved} orders imported, {len(good) - saved} unchanged, {len(errors)} rows left out")
    if errors:
        raise typer.Exit(1)


def _chosen(reader: Any, table: Any, before: Mapping[str, str], told: Sequence[str]) -> dict[str, str]:
    """The guess, then what was kept of the last time, then what was told now."""
    columns: dict[str, str] = reader.guess_columns(table)
    columns |= {f: h for f, h in before.items() if h in table.header}
    for pair in told:
        field, sep, heading = pair.partition("=")
        if not sep or field not in reader.fields() or heading not in table.header:
            stop(f"✗ --column {pair}: write field=Heading; fields are {', '.join(reader.fields())}", 2)
        columns[field] = heading
    return columns


def _show(columns: dict[str, str], header: Sequence[str]) -> None:
    shown = Table("field", "column")
    for field, heading in columns.items():
        shown.add_row(field, heading)
    console().print(shown)
    unused = [h for h in header if h not in columns.values()]
    if unused:
        say(f"Not used: {', '.join(unused)}")


Ask = Callable[[Any, Style | None], Style]


def _style(dates: Any, told: Style | None, before: Style | None, country: str, ask: Ask) -> Style | None:
    """How a column's short dates are read, which is shown: as the file has it, as was told now or the last time, else
    as somebody says who is asked, to whom the country's own way is proposed where it is a way of this file."""
    possible: tuple[Style, ...] = dates.styles
    if not possible:
        say(f"“{dates.heading}” has dates of several kinds: only those are read that can be no other day.")
        return None
    if told is None and len(possible) > 1 and before not in possible:
        likely = usual(country) if Style.YEAR not in possible else None
        chosen = ask(dates, likely)
    else:
        chosen = told or (before if before in possible else possible[0])
    day = read(dates.example, chosen)
    say(f"“{dates.heading}” is read {chosen}" + (f": {dates.example} is {day:%d %B %Y}." if day else "."))
    return chosen


def _asked(dates: Any, likely: Style | None) -> Style:
    say(f"{dates.example} in “{dates.heading}” can be several days, and no other row tells which:")
    for style in dates.styles:
        say(f"  {style}: {read(dates.example, style):%d %B %Y}")
    while True:
        chosen: Style = typer.prompt("What stands in front", type=Style, default=likely)
        if chosen in dates.styles:
            return chosen


def _guessed(dates: Any, likely: Style | None) -> Style:
    if likely is None:
        days = " or ".join(f"{read(dates.example, s):%d %B %Y} ({s})" for s in dates.styles)
        stop(f"✗ {dates.example} in “{dates.heading}” is {days}, and no other row tells; say which: --dates", 2)
    say(f"No date of “{dates.heading}” tells whether the day or the month is in front; --dates would.")
    return likely


def _read(found: Iterable[Any]) -> tuple[list[Order], list[Any]]:
    good: list[Order] = []
    errors: list[Any] = []
    for row in found:
        if isinstance(row, Order):
            good.append(row)
        else:
            errors.append(row)
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
