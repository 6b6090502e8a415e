"""Alembic's entry; the connection is configured by `bot.store.migrate`, so that there is one way in."""

from alembic import context

with context.begin_transaction():
    context.run_migrations()
