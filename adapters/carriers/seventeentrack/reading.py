"""What 17TRACK's answers and pushes say. Pure; its statuses, errors and carrier keys are tables beside the package."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache

from msgspec import Struct
from msgspec.structs import replace

from bot.model.codes import NOTHING, Code, by_country, codes, rows
from bot.model.foreign import (
    Map,
    When,
    a_country,
    a_map,
    a_moment,
    a_number,
    a_text,
    country_named,
    first_text,
    maps,
    parse_bodies,
    parse_json,
    utc,
    when,
)
from bot.model.tracks import Leg, OffsetFrom, Place, Role, Scan, Status, Track, Window, instant

KIND = "seventeentrack"
WHO = "17TRACK"

# ---- tables ----------------------------------------------------------------------------------------------


class Tables(Struct, frozen=True):
    """The code tables: statuses, what an error asks for, carriers by key and keys by any of their names."""

    statuses: Mapping[str, Code]
    errors: Mapping[int, str]
    carriers: Mapping[int, str]
    keys: Mapping[str, int]


@cache
def tables() -> Tables:
    carriers = rows("seventeentrack_carriers")
    named = {_plain(row[column]): int(row["key"]) for column in ("name", "slug") for row in carriers}
    return Tables(
        statuses=codes("seventeentrack_status"),
        errors={int(row["code"]): row["does"] for row in rows("seventeentrack_errors")},
        carriers={int(row["key"]): row["slug"] for row in carriers},
        keys=named,
    )


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())


def carrier_slug(key: object) -> str:
    """Our name of a carrier key; `x-<key>` for one that the table does not have, empty for none."""
    number = a_number(key)
    return tables().carriers.get(number, f"x-{number}") if number > 0 else ""


def carrier_key(carrier: str) -> int | None:
    """17TRACK's key of a carrier as the shop wrote it; None lets 17TRACK detect it."""
    if carrier.startswith("x-") and carrier[2:].isdecimal():
        return int(carrier[2:])
    return tables().keys.get(_plain(carrier))


# ---- reading ---------------------------------------------------------------------------------------------


def _country(address: object) -> str:
    return a_country(a_map(address).get("country"))


NO_TIME = When("", None, None, OffsetFrom.UNKNOWN)


def _named(location: str) -> str:
    """The country whose name ends a place ("Shenzhen, China"). Two letters there may be a state, and so may Georgia."""
    name = location.rpartition(",")[2].strip()
    return country_named(name) if len(name) > 2 and name.casefold() != "georgia" else ""


def read_time(event: Map, country: str = "") -> When:
    """`time_raw` is the carrier's own; where it names no zone, 17TRACK put one in by the place."""
    raw = a_map(event.get("time_raw")) or {"date": event.get("time_raw")}
    zone = a_text(raw.get("timezone"))
    clock = " ".join(part for part in (a_text(raw.get("date")), a_text(raw.get("time")), zone) if part)
    own = when(clock, country=country) if clock else NO_TIME
    if own.offset_from is OffsetFrom.EXPLICIT:
        return own
    written = clock or first_text(event.get("time_iso"), event.get("time_utc"))
    told = when(written, iso=a_text(event.get("time_iso")) or "-")
    if told.offset_from is OffsetFrom.EXPLICIT:
        return told if zone or not clock else told._replace(offset_from=OffsetFrom.LOCATION)
    local = told if told.local else own._replace(raw_time=written)
    if (at := utc(a_moment(event.get("time_utc")))) is not None:
        return When(written, at, local.local, OffsetFrom.LOCATION)
    return local


def read_status(code: str, country: str = "", origin: str = "", destination: str = "") -> tuple[Status, str]:
    """Our word for a status or sub-status. An unknown sub falls back to its main, an unknown main to unknown.

    17TRACK says departure and arrival of any port and customs of either side: only the country of the scan
    tells which. Where it does not, the plain step is all that is said.
    """
    known = tables().statuses
    code = STAGES.get(code, code)
    word = known.get(code) or known.get(code.partition("_")[0]) or NOTHING
    if code == "InTransit_Departure" and (not origin or country != origin or origin == destination):
        return Status.IN_TRANSIT, "hub_departed"
    if code == "InTransit_Arrival" and (not destination or country != destination or origin == destination):
        return Status.IN_TRANSIT, "hub_arrived"
    if code == "InTransit_CustomsProcessing":
        word = by_country(word, country, origin, destination)
    return word.status, word.cause


