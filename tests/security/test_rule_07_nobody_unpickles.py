"""Rule 7: weights are code. A check names pickles, only a solver's own process loads weights, our own packages unpickle nothing."""

from __future__ import annotations

import ast
import zipfile
from pathlib import Path

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.service import BUNDLED, PackageService
from cvflow_tui.model.authoring import CheckRequest, Level
from tests.packages.parts import weight, write_package

ROOT = BUNDLED.parent
UNPICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


@pytest.mark.parametrize(
    ("name", "begin", "is_code"),
    [
        ("net.pth", b"anything", True),
        ("net.pkl", b"anything", True),
        ("net.dat", b"\x80\x02}q\x00.", True),  # a pickle by its first bytes, whatever it is called
        ("net.onnx", b"", False),
        ("net.safetensors", b"\x10\x00", False),
    ],
)
def test_a_check_names_a_pickle(service: PackageService, tmp_path: Path, name: str, begin: bytes, is_code: bool) -> None:
    root = write_package(tmp_path / "package", more=weight(name, name))
    (root / name).write_bytes(begin)
    assert bool(_untrusted(service, root)) is is_code


def test_a_check_names_a_zip_with_a_pickle_in_it(service: PackageService, tmp_path: Path) -> None:
    root = write_package(tmp_path / "package", more=weight("net.bin", "net.bin"))
    with zipfile.ZipFile(root / "net.bin", "w") as archive:
        archive.writestr("net/data.pkl", b"")
    assert _untrusted(service, root)


def _untrusted(service: PackageService, root: Path) -> list[str]:
    report = service.check(CheckRequest(str(root)), Progress())
    return [finding.message for finding in report.findings if finding.level is Level.NOTE and "untrusted" in finding.message]


def test_the_app_the_daemon_and_the_runner_load_no_weights() -> None:
    """Outside of the packages' own code nobody unpickles: not by a module that does, not by a framework, not by numpy."""
    ours = [path for path in ROOT.rglob("*.py") if BUNDLED not in path.parents]
    assert len(ours) > 200
    for path in ours:
        assert _unpickling(ast.parse(path.read_bytes()), torch_is_fine=False) == [], path


def test_the_bundled_packages_unpickle_nothing_unguarded() -> None:
    for path in BUNDLED.rglob("*.py"):
        assert _unpickling(ast.parse(path.read_bytes()), torch_is_fine=True) == [], path


@pytest.mark.parametrize(
    "line",
    ["import pickle", "from joblib import load", "import torch; torch.load(f)", "np.load(f, allow_pickle=True)", "import os, dill.source"],
)
def test_what_is_looked_for_would_be_found(line: str) -> None:
    assert _unpickling(ast.parse(line), torch_is_fine=True)


def _unpickling(tree: ast.AST, *, torch_is_fine: bool) -> list[str]:
    """Imports and calls that can run what a file says."""
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.partition(".")[0] in UNPICKLES]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found += [node.module] if node.module.partition(".")[0] in UNPICKLES else []
        elif isinstance(node, ast.Call):
            name, keywords = ast.unparse(node.func), {told.arg: ast.unparse(told.value) for told in node.keywords}
            if name == "torch.load" and not (torch_is_fine and keywords.get("weights_only") == "True"):
                found.append(name)
            if name.endswith(".load") and keywords.get("allow_pickle") == "True":
                found.append(name)
    return found
