"""Files that people sent, by the digest of their content, under the data folder."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterable
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import puremagic
from msgspec.structs import replace

from bot.errors import Refused
from bot.model.messages import Media, MediaKind

KINDS = {"image": MediaKind.IMAGE, "video": MediaKind.VIDEO, "audio": MediaKind.AUDIO}
SWEEP_SECONDS = 86_400.0


class Vault:
    """A folder of files, each stored once. `most` bytes a file; a larger one is refused."""

    def __init__(self, folder: Path, most: int = 20 * 1024 * 1024) -> None:
        self.folder = folder
        self.most = most

    async def keep(self, media: Media, content: AsyncIterator[bytes]) -> Media:
        """Store a file and say what its content shows it to be; a claim about its type is not believed."""
        await asyncio.to_thread(self.folder.mkdir, parents=True, exist_ok=True)
        digest, size = sha256(), 0
        with NamedTemporaryFile(dir=self.folder, delete=False) as file:
            part = Path(file.name)
            try:
                async for chunk in content:
                    size += len(chunk)
                    if size > self.most:
                        raise Refused(f"a file larger than {self.most} bytes")
                    digest.update(chunk)
                    await asyncio.to_thread(file.write, chunk)
                await asyncio.to_thread(_written, file)
            except BaseException:
                await asyncio.to_thread(part.unlink, missing_ok=True)
                raise
        path = self.path(digest.hexdigest())
        mime = await asyncio.to_thread(_settle, part, path)
        kind = KINDS.get(mime.split("/", 1)[0], MediaKind.DOCUMENT)
        return replace(media, kind=kind, mime=mime, size=size, digest=digest.hexdigest(), path=str(path))

    def path(self, digest: str) -> Path:
        """Where the file of this digest lies."""
        return self.folder / digest[:2] / digest

    def forget(self, digest: str) -> None:
        """Delete a file."""
        self.path(digest).unlink(missing_ok=True)

    def sweep(self, digests: Iterable[str]) -> None:
        """Delete files that were kept long enough, and what a killed process left half written. What was written
        within the last day stays: somebody may have sent the same file again this minute."""
        before = time.time() - SWEEP_SECONDS
        halves = (path for path in self.folder.glob("tmp*") if path.is_file())
        for path in [*halves, *map(self.path, digests)]:
            if path.is_file() and path.stat().st_mtime < before:
                path.unlink(missing_ok=True)


def _written(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def _settle(part: Path, path: Path) -> str:
    """Put a complete file in its place, and say what it is."""
    path.parent.mkdir(exist_ok=True)
    part.replace(path)
    return _mime(path)


def _mime(path: Path) -> str:
    """What the content shows: the likeliest type that says what it is. Ogg alone may be a voice note or anything."""
    try:
        likely = puremagic.magic_file(str(path))
    except (puremagic.PureError, ValueError):
        return UNKNOWN
    types = [match.mime_type or _NAMELESS.get(match.extension, "") for match in likely]
    return next((t for t in types if t not in _VAGUE), next(filter(None, types), UNKNOWN))


UNKNOWN = "application/octet-stream"
_VAGUE = frozenset({"", UNKNOWN, "application/ogg"})
_NAMELESS = {".amr": "audio/amr"}
"""Types that puremagic knows by their ending alone. WhatsApp's documents name AMR among its voice formats."""
