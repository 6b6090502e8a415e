"""A freight forwarder's list: scans in a CSV or as JSON, in our words or in theirs. It only tells; nobody is asked.

Columns `number, carrier, at, status, cause, place, country, text` under these or other usual names. A status is one
of the fourteen words, `status/cause`, or a phrase of the table beside this module.
"""

import csv
import io
from collections.abc import Mapping, Sequence

import httpx
from pydantic import BaseModel, ConfigDict

from bot.model.codes import NOTHING, Code, codes
from bot.model.events import Event
from bot.model.foreign import a_country, a_map, a_text, first_text, maps, parse_json, when
from bot.model.tracks import Place, Scan, Status, Track, TrackRef
from bot.ports import Capabilities, Item, TrackingSource

KIND = "manual"
WHO = "the list"
NAMES: Mapping[str, tuple[str, ...]] = {
    "number": (
        "number",
        "tracking number",
        "tracking",
        "tracking_number",
        "waybill",
        "awb",
        "单号",
        "运单号",
        "跟踪号",
    ),
    "carrier": ("carrier", "forwarder", "courier", "承运商", "物流商", "货代"),
    "at": ("at", "time", "date", "datetime", "event time", "时间", "日期"),
    "status": ("status", "state", "event", "milestone", "状态", "节点"),
    "cause": ("cause", "reason", "原因"),
    "place": ("place", "location", "city", "port", "地点", "城市", "港口"),
    "country": ("country", "country code", "国家"),
    "text": ("text", "description", "remark", "note", "remarks", "备注", "说明"),
}


class Settings(BaseModel):
    """Nothing to set."""

    model_config = ConfigDict(extra="forbid")

    base_url: str = ""


def connect(settings: Settings, http: httpx.AsyncClient) -> "Manual":
    return Manual()


def read_word(status: str, cause: str) -> tuple[Code, bool]:
    """What a status says; unknown words are kept as they are and mean nothing yet."""
    word, _, more = status.strip().partition("/")
    name = word.strip().casefold().replace(" ", "_")
    if name in set(Status):
        return Code(Status(name), cause or more, name != Status.LABEL_CREATED), True
    code = codes("manual_words").get(status.strip().casefold())
    return (code, True) if code is not None else (NOTHING, False)


def read(body: bytes) -> list[Track]:
    """The tracks of a list; ValueError names the line that cannot be read."""
    rows = _json_rows(body) if body.lstrip()[:1] in {b"[", b"{"} else _csv_rows(body)
    by_number: dict[tuple[str, str], list[Scan]] = {}
    for line, row in rows:
        number, scan = _scan(line, row)
        by_number.setdefault((number, scan.carrier), []).append(scan)
    if not by_number:
        raise ValueError("the list holds no scan")
    return [
        Track(carrier, number, tuple(sorted(scans, key=lambda s: str(s.at))), source=KIND)
        for (number, carrier), scans in by_number.items()
    ]


def _csv_rows(body: bytes) -> list[tuple[int, Mapping[str, str]]]:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = body.decode("gb18030", "replace")
    try:
        dialect: type[csv.Dialect] | csv.Dialect = csv.Sniffer().sniff(text[:2000], ",;\t")
    except csv.Error:
        dialect = csv.excel
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), dialect))
    except csv.Error as error:
        raise ValueError(f"the list is no CSV: {error}") from error
    if not lines:
        raise ValueError("the list is empty")
    columns = _columns(lines[0])
    return [
        (place, {name: row[i] for name, i in columns.items() if i < len(row)})
        for place, row in enumerate(lines[1:], 2)
        if any(cell.strip() for cell in row)
    ]


def _columns(head: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for place, title in enumerate(head):
        name = next((n for n, titles in NAMES.items() if title.strip().casefold() in titles), None)
        if name is not None:
            found.setdefault(name, place)
    missing = [name for name in ("number", "at", "status") if name not in found]
    if missing:
        raise ValueError(f"the list has no column {', '.join(missing)}")
    return found


def _json_rows(body: bytes) -> list[tuple[int, Mapping[str, str]]]:
    told = parse_json(body, WHO)
    scans = maps(a_map(told).get("scans")) or maps(told)
    shared = {k: v for k, v in a_map(told).items() if not isinstance(v, dict | list)}
    return [
        (place, {n: first_text(*({**shared, **row}.get(t) for t in titles)) for n, titles in NAMES.items()})
        for place, row in enumerate(scans, 1)
    ]


def _scan(line: int, row: Mapping[str, str]) -> tuple[str, Scan]:
    number = "".join(a_text(row.get("number")).split()).upper()
    country = a_country(row.get("country"))
    time = when(a_text(row.get("at")), iso=a_text(row.get("at")).replace("/", "-"), country=country)
    if not number or time.at is None:
        raise ValueError(f"line {line} has no {'tracking number' if not number else 'time that can be read'}")
    status = a_text(row.get("status"))
    code, known = read_word(status, a_text(row.get("cause")))
    return number, Scan(
        raw_code=status,
        raw_text=first_text(row.get("text"), status),
        raw_time=time.raw_time,
        at=time.at,
        local=time.local,
        offset_from=time.offset_from,
        status=code.status,
        cause=code.cause,
        place=Place(a_text(row.get("place")), country),
        physical=code.physical,
        carrier=a_text(row.get("carrier")).lower(),
        source=KIND,
        known=known,
    )


class Manual(TrackingSource):
    kind = KIND
    capabilities = Capabilities(batch=0)

    async def track(self, refs: Sequence[TrackRef]) -> Sequence[Track | None]:
        return [None] * len(refs)

    def decode(self, item: Item) -> Event | None:
        raise ValueError("a list is imported, not pushed")

    async def check(self) -> str:
        return "lists are imported with `wismo scans FILE`"
