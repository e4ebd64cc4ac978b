"""What the author forgot: an import that fails is answered with the command that adds what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.distributions import distribution_of, is_known, known_mend
from cvflow_tui.backend.packages.forgotten import imported
from cvflow_tui.backend.packages.requirements import merged, stand_in
from cvflow_tui.backend.packages.resolution import Wish
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.mending import Mend
from cvflow_tui.model.packages import InstallRequest

from .parts import write_package, write_wheel

CLASS = "\nclass Solver:\n    def infer(self, image): return {}\n"


@pytest.mark.parametrize(
    ("module", "distribution"),
    [
        ("cv2", "opencv-python-headless"),
        ("PIL.Image", "pillow"),
        ("dlib", "dlib-bin"),
        ("sklearn.svm", "scikit-learn"),
        ("yaml", "pyyaml"),
        ("skimage", "scikit-image"),
        ("bs4", "beautifulsoup4"),
        ("google.protobuf", "protobuf"),
        ("some_thing", "some-thing"),
        ("utils.boxes", None),
        ("Models", None),
        ("clip", None),
        ("_private", None),
    ],
)
def test_the_distribution_of_a_module(module: str, distribution: str | None) -> None:
    assert distribution_of(module) == distribution


def test_a_guess_is_called_one() -> None:
    assert is_known("cv2") and is_known("google.protobuf") and not is_known("some_thing")


def refused(service: PackageService, root: Path) -> str:
    with pytest.raises(PackageError) as caught:
        service.install(InstallRequest(str(root)), Progress())
    assert "Traceback" in (caught.value.detail or "")
    return caught.value.message


def test_all_that_is_missing_is_named_at_once_and_the_command_works(service: PackageService, tmp_path: Path, pip_of_the_test: Path) -> None:
    for name, module in (("opencv_python_headless", "cv2"), ("pyyaml", "yaml"), ("toy", "toy")):
        write_wheel(pip_of_the_test, name, "1.0", {f"{module}.py": b""})
    root = write_package(
        tmp_path / "my package", name="p", requirements="toy\n", source="import os, toy, cv2.data\nfrom . import boxes" + CLASS
    )
    (root / "parts/boxes.py").write_text("import yaml\n")
    message = refused(service, root)
    assert "No module named 'cv2'" in message
    assert message.endswith(f"; try: cvflow install '{root}' --with opencv-python-headless --with pyyaml")
    (root / "parts/solver.py").write_text("import os, toy, cv2\nfrom . import boxes" + CLASS)
    assert service.install(InstallRequest(str(root), requirements=("opencv-python-headless", "pyyaml")), Progress())


def test_a_guess_and_a_file_that_was_not_published(service: PackageService, tmp_path: Path) -> None:
    message = refused(service, write_package(tmp_path / "a", source="import strange_thing" + CLASS))
    assert message.endswith("--with strange-thing (strange-thing is a guess by its name: look at it first)")
    message = refused(service, write_package(tmp_path / "b", source="from utils import boxes" + CLASS))
    assert message.endswith("utils is no part of the package, and no distribution that is known: ask its author")


def test_what_is_only_needed_now_and_then_is_not_asked_for(service: PackageService, tmp_path: Path) -> None:
    source = (
        "import cv2\ntry:\n    import torch\nexcept ImportError:\n    torch = None\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import pandas\nclass Solver:\n    def infer(self, image): return {}\n"
        "    def train(self, *a):\n        import scipy\n"
    )
    assert refused(service, write_package(tmp_path / "p", source=source)).endswith("--with opencv-python-headless")


def test_what_is_surely_imported(tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    (parts / "deep").mkdir(parents=True)
    (parts / "solver.py").write_text(
        "import json\nfrom parts import boxes\nfrom .deep.more import x\nfrom ..outside import y\nclass S:\n    import h5py\n"
    )
    (parts / "boxes.py").write_text("import yaml, parts.solver\n")
    (parts / "deep/more.py").write_text("from ...top import a\nimport numpy.linalg as l\n")
    (tmp_path / "top.py").write_text("import six\n")
    (tmp_path / "unused.py").write_text("import pandas\n")
    assert imported(tmp_path, ["parts/solver/S"]) == ["h5py", "json", "numpy", "six", "yaml"]
    (parts / "boxes.py").write_text("import (\n")
    assert "yaml" not in imported(tmp_path, ["parts/solver/S"]), "a file that is no Python is left out"
    assert imported(tmp_path, ["../../etc/passwd/S", "nowhere/at/S"]) == []


def test_errors_that_many_packages_end_with(service: PackageService, tmp_path: Path) -> None:
    assert known_mend("ImportError: libGL.so.1: cannot open shared object file") == Mend(("opencv-python-headless",))
    assert known_mend("ValueError: nothing of the kind") is None
    source = "raise AttributeError(\"module 'numpy' has no attribute 'bool'\")" + CLASS
    message = refused(service, write_package(tmp_path / "p", source=source))
    assert message.endswith(f"try: cvflow install {tmp_path / 'p'} --with 'numpy<1.24'")
    plain = refused(service, write_package(tmp_path / "q", source="raise ValueError('odd')" + CLASS))
    assert plain.endswith("cannot be imported: ValueError: odd (parts/solver.py, line 1)")


def test_a_module_beside_the_solver_does_not_take_the_place_of_the_librarys(service: PackageService, tmp_path: Path) -> None:
    """On every Python, those without -P included, the check itself is not led astray by the package's files."""
    root = write_package(tmp_path / "p")
    (root / "traceback.py").write_text("raise SystemExit('led astray')\n")
    assert service.install(InstallRequest(str(root)), Progress())


