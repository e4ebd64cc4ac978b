"""The usual provider: a running solver, asked over its port."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from cvflow_tui.backend.annotation.provider import Variant
from cvflow_tui.backend.annotation.solver_http import Endpoint, NoVariantError, SolverHttp
from cvflow_tui.backend.jobs import Progress
from cvflow_tui.model.errors import CvflowError, NotFoundError, PackageError, RefusedError, RemoteError
from cvflow_tui.model.results import DetectedObject, parse_result
from cvflow_tui.model.text import one_line

__all__ = ["Endpoint", "SolverProvider"]

POLL = 0.25
"""Seconds between two looks at a training job."""

PATIENCE = 20
"""Looks at a training job that may fail in a row before it is given up (on busy cores a runner may be slow to answer)."""


class SolverProvider:
    """Asks solvers through their runners. `endpoint(solver)` finds (or starts) one and raises a CvflowError where it can't;
    `running(solver)` finds one that runs, or None.

    Blocking and thread-safe. Remembers which checkpoint it had each runner load under which name, so that a runner which is new,
    was restarted, or was taken over from an earlier daemon is given the checkpoint first.
    """

    def __init__(
        self,
        endpoint: Callable[[str], Endpoint],
        running: Callable[[str], Endpoint | None],
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._running = running
        self._http = SolverHttp(transport)
        self._loaded: dict[tuple[Endpoint, str], Path] = {}
        self._parameters: dict[Endpoint, frozenset[str]] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let go of the sockets."""
        self._http.close()

    def suggest(self, solver: str, picture: Path, *, threshold: float, variant: Variant | None) -> tuple[DetectedObject, ...]:
        """The solver's objects for a picture, boxes in pixels as displayed, scores at least `threshold`."""
        endpoint = self._endpoint(solver)
        try:
            body = picture.read_bytes()
        except OSError as error:
            raise NotFoundError(f"{picture} can't be read: {error.strerror or error}") from error
        if variant is not None:
            self._ensure(endpoint, variant)
        parameters = {"threshold": f"{threshold:g}"} if "threshold" in self._parameters_of(endpoint) else {}
        name = variant.project if variant else None
        try:
            reply = self._http.infer(endpoint, body, parameters, name)
        except NoVariantError:
            if variant is None:
                raise
            self._load(endpoint, variant)
            reply = self._http.infer(endpoint, body, parameters, name)
        return _objects(solver, reply, threshold)

    def trainable(self, solver: str) -> bool:
        """Whether the solver has a `train`."""
        return bool(self._http.status(self._endpoint(solver)).get("trainable"))

    def train(
        self, solver: str, dataset: Path, checkpoint: Path, *, base: Path | None, parameters: Mapping[str, Any], progress: Progress
    ) -> Mapping[str, Any]:
        """Fine-tune on the dataset folder, writing the new weights at `checkpoint`; returns the solver's own metrics.

        Raises Cancelled once the progress was called off and the runner was told, PackageError where the solver failed.
        """
        endpoint = self._endpoint(solver)
        config = {"checkpoint": str(checkpoint), "base": str(base) if base else None}
        job = self._http.start_training(endpoint, {"datapath": str(dataset), "hyperparameters": dict(parameters), "config": config})
        try:
            told = self._await_training(solver, endpoint, job, progress)
        except BaseException:
            self._give_up(endpoint, job)
            raise
        if told.get("state") != "done":
            raise PackageError(f"{solver} did not learn: {one_line(str(told.get('error') or told.get('state')))}")
        metrics = told.get("metrics")
        return metrics if isinstance(metrics, Mapping) else {}

    def stage(self, solver: str, variant: Variant) -> None:
        """Load a candidate beside what serves, so that `suggest` with this variant answers from it."""
        self._load(self._endpoint(solver), variant)

    def promote(self, solver: str, variant: Variant) -> None:
        """Make a staged candidate what serves its project, without dropping a request."""
        endpoint, serving, candidate = self._endpoint(solver), variant.serving(), variant.candidate()
        self._ensure(endpoint, candidate)
        self._http.promote_variant(endpoint, serving.project, candidate.project)
        with self._lock:
            self._loaded.pop((endpoint, candidate.project), None)
            self._loaded[endpoint, serving.project] = serving.checkpoint

    def discard(self, solver: str, variant: Variant) -> None:
        """Unload a candidate that was not good enough; one that is not loaded is fine. Starts nothing: a runner that is gone holds none."""
        endpoint = self._running(solver)
        if endpoint is None:
            return
        with self._lock:
            self._loaded.pop((endpoint, variant.project), None)
        try:
            self._http.delete_variant(endpoint, variant.project)
        except NotFoundError:
            return

    def abandon(self, solver: str, candidate: Variant) -> None:
        """End what a round of a daemon that died left at the solver: the training that writes beside the candidate's checkpoint, and
        the candidate. Starts nothing."""
        endpoint = self._running(solver)
        if endpoint is None:
            return
        for training in self._http.trainings(endpoint):
            if training.get("state") == "running" and Path(str(training.get("checkpoint"))).is_relative_to(candidate.checkpoint.parent):
                self._http.cancel_training(endpoint, str(training.get("id")))
        self.discard(solver, candidate)

    def _ensure(self, endpoint: Endpoint, variant: Variant) -> None:
        with self._lock:
            known = self._loaded.get((endpoint, variant.project))
        if known != variant.checkpoint:
            self._load(endpoint, variant)

    def _load(self, endpoint: Endpoint, variant: Variant) -> None:
        self._http.put_variant(endpoint, variant.project, str(variant.checkpoint))
        with self._lock:
            self._loaded[endpoint, variant.project] = variant.checkpoint

    def _parameters_of(self, endpoint: Endpoint) -> frozenset[str]:
        with self._lock:
            known = self._parameters.get(endpoint)
        if known is None:
            told = self._http.describe(endpoint).get("parameters")
            known = (
                frozenset(str(item.get("name")) for item in told if isinstance(item, Mapping)) if isinstance(told, list) else frozenset()
            )
            with self._lock:
                self._parameters[endpoint] = known
        return known

    def _await_training(self, solver: str, endpoint: Endpoint, job: str, progress: Progress) -> Mapping[str, Any]:
        failures = 0
        while True:
            progress.check()
            try:
                told = self._http.training(endpoint, job)
                failures = 0
            except (RemoteError, RefusedError, NotFoundError) as error:
                failures += 1
                # Who refuses the token, or knows no such job, is a runner that was started in the place of the one that learned.
                if failures >= PATIENCE or not isinstance(error, RemoteError):
                    raise RemoteError(f"{solver} ended, or answers no more, while it learned; see: cvflow logs {solver}") from error
            else:
                if told.get("state") != "running":
                    return told
                if isinstance(done := told.get("done"), int | float):
                    total = told.get("total")
                    progress.advance(float(done), float(total) if isinstance(total, int | float) else None)
            progress.cancelled.wait(POLL)

    def _give_up(self, endpoint: Endpoint, job: str) -> None:
        try:
            self._http.cancel_training(endpoint, job)
        except CvflowError:
            return  # the runner is gone or knows the job no more: there is nothing left to end


def _objects(solver: str, reply: Any, threshold: float) -> tuple[DetectedObject, ...]:
    try:
        objects = parse_result(reply).objects
    except (TypeError, ValueError, KeyError) as error:
        raise PackageError(f"{solver} answered with something that is no result: {one_line(str(error))}") from error
    return tuple(item for item in objects if item.box is not None and item.score is not None and item.score >= threshold)
