"""Pictures that a request names by an address: fetched from hosts that the user listed (`allow_hosts`), or out of the folder they gave.

By default nothing is: an address in a request is a stranger's, and this machine may reach what the stranger may not.
"""

from __future__ import annotations

import asyncio
import binascii
import ipaddress
import os
import socket
from base64 import b64decode
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, unquote, unquote_to_bytes, urlsplit

from cvflow_tui.backend.runtime.runner.faults import Fault, bad_input, forbidden, too_large
from cvflow_tui.backend.runtime.runner.scratch import Scratch, Upload

LOCAL_FILES = "/data/local-files/"
_PORTS = {"http": 80, "https": 443}
_SECONDS = 30.0


class Fetcher:
    """Makes a private file of what an address names."""

    def __init__(self, scratch: Scratch, limit: int, allowed: Iterable[str], local_files: str | None) -> None:
        self._scratch = scratch
        self._limit = limit
        self._allowed = frozenset(origin_of(entry) for entry in allowed)
        self._local_files = local_files

    async def fetch(self, address: str, home: str = "", token: str = "") -> Upload:
        """The picture. Relative addresses belong to `home`, a Label Studio that `token` opens. Raises Fault 400, 403, 413, 502."""
        if address.startswith("data:"):
            return await self._scratch.keep(_data(address, self._limit), self._limit)
        try:
            parts = urlsplit(address)
            inside = not parts.scheme and not parts.netloc and parts.path.startswith("/")
            if parts.path == LOCAL_FILES:
                return await self._local(parts)
            if inside and not home:
                raise bad_input(f"{address[:100]!r} has no host: set the project up first (POST /setup with hostname)")
            parts = urlsplit(home.rstrip("/") + address) if inside else parts
            origin = origin_of(f"{parts.scheme}://{parts.netloc}") if parts.scheme in _PORTS else ""
        except ValueError:
            origin = ""
        if not origin:
            raise bad_input(f"{address[:100]!r}: pictures are taken from https:, http: and data: addresses")
        if origin not in self._allowed:
            raise forbidden(f"nothing is fetched from {origin[:100]}; if it should be: cvflow set SOLVER allow_hosts={origin[:100]}")
        return await self._get(parts, await _resolve(parts), token if _is(origin, home) else "")

    # -- a folder that the user gave

    async def _local(self, parts: SplitResult) -> Upload:
        if self._local_files is None:
            raise forbidden("files of this machine are not served: allow a folder with: cvflow set SOLVER local_files=FOLDER")
        named = parse_qs(parts.query).get("d", [""])[0]
        return await self._scratch.keep(await asyncio.to_thread(_read_below, self._local_files, named, self._limit), self._limit)

    # -- a host that the user listed

    async def _get(self, parts: SplitResult, place: str, token: str) -> Upload:
        """Ask the very address that was looked at: a second look-up could answer otherwise. A redirect is not followed."""
        import httpx

        headers = {"Host": parts.netloc.rpartition("@")[2], "Accept-Encoding": "identity"} | (
            {"Authorization": f"Token {token}"} if token else {}
        )
        host = f"[{place}]" if ":" in place else place
        url = f"{parts.scheme}://{host}:{parts.port or _PORTS[parts.scheme]}{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        shown = f"{parts.scheme}://{parts.hostname}{parts.path[:60]}"
        try:
            async with (
                asyncio.timeout(4 * _SECONDS),
                httpx.AsyncClient(trust_env=False, timeout=_SECONDS, follow_redirects=False) as client,
                client.stream("GET", url, headers=headers, extensions={"sni_hostname": parts.hostname}) as reply,
            ):
                if reply.status_code != 200:
                    raise Fault(502, f"{shown} answered {reply.status_code}", "remote")
                upload = self._scratch.file(self._limit, self._limit)
                try:
                    async for piece in reply.aiter_raw():
                        await upload.write(piece)
                    upload.complete()
                except BaseException:
                    self._scratch.retire(upload)
                    raise
                return upload
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise Fault(502, f"{shown} can't be fetched: {type(error).__name__}", "remote") from None


def origin_of(entry: str) -> str:
    """`scheme://host:port` of an entry of `allow_hosts` or of an address; https where none is said. Raises ValueError."""
    parts = urlsplit(entry if "://" in entry else f"https://{entry}")
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"{entry!r} is no host: write https://HOST[:PORT] or http://HOST[:PORT]")
    return f"{parts.scheme}://{parts.hostname}:{parts.port or _PORTS[parts.scheme]}"


def _is(origin: str, home: str) -> bool:
    try:
        return bool(home) and origin == origin_of(home)
    except ValueError:
        return False


async def _resolve(parts: SplitResult) -> str:
    """Where a host is. A name that leads to a cloud's metadata (link-local), or to nowhere one can connect to, is refused."""
    assert parts.hostname is not None
    port = parts.port or _PORTS[parts.scheme]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Fault(502, f"{parts.hostname} can't be found", "remote") from None
    addresses = [ipaddress.ip_address(str(place[0]).partition("%")[0]) for *_, place in found]
    for address in addresses:
        real = getattr(address, "ipv4_mapped", None) or address
        if real.is_link_local or real.is_multicast or real.is_unspecified:
            raise forbidden(f"{parts.hostname} leads to {real}: not fetched")
    return str(addresses[0])


def _read_below(folder: str, named: str, limit: int) -> bytes:
    """A file in a folder, wherever its links lead as long as that is in the folder too."""
    root = Path(os.path.realpath(folder))
    path = Path(os.path.realpath(root / named.lstrip("/"))) if named and "\0" not in named else root
    if not path.is_relative_to(root) or not path.is_file():
        raise bad_input(f"there is no file {named[:100]!r} in the folder that is served")
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise too_large(f"the picture is larger than {limit} bytes")
    return content


def _data(address: str, limit: int) -> bytes:
    head, comma, data = address.partition(",")
    if not comma:
        raise bad_input("a data: address without data")
    if len(data) > limit * 3:
        raise too_large(f"the picture is larger than {limit} bytes")
    if not head.endswith(";base64"):
        return unquote_to_bytes(data)
    try:
        return b64decode(unquote(data) if "%" in data else data, validate=True)
    except (binascii.Error, ValueError):
        raise bad_input("the base64 of a data: address can't be read") from None
