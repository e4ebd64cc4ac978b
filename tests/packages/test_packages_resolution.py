"""Resolution first: environments hold exact lists, shared by whoever needs the same; a lock needs no resolver."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages import environment as environment_module
from cvflow_tui.backend.packages.bytecode import Bytecode
from cvflow_tui.backend.packages.diagnosis import look_ahead
from cvflow_tui.backend.packages.environment import Environments
from cvflow_tui.backend.packages.interpreters import installed_interpreters, own_interpreter
from cvflow_tui.backend.packages.locked_pins import follow_lock, locked_resolution
from cvflow_tui.backend.packages.package import load_package
from cvflow_tui.backend.packages.requirements import exact_names, merged, relaxed
from cvflow_tui.backend.packages.resolver import UnresolvedError, explain
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.backend.packages.wishes import wish_of
from cvflow_tui.home import Home
from cvflow_tui.model.circumstances import Circumstances
from cvflow_tui.model.errors import PackageError, RefusedError, RemoteError, UsageError
from cvflow_tui.model.mending import Mend
from cvflow_tui.model.packages import InstallRequest

from .parts import FileServer, Watching, payload, sha256, wish_here, write_package, write_wheel


@pytest.fixture
def environments(tmp_path: Path) -> Environments:
    (tmp_path / "environments").mkdir()
    return Environments(tmp_path / "environments", Bytecode(tmp_path / "bytecode"))


def lock_of(path: str | None) -> dict[str, Any]:
    assert path is not None
    return tomllib.loads(Path(path, "cvflow.lock").read_text())


def test_packages_that_ask_differently_share_what_is_the_same(
    service: PackageService, home: Home, tmp_path: Path, pip_of_the_test: Path
) -> None:
    write_wheel(pip_of_the_test, "toy", "1.0", {"toy.py": b"x = 1"})
    for name, asked in (("a", "toy\n"), ("b", "toy>=0.5,<2\n"), ("c", "Toy == 1.0\n")):
        service.install(InstallRequest(str(write_package(tmp_path / name, requirements=asked))), Progress())
    assert len(list(home.environments.iterdir())) == 1
    write_wheel(pip_of_the_test, "toy", "1.1", {"toy.py": b"x = 2"})
    service.install(InstallRequest(str(write_package(tmp_path / "d", requirements="toy\n"))), Progress())
    assert len(list(home.environments.iterdir())) == 2, "another version is another environment"
    for name in "abc":
        service.remove(f"local/{name}")
    assert len(list(home.environments.iterdir())) == 1


def test_the_same_version_with_other_bytes_is_another_environment(
    tmp_path: Path, environments: Environments, pip_of_the_test: Path
) -> None:
    keys = set()
    for data in (b"x = 1", b"x = 2"):
        write_wheel(pip_of_the_test, "toy", "1.0", {"toy.py": data})
        keys.add(environments.resolve(wish_here(("toy",)), tmp_path / "work", Progress()).key)
    assert len(keys) == 2


def test_what_was_planned_is_what_is_installed(service: PackageService, tmp_path: Path, pip_of_the_test: Path) -> None:
    write_wheel(pip_of_the_test, "toy", "1.0", {"toy.py": b"x = 1"})
    root = str(write_package(tmp_path / "p", requirements="toy\n"))
    plan = service.plan(InstallRequest(root))
    assert (plan.environment_packages, plan.environment_bytes) == (1, 0)
    write_wheel(pip_of_the_test, "toy", "2.0", {"toy.py": b"x = 2"})
    detail = service.install(InstallRequest(root), Progress())
    assert [each["version"] for each in lock_of(detail.path)["distributions"]] == ["1.0"]


def test_the_lock_holds_hashes_and_installs_without_a_resolver(
    service: PackageService, environments: Environments, tmp_path: Path, pip_of_the_test: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = write_wheel(pip_of_the_test, "toy", "1.0", {"toy.py": b"x = 1"})
    detail = service.install(InstallRequest(str(write_package(tmp_path / "p", requirements="toy\n"))), Progress())
    lock = lock_of(detail.path)
    own = own_interpreter()
    assert lock["distributions"] == [
        {
            "name": "toy",
            "version": "1.0",
            "file": wheel.name,
            "size": wheel.stat().st_size,
            "hashes": [f"sha256:{sha256(wheel.read_bytes())}"],
        }
    ]
    assert lock["environment"]["tag"] == own.tag and lock["environment"]["platform"] == own.platform
    write_wheel(pip_of_the_test, "toy", "1.5", {"toy.py": b"x = 3"})
    monkeypatch.setattr(environment_module, "resolve", None)
    resolution = locked_resolution(Path(str(detail.path), "cvflow.lock"), own)
    made = environments.ensure(resolution, _made(tmp_path / "work"), Progress(), Circumstances.here().kept_offline(True))
    assert made.resolved == ("toy==1.0",) and made.key == resolution.key
    assert (environments.path(resolution.key) / f"lib/python{own.version.rpartition('.')[0]}/site-packages/toy.py").read_bytes() == b"x = 1"


def test_a_lock_for_another_python_or_from_a_stranger(tmp_path: Path) -> None:
    own = own_interpreter()
    path = tmp_path / "cvflow.lock"

    def lock(tag: str = own.tag, **told: object) -> Path:
        pairs = {"name": '"toy"', "version": '"1.0"', "hashes": f'["sha256:{"0" * 64}"]'} | told
        table = "\n".join(f"{key} = {value}" for key, value in pairs.items())
        path.write_text(f'[environment]\ntag = "{tag}"\nplatform = "{own.platform}"\n[[distributions]]\n{table}\n')
        return path

    assert locked_resolution(lock(), own).resolved == ("toy==1.0",)
    with pytest.raises(RefusedError, match="was made for cp27"):
        locked_resolution(lock("cp27"), own)
    for told in (
        {"hashes": "[]"},
        {"hashes": '["md5:00"]'},
        {"name": '"toy\\n--index-url https://evil"'},
        {"version": '"1.0 --pre"'},
        {"url": '"ext::sh -c evil"'},
        {"url": '"https://x/y.whl ; --pre"'},
    ):
        with pytest.raises(PackageError, match="distributions: "):
            locked_resolution(lock(**told), own)
    path.write_text("[package]\n")
    with pytest.raises(PackageError, match="no lock that cvflow wrote"):
        locked_resolution(path, own)


def test_a_strangers_lock_allows_nothing(tmp_path: Path) -> None:
    own = own_interpreter()
    path = tmp_path / "cvflow.lock"
    path.write_text(
        f'[environment]\ntag = "{own.tag}"\nplatform = "{own.platform}"\npython = "{own.version}"\nallow_build = ["built"]\n'
        f'[[distributions]]\nname = "built"\nversion = "1.0"\nfile = "built-1.0.tar.gz"\nsource = true\nhashes = ["sha256:{"0" * 64}"]\n'
    )
    with pytest.raises(RefusedError, match=r"built-1\.0\.tar\.gz \(sha256:0.*--allow-build built"):
        follow_lock(path, wish_here())
    assert follow_lock(path, wish_here(allow_build=("built",))).resolved == ("built==1.0",)
    package = load_package(write_package(tmp_path / "p"))
    assert wish_of(package, InstallRequest("x"), Circumstances.here(), locked=path).allow_build == ()


def test_a_lock_for_another_python_of_this_machine_takes_that(tmp_path: Path) -> None:
    others = [each for each in installed_interpreters() if each.tag != own_interpreter().tag and each.fits(None)]
    if not others:
        pytest.skip("this machine has no other Python")
    path = tmp_path / "cvflow.lock"
    path.write_text(f'[environment]\ntag = "{others[0].tag}"\nplatform = "{others[0].platform}"\npython = "{others[0].version}"\n')
    assert follow_lock(path, wish_here()).interpreter.tag == others[0].tag
    with pytest.raises(PackageError, match="none here fits"):
        follow_lock(path, wish_here(python=">=3.99"))


def test_wheels_that_changed_since_are_not_installed(
    environments: Environments, tmp_path: Path, pip_of_the_test: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = write_wheel(pip_of_the_test, "toy", "1.0", {"toy.py": b"x = 1"})
    resolution = environments.resolve(wish_here(("toy",)), tmp_path / "work", Progress())
    wheel.unlink()
    write_wheel(pip_of_the_test, "toy", "1.0", {"toy.py": b"evil = 1"})
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "fresh"))  # else uv takes what it kept, which is the right one
    with pytest.raises(PackageError, match="Hash mismatch"):
        environments.ensure(resolution, tmp_path / "work", Progress(), Circumstances.here())
    assert not environments.has(resolution.key)


def test_with_adds_and_the_lock_remembers(service: PackageService, tmp_path: Path, pip_of_the_test: Path) -> None:
    for name in ("toy", "forgotten"):
        write_wheel(pip_of_the_test, name, "1.0", {f"{name}.py": b"x = 1"})
    root = write_package(
        tmp_path / "p", requirements="toy\n", source="import toy, forgotten\nclass Solver:\n    def infer(self, image): ...\n"
    )
    with pytest.raises(PackageError, match="No module named 'forgotten'"):
        service.install(InstallRequest(str(root)), Progress())
    detail = service.install(InstallRequest(str(root), requirements=("forgotten>=1",)), Progress())
    assert lock_of(detail.path)["environment"]["added"] == ["forgotten>=1"]
    manifest = root / "cvpm.toml"
    manifest.write_text(manifest.read_text().replace('version = "1.0.0"', 'version = "1.1.0"'))
    detail = service.install(InstallRequest(str(root)), Progress())
    assert detail.summary.version == "1.1.0"
    assert lock_of(detail.path)["environment"]["resolved"] == ["forgotten==1.0", "toy==1.0"], "kept by the new version"


def test_what_is_added_must_be_a_requirement(service: PackageService, tmp_path: Path) -> None:
    root = str(write_package(tmp_path / "p"))
    for bad in ("--index-url=https://evil", "-r /etc/passwd", "a b"):
        with pytest.raises(UsageError, match="is no requirement"):
            service.plan(InstallRequest(root, requirements=(bad,)))


def test_relax_is_offered_and_asks_for_names_alone(service: PackageService, tmp_path: Path, pip_of_the_test: Path) -> None:
    write_wheel(pip_of_the_test, "toy", "2.0", {"toy.py": b"x = 1"})
    root = str(write_package(tmp_path / "p", requirements=f"toy==1.0 --hash=sha256:{'0' * 64}\n"))
    [problem] = service.plan(InstallRequest(root)).problems
    assert "toy==1.0" in problem and problem.endswith("try --relax")
    detail = service.install(InstallRequest(root, relax=True), Progress())
    table = lock_of(detail.path)["environment"]
    assert table["resolved"] == ["toy==2.0"] and table["relaxed"] is True


def test_names_alone_and_the_users_word() -> None:
    lines = ("Toy[x]==1.0 --hash=sha256:00", "other<2; python_version < '9'", "w @ https://h/w-1-py3-none-any.whl")
    assert relaxed(lines) == ("Toy[x]", 'other; python_version < "9"', "w @ https://h/w-1-py3-none-any.whl")
    assert merged(("Pillow==9", "numpy"), ("pillow>=10",)) == ("numpy", "pillow>=10")


def test_sizes_come_from_an_index_that_tells_none(
    service: PackageService, tmp_path: Path, trusted: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wheel has to come over https; its server is asked how large it is, and progress counts bytes until all are there."""
    folder = tmp_path / "made"
    folder.mkdir()
    wheel = write_wheel(folder, "large", "1.0", {"large.bin": payload(3 << 20)})
    trusted.add(f"large/{wheel.name}", wheel.read_bytes())
    trusted.types["/large/"] = "text/html"
    trusted.add("large/index.html", f'<a href="{wheel.name}#sha256={sha256(wheel.read_bytes())}">{wheel.name}</a>'.encode())
    monkeypatch.setenv("PIP_INDEX_URL", trusted.url)
    monkeypatch.setenv("PIP_TRUSTED_HOST", "127.0.0.1")  # uv takes no certificate that signed itself
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    root = str(write_package(tmp_path / "p", requirements="large\n"))
    plan = service.plan(InstallRequest(root))
    assert plan.problems == ()
    size = wheel.stat().st_size
    assert plan.environment == "a new virtualenv with 1 package, 1 to download: 3.1 MB"
    assert plan.environment_bytes == plan.download_bytes == size
    progress = Watching()
    service.install(InstallRequest(root), progress)
    step = "installing 1 package, 1 of them to download"
    assert (step, 0, size) in progress.reports and (step, size, None) in progress.reports


