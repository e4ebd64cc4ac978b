"""Packages as they were written for the original servers, one of each generation."""

from __future__ import annotations

from pathlib import Path

CVPM_BUNDLE = """
from pkg_resources import resource_filename
from cvpm.bundle import Bundle


class CounterBundle(Bundle):
    PRETRAINED_TOML = resource_filename(__name__, "../pretrained/pretrained.toml")
    TABLE_LOCATION = resource_filename(__name__, "../pretrained/table.dat")
    ENABLE_TRAIN = False
    SOLVERS = []
    NOT_JSON = object()
"""

CVPM_SOLVER = """
import os
from cvpm.solver import Solver
from cvpm.utility import Downloader, str2bool
from byte_counter.bundle import CounterBundle as Bundle


class CountSolver(Solver):
    def __init__(self, toml_file=None):
        super().__init__(Bundle.PRETRAINED_TOML)
        self.downloaded = Downloader().download("http://weights.invalid/somewhere/table.dat", "pretrained")
        with open(Bundle.TABLE_LOCATION) as table:
            self.word = table.read().strip()
        self.set_bundle(Bundle)
        self._enable_train = Bundle.ENABLE_TRAIN
        self.set_ready()

    def infer(self, image_file, config):
        size = os.path.getsize(image_file)
        if config["mode"] == "boxes":
            return [(1, 30, 20, 5)] * int(config.get("times", "1"))
        if config["mode"] == "fail":
            raise RuntimeError("no such luck")
        return {
            "size": size, "word": self.word, "ending": os.path.splitext(image_file)[1], "config": config,
            "types": sorted({type(value).__name__ for value in config.values()}), "here": os.path.isdir("./byte_counter"),
            "kept": str2bool(config.get("delete_after_process", "no")),
        }
"""

MLPM_SOLVER = """
import os
from mlpm.solver import Solver
from mlpm.metrics import Metrics
from mlpm.server import aidserver


class EchoSolver(Solver):
    def __init__(self, toml_file=None):
        super().__init__(toml_file)
        self.seen = Metrics()
        self.ready()

    def infer(self, data):
        self.seen.add({"last": data.get("text")})
        if data.get("text") == "fail":
            raise ValueError("not this one")
        path = data.get("input_file_path")
        size = os.path.getsize(path) if path else None
        return {"upper": data.get("text", "nothing").upper(), "size": size, "keys": sorted(data)}


aidserver.solver = EchoSolver
"""


def write(root: Path, files: dict[str, str]) -> Path:
    """A folder of text files."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"), "utf-8")
    return root


def cvpm_package(root: Path, **changes: str) -> Path:
    """A package of the first generation. `changes` are files' texts, by names with `__` for `/` and a dropped ending."""
    files = {
        "cvpm.toml": '[package]\nname = "Byte_Counter"\n\n[[solvers]]\nname = "CountSolver"\nclass = "byte_counter/solver/CountSolver"\n',
        "pretrained/pretrained.toml": '[[models]]\nname = "table"\nurl = "files/table.dat"\n',
        "files/table.dat": "weighty\n",
        "requirements.txt": "cvpm\n",
        "byte_counter/__init__.py": "",
        "byte_counter/bundle.py": CVPM_BUNDLE,
        "byte_counter/solver.py": CVPM_SOLVER,
    }
    return write(root, files | changes)


def mlpm_package(root: Path, **changes: str) -> Path:
    """A package of the second generation."""
    files = {
        "aid.toml": (
            '[package]\nname = "echo"\nvendor = "aidmodels"\ntagline = "says it louder"\ngpu = false\n\n'
            '[[solvers]]\nname = "EchoSolver"\nclass = "echo/solver/EchoSolver"\n'
        ),
        "pretrained.toml": "",
        "requirements.txt": "mlpm==1.4.1.1\n",
        "echo/__init__.py": "",
        "echo/solver.py": MLPM_SOLVER,
    }
    return write(root, files | changes)
