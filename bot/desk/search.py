"""Words that were said in a conversation find its cases too, not only what a line of the inbox shows."""

from datetime import timedelta

from msgspec.structs import replace

from bot.desk.house import DeskHouse
from bot.desk.inbox import Look
from bot.model.messages import Inbound
from bot.ports import Item
from bot.store.desksearch import SHORTEST, cases_saying

SEARCHED = timedelta(days=90)
"""So far back what buyers and the bot said is looked through."""


async def sought(house: DeskHouse, look: Look) -> Look:
    """What is asked for, with the cases in whose conversations its words were said by then."""
    if len(look.words) < SHORTEST or look.words.startswith("#"):
        return look

    def heard(port: str, item: Item) -> str:
        try:
            event = house.decode(port, item)
        except Exception:  # a message that no adapter reads any more says nothing
            return ""
        return event.text if isinstance(event, Inbound) else ""

    since = house.now() - SEARCHED
    return replace(look, said=await cases_saying(house.store.database, look.words, heard, since))
