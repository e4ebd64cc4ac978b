"""What a project is, for the pane beside the list."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from cvflow_tui.model.projects import Project, ProjectStatus
from cvflow_tui.model.text import one_line, plural
from cvflow_tui.screens.annotate.words import accuracy, fraction, round_line, sparkline

QUIET = "$muted"
HEAD = 11


class ProjectPane(VerticalScroll, can_focus=False):
    """Shows one project."""

    DEFAULT_CSS = """
    ProjectPane > Static { height: auto; }
    """

    def __init__(self) -> None:
        super().__init__(classes="side")
        self._static = Static("", markup=False)
        self._shown: tuple[Project | None, ProjectStatus | None] | None = None

    def compose(self) -> ComposeResult:
        """One text."""
        yield self._static

    def show(self, project: Project | None, status: ProjectStatus | None) -> None:
        """Show a project; `status` where it is known already."""
        if (project, status) == self._shown:
            return
        self._shown = (project, status)
        self._static.update(Content("\n").join(_lines(project, status)) if project is not None else "")


def _lines(project: Project, status: ProjectStatus | None) -> list[Content]:
    lines = [Content.assemble((one_line(project.name), "bold")), Content("")]
    if project.error:
        return [*lines, Content.assemble((one_line(project.error), "$error"))]
    lines.append(
        _fact("pictures", ", ".join(f"{count} {state}" for state, count in project.counts.items() if count) or str(project.pictures))
    )
    lines.append(_fact("objects", str(project.annotations)))
    lines.append(
        _fact("classes", ", ".join(one_line(label, 30) for label in project.labels[:12]) + (" …" if len(project.labels) > 12 else ""))
    )
    lines.append(_fact("solver", one_line(project.settings.solver or "none: annotated by hand")))
    every = project.settings.round_every
    lines.append(
        _fact(
            "rounds",
            f"every {plural(every, 'picture')}, threshold {fraction(project.settings.threshold)}" if every else "only when asked (t)",
        )
    )
    if status is not None:
        lines += _learning(status)
    lines += [Content(""), _fact("folder", one_line(project.path))]
    if project.credit:
        lines += [Content(""), Content.assemble((one_line(project.credit, 2000), QUIET))]
    return lines


def _learning(status: ProjectStatus) -> list[Content]:
    told = accuracy(status.prequential)
    lines = [_fact("accuracy", told)] if told else []
    bars = sparkline(status.prequential.history, 30)
    if bars:
        lines.append(_fact("", bars))
    last = max(status.rounds, key=lambda each: each.number, default=None)
    if last is not None:
        lines.append(_fact(f"round {last.number}", one_line(round_line(last))))
    return lines


def _fact(name: str, value: str) -> Content:
    return Content.assemble((name.ljust(HEAD), QUIET), value)
