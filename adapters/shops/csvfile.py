"""Orders from a CSV file as shops export them: columns guessed, rows joined by order, faults told with their line.

Several rows of one order number are one order with several items or parcels. A row that cannot be read costs
that row and nothing else.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files
from pathlib import Path

import yaml
from msgspec import Struct
from msgspec.structs import replace

from bot.model import shortdates
from bot.model.foreign import THIS_AGE
from bot.model.orders import Consent, Duties, Item, Order, Shipment, number_key
from bot.model.shortdates import Style
from bot.model.tables import read_records, shortened
from bot.tracking.numbers import candidates, compact

SOURCE = "csv"
NEEDED = ("number",)
_EXAMPLE = "number,email,postcode,country"
LONGEST_NUMBER = 100
"""Characters of an order's number, as the REST takes it."""
_UNDATED = datetime.fromtimestamp(0, UTC)
"""When somebody opted in whose order has no date: before anything else they said."""
_WRITTEN = ("%b %d, %Y", "%d %b %Y", "%Y年%m月%d日", "%Y-%m-%d %H:%M:%S %z")
_AHEAD = {"placed_at": timedelta(days=2), "shipped_at": timedelta(days=2), "promised": timedelta(days=730)}
"""How far after the import a date can lie; only what tells 11-12-26 from 26-11-12 asks for it."""
_TRUE = {"1", "y", "yes", "true", "ja", "si", "sí", "sim", "oui", "да", "是"}
_HINTS = (("email", re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")), ("phone", re.compile(r"^\+\d[\d\s().-]{6,}$")))
_NUMBER = re.compile(r"^#?[A-Za-z]{0,4}-?\d{3,}$")

Mapping_ = Mapping[str, str]
"""From our field to the file's heading."""


class RowError(Struct, frozen=True):
    """A row that was left out. `line` is where it begins in the file, `column` the heading, or empty."""

    line: int
    column: str
    message: str


class Table(Struct, frozen=True):
    """A file as it was read: its headings, its rows with the line on which each begins, and what is no row."""

    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    faults: tuple[RowError, ...] = ()


def plain(heading: str) -> str:
    """A heading as it is compared."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", heading).casefold())


@cache
def _headings() -> Mapping[str, str]:
    raw = yaml.safe_load(files("adapters.shops").joinpath("csv_columns.yaml").read_text(encoding="utf-8"))
    return {plain(heading): field for field, listed in raw.items() for heading in [field, *listed]}


def fields() -> tuple[str, ...]:
    """Every field that a column can fill."""
    return tuple(dict.fromkeys(_headings().values()))


def load(path: Path) -> Table:
    """Read a file whose encoding and delimiter are found out; ValueError where it is no table."""
    records = read_records(path.read_bytes())
    if records[0][1] is None:
        raise ValueError("the file has no headings")
    header = records[0][1]
    if any(_HINTS[0][1].match(cell) for cell in header):
        raise ValueError(f"the first line holds an order and no headings; put a line such as {_EXAMPLE} above it")
    rows, faults = [], []
    for line, row in records[1:]:
        if row is None:
            faults.append(RowError(line, "", "a quote is opened and never closed, or a cell is beyond all measure"))
        elif any(row[len(header) :]):
            faults.append(RowError(line, "", f"{len(row)} cells under {len(header)} headings; quote cells with commas"))
        else:
            rows.append((line, row))
    return Table(header, tuple(rows), tuple(faults))


def guess_columns(table: Table) -> dict[str, str]:
    """Which heading fills which field: by the heading, else by what stands below it."""
    found: dict[str, str] = {}
    for heading in table.header:
        field = _headings().get(plain(heading))
        if field is not None and field not in found:
            found[field] = heading
    for place, heading in enumerate(table.header):
        cells = [row[place] for _, row in table.rows[:50] if place < len(row) and row[place]]
        for field, looks in _HINTS:
            if field not in found and heading not in found.values() and cells and all(map(looks.match, cells)):
                found[field] = heading
        # Shopify writes the order's number under "Name".
        if "number" not in found and found.get("name") == heading and cells and all(map(_NUMBER.match, cells)):
            found["number"] = found.pop("name")
    return found


class Dates(Struct, frozen=True):
    """How the short dates of a column can be written: one style where the file tells it, several where somebody must
    be asked (then `example` is one that is another day in each), none where the column has them of several kinds."""

    heading: str
    styles: tuple[Style, ...]
    example: str


def dates(table: Table, columns: Mapping_, now: datetime) -> dict[str, Dates]:
    """Every column, by its field, with dates that do not say themselves what is day, month and year. A column is
    read as a whole; where that leaves several styles, the file's other columns may tell."""
    written = {field: _short(table, columns[field]) for field in _AHEAD if columns.get(field) in table.header}
    found = {field: shortdates.styles(texts, now + _AHEAD[field]) for field, texts in written.items() if texts}
    known = frozenset(style for styles in found.values() if len(styles) == 1 for style in styles)
    told = {}
    for field, styles in found.items():
        likely = (styles & known) or styles
        example = next((t for t in written[field] if len({shortdates.read(t, s) for s in likely}) > 1), "")
        chosen = tuple(s for s in Style if s in likely)
        told[field] = Dates(columns[field], chosen if example else chosen[:1], example or written[field][0])
    return told


def _short(table: Table, heading: str) -> list[str]:
    place = table.header.index(heading)
    return [row[place] for _, row in table.rows if place < len(row) and shortdates.is_short(row[place])]


Styles = Mapping[str, Style | None]
"""By field. None: only what can be no other day."""


def orders(table: Table, columns: Mapping_, now: datetime, styles: Styles) -> Iterator[Order | RowError]:
    """The file's orders, in its order, and what had to be left out. `now` becomes their `updated_at`. A row that says
    the same as one before it says nothing new."""
    seen: set[tuple[str, ...]] = set()
    places = {field: table.header.index(heading) for field, heading in columns.items() if heading in table.header}
    joined: dict[str, Order] = {}
    yield from table.faults
    for line, row in table.rows:
        if row in seen:
            continue
        seen.add(row)
        cells = {field: row[place] for field, place in places.items() if place < len(row)}
        try:
            order = _order(_dated(cells, styles), now)
        except _Wrong as wrong:
            yield RowError(line, columns.get(wrong.field, wrong.field), wrong.message)
            continue
        known = joined.get(order.number)
        joined[order.number] = _merged(known, order) if known is not None else order
    yield from joined.values()


class _Wrong(Exception):
    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field, self.message = field, message


def _order(cells: Mapping_, now: datetime) -> Order:
    number = cells.get("number", "").lstrip("#").strip()
    if not number_key(number):
        raise _Wrong("number", "there is no order number in this row")
    if len(number) > LONGEST_NUMBER:
        raise _Wrong("number", f"an order number has at most {LONGEST_NUMBER} characters")
    for field in ("number", "tracking", "phone"):
        if shortened(cells.get(field, "")):
            raise _Wrong(field, f"{cells[field]!r} was shortened by a spreadsheet; format the column as text")
    items = (_item(cells),) if cells.get("title") else ()
    return Order(
        number=number,
        updated_at=now,
        source=SOURCE,
        placed_at=_stamp(cells, "placed_at"),
        name=cells.get("name", ""),
        email=_email(cells.get("email", "")),
        phone=cells.get("phone", "").lstrip("'"),
        address=cells.get("address", ""),
        postcode=cells.get("postcode", "").lstrip("'"),
        city=cells.get("city", ""),
        country=_country(cells.get("country", "")),
        locale=cells.get("locale", "").replace("_", "-"),
        items=items,
        parcels=_parcel(cells),
        incoterm=cells.get("incoterm", "").upper()
        if cells.get("incoterm", "").upper() in {"DDP", "DAP", "DDU"}
        else "",
        duties=_duties(cells),
        promised=_day(cells, "promised"),
        consent=_consent(cells),
    )


def _consent(cells: Mapping_) -> tuple[Consent, ...]:
    """The opt-in of the checkout, as old as the order: to import a file again is no new one, and says nothing against
    a stop that came since."""
    if cells.get("consent", "").casefold() not in _TRUE:
        return ()
    return (Consent("parcel_updates", "import", _stamp(cells, "placed_at") or _UNDATED),)


def _item(cells: Mapping_) -> Item:
    raw = cells.get("quantity", "") or "1"
    if not re.fullmatch(r"\d{1,6}(?:[.,]0+)?", raw):
        raise _Wrong("quantity", f"{raw!r} is no quantity; write a whole number")
    extras = tuple(a.strip() for a in re.split(r"[;|/]", cells.get("accessories", "")) if a.strip())
    return Item(
        cells["title"], int(re.split(r"[.,]", raw)[0]), cells.get("specification", ""), extras, cells.get("sku", "")
    )


def _parcel(cells: Mapping_) -> tuple[Shipment, ...]:
    shipped = _stamp(cells, "shipped_at")
    parcels = []
    for raw in re.split(r"[,;\s|]+", cells.get("tracking", "")):
        number = compact(raw)
        if number:
            likely = next((c.carrier for c in candidates(number)), "")
            parcels.append(Shipment(number, cells.get("carrier", "").casefold() or likely, shipped))
    return tuple(parcels)


def _email(text: str) -> str:
    if text and not _HINTS[0][1].match(text):
        raise _Wrong("email", f"{text!r} is no e-mail address")
    return text


def _country(text: str) -> str:
    if not text or re.fullmatch(r"[A-Za-z]{2}", text):
        return text.upper()
    known = {plain(name): code for code, name in _countries()}
    code = known.get(plain(text))
    if code is None:
        raise _Wrong("country", f"{text!r} is no country; write two letters such as DE")
    return code


@cache
def _countries() -> tuple[tuple[str, str], ...]:
    """Names of countries in the languages that exports come in; from Babel, which carries Unicode's."""
    from babel import Locale  # noqa: PLC0415 - only for files that write countries out

    named: list[tuple[str, str]] = [("US", "USA"), ("GB", "UK"), ("GB", "Great Britain"), ("KR", "South Korea")]
    for language in ("en", "de", "fr", "es", "pt", "ru", "zh", "ar"):
        named += [
            (code, name) for code, name in Locale(language).territories.items() if len(code) == 2 and code.isalpha()
        ]
    return tuple(named)


def _duties(cells: Mapping_) -> Duties:
    text = cells.get("duties", "").casefold()
    if text in {d.value for d in Duties}:
        return Duties(text)
    return {"DDP": Duties.SELLER, "DAP": Duties.BUYER, "DDU": Duties.BUYER}.get(
        cells.get("incoterm", "").upper(), Duties.UNKNOWN
    )


def _dated(cells: Mapping_, styles: Styles) -> dict[str, str]:
    """The row with its dates written as ISO 8601 has them, where they are written in another way."""
    return {**cells, **{field: _iso(field, cells[field], styles.get(field)) for field in _AHEAD if cells.get(field)}}


def _iso(field: str, text: str, style: Style | None) -> str:
    moment = shortdates.read(text, style) or _written(text)
    if moment is not None and THIS_AGE[0] <= moment.year < THIS_AGE[1]:
        return moment.isoformat()
    several = any(shortdates.read(text, s) for s in Style)
    more = "can be several days, and the column has dates of several kinds" if several else "is no date"
    raise _Wrong(field, f"{text!r} {more}; write it like 2026-11-24")


def _written(text: str) -> datetime | None:
    for parse in (datetime.fromisoformat, *(lambda t, f=f: datetime.strptime(t, f) for f in _WRITTEN)):  # noqa: DTZ007
        try:
            moment: datetime = parse(text)
        except (ValueError, OverflowError):
            continue
        return moment.replace(tzinfo=moment.tzinfo or UTC)
    return None


def _stamp(cells: Mapping_, field: str) -> datetime | None:
    text = cells.get(field, "")
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def _day(cells: Mapping_, field: str) -> date | None:
    text = cells.get(field, "")
    return datetime.fromisoformat(text).date() if text else None


def _merged(known: Order, more: Order) -> Order:
    """One order from two of its rows: what the first left empty is filled, items and parcels are added."""
    filled = {
        name: getattr(more, name)
        for name in (
            "name",
            "email",
            "phone",
            "address",
            "postcode",
            "city",
            "country",
            "locale",
            "placed_at",
            "promised",
        )
        if not getattr(known, name) and getattr(more, name)
    }
    numbers = {p.number for p in known.parcels}
    parcels = (*known.parcels, *(p for p in more.parcels if p.number not in numbers))
    return replace(known, items=(*known.items, *more.items), parcels=parcels, **filled)
