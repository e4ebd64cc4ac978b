"""Rule 16 at the installation: what imports, builds and scripts of strangers are told of the user's environment."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.packages import InstallRequest
from tests.packages.parts import SOLVER, write_package
from tests.security.test_rule_10_code_at_install import sources, write_sdist

SECRETS = {"AWS_SECRET_ACCESS_KEY": "hunter2-hunter2", "MY_TOKEN": "a-rather-unique-word", "UV_PUBLISH_TOKEN": "pypi-word"}
TELLS = "import json, os\nopen({told!r}, 'a').write(json.dumps(dict(os.environ)) + '\\n')\n"


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own, as in any shell; and what leads Python astray."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")


def environments(told: Path) -> list[dict[str, str]]:
    """What each run of a stranger's code saw."""
    found = [json.loads(line) for line in told.read_text().splitlines()]
    for seen in found:
        assert not set(SECRETS.values()) & set(seen.values()) and not set(SECRETS) & set(seen)
        assert "PYTHONPATH" not in seen and seen["HOME"] and seen["PATH"]
    return found


def test_an_import_sees_what_a_worker_would_and_no_more(service: PackageService, tmp_path: Path) -> None:
    told = tmp_path / "told"
    service.install(InstallRequest(str(write_package(tmp_path / "p", source=TELLS.format(told=str(told)) + SOLVER))), Progress())
    [seen] = environments(told)
    assert seen["HOME"] == os.environ["HOME"] and seen["OMP_NUM_THREADS"] == "3"


def test_nor_does_the_look_at_what_was_forgotten(service: PackageService, tmp_path: Path) -> None:
    told = tmp_path / "told"
    root = write_package(tmp_path / "p", source="import sub.deep, absent_thing\n" + SOLVER)
    (tmp_path / "p/sub").mkdir()
    (tmp_path / "p/sub/__init__.py").write_text(TELLS.format(told=str(told)))
    (tmp_path / "p/sub/deep.py").write_text("")
    with pytest.raises(PackageError, match="absent_thing"):
        service.install(InstallRequest(str(root)), Progress())
    environments(told)


def test_nor_does_a_build(service: PackageService, tmp_path: Path, pip_of_the_test: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "told"
    files = sources("built", tmp_path / "mark")
    files["backend.py"] += TELLS.format(told=str(told))
    monkeypatch.setattr("tests.security.test_rule_10_code_at_install.sources", lambda *_: files)
    monkeypatch.setenv("CFLAGS", "-O1")
    write_sdist(pip_of_the_test, "built", tmp_path / "mark")
    service.install(InstallRequest(str(write_package(tmp_path / "p", requirements="built\n")), allow_build=("built",)), Progress())
    found = environments(told)
    assert found and all(seen["CFLAGS"] == "-O1" for seen in found), "what compilers are told is theirs to know"
