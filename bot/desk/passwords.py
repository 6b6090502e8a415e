"""Passwords as argon2id hashes.

The costs are OWASP's smallest recommended pair (19 MiB, two passes, one lane): the library's default takes 64 MiB
a sign-in, and a desk runs on a small seller's machine. One hash at a time, beside the event loop.
"""

import asyncio
import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST = 10
LONGEST = 200
WEAK = frozenset({"1234567890", "0123456789", "password12", "passwordpassword", "qwertyuiop", "letmein123"})

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_turn = asyncio.Semaphore(1)


@cache
def _nobody() -> str:
    return _hasher.hash(secrets.token_urlsafe(16))


def weakness(password: str, name: str) -> str:
    """What is wrong with a password, in words; empty where it will do (NIST SP 800-63B: length, not recipes)."""
    if len(password) < SHORTEST:
        return f"At least {SHORTEST} characters, please. Three or four words make a good one."
    if len(password) > LONGEST:
        return f"At most {LONGEST} characters, please."
    plain = password.casefold()
    if plain in WEAK or len(set(plain)) < 4 or plain == name.casefold():
        return "That one would be guessed first. Three or four words make a good one."
    return ""


async def make(password: str) -> str:
    """A password's hash, as it is stored."""
    async with _turn:
        return await asyncio.to_thread(_hasher.hash, password)


async def check(stored: str, password: str) -> bool:
    """Whether the password is right. Where none is stored it takes as long to say no."""
    async with _turn:
        return await asyncio.to_thread(lambda: _matches(stored or _nobody(), password)) and bool(stored)


def outdated(stored: str) -> bool:
    """Whether a hash was made with other costs than today's."""
    return _hasher.check_needs_rehash(stored)


def _matches(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, password[:LONGEST])
    except (VerificationError, InvalidHashError):
        return False
