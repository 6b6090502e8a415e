"""TNT, now FedEx: ExpressConnect Tracking v3.1, an XML request in the form field `xml_in` with Basic authentication.

A consignment has one summary code, of which the schema names four; the codes of its events are not listed there. An
event's code is looked up first, TNT's fixed English sentence second, and the sentence never makes a delivery: that is
the event whose time the consignment gives as its delivery's. Times are local without zone: only the depots of origin
and delivery have a country that is told. No push.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC
from http import HTTPStatus
from xml.sax.saxutils import escape

import httpx
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, SecretStr

from bot.errors import Misconfigured, Temporary
from bot.model.codes import NOTHING, Code, codes
from bot.model.foreign import a_country, a_moment, country_named, day_and_clock, when, zone_of
from bot.model.tracks import Place, Scan, Status, Track, TrackRef, TrackUpdate, Window, heard_at, instant
from bot.model.xml import Node, parse_xml
from bot.ports import Capabilities, Item, Rate, TrackingSource
from bot.wire import judge, reached

KIND = "tnt"
WHO = "TNT"
KEY = "carriers.tnt.password"
BATCH = 10
_MENDING = re.compile(r"(?:RECOVERY|FOLLOW UP) ACTIONS? UNDERWAY$")
"""How TNT ends the sentence of anything that went wrong; which it was the rest of the words may say."""
NOBODYS = "000000000"
"""A number that no consignment has; asked to try the credentials."""


class Settings(BaseModel):
    """`username` and `password` are those of the myTNT account. `market` (INTERNATIONAL or DOMESTIC) and
    `origin_country` (ISO 3166 alpha-2) narrow the search; both may stay empty."""

    model_config = ConfigDict(extra="forbid")

    username: str
    password: SecretStr
    market: str = ""
    origin_country: str = ""
    base_url: str = "https://necta.az.fxei.fedex.com/ectrack/track"
    rate: Rate = Rate(per_second=1)


def connect(settings: Settings, http: httpx.AsyncClient) -> "Tnt":
    return Tnt(settings, http)


# ---- reading ---------------------------------------------------------------------------------------------


def sentence(text: str) -> str:
    """TNT's sentence as the table spells it: capitals, and nothing but words."""
    return " ".join("".join(c if c.isalnum() else " " for c in text.upper()).split())


def read_code(code: str, text: str) -> tuple[Code, bool]:
    """What an event says, and whether the table has its code. A sentence alone is no delivery."""
    if (found := codes("tnt_status").get(code.upper())) is not None:
        return found, True
    said, table = sentence(text), codes("tnt_text")
    # TNT calls the same thing a shipment here and a consignment there.
    other = (
        said.replace("CONSIGNMENT", "SHIPMENT") if "CONSIGNMENT" in said else said.replace("SHIPMENT", "CONSIGNMENT")
    )
    told = Code(Status.EXCEPTION) if _MENDING.search(said) else NOTHING
    return table.get(said) or table.get(other, told), False


def read_scan(event: Node, countries: Mapping[str, str]) -> Scan:
    """One `StatusData`."""
    code, text = event.text("StatusCode"), event.text("StatusDescription")
    word, known = read_code(code, text)
    day, clock, depot = event.text("LocalEventDate"), event.text("LocalEventTime"), event.text("Depot")
    country = countries.get(depot, countries.get("", ""))
    moment = when(f"{day} {clock}".strip(), iso=day_and_clock(day, clock) or "-", country=country)
    return Scan(
        raw_code=code,
        raw_text=text,
        raw_time=moment.raw_time,
        at=moment.at,
        local=moment.local,
        offset_from=moment.offset_from,
        status=word.status,
        cause=word.cause,
        place=Place(event.text("DepotName") or depot, country),
        physical=word.physical,
        carrier=KIND,
        source=KIND,
        known=known,
    )


def read_track(raw: Node) -> Track:
    """A `Consignment` as a track; ValueError where it has no number."""
    number = next(iter(numbers(raw)), "")
    if not number:
        raise ValueError(f"{WHO}: a consignment without a number")
    origin = _country(raw.first("OriginCountry")) or _party(raw, "Sender", "Collection")
    destination = _country(raw.first("DestinationCountry")) or _party(raw, "Delivery", "Receiver")
    countries = depot_countries(raw, origin, destination)
    summary = codes("tnt_summary").get(raw.text("SummaryCode").upper(), NOTHING)
    # TNT lists the newest first; equal times keep that order's reverse.
    scans = sorted((read_scan(event, countries) for event in reversed(raw.all("StatusData"))), key=instant)
    place = _summed_up(scans, summary, f"{raw.text('DeliveryDate')} {raw.text('DeliveryTime')}".strip())
    if place is not None:
        scans[place] = replace(scans[place], status=summary.status, cause=summary.cause)
    return Track(
        carrier=KIND,
        number=number,
        scans=tuple(scans),
        status=summary.status,
        cause=summary.cause,
        eta=None if summary.status is Status.DELIVERED else _due(raw.text("ShipmentSummary", "DueDate"), destination),
        origin=origin,
        destination=destination,
        proof_of_delivery=raw.text("POD"),
        source=KIND,
    )


def _summed_up(scans: Sequence[Scan], summary: Code, delivered: str) -> int | None:
    """The place of the event that the summary tells of, where none of our tables has that event: no list of TNT's codes
    is public. For a delivery it is the one of the delivery's own time, else it is the newest."""
    if not scans or summary.status is Status.UNKNOWN:
        return None
    untold = [i for i, scan in enumerate(scans) if scan.status is Status.UNKNOWN and not scan.known]
    if summary.status is Status.DELIVERED and delivered:
        if any(scan.status is Status.DELIVERED for scan in scans):
            return None
        if at_the_time := [i for i in untold if scans[i].raw_time == delivered]:
            return at_the_time[-1]
    newest = len(scans) - 1
    return newest if newest in untold else None


