"""Where a download may connect to: never to this machine, its network or a cloud's metadata because a stranger's address says so."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from dataclasses import dataclass

import httpx

from cvflow_tui.backend.packages.downloads.shown import shown_url
from cvflow_tui.backend.packages.pip_config import PipConfig, read_pip_config
from cvflow_tui.model.circumstances import ALLOW_HOSTS, NOTHING_TOLD, Circumstances
from cvflow_tui.model.errors import RefusedError, RemoteError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class OutboundRefusedError(RefusedError):
    """An address that must not be connected to."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """The rules of one download. Every redirect is held to them anew, and the connection goes to the very address that was looked at."""

    named: frozenset[str] = frozenset()
    """Hosts that the user wrote down (a source, a package index): reached wherever they are."""
    caller: Circumstances = NOTHING_TOLD
    """Whoever asks: which hosts they allow, through which proxy they go, whose certificates they trust."""
    for_pip: bool = False
    """Whether it is a package index that is asked: then pip's proxy, client certificate and trusted hosts hold, as they do for uv."""

    @classmethod
    def of(cls, caller: Circumstances, named: Collection[str] = (), *, for_pip: bool = False) -> Outbound:
        """The rules for whoever asks; `named` are the hosts of the user's own."""
        return cls(frozenset(host.lower() for host in named), caller, for_pip)

    @property
    def pip(self) -> PipConfig:
        """What pip's configuration says of the way; nothing where no index is asked."""
        return read_pip_config(self.caller.variables) if self.for_pip else PipConfig()

    def trusts(self, url: httpx.URL) -> bool:
        """Whether the user trusts a host without a certificate (pip's trusted-host)."""
        host = url.host.lower()
        port = url.port or {"https": 443, "http": 80}.get(url.scheme)
        return any(each.lower() in (host, f"{host}:{port}") for each in self.pip.trusted_hosts)

    def check(self, url: httpx.URL) -> None:
        """Raise OutboundRefusedError for an address of a request (the first or a redirect) that must not be followed."""
        host = url.host.lower()
        local = is_local(host)
        plain = url.scheme == "http" and ((local and self._may_be_local(host)) or self.trusts(url))
        if url.scheme != "https" and not plain:
            raise OutboundRefusedError(f"{shown_url(str(url))} is not https: what comes over it cannot be trusted; use https:")
        if (address := _literal(host)) is not None:
            self._check_address(host, address)
        elif local and not self._may_be_local(host):
            raise _refused(host, "this machine")

    def addresses(self, host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[object, ...]]]:
        """Where to connect to for a host, looked up once and checked.

        Raises OutboundRefusedError if any of its addresses must not be reached: a name with a good and a bad one is no accident.
        """
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError(f"the name {host} cannot be looked up: {error}") from error
        for _, _, _, _, place in found:
            self._check_address(host.lower(), ipaddress.ip_address(str(place[0]).partition("%")[0]))
        return [(family, tuple(place)) for family, _, _, _, place in found]

    def _check_address(self, host: str, address: Address) -> None:
        real = embedded(address)
        if self._is_allowed(host, real) or (real.is_global and not real.is_multicast):
            return
        if real.is_loopback:
            if not self._may_be_local(host):
                raise _refused(host, "this machine")
            return
        raise _refused(host, f"{real}, which is no public address")

    def _may_be_local(self, host: str) -> bool:
        # Never because the address that is fetched says so itself: it may be a stranger's word.
        return self._is_allowed(host, _literal(host))

    def _is_allowed(self, host: str, address: Address | None) -> bool:
        return host in self.named or any(_fits(entry, host, address) for entry in self.caller.allowed_hosts)


def embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 one really leads to, or the address itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


def is_local(host: str | None) -> bool:
    """Whether a host is this machine by its name alone."""
    if (host or "").lower() in ("localhost", "localhost."):
        return True
    address = _literal(host or "")
    return address is not None and embedded(address).is_loopback


def no_network(url: str) -> RemoteError:
    """The error of a download that may not be made."""
    return RemoteError(f"{shown_url(url)} is not at hand, and cvflow is told to work offline")


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def _fits(entry: str, host: str, address: Address | None) -> bool:
    if entry == host or (entry.startswith("*.") and host.endswith(entry[1:])):
        return True
    try:
        return address is not None and address in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


def _refused(host: str, where: str) -> OutboundRefusedError:
    return OutboundRefusedError(f"{host} leads to {where}: not fetched; if that is meant, list it in {ALLOW_HOSTS}")