@pytest.mark.parametrize(
    "line", ["from utils_local import f", "import utils_local", "from utils_local.deep import f", "from utils_local import deep"]
)
@pytest.mark.parametrize("folder", [False, True])
def test_a_module_in_the_packages_root_is_the_packages_own(line: str, folder: bool, tmp_path: Path) -> None:
    """And what it imports counts. A distribution of its name is a stranger's: nobody must be led to it."""
    (tmp_path / "p").mkdir()
    (tmp_path / "p/solver.py").write_text(f"{line}\n{CLASS}")
    own = tmp_path / ("utils_local/__init__.py" if folder else "utils_local.py")
    own.parent.mkdir(exist_ok=True)
    own.write_text("import yaml\nf = 1\n")
    assert imported(tmp_path, ["p/solver/Solver"]) == ["yaml"]


def test_what_brings_the_same_modules_takes_the_place() -> None:
    assert merged(("dlib==19.7", "opencv-python", "numpy"), ("dlib-bin", "opencv-contrib-python-headless<5")) == (
        *("numpy", "dlib-bin", "opencv-contrib-python-headless<5"),
    )
    assert (stand_in("Dlib"), stand_in("dlib_bin"), stand_in("numpy")) == ("dlib-bin", None, None)
    assert Wish(("dlib",), added=("dlib-bin",)).lines == ("dlib-bin",)


def test_what_a_module_of_ours_needs_of_others_counts_as_imported(tmp_path: Path) -> None:
    """The published cvpm required pillow; whoever loads pictures with its utility went by that."""
    file = tmp_path / "solver.py"
    file.write_text(f"import cvpm\nfrom cvpm.utility import load_image_file\n{CLASS}")
    assert imported(tmp_path, ["solver/Solver"]) == ["PIL", "cvpm", "numpy"]
    file.write_text(f"from cvpm.solver import Solver as Base\n{CLASS}")
    assert imported(tmp_path, ["solver/Solver"]) == ["cvpm"]


def test_the_command_has_all_that_was_typed(service: PackageService, tmp_path: Path, pip_of_the_test: Path) -> None:
    write_wheel(pip_of_the_test, "opencv_python_headless", "1.0", {"cv2.py": b""})
    write_wheel(pip_of_the_test, "six", "1.0", {"six.py": b""})
    root = write_package(tmp_path / "p", source=f"import cv2{CLASS}")
    with pytest.raises(PackageError, match=r"cvflow install \S+ --editable --with six --with opencv-python-headless --relax"):
        service.install(InstallRequest(str(root), editable=True, requirements=("six",), relax=True), Progress())
