"""WhatsApp Cloud API over httpx.

In: the handshake, the signature over the raw bytes, and every entry, change, message and status of a batch
as an item of its own. Out: text, reply buttons, list, media, contact request, approved template.
Sources: Meta's Cloud API pages "Webhooks", "Messages", "Media", "Error codes", "Business-scoped user ids".
"""

from adapters.channels.whatsapp.channel import Settings, connect

__all__ = ["Settings", "connect"]
