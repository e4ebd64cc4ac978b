"""The data plane: pictures go straight to a runner's port, never through the daemon."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from cvflow_tui import model
from cvflow_tui.backend.client.connection import error_of
from cvflow_tui.backend.loopback import trust_nothing
from cvflow_tui.model.errors import RefusedError, RemoteError

if TYPE_CHECKING:
    from cvflow_tui.model.results import Result
    from cvflow_tui.model.solvers import RunningSolver


class RunnerClient:
    """Sends raw picture bodies to `POST /infer`, the fast path."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._transport = transport
        self._opened: httpx.AsyncClient | None = None

    @property
    def _http(self) -> httpx.AsyncClient:
        # most clients never send a picture
        if self._opened is None:
            timeout = httpx.Timeout(120.0, connect=5.0)
            self._opened = httpx.AsyncClient(transport=self._transport, timeout=timeout, trust_env=False, verify=trust_nothing())
        return self._opened

    async def close(self) -> None:
        """Let go of the sockets."""
        if self._opened is not None:
            await self._opened.aclose()

    async def infer(
        self,
        solver: RunningSolver,
        picture: Path | bytes,
        parameters: dict[str, Any],
        variant: str | None = None,
        timeout: float | None = None,
    ) -> Result:
        """One picture through one solver, given up after `timeout` seconds, by the runner too.

        Raises what the runner raised; RemoteError where it cannot be reached; OSError for a picture that can't be read.
        """
        if solver.url is None:
            raise RefusedError(f"{solver.name} is {solver.state}: start it first")
        body = picture if isinstance(picture, bytes) else await asyncio.to_thread(picture.read_bytes)
        query = {name: str(value) for name, value in parameters.items()}
        headers = {"Content-Type": "application/octet-stream"}
        headers |= {"X-CVFlow-Variant": variant} if variant else {}
        headers |= {"X-CVFlow-Timeout": f"{timeout:g}"} if timeout is not None else {}
        patience = httpx.USE_CLIENT_DEFAULT if timeout is None else httpx.Timeout(timeout + 5.0, connect=5.0)
        try:
            reply = await self._http.post(f"{solver.url}/infer", params=query, content=body, headers=headers, timeout=patience)
        except httpx.HTTPError as error:
            raise RemoteError(f"{solver.name} at {solver.url} cannot be reached: {error or type(error).__name__}") from error
        if reply.is_error:
            raise error_of(reply)
        return model.results.parse_result(reply.json())
