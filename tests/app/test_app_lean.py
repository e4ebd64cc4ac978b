"""What the app does not carry about: a stranger's command line, the world's certificate authorities, heaps of freed memory."""

from __future__ import annotations

import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from cvflow_tui.backend.client import DaemonClient
from cvflow_tui.backend.client.connection import Connection
from cvflow_tui.backend.loopback import trust_nothing
from cvflow_tui.model.errors import NotFoundError, RemoteError
from cvflow_tui.widgets import heap
from cvflow_tui.widgets.image_canvas.picture import CanvasPicture


def test_the_client_brings_along_what_it_needs() -> None:
    """No command line, no types that are not asked for, not what the daemon checks requests with: every command waits for its imports."""
    dear = {"click", "pygments", "rich", "pydantic", "cvflow_tui.model.packages", "cvflow_tui.model.projects", "cvflow_tui.model.solvers"}
    code = f"import sys, cvflow_tui.backend.client; print(*sorted({dear!r} & sys.modules.keys()))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert told.stdout.split() == []


def test_nobody_is_trusted_on_this_machine_and_https_is_not_turned_off() -> None:
    context = trust_nothing()
    assert context.cert_store_stats()["x509_ca"] == 0
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


async def test_a_picture_comes_in_pieces_and_whole() -> None:
    content = bytes(range(256)) * 4000

    async def pieces(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/7/content"):
            return httpx.Response(404, json={"error": "no picture 7 in one", "code": "not_found"})
        if request.url.path.endswith("/8/content"):
            raise httpx.ReadError("gone")
        assert request.headers["Authorization"] == "Bearer word"
        return httpx.Response(200, stream=Pieces(content))

    client = DaemonClient("http://127.0.0.1:1", "word", transport=httpx.MockTransport(pieces))
    assert await client.picture_bytes("one", 1) == content
    with pytest.raises(NotFoundError, match="no picture 7 in one"):
        await client.picture_bytes("one", 7)
    with pytest.raises(RemoteError, match="cannot be reached"):
        await client.picture_bytes("one", 8)
    await client.close()


async def test_a_reply_that_is_not_what_it_should_be_is_an_error_of_ours() -> None:
    client = DaemonClient("http://127.0.0.1:1", "word", transport=httpx.MockTransport(lambda _: httpx.Response(200, json={"version": 3})))
    with pytest.raises(RemoteError, match=r"can't be read .*another version.* cvflow daemon stop"):
        await client.status()
    await client.close()


class Pieces(httpx.AsyncByteStream):
    """A body of many pieces."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._content), 65_536):
            yield self._content[start : start + 65_536]


async def test_a_daemon_behind_https_is_asked_for_its_certificate() -> None:
    connection = Connection("https://127.0.0.1:1", "word")
    transport = connection._http._transport
    assert isinstance(transport, httpx.AsyncHTTPTransport)
    pool: Any = transport._pool
    assert pool._ssl_context.cert_store_stats()["x509_ca"] > 0
    await connection.close()


def test_giving_memory_back_leaves_pictures_as_they_are() -> None:
    heap.share_heaps()
    buffer = BytesIO()
    Image.new("RGB", (2000, 1500), (200, 10, 30)).save(buffer, "JPEG")
    picture = CanvasPicture.load(buffer.getvalue(), "red.jpg")
    heap.give_back()
    assert (picture.size.width, picture.size.height) == (2000, 1500)
    red = picture._levels[0].image.getpixel((5, 5))
    assert isinstance(red, tuple) and red[0] > 190
