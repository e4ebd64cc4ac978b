"""How a solver is called: told from its source before it is installed, and from the class itself once it is loaded; the two agree."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cvflow_tui.backend.packages.originals import FIELDS, PATH, PATH_AND_FIELDS
from cvflow_tui.backend.packages.signature import Signature, read_signature
from cvflow_tui.backend.runtime.worker import SDK

HEADS = {
    "cvpm": "from cvpm.solver import Solver\n\nclass S(Solver):\n",
    "cvpm as module": "import cvpm.solver\n\nclass S(cvpm.solver.Solver):\n",
    "mlpm": "from mlpm.solver import Solver as Base\n\nclass Own(Base):\n    pass\n\nclass S(Own):\n",
    "mlserve": "from mlserve.solver import Solver\n\nclass S(Solver):\n",
    "cvflow": "import cvflow\n\nclass S(cvflow.Solver):\n",
    "none": "class S:\n",
}

CASES = [
    ("cvpm", "self, image_file, config", PATH_AND_FIELDS),
    ("cvpm", "self, a, b", PATH_AND_FIELDS),
    ("cvpm", "self, image_file, config={}", PATH_AND_FIELDS),
    ("cvpm as module", "self, image_file, config", PATH_AND_FIELDS),
    ("cvpm", "self, image_file", PATH),
    ("cvpm", "self, data", FIELDS),
    ("mlpm", "self, data", FIELDS),
    ("mlpm", "self, anything", FIELDS),
    ("mlpm", "self, data=None", FIELDS),
    ("mlpm", "self, image_file, config", PATH_AND_FIELDS),
    ("mlserve", "self, data", FIELDS),
    ("none", "self, image_file, config", PATH_AND_FIELDS),
    ("none", "self, path, options: dict", PATH_AND_FIELDS),
    ("none", "self, data", FIELDS),
    ("none", "self, request: dict", FIELDS),
    ("none", "self, image", ""),
    ("none", "self, image, threshold", ""),
    ("none", "self, image, config: str", ""),
    ("none", "self, image, config=None", ""),
    ("none", "self, data, threshold: float = 0.5", ""),
    ("cvflow", "self, data", ""),
    ("cvflow", "self, image, config", ""),
]

LOADED = """
import importlib, json, sys
sys.path[:0] = [sys.argv[1]]
importlib.import_module("cvflow")
from cvflow_worker.originals import original_of
for name in sys.argv[2:]:
    sys.path.insert(0, name)
    solver = importlib.import_module("code_of_it").S()
    original = original_of(solver)
    print(json.dumps([original._shape, original.parameters.describe()] if original else ["", []]))
    del sys.modules["code_of_it"], sys.path[0]
"""


def write(folder: Path, head: str, arguments: str, body: str = "return None") -> Path:
    folder.mkdir(parents=True)
    (folder / "code_of_it.py").write_text(f"{HEADS[head]}    def infer({arguments}):\n        {body}\n")
    return folder


def read(folder: Path) -> Signature:
    return read_signature(folder.parent, f"{folder.name}/code_of_it/S")


def loaded(*folders: Path) -> list[Any]:
    command = [sys.executable, "-I", "-B", "-c", LOADED, str(SDK), *map(str, folders)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_base_class_decides_then_names_and_hints(tmp_path: Path) -> None:
    folders = [write(tmp_path / f"case_{number}", head, arguments) for number, (head, arguments, _) in enumerate(CASES)]
    wanted = [shape for _, _, shape in CASES]
    assert [read(folder).shape for folder in folders] == wanted
    assert [shape for shape, _ in loaded(*folders)] == wanted


@pytest.mark.parametrize("head", ["cvpm", "mlpm"])
def test_the_fields_that_the_source_reads(tmp_path: Path, head: str) -> None:
    arguments = "self, image_file, config" if head == "cvpm" else "self, data"
    name = arguments.rpartition(" ")[2]
    body = (
        f"return [{name}['mode'], {name}.get('times', 2), {name}.get('flag', True), {name}.get('word'), {name}['input_file_path'],"
        f" {name}.get('delete_after_process'), 'maybe' in {name} and {name}['maybe'], self.other['x'], {name}[str(1)]]"
    )
    folder = write(tmp_path / "fields", head, arguments, body)
    wanted = {"mode": (None, True), "times": ("2", False), "flag": ("true", False), "word": (None, False), "maybe": (None, False)}
    assert {each.name: (each.default, each.required) for each in read(folder).parameters} == wanted
    ((_, told),) = loaded(folder)
    assert {each["name"]: (each["default"], each["required"]) for each in told} == wanted


def test_an_original_that_fits_no_shape_says_so(tmp_path: Path) -> None:
    folder = write(tmp_path / "odd", "cvpm", "self, a, b, c")
    command = [sys.executable, "-I", "-B", "-c", LOADED, str(SDK), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "TypeError: infer takes 3 arguments: that is neither infer(image_file, config) nor infer(data)" in done.stderr


def test_originals_do_not_learn_in_rounds(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    train = "    def train(self, data):\n        pass\n    def infer(self, data):\n        pass\n"
    (tmp_path / "a" / "code_of_it.py").write_text(HEADS["mlpm"] + train)
    assert not read(tmp_path / "a").trainable
