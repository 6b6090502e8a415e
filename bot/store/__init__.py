"""The database: tables, queries, the queue and the one commit of a turn."""

from bot.store.store import Store

__all__ = ["Store"]
