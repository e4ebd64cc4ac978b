"""How large distributions are whose index does not say so: their servers are asked, all at once, by the rules of every download."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from urllib.parse import urlsplit

import httpx

from cvflow_tui.backend.packages.downloads.client import open_client
from cvflow_tui.backend.packages.downloads.outbound import Outbound, OutboundRefusedError
from cvflow_tui.backend.packages.downloads.replies import length_of
from cvflow_tui.backend.packages.pip_config import PipConfig, read_pip_config
from cvflow_tui.backend.packages.resolution import Pin
from cvflow_tui.model.circumstances import Circumstances

SECONDS = 3.0
_AT_ONCE = 16


def measured(pins: Sequence[Pin], caller: Circumstances) -> tuple[Pin, ...]:
    """The pins with their sizes, as far as these can be learned within a few seconds and from where a download may connect to."""
    unknown = [pin for pin in pins if pin.size is None and (pin.where or "").startswith(("https:", "http:"))]
    if not unknown or caller.offline:
        return tuple(pins)
    found = dict(zip(unknown, _ask(unknown, caller), strict=True))
    return tuple(replace(pin, size=found[pin]) if pin in found else pin for pin in pins)


def _ask(pins: Sequence[Pin], caller: Circumstances) -> list[int | None]:
    pip = read_pip_config(caller.variables)
    rules = [_rules(pin, pip, caller) for pin in pins]
    with ExitStack() as opened:
        # Mostly one: a client for every set of rules, for each reads the certificates anew.
        clients = {each: opened.enter_context(open_client(each, SECONDS, pip.cert)) for each in set(rules)}

        def ask(pin: Pin, outbound: Outbound) -> int | None:
            try:
                reply = clients[outbound].head(str(pin.where))
            except (httpx.HTTPError, httpx.InvalidURL, OutboundRefusedError):
                return None  # the size stays unknown, and the plan says so
            return length_of(reply) if reply.is_success else None

        pool = opened.enter_context(ThreadPoolExecutor(_AT_ONCE))
        return list(pool.map(ask, pins, rules))


def _rules(pin: Pin, pip: PipConfig, caller: Circumstances) -> Outbound:
    """Where asking for a distribution may connect to: an index of the user's says where its files lie, an author's own address does not."""
    host = urlsplit(str(pin.where)).hostname
    return Outbound.of(caller, pip.hosts | {host} if host and pin.url is None else pip.hosts, for_pip=True)
