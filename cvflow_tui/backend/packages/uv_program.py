"""uv, the program that resolves and installs: told what pip would be told, and nothing it could find by itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.pip_config import PipConfig, read_pip_config
from cvflow_tui.backend.packages.tools import run_tool
from cvflow_tui.model.circumstances import Circumstances

_LEADING = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "CONDA_PREFIX")
"""Variables that would lead uv, or a build it runs, to another Python."""

_OTHER_INDEXES = ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX")
"""uv's own words for what pip's configuration says: one place decides."""


def run_uv(
    arguments: Sequence[str], caller: Circumstances, progress: Progress, seconds: float, watch: Callable[[str], None] | None = None
) -> tuple[int | None, str]:
    """Run uv for a caller; (exit status, clean output), the status None where it was ended after `seconds`. Raises Cancelled."""
    from uv import find_uv_bin

    return run_tool([find_uv_bin(), "--no-config", *arguments], progress=progress, seconds=seconds, env=_variables(caller), watch=watch)


def index_arguments(pip: PipConfig) -> list[str]:
    """pip's indexes in uv's words. With several, the best version of all wins, as with pip: uv alone would stop at the first.

    Their addresses may carry passwords, so they are variables (`index_variables`): arguments are there for every user to read.
    """
    arguments = ["--no-index"] if pip.index_url is None else []
    for place in pip.find_links:
        arguments += [] if "://" in place else ["--find-links", place]
    for host in pip.trusted_hosts:
        arguments += ["--allow-insecure-host", host]
    return [*arguments, "--index-strategy", "unsafe-best-match"] if pip.extra_index_urls else arguments


def index_variables(pip: PipConfig) -> dict[str, str]:
    """The addresses of pip's indexes, as uv reads them from its environment."""
    variables = {} if pip.index_url is None else {"UV_DEFAULT_INDEX": pip.index_url}
    if pip.extra_index_urls:
        variables["UV_INDEX"] = " ".join(pip.extra_index_urls)
    if pages := [place.replace(",", "%2C") for place in pip.find_links if "://" in place]:
        variables["UV_FIND_LINKS"] = ",".join(pages)
    return variables


def build_arguments(allowed: Sequence[str]) -> list[str]:
    """Wheels only: whatever else there is runs its author's code to be installed. `allowed` names what the user lets do that."""
    arguments = ["--only-binary", ":all:"]
    for name in allowed:
        # uv takes this for "this one from its source", the one exception it knows from "only wheels".
        arguments += ["--no-binary", name]
    return arguments


def _variables(caller: Circumstances) -> dict[str, str]:
    pip = read_pip_config(caller.variables)
    own = {name: value for name, value in os.environ.items() if name not in (*_LEADING, *_OTHER_INDEXES)}
    # pip's variables are told in uv's words: a build that runs has no business with a password among them.
    variables = {name: value for name, value in caller.over(own).items() if not name.startswith("PIP_")}
    variables |= {"NO_COLOR": "1", "UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never", "GIT_TERMINAL_PROMPT": "0"}
    variables |= {"GIT_ALLOW_PROTOCOL": "https:ssh:file", "GIT_LFS_SKIP_SMUDGE": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    variables |= index_variables(pip)
    for name, value in (("SSL_CERT_FILE", pip.cert), ("SSL_CLIENT_CERT", pip.client_cert), ("UV_HTTP_TIMEOUT", pip.timeout)):
        if value:
            variables.setdefault(name, value)
    if pip.proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY"):
            variables.setdefault(name, pip.proxy)
    return variables
