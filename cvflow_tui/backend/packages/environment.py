"""A package's environment: a virtualenv of its own, shared by packages that ask for the same, or the app's own Python."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
import sysconfig
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.disk import require_space, sync_folder
from cvflow_tui.backend.packages.pip_config import PipConfig, read_pip_config
from cvflow_tui.backend.packages.requirements import held_versions
from cvflow_tui.backend.packages.tools import last_lines, run_tool
from cvflow_tui.model.errors import CvflowError, PackageError
from cvflow_tui.model.text import one_line

NOTE = "cvflow-environment.json"
"""What an environment holds, in its folder; written last, so that an environment without it is not one."""

INSTALL_SECONDS = 3600.0
_ROOM = 64 << 20
"""Bytes that must be free before an environment is begun; what it really takes, only the installer learns."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a package's code runs."""

    key: str | None
    """None: the app's own Python."""
    python: Path
    resolved: tuple[str, ...] = ()
    """What is installed in it, as `name==version`."""


def host_environment(requirements: Sequence[str]) -> Environment:
    """The app's own Python, with the versions it has of what a package asks for."""
    return Environment(None, Path(sys.executable), tuple(held_versions(requirements)))


class Environments:
    """`environments/KEY/` of a home folder. Thread-safe.

    An environment is built in the staging folder and moved to its place in one rename. The scripts in its `bin` are worthless after
    that, for a virtualenv writes its path into them; nothing here uses them: it is always `bin/python -m`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    def path(self, key: str) -> Path:
        """The folder of an environment."""
        return self.folder / key

    def python(self, key: str | None) -> Path:
        """The interpreter of an environment."""
        if key is None:
            return Path(sys.executable)
        return self.path(key) / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def has(self, key: str) -> bool:
        """Whether it exists, whole."""
        return (self.path(key) / NOTE).is_file()

    def ensure(self, requirements: Sequence[str], work: Path, progress: Progress) -> Environment:
        """The environment for these requirements, made (in `work` first) if there is none yet.

        Raises PackageError with the installer's last lines where the requirements cannot be had.
        """
        key = key_of(requirements)
        with self._making(key, progress):
            if not self.has(key):
                self._make(key, requirements, work, progress)
            note = json.loads((self.path(key) / NOTE).read_text("utf-8"))
        return Environment(key, self.python(key), tuple(note["resolved"]))

    def sweep(self, used: set[str]) -> None:
        """Delete the environments that are not in `used`."""
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if path.name not in used:
                shutil.rmtree(path)

    def _make(self, key: str, requirements: Sequence[str], work: Path, progress: Progress) -> None:
        progress.step("making the environment")
        require_space(self.folder, _ROOM, "the environment")
        aside = work / "environment"
        shutil.rmtree(aside, ignore_errors=True)
        _create(aside)
        python = aside / self.python(key).relative_to(self.path(key))
        if requirements:
            progress.step(f"installing {_count(requirements)}")
            install(python, requirements, work, progress)
        resolved = _uv(["pip", "freeze", "--python", str(python)], read_pip_config(), progress, 120.0).split("\n") if requirements else []
        note = {
            "requirements": sorted(requirements),
            "python": platform.python_version(),
            "resolved": sorted(line.strip() for line in resolved if "==" in line or " @ " in line),
        }
        with (aside / NOTE).open("w", encoding="utf-8") as file:
            json.dump(note, file)
            file.flush()
            os.fsync(file.fileno())
        progress.check()
        if self.path(key).exists():
            shutil.rmtree(self.path(key))  # one that was never finished
        aside.rename(self.path(key))
        sync_folder(self.folder)

    @contextmanager
    def _making(self, key: str, progress: Progress) -> Iterator[None]:
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        while not lock.acquire(timeout=0.2):
            progress.check()
        try:
            yield
        finally:
            lock.release()


def key_of(requirements: Sequence[str]) -> str:
    """The name of the environment that these requirements, this Python and this platform make."""
    told = json.dumps([sorted(requirements), platform.python_implementation(), platform.python_version(), sysconfig.get_platform()])
    return hashlib.sha256(told.encode()).hexdigest()[:20]


def install(python: Path, requirements: Sequence[str], work: Path, progress: Progress) -> None:
    """Install requirements into the environment of `python` with uv. Raises PackageError with uv's last lines."""
    listed = work / "requirements.txt"
    listed.write_text("".join(f"{line}\n" for line in requirements), "utf-8")
    pip = read_pip_config()
    arguments = ["pip", "install", "--python", str(python), "--requirement", str(listed), *index_arguments(pip)]
    _uv(arguments, pip, progress, INSTALL_SECONDS)


def index_arguments(pip: PipConfig) -> list[str]:
    """pip's indexes in uv's words. With several, the best version of all wins, as with pip: uv alone would stop at the first."""
    arguments = ["--no-index"] if pip.index_url is None else ["--default-index", pip.index_url]
    for url in pip.extra_index_urls:
        arguments += ["--index", url]
    for place in pip.find_links:
        arguments += ["--find-links", place]
    return [*arguments, "--index-strategy", "unsafe-best-match"] if pip.extra_index_urls else arguments


def _uv(arguments: Sequence[str], pip: PipConfig, progress: Progress, seconds: float) -> str:
    from uv import find_uv_bin

    environment = {
        name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "CONDA_PREFIX")
    }
    environment |= {"NO_COLOR": "1", "UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never"}
    if pip.cert:
        environment.setdefault("SSL_CERT_FILE", pip.cert)
    status, output = run_tool([find_uv_bin(), "--no-config", *arguments], progress=progress, seconds=seconds, env=environment)
    if status is None:
        raise PackageError(f"the requirements were not installed within {seconds / 60:.0f} minutes", detail=output)
    if status != 0:
        said = one_line(" ".join(last_lines(output)), 600)
        raise PackageError(f"the requirements cannot be installed: {said or f'uv ended with status {status}'}", detail=output)
    return output


def _create(folder: Path) -> None:
    """An empty virtualenv of the app's Python, without pip."""
    from virtualenv import cli_run

    try:
        cli_run([str(folder), "--python", sys.executable, "--no-seed", "--no-periodic-update", "--no-vcs-ignore"], setup_logging=False)
    except (OSError, RuntimeError, SystemExit) as error:
        raise CvflowError(f"no virtualenv can be made: {one_line(str(error))}") from error


def _count(requirements: Sequence[str]) -> str:
    return "1 requirement" if len(requirements) == 1 else f"{len(requirements)} requirements"
