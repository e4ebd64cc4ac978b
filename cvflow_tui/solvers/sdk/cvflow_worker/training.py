"""`train`: a job of its own, in a worker of its own."""

from __future__ import annotations

import importlib
import math
import threading
import time
from pathlib import Path
from typing import Any, Dict

from cvflow_worker.cleaning import clean
from cvflow_worker.frames import Channel
from cvflow_worker.original_training import train_original
from cvflow_worker.originals import generation_of
from cvflow_worker.parameters import Parameters

INTERVAL = 0.1
"""Seconds between two progress frames at least; the last one always goes out."""


class Reporter:
    """What `train` is handed as `report`: call it with steps done, steps in total and any metrics so far."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._lock = threading.Lock()
        self._last = -math.inf

    def __call__(self, done: float, total: float, **metrics: Any) -> None:
        """Tell how far the training is. Cheap: most calls send nothing."""
        with self._lock:
            now = time.monotonic()
            if now - self._last < INTERVAL and done < total:
                return
            self._last = now
        self._channel.send({"op": "progress", "done": clean(done), "total": clean(total), "metrics": clean(metrics)})


def train(solver: Any, frame: Dict[str, Any], channel: Channel) -> Dict[str, Any]:
    """Run the solver's `train` as a `train` frame asks; returns its metrics, plain JSON. Raises what it raises."""
    method = getattr(solver, "train", None)
    if not callable(method):
        raise TypeError("this solver has no method train")
    if generation_of(type(solver)):
        return train_original(solver, frame)
    values = Parameters(method, skip=3).convert(frame.get("parameters") or {})
    dataset = importlib.import_module("cvflow").Dataset.load(Path(frame["dataset"]))
    metrics = method(dataset, Path(frame["checkpoint"]), Reporter(channel), **values)
    told = clean(metrics if metrics is not None else {})
    if not isinstance(told, dict):
        raise TypeError(f"train returned a {type(metrics).__name__}, not a dict of metrics")
    return told