def _country(told: Node) -> str:
    return a_country(told.text("CountryCode")) or country_named(told.text("CountryName"))


def _party(raw: Node, *parties: str) -> str:
    """The country of the first of these addresses that is told."""
    addresses = {a.told.get("addressParty"): a for a in reversed(raw.first("Addresses").all("Address"))}
    told = (_country(addresses[party].first("Country")) for party in parties if party in addresses)
    return next((country for country in told if country), "")


def depot_countries(raw: Node, origin: str, destination: str) -> Mapping[str, str]:
    """The country of each depot that is told: the origin's own, and the one that made the consignment's delivery.
    Within one country it is the country of any depot, under the empty name."""
    if origin and origin == destination:
        return {"": origin}
    found = {}
    delivered = (raw.text("DeliveryDate"), raw.text("DeliveryTime"))
    for event in raw.all("StatusData"):
        code, _ = read_code(event.text("StatusCode"), "")
        at = (event.text("LocalEventDate"), event.text("LocalEventTime"))
        if code.status is Status.DELIVERED and at == delivered and destination:
            found[event.text("Depot")] = destination
    if origin:
        found[raw.text("OriginDepot")] = origin
    found.pop("", None)
    return found


def numbers(raw: Node) -> list[str]:
    """A consignment's numbers, its own first."""
    told = (raw.text(name) for name in ("ConsignmentNumber", "AlternativeConsignmentNumber"))
    return [number for number in told if number]


def consignments(body: bytes) -> list[Node]:
    """The consignments of an answer that have a number; ValueError where it is none of TNT's or tells an error."""
    root = parse_xml(body, WHO)
    if root.name != "TrackResponse":
        # What cannot be read there is answered with a parse_error or a runtime_error.
        raise ValueError(f"{WHO}: {root.text('error_reason') or 'this is no TrackResponse'}")
    if not root.all("Consignment") and root.all("Error"):
        told = f"{root.text('Error', 'Code')[:20] or 'of no code'}: {root.text('Error', 'Message')}"
        raise ValueError(f"{WHO} answered with error {told.removesuffix(': ')}")
    return [raw for raw in root.all("Consignment") if numbers(raw)]


def read(body: bytes) -> list[Track]:
    """Every track in a raw answer; ValueError where it has none."""
    tracks = [read_track(raw) for raw in consignments(body)]
    if not tracks:
        raise ValueError(f"{WHO}: an answer without a consignment number")
    return tracks


def _due(day: str, country: str) -> Window | None:
    midnight = a_moment(day_and_clock(day))
    if midnight is None:
        return None
    local = midnight.replace(tzinfo=zone_of(country, midnight) or UTC)
    return Window(local, local, KIND)


# ---- the port --------------------------------------------------------------------------------------------


class Tnt(TrackingSource):
    kind = KIND

    def __init__(self, settings: Settings, http: httpx.AsyncClient) -> None:
        self._settings = settings
        self._http = http
        self.capabilities = Capabilities(
            carriers=frozenset({"tnt"}), batch=BATCH, per_second=settings.rate.per_second or 1
        )

    async def track(self, refs: Sequence[TrackRef]) -> Sequence[Track | None]:
        if len(refs) > BATCH:
            raise ValueError(f"at most {BATCH} numbers a call, not {len(refs)}")
        if not refs:
            return ()
        told = await self._ask(list(dict.fromkeys(ref.number for ref in refs)))
        return [_newest(ref.number, told) for ref in refs]

    async def _ask(self, asked: Sequence[str]) -> list[Node]:
        form = {"xml_in": self._request(asked)}
        auth = (self._settings.username, self._settings.password.get_secret_value())
        response = await reached(self._http.post(self._settings.base_url, data=form, auth=auth), WHO)
        judge(response, WHO, KEY)
        if response.status_code == HTTPStatus.NOT_FOUND:
            raise Misconfigured(f"{WHO} has no such address", key="carriers.tnt.base_url")
        try:
            return consignments(response.content)
        except ValueError as error:
            raise Temporary(str(error)) from error

    def _request(self, asked: Sequence[str]) -> str:
        told = {"marketType": self._settings.market, "originCountry": self._settings.origin_country}
        narrowed = "".join(f' {name}="{escape(v, {chr(34): "&quot;"})}"' for name, v in told.items() if v)
        wanted = "".join(f"<ConsignmentNumber>{escape(number)}</ConsignmentNumber>" for number in asked)
        return (
            '<?xml version="1.0" encoding="UTF-8" standalone="no"?>'
            f'<TrackRequest locale="en_US" version="3.1"><SearchCriteria{narrowed}>{wanted}</SearchCriteria>'
            "<LevelOfDetail><Complete/></LevelOfDetail></TrackRequest>"
        )

    def decode(self, item: Item) -> TrackUpdate | None:
        raise ValueError(f"{WHO} sends no pushes")

    async def check(self) -> str:
        await self._ask([NOBODYS])
        return f"{WHO}: the credentials work"


def _newest(number: str, told: Sequence[Node]) -> Track | None:
    """The track of a number, the newest where TNT used it twice."""
    same = [read_track(raw) for raw in told if number.casefold() in {n.casefold() for n in numbers(raw)}]
    if not same:
        return None
    newest = max(same, key=heard_at)
    return replace(newest, number=number)
