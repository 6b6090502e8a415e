"""The one gate that everything unasked passes, judged when it would leave. Pure.

    consent     of this purpose, by the ledger, and not stopped since
    speaker     nobody of the staff has the conversation (then it becomes a note for them)
    reach       the person has not blocked us
    still news  not expired, said once, and what it builds on was said
    quiet       it is day in the buyer's zone; where the zone is not known, in all zones of their country
    calendar    where the seller wishes: no weekend and no holiday of the buyer's country
    caps        one calm message a buyer a day, and a bound on urgent ones
    window      free text where the platform takes it, else the approved template, else nothing

Times are UTC but for the quiet hours, which are minutes of the local day.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays
from msgspec import Struct

# A batch of pushes is judged at one instant, and most of it in a handful of zones: what depends on these alone is kept.

STEP = timedelta(minutes=15)
"""Zones differ by quarters of an hour at the finest."""
FREE_TEXT = timedelta(hours=24)
"""After the buyer's last message a platform with a window takes free text so long."""


class House(Struct, frozen=True):
    """The seller's rules. `quiet` is (from, to) in minutes of the local day and may pass midnight; `digest` the
    minute from which a calm message of the next day leaves; `business` keeps calm ones to business days."""

    quiet: tuple[int, int] = (21 * 60, 8 * 60)
    calm_a_day: int = 1
    urgent_a_day: int = 6
    digest: int = 10 * 60
    business: bool = False


class Ledger(Struct, frozen=True):
    """What left for a buyer: keys ever, and how many calm and urgent ones in their present day."""

    said: frozenset[str] = frozenset()
    calm: int = 0
    urgent: int = 0


class Asked(Struct, frozen=True):
    """A push at the gate. `zones` are those that the buyer may live in; `window` tells a channel that takes free
    text only for a while after `heard`; `approved` whether it could go as an approved template."""

    key: str
    urgent: bool
    consent: bool
    reachable: bool
    held: bool
    zones: tuple[ZoneInfo, ...]
    country: str
    expires: datetime | None = None
    needs: str = ""
    window: bool = False
    heard: datetime | None = None
    approved: bool = False
    ledger: Ledger = Ledger()


class Verdict(Struct, frozen=True):
    """`go` now (`template` tells: as an approved one), `wait` until, `note` for the staff, or `drop`; and why."""

    what: str
    rule: str
    until: datetime | None = None
    template: bool = False


def judge(asked: Asked, house: House, now: datetime) -> Verdict:
    """Whether a push may leave now."""
    refused = _refused(asked, now)
    if refused:
        return Verdict("drop", refused)
    if asked.held:
        return Verdict("note", "gate.a_person_speaks")
    day = awake(asked.zones, house.quiet, now)
    if day > now:
        return _later(asked, day, "gate.quiet_hours")
    if house.business and not asked.urgent and not business_day(asked.country, _local(asked, now).date()):
        return _later(asked, _next_morning(asked, house, now), "gate.not_a_business_day")
    sent, most = (asked.ledger.urgent, house.urgent_a_day) if asked.urgent else (asked.ledger.calm, house.calm_a_day)
    if sent >= most:
        return _later(asked, _next_morning(asked, house, now), "gate.enough_for_today")
    closed = asked.window and (asked.heard is None or now - asked.heard >= FREE_TEXT)
    if closed and not asked.approved:
        return Verdict("drop", "gate.window_closed")
    return Verdict("go", "gate.passed", template=closed)


def _refused(asked: Asked, now: datetime) -> str:
    if not asked.consent:
        return "gate.no_consent"
    if not asked.reachable:
        return "gate.unreachable"
    if asked.key in asked.ledger.said:
        return "gate.said_already"
    if asked.needs and asked.needs not in asked.ledger.said:
        return "gate.first_part_was_not_said"
    return "gate.expired" if asked.expires is not None and asked.expires <= now else ""


def _later(asked: Asked, until: datetime, rule: str) -> Verdict:
    if asked.expires is not None and asked.expires <= until:
        return Verdict("drop", rule + ".until_it_is_no_news")
    return Verdict("wait", rule, until)


def _local(asked: Asked, at: datetime) -> datetime:
    return at.astimezone(asked.zones[0])


def _next_morning(asked: Asked, house: House, now: datetime) -> datetime:
    """The next day's hour for calm messages, on a business day where only those count."""
    zone, local = asked.zones[0], _local(asked, now)
    for ahead in range(1, 15):
        day = local.date() + timedelta(days=ahead)
        if not house.business or asked.urgent or business_day(asked.country, day):
            break
    hour = time(house.digest // 60, house.digest % 60)
    return awake(asked.zones, house.quiet, datetime.combine(day, hour, zone).astimezone(UTC))


@lru_cache(maxsize=1024)
def awake(zones: tuple[ZoneInfo, ...], quiet: tuple[int, int], at: datetime) -> datetime:
    """The first instant from `at` on that is in nobody's quiet hours; where the zones of a country never are awake
    together within two days, the first zone's alone. Where even that never is, two days on: to be judged again."""
    for candidates in (zones, zones[:1]):
        if all(not _quiet(zone, quiet, at) for zone in candidates):
            return at
        later = at.replace(minute=at.minute - at.minute % 15, second=0, microsecond=0)
        for _ in range(2 * 24 * 4):
            later += STEP
            if all(not _quiet(zone, quiet, later) for zone in candidates):
                return later
    return at + timedelta(days=2)


@lru_cache(maxsize=1024)
def until_quiet(zones: tuple[ZoneInfo, ...], quiet: tuple[int, int], at: datetime) -> datetime:
    """The first instant from `at` on, which is in nobody's quiet hours, that is in somebody's: what has not left by
    then must not leave before it was judged again."""
    starts = []
    for zone in zones:
        local = at.astimezone(zone)
        start = datetime.combine(local.date(), time(quiet[0] // 60, quiet[0] % 60), zone)
        starts.append(start if start > local else start + timedelta(days=1))
    return min(starts).astimezone(UTC)


def _quiet(zone: ZoneInfo, quiet: tuple[int, int], at: datetime) -> bool:
    local = at.astimezone(zone)
    minute, (start, end) = local.hour * 60 + local.minute, quiet
    return start <= minute < end if start <= end else minute >= start or minute < end


@lru_cache(maxsize=1024)
def local_day(zone: ZoneInfo, at: datetime) -> tuple[datetime, datetime]:
    """The first instant of the local day and of the next, UTC."""
    day = at.astimezone(zone).date()
    start, end = (datetime.combine(d, time(), zone).astimezone(UTC) for d in (day, day + timedelta(days=1)))
    return start, end


def business_day(country: str, day: date) -> bool:
    """Whether people work there on that day. A country without a calendar rests on Saturday and Sunday."""
    calendar = _calendar(country)
    if calendar is None:
        return day.weekday() < 5
    return calendar.is_working_day(day)


@lru_cache(maxsize=256)
def _calendar(country: str) -> holidays.HolidayBase | None:
    try:
        return holidays.country_holidays(country)
    except (NotImplementedError, KeyError):
        return None
