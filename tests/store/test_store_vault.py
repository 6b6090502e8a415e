"""Files are what their content shows, whatever was claimed of them.

The formats are those of Meta's "Media" page (audio: AAC, AMR, MP3, MP4, Ogg with Opus) and of Telegram's Bot API (a
voice note is Ogg with Opus); the first bytes are those of their specifications (RFC 7845, RFC 4867, ISO 14496-12, ID3).
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.errors import Refused
from bot.model.messages import Media, MediaKind
from bot.store.vault import Vault

OPUS = b"OggS\0\x02" + b"\0" * 20 + b"\x01\x13OpusHead\x01\x01" + b"\0" * 40
CONTENTS = {
    "a voice note": (OPUS, MediaKind.AUDIO, "audio/ogg"),
    "AMR": (b"#!AMR\n\x3c" + b"\x91" * 60, MediaKind.AUDIO, "audio/amr"),
    "MP3 with tags": (b"ID3\x03\0\0\0\0\0\x10" + b"\0" * 60, MediaKind.AUDIO, "audio/mpeg"),
    "MP4 with sound": (b"\0\0\0\x18ftypM4A \0\0\0\0M4A isom" + b"\0" * 40, MediaKind.AUDIO, "audio/mp4"),
    "MP4 with pictures": (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", MediaKind.VIDEO, "video/mp4"),
    "a photo": (b"\xff\xd8\xff\xe0\0\x10JFIF\0" + b"\0" * 50, MediaKind.IMAGE, "image/jpeg"),
    "a paper": (b"%PDF-1.7\n1 0 obj", MediaKind.DOCUMENT, "application/pdf"),
    "a page that is said to be a photo": (b"<html><script>", MediaKind.DOCUMENT, "text/html"),
    "words": (b"hello", MediaKind.DOCUMENT, "application/octet-stream"),
    "nothing": (b"", MediaKind.DOCUMENT, "application/octet-stream"),
}


async def chunks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 16):
        yield content[start : start + 16]


@pytest.mark.parametrize("name", CONTENTS)
async def test_a_file_is_what_its_content_shows(tmp_path: Path, name: str) -> None:
    content, kind, mime = CONTENTS[name]
    kept = await Vault(tmp_path).keep(Media(MediaKind.IMAGE, mime="image/png"), chunks(content))
    assert (kept.kind, kept.mime, kept.size) == (kind, mime, len(content))
    assert Path(kept.path).read_bytes() == content
    assert Path(kept.path).name == kept.digest


async def test_a_file_that_is_too_large_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Refused):
        await Vault(tmp_path, most=1000).keep(Media(MediaKind.IMAGE), chunks(b"x" * 1001))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
