"""Rule 8: nothing is unpickled that came over a socket, of a process or of the network."""

from __future__ import annotations

import ast
import pickle
from collections.abc import Callable
from pathlib import Path

import cvflow_tui
from cvflow_tui.backend.runtime.spec import RunSpec
from tests.runtime.helpers import Site

ROOT = Path(cvflow_tui.__file__).parent
PICKLERS = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "marshal", "shelve", "joblib"}
SPEAKING = ("backend/runtime", "backend/api", "backend/client", "backend/daemon", "backend/hub", "solvers/sdk")


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names


def test_whatever_speaks_imports_no_pickler() -> None:
    files = [path for folder in SPEAKING if (ROOT / folder).exists() for path in (ROOT / folder).rglob("*.py")]
    assert len(files) > 50
    assert {path: found for path in files if (found := imported(path) & PICKLERS)} == {}


def test_numpy_is_never_allowed_to_unpickle() -> None:
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert isinstance(node.value, ast.Constant), path
                assert node.value.value is False, path


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def test_a_pickle_that_is_sent_is_never_loaded(shared_site: Site, spec_of: Callable[..., RunSpec], tmp_path: Path) -> None:
    client = shared_site.start(spec_of("Reader"))
    body = pickle.dumps(Bomb(tmp_path / "ran"))
    for path in ("/infer", "/batch", "/predict", "/v2/models/reader/infer", "/setup"):
        for kind in ("application/octet-stream", "application/json", "image/jpeg", "application/x-pickle"):
            assert client.send("POST", path, body, {"Content-Type": kind}).status in (400, 415), (path, kind)
    assert not (tmp_path / "ran").exists()
