"""A conversation's record after hearing from its person, and what a turn knows after hearing from a carrier. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from bot.dialog.identity import e164
from bot.model.conversations import Conversation
from bot.model.events import StaffAct
from bot.model.messages import Address, Inbound, Kind
from bot.model.orders import Consent
from bot.model.tracks import TrackUpdate
from bot.proactive.pushes import ADVERTISING, UPDATES
from bot.store.gathering import Gathered
from bot.tracking.timeline import apply


def heard(conversation: Conversation, message: Inbound, country: str) -> Conversation:
    """The record after hearing from the person: reachable again, when last, under which name and phone."""
    if message.kind in _ADVERTISING:
        return conversation
    if message.kind == Kind.BLOCKED:
        return replace(conversation, reachable=False)
    if message.kind == Kind.MOVED:
        return replace(_another(conversation), phone="", reachable=False)
    shared = message.contact.phone if message.contact is not None and message.contact.own else ""
    told = message.phone or shared
    # The number we know is written as we write numbers: to read it again at every message takes 50 us.
    phone = conversation.phone if told == conversation.phone else e164(told, country) or conversation.phone
    if conversation.phone and phone != conversation.phone:
        # Another person has this chat now: what the one before proved ends.
        conversation = _another(conversation)
    return replace(
        conversation,
        reachable=True,
        last_inbound_at=max(message.at, conversation.last_inbound_at or message.at),
        name=message.name or conversation.name,
        phone=phone,
    )


_ADVERTISING = {Kind.ADVERTISING_ON: True, Kind.ADVERTISING_OFF: False}


def switched(messages: Sequence[Inbound]) -> tuple[Consent, ...]:
    """What the ledger keeps of a platform's own switch for advertising; what a parcel has to tell goes on."""
    return tuple(
        Consent(ADVERTISING, m.sender.channel, m.at, _ADVERTISING[m.kind]) for m in messages if m.kind in _ADVERTISING
    )


def followed(record: Conversation, consents: Sequence[Consent]) -> tuple[int, ...]:
    """The orders that a chat is told of once it has asked for it; a buyer who is known is found by their orders."""
    if not any(c.given and c.purpose == UPDATES for c in consents):
        return ()
    return tuple(p.order for p in record.proofs if p.order is not None)


def in_threads(acts: Sequence[StaffAct], cases: Mapping[tuple[Address, str], int]) -> tuple[StaffAct, ...]:
    """Acts of staff, those from a chat platform with the case in whose thread they were done; `cases` by channel and
    thread."""
    return tuple([replace(a, case=cases.get((a.surface, a.thread))) if a.surface else a for a in acts])


def _another(conversation: Conversation) -> Conversation:
    """The record without what one person proved and spoke of: somebody else may write here now."""
    return replace(conversation, buyer=None, proofs=(), focus=None, pending=None, offered=())


def refreshed(gathered: Gathered, updates: Sequence[TrackUpdate], now: datetime) -> Gathered:
    """The dossiers with what was just heard from a carrier; the parcel's own lane writes it down."""
    if not updates:
        return gathered
    fresh = {u.track.number: u.track for u in updates}
    found = {}
    for i, dossier in gathered.found.items():
        parcels = tuple(
            replace(apply(p, fresh[p.number], now)[0], checked_at=now) if p.number in fresh else p
            for p in dossier.parcels
        )
        found[i] = replace(dossier, parcels=parcels)
    return replace(gathered, found=found)
