"""A dialog that is a table: with a line below it for what is said of the row, or of what went wrong."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from textual.screen import ModalScreen
from textual.widgets import Static

from cvflow_tui.model.errors import CvflowError
from cvflow_tui.model.text import one_line

T = TypeVar("T")


class TableDialog(ModalScreen[T]):
    """Base of such dialogs: they yield a `Static` with the id `told`, and do their requests with `attempt`."""

    CSS_PATH = ["dialogs.tcss", "table_dialog.tcss"]  # noqa: RUF012

    def say(self, line: str, bad: bool = False) -> None:
        """Say one line; a bad one in the colour of errors."""
        told = self.query_one("#told", Static)
        told.update(one_line(line))
        told.set_class(bad, "-bad")

    def attempt(self, work: Coroutine[Any, Any, None]) -> None:
        """Do `work` beside the dialog; a CvflowError in it is said."""
        self.run_worker(self._attempted(work), group="dialog")

    async def _attempted(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except CvflowError as error:
            self.say(error.message, bad=True)