def read_scan(event: Map, carrier: str, origin: str, destination: str, main: str = "", went_on: bool = False) -> Scan:
    """One event of one provider; `stage` speaks where there is no sub-status, and `main`, the word for the whole,
    where there is neither. `went_on`: by that word the journey was not ended by an exception."""
    address = a_map(event.get("address"))
    location = first_text(event.get("location"), address.get("city"), address.get("state"))
    country = _country(address) or _named(location)
    code = first_text(event.get("sub_status"), event.get("stage"))
    status, cause = read_status(code or main, country, origin, destination)
    if went_on and code in NOT_TAKEN:
        status, cause = Status.DELIVERY_ATTEMPTED, NOT_TAKEN[code]
    time = read_time(event, country)
    return Scan(
        raw_code=code,
        raw_text=first_text(event.get("description"), a_map(event.get("description_translation")).get("description")),
        raw_time=time.raw_time,
        at=time.at,
        local=time.local,
        offset_from=time.offset_from,
        status=status,
        cause=cause,
        place=Place(location, country),
        physical=status is not Status.LABEL_CREATED,
        carrier=carrier,
        source=KIND,
        known=not code or STAGES.get(code, code) in tables().statuses,
    )


def read_track(raw: Map) -> Track:
    """An accepted item or a push's `data` as a track; ValueError where it is about no number."""
    number = _number(raw)
    if not number:
        raise ValueError("a 17TRACK item without a tracking number")
    if a_map(raw.get("track")):
        return _read_v1(number, a_map(raw.get("track")))
    info = a_map(raw.get("track_info")) or a_map(raw.get("shipment"))
    shipping = a_map(info.get("shipping_info"))
    origin, destination = _country(shipping.get("shipper_address")), _country(shipping.get("recipient_address"))
    carrier = carrier_slug(raw.get("carrier"))
    providers = maps(a_map(info.get("tracking")).get("providers"))
    newest = a_map(info.get("latest_event")) or _latest(providers)
    main, went_on = _main(info), a_text(a_map(info.get("latest_status")).get("status")) in GOES_ON
    scans = [
        read_scan(event, slug, origin, destination, main if _alike(event, newest) else "", went_on)
        for p in providers
        for slug in [carrier_slug(a_map(p.get("provider")).get("key")) or carrier]
        for event in reversed(maps(p.get("events")))
    ]
    if not scans and newest:
        scans = [read_scan(newest, carrier, origin, destination, main, went_on)]
    scans.sort(key=instant)
    if main in RETURNS and scans and scans[-1].status is Status.DELIVERED:
        # What 17TRACK calls returned was delivered to its sender.
        scans[-1] = replace(scans[-1], status=read_status(main)[0], cause="")
    carrier = carrier or next((s.carrier for s in scans if s.carrier), "")
    synced = _synced(providers)
    status, cause = _summary(info, _country(newest.get("address")), origin, destination)
    return Track(
        carrier=carrier,
        number=number,
        scans=tuple(scans),
        status=status,
        cause=cause,
        eta=_eta(info, carrier, synced),
        legs=_legs(number, carrier, _slugs(providers), scans, a_map(info.get("misc_info"))),
        origin=origin,
        destination=destination,
        source=KIND,
        at=synced,
    )


def _main(info: Map) -> str:
    latest = a_map(info.get("latest_status"))
    return first_text(latest.get("sub_status"), latest.get("status"))


def _latest(providers: Sequence[Map]) -> Map:
    """The newest event, where 17TRACK does not name it."""
    events = [event for p in providers for event in maps(p.get("events"))]
    return max(events, key=lambda e: first_text(e.get("time_utc"), e.get("time_iso")), default={})


