"""How large distributions are whose index does not say so: their servers are asked, all at once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from cvflow_tui.backend.packages.pip_config import PipConfig, read_pip_config
from cvflow_tui.backend.packages.resolution import Pin

SECONDS = 3.0
_AT_ONCE = 16


def measured(pins: Sequence[Pin], *, offline: bool = False) -> tuple[Pin, ...]:
    """The pins with their sizes, as far as these can be learned within a few seconds."""
    unknown = [pin for pin in pins if pin.size is None and (pin.where or "").startswith(("https:", "http:"))]
    if not unknown or offline:
        return tuple(pins)
    found = dict(zip(unknown, _ask([str(pin.where) for pin in unknown], read_pip_config()), strict=True))
    return tuple(replace(pin, size=found[pin]) if pin in found else pin for pin in pins)


def _ask(urls: Sequence[str], pip: PipConfig) -> list[int | None]:
    import ssl

    import httpx

    verify = ssl.create_default_context(cafile=pip.cert) if pip.cert else True

    def ask(url: str) -> int | None:
        try:
            reply = client.head(url)
            reply.raise_for_status()
        except httpx.HTTPError:
            return None  # the size stays unknown, and the plan says so
        told = reply.headers.get("content-length", "")
        return int(told) if told.isdecimal() else None

    client = httpx.Client(verify=verify, timeout=SECONDS, follow_redirects=True, proxy=pip.proxy)
    with client, ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(ask, urls))
