"""Why can't this run here: found before anything is downloaded, each with a mend."""

from __future__ import annotations

import hashlib
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages import diagnosis, machine
from cvflow_tui.backend.packages.imports_ahead import import_findings
from cvflow_tui.backend.packages.interpreters import own_interpreter
from cvflow_tui.backend.packages.machine import gpu_names, has_library, missing_libraries
from cvflow_tui.backend.packages.package import load_package
from cvflow_tui.backend.packages.resolution import Pin, Resolution
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.home import Home
from cvflow_tui.model.diagnosis import Finding
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.packages import InstallRequest

from .parts import FileServer, tree, weight, write_package, write_wheel


def findings(service: PackageService, root: Path, **wishes: Any) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for finding in service.plan(InstallRequest(str(root), **wishes)).findings:
        found.setdefault(finding.topic, []).append(finding)
    return found


def with_manifest(root: Path, line: str) -> Path:
    manifest = root / "cvpm.toml"
    manifest.write_text(manifest.read_text().replace("[[solvers]]", f"{line}\n[[solvers]]", 1))
    return root


def test_nothing_stands_in_the_way(service: PackageService, tmp_path: Path) -> None:
    plan = service.plan(InstallRequest(str(write_package(tmp_path / "p"))))
    assert plan.findings == () and plan.problems == ()


