"""What lies in the folder beside the manifest: labels, weights, scripts, and code that loads what others wrote."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from cvflow_tui.backend.packages.describe import SKIPPED, is_relative
from cvflow_tui.backend.packages.package import Package
from cvflow_tui.backend.packages.scripts import DIGITS, find_scripts
from cvflow_tui.backend.packages.source_tree import parse, spelled
from cvflow_tui.backend.packages.trust import RISK, risk_of
from cvflow_tui.backend.packages.weights import FOLDER, Weight
from cvflow_tui.model.authoring import Finding, Level
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.text import one_line

WEIGHTS = frozenset({".onnx", ".safetensors", ".tflite", ".pb", ".caffemodel", ".weights", ".engine"})
"""What weights are called that nobody can load as code; for the others `trust.risk_of` knows the names."""

_LABELLED = ("object-detection", "instance-segmentation", "keypoint-detection", "image-classification")


def label_findings(package: Package) -> Iterator[Finding]:
    """Labels that are missing, empty or there twice."""
    for solver in package.solvers:
        where = f"solver {solver.name}"
        if not solver.labels and solver.task in _LABELLED:
            mend = 'add labels = ["…"] or labels = "FILE": projects are set up from them'
            yield Finding(Level.WARNING, "labels", f"a solver of {solver.task} names no labels", mend, where)
        twice = [one_line(label, 40) for label, count in Counter(solver.labels).items() if count > 1]
        if twice:
            yield Finding(Level.FAULT, "labels", f"{twice[0]!r} is there {_times(solver.labels.count(twice[0]))}", "name each once", where)


def weight_findings(package: Package, weights: Sequence[Weight]) -> Iterator[Finding]:
    """Weights without a digest, in a format that runs code, or that nobody declared. `weights` are those that were brought."""
    digests = {weight.name: weight.sha256 for weight in weights}
    for model in package.models:
        shown = one_line(model.name, 80)
        if model.sha256 is None:
            told = digests.get(model.name)
            mend = f'add sha256 = "{told}"' if told else "add sha256 = …"
            yield Finding(Level.WARNING, "weights", f"{shown} has no sha256: whatever its source sends first is trusted", mend)
        if risk := risk_of(model.name, package.root / FOLDER / model.name):
            yield Finding(Level.NOTE, "weights", f"{shown} is untrusted ({risk}): {RISK}", "safetensors and ONNX cannot")
        if model.url.startswith("http:"):
            yield Finding(Level.WARNING, "weights", f"{shown} comes over http", "use https:")
    declared = {(package.root / model.url).resolve() for model in package.models if is_relative(model.url)}
    placed = {(package.root / FOLDER / weight.name).resolve() for weight in weights}
    for file in _files(package.root):
        if (file.suffix.lower() in WEIGHTS or risk_of(file.name, file)) and file.resolve() not in declared | placed:
            shown = one_line(str(file.relative_to(package.root)), 80)
            yield Finding(Level.WARNING, "weights", f"{shown} is not declared: nothing verifies it", "add a [[models]] table for it")


def script_findings(package: Package) -> Iterator[Finding]:
    """Scripts that never run unless a user allows them."""
    try:
        scripts = find_scripts(package, ())
    except PackageError as error:
        yield Finding(Level.FAULT, "scripts", error.message)
        return
    for script in scripts:
        message = f"{one_line(script.name, 80)} does not run unless the user allows it (sha256 {script.sha256[:DIGITS]}…)"
        yield Finding(Level.WARNING, "scripts", message, "let requirements.txt and [[models]] bring what it brings")


def code_findings(package: Package) -> Iterator[Finding]:
    """Calls that run whatever a file says: unpickling without a guard."""
    for file in _files(package.root):
        if file.suffix != ".py" or (tree := parse(file)) is None:
            continue  # the import says so, if the file matters
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and (told := _unsafe(node)):
                where = f"{one_line(str(file.relative_to(package.root)), 80)}:{node.lineno}"
                yield Finding(Level.WARNING, "code", f"{told[0]} runs whatever the file says", told[1], where)


def _unsafe(call: ast.Call) -> tuple[str, str] | None:
    """What is called and the mend, where a call unpickles without a guard."""
    name = spelled(call.func)
    keywords = {keyword.arg: spelled(keyword.value) for keyword in call.keywords}
    if name == "torch.load" and keywords.get("weights_only") != "True":
        return name, "add weights_only=True"
    if name in ("np.load", "numpy.load") and keywords.get("allow_pickle") == "True":
        return f"{name} with allow_pickle", "save plain arrays"
    module, _, method = name.rpartition(".")
    if module in ("pickle", "cPickle", "dill", "cloudpickle", "joblib") and method in ("load", "loads"):
        return name, "keep weights as safetensors, ONNX or plain arrays"
    return None


def _files(root: Path) -> Iterator[Path]:
    for file in sorted(root.rglob("*")):
        if file.is_file() and not SKIPPED & set(file.relative_to(root).parts):
            yield file


def _times(count: int) -> str:
    return "twice" if count == 2 else f"{count} times"