def _alike(event: Map, newest: Map) -> bool:
    """Whether this is the event that the word for the whole was made from, and has none of its own."""
    if event.get("sub_status") or event.get("stage"):
        return False
    same = ("time_iso", "time_utc", "description")
    return bool(newest) and all(a_text(event.get(k)) == a_text(newest.get(k)) for k in same)


def _number(item: Map) -> str:
    """The number of an item, which the first version of 17TRACK's own page calls `no`."""
    return first_text(item.get("number"), item.get("no"))


def _told(item: Map) -> bool:
    return any(a_map(item.get(name)) for name in ("track_info", "track", "shipment"))


def _silent(item: Map) -> Track:
    """An accepted number of which nothing was heard yet."""
    number = _number(item)
    if not number:
        raise ValueError("a 17TRACK item without a tracking number")
    # `gettracklist` tells the main status of each number and nothing else.
    status, cause = read_status(first_text(item.get("package_status"), item.get("track_status")))
    carrier = carrier_slug(item.get("carrier"))
    if status is Status.UNKNOWN and not cause:
        cause = "no_data_yet"
    return Track(carrier, number, status=status, cause=cause, source=KIND)


RETURNS = frozenset({"Exception_Returning", "Exception_Returned"})
GOES_ON = frozenset({"InTransit", "OutForDelivery", "AvailableForPickup", "DeliveryFailure", "Delivered"})
"""Words for the whole after which a parcel that was not taken is on its way to the buyer all the same."""
NOT_TAKEN = {"Exception_Rejected": "refused_attempt", "Exception_NoBody": "not_home"}
"""What these were where the journey went on. Where it did not, the parcel goes back (facts 6.1), and a delivery after
that is one to its sender: a parcel that was refused once and delivered the next day would be told as returned."""
STAGES = {"PickedUp": "InTransit_PickedUp", "Departure": "InTransit_Departure", "Arrival": "InTransit_Arrival"} | {
    "Returning": "Exception_Returning",
    "Returned": "Exception_Returned",
}
"""What a milestone's name (`stage`, `key_stage`) is as a sub-status."""
V1 = {"10": "InTransit", "20": "Expired", "30": "AvailableForPickup", "35": "DeliveryFailure", "40": "Delivered"} | {
    "0": "NotFound",
    "50": "Exception",
}
"""The main statuses as numbers, as v1 of the API gave them (facts 5.1)."""


def _read_v1(number: str, track: Map) -> Track:
    """A track of the API's first version: events are words and a wall clock, and only the newest has a status."""
    newest = a_map(track.get("z0"))
    main = V1.get(a_text(track.get("e")), "")
    scans: list[Scan] = []
    # What the third list holds beside those of the two miles is not documented: what they have not, it adds.
    first, last = maps(track.get("z1")), maps(track.get("z2"))
    more = [e for e in maps(track.get("z9")) if e not in first and e not in last]
    for mile, key in ((first, "w1"), (last, "w2"), (more, "w1")):
        carrier = carrier_slug(track.get(key))
        for event in reversed(mile):
            alike = all(event.get(k) == newest.get(k) for k in ("a", "z"))
            scans.append(_scan_v1(event, main if alike else "", carrier))
    if not scans and newest:
        scans = [_scan_v1(newest, main, carrier_slug(track.get("w1")))]
    scans.sort(key=instant)
    status, cause = read_status(main)
    carrier, other = carrier_slug(track.get("w1")), carrier_slug(track.get("w2"))
    second = {"local_key": track.get("w2")} if carrier and other not in {"", carrier} else {}
    legs = _legs(number, carrier, [carrier], scans, second)
    return Track(carrier or other, number, tuple(scans), status, cause, legs=legs, source=KIND)


def _scan_v1(event: Map, main: str, carrier: str) -> Scan:
    time = when(a_text(event.get("a")))
    status, cause = read_status(main) if main else (Status.UNKNOWN, "")
    place = first_text(event.get("c"), event.get("d"))
    return Scan(
        raw_code=main,
        raw_text=a_text(event.get("z")),
        raw_time=time.raw_time,
        at=time.at,
        local=time.local,
        offset_from=time.offset_from,
        status=status,
        cause=cause,
        place=Place(place),
        carrier=carrier,
        source=KIND,
    )


