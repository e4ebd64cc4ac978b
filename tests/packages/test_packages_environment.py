"""Environments: made by virtualenv and uv, shared, called off."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from cvflow_tui.backend.jobs import Cancelled, Progress
from cvflow_tui.backend.packages import tools, uv_program
from cvflow_tui.backend.packages.bytecode import Bytecode
from cvflow_tui.backend.packages.environment import Environment, Environments
from cvflow_tui.backend.packages.pip_config import PipConfig, index_arguments, index_variables, read_pip_config
from cvflow_tui.backend.packages.resolution import Wish
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.home import Home
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.packages import InstallRequest

from .parts import SOLVER, Watching, wish_here, write_package, write_wheel


@pytest.fixture
def environments(tmp_path: Path) -> Environments:
    (tmp_path / "environments").mkdir()
    (tmp_path / "work").mkdir()
    return Environments(tmp_path / "environments", Bytecode(tmp_path / "bytecode"))


def ensure(environments: Environments, wish: Wish, work: Path, progress: Progress | None = None) -> Environment:
    """Resolve and make, as an install does."""
    progress = progress or Progress()
    return environments.ensure(environments.resolve(wish, work, progress), work, progress, wish.caller)


def run(python: Path, code: str) -> str:
    return subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_an_environment_is_its_own_and_is_made_once(tmp_path: Path, environments: Environments) -> None:
    write_wheel(tmp_path / "wheels", "toy", "1.0", {"toy.py": b"x = 41\n"})
    made = ensure(environments, wish_here(("toy>=0.5",)), tmp_path / "work")
    assert made.key is not None and made.resolved == ("toy==1.0",)
    assert run(made.python, "import toy; print(toy.x + 1)") == "42"
    assert Path(run(made.python, "import sys; print(sys.prefix)")) == environments.path(made.key)
    code = "import importlib.util as u; print(u.find_spec('textual'), u.find_spec('pip'))"
    assert run(made.python, code) == "None None"
    assert list((tmp_path / "work").glob("environment*")) == []
    progress = Watching()
    assert ensure(environments, wish_here(("toy==1.0",)), tmp_path / "work", progress) == made, (
        "what it holds is what counts, not how it was asked"
    )
    assert progress.steps == ["resolving the requirements"]
    environments.sweep(set())
    assert not environments.has(made.key)


def test_two_at_once_make_it_once(tmp_path: Path, environments: Environments) -> None:
    write_wheel(tmp_path / "wheels", "toy", "1.0", {"toy.py": b"x = 41\n"})
    progress = [Watching() for _ in range(4)]
    made: list[Environment] = []
    works = [tmp_path / f"work-{number}" for number in range(4)]
    for work in works:
        work.mkdir()

    def work_on(number: int) -> None:
        made.append(ensure(environments, wish_here(("toy",)), works[number], progress[number]))

    threads = [threading.Thread(target=work_on, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(made) == 4 and len({each.key for each in made}) == 1
    assert sum("making the environment" in each.steps for each in progress) == 1


def test_requirements_that_cannot_be_had(tmp_path: Path, environments: Environments) -> None:
    with pytest.raises(PackageError, match=r"^the requirements cannot be installed: .*no-such-thing") as caught:
        ensure(environments, wish_here(("no-such-thing==1.0",)), tmp_path / "work")
    assert "\n" not in caught.value.message and caught.value.detail
    assert list(environments.folder.iterdir()) == []


def test_a_folder_that_was_never_finished_is_made_anew(tmp_path: Path, environments: Environments) -> None:
    key = environments.resolve(wish_here(), tmp_path / "work", Progress()).key
    (environments.path(key) / "bin").mkdir(parents=True)
    assert not environments.has(key)
    made = ensure(environments, wish_here(), tmp_path / "work")
    assert run(made.python, "print(1)") == "1" and made.resolved == ()


def test_called_off_while_uv_works(tmp_path: Path, environments: Environments) -> None:
    write_wheel(tmp_path / "wheels", "toy", "1.0", {"toy.py": b""})
    with pytest.raises(Cancelled):
        ensure(environments, wish_here(("toy",)), tmp_path / "work", Watching("installing"))
    assert list(environments.folder.iterdir()) == []


def test_a_tool_and_its_children_end_when_the_job_is_called_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    progress = Progress()
    mark = tmp_path / "pids"
    tell = f"open({str(mark)!r}, 'w').write('%d %d' % (os.getpid(), child.pid))"
    code = f"import os, subprocess\nchild = subprocess.Popen(['sleep', '600'])\n{tell}\nchild.wait()"

    def check() -> None:
        if mark.exists() and len(mark.read_text().split()) == 2:
            raise Cancelled

    monkeypatch.setattr(progress, "check", check)
    with pytest.raises(Cancelled):
        tools.run_tool([sys.executable, "-c", code], progress=progress, seconds=60)
    for pid in map(int, mark.read_text().split()):
        _expect_end(pid)


def test_what_is_compiled_of_an_environment_stays_in_it(service: PackageService, home: Home, tmp_path: Path, pip_of_the_test: Path) -> None:
    """Every start would compile it anew. The package's own folder, cvflow's and the app's Python are not written into."""
    write_wheel(pip_of_the_test, "toy", "1.0", {"toy.py": b"x = 1"})
    source = f"import cvflow, toy, colorsys\n{SOLVER}"
    service.install(InstallRequest(str(write_package(tmp_path / "p", requirements="toy\n", source=source))), Progress())
    compiled = {path.name.partition(".")[0] for path in home.root.rglob("*.pyc")}
    assert compiled == {"toy"}
    [found] = home.environments.rglob("toy.*.pyc")
    assert found.parent.parent.name == "site-packages"
    assert service.storage.verify(None, Progress()).findings == ()