def test_everything_at_once_and_nothing_is_kept(
    service: PackageService, home: Home, tmp_path: Path, trusted: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requirements, two weights and a GPU in one answer; the server was asked for headers, and for a byte of what it does not have."""
    monkeypatch.setenv("PATH", str(tmp_path))  # no nvidia-smi
    there = trusted.add("there.bin", b"x" * 1000)
    more = (
        weight("here.bin", there)
        + weight("gone.bin", f"{trusted.url}/gone.bin")
        + weight("dead.bin", f"https://127.0.0.1:{_closed()}/d.bin")
    )
    root = with_manifest(write_package(tmp_path / "p", requirements="no-such-thing==1\n", more=more), "gpu = true")
    before = tree(home)
    found = findings(service, root)
    assert {topic: len(each) for topic, each in found.items()} == {"requirements": 1, "weights": 2, "gpu": 1}
    gone, dead = found["weights"]
    assert gone.blocks and gone.code == "remote" and "gone.bin" in gone.what and "404" in gone.what
    assert dead.blocks and "does not answer" in dead.what
    assert gone.mend == f"if you have the file: cvflow install {root} --weights gone.bin=FILE"
    assert not found["gpu"][0].blocks and found["gpu"][0].mend
    assert "no-such-thing" in found["requirements"][0].what and "\n" in found["requirements"][0].detail
    asked = {(method, path, headers.get("range")) for method, path, headers in trusted.requests}
    assert asked == {("HEAD", "/there.bin", None), ("HEAD", "/gone.bin", None), ("GET", "/gone.bin", "bytes=0-0")}
    assert tree(home) == before


def test_a_file_of_this_machine_that_the_author_names_is_told(service: PackageService, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("mine")
    url = (tmp_path / "key").as_uri()
    root = write_package(tmp_path / "p", more=weight("w.bin", url))
    [told] = findings(service, root)["weights"]
    assert not told.blocks and told.what == f"the weight w.bin is a file of this machine, because the package says so: {url}"
    plan = service.plan(InstallRequest(str(root), weights=(f"w.bin={tmp_path / 'key'}",)))
    assert not [finding for finding in plan.findings if finding.topic == "weights"], "the user's own word needs none"


def test_weights_that_the_package_does_not_hold(service: PackageService, tmp_path: Path) -> None:
    root = write_package(tmp_path / "p", more=weight("a.bin", "pretrained/a.bin") + weight("b.bin", "b.bin") + weight("c.bin", "c.bin"))
    (root / "b.bin").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n")
    (root / "c.bin").write_bytes(b"weights")
    absent, pointer = findings(service, root)["weights"]
    assert "there is no file 'pretrained/a.bin' in the package" in absent.what and absent.mend.endswith("--weights a.bin=FILE")
    assert "b.bin is only a pointer of git LFS" in pointer.what


def test_nothing_is_added_to_the_apps_own_python(service: PackageService) -> None:
    [finding] = service.plan(InstallRequest("boxes", requirements=("toy",))).findings
    assert finding.code == "usage" and "--with" in finding.mend


def test_strict_refuses_lines_that_are_no_requirement(service: PackageService, tmp_path: Path) -> None:
    root = write_package(tmp_path / "p", requirements=".data/\ncvpm\n")
    assert len(service.plan(InstallRequest(str(root))).package.warnings) == 2
    with pytest.raises(PackageError, match=r"--strict refuses them: requirements\.txt: left out '\.data/', which is no requirement$"):
        service.plan(InstallRequest(str(root), strict=True))


def test_a_server_that_knows_no_head_is_not_dead(service: PackageService, tmp_path: Path, trusted: FileServer) -> None:
    trusted.redirects["/w.bin"] = f"{trusted.url}/real.bin"
    trusted.add("real.bin", b"x")
    root = write_package(tmp_path / "p", more=weight("w.bin", f"{trusted.url}/w.bin") + weight("f.bin", (tmp_path / "none").as_uri()))
    [missing] = findings(service, root)["weights"]
    assert "f.bin" in missing.what


@pytest.mark.parametrize("status", [401, 403, 404, 405, 500, 501])
def test_an_address_that_is_signed_for_get_alone_is_not_dead(
    service: PackageService, tmp_path: Path, trusted: FileServer, status: int
) -> None:
    trusted.heads = status
    url = trusted.add("w.bin", b"weights" * 1000)
    root = write_package(tmp_path / "p", more=weight("w.bin", url) + weight("gone.bin", f"{trusted.url}/gone.bin"))
    [missing] = findings(service, root)["weights"]
    assert "gone.bin" in missing.what and "has it no more (404)" in missing.what
    assert [headers["range"] for headers in trusted.gets("w.bin")] == ["bytes=0-0"], "one byte, and of a file that is there"


def test_a_mirror_is_enough(service: PackageService, tmp_path: Path, trusted: FileServer) -> None:
    there, gone = trusted.add("there.bin", b"x"), f"{trusted.url}/gone.bin"
    more = weight("a.bin", gone) + f'mirrors = ["{there}"]\n' + weight("b.bin", gone) + f'mirrors = ["{gone}?2"]\n'
    [finding] = findings(service, write_package(tmp_path / "p", more=more))["weights"]
    assert "b.bin" in finding.what and "its mirrors neither: 1" in finding.what


def test_weights_that_are_kept_already_are_not_asked_for(service: PackageService, tmp_path: Path, trusted: FileServer) -> None:
    digest = hashlib.sha256(b"weights").hexdigest()
    url = trusted.add("w.bin", b"weights")
    service.install(InstallRequest(str(write_package(tmp_path / "a", more=weight("w.bin", url, digest)))), Progress())
    trusted.requests.clear()
    (trusted.folder / "w.bin").unlink()
    assert findings(service, write_package(tmp_path / "b", more=weight("w.bin", url, digest))) == {}
    assert trusted.requests == []


def test_offline_nothing_is_asked(
    service: PackageService, tmp_path: Path, trusted: FileServer, pip_of_the_test: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(pip_of_the_test, "toy", "1.0", {"toy.py": b""})
    root = write_package(tmp_path / "p", requirements="toy\n", more=weight("w.bin", trusted.add("w.bin", b"x")))

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a name was looked up")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("CVFLOW_OFFLINE", "1")
    found = findings(service, root)
    assert list(found) == ["weights"] and "nothing may come over the network" in found["weights"][0].what
    assert trusted.requests == []


def test_python_is_the_first_thing(service: PackageService, tmp_path: Path) -> None:
    root = with_manifest(write_package(tmp_path / "p", requirements="no-such-thing\n"), 'python = "<3"')
    found = findings(service, root)
    assert list(found) == ["python"] and "none here fits" in found["python"][0].what


def test_no_room_is_a_finding(service: PackageService, tmp_path: Path) -> None:
    root = write_package(tmp_path / "p", more=weight("w.bin", "https://127.0.0.1:9/x") + f"size = {1 << 60}\n")
    (finding,) = findings(service, root)["disk"]
    assert finding.code == "refused" and finding.what.startswith("no disk space: it needs") and "CVFLOW_HOME" in finding.mend


def test_libraries_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    there: set[str] = set()
    monkeypatch.setattr(machine, "has_library", lambda name: name in there)
    resolution = Resolution(own_interpreter(), (Pin("opencv-python", "4.9"), Pin("numpy", "1"), Pin("wand", "1")))
    opencv, wand = diagnosis.library_findings(resolution)
    assert not opencv.blocks and "libGL" in opencv.what and "opencv-python-headless" in opencv.mend
    assert "libMagickWand" in wand.what
    there |= {"GL", "glib-2.0", "MagickWand-6.Q16"}
    assert list(missing_libraries(["OpenCV_Python", "wand"])) == []


def test_libraries_are_really_looked_for() -> None:
    assert has_library("c") and not has_library("no-such-library-anywhere")


def test_gpus_are_what_the_driver_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program = tmp_path / "nvidia-smi"
    for text, told in (("echo 'NVIDIA H200'; echo 'NVIDIA A100'", ["NVIDIA H200", "NVIDIA A100"]), ("echo no driver; exit 9", [])):
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
        assert gpu_names() == told


def _closed() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def imports(service: PackageService, root: Path, **wishes: object) -> list[str]:
    """What is said of imports: the sentences of those at which the installation would fail first."""
    found = findings(service, root, **wishes).get("imports", [])
    return [finding.sentence for finding in sorted(found, key=lambda each: not each.fails)]


def test_an_import_that_nothing_brings_is_told_before_anything_is_installed(
    service: PackageService, home: Home, tmp_path: Path, pip_of_the_test: Path
) -> None:
    """Whatever is surely imported, by the solver's file or one that it imports; nothing else, and nothing that is there."""
    write_wheel(pip_of_the_test, "toy", "1.0", {"toy.py": b""})
    write_wheel(pip_of_the_test, "opencv_contrib_python", "4.1", {"cv2.py": b""})
    source = (
        "import os, toy, cvflow, pkg_resources\nfrom parts import boxes\ntry:\n    import torch\nexcept ImportError:\n    torch = None\n"
        "class Solver:\n    def infer(self, image):\n        import scipy\n"
    )
    root = write_package(tmp_path / "p", source=source, requirements="toy\n")
    (root / "parts/boxes.py").write_text("import cv2.data, strange_thing, google.protobuf.message\nfrom utils import nms\n")
    (root / "parts/unused.py").write_text("import pandas\n")
    before = tree(home)
    assert imports(service, root) == [
        "parts/boxes.py imports cv2, and no requirement brings it; add --with opencv-python-headless",
        "parts/boxes.py imports google.protobuf, and no requirement brings it; add --with protobuf",
        "parts/boxes.py imports utils, which is no part of the package, and of no distribution that is known; ask its author",
        "parts/boxes.py imports strange_thing, and no requirement is known to bring it; "
        "if none does, add --with strange-thing (a guess by its name: look at it first)",
    ]
    found = service.plan(str(root)).findings
    assert [finding.fails for finding in found] == [True, True, False, True] and not any(finding.blocks for finding in found)
    assert {mend.words for finding in found for mend in finding.mends} == {
        "--with opencv-python-headless",
        "--with protobuf",
        "--with strange-thing",
    }
    assert tree(home) == before
    (root / "parts/boxes.py").write_text("import cv2\n")
    assert imports(service, root, requirements=("opencv-contrib-python",)) == [], "another distribution with the same modules will do"


@pytest.mark.parametrize("requirements", ["", "toy\n"])
def test_where_all_that_there_will_be_is_known_a_strange_import_fails_for_sure(
    service: PackageService, tmp_path: Path, pip_of_the_test: Path, requirements: str
) -> None:
    """Nothing is required, or the environment is there already."""
    write_wheel(pip_of_the_test, "toy", "1.0", {"toy.py": b""})
    if requirements:
        service.install(str(write_package(tmp_path / "other", requirements=requirements)), Progress())
    root = write_package(tmp_path / "p", source="import strange_thing\nclass Solver: ...\n", requirements=requirements)
    [finding] = service.plan(str(root)).findings
    assert finding.fails and finding.sentence == (
        "parts/solver.py imports strange_thing, and no requirement brings it; "
        "add --with strange-thing (a guess by its name: look at it first)"
    )


def test_what_the_environment_has_already_is_looked_at_by_its_files(service: PackageService, tmp_path: Path, pip_of_the_test: Path) -> None:
    """Its name says nothing of what a distribution brings; its files do, once they are there."""
    write_wheel(pip_of_the_test, "visionary", "1.0", {"odd_name.py": b"", "cv2/__init__.py": b""})
    source = "import odd_name, cv2\nclass Solver:\n    def infer(self, image): ...\n"
    root = write_package(tmp_path / "p", requirements="visionary\n", source=source)
    assert len(imports(service, root)) == 2
    service.install(str(root), Progress())
    assert imports(service, root, again=True) == []
    (root / "parts/solver.py").write_text(source.replace("cv2", "cv2, yaml"))
    assert imports(service, root) == ["parts/solver.py imports yaml, and no requirement brings it; add --with pyyaml"]


def test_an_import_that_the_apps_own_python_does_not_have(service: PackageService, hub_folder: Path) -> None:
    source = "import numpy, no_such_thing\nclass Solver:\n    def infer(self, image): ...\n"
    write_package(hub_folder / "host", environment="host", source=source)
    [finding] = service.plan("host").findings
    assert finding.fails and finding.what == "parts/solver.py imports no_such_thing, which the app's own Python does not have"


@pytest.mark.parametrize(
    ("version", "module", "mend"),
    [("3.12.1", "distutils.core", "--with setuptools"), ("3.12.0", "imp", "--python 3.11"), ("3.13.2", "imghdr", "--python 3.12")],
)
def test_what_the_standard_library_has_no_more(tmp_path: Path, version: str, module: str, mend: str) -> None:
    package = load_package(write_package(tmp_path / "p", source=f"import {module}\nclass Solver: ...\n"))
    newer, older = replace(own_interpreter(), version=version), replace(own_interpreter(), version="3.9.18")
    [finding] = import_findings(package, newer, ())
    assert finding.mend == f"add {mend}" and f"Python {version.rpartition('.')[0]} does not have any more" in finding.what
    assert list(import_findings(package, older, ())) == []
