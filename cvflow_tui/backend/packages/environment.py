"""A package's environment: a virtualenv of its own, shared by packages that ask for the same, or the app's own Python."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.bytecode import Bytecode
from cvflow_tui.backend.packages.disk import require_space, sync_folder, writing
from cvflow_tui.backend.packages.environment_files import altered_since, unlike_their_lists
from cvflow_tui.backend.packages.filling import fill
from cvflow_tui.backend.packages.interpreters import Interpreter, choose_interpreter, own_interpreter
from cvflow_tui.backend.packages.locked_pins import follow_lock
from cvflow_tui.backend.packages.pip_config import PipConfig, read_pip_config
from cvflow_tui.backend.packages.requirements import held_versions
from cvflow_tui.backend.packages.resolution import Pin, Resolution, Wish
from cvflow_tui.backend.packages.resolver import resolve
from cvflow_tui.backend.packages.sealing import NOTE, is_whole, seal, sealed_at, written
from cvflow_tui.backend.packages.uv_cache import forget_cached
from cvflow_tui.model.circumstances import Circumstances
from cvflow_tui.model.errors import CvflowError, PackageError
from cvflow_tui.model.text import one_line

RESOLVING = "resolve"
"""The folder below an install's in which its requirements are resolved."""

UNPACKED = 3
"""How many times its wheels an environment is, about: what is asked for before it is begun."""

_ROOM = 64 << 20
"""Bytes that must be free before an environment is begun, whatever its wheels say."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a package's code runs."""

    key: str | None
    """None: the app's own Python."""
    python: Path
    resolved: tuple[str, ...] = ()
    """What is installed in it, as `name==version`."""
    interpreter: Interpreter | None = None
    """What it was made of; None: the app's own Python."""
    pins: tuple[Pin, ...] = ()
    """What is installed in it, exactly; of the app's own Python nothing is known so well."""


def host_environment(requirements: Sequence[str]) -> Environment:
    """The app's own Python, with the versions it has of what a package asks for."""
    return Environment(None, Path(sys.executable), tuple(held_versions(requirements)), own_interpreter())


