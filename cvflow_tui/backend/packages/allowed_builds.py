"""Builds that the user has allowed once: the permission is for those very bytes, or that commit, and for nothing that comes later."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.digests import digest_of
from cvflow_tui.backend.packages.downloads import Downloads
from cvflow_tui.backend.packages.locked_pins import pin_of
from cvflow_tui.backend.packages.pip_config import read_pip_config
from cvflow_tui.backend.packages.pypi import hosts_of, source_archives
from cvflow_tui.backend.packages.requirements import built, parse
from cvflow_tui.backend.packages.resolution import Built, Pin, Wish
from cvflow_tui.model.errors import PackageError, RefusedError, RemoteError
from cvflow_tui.model.mending import Mend


def builds_in(document: Mapping[str, Any]) -> tuple[Built, ...]:
    """The builds that stand in a lock as allowed. Raises PackageError for a lock with a distribution that is none."""
    table = document["environment"]
    allowed = {canonicalize_name(str(name)) for name in table.get("allow_build", ())}
    written = built([*map(str, table.get("requirements", ())), *map(str, table.get("added", ()))])
    pins = [pin_of("cvflow.lock", told) for told in document.get("distributions", ()) if told.get("name") in allowed]
    return tuple(Built(pin, written.get(pin.name, "")) for pin in pins if pin.source)


@dataclass(frozen=True, slots=True)
class Held:
    """What a resolver is to be told so that it comes to nothing but builds that were allowed before."""

    lines: tuple[str, ...] = ()
    """The requirements, those that are repositories held to their commits."""
    direct: tuple[str, ...] = ()
    """What comes from an address of its own."""
    indexed: tuple[Pin, ...] = ()
    """What comes from an index, of which only this version may."""

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.direct, *(pin.name for pin in self.indexed))


def hold(wish: Wish, work: Path, progress: Progress) -> Held:
    """Hold a wish to the builds that were allowed before and are still to be had, byte for byte: looked at before any of them can run.

    Offline, what lies in uv's cache is what came then.
    """
    found = [each for each in wish.builds if each.pin.name not in wish.allow_build and _is_there(each, wish, work, progress)]
    urls = {each.pin.name: each.pin.url for each in found if each.pin.url}
    lines = []
    for line in wish.lines:
        name = canonicalize_name(parse(line)[0].name)
        lines.append(f"{name} @ {urls[name]}" if name in urls else line)
    return Held(tuple(lines), tuple(urls), tuple(each.pin for each in found if not each.pin.url))


def refuse_others(pins: Sequence[Pin], wish: Wish) -> None:
    """Raise RefusedError for a build that is not the one that was allowed."""
    for pin in pins:
        if pin.source and not wish.allows(pin):
            raise RefusedError(
                f"{pin.name} {pin.version} is another build than the one that was allowed: installing it runs its author's code;"
                f" if you trust that, add --allow-build {pin.name}",
                mends=[Mend(allow_build=(pin.name,))],
            )


def _is_there(each: Built, wish: Wish, work: Path, progress: Progress) -> bool:
    """Whether what was allowed is what would be built."""
    written = built(wish.lines).get(each.pin.name, "")
    if written != each.written:
        return False  # asked for elsewhere, or by another ref
    if (each.pin.url or "").startswith("git+"):
        return True  # held to its commit
    try:
        digests = set(_digests(each.pin, wish, work, progress))
    except (RemoteError, PackageError, RefusedError):
        return False
    return bool(digests) and digests <= set(each.pin.hashes)


def _digests(pin: Pin, wish: Wish, work: Path, progress: Progress) -> Iterator[str]:
    """The digests of all that an installer may take for the pin."""
    downloads = Downloads(work / "builds", caller=wish.caller)
    pip = read_pip_config(wish.caller.variables)
    if wish.caller.offline and not (pin.url or "").startswith("file:"):
        yield from pin.hashes
        return
    places: list[tuple[str, str | None, frozenset[str]]] = [(pin.url, None, pip.hosts)] if pin.url else []
    if not pin.url:
        places = [(each.url, each.sha256, hosts_of(each, pip)) for each in source_archives(pin.name, pin.version, pip, downloads)]
    for number, (url, sha256, named) in enumerate(places):
        if url.startswith("file:"):
            yield f"sha256:{_file_digest(Path(unquote(urlsplit(url).path)))}"
        elif sha256 is not None:
            yield f"sha256:{sha256}"
        else:
            into = work / f"build-{number}"
            work.mkdir(mode=0o700, parents=True, exist_ok=True)
            yield f"sha256:{downloads.get(url, None, pin.file or pin.name, into, progress, named=named, for_pip=True).sha256}"
            into.unlink()
    shutil.rmtree(downloads.folder, ignore_errors=True)


def _file_digest(path: Path) -> str:
    try:
        return digest_of(path)
    except OSError as error:
        raise PackageError(f"{path} cannot be read: {error.strerror}") from error
