"""Whether the addresses of weights answer: asked all at once, a few seconds at most, before anything is downloaded."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx

from cvflow_tui.backend.packages.describe import is_relative
from cvflow_tui.backend.packages.downloads.client import open_client
from cvflow_tui.backend.packages.downloads.outbound import Outbound
from cvflow_tui.backend.packages.downloads.received import file_path
from cvflow_tui.backend.packages.downloads.shown import shown_url
from cvflow_tui.backend.packages.manifest import ModelTable
from cvflow_tui.backend.packages.package import Package, inside
from cvflow_tui.backend.packages.pip_config import read_pip_config
from cvflow_tui.backend.packages.supplied import named_hosts
from cvflow_tui.model.circumstances import Circumstances
from cvflow_tui.model.diagnosis import Finding
from cvflow_tui.model.errors import CvflowError, PackageError
from cvflow_tui.model.mending import Mend
from cvflow_tui.model.text import one_line

SECONDS = 3.0
_AT_ONCE = 16
_POINTER = b"version https://git-lfs.github.com/spec/"
_POINTER_LIMIT = 1024
_GONE = {401: "wants a password", 403: "refuses it", 404: "has it no more", 410: "has it no more"}


def weight_findings(models: Sequence[ModelTable], source: str, caller: Circumstances, supplied: Collection[str] = ()) -> Iterator[Finding]:
    """The weights (of those that have to come from elsewhere) that will not come, with the command that brings them otherwise.

    `supplied` are the names of those whose address the user gave.
    """
    if not models:
        return
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        reasons = list(pool.map(lambda model: _none_of([model.url, *model.mirrors], caller, named_hosts(model, supplied)), models))
    for model, reason in zip(models, reasons, strict=True):
        if reason is not None:
            name = one_line(model.name)
            mend = f"if you have the file: cvflow install {source} --weights {name}=FILE"
            yield Finding(
                "weights", f"the weight {name} cannot be had: {reason}", mend, code="remote", mends=(Mend(weights=(model.name,)),)
            )


def own_weight_findings(package: Package, source: str) -> Iterator[Finding]:
    """The weights that the package says it ships, and does not: left out of its repository, or there as a pointer of git LFS."""
    for model in package.models:
        if not is_relative(model.url):
            continue
        name = one_line(model.name)
        mend = f"if you have the file: cvflow install {source} --weights {name}=FILE"
        try:
            path = inside(package.root, model.url, name)
        except PackageError as error:
            yield Finding("weights", error.message, mend, mends=(Mend(weights=(model.name,)),))
            continue
        if path.stat().st_size < _POINTER_LIMIT and path.read_bytes().startswith(_POINTER):
            what = f"the weight {name} is only a pointer of git LFS: the file itself is not in the repository"
            yield Finding("weights", what, mend, mends=(Mend(weights=(model.name,)),))


def named_files(package: Package) -> Iterator[Finding]:
    """The weights that the author, and not the user, says are files of this machine: whatever they are, the package's code gets them."""
    for model in package.models:
        if model.name not in package.supplied:
            for url in (model.url, *model.mirrors):
                if url.startswith("file:") and _is_there(url):
                    what = f"the weight {one_line(model.name)} is a file of this machine, because the package says so: {one_line(url, 200)}"
                    yield Finding("weights", what, blocks=False)


def _is_there(url: str) -> bool:
    try:
        return file_path(url).is_file()
    except CvflowError:
        return False


def _none_of(urls: Sequence[str], caller: Circumstances, named: Collection[str]) -> str | None:
    """Why none of a weight's addresses gives anything: what the first says; None where one seems to."""
    reasons = []
    for url in urls:
        if (reason := _why_not(url, caller, named)) is None:
            return None
        reasons.append(reason)
    return reasons[0] + (f" (its mirrors neither: {len(reasons) - 1})" if len(reasons) > 1 else "")


def _why_not(url: str, caller: Circumstances, named: Collection[str]) -> str | None:
    """Why an address gives nothing; None where it seems to."""
    try:
        if url.startswith("file:"):
            return None if file_path(url).is_file() else f"there is no {one_line(url, 200)}"
        if not url.startswith(("https:", "http:")):
            return None  # pypi: is found through the index, and its error says what there is
        if caller.offline:
            return "it is not on this machine, and nothing may come over the network"
        with open_client(Outbound.of(caller, named), SECONDS, read_pip_config(caller.variables).cert) as client:
            status = client.head(url).status_code
            if status >= 400:  # an address may be signed for a GET alone, and a server may know no HEAD
                with client.stream("GET", url, headers={"Range": "bytes=0-0"}) as reply:
                    status = reply.status_code
    except CvflowError as error:
        return error.message
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"{shown_url(url)} does not answer ({one_line(str(error), 120) or type(error).__name__})"
    if status in _GONE:
        return f"{shown_url(url)}: the server {_GONE[status]} ({status})"
    return f"{shown_url(url)}: the server answers {status}" if status >= 500 else None
