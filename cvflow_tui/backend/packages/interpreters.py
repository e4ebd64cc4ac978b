"""Which Python a package's environment is made of: one that is on this machine and fits. None is ever downloaded."""

from __future__ import annotations

import functools
import json
import os
import platform
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from cvflow_tui.model.errors import PackageError, UsageError
from cvflow_tui.model.mending import Mend
from cvflow_tui.model.text import one_line

VARIABLE = "CVFLOW_PYTHON"
"""A Python that the user prefers to all others, wherever it fits."""

FLOOR = Version("3.9")
"""The worker's code runs from here on."""

_PROBE = """\
import json, platform, sys, sysconfig
print(json.dumps([platform.python_version(), platform.python_implementation(), sysconfig.get_platform(), sys._base_executable]))
"""
_PROBE_SECONDS = 10.0
_NAME = re.compile(r"python3(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python of this machine."""

    path: Path
    version: str
    implementation: str
    platform: str
    base: Path
    """The executable that a virtualenv would link to."""

    @property
    def tag(self) -> str:
        """`cp311`: what the names of its wheels say."""
        major, minor = self.version.split(".")[:2]
        short = {"CPython": "cp", "PyPy": "pp"}.get(self.implementation, self.implementation.lower())
        return f"{short}{major}{minor}"

    @property
    def own(self) -> bool:
        """Whether it is the app's own."""
        return self.path == Path(sys.executable)

    def fits(self, wanted: str | None) -> bool:
        """Whether a range of versions (and the worker) takes it."""
        version = Version(self.version)
        return version >= FLOOR and (not wanted or SpecifierSet(wanted).contains(version, prereleases=True))


def own_interpreter() -> Interpreter:
    """The Python that this app runs on."""
    base = Path(getattr(sys, "_base_executable", None) or sys.executable)
    return Interpreter(Path(sys.executable), platform.python_version(), platform.python_implementation(), sysconfig.get_platform(), base)


def choose_interpreter(wanted: str | None, chosen: str | None = None) -> Interpreter:
    """The interpreter for a package that wants a range of versions (None: any).

    `chosen` is the user's: a path, or a version such as `3.10`. Without it: $CVFLOW_PYTHON, the app's own, then the newest that fits.
    Raises PackageError that says what was looked at, UsageError for a choice that is no Python.
    """
    if chosen:
        return _chosen(chosen, wanted)
    preferred = probe(Path(told).expanduser()) if (told := os.environ.get(VARIABLE)) else None
    for first in (preferred, own_interpreter()):
        if first is not None and first.fits(wanted):
            return first
    found = installed_interpreters()
    fitting = [each for each in found if each.fits(wanted)]
    if not fitting:
        what = f"it needs Python {wanted}, and none here fits: there is {_told(found)}"
        raise PackageError(f"{what}; install one, or name it: --python PATH", mends=[Mend(python="")])
    return max(fitting, key=lambda each: Version(each.version))


def installed_interpreters() -> list[Interpreter]:
    """Every Python of this machine that answers: the app's own, then those in the usual places, each once."""
    found = {own_interpreter().base.resolve(): own_interpreter()}
    for path in _places():
        if path.resolve() not in found and (interpreter := probe(path)) is not None:
            found.setdefault(interpreter.base.resolve(), interpreter)
    return list(found.values())


def probe(path: Path) -> Interpreter | None:
    """What a Python says of itself; None for one that does not answer (pyenv's shims of versions that are switched off)."""
    try:
        stamp = path.stat().st_mtime_ns
    except OSError:
        return None
    return _probe(path, stamp)


@functools.lru_cache(256)
def _probe(path: Path, _stamp: int) -> Interpreter | None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        command = [str(path), "-I", "-S", "-c", _PROBE]
        done = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_PROBE_SECONDS, env=environment, check=True, text=True
        )
        version, implementation, machine, base = json.loads(done.stdout)
        Version(version)
    except (OSError, subprocess.SubprocessError, ValueError, TypeError):
        return None
    return Interpreter(path, version, implementation, machine, Path(base or path))


def _chosen(chosen: str, wanted: str | None) -> Interpreter:
    interpreter = _by_version(chosen) if re.fullmatch(r"\d+(\.\d+){0,2}", chosen) else probe(Path(chosen).expanduser())
    if interpreter is None:
        found = _told(installed_interpreters())
        raise UsageError(f"--python {one_line(chosen, 200)}: there is no such Python here; there is {found}")
    if not interpreter.fits(wanted):
        needs = f"Python {wanted}" if wanted else f"Python {FLOOR} or newer"
        raise PackageError(f"it needs {needs}, and {interpreter.path} is {interpreter.version}")
    return interpreter


def _by_version(version: str) -> Interpreter | None:
    found = [each for each in installed_interpreters() if f"{each.version}.".startswith(f"{version}.")]
    return max(found, key=lambda each: Version(each.version), default=None)


def _places() -> Iterator[Path]:
    """Where Pythons are: PATH, then pyenv's, uv's and conda's folders."""
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT") or home / ".pyenv")
    for listed in os.environ.get("PATH", "").split(os.pathsep):
        if listed and Path(listed) != pyenv / "shims":  # slow scripts that lead to pyenv's versions, which are looked at below
            yield from sorted(path for path in _entries(Path(listed)) if _NAME.fullmatch(path.name))
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    conda = [home / name for name in ("miniconda3", "anaconda3", "miniforge3", "mambaforge")]
    for folder in (
        pyenv / "versions",
        Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv" / "python"),
        *(root / "envs" for root in conda),
    ):
        yield from (path for each in sorted(_entries(folder)) if (path := each / "bin" / "python3").exists())
    yield from (path for root in conda if (path := root / "bin" / "python3").exists())


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _told(found: list[Interpreter]) -> str:
    versions = sorted({each.version for each in found}, key=Version)
    return ", ".join(versions) or "none"
