"""From `folder/file/Class` to a solver that is ready."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any, Dict


def load(frame: Dict[str, Any]) -> Any:
    """Import the class that a `load` frame names and construct it. Raises whatever the package's own code raises.

    The sdk is told first what the solver may ask for: its folder, labels, weights, checkpoint, threads.
    """
    root = Path(frame["root"])
    os.chdir(root)
    sys.path.insert(0, str(root))
    importlib.import_module("cvflow").configure(
        root=root,
        labels=frame.get("labels") or (),
        weights={name: Path(path) for name, path in (frame.get("weights") or {}).items()},
        checkpoint=Path(frame["checkpoint"]) if frame.get("checkpoint") else None,
        threads=frame.get("threads"),
        task=frame.get("task") or "other",
        package=frame.get("package") or "",
        version=frame.get("version") or "",
    )
    solver = solver_class(str(frame["class"]))()
    if not callable(getattr(solver, "infer", None)):
        raise TypeError(f"{frame['class']} has no method infer")
    return solver


def solver_class(path: str) -> Any:
    """The class at `folder/file/Class`. Raises ImportError, AttributeError or TypeError saying what is not there."""
    *modules, name = [part for part in path.split("/") if part]
    if not modules:
        raise TypeError(f"{path!r} is not folder/file/Class")
    kind = getattr(importlib.import_module(".".join(modules)), name)
    if not isinstance(kind, type):
        raise TypeError(f"{path} is not a class")
    return kind
