"""Everything about a package, beside the list it was chosen in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from cvflow_tui.model.text import one_line
from cvflow_tui.widgets.figures import bytes_of, date_of
from cvflow_tui.widgets.readme import readme

if TYPE_CHECKING:
    from cvflow_tui.model.packages import HubVersion, PackageDetail, PackageSummary, Parameter, SolverInfo

HEADING, MUTED = "bold", "$muted"
VERSIONS = 8
"""Versions that are told of, the newest."""


class PackagePane(VerticalScroll):
    """Shows a package: head, solvers with their parameters, weights, needs, README. Scrolls with the arrows once it has the keys."""

    HELP_TITLE = "in the pane"
    DEFAULT_CSS = """
    PackagePane { height: 1fr; background: $background; }
    PackagePane > Static { height: auto; padding: 0 1 0 0; }
    """

    def __init__(self, empty: str = "", id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._empty = empty
        self._shown: PackageDetail | None = None
        self._versions: tuple[HubVersion, ...] = ()

    def compose(self) -> ComposeResult:
        """One text."""
        yield Static(self._empty, markup=False)

    @property
    def detail(self) -> PackageDetail | None:
        """What it shows."""
        return self._shown

    def say(self, text: str) -> None:
        """Say something instead of a package."""
        self._shown = None
        self.query_one(Static).update(Content(text))

    def show(self, detail: PackageDetail | None, versions: Sequence[HubVersion] = ()) -> None:
        """Show a package, or nothing; with the versions that a hub has of it. The place in the text stays where it is the same package."""
        if detail == self._shown and tuple(versions) == self._versions:
            return
        self._versions = tuple(versions)
        other = detail is None or self._shown is None or detail.summary.ref != self._shown.summary.ref
        self._shown = detail
        self.query_one(Static).update(Content(self._empty) if detail is None else described(detail, versions))
        if other:
            self.scroll_home(animate=False)


def described(detail: PackageDetail, versions: Sequence[HubVersion] = ()) -> Content:
    """The package as one text."""
    lines = [*_head(detail), *_versions(versions), *_solvers(detail.solvers), *_weights(detail), *_needs(detail), *_where(detail)]
    if detail.readme.strip():
        lines += [Content(""), Content.styled("─" * 12, MUTED), readme(detail.readme)]
    return Content("\n").join(lines)


def _plain(text: str, limit: int = 200) -> Content:
    return Content(one_line(text, limit))


def _head(detail: PackageDetail) -> Iterable[Content]:
    summary = detail.summary
    yield Content.styled(one_line(f"{summary.ref} {summary.version}"), "bold $accent") + _installed(summary)
    if summary.tagline:
        yield _plain(summary.tagline)
    environment = "runs on the app's own Python" if detail.environment == "host" else "in an environment of its own"
    with_weights = " with its weights" if detail.weights else ""
    size = [f"{bytes_of(summary.size)}{with_weights}"] if summary.size is not None else []
    yield Content.styled(one_line(" · ".join([summary.license or "no licence named", *size])), MUTED)
    yield Content.styled(environment, MUTED)
    for warning in detail.warnings:
        yield Content.styled(one_line(f"note: {warning}"), "$warning")


def _installed(summary: PackageSummary) -> Content:
    if summary.installed is None:
        return Content("")
    same = summary.installed == summary.version
    return Content.styled("   ✓ installed" if same else f"   ✓ {one_line(summary.installed)} installed", "$success")


def _versions(versions: Sequence[HubVersion]) -> Iterable[Content]:
    if not versions:
        return
    yield Content("")
    yield Content.styled("versions", HEADING) + Content.styled("  v installs another", MUTED)
    for version in versions[:VERSIONS]:
        facts = [date_of(version.published) if version.published else "", bytes_of(version.size) if version.size is not None else ""]
        mark = Content.styled("✓ ", "$success") if version.installed else Content("  ")
        yield mark + Content(one_line(version.version, 40)) + Content.styled("  " + " · ".join(fact for fact in facts if fact), MUTED)
    if len(versions) > VERSIONS:
        yield Content.styled(f"  and {len(versions) - VERSIONS} older", MUTED)


def _solvers(solvers: tuple[SolverInfo, ...]) -> Iterable[Content]:
    yield Content("")
    yield Content.styled("solvers", HEADING)
    for solver in solvers:
        notes = [solver.task, *(["can learn"] if solver.trainable else []), *([f"batch {solver.batch}"] if solver.batch > 1 else [])]
        if solver.labels:
            notes.append(f"{len(solver.labels)} label{'s' if len(solver.labels) > 1 else ''}")
        yield Content("  ") + Content.styled(one_line(solver.name), "$accent") + Content.styled("  " + one_line(" · ".join(notes)), MUTED)
        for parameter in solver.parameters:
            yield _parameter(parameter)


def _parameter(parameter: Parameter) -> Content:
    value = "required" if parameter.required else f"= {parameter.default!r}"
    return Content(one_line(f"{parameter.name}")).pad_left(4) + Content.styled(one_line(f"  {parameter.type} {value}"), MUTED).pad_left(1)


def _weights(detail: PackageDetail) -> Iterable[Content]:
    if detail.weights:
        yield Content("")
        yield Content.styled("weights", HEADING)
    for weight in detail.weights:
        checked = "checked by sha256" if weight.sha256 else "no sha256: cannot be checked"
        size = f"{bytes_of(weight.size)} · " if weight.size is not None else ""
        # On a line of its own: beside the name it wraps to the pane's edge.
        yield Content("  ") + _plain(weight.name)
        yield Content("    ") + Content.styled(one_line(f"{size}{checked}"), MUTED)


def _needs(detail: PackageDetail) -> Iterable[Content]:
    needs = [*([f"Python {detail.python}"] if detail.python else []), *detail.requirements]
    if needs:
        yield Content("")
        yield Content.styled("needs", HEADING)
        yield Content("  ") + _plain(", ".join(needs), 1000)


def _where(detail: PackageDetail) -> Iterable[Content]:
    yield Content("")
    yield Content.styled("from", HEADING)
    if detail.linked:
        yield Content("  ") + Content.styled("linked: what its author changes holds from a solver's next start", MUTED)
    if detail.kept:
        told = "the newer version {} is kept: b returns to it" if detail.kept_is_newer else "version {} is kept: b goes back to it"
        yield Content("  ") + _plain(told.format(detail.kept))
    for value in (detail.summary.source, detail.commit, detail.path):
        if value:
            yield Content("  ") + _plain(value, 1000)
