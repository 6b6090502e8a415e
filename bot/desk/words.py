"""How the desk tells times, to staff, in the shop's zone."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo


def span(length: timedelta) -> str:
    """A length of time as people say it: 12 min, 3 h, 2 days."""
    minutes = int(abs(length.total_seconds()) // 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h"
    return f"{minutes // (24 * 60)} days"


def filters(zone: ZoneInfo, now: Callable[[], datetime]) -> dict[str, Callable[..., Any]]:
    """The pages' filters: `moment` is day and time, `clock` the time, `ago` how long it is."""

    def moment(at: datetime) -> str:
        local = at.astimezone(zone)
        if local.date() == now().astimezone(zone).date():
            return f"{local:%H:%M}"
        return f"{local.day} {local:%b %H:%M}"

    return {
        "moment": moment,
        "clock": lambda at: f"{at.astimezone(zone):%H:%M}",
        "day": lambda at: f"{at.astimezone(zone):%A} {at.astimezone(zone).day} {at.astimezone(zone):%B %Y}",
        "iso": lambda at: at.astimezone(zone).isoformat(timespec="seconds"),
        "span": span,
    }
