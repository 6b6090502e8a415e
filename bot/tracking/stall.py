"""Two alarms of a parcel that may not come as it should: probably late, and silent for longer than usual.

*Late* is for the buyer: the chance that the promised day is missed. *Silence* is for staff: quiet time against
the stage's own table, so that no lane is always alarmed. Both are read off the present and clear by themselves.
What stands still for a known cause is silent, but no stall; a feed that is down says nothing about any parcel.
"""

from datetime import date, datetime

from msgspec import Struct

from bot.model.parcels import Parcel
from bot.model.tracks import Status
from bot.tracking.course import State
from bot.tracking.eta import ENOUGH, Basis, Route, Tables, chain, last_day, locate, quiet, read
from bot.tracking.numbers import not_tracked_through
from bot.tracking.stages import Stage, Whereabouts
from bot.tracking.vocabulary import terminal

THETA = 0.5
"""From this risk on the buyer is told. Nearer 0.8 few false warnings, nearer 0.35 earlier ones."""
ALPHA, ALPHA_CUSTOMS = 0.05, 0.02
"""Staff hear of a parcel that is quieter than all but this share; fewer of those in customs, which is slow."""
EXPRESS = frozenset({"dhl", "fedex", "ups", "tnt", "sf"})
PATIENCE = {
    Stage.LABEL: (5, 5),
    Stage.EXPORT: (7, 10),
    Stage.IMPORT: (7, 7),
    Stage.HELD: (3, 7),
    Stage.OUT_FOR_DELIVERY: (2, 3),
}
USUAL_PATIENCE = (3, 10)
"""Days of quiet that are borne, express and postal, while a stage has not been seen often enough (facts §7.4)."""

CAUSES = {
    "duty_due": "duty_due",
    "payment_needed": "duty_due",
    "info_required": "documents",
    "documents": "documents",
    "address": "address",
    "address_problem": "address",
    "held": "held",
    "delay_weather": "weather",
}
"""What explains that nothing moves, by the parcel's cause."""


class Late(Struct, frozen=True):
    """The promised day will probably be missed; `risk` is 1 once it has passed."""

    promised: date
    risk: float
    basis: Basis | None


class Silence(Struct, frozen=True):
    """No move for `quiet` days, longer than all but a few of the `seen` like it (0: by our own rule), which bear
    `usual` days at most. `cause` names what explains it: then it is no stall, yet staff may have to act."""

    stage: Stage
    quiet: int
    usual: int
    seen: int
    cause: str = ""

    @property
    def stall(self) -> bool:
        """Whether nothing explains it."""
        return not self.cause


def late(
    parcel: Parcel, route: Route, now: datetime, tables: Tables, theta: float = THETA, promised: date | None = None
) -> Late | None:
    """Whether the parcel will probably miss the day: `promised`, or the route's own promise."""
    promised = promised or route.promised
    if promised is None:
        return None
    where = locate(parcel, route, now)
    if where is None:
        return None
    today = now.astimezone(route.zone).date()
    reading = read(where, route, today, tables, last_day(parcel.eta))
    if reading is None:
        return Late(promised, 1.0, None) if today > promised else None
    risk = reading.late_risk(today.toordinal(), promised.toordinal())
    return Late(promised, risk, reading.basis) if risk is not None and risk >= theta else None


def silence(
    parcel: Parcel,
    route: Route,
    now: datetime,
    tables: Tables,
    alpha: float | None = None,
    feed_down_since: datetime | None = None,
    where: Whereabouts | None = None,
) -> Silence | None:
    """Whether the parcel has been quiet for longer than usual in its stage; None while that cannot be told.

    `where` is what `locate` said, where the caller knows it already.
    """
    state, tracked = State(parcel.status, parcel.cause), not not_tracked_through(parcel.carrier, parcel.number)
    if feed_down_since is not None or _may_stand(state, tracked=tracked):
        return None
    where = where or locate(parcel, route, now)
    return still(where, state, route, now, tables, alpha, tracked=tracked) if where is not None else None


def still(
    where: Whereabouts,
    state: State,
    route: Route,
    now: datetime,
    tables: Tables,
    alpha: float | None = None,
    *,
    tracked: bool = True,
) -> Silence | None:
    """`silence` of any parcel that stands so and there; `tracked` tells whether it is scanned all the way."""
    if _may_stand(state, tracked=tracked):
        return None
    # By the morning of a day only the days before it are over.
    days = (now.astimezone(route.zone).date() - where.moved).days
    keys = chain(route.service, route.origin, route.destination)
    share = alpha or (ALPHA_CUSTOMS if where.stage is Stage.IMPORT else ALPHA)
    lanes = tables.of(quiet(where.stage))
    seen = lanes.evidence(keys, ENOUGH)
    usual = lanes.borne(keys, share) + 1 if seen is not None else _patience(where.stage, route.carrier)
    if days < usual:
        return None
    return Silence(where.stage, days, usual, seen.ended if seen is not None else 0, explained(state, where.stage))


def explained(state: State, stage: Stage) -> str:
    """What explains that nothing moves: customs, duty_due, documents, address, held, weather, no_first_scan."""
    if (cause := CAUSES.get(state.cause)) is not None:
        return cause
    if stage is Stage.LABEL:
        return "no_first_scan"
    return "customs" if state.status is Status.CUSTOMS or stage is Stage.IMPORT else ""


def _may_stand(state: State, *, tracked: bool) -> bool:
    """Whether standing still is right: it has ended, waits for its buyer, or is not scanned on its way."""
    if terminal(state.status, state.cause) or state.status is Status.PICKUP_READY:
        return True
    return not tracked and state.status not in {Status.UNKNOWN, Status.LABEL_CREATED}


def _patience(stage: Stage, carrier: str) -> int:
    express, postal = PATIENCE.get(stage, USUAL_PATIENCE)
    return express if carrier in EXPRESS else postal
