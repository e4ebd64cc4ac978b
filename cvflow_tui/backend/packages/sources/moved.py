"""Where a repository has moved to: git follows no redirect itself, and on its own host only where we looked."""

from __future__ import annotations

import httpx

from cvflow_tui.backend.packages.downloads.client import open_client
from cvflow_tui.backend.packages.downloads.outbound import Outbound
from cvflow_tui.backend.packages.pip_config import read_pip_config
from cvflow_tui.model.circumstances import Circumstances
from cvflow_tui.model.errors import RefusedError
from cvflow_tui.model.text import one_line

SECONDS = 30.0
MOVES = 5
"""Redirects in a row that are followed."""

_QUESTION = "/info/refs?service=git-upload-pack"


def moved_to(url: str, caller: Circumstances) -> str | None:
    """The address that a repository's host names in place of `url`; None where it names none or does not answer.

    Raises RefusedError where that is another host: the user named this one.
    """
    here = httpx.URL(url)
    outbound = Outbound.of(caller, [here.host])
    try:
        with open_client(outbound, SECONDS, read_pip_config(caller.variables).cert) as client:
            reply = client.send(client.build_request("GET", url.rstrip("/") + _QUESTION), stream=True, follow_redirects=False)
            reply.close()
        there = here.join(reply.headers["location"]) if reply.has_redirect_location else None
    except (httpx.HTTPError, httpx.InvalidURL, KeyError):
        return None
    if there is None:
        return None
    if (there.scheme, there.host, there.port) != (here.scheme, here.host, here.port):
        plain = one_line(str(there.copy_with(query=None, userinfo=b"")).removesuffix("/info/refs"), 200)
        raise RefusedError(f"{url} leads to another place, {plain}: not followed; if that is meant, install it from there")
    text = str(there.copy_with(userinfo=b""))
    return text.removesuffix(_QUESTION) if text.endswith(_QUESTION) else None
