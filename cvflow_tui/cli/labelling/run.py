"""One run of `cvflow label`: walk, ask, keep each answer, write the file."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvflow_tui.backend.pictures.header import stamp_of
from cvflow_tui.cli.labelling.coco import write_coco
from cvflow_tui.cli.labelling.partial import PartialFile
from cvflow_tui.cli.labelling.records import Record, record_of
from cvflow_tui.cli.labelling.window import in_order
from cvflow_tui.model.errors import CvflowError, RefusedError, RemoteError, UsageError
from cvflow_tui.model.text import one_line

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient
    from cvflow_tui.cli.progress import Progress
    from cvflow_tui.model.solvers import RunningSolver

AT_ONCE = 16
"""Pictures under way: two of the largest batches that are usual."""
RETRIES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before asking a runner again that did not answer: its worker may be coming back."""
HOPELESS = 20
"""So many failures of the solver itself before the first success end the run."""
NAMED = 20
"""Unreadable pictures that are named in the report; all are counted."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to do. `parameters` are the solver's; `labels` give the category ids."""

    roots: tuple[Path, ...]
    root: Path
    out: Path
    solver: RunningSolver
    parameters: dict[str, Any]
    threshold: float
    labels: tuple[str, ...]

    def header(self) -> dict[str, Any]:
        """What must be the same for a stopped run to go on."""
        return {
            "solver": self.solver.name,
            "version": self.solver.version,
            "parameters": self.parameters,
            "threshold": self.threshold,
            "root": str(self.root),
        }


@dataclass
class Report:
    """What a run did. `rate` in pictures a second, without those an earlier run had done."""

    out: str
    solver: str
    pictures: int = 0
    labelled: int = 0
    unreadable: int = 0
    annotations: int = 0
    resumed: int = 0
    seconds: float = 0.0
    rate: float | None = None
    errors: list[dict[str, str]] = field(default_factory=list)


async def run(client: DaemonClient, order: Order, progress: Progress) -> Report:
    """Label every picture. Raises RefusedError where nothing could be done, RemoteError if the runner goes away.

    When it is cancelled or fails, what was done so far stays in the partial file.
    """
    report = Report(str(order.out), order.solver.name)
    total = await asyncio.to_thread(_count, order.roots)
    if not total:
        raise UsageError(f"{', '.join(map(str, order.roots))}: there are no pictures here")
    began = time.monotonic()
    with PartialFile(order.out, order.header()) as partial:
        try:
            async with aclosing(_records(client, order, partial, report)) as records:
                async for record in records:
                    _count_in(report, record)
                    report.seconds = time.monotonic() - began
                    fresh = report.pictures - report.resumed
                    report.rate = fresh / report.seconds if fresh and report.seconds > 0 else None
                    eta = (total - report.pictures) / report.rate if report.rate else None
                    progress.show("labelling", report.pictures, total, "pictures", report.rate, eta)
        except (asyncio.CancelledError, CvflowError):
            progress.remark(f"stopped after {report.pictures} of {total} pictures; the same command goes on from there")
            raise
        partial.end()
        if not report.labelled:
            partial.remove()
            raise UsageError(f"none of {report.pictures} pictures could be labelled: {report.errors[0]['error']}")
        info = {"description": f"labelled by {order.solver.name} {order.solver.version}".strip(), "root": str(order.root)}
        progress.show("writing", report.pictures, total, "pictures")
        written = await asyncio.to_thread(write_coco, order.out, partial.records, order.labels, info)
        partial.remove()
    report.annotations = written.annotations
    return report


async def _records(client: DaemonClient, order: Order, partial: PartialFile, report: Report) -> AsyncGenerator[Record, None]:
    """Every picture's record in order: what an earlier run left, then what the solver says."""
    paths = _paths(order.roots)
    for path in paths:
        known = partial.next_done(*_key(order, path))
        if known is None:
            rest = _chain(path, paths)
            break
        report.resumed += 1
        yield known
    else:
        return
    asker = _Asker(client, order)
    async with aclosing(in_order(rest, asker.ask, AT_ONCE)) as answers:
        async for record in answers:
            partial.add(record)
            yield record


class _Asker:
    """Asks the solver for one picture at a time and judges what comes back."""

    def __init__(self, client: DaemonClient, order: Order) -> None:
        self._client = client
        self._order = order
        self._succeeded = False
        self._failed = 0

    async def ask(self, path: Path) -> Record:
        """The picture's record, with `error` where the picture or the solver is at fault. Raises RemoteError where the runner is gone."""
        name, stamp = _key(self._order, path)
        try:
            result = await self._insist(path)
        except OSError as error:
            return Record(name, stamp, error=one_line(f"{path} can't be read: {error.strerror or error}"))
        except CvflowError as error:
            if isinstance(error, RemoteError | RefusedError) and not await self._lives():
                raise
            if not isinstance(error, UsageError):
                self._despair(error)
            return Record(name, stamp, error=one_line(f"{path}: {error.message}"))
        self._succeeded = True
        record = record_of(name, stamp, result, self._order.threshold)
        return record if record.width else await asyncio.to_thread(_measured, record, path)

    async def _lives(self) -> bool:
        """Whether the solver runs on: then it was the picture that it could not bear, and the others may still do."""
        return any(each.name == self._order.solver.name and each.state.is_live for each in await self._client.solvers())

    async def _insist(self, path: Path) -> Any:
        for pause in RETRIES:
            try:
                return await self._client.infer(self._order.solver, path, self._order.parameters)
            except (RemoteError, RefusedError):
                await asyncio.sleep(pause)
        return await self._client.infer(self._order.solver, path, self._order.parameters)

    def _despair(self, error: CvflowError) -> None:
        self._failed += 1
        if not self._succeeded and self._failed >= HOPELESS:
            raise type(error)(
                f"{self._order.solver.name} failed on each of the first {self._failed} pictures: {error.message}", detail=error.detail
            )


def _measured(record: Record, path: Path) -> Record:
    """The record with the picture's size, for solvers that do not tell it."""
    from dataclasses import replace

    from cvflow_tui.backend.pictures.header import read_header

    header = read_header(path)
    if header.width is None or header.height is None:
        return replace(record, objects=(), error=header.error)
    return replace(record, width=header.width, height=header.height)


def _paths(roots: Sequence[Path]) -> Iterator[Path]:
    from cvflow_tui.backend.pictures.walk import walk

    return (Path(path) for path in walk(roots))


def _count(roots: Sequence[Path]) -> int:
    return sum(1 for _ in _paths(roots))


def _chain(first: Path, rest: Iterator[Path]) -> Iterator[Path]:
    yield first
    yield from rest


def _key(order: Order, path: Path) -> tuple[str, str]:
    return path.relative_to(order.root).as_posix(), stamp_of(path) or ""


def _count_in(report: Report, record: Record) -> None:
    report.pictures += 1
    if record.error is None:
        report.labelled += 1
        return
    report.unreadable += 1
    if len(report.errors) < NAMED:
        report.errors.append({"picture": record.name, "error": record.error})
