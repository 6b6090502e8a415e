"""Which of the orders that are due need not be read: nothing on their footings is news. Pure."""

from collections.abc import Callable, Set
from datetime import datetime

from bot.proactive.announce import Rules, settled
from bot.proactive.expecting import Edition, Expectations
from bot.proactive.footing import MOST, Footing


class Skim:
    """What was found of orders' footings, kept as they are stored: those of which nothing is news this hour, by these
    tables and while no other source is down.

    `read` gives the footings of a stored value.
    """

    def __init__(self, expectations: Expectations, rules: Rules, read: Callable[[bytes], tuple[Footing, ...]]) -> None:
        self._expectations = expectations
        self._rules = rules
        self._read = read
        self._settled: set[bytes] = set()
        self._of: tuple[Edition, Set[str]] | None = None

    def settled(self, down: Set[str], now: datetime) -> Set[bytes]:
        """Of what was asked about before, that which holds no news; `down` are sources that give no answer."""
        of = (self._expectations.edition(now), down)
        if self._of != of or len(self._settled) >= MOST:
            self._of, self._settled = of, set()
        return self._settled

    def holds_news(self, footings: bytes, down: Set[str], now: datetime) -> bool:
        """Whether an order on these footings has to be read; one without any has."""
        if not footings:
            return True
        if footings in self.settled(down, now):
            return False
        for one in self._read(footings):
            # Of a parcel whose source gives no answer nobody can say how it stands.
            if {one.source, one.carrier} & down:
                return True
            if not settled(one.told, self._expectations.of(one, now), self._rules):
                return True
        self._settled.add(footings)
        return False
