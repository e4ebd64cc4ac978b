"""The HTTP client of downloads: connects only where `Outbound` allows, through the user's proxy where there is one."""

from __future__ import annotations

import logging
import socket
import ssl
import urllib.request
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from cvflow_tui.backend.packages.downloads.direct import DirectTransport
from cvflow_tui.backend.packages.downloads.outbound import Outbound, is_local
from cvflow_tui.backend.packages.downloads.shown import shown_url
from cvflow_tui.backend.packages.pip_config import PipConfig
from cvflow_tui.model.circumstances import Circumstances
from cvflow_tui.model.errors import RefusedError
from cvflow_tui.model.text import one_line

# They would log whole addresses: a password or a signature in one is nobody's to read in a log.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

REDIRECTS = 10
CONNECT_SECONDS = 15.0


def open_client(outbound: Outbound, seconds: float, cert: str | None = None) -> httpx.Client:
    """A client for one download.

    `seconds`: how long a server may be silent. `cert`: certificates to trust where the caller's SSL_CERT_FILE names none.
    """
    return httpx.Client(
        transport=CheckedTransport(outbound, _trusted(outbound.caller, cert)),
        timeout=httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS)),
        follow_redirects=True,
        trust_env=False,
        max_redirects=REDIRECTS,
        headers={"User-Agent": "cvflow", "Accept-Encoding": "identity"},
    )


class CheckedTransport(httpx.BaseTransport):
    """Looks at every request, redirects included, before anything is sent; the direct way looks at every address too."""

    def __init__(self, outbound: Outbound, context: ssl.SSLContext) -> None:
        self._outbound = outbound
        self._pip = outbound.pip
        self._context = _with_own(context, outbound.caller, self._pip) if outbound.for_pip else context
        self._ways: dict[tuple[str | None, bool], httpx.BaseTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request the way it has to go. Raises OutboundRefusedError, or what httpx raises."""
        self._outbound.check(request.url)
        key = (_proxy(request.url, self._outbound.caller, self._pip.proxy), self._outbound.trusts(request.url))
        way = self._ways.get(key)
        if way is None:
            way = self._ways.setdefault(key, self._open(*key))
        return way.handle_request(request)

    def close(self) -> None:
        """Let go of the connections."""
        for way in self._ways.values():
            way.close()

    def _open(self, proxy: str | None, trusted: bool) -> httpx.BaseTransport:
        context = _unchecked(self._outbound.caller, self._pip) if trusted else self._context
        if proxy is not None:
            # The proxy looks names up itself: what it may reach is its owner's rule. Literal addresses were checked above.
            return httpx.HTTPTransport(verify=context, proxy=proxy)
        return DirectTransport(_Backend(self._outbound), context)


class _Backend(httpcore.SyncBackend):
    """Connects to the addresses that were checked, never to a name: a second look-up could answer otherwise (DNS rebinding)."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address that answers."""
        failed: Exception | None = None
        for _, place in self._outbound.addresses(host, port):
            try:
                # A literal address: nothing is looked up any more.
                return super().connect_tcp(str(place[0]), port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed or httpcore.ConnectError(f"{host} has no address")


def connected_socket(reply: httpx.Response) -> socket.socket | None:
    """The socket a reply comes over."""
    stream = reply.extensions.get("network_stream")
    found = stream.get_extra_info("socket") if stream is not None else None
    return found if isinstance(found, socket.socket) else None


def _trusted(caller: Circumstances, cert: str | None) -> ssl.SSLContext:
    """Which certificates are trusted: the caller's, else `cert`, else those that come with httpx."""
    told = caller.variables
    file, folder = told.get("SSL_CERT_FILE") or None, told.get("SSL_CERT_DIR") or None
    if file is None and folder is None:
        file = cert
    try:
        return ssl.create_default_context(cafile=file, capath=folder) if file or folder else httpx.create_ssl_context(trust_env=False)
    except (OSError, ssl.SSLError) as error:
        raise RefusedError(f"the certificates in {one_line(str(file or folder))} cannot be read: {one_line(str(error))}") from error


def _unchecked(caller: Circumstances, pip: PipConfig) -> ssl.SSLContext:
    """For hosts that the user trusts whatever their certificate says."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return _with_own(context, caller, pip)


def _with_own(context: ssl.SSLContext, caller: Circumstances, pip: PipConfig) -> ssl.SSLContext:
    """With the certificate that the caller shows to package indexes, where there is one."""
    own = caller.variables.get("SSL_CLIENT_CERT") or pip.client_cert
    try:
        if own:
            context.load_cert_chain(own)
    except (OSError, ssl.SSLError) as error:
        raise RefusedError(f"the client certificate {one_line(str(own))} cannot be read: {one_line(str(error))}") from error
    return context


def _proxy(url: httpx.URL, caller: Circumstances, other: str | None) -> str | None:
    """The proxy for an address: what the caller names, else `other`. None for this machine: a proxy's loopback is another one."""
    if is_local(url.host):
        return None
    proxies = caller.proxies
    chosen = proxies.get(url.scheme) or proxies.get("all") or other
    if not chosen or urllib.request.proxy_bypass(url.host, proxies):
        return None
    chosen = chosen if "://" in chosen else f"http://{chosen}"
    if not chosen.startswith(("http://", "https://")):
        raise RefusedError(f"the proxy {shown_url(chosen)} cannot be gone through: give one that begins with http:// or https://")
    return chosen
