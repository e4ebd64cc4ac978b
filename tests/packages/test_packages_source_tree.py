"""Reading strangers' sources: several at once, and such as no person writes."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvflow_tui.backend.packages.check.contents import code_findings
from cvflow_tui.backend.packages.forgotten import imported
from cvflow_tui.backend.packages.package import load_package
from cvflow_tui.backend.packages.signature import read_signature, solver_classes
from cvflow_tui.backend.packages.source_tree import LIMIT, parse

from .parts import write_package

DEEP = {
    "more than Python can read": "x = " + "-" * 300_000 + "1\n",
    "more than can be written out again": f"class A({'-' * 900}Solver):\n    def infer(self, picture, n={'-' * 900}1): ({'-' * 900}x)(y)\n",
    "parentheses": "x = " + "(" * 5000 + ")" * 5000 + "\n",
    "no characters": "x = '\0'\n",
}


@pytest.fixture
def yielding() -> Iterator[None]:
    """Garbage is collected often, and each time another thread may run."""

    def let_others_run(phase: str, told: dict[str, int]) -> None:
        time.sleep(0)

    before = gc.get_threshold()
    gc.callbacks.append(let_others_run)
    gc.set_threshold(100)
    yield
    gc.set_threshold(*before)
    gc.callbacks.remove(let_others_run)


def test_threads_read_at_once(tmp_path: Path, yielding: None) -> None:
    """Wherever garbage is collected in the middle of a tree and that lets another thread run, Python 3.11 fails with SystemError."""
    file = tmp_path / "deep.py"
    file.write_text("x = " + "[" * 80 + "]" * 80 + "\n" + "def f(): return {1: [2, (3, {4})]}\n" * 200)
    raised: list[BaseException] = []

    def read() -> None:
        try:
            for _ in range(6):
                assert parse(file) is not None
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert raised == []


@pytest.mark.parametrize("source", DEEP.values(), ids=DEEP)
def test_what_no_person_writes_is_only_not_understood(tmp_path: Path, source: str) -> None:
    root = write_package(tmp_path / "odd", name="odd")
    package = load_package(root, vendor="local")
    file = root.joinpath(*package.solvers[0].class_path.split("/")[:-1]).with_suffix(".py")
    file.write_text(source)
    solver_classes(file)
    assert read_signature(root, package.solvers[0].class_path).trainable is False
    assert imported(root, [package.solvers[0].class_path]) == []
    assert list(code_findings(package)) == []


def test_large_files_are_not_read(tmp_path: Path) -> None:
    file = tmp_path / "large.py"
    file.write_bytes(b"#" * (LIMIT + 1))
    assert parse(file) is None
    assert parse(tmp_path / "none.py") is None
