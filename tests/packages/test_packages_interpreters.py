"""Which Python an environment is made of. Real ones where the machine has them; scripts that answer like one elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from PIL import Image

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.interpreters import choose_interpreter, installed_interpreters, own_interpreter, probe
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.model.authoring import CheckRequest
from cvflow_tui.model.errors import PackageError, UsageError
from cvflow_tui.model.packages import InstallRequest

from .parts import write_package, write_wheel


def stand_in(folder: Path, version: str, name: str = "python3") -> Path:
    """A program that answers as a Python of this version does."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    answer = json.dumps([version, "CPython", "linux-x86_64", str(path)])
    path.write_text(f"#!/bin/sh\necho '{answer}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no other Python than those that a test puts on its PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("CVFLOW_PYTHON", "PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    return folder


def test_the_apps_own_comes_first(places: Path) -> None:
    stand_in(places, "3.10.9", "python3.10")
    assert choose_interpreter(None) == choose_interpreter(">=3.9") == own_interpreter()
    assert own_interpreter().tag == f"cp{sys.version_info.major}{sys.version_info.minor}"


def test_the_newest_that_fits_of_all_places(places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "nobody"
    stand_in(places, "3.9.1", "python3.9")
    stand_in(home / ".pyenv/versions/3.10.4/bin", "3.10.4")
    stand_in(home / ".local/share/uv/python/cpython-3.10.7/bin", "3.10.7")
    stand_in(home / "miniconda3/envs/old/bin", "3.9.9")
    assert choose_interpreter(">=3.9,<3.11").version == "3.10.7"
    assert choose_interpreter("<3.10").version == "3.9.9"
    monkeypatch.setenv("CVFLOW_PYTHON", str(places / "python3.9"))
    assert choose_interpreter(">=3.9,<3.11").version == "3.9.1", "what the user prefers, where it fits"
    assert choose_interpreter("==3.10.*").version == "3.10.7"


def test_none_fits(places: Path) -> None:
    stand_in(places, "3.9.1", "python3.9")
    stand_in(places, "3.6.15", "python3.6")
    with pytest.raises(PackageError, match=r"it needs Python <3\.9, and none here fits: there is 3\.6\.15, 3\.9\.1, 3\.") as caught:
        choose_interpreter("<3.9")
    assert "--python PATH" in caught.value.message, "3.6 would fit the author, and is too old for the worker"


def test_the_users_choice(places: Path) -> None:
    path = stand_in(places, "3.10.9", "python3.10")
    assert choose_interpreter(None, str(path)).version == choose_interpreter(None, "3.10").version == "3.10.9"
    with pytest.raises(PackageError, match=r"it needs Python >=3\.11, and .*python3\.10 is 3\.10\.9"):
        choose_interpreter(">=3.11", str(path))
    for wrong in ("3.7", "/no/such/python", str(places)):
        with pytest.raises(UsageError, match=r"there is no such Python here; there is 3\.10\.9"):
            choose_interpreter(None, wrong)


def test_programs_that_are_no_python(places: Path) -> None:
    for name, text in (("python3.8", "#!/bin/sh\nexit 127\n"), ("python3.9", "#!/bin/sh\necho hello\n"), ("python3.10", "nothing")):
        (places / name).write_text(text)
        (places / name).chmod(0o755)
        assert probe(places / name) is None
    (places / "python3.12-config").write_text("#!/bin/sh\ntouch ran\n")
    assert [each.version for each in installed_interpreters()] == [own_interpreter().version]


def test_pyenvs_scripts_are_not_run(places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shims = tmp_path / "nobody/.pyenv/shims"
    stand_in(shims, "3.10.1", "python3.10").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    stand_in(tmp_path / "nobody/.pyenv/versions/3.10.4/bin", "3.10.4")
    monkeypatch.setenv("PATH", f"{shims}:{places}")
    assert choose_interpreter("<3.11").version == "3.10.4" and not (tmp_path / "ran").exists()


def real(wanted: str) -> str:
    """A version that this machine really has."""
    try:
        return choose_interpreter(wanted).version
    except PackageError as error:
        pytest.skip(f"this machine has no other Python to test with: {error.message}")


def test_wheels_for_another_python_of_this_machine_name_it(
    service: PackageService, tmp_path: Path, places: Path, pip_of_the_test: Path
) -> None:
    stand_in(places, "3.10.9", "python3.10")
    stand_in(places, "3.9.9", "python3.9")
    for tag in ("cp38-cp38", "cp39-cp39", "cp310-cp310"):
        made = write_wheel(pip_of_the_test, "toy", "1.0", {"toy.py": b""})
        made.rename(made.with_name(f"toy-1.0-{tag}-linux_x86_64.whl"))
    root = str(write_package(tmp_path / "p", requirements="toy\n"))
    [problem] = service.plan(InstallRequest(root)).problems
    assert problem.endswith("; try --python 3.10")
    (places / "python3.10").unlink()
    assert service.plan(InstallRequest(root)).problems[0].endswith("; try --python 3.9")


@pytest.mark.slow
@pytest.mark.parametrize("wanted", ["==3.9.*", "==3.10.*", "==3.12.*", "==3.13.*"])
def test_a_package_for_another_python_runs_on_it(service: PackageService, tmp_path: Path, pip_of_the_test: Path, wanted: str) -> None:
    version = real(wanted)
    write_wheel(pip_of_the_test, "toy", "1.0", {"toy.py": b"x = 41"})
    source = f"import sys, toy\nassert sys.version.startswith({version!r})\nclass Solver:\n    def infer(self, image): return {{}}\n"
    root = write_package(tmp_path / "p", requirements="toy\n", source=source)
    manifest = root / "cvpm.toml"
    manifest.write_text(manifest.read_text().replace("[[solvers]]", f'python = "{wanted}"\n[[solvers]]', 1))
    assert (
        service.plan(InstallRequest(str(root))).environment == f"a new virtualenv on Python {version} with 1 package, all of them at hand"
    )
    detail = service.install(InstallRequest(str(root)), Progress())
    assert detail.path is not None
    lock = tomllib.loads(Path(detail.path, "cvflow.lock").read_text())["environment"]
    assert (lock["python"], lock["tag"]) == (version, "cp" + "".join(version.split(".")[:2]))
    spec = service.run_spec(service.resolve("local/p"))
    told = subprocess.run([str(spec.python), "-c", "import platform; print(platform.python_version())"], capture_output=True, text=True)
    assert told.stdout.strip() == version


SOLVER = """
import sys

import cvflow


class Solver(cvflow.Solver):
    def infer(self, image, threshold: float = 0.3):
        return {"objects": [], "caption": sys.version.split()[0]}
"""


@pytest.mark.slow
@pytest.mark.parametrize("wanted", ["==3.9.*", "==3.10.*", "==3.12.*", "==3.13.*"])
def test_the_worker_runs_on_it(service: PackageService, tmp_path: Path, wanted: str) -> None:
    """A real worker on another Python loads a solver of the sdk's and answers for a picture."""
    version = real(wanted)
    root = write_package(tmp_path / "p", source=SOLVER, task="image-captioning")
    manifest = root / "cvpm.toml"
    manifest.write_text(manifest.read_text().replace("[[solvers]]", f'python = "{wanted}"\n[[solvers]]', 1))
    picture = tmp_path / "a.jpg"
    Image.new("RGB", (64, 48)).save(picture)
    report = service.check(CheckRequest(str(root), picture=str(picture)), Progress())
    [trial] = report.solvers
    assert trial.infer_seconds is not None, report.findings
    assert version in json.dumps(trial.result)
