"""One round: snapshot, fine-tune, measure, and let the new checkpoint serve if it is no worse."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cvflow_tui.backend.annotation.folder import ProjectFolder
from cvflow_tui.backend.annotation.provider import Provider, Variant
from cvflow_tui.backend.annotation.suggesting import FLOOR, Serving, fitted
from cvflow_tui.backend.jobs import Cancelled, Progress
from cvflow_tui.backend.learning import records, snapshot
from cvflow_tui.backend.learning.metrics import Compared, measure
from cvflow_tui.backend.learning.snapshot import Item, Snapshot
from cvflow_tui.model.errors import CvflowError, PackageError, RefusedError
from cvflow_tui.model.projects import DetectionMetrics, Round, RoundState
from cvflow_tui.model.text import one_line

log = logging.getLogger(__name__)

EQUAL = 1e-9
"""Two figures that differ by less are the same."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the new checkpoint is to serve, and why, in one line."""

    promote: bool
    reason: str


def decide(new: DetectionMetrics, old: DetectionMetrics, serving: str) -> Decision:
    """Promote unless the new checkpoint is worse in AP50, or equal there and worse in AP."""
    if new.ap50 is None or old.ap50 is None:
        return Decision(True, "no held-back picture holds an annotation yet, so nothing speaks against it")
    figures = f"AP50 {_figure(new.ap50)}, {serving} has {_figure(old.ap50)} on {_plural(new.pictures)}"
    if new.ap50 < old.ap50 - EQUAL:
        return Decision(False, f"worse than what serves: {figures}")
    if abs(new.ap50 - old.ap50) <= EQUAL and new.ap is not None and old.ap is not None and new.ap < old.ap - EQUAL:
        return Decision(False, f"equal in AP50 and worse in AP: {_figure(new.ap)}, {serving} has {_figure(old.ap)}")
    return Decision(True, f"no worse than what served: {figures}")


class RoundWork:
    """The body of a round's job. Whatever happens, the round's row says how it ended, and a failure leaves no file behind."""

    def __init__(self, folder: ProjectFolder, provider: Provider, serving: Serving, number: int) -> None:
        self._folder = folder
        self._provider = provider
        self._serving = serving
        self._number = number
        self._dataset = folder.cache / "rounds" / f"r{number}"
        self._aside = folder.checkpoints / f".r{number}.part"  # a folder: drafts of a process that is killed go with it
        self._checkpoint = folder.checkpoints / f"r{number}"
        self._candidate = Variant(folder.name, self._checkpoint).candidate()
        self._staged = False

    def __call__(self, progress: Progress, learns: Callable[[str], bool]) -> Round:
        """Run the round; `learns(solver)` says whether it can. Raises Cancelled when called off, and the CvflowError it failed of."""
        try:
            progress.step("finding the solver")
            if not learns(self._serving.solver):
                raise RefusedError(f"{self._serving.solver} does not learn: its solver has no train")
            return self._run(progress)
        except BaseException as error:
            try:
                self._drop()
            finally:
                if isinstance(error, Cancelled):
                    self._end(RoundState.CANCELLED, "called off")
                else:
                    told = error.message if isinstance(error, CvflowError) else f"{type(error).__name__}: {error}"
                    self._end(RoundState.FAILED, one_line(told))
            raise
        finally:
            shutil.rmtree(self._dataset, ignore_errors=True)

    def _run(self, progress: Progress) -> Round:
        progress.step("collecting the finished pictures")
        taken = snapshot.take(self._folder, progress)
        records.set_pictures(self._folder, self._number, len(taken.items))
        if not taken.teaches:
            raise RefusedError("no finished picture holds an annotation to learn from")
        snapshot.write(taken, self._dataset, self._folder.labels.names, self._folder.cache / "features")
        self._train(progress)
        new, old = self._measure(taken, progress)
        decision = decide(new, old, self._serving.checkpoint or "the package's own model")
        reason = decision.reason + (f"; {len(taken.missing)} pictures could not be read" if taken.missing else "")
        progress.check()
        if not decision.promote:
            self._drop()
            return records.end(self._folder, self._number, RoundState.KEPT_OLD, reason, new, old)
        progress.step("letting the new checkpoint serve")
        self._provider.promote(self._serving.solver, self._candidate)
        self._staged = False
        return records.end(self._folder, self._number, RoundState.PROMOTED, reason, new, old)

    def _train(self, progress: Progress) -> None:
        progress.step("fine-tuning", unit="steps")
        base = self._folder.checkpoints / self._serving.checkpoint if self._serving.checkpoint else None
        delete(self._aside)
        self._aside.mkdir(mode=0o700)
        written = self._aside / self._checkpoint.name
        self._provider.train(self._serving.solver, self._dataset, written, base=base, parameters={}, progress=progress)
        progress.check()
        if not written.exists():
            raise PackageError(f"{self._serving.solver} says that it learned, and wrote no checkpoint")
        written.rename(self._checkpoint)
        delete(self._aside)

    def _measure(self, taken: Snapshot, progress: Progress) -> tuple[DetectionMetrics, DetectionMetrics]:
        progress.step("loading the new checkpoint")
        self._staged = True  # from here on there may be something to unload, even if staging fails half-way
        self._provider.stage(self._serving.solver, self._candidate)
        items, threshold = taken.held_back, self._folder.settings().threshold
        progress.step("measuring on held-back pictures", total=2 * len(items), unit="pictures")
        new = self._compare(items, self._candidate, progress, 0)
        old = self._compare(items, self._folder.variant(self._serving), progress, len(items))
        labels = self._folder.labels.names
        return measure(new, labels, threshold), measure(old, labels, threshold)

    def _compare(self, items: Sequence[Item], variant: Variant | None, progress: Progress, done: int) -> list[Compared]:
        compared = []
        for number, item in enumerate(items, start=1):
            progress.check()
            objects = self._provider.suggest(self._serving.solver, item.path, threshold=FLOOR, variant=variant)
            compared.append(Compared(item.size, item.objects, tuple(fitted(objects, self._folder.labels, item.size))))
            progress.advance(done + number)
        return compared

    def _drop(self) -> None:
        """Unload the candidate and delete what was written."""
        if self._staged:
            self._staged = False
            try:
                self._provider.discard(self._serving.solver, self._candidate)
            except CvflowError as error:  # the round's own end is what matters; the runner that is gone holds no candidate
                log.warning("%s could not be unloaded: %s", self._candidate.project, error.message)
        delete(self._aside)
        delete(self._checkpoint)

    def _end(self, state: RoundState, reason: str) -> None:
        try:
            records.end(self._folder, self._number, state, reason)
        except sqlite3.Error:
            log.exception("round %d of %s: its end could not be written down; the next start will", self._number, self._folder.name)


def delete(path: Path) -> None:
    """Delete a checkpoint, file or folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _figure(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


def _plural(count: int) -> str:
    return f"{count} held-back picture{'' if count == 1 else 's'}"
