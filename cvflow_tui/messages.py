"""Messages that travel between the app and its screens."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from cvflow_tui.model.jobs import Job


class ClientReady(Message, bubble=False):
    """The daemon answers: `app.client` may be used from now on. Every place gets it once (`on_client_ready`)."""


@dataclass
class JobProgress(Message, bubble=False):
    """A job as it stands now. Only the newest of a job counts, so a late screen draws once and not a hundred times."""

    job: Job

    def __post_init__(self) -> None:
        super().__init__()

    def can_replace(self, message: Message) -> bool:
        """Take the place of an older report of the same job that still waits in the queue."""
        return isinstance(message, JobProgress) and message.job.id == self.job.id
