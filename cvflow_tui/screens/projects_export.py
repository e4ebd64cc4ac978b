"""Writing a project's annotations to a file, from wherever the user is."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cvflow_tui.model.projects import ExportReport
from cvflow_tui.model.text import one_line, plural
from cvflow_tui.screens.dialogs import AskLine, confirm
from cvflow_tui.screens.place import Place
from cvflow_tui.screens.projects_paths import PathSuggester

SHOWN = 3
"""Losses that the message names; the rest is counted."""


async def export_project(screen: Place, name: str) -> None:
    """Ask for a path, write COCO JSON there, and say what was written and what was left out. Raises a CvflowError."""
    app = screen.cvflow
    typed = await app.run_dialog(
        AskLine(
            f"Export {name}",
            "Annotations as COCO JSON. Where to?",
            str(Path.cwd() / f"{name}-coco.json"),
            suggester=PathSuggester(),
            check=_wrong,
        )
    )
    if typed is None:
        return
    path, there = await asyncio.to_thread(_resolved, typed)
    if there:
        sure = await app.run_dialog(confirm("Replace the file?", f"{path} exists already.", "replace", "keep"))
        if not sure:
            screen.status(f"{path} was left as it is")
            return
    report = await app.client.export(name, "coco", str(path))
    screen.notify(told(report), title="Exported", markup=False, timeout=12)
    screen.status(told(report).splitlines()[0])


def told(report: ExportReport) -> str:
    """What an export wrote and what it had to leave out."""
    lines = [f"{plural(report.annotations, 'annotation')} on {plural(report.pictures, 'picture')} → {one_line(report.path or '')}"]
    lines += [f"left out: {one_line(loss)}" for loss in report.dropped[:SHOWN]]
    if len(report.dropped) > SHOWN:
        lines.append(f"and {len(report.dropped) - SHOWN} more")
    return "\n".join(lines)


def _resolved(typed: str) -> tuple[Path, bool]:
    path = Path(typed).expanduser().absolute()
    return path, path.exists()


def _wrong(line: str) -> str | None:
    if not line:
        return "a file to write to"
    if Path(line).expanduser().is_dir():
        return "that is a folder: add a file name"
    return None
