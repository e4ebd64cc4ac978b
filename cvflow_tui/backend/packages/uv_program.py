"""uv, the program that resolves and installs: told what pip would be told, and nothing it could find by itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.downloads.gate import gate
from cvflow_tui.backend.packages.downloads.outbound import Outbound
from cvflow_tui.backend.packages.own_code import run_own_code
from cvflow_tui.backend.packages.pip_config import index_variables, read_pip_config, way_variables
from cvflow_tui.backend.packages.tools import run_tool
from cvflow_tui.backend.runtime.worker import inherited
from cvflow_tui.model.circumstances import FETCHING, Circumstances
from cvflow_tui.model.errors import RefusedError

_LEADING = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "CONDA_PREFIX")
"""Variables that would lead uv, or a build it runs, to another Python."""

_OTHER_INDEXES = ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX")
"""uv's own words for what pip's configuration says: one place decides."""


_BUILDING = {
    *("CC", "CXX", "AR", "LD", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "MAKEFLAGS", "PKG_CONFIG", "PKG_CONFIG_PATH", "ARCHFLAGS"),
    *("CPATH", "LIBRARY_PATH", "SDKROOT", "MACOSX_DEPLOYMENT_TARGET", "RUSTFLAGS", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"),
    *("UV_CACHE_DIR", "UV_LINK_MODE", "UV_HTTP_TIMEOUT", "UV_NO_CACHE"),
    *("UV_NATIVE_TLS", "UV_SYSTEM_CERTS", "UV_CONCURRENT_BUILDS", "UV_CONCURRENT_DOWNLOADS", "UV_CONCURRENT_INSTALLS"),
}
"""What a build, or the uv that runs it, has to know beside what a worker is told."""


def run_uv(
    arguments: Sequence[str],
    caller: Circumstances,
    progress: Progress,
    seconds: float,
    watch: Callable[[str], None] | None = None,
    *,
    builds_in: Path | None = None,
    places: Collection[str | None] = (),
) -> tuple[int | None, str]:
    """Run uv for a caller; (exit status, clean output), the status None where it was ended after `seconds`. Raises Cancelled.

    `builds_in`: the install's folder, where uv may run strangers' code to build something. Then both are told no more than they need,
    and what the code has started ends with uv. `places` are addresses that requirements give themselves: where these lead in the end is
    held to the rules of every download. Raises RefusedError where that is no place to go to.
    """
    from uv import find_uv_bin

    command = [find_uv_bin(), "--no-config", *arguments]
    with _way_out(caller, () if "--offline" in arguments else places) as (way, refused):
        if builds_in is None:
            variables = {**_variables(caller, caller.over(os.environ)), **way}
            status, output = run_tool(command, progress=progress, seconds=seconds, env=variables, watch=watch)
        else:
            known = inherited() | {name: value for name, value in os.environ.items() if name in _BUILDING}
            variables = {**_variables(caller, caller.over(known, FETCHING)), **_keys(places, caller), **way}
            status, output = run_own_code(command, work=builds_in, progress=progress, seconds=seconds, env=variables, watch=watch)
    if status != 0 and refused:
        raise RefusedError(f"a requirement leads where it must not: {'; '.join(dict.fromkeys(refused))}", detail=output)
    return status, output


@contextmanager
def _way_out(caller: Circumstances, places: Collection[str | None]) -> Iterator[tuple[dict[str, str], list[str]]]:
    """The variables that send uv, and the git it runs, through a gate where strangers name the places; and what was refused there.

    A caller's own proxy goes where its owner lets it. The hosts of pip's configuration are the user's own.
    """
    pip = read_pip_config(caller.variables)
    if caller.offline or caller.proxies or pip.proxy or not any(_is_web(place) for place in places):
        yield {}, []
        return
    with gate(Outbound.of(caller, pip.hosts)) as found:
        proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"), found.url)
        yield proxies | dict.fromkeys(("NO_PROXY", "no_proxy"), ",".join(sorted(pip.hosts))), found.refused


def _is_web(place: str | None) -> bool:
    return (place or "").removeprefix("git+").startswith(("https:", "http:"))


def _keys(places: Collection[str | None], caller: Circumstances) -> dict[str, str]:
    """The variable that leads to the caller's ssh keys, where one of the places is a repository that is reached with them."""
    agent = caller.variables.get("SSH_AUTH_SOCK")
    return {"SSH_AUTH_SOCK": agent} if agent and any((place or "").startswith("git+ssh:") for place in places) else {}


def build_arguments(allowed: Sequence[str]) -> list[str]:
    """Wheels only: whatever else there is runs its author's code to be installed. `allowed` names what the user lets do that."""
    arguments = ["--only-binary", ":all:"]
    for name in allowed:
        # uv takes this for "this one from its source", the one exception it knows from "only wheels".
        arguments += ["--no-binary", name]
    return arguments


def _variables(caller: Circumstances, known: Mapping[str, str]) -> dict[str, str]:
    pip = read_pip_config(caller.variables)
    # pip's variables are told in uv's words, and in no others.
    variables = {name: value for name, value in known.items() if name not in (*_LEADING, *_OTHER_INDEXES) and not name.startswith("PIP_")}
    variables |= {"NO_COLOR": "1", "UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never", "GIT_TERMINAL_PROMPT": "0"}
    variables |= {"GIT_ALLOW_PROTOCOL": "https:ssh:file", "GIT_LFS_SKIP_SMUDGE": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    return way_variables(pip) | variables | index_variables(pip)
