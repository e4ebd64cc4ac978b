"""The base class of a solver."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cvflow.context import Context, current
from cvflow.image import Image
from cvflow.results import Detection, result

if TYPE_CHECKING:
    from typing_extensions import Self


class Report(Protocol):
    """How `train` says how far it is: `report(done, total, loss=0.3)`; any number by any name may follow."""

    def __call__(self, done: float, total: float, **metrics: float) -> None:
        """Say that `done` of `total` is done."""


class Solver:
    """A model that answers for a picture: subclass it, make the model in `__init__(self)`, answer in `infer(self, image, **parameters)`.

    The attributes are set before `__init__` runs, so it needs neither arguments nor `super().__init__()`. Optional beside `infer`:
    `infer_batch(self, images, **parameters)` (as many answers as images, in their order; set `batch` in the manifest) and
    `train(self, dataset, checkpoint, report, **parameters)`, which writes the file or folder `checkpoint` (it does not exist yet) and
    returns a dict of metrics. The type hints of `infer`'s parameters describe the service. Raise `InputError` where the caller is at fault.
    """

    root: Path
    """The package's folder, absolute."""
    labels: list[str]
    """The manifest's labels; a solver that is loaded with a checkpoint sets it to the checkpoint's."""
    checkpoint: Path | None
    """What `train` wrote earlier and this solver shall serve (or go on from, when it trains); None = the package's own weights."""
    threads: int
    """How many CPU threads the solver may keep busy."""
    context: Context
    """All it was told (also `task`, `package`, `version`)."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make the solver with what it was told already in its attributes."""
        solver = super().__new__(cls)
        told = current()
        solver.context = told
        solver.root = told.root
        solver.labels = list(told.labels)
        solver.checkpoint = told.checkpoint
        solver.threads = told.threads
        return solver

    def weights(self, name: str) -> Path:
        """The file of a weight, by its name in the manifest. Raises KeyError for a name the manifest lacks."""
        try:
            return self.context.weights[name]
        except KeyError:
            known = ", ".join(sorted(self.context.weights)) or "none"
            raise KeyError(f"the manifest names no weight {name!r}; it has: {known}") from None

    def result(
        self,
        image: Image,
        *,
        objects: Iterable[Detection | Mapping[str, Any]] | None = None,
        classes: Mapping[str, float] | None = None,
        caption: str | None = None,
        embedding: Sequence[float] | None = None,
    ) -> dict[str, Any]:
        """The one shape of an answer for `image`: see `cvflow.result`."""
        return result(image, objects=objects, classes=classes, caption=caption, embedding=embedding, context=self.context)