@pytest.mark.parametrize("written_down", [True, False])
def test_an_index_is_asked_once_for_versions_that_are_all_written_down(
    tmp_path: Path, trusted: FileServer, monkeypatch: pytest.MonkeyPatch, written_down: bool
) -> None:
    """What uv remembers is the answer then. Of a version that only the index chooses there may be a newer one."""
    trusted.headers = {"Cache-Control": "max-age=0"}  # a page that uv would ask for anew

    def publish(*versions: str) -> None:
        links = []
        for version in versions:
            wheel = write_wheel(tmp_path, "second", version, {"second.py": b""})
            trusted.add(f"second/{wheel.name}", wheel.read_bytes())
            links.append(f'<a href="{wheel.name}#sha256={sha256(wheel.read_bytes())}">{wheel.name}</a>')
        trusted.add("second/index.html", "\n".join(links).encode())

    first = write_wheel(tmp_path, "first", "1.0", {"first.py": b""}, requires="second")
    trusted.add(f"first/{first.name}", first.read_bytes())
    trusted.add("first/index.html", f'<a href="{first.name}#sha256={sha256(first.read_bytes())}">{first.name}</a>'.encode())
    trusted.types |= {"/first/": "text/html", "/second/": "text/html"}
    publish("1.0")
    monkeypatch.setenv("PIP_INDEX_URL", trusted.url)
    monkeypatch.setenv("PIP_TRUSTED_HOST", "127.0.0.1")
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    wish = wish_here(("first==1.0", "second==1.0") if written_down else ("first==1.0",))
    environments = Environments(tmp_path / "environments", Bytecode(tmp_path / "bytecode"))
    before = environments.resolve(wish, tmp_path / "work", Progress())
    publish("1.0", "2.0")
    trusted.requests.clear()
    after = environments.resolve(wish, tmp_path / "work", Progress())
    assert (trusted.requests == []) is written_down
    assert [pin.version for pin in before.pins] == ["1.0", "1.0"]
    assert after == before if written_down else [pin.version for pin in after.pins] == ["1.0", "2.0"]


