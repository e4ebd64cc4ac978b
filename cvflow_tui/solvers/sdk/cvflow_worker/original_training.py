"""`train` of the original packages: `train(datapath, hyperparameters, config)` and what came before and after it."""

from __future__ import annotations

import importlib
import inspect
import json
from pathlib import Path
from typing import Any, Dict, Optional

from cvflow_worker.cleaning import clean
from cvflow_worker.originals import generation_of

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_SHAPES = (1, 3, 5)
"""How many arguments `train` takes: data; datapath, hyperparameters, config; the same between an id and a logger."""


def hyperparameters_of(solver: Any) -> Optional[Dict[str, Any]]:
    """What an original solver's `train` may be told; None for a solver whose `train` can't be asked for.

    `train(train_x, train_y)` is one of those: arrays come over no form, and the original never called it either.
    """
    generation = generation_of(type(solver))
    method = getattr(solver, "train", None)
    if not generation or not callable(method) or _arguments(method) not in _SHAPES:
        return None
    if generation == "cvpm" and not getattr(solver, "enable_train", False):
        return None
    told = clean(dict(getattr(solver, "hyperparamters", None) or {}))
    return told if isinstance(told, dict) else {}


def train_original(solver: Any, frame: Dict[str, Any]) -> Dict[str, Any]:
    """Run it as a `train` frame asks. What it returns is its metrics, and its checkpoint where it wrote none itself."""
    datapath, checkpoint = str(frame["dataset"]), Path(frame["checkpoint"])
    given = frame.get("parameters") or {}
    hyperparameters = dict(given.get("hyperparameters") or {})
    config = {**(given.get("config") or {}), "checkpoint": str(checkpoint)}
    count = _arguments(solver.train)
    if count == 1:
        told = solver.train({**{name: str(value) for name, value in hyperparameters.items()}, "datapath": datapath})
    elif count == 3:
        told = solver.train(datapath, hyperparameters, config)
    elif count == 5:
        logger = importlib.import_module("mlpm.logger").StepLogger(f"{checkpoint}.log")
        told = solver.train(str(given.get("id") or checkpoint.stem), datapath, hyperparameters, config, logger)
    else:
        raise TypeError(f"train takes {count} arguments: it can't be asked for here")
    result = clean(told)
    if not checkpoint.exists():
        checkpoint.write_text(json.dumps(result), "utf-8")
    return result if isinstance(result, dict) else {} if result is None else {"result": result}


def _arguments(method: Any) -> int:
    """How many arguments must or may be given by position."""
    return sum(argument.kind in _POSITIONAL for argument in inspect.signature(method).parameters.values())
