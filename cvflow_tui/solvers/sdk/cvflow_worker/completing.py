"""The common result, completed with what every reply says and a solver need not repeat."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Optional, Sequence

from cvflow_worker.adapters import Picture, adapt

_COMMON = frozenset({"task", "objects", "classes", "caption", "embedding"})


class Completer:
    """Knows whose results they are: the fields of the `load` frame."""

    def __init__(self, load: Dict[str, Any]) -> None:
        checkpoint = load.get("checkpoint")
        self._task = load.get("task") or "other"
        self._adapter = str(load.get("result") or "")
        self._labels = [str(label) for label in load.get("labels") or ()]
        self._model = {
            "package": load.get("package") or "",
            "version": load.get("version") or "",
            "checkpoint": Path(checkpoint).name if checkpoint else None,
        }

    def complete(self, result: Any, size: Optional[Sequence[int]]) -> Any:
        """The (clean) result with `task`, `model` and `image` where the solver left them out.

        `size` is the width and height of the picture as displayed. What the manifest's adapter understands becomes the common
        result first. A result of another shape is returned as it is.
        """
        if self._adapter:
            result = adapt(self._adapter, result, Picture(self._labels, size))
        if not isinstance(result, dict) or not _COMMON & result.keys():
            return result
        known: Dict[str, Any] = {"task": self._task, "model": dict(self._model)}
        if size is not None:
            known["image"] = {"width": size[0], "height": size[1]}
        given = {key: value for key, value in result.items() if value is not None or key not in known}
        return {**known, **given}
