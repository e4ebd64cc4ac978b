"""What an install will do, as text: facts, what it changes, what it wants to run, what stands in its way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from textual.content import Content

from cvflow_tui.model.packages import Changes, Differences, InstallPlan
from cvflow_tui.model.text import one_line
from cvflow_tui.widgets.figures import bytes_of
from cvflow_tui.widgets.hanging import hang

MUTED = "$muted"
HEAD = 12
"""Cells of the words before the facts."""
NAMED = 6
"""Names of a difference that are told; the rest is counted."""
DIGITS = 12
"""Digits of a digest that are shown: enough to allow it by."""


def plan_text(plan: InstallPlan, width: int) -> Content:
    """The plan in lines of `width` cells, what forbids it first."""
    lines = [*_problems(plan, width), *_facts(plan, width), *_changes(plan.changes, width), *_scripts(plan, width)]
    if plan.steps:
        lines.append(Content(""))
        lines += [_hung(f"{number:>2}  ", step, width) for number, step in enumerate(plan.steps, 1)]
    warnings = [*plan.package.warnings, *(finding.sentence for finding in plan.findings if not finding.blocks and not finding.fails)]
    lines += [Content.styled(hang(0, one_line(f"note: {warning}", 400), width), "$warning") for warning in dict.fromkeys(warnings)]
    return Content("\n").join(lines)


def _problems(plan: InstallPlan, width: int) -> Iterator[Content]:
    likely = [finding.sentence for finding in plan.findings if finding.fails and not finding.blocks]
    for title, told, style in (
        ("It cannot be installed here:", plan.problems, "$error"),
        ("It is likely to fail at the end, where its code is imported:", likely, "$warning"),
    ):
        if told:
            yield Content.styled(title, f"bold {style}")
            for each in told:
                yield Content.styled(f"  {hang(2, one_line(each, 400), width)}", style)
            yield Content("")


def _facts(plan: InstallPlan, width: int) -> Iterator[Content]:
    network = "nothing, all is at hand" if plan.download_bytes == 0 else bytes_of(plan.download_bytes)
    if plan.download_bytes is None:
        network = "the source does not tell"
    weights = ", ".join(f"{each.name} ({bytes_of(each.size)})" if each.size is not None else each.name for each in plan.package.weights)
    yield _hung("source", plan.source, width)
    yield _hung("download", network, width)
    yield _hung("disk", f"{bytes_of(plan.disk_bytes)} of {bytes_of(plan.free_bytes)} free", width)
    yield _hung("environment", plan.environment, width)
    yield _hung("weights", weights or "none", width)
    if plan.replaces:
        kept = "" if plan.replaces == plan.package.summary.version else ", which is kept for a way back"
        yield _hung("replaces", f"version {plan.replaces}{kept}", width)


def _changes(changes: Changes | None, width: int) -> Iterator[Content]:
    if changes is None:
        return
    if changes.commits:
        yield _hung("commits", " → ".join(commit[:10] for commit in changes.commits), width)
    if not changes and not changes.distributions:
        yield _hung("changes", "nothing", width)
        return
    if changes.files:
        yield _hung("files", _counts(changes.files), width)
    for word, difference in (
        ("needs", changes.requirements),
        ("weights", changes.weights),
        ("solvers", changes.solvers),
        ("parameters", changes.parameters),
    ):
        if difference:
            yield _hung(word, _named(difference), width)
    if changes.distributions:
        told = [each.words for each in changes.distributions]
        more = [f"{len(told) - NAMED} more"] if len(told) > NAMED else []
        yield _hung("versions", ", ".join([*told[:NAMED], *more]), width)


def _counts(difference: Differences) -> str:
    told = ((len(difference.added), "added"), (len(difference.changed), "changed"), (len(difference.removed), "removed"))
    return ", ".join(f"{count} {word}" for count, word in told if count)


def _named(difference: Differences) -> str:
    return ", ".join([*_some("+", difference.added), *_some("~", difference.changed), *_some("−", difference.removed)])


def _some(sign: str, names: Iterable[str]) -> list[str]:
    told = [f"{sign}{one_line(name, 60)}" for name in names]
    return told if len(told) <= NAMED else [*told[:NAMED], f"{sign}{len(told) - NAMED} more"]


def _scripts(plan: InstallPlan, width: int) -> Iterator[Content]:
    for script in plan.scripts:
        allowed = "allowed" if script.allowed else "will not run unless you allow it: s reads it"
        text = f"{script.name}, {script.when} the requirements, sha256 {script.sha256[:DIGITS]}: {allowed}"
        yield _hung("script", text, width, "" if script.allowed else "$warning")


def _hung(word: str, value: str, width: int, style: str = "") -> Content:
    head = word if word[:1] == " " or word[:1].isdigit() else f"{word:<{HEAD}}"
    return Content.styled(head, MUTED) + Content.styled(hang(len(head), one_line(value, 500), width), style)
