"""Putting a resolution's distributions into an environment, with what can be told of how far it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from packaging.utils import canonicalize_name

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.pip_config import hide_credentials, index_arguments, read_pip_config
from cvflow_tui.backend.packages.resolution import Pin, Resolution
from cvflow_tui.backend.packages.resolver import explain
from cvflow_tui.backend.packages.sizes import measured
from cvflow_tui.backend.packages.uv_program import build_arguments, run_uv
from cvflow_tui.model.circumstances import Circumstances
from cvflow_tui.model.errors import PackageError

SECONDS = 3600.0
_LOOK_SECONDS = 120.0

_CACHED = re.compile(r"requirement already cached: (\S+?)(?:==| |$)")
_ARRIVED = re.compile(r"^\s*(?:Downloaded|Built) (\S+?)(?:==.*)?$")
_PREPARED = re.compile(r"^\s*Prepared \d+ packages?")


def fill(environment: Path, resolution: Resolution, work: Path, progress: Progress, caller: Circumstances) -> None:
    """Install exactly what was resolved, hashes checked, into an environment of the resolution's interpreter.

    What uv has already is not asked for: the network is only used for the rest. Raises PackageError with uv's reason.
    """
    count = len(resolution.pins)
    what = f"installing {count} package{'s' if count != 1 else ''}"
    progress.step(what, total=count, unit="packages")
    nothing, without = _Watch(progress, resolution, ()), caller.kept_offline(True)
    status, output = _install(environment, resolution, work, progress, nothing, without)
    if status != 0 and not caller.offline:
        coming = measured(missing(resolution, work, progress, caller), caller)
        if coming and all(pin.size is not None for pin in coming):
            progress.step(f"{what}, {len(coming)} of them to download", total=sum(pin.size or 0 for pin in coming), unit="bytes")
        status, output = _install(environment, resolution, work, progress, _Watch(progress, resolution, coming), caller)
    output = hide_credentials(output)
    if status is None:
        raise PackageError(f"the requirements were not installed within {SECONDS / 60:.0f} minutes", detail=output)
    if status != 0:
        raise PackageError(f"the requirements cannot be installed: {explain(output)}", detail=output)
    progress.check()


def missing(resolution: Resolution, work: Path, progress: Progress, caller: Circumstances) -> tuple[Pin, ...]:
    """The distributions whose files have to come over the network: neither uv's cache nor this disk has them.

    The index is asked only if uv's cache does not have all of them, and never where the caller is offline.
    """
    far = tuple(pin for pin in resolution.pins if pin.where is None or not pin.where.startswith(("file:", "/")))
    if not far:
        return ()
    cached: set[str] = set()

    def note(line: str) -> None:
        if found := _CACHED.search(line):
            cached.add(canonicalize_name(found[1]))

    # A dry run needs a place to install into: an empty folder, which it leaves empty.
    nowhere = ["--target", str(work / "nowhere"), "--python", str(resolution.interpreter.path), "--dry-run", "-v"]
    arguments = [*_arguments(resolution, work, caller), *nowhere]
    status, _ = _uv([*arguments, "--offline"], resolution, work, progress, _LOOK_SECONDS, note, caller)
    if status != 0 and not caller.offline:
        status, _ = _uv(arguments, resolution, work, progress, _LOOK_SECONDS, note, caller)
    return far if status != 0 else tuple(pin for pin in far if canonicalize_name(pin.name) not in cached)


class _Watch:
    """Turns what uv says into progress. It names a file that has arrived where it is large; the small ones count at the end."""

    def __init__(self, progress: Progress, resolution: Resolution, coming: tuple[Pin, ...]) -> None:
        self._progress = progress
        self._sizes: dict[str, int | None] = {canonicalize_name(pin.name): pin.size for pin in coming}
        self._bytes = bool(coming) and None not in self._sizes.values()
        self._count = len(resolution.pins)
        self._arrived: set[str] = set()

    def __call__(self, line: str) -> None:
        if found := _ARRIVED.match(line):
            self._arrived.add(canonicalize_name(found[1]))
        elif _PREPARED.match(line):
            self._arrived |= set(self._sizes)
        else:
            return
        if self._bytes:
            self._progress.advance(sum(self._sizes.get(name) or 0 for name in self._arrived))
        else:
            self._progress.advance(min(self._count, self._count - len(self._sizes) + len(self._arrived)))


def _install(
    environment: Path, resolution: Resolution, work: Path, progress: Progress, watch: _Watch, caller: Circumstances
) -> tuple[int | None, str]:
    # uv knows the interpreter already; one that was made a moment ago it would first have to run and ask about itself.
    where = ["--prefix", str(environment), "--python", str(resolution.interpreter.path)]
    arguments = [*_arguments(resolution, work, caller), *where, *(["--offline"] if caller.offline else [])]
    return _uv(arguments, resolution, work, progress, SECONDS, watch, caller)


def _uv(
    arguments: list[str],
    resolution: Resolution,
    work: Path,
    progress: Progress,
    seconds: float,
    watch: Callable[[str], None],
    caller: Circumstances,
) -> tuple[int | None, str]:
    """Run uv, confined where it may build something."""
    places = [pin.url for pin in resolution.pins]
    return run_uv(arguments, caller, progress, seconds, watch, builds_in=work if resolution.builds else None, places=places)


def _arguments(resolution: Resolution, work: Path, caller: Circumstances) -> list[str]:
    """What every run of the installer is told. Nothing is resolved again: `--no-deps`."""
    listed = work / "requirements.txt"
    listed.write_text("".join(f"{pin.line}\n" for pin in resolution.pins), "utf-8")
    # A repository has a commit in place of a hash, and uv knows no way to demand hashes of the others alone; it checks those it is given.
    hashes = ["--require-hashes"] if all(pin.hashes for pin in resolution.pins) else ["--verify-hashes"]
    builds = build_arguments([pin.name for pin in resolution.builds])
    pip = read_pip_config(caller.variables)
    return ["pip", "install", "--no-deps", *hashes, "--requirement", str(listed), *builds, *index_arguments(pip)]
