"""What a runner takes at most, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    body: int = 64 * 1024 * 1024
    """The longest request body."""
    pixels: int = 200_000_000
    """The largest picture (width * height), told by its header before anything decodes it."""
    queue: int = 256
    """Requests that are being received, wait or are worked on; the next one gets a 503."""
    field: int = 64 * 1024
    """The longest text field of a form, and the longest query."""
    fields: int = 100
    """Parts of a form."""
    header: int = 64 * 1024
    """A request's line and headers together."""
    upload_seconds: float = 120.0
    """How long a body may take to arrive."""
    drain_seconds: float = 10.0
    """How long requests that are under way may take to end when the runner stops."""
