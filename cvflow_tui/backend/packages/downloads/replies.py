"""Reading what a server says of the file it sends."""

from __future__ import annotations

import re

import httpx

from cvflow_tui.backend.packages.downloads.shown import shown_url
from cvflow_tui.backend.packages.downloads.wanted import CutError, Wanted
from cvflow_tui.model.errors import RemoteError

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


def refuse(reply: httpx.Response, wanted: Wanted, url: str) -> None:
    """Raise for a reply that is no file: CutError where another attempt may fare better, else RemoteError."""
    if reply.status_code >= 500 or reply.status_code in (408, 429):
        raise CutError(f"the server answered {reply.status_code} {reply.reason_phrase}")
    if reply.is_error:
        raise RemoteError(f"{wanted.what}: {shown_url(url)} answered {reply.status_code} {reply.reason_phrase}")
    if reply.status_code not in (200, 206):
        raise RemoteError(f"{wanted.what}: {shown_url(url)} answered {reply.status_code}, which is no file")
    if is_encoded(reply) and wanted.sha256 is None:
        raise RemoteError(
            f"{wanted.what}: {shown_url(url)} sends it compressed though it was asked not to: a sha256 would tell which file is meant"
        )


def is_encoded(reply: httpx.Response) -> bool:
    """Whether the bytes that come may be others than those of the file."""
    return reply.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity")


def validator_of(reply: httpx.Response) -> str | None:
    """What tells this file from a later one at the same address: a strong ETag, else the time of its last change."""
    tag: str = reply.headers.get("etag", "")
    changed: str | None = reply.headers.get("last-modified")
    return tag if tag and not tag.startswith("W/") else changed


def differs(reply: httpx.Response, validator: str | None) -> bool:
    """Whether a reply is of another file than the one a validator was told for."""
    if validator is None:
        return False
    told: str | None = reply.headers.get("etag" if validator.startswith('"') else "last-modified")
    return told is not None and told != validator


def range_of(reply: httpx.Response) -> tuple[int, int, int | None] | None:
    """First byte, last byte and size of the whole file of a 206; None where it does not say."""
    found = _RANGE.fullmatch(reply.headers.get("content-range", "").strip())
    if found is None:
        return None
    return int(found[1]), int(found[2]), None if found[3] == "*" else int(found[3])


def length_of(reply: httpx.Response) -> int | None:
    """Bytes of the body, if it says so."""
    told: str = reply.headers.get("content-length", "")
    return int(told) if told.isdecimal() else None
