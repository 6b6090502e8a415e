"""A parcel's course through its statuses, one scan after the other (`facts/carriers.md` §6.2)."""

from collections.abc import Iterable

from msgspec import Struct

from bot.model.tracks import Scan, Status
from bot.tracking.vocabulary import rank, terminal


class State(Struct, frozen=True):
    """A status with its cause."""

    status: Status
    cause: str = ""


START = State(Status.UNKNOWN)

_DATA_MAY_SAY = frozenset({Status.LABEL_CREATED, Status.CUSTOMS, Status.EXCEPTION, Status.RETURNING})
_BEFORE_LEAVING = frozenset({Status.UNKNOWN, Status.LABEL_CREATED, Status.ACCEPTED})
_AT_THE_DOOR = frozenset(
    {
        Status.OUT_FOR_DELIVERY,
        Status.DELIVERY_ATTEMPTED,
        Status.PICKUP_READY,
        Status.DELIVERED,
        Status.RETURNING,
        Status.RETURNED,
    }
)


def course(scans: Iterable[Scan], origin: str, destination: str) -> State:
    """Where the parcel stands after these scans, oldest first. Countries are ISO alpha-2 or empty."""
    state = START
    for scan in scans:
        state = _step(state, scan, origin, destination)
    return state


def _step(state: State, scan: Scan, origin: str, destination: str) -> State:
    if scan.status is Status.UNKNOWN or not (scan.physical or scan.status in _DATA_MAY_SAY):
        return state
    said = State(scan.status, scan.cause)
    if terminal(state.status, state.cause):
        return _after_the_end(state, said, scan)
    where = _where(scan, origin, destination)
    if state.status is Status.RETURNING:
        abroad = bool(origin and destination) and origin != destination
        return _on_the_way_back(state, said, where if abroad else "origin")
    if said.status is Status.DELIVERED and where == "origin":
        # The first mile's carrier brought it to the next one: the buyer lives in another country.
        said = State(Status.IN_TRANSIT, "handed_to_partner")
    if _changes_nothing(state, scan, origin, destination):
        return state
    if said.status is Status.ACCEPTED and state.status not in _BEFORE_LEAVING:
        return _taken_over(state)
    return said


def _changes_nothing(state: State, scan: Scan, origin: str, destination: str) -> bool:
    if scan.status is Status.LABEL_CREATED:
        return rank(state.status) > rank(Status.LABEL_CREATED)
    if scan.status is Status.CUSTOMS:
        return _only_declared(state, scan, destination)
    return state.status is Status.CUSTOMS and _customs_hold(state, scan, origin, destination)


def _after_the_end(state: State, said: State, scan: Scan) -> State:
    """Only a physical scan reopens: a delivery by a return, a loss or a cancelled label by any movement."""
    if not scan.physical or said.status is Status.LABEL_CREATED:
        return state
    if state.status is Status.DELIVERED:
        if said.status in {Status.RETURNING, Status.RETURNED}:
            return said
        return State(Status.DELIVERED, said.cause or state.cause) if said.status is Status.DELIVERED else state
    if state.status is Status.RETURNED:
        return State(Status.RETURNED, said.cause or state.cause) if said.status is Status.RETURNED else state
    return said


def _on_the_way_back(state: State, said: State, where: str) -> State:
    """A parcel that goes back is scanned like any other; "delivered" is then to its sender: within one country at
    once, from abroad where the place says so. Out for delivery in the buyer's country it is the buyer's after all; a
    mere "delivered" there may be the warehouse that takes returns."""
    if said.status in {Status.RETURNING, Status.RETURNED}:
        return State(said.status, said.cause or state.cause)
    if said.status is Status.EXCEPTION and terminal(said.status, said.cause):
        return said
    if said.status is Status.DELIVERED and where == "origin":
        return State(Status.RETURNED, state.cause)
    again = said.status in {Status.OUT_FOR_DELIVERY, Status.PICKUP_READY}
    return said if again and where == "destination" else state


def _where(scan: Scan, origin: str, destination: str) -> str:
    country = scan.place.country
    if not country or not origin or not destination or origin == destination:
        return ""
    return {origin: "origin", destination: "destination"}.get(country, "")


def _only_declared(state: State, scan: Scan, destination: str) -> bool:
    """An import declaration sent before the parcel left is not arrival (§6.2.3)."""
    declared = scan.cause == "import_processing" and state.status in _BEFORE_LEAVING
    return declared and not (scan.physical and destination and scan.place.country == destination)


def _customs_hold(state: State, scan: Scan, origin: str, destination: str) -> bool:
    """Customs lets go by its own word, or by a later physical movement beyond it (§6.2.3)."""
    if state.cause in {"released", "export_processing", "duty_paid"} or scan.status in _AT_THE_DOOR:
        return False
    if scan.status is Status.EXCEPTION:
        return not terminal(scan.status, scan.cause)
    if scan.status is Status.DEPARTED_ORIGIN:
        return bool(origin) and scan.place.country not in {"", origin}
    return bool(destination) and scan.place.country != destination


def _taken_over(state: State) -> State:
    """The next carrier took it: movement, yet not a step back to the start."""
    moving = {Status.IN_TRANSIT, Status.DEPARTED_ORIGIN, Status.ARRIVED_DESTINATION}
    late = rank(state.status) >= rank(Status.OUT_FOR_DELIVERY)
    return state if state.status in moving or late else State(Status.IN_TRANSIT)