def test_what_pictures_are_opened_with_is_compiled_too(service: PackageService, home: Home, tmp_path: Path, pip_of_the_test: Path) -> None:
    """The sdk imports Pillow at a worker's first picture; most packages never name it. One that cannot be imported stops nobody."""
    image = "import PIL.Plugin\ndef preinit():\n    import PIL.Late\n    print('a word too many')\n    raise OSError('no jpeg')\n"
    wheel = {"PIL/__init__.py": b"", "PIL/Image.py": image.encode(), "PIL/Plugin.py": b"x = 1", "PIL/Late.py": b"x = 1"}
    write_wheel(pip_of_the_test, "pillow", "13.0", wheel)
    service.install(InstallRequest(str(write_package(tmp_path / "p", requirements="pillow\n"))), Progress())
    assert {path.name.partition(".")[0] for path in home.environments.rglob("*.pyc")} == {"__init__", "Image", "Plugin", "Late"}


@pytest.mark.parametrize("setpriv", [True, False])
def test_a_tool_dies_with_us_even_by_kill_9(tmp_path: Path, setpriv: bool) -> None:
    mark = tmp_path / "pid"
    tool = f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    code = (
        "import sys, threading, time, os, signal\n"
        "from pathlib import Path\n"
        "from cvflow_tui.backend.jobs import Progress\n"
        "from cvflow_tui.backend.packages import tools\n"
        f"tools._setpriv = tools._setpriv if {setpriv} else lambda: None\n"
        f"mark, tool = Path({str(mark)!r}), [sys.executable, '-c', {tool!r}]\n"
        "threading.Thread(target=lambda: tools.run_tool(tool, progress=Progress(), seconds=60)).start()\n"
        "while not (mark.exists() and mark.read_text()): time.sleep(0.01)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).resolve().parents[2], timeout=60)
    pid = int(mark.read_text())
    _expect_end(pid)


@pytest.mark.parametrize("setpriv", [True, False])
def test_a_tool_whose_parent_is_gone_already_does_not_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setpriv: bool) -> None:
    if not setpriv:
        monkeypatch.setattr(tools, "_setpriv", lambda: None)
    mark = tmp_path / "it's $(begun)"
    command = tools.guarded(["touch", str(mark)])
    assert subprocess.run(command).returncode == 0 and mark.exists(), "arguments are nobody's words"
    mark.unlink()
    command[command.index(str(os.getpid()))] = "1"
    assert subprocess.run(command).returncode == 1 and not mark.exists()


def test_a_tool_that_takes_too_long() -> None:
    assert tools.run_tool(["sleep", "60"], progress=Progress(), seconds=0.2)[0] is None


def test_uv_is_told_what_pip_is_told() -> None:
    pip = PipConfig("https://a:secret@a/simple", ("https://b", "file:///c"), ("/w",), None, trusted_hosts=("b",))
    assert index_arguments(pip) == ["--find-links", "/w", "--allow-insecure-host", "b", "--index-strategy", "unsafe-best-match"]
    assert index_variables(pip) == {"UV_DEFAULT_INDEX": "https://a:secret@a/simple", "UV_INDEX": "https://b file:///c"}
    assert index_arguments(PipConfig(None)) == ["--no-index"] and index_variables(PipConfig(None)) == {}


