"""The outbox's way to desks. To the sender a desk is one more channel, of the kind `desk`.

What leaves is worded now and not when it was written: a card that waited for an outage to end shows how things
stand. A case whose thread is missing gets one first.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

import structlog
from msgspec import Struct
from msgspec.structs import replace

from bot.dialog.turn import Desk as Hours
from bot.dialog.turn import Dossier, Facts, Shop
from bot.errors import Refused
from bot.handoff.card import buttons, card_facts
from bot.model.clock import Clock
from bot.model.events import Event
from bot.model.markup import plain
from bot.model.messages import Address, Choice, Inbound, Limits, Outbound, Reply
from bot.ports import Channel, Desk, Item, Rate
from bot.render import Renderer, read_phrases
from bot.store import Store
from bot.store.desks import CaseFile, Said

KIND = "desk"
LAST_SAID = 8
STAFF_LOCALE = "en"
"""Staff read one language today."""

log = structlog.get_logger()


class Office(Struct, frozen=True):
    """What all desks of a shop share. `decode` reads what a port stored."""

    store: Store
    renderer: Renderer
    shop: Shop
    hours: Callable[[datetime], Hours]
    clock: Clock
    decode: Callable[[str, Item], Event | None]


def _card_id(case: int) -> str:
    """By which a case's card is found again."""
    return f"case-{case}"


class Courier(Channel):
    """One desk, by the key under which it stands in the config."""

    kind = KIND
    limits = Limits(text=40_000, caption=3000, buttons=25, button_title=75)

    def __init__(self, name: str, desk: Desk, office: Office) -> None:
        self.name = name
        self._desk = desk
        self.office = office

    @property
    def rate(self) -> Rate | None:
        """The desk's own pace, where it has one."""
        return self._desk.rate

    async def account(self) -> str:
        """The desk's own key: its channels are named by the config, so nobody has to be asked."""
        return self.name

    def decode(self, item: Item) -> Event | None:
        """Nothing comes in this way."""
        return None

    async def send(self, message: Outbound) -> str:
        """Show, say, mark or tell one thing."""
        post = message.desk
        if post is None:
            raise Refused("a desk takes posts alone")
        if post.kind == "mark":
            await self._desk.mark(message.to.chat, post.message, post.mark)
            return post.message
        file = await self.office.store.case_file(post.case, LAST_SAID)
        if file is None:
            raise Refused("the case is no longer kept")
        thread = await self.office.store.case_thread(post.case, message.to)
        if not thread and post.kind == "leave":
            return ""
        if not thread:
            thread = await self._opened(message, file)
            if post.kind == "show":
                return thread
        if post.kind == "leave":
            card = await self._card(message, file, leaves=True)
            await self._desk.show(message.to.chat, thread, replace(card, choices=()))
            return thread
        if post.kind == "show":
            return await self._shown(message, file, thread)
        worded = replace(message, text=self._text(post.template, post.facts), choices=self._titled(message.choices))
        if post.kind == "tell":
            await self._desk.tell(message.to.chat, thread, post.who, worded)
            return thread
        return await self._desk.post(message.to.chat, thread, worded, post.mention)

    async def find(self, message: Outbound) -> str | None:
        """A post in a case's thread, or the card that opened it."""
        post = message.desk
        if post is None or post.kind in {"mark", "tell"}:
            return None
        thread = await self.office.store.case_thread(post.case, message.to)
        if thread:
            return await self._desk.find(message.to.chat, thread, message.id)
        root = await self._desk.find(message.to.chat, "", _card_id(post.case))
        file = await self.office.store.case_file(post.case, LAST_SAID) if root else None
        if root is None or file is None:
            return None
        await self.office.store.save_thread(file.case, message.to, root)
        return root if post.kind == "show" else None

    async def _opened(self, message: Outbound, file: CaseFile) -> str:
        card = await self._card(message, file)
        thread = await self._desk.open(message.to.chat, card)
        await self.office.store.save_thread(file.case, message.to, thread)
        return thread

    async def _shown(self, message: Outbound, file: CaseFile, thread: str) -> str:
        try:
            await self._desk.show(message.to.chat, thread, await self._card(message, file))
        except Refused:
            log.warning("desk.card_gone", desk=self.name, case=file.case.id)
            await self.office.store.drop_thread(file.case.id, message.to)
            return await self._opened(message, file)
        return thread

    async def _card(self, message: Outbound, file: CaseFile, *, leaves: bool = False) -> Outbound:
        now = self.office.clock.now()
        order = file.case.order if file.case.order is not None else file.record.focus
        dossier = await self.office.store.dossier(order) if order is not None else None
        facts = Facts(self.office.shop, self.office.hours(now))
        said = [(s.at, s.who, text) for s in file.said if (text := self._said(s))]
        told = card_facts(file.case, file.record, file.history, said, dossier, facts, now)
        told["leaves"] = leaves
        told["suggestion"] = self._suggested(told, file, dossier)
        values = [f"{act}:{file.case.id}:{file.record.version}" for act in buttons(file.case, file.record)]
        choices = self._titled([Choice(v, v.split(":", 1)[0]) for v in values])
        return replace(message, id=_card_id(file.case.id), text=self._text("staff/card", told), choices=choices)

    def _said(self, said: Said) -> str:
        if said.item is None:
            return said.text
        try:
            event = self.office.decode(said.port, said.item)
        except (ValueError, Refused):
            return ""
        if not isinstance(event, Inbound):
            return ""
        return event.text or event.choice or ("📎" if event.media else "")

    def _suggested(self, told: Mapping[str, Any], file: CaseFile, dossier: Dossier | None) -> str:
        """What the bot itself could tell of the order now, in the buyer's language, to send or to build on."""
        if dossier is None or not dossier.parcels or file.case.closed_at is not None:
            return ""
        reply = Reply(
            file.record.address,
            "where",
            told["order"],
            "",
            file.record.locale or self.office.shop.locale,
            zone=self.office.shop.timezone,
        )
        return plain(self.office.renderer.text(reply))

    def _text(self, template: str, facts: Mapping[str, Any]) -> str:
        to = Address(KIND, self.name, "")
        return self.office.renderer.text(Reply(to, template, facts, "", STAFF_LOCALE, zone=self.office.shop.timezone))

    def _titled(self, choices: Sequence[Choice]) -> tuple[Choice, ...]:
        """Buttons with their titles; what stands after a colon is a name to fill in."""
        made = []
        for choice in choices:
            code, _, name = choice.title.partition(":")
            title = self._titles.get(code, code)
            made.append(Choice(choice.value, title.replace("{name}", name)))
        return tuple(made)

    @cached_property
    def _titles(self) -> Mapping[str, str]:
        paths = [folder / STAFF_LOCALE / "staff" / "phrases.yaml" for folder in reversed(self.office.renderer.folders)]
        return {k: str(v) for path in paths if path.is_file() for k, v in read_phrases(path).items()}
