"""The token of a buyer's link: proves one order to whoever brings it into a chat."""

from base64 import urlsafe_b64encode
from hashlib import sha256

LINK_PREFIX = "wismo-"
"""What a token begins with, so that it is known in a chat's first message."""
BYTES = 16
"""128 bits: nobody guesses one."""


def token(secret: bytes) -> str:
    """A token of 16 bytes that nobody can foresee, in an alphabet that every platform's deep link takes."""
    return LINK_PREFIX + urlsafe_b64encode(secret[:BYTES]).decode().rstrip("=")


def token_hash(text: str) -> str:
    """A token as it is stored."""
    return sha256(text.encode()).hexdigest()
