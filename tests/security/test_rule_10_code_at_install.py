"""Rule 10: nothing that runs code to be installed is installed unless the user allows it by name; wheels come first."""

from __future__ import annotations

import hashlib
import io
import tarfile
import tomllib
from pathlib import Path

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages import resolver
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.home import Home
from cvflow_tui.model.errors import PackageError, RefusedError
from cvflow_tui.model.packages import InstallRequest
from tests.packages.parts import FileServer, commit_all, tree, write_package, write_wheel

BACKEND = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
Path({mark!r}).write_text("ran")

def build_wheel(folder, settings=None, metadata=None):
    from tests.packages.parts import write_wheel
    return write_wheel(Path(folder), {name!r}, {version!r}, {{{name!r} + ".py": b"x = 1"}}).name
"""


def sources(name: str, mark: Path, version: str = "1.0") -> dict[str, str]:
    """The files of a distribution whose build leaves a mark."""
    tests = str(Path(__file__).resolve().parents[2])
    return {
        "pyproject.toml": f'[project]\nname = "{name}"\nversion = "{version}"\n[build-system]\nrequires = []\nbuild-backend = "backend"\n'
        'backend-path = ["."]\n',
        "backend.py": BACKEND.format(tests=tests, mark=str(mark), name=name, version=version),
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
    }


def write_sdist(folder: Path, name: str, mark: Path, version: str = "1.0") -> Path:
    """A source archive of it."""
    path = folder / f"{name}-{version}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for file, text in sources(name, mark, version).items():
            member = tarfile.TarInfo(f"{name}-{version}/{file}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


def package(tmp_path: Path, requirements: str) -> str:
    return str(write_package(tmp_path / "p", requirements=requirements))


def test_a_source_archive_does_not_run_and_is_named(service: PackageService, home: Home, tmp_path: Path, pip_of_the_test: Path) -> None:
    mark = tmp_path / "mark"
    write_sdist(pip_of_the_test, "built", mark)
    root = package(tmp_path, "built\n")
    before = tree(home)
    [finding] = service.plan(InstallRequest(root)).findings
    assert finding.blocks and finding.topic == "requirements" and "--allow-build built" in finding.what
    with pytest.raises(PackageError, match="--allow-build built"):
        service.install(InstallRequest(root), Progress())
    assert not mark.exists() and tree(home) == before


def test_allowed_by_name_it_is_told_exactly_built_and_remembered(
    service: PackageService, home: Home, tmp_path: Path, pip_of_the_test: Path
) -> None:
    mark = tmp_path / "mark"
    archive = write_sdist(pip_of_the_test, "built", mark)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    request = InstallRequest(package(tmp_path, "built\n"), allow_build=("Built",))
    [finding] = service.plan(request).findings
    assert not finding.blocks and finding.topic == "build" and "built-1.0.tar.gz" in finding.what and digest in finding.what
    detail = service.install(request, Progress())
    assert mark.read_text() == "ran" and detail.path is not None
    lock = tomllib.loads(Path(detail.path, "cvflow.lock").read_text())
    assert lock["environment"]["allow_build"] == ["built"]
    [told] = lock["distributions"]
    assert told["source"] is True and told["hashes"] == [f"sha256:{digest}"]


def test_a_wheel_is_taken_before_a_newer_source_archive(service: PackageService, tmp_path: Path, pip_of_the_test: Path) -> None:
    mark = tmp_path / "mark"
    write_sdist(pip_of_the_test, "built", mark)
    write_wheel(pip_of_the_test, "built", "0.9", {"built.py": b"x = 9"})
    detail = service.install(InstallRequest(package(tmp_path, "built\n")), Progress())
    assert detail.path is not None and not mark.exists()
    assert tomllib.loads(Path(detail.path, "cvflow.lock").read_text())["environment"]["resolved"] == ["built==0.9"]


def test_what_one_may_do_another_may_not(service: PackageService, tmp_path: Path, pip_of_the_test: Path) -> None:
    for name in ("built", "other"):
        write_sdist(pip_of_the_test, name, tmp_path / f"mark-{name}")
    with pytest.raises(PackageError, match="--allow-build other"):
        service.install(InstallRequest(package(tmp_path, "built\nother\n"), allow_build=("built",)), Progress())
    assert not (tmp_path / "mark-other").exists()


@pytest.mark.parametrize(
    "form", ["-e git+file://{}#egg=built", "--editable=git+file://{}#egg=built", "git+file://{}", "built @ git+file://{}"]
)
def test_a_repository_is_not_even_fetched(service: PackageService, home: Home, tmp_path: Path, form: str, pip_of_the_test: Path) -> None:
    mark, repository = tmp_path / "mark", tmp_path / "built"
    repository.mkdir()
    for file, text in sources("built", mark).items():
        (repository / file).write_text(text)
    commit = commit_all(repository)
    before = tree(home)
    root = package(tmp_path, form.format(repository) + "\n")
    [finding] = service.plan(InstallRequest(root)).findings
    assert finding.blocks and finding.topic == "build" and finding.code == "refused" and "--allow-build built" in finding.what
    with pytest.raises(RefusedError, match="runs its author's code"):
        service.install(InstallRequest(root), Progress())
    assert not mark.exists() and tree(home) == before
    detail = service.install(InstallRequest(root, allow_build=("built",)), Progress())
    assert mark.exists() and detail.path is not None
    [told] = tomllib.loads(Path(detail.path, "cvflow.lock").read_text())["distributions"]
    assert told["url"].endswith(f"@{commit}"), "pinned to the commit"


def test_an_archive_given_by_address_is_a_build_too(service: PackageService, tmp_path: Path, pip_of_the_test: Path) -> None:
    archive = write_sdist(tmp_path, "built", tmp_path / "mark")
    with pytest.raises(RefusedError, match="--allow-build built"):
        service.install(InstallRequest(package(tmp_path, f"built @ {archive.as_uri()}\n")), Progress())
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    "address",
    [
        "http://203.0.114.1/toy-1.0-py3-none-any.whl",
        "https://127.0.0.1:9/toy-1.0-py3-none-any.whl",
        "https://localhost/toy-1.0-py3-none-any.whl",
        "https://169.254.169.254/toy-1.0-py3-none-any.whl",
        "https://[::1]/toy-1.0-py3-none-any.whl",
    ],
)
def test_rule_06_an_address_in_the_requirements_leads_nowhere_private(
    service: PackageService, tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CVFLOW_ALLOW_HOSTS")
    request = InstallRequest(package(tmp_path, f"toy @ {address}\n"))
    monkeypatch.setattr(resolver, "run_uv", lambda *_, **__: pytest.fail("uv was let loose on it"))
    with pytest.raises(RefusedError, match="the requirement toy: "):
        service.install(request, Progress())


def test_rule_06_a_host_that_the_user_allows(
    service: PackageService, tmp_path: Path, trusted: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    wheel = write_wheel(folder, "toy", "1.0", {"toy.py": b"x = 1"})
    address = trusted.add(wheel.name, wheel.read_bytes())
    monkeypatch.setenv("CVFLOW_ALLOW_HOSTS", "127.0.0.1")
    monkeypatch.setenv("PIP_TRUSTED_HOST", "127.0.0.1")  # uv takes no certificate that signed itself
    detail = service.install(InstallRequest(package(tmp_path, f"toy @ {address}\n")), Progress())
    [told] = tomllib.loads(Path(str(detail.path), "cvflow.lock").read_text())["distributions"]
    assert told["url"] == address and told["hashes"] and "source" not in told


def test_a_file_that_is_not_the_one_the_author_hashed(service: PackageService, tmp_path: Path, pip_of_the_test: Path) -> None:
    write_wheel(pip_of_the_test, "toy", "1.0", {"toy.py": b"x = 1"})
    root = package(tmp_path, f"toy==1.0 --hash=sha256:{'0' * 64}\n")
    assert "has none of the hashes" in service.plan(InstallRequest(root)).problems[0]
    with pytest.raises(PackageError, match="has none of the hashes"):
        service.install(InstallRequest(root), Progress())
