"""What kind of file an upload is, told by its first bytes: uploads have no name of their own."""

from __future__ import annotations

_KINDS = (
    (b"\xff\xd8\xff", ".jpg"),
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"GIF8", ".gif"),
    (b"BM", ".bmp"),
    (b"II*\0", ".tif"),
    (b"MM\0*", ".tif"),
    (b"PK\x03\x04", ".zip"),
    (b"%PDF-", ".pdf"),
    (b"\x1aE\xdf\xa3", ".webm"),
    (b"ID3", ".mp3"),
    (b"fLaC", ".flac"),
    (b"OggS", ".ogg"),
)
_RIFF = {b"WEBP": ".webp", b"WAVE": ".wav", b"AVI ": ".avi"}


def suffix_of(file: str) -> str:
    """The usual ending of a file's name, such as `.jpg`; empty for a kind that is not known."""
    with open(file, "rb") as opened:  # noqa: PTH123 - once a request
        head = opened.read(16)
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12], "")
    if head[4:8] == b"ftyp":
        return ".mp4"
    return next((suffix for magic, suffix in _KINDS if head.startswith(magic)), "")
