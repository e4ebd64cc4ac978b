"""Many pictures through one solver, for `cvflow infer`: a line each, in order, as they are answered; a file of them whole or not at all."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cvflow_tui.backend.pictures.walk import check_roots, walk
from cvflow_tui.cli.labelling.run import RETRIES
from cvflow_tui.cli.labelling.window import in_order
from cvflow_tui.cli.output import number
from cvflow_tui.cli.progress import Progress
from cvflow_tui.model.errors import CvflowError, PackageError, RemoteError, UsageError
from cvflow_tui.model.results import Result
from cvflow_tui.model.text import one_line

AT_ONCE = 16
"""Pictures under way: two of the largest batches that are usual."""

Ask = Callable[[Path], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a picture."""

    picture: str
    result: Result | None = None
    error: CvflowError | None = None

    def as_json(self) -> str:
        """`{"picture", "result"}` or `{"picture", "error", "code"}`, on one line. Non-ASCII is escaped, as everywhere on stdout."""
        told: dict[str, object] = {"picture": self.picture}
        if self.error is not None:
            told |= {"error": self.error.message, "code": self.error.code}
        else:
            assert self.result is not None
            told["result"] = dict(self.result.raw)
        return json.dumps(told)

    def as_rows(self) -> list[str]:
        """Tab-separated: picture, label, score, x0, y0, x1, y1, text; a line an object, or one that says what else there is."""
        if self.error is not None:
            return ["\t".join((_word(self.picture), "error", one_line(self.error.message, 300)))]
        assert self.result is not None
        rows = []
        for each in self.result.objects:
            corners = [f"{value:.1f}" for value in each.box.corners] if each.box else [""] * 4
            rows.append((each.label, number(each.score, 3), *corners, each.text or ""))
        rows += [(each.label, number(each.score, 3)) for each in self.result.classes]
        if self.result.caption:
            rows.append((self.result.caption,))
        return ["\t".join(_word(cell) for cell in (self.picture, *row)) for row in rows]


@dataclass
class Tally:
    """How it went."""

    pictures: int = 0
    failed: int = 0
    first: CvflowError | None = None


def find_pictures(given: Sequence[str]) -> list[Path]:
    """The pictures that files and folders name, in natural order. Raises NotFoundError, UsageError."""
    roots = check_roots([str(Path(text).expanduser().absolute()) for text in given])
    found = [Path(path) for path in walk(roots)]
    if not found:
        raise UsageError(f"{', '.join(given)}: there are no pictures here")
    return found


async def infer_many(pictures: Sequence[Path], ask: Ask, out: IO[str], progress: Progress, *, as_json: bool) -> Tally:
    """Ask for each; a picture that can't be used is a line of its own. Raises what ends the run (a runner that is gone)."""
    tally, began = Tally(), time.monotonic()

    async def one(path: Path) -> Answer:
        try:
            return Answer(str(path), await _insist(ask, path))
        except OSError as error:
            return Answer(str(path), error=UsageError(f"it can't be read: {error.strerror or error}"))
        except (UsageError, PackageError) as error:
            return Answer(str(path), error=error)

    async with aclosing(in_order(pictures, one, AT_ONCE)) as answers:
        async for answer in answers:
            progress.clear()
            for line in [answer.as_json()] if as_json else answer.as_rows():
                out.write(line + "\n")
            out.flush()
            tally.pictures += 1
            if answer.error is not None:
                tally.failed += 1
                tally.first = tally.first or answer.error
            rate = tally.pictures / max(1e-9, time.monotonic() - began)
            progress.show("inferring", tally.pictures, len(pictures), "pictures", rate, (len(pictures) - tally.pictures) / rate)
    return tally


async def _insist(ask: Ask, path: Path) -> Result:
    """Ask again where the runner has no answer for now: its worker may be coming back, or many may be waiting."""
    for pause in RETRIES:
        try:
            return await ask(path)
        except RemoteError:
            await asyncio.sleep(pause)
    return await ask(path)


@contextmanager
def output(path: Path | None) -> Iterator[IO[str]]:
    """Where the lines go: stdout, or a file that is there once all of them are. Raises UsageError for one that can't be written."""
    if path is None:
        yield sys.stdout
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _word(text: str) -> str:
    return one_line(text, 500)
