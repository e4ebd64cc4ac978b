"""The partial file beside the output: one line a picture, in the order of the walk, so that a stopped run goes on where it was."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from cvflow_tui.cli.labelling.records import Record
from cvflow_tui.model.errors import RefusedError
from cvflow_tui.model.space import is_full, no_space


class PartialFile:
    """`OUT.partial`. `header` says what was asked; a partial file that was asked something else is begun anew.

    Held locked while open: raises RefusedError when another run writes to it.
    """

    def __init__(self, out: Path, header: dict[str, Any]) -> None:
        self.path = out.with_name(f"{out.name}.partial")
        self._header = (json.dumps(header, sort_keys=True) + "\n").encode()
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        self._file = os.fdopen(descriptor, "r+b")
        self._lock()
        if self._file.readline() != self._header:
            self._file.seek(0)
            self._file.truncate()
            self._file.write(self._header)

    def __enter__(self) -> PartialFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            with self._writing():
                self._file.close()
        finally:
            if self.path.is_file() and self.path.stat().st_size <= len(self._header):
                self.path.unlink()  # no picture in it: nothing to go on from

    def next_done(self, name: str, stamp: str) -> Record | None:
        """The next line if it is about this very picture; otherwise None, and everything from there on is dropped."""
        begin = self._file.tell()
        line = self._file.readline()
        record = Record.from_line(line) if line.endswith(b"\n") else None
        if record is not None and record.name == name and record.stamp == stamp:
            return record
        self._file.seek(begin)
        self._file.truncate()
        return None

    def add(self, record: Record) -> None:
        """Write a picture's line."""
        with self._writing():
            self._file.write(record.to_line().encode())

    def end(self) -> None:
        """Drop lines that belong to pictures which are no longer there, and hand everything to the kernel."""
        with self._writing():
            self._file.truncate(self._file.tell())
            self._file.flush()

    def records(self) -> Iterator[Record]:
        """Every line from the first; call after `end`."""
        with self.path.open("rb") as file:
            file.readline()
            for line in file:
                if (record := Record.from_line(line)) is not None:
                    yield record

    def remove(self) -> None:
        """The output stands: the partial file is not needed any more."""
        self.path.unlink(missing_ok=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if is_full(error):
                raise no_space(self.path.parent) from error
            raise

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # no such locks on this platform
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise RefusedError(f"{self.path} is being written by another cvflow label") from None
