"""Our own `cvpm`, `mlpm`, `mlserve` and `pkg_resources`, imported as a package does: by a fresh Python with the sdk on its path."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cvflow_tui.backend.runtime.worker import SDK
from tests.runtime.helpers import make_picture

START = """
import json, sys
sys.path[:0] = [{sdk!r}]
sys.path.append({sdk!r} + "/fallback")
"""


def run(folder: Path, code: str) -> Any:
    """What the code prints as JSON, run in a folder."""
    command = [sys.executable, "-I", "-B", "-c", START.format(sdk=str(SDK)) + code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_importing_them_imports_nothing_heavy_and_nothing_of_a_server(tmp_path: Path) -> None:
    code = """
import cvpm.solver, cvpm.bundle, cvpm.utility, cvpm.interface, cvpm.server
import mlpm.solver, mlpm.server, mlpm.logger, mlpm.metrics, mlpm.utility, mlserve.solver
print(json.dumps(sorted({"numpy", "PIL", "flask", "quart", "requests", "toml", "tqdm", "cvflow_tui"} & set(sys.modules))))
"""
    assert run(tmp_path, code) == []


def test_mlserve_is_mlpm(tmp_path: Path) -> None:
    code = """
from mlserve.solver import Solver
import mlserve.server, mlpm.solver, mlpm.server
print(json.dumps([Solver is mlpm.solver.Solver, mlserve.server is mlpm.server]))
"""
    assert run(tmp_path, code) == [True, True]


def test_a_word_that_means_no_is_no(tmp_path: Path) -> None:
    """The original's str2bool took "false" for a yes, and deleted what it was asked to keep."""
    code = """
from cvpm.utility import str2bool
from mlpm.utility import str2bool as other
words = ["true", "yes", "t", "1", True, "false", "no", "0", "", None, "keep", False]
print(json.dumps([[str2bool(word) for word in words], other is str2bool]))
"""
    assert run(tmp_path, code) == [[True] * 5 + [False] * 7, True]


def test_the_downloader_finds_what_is_there_and_never_downloads(tmp_path: Path) -> None:
    (tmp_path / "pretrained").mkdir()
    (tmp_path / "pretrained/net.h5").write_bytes(b"weights")
    code = """
import socket
def no_network(*_):
    raise AssertionError("a worker asked the network")
socket.socket.connect = socket.getaddrinfo = no_network
from cvpm.utility import Downloader
found = [Downloader().download("http://gone.invalid/a/net.h5?dl=1", target) for target in ("pretrained", "elsewhere/deep")]
try:
    Downloader().download("http://gone.invalid/other.h5", "pretrained")
except FileNotFoundError as error:
    found.append(str(error))
print(json.dumps(found))
"""
    found = run(tmp_path, code)
    assert found[:2] == [7, 7] and (tmp_path / "elsewhere/deep/net.h5").read_bytes() == b"weights"
    assert found[2] == "the weight other.h5 is not in pretrained/: install the package again with --weights other.h5=FILE"
    assert not (tmp_path / "pretrained/other.h5").exists()


def test_a_picture_is_loaded_as_it_is_displayed_and_saved_where_it_is_served(tmp_path: Path) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "turned.jpg").write_bytes(make_picture(40, 20, exif=exif))
    (tmp_path / "made.png").write_bytes(b"png")
    code = """
from cvpm.utility import load_image_file, save_image
shapes = [list(load_image_file("turned.jpg").shape), list(load_image_file("turned.jpg", mode="L").shape)]
name = save_image("made.png", "../../made.png")
try:
    save_image("turned.jpg", "..")
    shapes.append("taken")
except ValueError:
    shapes.append("refused")
print(json.dumps([shapes, name]))
"""
    assert run(tmp_path, code) == [[[40, 20, 3], [40, 20], "refused"], "made.png"]
    assert (tmp_path / "temp/public/made.png").read_bytes() == b"png" and not (tmp_path / "made.png").exists()