def test_which_requirements_are_written_down_to_the_version() -> None:
    assert exact_names(("Toy[x]==1.0 --hash=sha256:00", "other===2; python_version > '3'")) == {"toy", "other"}
    for line in ("toy", "toy>=1", "toy==1.*", "toy @ https://h/toy-1-py3-none-any.whl", "toy!=2"):
        assert exact_names(("other==1", line)) == frozenset(), line


def test_a_lock_offline_asks_nobody_and_says_what_is_missing(
    service: PackageService, tmp_path: Path, trusted: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", trusted.url)
    monkeypatch.setenv("PIP_TRUSTED_HOST", "127.0.0.1")
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    own, path = own_interpreter(), tmp_path / "cvflow.lock"
    path.write_text(
        f'[environment]\ntag = "{own.tag}"\nplatform = "{own.platform}"\npython = "{own.version}"\n'
        f'[[distributions]]\nname = "toy"\nversion = "1.0"\nhashes = ["sha256:{"0" * 64}"]\n'
    )
    package = load_package(write_package(tmp_path / "p", requirements="toy\n"))
    wish = wish_of(package, InstallRequest("x"), Circumstances.here().kept_offline(True), locked=path)
    (tmp_path / "environments").mkdir()
    outlook = look_ahead(
        package, wish, Environments(tmp_path / "environments", Bytecode(tmp_path / "bytecode")), _made(tmp_path / "work"), Progress()
    )
    [finding] = outlook.findings
    assert finding.blocks and "nothing may come over the network" in finding.what and trusted.requests == []


def test_an_index_that_does_not_answer(service: PackageService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:secret@127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    root = str(write_package(tmp_path / "p", requirements="toy\n"))
    [finding] = service.plan(InstallRequest(root)).findings
    assert finding.code == "remote" and "secret" not in finding.what + finding.detail
    with pytest.raises(RemoteError, match="the index cannot be asked"):
        service.install(InstallRequest(root), Progress())


def test_uvs_reason_in_one_line() -> None:
    told = (
        "error: No solution found when resolving dependencies\n  cause: Because a==1 needs b\n         and b is gone, we can conclude that "
        "your requirements are unsatisfiable.\n\nhint: Something\n      longer\n\nhint: Wheels are required for `a` because building from "
        "source is disabled for all packages (i.e., with `--no-build`)\n"
    )
    assert explain(told) == "Because a==1 needs b and b is gone; Something longer"
    assert explain("error: It broke\n") == "It broke"


def test_requirements_that_cannot_be_had_say_what_might_help(environments: Environments, tmp_path: Path) -> None:
    with pytest.raises(UnresolvedError) as caught:
        environments.resolve(wish_here(("toy==1",)), tmp_path / "work", Progress())
    assert caught.value.mends == (Mend(relax=True),)
    with pytest.raises(UnresolvedError) as caught:
        environments.resolve(wish_here(("toy==1",), relax=True), tmp_path / "work", Progress())
    assert caught.value.mends == ()
    shutil.rmtree(tmp_path / "work")


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
