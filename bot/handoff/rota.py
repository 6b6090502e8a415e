"""Who works when, which queue a case belongs to, and how fast people mean to answer. Pure."""

from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from bot.model.hours import Hours

DEFAULT = "default"
"""The queue of whatever no other queue takes."""


class Queue(Struct, frozen=True):
    """Which cases come here. An empty set takes any."""

    name: str
    kinds: frozenset[str] = frozenset()
    locales: frozenset[str] = frozenset()
    shops: frozenset[str] = frozenset()

    def takes(self, shop: str, locale: str, kind: str) -> bool:
        """Whether a case of this shop, language and kind belongs here."""
        pairs = ((self.kinds, kind), (self.locales, locale.split("-", maxsplit=1)[0]), (self.shops, shop))
        return all(not wanted or given in wanted for wanted, given in pairs)


class Person(Struct, frozen=True):
    """A member of staff. `hours` None is the shop's own; `absent` are first and last days away, in the shop's zone.

    `queues` and `locales` empty stand for all of them.
    """

    name: str
    hours: Hours | None = None
    absent: tuple[tuple[date, date], ...] = ()
    queues: frozenset[str] = frozenset()
    locales: frozenset[str] = frozenset()


class Rules(Struct, frozen=True):
    """The shop's timetable and promises. Minutes and hours are of opening time.

    `ping_minutes` is how long somebody who was called has before the next rung; `handback_hours` is how long a
    person may be silent before the bot speaks again.
    """

    hours: Hours
    zone: ZoneInfo
    answer_minutes: int = 60
    next_minutes: int = 60
    resolve_hours: int = 16
    ping_minutes: int = 10
    handback_hours: int = 4
    queues: tuple[Queue, ...] = ()
    people: tuple[Person, ...] = ()

    @property
    def queue_names(self) -> tuple[str, ...]:
        """Every queue that a case can be in."""
        return tuple(dict.fromkeys((*(q.name for q in self.queues), DEFAULT)))

    def queue_for(self, shop: str, locale: str, kind: str) -> str:
        """The first queue that takes such a case."""
        return next((q.name for q in self.queues if q.takes(shop, locale, kind)), DEFAULT)

    def after(self, at: datetime, minutes: float) -> datetime:
        """When so many minutes of opening time will have passed."""
        return self.hours.after(at, max(1, round(minutes)), self.zone)

    def there(self, person: Person, at: datetime) -> bool:
        """Whether this person works now."""
        day = at.astimezone(self.zone).date()
        away = any(first <= day <= last for first, last in person.absent)
        return not away and (person.hours or self.hours).open_at(at, self.zone)

    def on_shift(self, queue: str, locale: str, at: datetime) -> tuple[str, ...]:
        """Who could take a case of this queue now: first those who speak its language."""
        there = [p for p in self.people if (not p.queues or queue in p.queues) and self.there(p, at)]
        spoken = locale.split("-", maxsplit=1)[0]
        return tuple(p.name for p in sorted(there, key=lambda p: bool(p.locales) and spoken not in p.locales))

    def next_person(self, queue: str, locale: str, at: datetime, paged: Sequence[str]) -> str:
        """Whom to call next: somebody there who was not called yet, else who was called longest ago; or empty."""
        there = self.on_shift(queue, locale, at)
        fresh = [name for name in there if name not in paged]
        called = sorted((name for name in there if name in paged), key=lambda n: _last(paged, n))
        return next(iter([*fresh, *called]), "")


def _last(paged: Sequence[str], name: str) -> int:
    return max(i for i, n in enumerate(paged) if n == name)