def test_every_option_of_pips_that_counts_is_read(tmp_path: Path) -> None:
    chosen = tmp_path / "pip.conf"
    chosen.write_text("[global]\ntimeout = 30\nproxy = http://proxy:3128\nclient-cert = /c.pem\n[install]\ntrusted-host = a\n    b\n")
    told = read_pip_config({"PIP_CONFIG_FILE": str(chosen), "HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path), "PIP_TIMEOUT": "9"})
    assert (told.timeout, told.proxy, told.client_cert, told.trusted_hosts) == ("9", "http://proxy:3128", "/c.pem", ("a", "b"))
    assert read_pip_config({"PIP_CONFIG_FILE": "/dev/null", "PIP_DEFAULT_TIMEOUT": "soon"}).timeout is None


def test_indexes_and_their_passwords_are_no_arguments(tmp_path: Path, environments: Environments, monkeypatch: pytest.MonkeyPatch) -> None:
    """What everybody can read of a process (its arguments) holds no password; uv still asks the index with it."""
    asked: list[list[str]] = []

    def note(command: list[str], **told: object) -> tuple[int, str]:
        asked.append(command)
        environment = told["env"]
        assert isinstance(environment, dict) and environment["UV_DEFAULT_INDEX"] == "https://me:secret@index/simple"
        return 1, "error: no"

    monkeypatch.setattr(uv_program, "run_tool", note)
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:secret@index/simple")
    with pytest.raises(PackageError):
        ensure(environments, wish_here(("toy",)), tmp_path / "work")
    assert asked and "secret" not in str(asked)


def _expect_end(pid: int) -> None:
    """Fail (after ending it) if a process is still there in four seconds: the kernel takes a moment to bury the killed."""
    for _ in range(200):
        if not _alive(pid):
            return
        time.sleep(0.02)
    os.kill(pid, 9)
    pytest.fail(f"process {pid} went on")


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize("how", ["longer", "same-size", "gone", "folder"])
def test_one_that_was_altered_is_not_given_to_the_next_package(
    service: PackageService, home: Home, tmp_path: Path, pip_of_the_test: Path, how: str
) -> None:
    """The solver of the one before serves on from what it has loaded; both are whole afterwards."""
    write_wheel(pip_of_the_test, "toy", "1.0", {"toy/__init__.py": b"", "toy/x.py": b"x = 1"})
    for name in ("one", "two"):
        write_package(tmp_path / name, requirements="toy\n", source=f"import toy.x\nassert toy.x.x == 1\n{SOLVER}")
    service.install(str(tmp_path / "one"), Progress())
    [module] = home.environments.rglob("toy/x.py")
    aside = module.with_name("aside")  # not in place: the installer's cache may be the same file
    if how in ("longer", "same-size"):
        aside.write_bytes(b"x = 1\nx = 2" if how == "longer" else b"x = 2")
        aside.replace(module)
    elif how == "gone":
        module.unlink()
    else:
        shutil.rmtree(module.parent)
    progress = Watching()
    service.install(str(tmp_path / "two"), progress)
    assert "making the environment" in progress.steps
    assert module.read_bytes() == b"x = 1" and service.storage.verify(None, Progress()).findings == ()
    assert len(list(home.environments.iterdir())) == 1
    progress = Watching()
    service.install(InstallRequest(str(tmp_path / "two"), again=True), progress)
    assert "making the environment" not in progress.steps


@pytest.mark.parametrize("lie", ["liar.py,sha256=bm90IHRoaXMgb25l,3", "liar.py,,\nnever.py,,"])
def test_a_distribution_whose_list_was_never_true_is_shared_all_the_same(
    service: PackageService, home: Home, tmp_path: Path, pip_of_the_test: Path, lie: str
) -> None:
    """Installers take such wheels; nobody has altered anything."""
    wheel = write_wheel(pip_of_the_test, "liar", "1.0", {"liar.py": b"x = 1"})
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["liar-1.0.dist-info/RECORD"] = f"{lie}\n".encode()
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    for name in ("one", "two"):
        package, progress = write_package(tmp_path / name, requirements="liar\n", source=f"import liar\n{SOLVER}"), Watching()
        service.install(str(package), progress)
        assert ("making the environment" in progress.steps) == (name == "one")
    assert [package.ref for package in service.installed()] == ["local/one", "local/two"]
    assert len(list(home.environments.iterdir())) == 1
