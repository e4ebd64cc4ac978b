"""The call itself: what `infer` and `infer_batch` are handed, and what becomes of what they return."""

from __future__ import annotations

import importlib
from typing import Any, Dict, List, Optional, Sequence

from cvflow_worker.cleaning import clean
from cvflow_worker.completing import Completer
from cvflow_worker.parameters import Parameters


class Caller:
    """Calls one solver: `infer(image, **parameters)` and, where it has one, `infer_batch(images, **parameters)`."""

    def __init__(self, solver: Any, load: Dict[str, Any]) -> None:
        self._solver = solver
        self._image = importlib.import_module("cvflow").Image
        self._completer = Completer(load)
        self.parameters = Parameters(solver.infer, skip=1)
        self.batch = callable(getattr(solver, "infer_batch", None))
        self.trainable = callable(getattr(solver, "train", None))
        self.concurrency = max(1, int(getattr(solver, "concurrency", 1)))

    def call(self, files: Sequence[str], given: Dict[str, Any], sizes: Optional[Sequence[Any]]) -> List[Any]:
        """Results for the pictures in `files`, in order, plain JSON. Raises what the solver raises, and BadParameter."""
        values = self.parameters.convert(given)
        images = [self._image(file) for file in files]
        if self.batch and len(images) > 1:
            results = list(self._solver.infer_batch(images, **values))
            if len(results) != len(images):
                raise ValueError(f"infer_batch returned {len(results)} results for {len(images)} pictures")
        else:
            results = [self._solver.infer(image, **values) for image in images]
        whole = sizes if sizes is not None else [None] * len(files)
        return [self._completer.complete(clean(result), whole[number]) for number, result in enumerate(results)]