def read(body: bytes) -> list[Track]:
    """Every track in a raw answer or push, or in a list of them; ValueError where it is none of 17TRACK's."""
    answers = maps(parse_bodies(body, WHO))
    tracks = [read_track(item) if _told(item) else _silent(item) for answer in answers for item in _items(answer)]
    if not tracks:
        raise ValueError(f"17TRACK: {'; '.join(filter(None, map(_why, answers))) or 'neither an answer nor a push'}")
    return tracks


def _items(answer: Map) -> Sequence[Map]:
    """The trackings of an answer, of a push, of what 17TRACK's own page is answered (today and in its first version),
    or bare."""
    data = next((answer[name] for name in ("data", "shipments", "dat") if name in answer), answer)
    return [i for i in maps(a_map(data).get("accepted", data)) if _number(i)]


def _why(answer: Map) -> str:
    """Why an answer holds no tracking, in its own words; empty where it does not say."""
    data = a_map(answer.get("data"))
    rejected = [
        (f"{a_text(r.get('number'))} was rejected: ", a_map(r.get("error"))) for r in maps(data.get("rejected"))
    ]
    faults = rejected or [("", fault) for fault in maps(data.get("errors")) or (answer,)]
    return ", ".join(
        f"{whose}error {code} {a_text(fault.get('message'))}".strip()
        for whose, fault in faults
        if (code := a_text(fault.get("code"))) not in {"", "0"}
    )


def _summary(info: Map, country: str, origin: str, destination: str) -> tuple[Status, str]:
    latest = a_map(info.get("latest_status"))
    code = a_text(latest.get("sub_status")) or a_text(latest.get("status"))
    status, cause = read_status(code, country, origin, destination)
    if status is Status.UNKNOWN and not cause:
        return read_status(a_text(latest.get("status")))
    return status, cause


def _slugs(providers: Sequence[Map]) -> list[str]:
    return [carrier_slug(a_map(p.get("provider")).get("key")) for p in providers]


def _synced(providers: Sequence[Map]) -> datetime | None:
    times = (utc(a_moment(p.get("latest_sync_time"))) for p in providers)
    return max((t for t in times if t is not None), default=None)


def _eta(info: Map, carrier: str, said_at: datetime | None) -> Window | None:
    said = a_map(a_map(info.get("time_metrics")).get("estimated_delivery_date"))
    days = [a_moment(said.get(end)) for end in ("from", "to")]
    ends = sorted(d.replace(tzinfo=d.tzinfo or UTC) for d in days if d is not None)
    if not ends:
        return None
    official = a_text(said.get("source")).casefold() == "official"
    return Window(ends[0], ends[-1], carrier if official and carrier else KIND, said_at)


def _legs(number: str, carrier: str, listed: Sequence[str], scans: Sequence[Scan], misc: Map) -> tuple[Leg, ...]:
    """Who carries it under which number; one carrier with one number needs no telling. Carriers go by when each first
    had the parcel, since a provider's place in the list says nothing; those who only announced it come after."""
    local, last = a_text(misc.get("local_number")), carrier_slug(misc.get("local_key"))
    if len(listed) < 2 and not local and not last:
        return ()
    had = [s.carrier for s in scans if s.status is not Status.LABEL_CREATED]
    silent = [carrier] if (carrier in listed or local or last) and carrier not in had else []
    order = [c for c in dict.fromkeys((*silent, *had, *(s.carrier for s in scans), *listed)) if c and c != last]
    if not last and len(order) > 1:
        last = order.pop()
    if not (last and order) and local in {"", number}:
        return ()
    return (*(Leg(c, number, Role.FIRST_MILE) for c in order), Leg(last, local or number, Role.LAST_MILE))


def parsed(body: bytes) -> Map:
    """The object of a body; ValueError where it is none."""
    found = parse_json(body, WHO)
    if not isinstance(found, dict):
        raise ValueError("17TRACK sent JSON that is no object")  # noqa: TRY004 - what a caller handles is ValueError
    return found
