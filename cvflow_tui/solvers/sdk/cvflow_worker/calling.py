"""The call itself: what `infer` and `infer_batch` are handed, and what becomes of what they return."""

from __future__ import annotations

import importlib
from typing import Any, Dict, List, Optional, Sequence, Union

from cvflow_worker.cleaning import clean
from cvflow_worker.completing import Completer
from cvflow_worker.fields import Fields
from cvflow_worker.original_training import hyperparameters_of
from cvflow_worker.originals import attributes_of, original_of
from cvflow_worker.parameters import Parameters


class Caller:
    """Calls one solver: `infer(image, **parameters)` and, where it has one, `infer_batch(images, **parameters)`; or an original one."""

    def __init__(self, solver: Any, load: Dict[str, Any]) -> None:
        self._solver = solver
        self._image = importlib.import_module("cvflow").Image
        self._completer = Completer(load)
        self._original = original_of(solver)
        self.generation = self._original.generation if self._original else ""
        """`cvpm` or `mlpm` for an original solver."""
        self.attributes = attributes_of(solver, str(load.get("root") or "")) if self._original else None
        self.hyperparameters = hyperparameters_of(solver)
        """Of an original's `train`; None where it has none to ask for."""
        self.parameters: Union[Parameters, Fields] = self._original.parameters if self._original else Parameters(solver.infer, skip=1)
        self.batch = not self._original and callable(getattr(solver, "infer_batch", None))
        self.trainable = not self._original and callable(getattr(solver, "train", None))
        self.concurrency = 1 if self._original else max(1, int(getattr(solver, "concurrency", 1)))

    def call(self, files: Sequence[str], given: Dict[str, Any], sizes: Optional[Sequence[Any]]) -> List[Any]:
        """Results for the pictures in `files`, in order, plain JSON. Raises what the solver raises, and BadParameter."""
        values = self.parameters.convert(given)
        if self._original:
            results = [self._original.call(file, values) for file in files]
        else:
            results = self._ours([self._image(file) for file in files], values)
        whole = sizes if sizes is not None else [None] * len(files)
        return [self._completer.complete(clean(result), whole[number]) for number, result in enumerate(results)]

    def _ours(self, images: List[Any], values: Dict[str, Any]) -> List[Any]:
        if not self.batch or len(images) == 1:
            return [self._solver.infer(image, **values) for image in images]
        results = list(self._solver.infer_batch(images, **values))
        if len(results) != len(images):
            raise ValueError(f"infer_batch returned {len(results)} results for {len(images)} pictures")
        return results