class Environments:
    """`environments/KEY/` of a home folder. Thread-safe.

    An environment is built in the staging folder and moved to its place in one rename. The scripts in its `bin` are worthless after
    that, for a virtualenv writes its path into them; nothing here uses them: it is always `bin/python -m`.
    """

    def __init__(self, folder: Path, bytecode: Bytecode) -> None:
        """`bytecode` is what a new one need not compile again."""
        self.folder = folder
        self._bytecode = bytecode
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._planned: dict[tuple[Wish, PipConfig], Resolution] = {}

    def path(self, key: str) -> Path:
        """The folder of an environment."""
        return self.folder / key

    def python(self, key: str | None) -> Path:
        """The interpreter of an environment."""
        if key is None:
            return Path(sys.executable)
        return self.path(key) / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def has(self, key: str) -> bool:
        """Whether it exists and was finished, with the interpreter and the distributions of then; reads none of their files."""
        return is_whole(self.path(key))

    @contextmanager
    def unfit(self, key: str) -> Iterator[None]:
        """Have an environment made anew by who asks for it in this block. Where nobody does, or it fails, it is what it was."""
        note = self.path(key) / NOTE
        aside = note.with_name(f".{NOTE}.unfit")
        if note.is_file():
            note.replace(aside)
        try:
            yield
        finally:
            if aside.is_file() and not note.exists():
                aside.replace(note)

    def plan(self, wish: Wish, work: Path, progress: Progress) -> Resolution:
        """What an environment for these wishes would hold; the next `resolve` of the same gets the same, as it was shown."""
        resolution = self.resolve(wish, work, progress)
        with self._guard:
            self._planned = {(wish, read_pip_config(wish.caller.variables)): resolution}
        return resolution

    def resolve(self, wish: Wish, work: Path, progress: Progress) -> Resolution:
        """What an environment for these wishes holds. Raises what `choose_interpreter`, `resolve` and `follow_lock` raise."""
        with self._guard:
            planned = self._planned.pop((wish, read_pip_config(wish.caller.variables)), None)
        if planned is not None:
            return planned
        if wish.locked is not None:
            return follow_lock(wish.locked, wish)
        interpreter = choose_interpreter(wish.python, wish.interpreter)
        if wish.lines:
            progress.step("resolving the requirements")
        return resolve(wish, interpreter, work / RESOLVING, progress)

    def ensure(self, resolution: Resolution, work: Path, progress: Progress, caller: Circumstances) -> Environment:
        """The environment that holds this, made (in `work` first) if there is none yet, or somebody has altered the one that there is.

        Raises PackageError with the installer's reason where the distributions cannot be had.
        """
        key = resolution.key
        with self._making(key, progress):
            if not self.has(key) or altered_since(self.path(key), sealed_at(self.path(key))):
                self._make(resolution, work, progress, caller)
        return Environment(key, self.python(key), resolution.resolved, resolution.interpreter, resolution.pins)

    def sweep(self, used: set[str]) -> None:
        """Delete the environments that are not in `used`."""
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if path.name not in used and path.is_dir():
                shutil.rmtree(path)

    def beside(self, resolution: Resolution, work: Path, progress: Progress, caller: Circumstances) -> Environment:
        """The same once more in `work`, beside the one that there is: for comparison, and to mend that. Raises as `ensure` does."""
        folder = self._build_surely(resolution, work, progress, caller)
        python = folder / self.python(resolution.key).relative_to(self.path(resolution.key))
        return Environment(resolution.key, python, resolution.resolved, resolution.interpreter, resolution.pins)

    def _make(self, resolution: Resolution, work: Path, progress: Progress, caller: Circumstances) -> None:
        place = self.path(resolution.key)
        build = self._build_surely if place.exists() else self._build
        aside = build(resolution, work, progress, caller)
        progress.check()
        if place.exists():
            place.rename(work / "unfit")  # never finished, or not whole any more; gone with the rest of `work`
        aside.rename(place)
        sync_folder(self.folder)

    def _build_surely(self, resolution: Resolution, work: Path, progress: Progress, caller: Circumstances) -> Path:
        """As `_build`, for one that takes the place of a damaged one: environments are linked to uv's cache, which may be damaged with it.

        What is gets fetched anew. Raises PackageError where that is not to be had.
        """
        aside = self._build(resolution, work, progress, caller)
        if wrong := sorted(unlike_their_lists(aside)):
            forget_cached(wrong, progress)
            aside = self._build(resolution, work, progress, caller)
            if wrong := sorted(unlike_their_lists(aside)):
                raise PackageError(f"{', '.join(wrong)}: what the installer brings is not what its own list of files says")
        return aside

    def _build(self, resolution: Resolution, work: Path, progress: Progress, caller: Circumstances) -> Path:
        """It, whole, in a folder below `work`."""
        progress.step("making the environment")
        known = sum(pin.size or 0 for pin in resolution.pins)
        require_space(self.folder, _ROOM + UNPACKED * known, "the environment")
        aside = work / "environment"
        shutil.rmtree(aside, ignore_errors=True)
        _create(aside, resolution.interpreter)
        files = written(aside)
        if resolution.pins:
            fill(aside, resolution, work, progress, caller)
            with writing(aside, what="the environment"):
                self._bytecode.place(aside, resolution.interpreter)
        note = {
            "python": resolution.interpreter.version,
            "interpreter": str(resolution.interpreter.base),
            "platform": resolution.interpreter.platform,
            "resolved": list(resolution.resolved),
            "written": files,
        }
        seal(aside, note)
        return aside

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


def _create(folder: Path, interpreter: Interpreter) -> None:
    """An empty virtualenv of an interpreter, without pip."""
    from virtualenv import cli_run

    try:
        with writing(folder.parent, what="the environment"):
            cli_run(
                [str(folder), "--python", str(interpreter.path), "--no-seed", "--no-periodic-update", "--no-vcs-ignore"],
                setup_logging=False,
            )
    except (OSError, RuntimeError, SystemExit) as error:
        raise CvflowError(f"no virtualenv can be made of {interpreter.path}: {one_line(str(error))}") from error
