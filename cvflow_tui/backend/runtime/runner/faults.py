"""What a runner refuses or fails to do, as a status and one line."""

from __future__ import annotations

import math
from typing import Any


class Fault(Exception):
    """Ends a request with a status and `{"error", "code"}`."""

    def __init__(self, status: int, error: str, code: str, retry_after: int | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.code = code
        self.retry_after = retry_after

    @property
    def body(self) -> dict[str, Any]:
        """The reply."""
        return {"error": self.error, "code": self.code}


def bad_input(error: str) -> Fault:
    """400: what was sent can't be used."""
    return Fault(400, error, "usage")


def too_large(error: str) -> Fault:
    """413: more than a limit allows."""
    return Fault(413, error, "usage")


def forbidden(error: str) -> Fault:
    """403: a foreign host or page, or a control route without its token."""
    return Fault(403, error, "refused")


def not_found(error: str) -> Fault:
    """404: no such variant, no such job."""
    return Fault(404, error, "not_found")


def busy(error: str, pause: float = 0.0) -> Fault:
    """503: not now, but after a pause of so many seconds; a second where that is not known."""
    return Fault(503, error, "remote", max(1, math.ceil(pause)))


def late(error: str) -> Fault:
    """504: not in the time that the client gave it."""
    return Fault(504, error, "remote")


def gone() -> Fault:
    """499, as others call it: there is nobody left to answer."""
    return Fault(499, "the client went away", "usage")


def solver_failed(error: str) -> Fault:
    """500: the solver raised."""
    return Fault(500, error, "package")


def runner_failed() -> Fault:
    """500: a mistake of ours; the log has its traceback."""
    return Fault(500, "the runner failed (see its log)", "internal")
