"""Errors a user can act on. Each knows the exit code of a command and the status of a reply that it ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cvflow_tui.model.mending import Mend


class CvflowError(Exception):
    """Something went wrong inside; the message is one line that names the thing and, where there is one, the mend."""

    code = "internal"
    status = 500
    exit_code = 1

    def __init__(self, message: str, *, detail: str | None = None, mends: Sequence[Mend] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        """What stands behind the message (a traceback, a tool's output): shown only where a user asks for more."""
        self.mends = tuple(mends)
        """Options that may help, each by itself, where it is an install that failed: the message names them too."""


class UsageError(CvflowError):
    """The request makes no sense: a bad argument, a bad field."""

    code = "usage"
    status = 422
    exit_code = 2


class NotFoundError(CvflowError):
    """The package, solver, project or picture that was named does not exist."""

    code = "not_found"
    status = 404
    exit_code = 3


class RefusedError(CvflowError):
    """Understood and declined: the state of things does not allow it (a port in use, a second daemon, a missing permission)."""

    code = "refused"
    status = 409
    exit_code = 4


class RemoteError(CvflowError):
    """Something on another machine or in another process did not do its part (network, hub, a runner that does not answer)."""

    code = "remote"
    status = 502
    exit_code = 5


class PackageError(CvflowError):
    """A package is at fault: its manifest, its weights, its requirements, its code."""

    code = "package"
    status = 424
    exit_code = 6


BY_CODE: dict[str, type[CvflowError]] = {
    kind.code: kind for kind in (CvflowError, UsageError, NotFoundError, RefusedError, RemoteError, PackageError)
}
"""Error types by the `code` field of `{"error": ..., "code": ...}`, so that a client raises what the daemon raised."""
