"""The files of messages and of staff's replies, fetched while they can be had."""

import asyncio
from collections.abc import Mapping

import structlog
from msgspec import Struct
from msgspec.structs import replace

from bot.errors import Temporary, WismoError
from bot.model.events import StaffAct
from bot.model.messages import Inbound, Media
from bot.ports import Channel
from bot.store.vault import Vault

FETCH_SECONDS = 15.0
FETCH_TRIES = 2
"""So often a file is asked for again before its message is answered without it."""

log = structlog.get_logger()


class Fetching(Struct, frozen=True):
    """Fetches through `channels`, by the name that stands in the config, into the vault."""

    channels: Mapping[str, Channel]
    vault: Vault

    async def inbound(self, message: Inbound, port: str, tries: int) -> Inbound:
        """The message with its files kept; `tries` were made before."""
        return replace(message, media=tuple([await self._keep(port, media, tries) for media in message.media]))

    async def act(self, act: StaffAct, port: str, tries: int) -> StaffAct:
        """The staff's act with its files kept."""
        return replace(act, media=tuple([await self._keep(port, media, tries) for media in act.media]))

    async def _keep(self, port: str, media: Media, tries: int) -> Media:
        channel = self.channels.get(port)
        if channel is None or not media.ref:
            return media
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                return await self.vault.keep(media, channel.fetch(media))
        except (WismoError, TimeoutError, OSError, NotImplementedError) as error:
            if isinstance(error, Temporary) and tries < FETCH_TRIES:
                raise
            # The buyer gets an honest answer all the same; the platform keeps the file for days.
            log.warning("media.not_kept", channel=port, error=type(error).__name__)
            return media
