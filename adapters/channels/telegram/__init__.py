"""Telegram through python-telegram-bot, which is codec and client here and not the frame.

`telegram.Bot` builds the calls over the app's shared HTTP client; `Update.de_json` reads what comes, all but plain
text. Webhook or long polling; in both an item's lane is read from the raw JSON, and decoding waits for the worker.
Source: core.telegram.org/bots/api, and the descriptions in tdlib's telegram-bot-api server.
"""

from adapters.channels.telegram.channel import Settings, connect

__all__ = ["Settings", "connect"]
