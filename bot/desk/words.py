"""How the desk tells times, to staff, in the shop's zone."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bot.desk.transcript import markup


def span(length: timedelta) -> str:
    """A length of time as people say it: 12 min, 3 h, 2 days."""
    minutes = int(abs(length.total_seconds()) // 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h"
    return f"{minutes // (24 * 60)} days"


NAMES = {"whatsapp": "WhatsApp", "telegram": "Telegram", "slack": "Slack", "none": "no chat"}


def platform(kind: str) -> str:
    """A channel's name as its makers write it."""
    return NAMES.get(kind, kind.capitalize())


def date_of(day: date) -> str:
    """A day, short: 26 Nov."""
    return f"{day.day} {day:%b %Y}"


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
        "date": date_of,
        "platform": platform,
        "span": span,
        "runs": markup,
        "words": lambda code: str(code).replace("_", " "),
        "person": lambda holder: str(holder).removeprefix("staff:"),
    }
