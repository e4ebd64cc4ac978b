"""Rule 9: what a manifest says stays data: it becomes no shell's line and no program's text.

Scripts have theirs in tests/packages/test_packages_scripts.py.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.home import Home
from cvflow_tui.model.errors import CvflowError, PackageError
from tests.packages.parts import tree, write_package

WORDS = [
    '"); import os; os.system("touch owned") #',
    '\\"\\"\\"\\nimport os\\nos.mkdir(\\"owned\\")\\n\\"\\"\\"',
    "{python}",
    "$(touch owned)",
    "`touch owned`",
    "'; touch owned; '",
    "%s %(x)s",
    "--evil",
]


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("field", ["tagline", "license", "description", "homepage"])
def test_free_text_lands_in_no_program(service: PackageService, home: Home, tmp_path: Path, field: str, word: str) -> None:
    root = write_package(tmp_path / "p")
    text = (root / "cvpm.toml").read_text()
    lines = [line for line in text.split("\n") if not line.startswith(field)]
    escaped = word if "\\n" in word else word.replace('"', '\\"')
    (root / "cvpm.toml").write_text("\n".join([lines[0], f'{field} = "{escaped}"', *lines[1:]]))
    path = Path(str(service.install(str(root), Progress()).path))
    program = (path / "runner_detect.py").read_text()
    calls = [node for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Call)]
    assert "owned" not in program and {ast.unparse(call.func) for call in calls} <= {
        "os.path.join",
        "os.path.dirname",
        "os.path.abspath",
        "argparse.ArgumentParser",
        "parser.add_argument",
        "parser.parse_args",
        "os.access",
        "sys.exit",
        "os.execv",
        "str",
        "main",
    }
    assert not list(tmp_path.rglob("owned"))


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("field", ["name", "class"])
def test_a_solvers_name_and_class_are_names(service: PackageService, home: Home, tmp_path: Path, field: str, word: str) -> None:
    root = write_package(tmp_path / "p")
    head, _, table = (root / "cvpm.toml").read_text().partition("[[solvers]]\n")
    lines = [line for line in table.split("\n") if not line.startswith(f"{field} =")]
    escaped = word if "\\n" in word else word.replace('"', '\\"')
    (root / "cvpm.toml").write_text(head + "[[solvers]]\n" + "\n".join([f'{field} = "{escaped}"', *lines]))
    try:
        detail = service.install(str(root), Progress())
    except PackageError:
        assert tree(home) == set()
    else:
        # mended, and said so: into a name that is nothing but one, of a class that is there
        (solver,) = detail.solvers
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*", solver.name) and solver.class_path == "parts/solver/Solver" and detail.warnings
        ast.parse((Path(str(detail.path)) / f"runner_{solver.name}.py").read_text())
    assert not [path for path in tmp_path.rglob("*") if path.name == "owned"]


def test_labels_and_tasks_reach_the_runner_as_json(service: PackageService, tmp_path: Path) -> None:
    root = write_package(tmp_path / "p", more='labels = ["$(touch owned)", "{python}", "%s"]')
    path = Path(str(service.install(str(root), Progress()).path))
    assert json.loads((path / "runner_detect.json").read_text())["labels"] == ["$(touch owned)", "{python}", "%s"]
    assert "owned" not in (path / "runner_detect.py").read_text()


@pytest.mark.parametrize(
    "line",
    [
        "toy; touch owned",
        "toy --index-url https://evil",
        "--extra-index-url https://evil",
        "-r /etc/passwd",
        "toy @ file:///etc/x",
        "$(touch owned)",
    ],
)
def test_a_requirements_line_is_a_requirement_or_left_out(service: PackageService, home: Home, tmp_path: Path, line: str) -> None:
    root = write_package(tmp_path / "p", requirements=f"{line}\n")
    try:
        detail = service.install(str(root), Progress())
    except CvflowError:
        assert {each for each in tree(home) if not each.startswith("staging/")} == set()
    else:
        assert detail.requirements == () and detail.warnings
    assert not list(tmp_path.rglob("owned"))
