"""How the platform seals a body: SM4 (GB/T 32907-2016), ECB with PKCS #7 padding, the key in Base64 behind the text."""

import base64
import binascii

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

PREFIX = "|$4|"


def key_of(written: str) -> bytes:
    """The 16 bytes of a key in Base64, as the contract gives it, or in hexadecimal digits; ValueError for others."""
    try:
        key = bytes.fromhex(written) if len(written) == 32 else base64.b64decode(written, validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != 16:
        raise ValueError("the SM4 key is 16 bytes, in Base64 or as 32 hexadecimal digits")
    return key


def sealed(text: bytes, key: bytes) -> str:
    """A body as the platform takes it. The key behind the text is how it knows who wrote it."""
    padder = padding.PKCS7(128).padder()
    cipher = Cipher(algorithms.SM4(key), modes.ECB()).encryptor()  # noqa: S305 - the platform's choice, not ours
    padded = padder.update(text + base64.b64encode(key)) + padder.finalize()
    return PREFIX + base64.b64encode(cipher.update(padded) + cipher.finalize()).decode()


def opened(text: str, key: bytes) -> bytes:
    """The inverse of `sealed`, also where no key stands behind the text; ValueError where it is none."""
    try:
        raw = base64.b64decode(text.removeprefix(PREFIX), validate=True)
        cipher = Cipher(algorithms.SM4(key), modes.ECB()).decryptor()  # noqa: S305
        unpadder = padding.PKCS7(128).unpadder()
        plain = unpadder.update(cipher.update(raw) + cipher.finalize()) + unpadder.finalize()
    except (ValueError, binascii.Error) as error:
        raise ValueError("EMS: this is not sealed with our key") from error
    return plain.removesuffix(base64.b64encode(key))
