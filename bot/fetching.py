"""The files of messages and of staff's replies, fetched while they can be had."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

import structlog
from msgspec import Struct
from msgspec.structs import replace

from bot.errors import Temporary, WismoError
from bot.model.events import StaffAct
from bot.model.messages import Address, Inbound, Media
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
        channel = await self._serving(port, message.sender)
        return replace(message, media=await self._all(channel, port, message.media, tries))

    async def act(self, act: StaffAct, port: str, tries: int) -> StaffAct:
        """The staff's act with its files kept."""
        channel = self.channels.get(port)
        return replace(act, media=await self._all(channel, port, act.media, tries))

    async def _all(self, channel: Channel | None, port: str, media: Sequence[Media], tries: int) -> tuple[Media, ...]:
        """At once, so that files that hang take no longer together than one: a turn has its lane for a while only."""
        return tuple(await asyncio.gather(*(self._keep(channel, port, file, tries) for file in media)))

    async def _serving(self, port: str, sender: Address) -> Channel | None:
        """Whose account was written to: two workspaces' messages come through the one address of their Slack app, and
        each gives its files to its own token alone."""
        through = self.channels.get(port)
        alike = [c for c in self.channels.values() if c.kind == sender.channel and c is not through]
        for channel in (*([through] if through else []), *alike):
            with suppress(WismoError):
                if await channel.account() == sender.account:
                    return channel
        return through

    async def _keep(self, channel: Channel | None, port: str, media: Media, tries: int) -> Media:
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
