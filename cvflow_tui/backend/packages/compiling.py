"""Compiling for the environments to come while an install goes on: it may cost a second core, but not the one who installs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from cvflow_tui.backend.jobs import Cancelled, Progress
from cvflow_tui.backend.packages.bytecode import Bytecode
from cvflow_tui.backend.packages.environment import Environment
from cvflow_tui.backend.packages.interpreters import Interpreter

log = logging.getLogger(__name__)

PATIENCE = 1.0
"""Seconds for which the end of an install waits for it at most. What is not compiled by then, a later install compiles."""


class Compiling:
    """What an install's import compiled, compiled once more in a process of its own. A context manager: it ends with the install."""

    def __init__(self, bytecode: Bytecode, work: Path) -> None:
        self._bytecode = bytecode
        self._fresh = work / "bytecode"
        self._progress = Progress()
        self._thread: threading.Thread | None = None
        self._interpreter: Interpreter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._end(0.0)

    def begin(self, environment: Environment) -> None:
        """Begin with an environment into which a package was imported. The app's own Python is none of ours."""
        if environment.key is not None and environment.interpreter is not None and self._thread is None:
            self._interpreter = environment.interpreter
            what = (environment.python.parents[1], environment.interpreter)
            self._thread = threading.Thread(target=self._compile, args=what, name="bytecode", daemon=True)
            self._thread.start()

    def keep(self) -> None:
        """Keep what was compiled: the install is real."""
        self._end(PATIENCE)
        if self._interpreter is not None:
            with self._told("what was compiled is not kept"):
                self._bytecode.keep(self._fresh, self._interpreter)

    def _compile(self, environment: Path, interpreter: Interpreter) -> None:
        with self._told("modules were not compiled"), suppress(Cancelled):
            self._bytecode.compile(environment, interpreter, self._fresh, self._progress)

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Nobody's install fails for this."""
        try:
            yield
        except OSError as error:
            log.warning("%s: %s", what, error)

    def _end(self, seconds: float) -> None:
        if self._thread is not None:
            self._thread.join(seconds)
            self._progress.cancelled.set()
            self._thread.join()
