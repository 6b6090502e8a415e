"""Databases of our own for tests."""

from uuid import uuid4

import asyncpg


async def fresh_database(server: str) -> str:
    """The URL of an empty database on a PostgreSQL server."""
    name = f"wismo_{uuid4().hex[:12]}"
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    head, _, tail = server.partition("?")
    base = head.rsplit("/", 1)[0]
    return f"{base}/{name}?{tail}" if tail else f"{base}/{name}"
