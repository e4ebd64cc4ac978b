"""Packages to begin with: written whole or not at all, and what they do is true."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvflow_tui.backend.packages.manifest import _CLASS_PATH
from cvflow_tui.backend.packages.package import load_package
from cvflow_tui.backend.packages.service import BUNDLED
from cvflow_tui.backend.packages.template import create_package
from cvflow_tui.backend.packages.template.create import class_name, module_name
from cvflow_tui.backend.packages.template.recipes import RECIPES
from cvflow_tui.model.authoring import NewPackageRequest
from cvflow_tui.model.errors import NotFoundError, RefusedError, UsageError
from cvflow_tui.model.names import NAME
from cvflow_tui.model.results import TASKS

RUN = """
import importlib, json, sys
from pathlib import Path
sdk, *roots = sys.argv[1:]
sys.path.insert(0, sdk)
import cvflow
for root in map(Path, roots):
    facts = json.loads((root / "facts.json").read_text())
    cvflow.configure(root=root, labels=facts["labels"], task=facts["task"], package="local/x", version="0.1.0")
    sys.path[:0] = [str(root), str(root / "tests")]
    *module, name = facts["class"].split("/")
    solver = getattr(importlib.import_module(".".join(module)), name)()
    answer = json.loads(json.dumps(solver.infer(cvflow.Image(root / "tests/picture.png"))))
    sys.modules.pop("test_solver", None)
    importlib.import_module("test_solver").SolverTest()._look_at(answer)
    print(facts["task"])
"""


def make(folder: Path, name: str = "blobs", task: str = "object-detection", vendor: str = "acme") -> Path:
    create_package(NewPackageRequest(name, str(folder), vendor, task))
    return folder


def test_there_is_one_for_every_task() -> None:
    assert set(RECIPES) == set(TASKS)


@pytest.mark.parametrize("task", TASKS)
def test_the_manifest_says_what_the_code_holds(tmp_path: Path, task: str) -> None:
    package = load_package(make(tmp_path / "it", task=task))
    assert (package.ref, package.version, package.warnings) == ("acme/blobs", "0.1.0", ())
    (solver,) = package.solvers
    assert (solver.task, solver.labels) == (task, RECIPES[task].labels)
    defaults = {parameter.name: str(parameter.default) for parameter in solver.parameters}
    assert defaults == {name: default for name, (default, _) in RECIPES[task].parameters.items()}, "the card's table is the signature"
    assert "$" not in "".join(path.read_text() for path in package.root.rglob("*") if path.suffix in {".py", ".md", ".toml", ".txt"})


def test_each_answers_rightly_for_the_picture_of_its_own_test(tmp_path: Path) -> None:
    roots = []
    for task in TASKS:
        package = load_package(make(tmp_path / task, name=f"a-{task}", task=task))
        facts = {"task": task, "labels": package.solvers[0].labels, "class": package.solvers[0].class_path}
        (package.root / "facts.json").write_text(json.dumps(facts))
        roots.append(str(package.root))
    done = subprocess.run([sys.executable, "-c", RUN, str(BUNDLED / "sdk"), *roots], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == list(TASKS)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An empty folder."""
    place = tmp_path / "place"
    place.mkdir()
    return place


def test_nothing_is_written_over(place: Path) -> None:
    (place / "full").mkdir()
    (place / "full/precious").write_text("x")
    (place / "file").write_text("x")
    (place / "link").symlink_to(place / "nowhere")
    package = make(place / "package")
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    for name, why in (("full", "not empty"), ("file", "no folder"), ("link", "no folder"), ("package", "holds a package already")):
        with pytest.raises(RefusedError, match=why):
            make(place / name)
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before
    assert sorted(path.name for path in place.iterdir()) == ["file", "full", "link", "package"], "no draft is left"
    assert (package / "cvpm.toml").is_file()


def test_an_empty_folder_may_be_filled(place: Path) -> None:
    (place / "it").mkdir()
    assert (make(place / "it") / "cvpm.toml").is_file()


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"name": "../x"}, UsageError),
        ({"name": ""}, UsageError),
        ({"vendor": "a b"}, UsageError),
        ({"task": "flying"}, UsageError),
        ({"folder": "relative"}, UsageError),
        ({"folder": "/nowhere/at/all"}, NotFoundError),
        ({"folder": "/tmp/\0"}, UsageError),
        ({"folder": "~nobody-of-that-name/x"}, UsageError),
        ({"folder": "/" + "x" * 5000}, UsageError),
        ({"folder": "/tmp/\ud800"}, UsageError),
    ],
)
def test_bad_requests_are_refused_before_anything_is_made(place: Path, changes: dict[str, str], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        create_package(NewPackageRequest(**{"name": "x", "folder": str(place / "it"), **changes}))
    assert list(place.iterdir()) == []


@given(st.from_regex(NAME, fullmatch=True))
def test_any_name_gives_a_module_and_a_class_that_hide_nothing(name: str) -> None:
    module, cls = module_name(name), class_name(name)
    assert re.fullmatch(_CLASS_PATH, f"{module}/solver/{cls}")
    assert module.isidentifier() and cls.isidentifier()
    assert module not in sys.stdlib_module_names and module not in {"cvflow", "numpy", "PIL", "tests"}
