"""The two times. Business time can be turned forward in the sandbox; machine time cannot.

Due times, windows, quiet hours and proof use `Clock.now()`, handed down as `now`. Leases, backoff, rate
buckets and signature windows use the database's or the machine's own clock and never this one.
"""

from datetime import UTC, datetime, timedelta


class Clock:
    """Business time, in UTC."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        """The business instant, always aware and in UTC."""
        return datetime.now(UTC) + self.ahead

    def forward(self, by: timedelta) -> None:
        """Turn the clock on; it never goes back, since decisions already rest on it."""
        if by < timedelta(0):
            raise ValueError("the clock is only ever turned forward")
        self.ahead += by
