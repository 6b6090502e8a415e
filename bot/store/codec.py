"""How values become JSON in a column and values again. A column that cannot be read is a defect: it raises."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from bot.model.conversations import Conversation
from bot.model.events import Notice, StaffAct, Tick
from bot.model.messages import Address, Outbound, Receipt
from bot.model.orders import OrderUpdate
from bot.model.tracks import Track, TrackUpdate

T = TypeVar("T")

_encoder = msgspec.json.Encoder()
encode = _encoder.encode
_conversation = msgspec.json.Decoder(Conversation).decode
outbound = msgspec.json.Decoder(Outbound).decode
track = msgspec.json.Decoder(Track).decode

_OURS = (Notice, Receipt, StaffAct, Tick, OrderUpdate, TrackUpdate)
INTERNAL: dict[str, Callable[[bytes], Any]] = {kind.__name__: msgspec.json.Decoder(kind).decode for kind in _OURS}
"""Events that we make ourselves; stored under the port `wismo` with their kind in front."""


def record(lane: str, state: bytes) -> Conversation:
    """A conversation by its column; a fresh one for a lane never seen."""
    return _conversation(state) if state else Conversation(Address.parse(lane.removeprefix("c/")))


def pack(event: object) -> bytes:
    """One of our own events as bytes: its kind, a newline, its JSON."""
    return type(event).__name__.encode() + b"\n" + encode(event)


def unpack(body: bytes) -> Any:
    """The inverse of `pack`; ValueError where it is none of ours."""
    kind, _, raw = body.partition(b"\n")
    read = INTERNAL.get(kind.decode(errors="replace"))
    if read is None:
        raise ValueError("not one of our own events")
    return read(raw)


def reader(kind: type[T]) -> Callable[[bytes], T]:
    """`decode` for one kind, made once: for values that are read by the million."""
    return msgspec.json.Decoder(kind).decode


def decode(raw: bytes, kind: type[T]) -> T:
    """A JSON column as a value of `kind`."""
    return msgspec.json.decode(raw, type=kind)
