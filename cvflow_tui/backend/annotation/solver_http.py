"""A runner's routes as blocking calls: pictures in, objects out; training; variants."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from cvflow_tui.backend.loopback import trust_nothing
from cvflow_tui.model.errors import BY_CODE, NotFoundError, RemoteError, UsageError
from cvflow_tui.model.text import one_line

ATTEMPTS = 6
"""Times a request is sent to a runner that is too busy for it."""

PAUSE = 0.2
"""Seconds before the second attempt; each further pause is twice as long."""

LISTING = 5.0
"""Seconds a runner may take to tell what it does: a daemon that starts asks, and must not wait for one that hangs."""

_BY_STATUS = {400: UsageError, 413: UsageError, 415: UsageError, 422: UsageError, 404: NotFoundError}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a solver is served, and what opens its control routes."""

    url: str
    token: str = ""


class NoVariantError(NotFoundError):
    """The runner does not hold the variant that was asked for."""


class SolverHttp:
    """Speaks to runners. Thread-safe; one pool of connections for all of them."""

    def __init__(self, transport: httpx.BaseTransport | None = None) -> None:
        timeout = httpx.Timeout(120.0, connect=5.0)
        self._http = httpx.Client(transport=transport, timeout=timeout, trust_env=False, verify=trust_nothing())

    def close(self) -> None:
        """Let go of the sockets."""
        self._http.close()

    def infer(self, endpoint: Endpoint, picture: bytes, parameters: Mapping[str, str], variant: str | None) -> Any:
        """A picture's result as JSON. Raises NoVariantError, UsageError for a picture the solver can't read, RemoteError."""
        headers = {"Content-Type": "application/octet-stream"} | ({"X-CVFlow-Variant": variant} if variant else {})
        try:
            return self._call(endpoint, "POST", "/infer", content=picture, params=dict(parameters), headers=headers)
        except NotFoundError as error:
            if variant is None:
                raise
            raise NoVariantError(error.message) from error

    def describe(self, endpoint: Endpoint) -> Mapping[str, Any]:
        """Package, solver, parameters, labels."""
        return self._mapping(self._call(endpoint, "GET", "/"))

    def status(self, endpoint: Endpoint) -> Mapping[str, Any]:
        """State, trainable, variants and figures."""
        return self._mapping(self._call(endpoint, "GET", "/_status"))

    def start_training(self, endpoint: Endpoint, body: Mapping[str, Any]) -> str:
        """Begin to train; returns the job's id."""
        reply = self._mapping(self._control(endpoint, "POST", "/train", json=body))
        if reply.get("result") is False or "id" not in reply:
            raise RemoteError(f"the solver did not begin to train: {one_line(str(reply.get('error', reply)))}")
        return str(reply["id"])

    def training(self, endpoint: Endpoint, job: str) -> Mapping[str, Any]:
        """A training job as it stands."""
        return self._mapping(self._control(endpoint, "GET", f"/train/{job}"))

    def trainings(self, endpoint: Endpoint) -> list[Mapping[str, Any]]:
        """Every training job that the runner knows, with the `checkpoint` it writes."""
        told = self._mapping(self._control(endpoint, "GET", "/train", timeout=LISTING)).get("trainings")
        return [item for item in told if isinstance(item, Mapping)] if isinstance(told, list) else []

    def cancel_training(self, endpoint: Endpoint, job: str) -> None:
        """End a training job."""
        self._control(endpoint, "DELETE", f"/train/{job}")

    def put_variant(self, endpoint: Endpoint, name: str, checkpoint: str) -> None:
        """Load a checkpoint as the variant `name`."""
        self._control(endpoint, "PUT", f"/_cvflow/variants/{name}", json={"checkpoint": checkpoint})

    def promote_variant(self, endpoint: Endpoint, name: str, other: str) -> None:
        """Let the variant `other` take the place of `name`."""
        self._control(endpoint, "POST", f"/_cvflow/variants/{name}/promote", json={"from": other})

    def delete_variant(self, endpoint: Endpoint, name: str) -> None:
        """Unload a variant."""
        self._control(endpoint, "DELETE", f"/_cvflow/variants/{name}")

    def _control(self, endpoint: Endpoint, method: str, path: str, **request: Any) -> Any:
        return self._call(endpoint, method, path, headers={"Authorization": f"Bearer {endpoint.token}"}, **request)

    def _call(self, endpoint: Endpoint, method: str, path: str, **request: Any) -> Any:
        for attempt in range(ATTEMPTS):
            try:
                reply = self._http.request(method, endpoint.url.rstrip("/") + path, **request)
            except httpx.HTTPError as error:
                raise RemoteError(f"the solver at {endpoint.url} can't be reached: {error or type(error).__name__}") from error
            if reply.status_code != httpx.codes.SERVICE_UNAVAILABLE or attempt == ATTEMPTS - 1:
                break
            time.sleep(PAUSE * 2**attempt)  # its queue is full, or its worker is being restarted
        if reply.is_error:
            raise _error_of(reply)
        if not reply.content:
            return {}
        try:
            return reply.json()
        except ValueError as error:
            raise RemoteError(f"the solver at {endpoint.url} did not answer in JSON to {method} {path}") from error

    @staticmethod
    def _mapping(reply: Any) -> Mapping[str, Any]:
        if not isinstance(reply, Mapping):
            raise RemoteError(f"the solver answered with a {type(reply).__name__} instead of an object")
        return reply


def _error_of(reply: httpx.Response) -> Exception:
    try:
        told = reply.json()
    except ValueError:
        told = None
    told = told if isinstance(told, Mapping) else {"error": f"status {reply.status_code}"}
    message, code = one_line(str(told.get("error", f"status {reply.status_code}"))), str(told.get("code", ""))
    return (BY_CODE.get(code) or _BY_STATUS.get(reply.status_code, RemoteError))(message)
