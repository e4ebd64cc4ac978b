"""Requirements that are given by an address: looked at before uv goes there, for a stranger wrote them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import httpx

from cvflow_tui.backend.packages.downloads.outbound import Outbound, OutboundRefusedError
from cvflow_tui.backend.packages.requirements import parse
from cvflow_tui.model.circumstances import Circumstances
from cvflow_tui.model.errors import PackageError, RefusedError


def check_addresses(lines: Sequence[str], named: Collection[str], caller: Circumstances) -> None:
    """Raise RefusedError for a requirement whose address is not https or leads into this machine or its network.

    `named` are hosts that the user wrote down (pip's indexes). PackageError for an address that is none.
    """
    outbound = Outbound.of(caller, named)
    for line in lines:
        requirement, _ = parse(line)
        address = (requirement.url or "").removeprefix("git+")
        if not address.lower().startswith(("http:", "https:")):
            continue
        try:
            url = httpx.URL(address)
            outbound.check(url)
            if not caller.offline and not caller.proxies:  # a proxy looks names up itself, by its owner's rules
                outbound.addresses(url.host, url.port or 443)
        except OutboundRefusedError as error:
            raise RefusedError(f"the requirement {requirement.name}: {error.message}") from error
        except (httpx.InvalidURL, httpx.ConnectError) as error:
            raise PackageError(f"the requirement {requirement.name} cannot be had: {error}") from error