def test_a_bundle_tells_what_json_can_say(tmp_path: Path) -> None:
    code = """
from cvpm.bundle import Bundle
from cvpm.solver import Solver

class Facts(Bundle):
    NAME, LIST, THING, NAN = "x", [1], object(), float("nan")

class S(Solver):
    def __init__(self, toml_file=None):
        super().__init__(toml_file)
        self.set_bundle(Facts)
        self.set_bundle(int)
        self.set_ready()

solver = S()
assert json.loads(solver.help_message) == Facts.members()
print(json.dumps([Facts.members(), solver.is_ready, solver.enable_train]))
"""
    assert run(tmp_path, code) == [{"NAME": "x", "LIST": [1]}, True, False]


def test_the_interface_of_detections(tmp_path: Path) -> None:
    code = """
from cvpm.interface import ObjectDetectionInterface, ImageProcessingInterface
found = ObjectDetectionInterface("cats")
found.addObjectCoordinates(1, 5, 2, 6, "cat")
found.validate()
print(json.dumps([found.data, ImageProcessingInterface("x").name]))
"""
    assert run(tmp_path, code) == [{"data": [{"x_start": 1, "x_stop": 5, "y_start": 2, "y_stop": 6, "name": "cat"}]}, "x"]


def test_the_step_logger_keeps_every_entry(tmp_path: Path) -> None:
    """The original's lost the list, or raised, at the second entry."""
    code = """
from mlpm.logger import Logger, StepLogger
from mlpm.metrics import Metrics
log = StepLogger("logs/steps.json")
for step in range(3):
    log.append({"step": step})
Logger({"remote_log": ""}, "other.json").append(1)
metrics = Metrics()
metrics.add({"step": 0, "accuracy": 1})
metrics.add({"step": 1})
print(json.dumps([json.load(open("logs/steps.json")), json.load(open("other.json")), metrics.data, metrics.output]))
"""
    steps = [{"step": 0}, {"step": 1}, {"step": 2}]
    assert run(tmp_path, code) == [steps, [1], [{"step": 0, "accuracy": 1}, {"step": 1}], {"step": 1, "accuracy": 1}]


@pytest.mark.parametrize("start", ["Solver().start(8080)", "from mlpm.server import aidserver; aidserver.run(port=1)"])
def test_no_solver_opens_a_port_of_its_own(tmp_path: Path, start: str) -> None:
    code = f"""
from cvpm.solver import Solver
try:
    {start}
except RuntimeError as error:
    print(json.dumps(str(error)))
"""
    assert "cvflow start" in run(tmp_path, code)


def test_resources_without_setuptools(tmp_path: Path) -> None:
    package = tmp_path / "thing"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "words.txt").write_text("hello")
    code = """
import importlib.util
sys.path.insert(0, ".")
sys.meta_path.insert(0, type("NoSetuptools", (), {"find_spec": staticmethod(lambda name, path, target=None: None)}))
sys.path[:] = [path for path in sys.path if "site-packages" not in path]
import pkg_resources as p
assert "fallback" in p.__file__, p.__file__
try:
    p.get_distribution("nothing-like-this")
except p.DistributionNotFound:
    missing = True
versions = ["1.10", "1.9", "2.0rc1", "2.0", "2.0.1", "1.9.dev1"]
print(json.dumps([
    p.resource_filename("thing", "../pretrained/x.dat"), p.resource_string("thing", "words.txt").decode(),
    p.resource_exists("thing", "words.txt"), p.resource_exists("thing", "none"), sorted(p.resource_listdir("thing", "")), missing,
    sorted(versions, key=p.parse_version), p.parse_version("1.0") == p.parse_version("1.0.0"),
]))
"""
    path, text, there, absent, names, missing, versions, same = run(tmp_path, code)
    assert path == str(tmp_path / "pretrained/x.dat") and (text, there, absent, missing, same) == ("hello", True, False, True, True)
    assert {"__init__.py", "words.txt"} <= set(names)
    assert versions == ["1.9.dev1", "1.9", "1.10", "2.0rc1", "2.0", "2.0.1"]


def test_the_real_pkg_resources_comes_first(tmp_path: Path) -> None:
    (tmp_path / "pkg_resources").mkdir()
    (tmp_path / "pkg_resources/__init__.py").write_text("REAL = True")
    code = """
sys.path.insert(1, ".")
import pkg_resources
print(json.dumps(getattr(pkg_resources, "REAL", False)))
"""
    assert run(tmp_path, code) is True
