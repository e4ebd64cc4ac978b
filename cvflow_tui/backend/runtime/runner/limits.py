"""What a runner takes at most, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    body: int = 64 * 1024 * 1024
    """The longest request body."""
    pixels: int = 200_000_000
    """The largest picture (width * height, all frames together), told by its header before anything decodes it."""
    side: int = 1 << 20
    """The longest side of one: what OpenCV reads at most. Models make squares of pictures, whose other side would have no pixel left."""
    inflated: int = 8 * 1024 * 1024
    """What a picture's compressed side pieces (texts, colour profile) may inflate to."""
    queue: int = 256
    """Pictures that wait for a lane's worker or are worked on; the next one gets a 503."""
    receiving: int = 512
    """Requests that are being received, wait or are worked on: slow senders alone can't fill the queue."""
    field: int = 64 * 1024
    """The longest text field of a form, and the longest query."""
    fields: int = 100
    """Parts of a form."""
    batch: int = 10_000
    """Pictures of one request to `/batch`."""
    batch_seconds: float = 3600.0
    """How long the body of a batch may take to arrive, the answers to what came included."""
    batch_replies: int = 256 * 1024 * 1024
    """Bytes of a batch's results that may wait for a client which does not read them."""
    ahead: int = 32
    """Pictures of one batch that are received but not answered; then its body is not read on."""
    memory: int = 256 * 1024 * 1024
    """Bytes of JSON bodies that are held at a time, all requests together."""
    tensors: int = 64
    """Pictures of one v2 request."""
    tasks: int = 1000
    """Tasks of one of Label Studio's requests."""
    jobs: int = 256
    """Jobs that wait or run."""
    jobs_kept: int = 1000
    """Jobs that have ended and can still be asked for."""
    job_bytes: int = 256 * 1024 * 1024
    """Bytes of results that are kept for those who come later."""
    job_seconds: float = 600.0
    """How long a job that has ended is kept."""
    header: int = 64 * 1024
    """A request's line and headers together."""
    header_seconds: float = 20.0
    """How long they may take to arrive, the first ones of a connection included."""
    upload_seconds: float = 120.0
    """How long a body may take to arrive at most."""
    grace_seconds: float = 10.0
    slowest: int = 16 * 1024
    """Bytes a second that a body must come at, after the grace."""
    drain_seconds: float = 10.0
    """How long requests that are under way may take to end when the runner stops."""
