"""From `folder/file/Class` to a solver that is ready."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from pathlib import Path
from typing import Any, Dict, Optional

from cvflow_worker.originals import generation_of

FALLBACK = Path(__file__).resolve().parents[1] / "fallback"
"""Modules that an environment may lack; behind everything else on the path."""


def load(frame: Dict[str, Any]) -> Any:
    """Import the class that a `load` frame names and construct it. Raises whatever the package's own code raises.

    The sdk is told first what the solver may ask for: its folder, labels, weights, checkpoint, threads.
    """
    root = Path(frame["root"])
    os.chdir(root)
    sys.path.insert(0, str(root))
    sys.path.append(str(FALLBACK))
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
    solver = construct(solver_class(str(frame["class"])))
    if not callable(getattr(solver, "infer", None)):
        raise TypeError(f"{frame['class']} has no method infer")
    return solver


def construct(kind: Any) -> Any:
    """Make the solver. Originals take the path of their weights file, some of them without a default."""
    required = _required(kind) if generation_of(kind) else 0
    return kind(*[_weights_file()] * min(required, 1))


def _required(kind: Any) -> int:
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    arguments = inspect.signature(kind).parameters.values()
    return sum(argument.kind in positional and argument.default is argument.empty for argument in arguments)


def _weights_file() -> Optional[str]:
    return next((file for file in ("./pretrained/pretrained.toml", "./pretrained.toml") if Path(file).is_file()), None)


def solver_class(path: str) -> Any:
    """The class at `folder/file/Class`. Raises ImportError, AttributeError or TypeError saying what is not there."""
    *modules, name = [part for part in path.split("/") if part]
    if not modules:
        raise TypeError(f"{path!r} is not folder/file/Class")
    kind = getattr(importlib.import_module(".".join(modules)), name)
    if not isinstance(kind, type):
        raise TypeError(f"{path} is not a class")
    return kind
