"""A source with its options on one line, as behind `cvflow install`: for another source, and to try again with what may mend it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cvflow_tui.install_line import read_line
from cvflow_tui.model.diagnosis import Finding
from cvflow_tui.model.errors import UsageError
from cvflow_tui.model.install_words import write_line
from cvflow_tui.model.mending import Mend
from cvflow_tui.model.packages import InstallRequest
from cvflow_tui.screens.dialogs import AskLine
from cvflow_tui.widgets.path_suggester import PathSuggester

if TYPE_CHECKING:
    from textual.app import App

OPTIONS = "--with REQUIREMENT, --weights NAME=FILE, --relax, --python VERSION, --allow-build NAME, --editable"
SHOWN = 5
"""Ways to mend it that are listed."""


def wrong(line: str) -> str | None:
    """What is wrong with a line; None where nothing is."""
    try:
        read_line(line)
    except UsageError as error:
        return error.message
    return None


async def ask_request(app: App[Any]) -> InstallRequest | None:
    """Ask for a source, with options if need be."""
    places = "NAME==VERSION of the hub, a folder, an archive (https:), or git+https:, git+ssh:, git+file: (@TAG or @COMMIT)"
    text = f"{places}, then options: {OPTIONS}."
    line = await app.push_screen_wait(AskLine("Install from", text, suggester=PathSuggester(folders_only=True), check=wrong))
    return read_line(line) if line else None


async def ask_again(app: App[Any], request: InstallRequest, mends: Sequence[Mend]) -> InstallRequest | None:
    """Show a request with the first of what may mend it, and what else might; what the user makes of it."""
    others = [mend.words for mend in mends[1:SHOWN]]
    text = "The options that may help are added; Enter looks again with them, and installs nothing yet."
    text += f"\nWhat else may help: {'   '.join(others)}" if others else ""
    # What the user alone knows stands last, with the cursor behind it.
    line = await app.push_screen_wait(AskLine("Try again with", text, write_line(request, mends[0]), check=wrong))
    return read_line(line) if line else None


def mends_of(findings: Sequence[Finding]) -> tuple[Mend, ...]:
    """What may mend a plan: first what helps against all that forbids it or is likely to make it fail, then each other way by itself."""
    wanted = [finding.mends for finding in findings if finding.mends and (finding.blocks or finding.fails)]
    wanted = wanted or [finding.mends for finding in findings if finding.mends]
    if not wanted:
        return ()
    together = Mend()
    for first, *_ in wanted:
        together += first
    return tuple(dict.fromkeys([together, *(mend for ways in wanted for mend in ways)]))
