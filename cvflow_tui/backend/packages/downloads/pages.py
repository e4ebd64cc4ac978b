"""Small replies: how large a file is, and pages of a package index."""

from __future__ import annotations

import httpx

from cvflow_tui.backend.packages.downloads.client import open_client
from cvflow_tui.backend.packages.downloads.outbound import Outbound
from cvflow_tui.backend.packages.downloads.shown import shown_url
from cvflow_tui.backend.packages.downloads.wanted import unreachable
from cvflow_tui.model.errors import RemoteError

PAGE_LIMIT = 64 << 20
"""Bytes of a page: the largest index page there is has a tenth of them."""
PAGE_SECONDS = 30.0
HEAD_SECONDS = 5.0

Page = tuple[str, str, str]
"""Text, content type, final address."""


def head_size(outbound: Outbound, url: str, cert: str | None) -> int | None:
    """How large the file is, if its server says so. Raises OutboundRefusedError for an address that must not be asked."""
    try:
        with open_client(outbound, HEAD_SECONDS, cert) as client:
            reply = client.head(url)
        return int(reply.headers["content-length"]) if reply.is_success else None
    except (httpx.HTTPError, httpx.InvalidURL, KeyError, ValueError):
        return None


def read_page(outbound: Outbound, url: str, headers: dict[str, str], cert: str | None) -> Page | None:
    """A page; None where there is none (404). Raises RemoteError, OutboundRefusedError."""
    try:
        with open_client(outbound, PAGE_SECONDS, cert) as client, client.stream("GET", url, headers=headers) as reply:
            if reply.status_code in (404, 410):
                return None
            if reply.is_error:
                raise RemoteError(f"{shown_url(url)} answered {reply.status_code} {reply.reason_phrase}")
            data = bytearray()
            for chunk in reply.iter_bytes():
                data += chunk
                if len(data) > PAGE_LIMIT:
                    raise RemoteError(f"{shown_url(url)} sends a page of more than {PAGE_LIMIT >> 20} MiB")
            text = data.decode(reply.encoding or "utf-8", "replace")
            return text, reply.headers.get("content-type", ""), str(reply.url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise unreachable(url, error) from error
