"""Scripts of a package: shown, allowed by digest, run in the order that their author meant, and never otherwise."""

from __future__ import annotations

import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cvflow_tui.backend.jobs import Cancelled
from cvflow_tui.backend.packages import scripts as running
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.backend.store import Database
from cvflow_tui.home import Home
from cvflow_tui.model.errors import PackageError, RefusedError, UsageError
from cvflow_tui.model.names import SolverName
from cvflow_tui.model.packages import InstallRequest

from .parts import Watching, sha256, tree, write_package, write_wheel

BEFORE_INSTALL = "#!/bin/bash\necho first >> order\n[[ -d parts ]]\n"
PREPIP = "echo second >> order\nprintf 'toy\\n' > requirements.txt\n"
SETUP = """\
echo third >> order
python -c 'import toy; print("toy", toy.x)' >> order
env | cut -d= -f1 | grep -v '^_$' | sort > names
printf '%s\\n' "$PATH" > path
if [ -t 0 ] || [ -t 1 ] || (: < /dev/tty) 2> /dev/null; then echo a terminal >> order; fi
echo said by setup
"""


@pytest.fixture
def scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with all three scripts; the requirement comes from the second, and is needed by the third and the solver."""
    monkeypatch.setenv("SECRET_OF_THE_USER", "hunter2")
    write_wheel(tmp_path / "wheels", "toy", "1.0", {"toy.py": b"x = 41\n"})
    root = write_package(tmp_path / "p", source="import toy\nclass Solver:\n    def infer(self, image): ...\n")
    (root / "scripts").mkdir()
    (root / "scripts/install.sh").write_text(BEFORE_INSTALL)
    (root / "prepip.sh").write_text(PREPIP)
    (root / "setup.sh").write_text(SETUP)
    manifest = (root / "cvpm.toml").read_text()
    (root / "cvpm.toml").write_text(manifest.replace('license = "MIT"', 'license = "MIT"\nbefore_install = "scripts/install.sh"'))
    return root


def allowed(root: Path, *texts: str, digits: int = 12) -> InstallRequest:
    return InstallRequest(str(root), scripts=tuple(sha256(text.encode())[:digits] for text in texts))


def test_the_plan_shows_every_script_whole(service: PackageService, scripted: Path) -> None:
    plan = service.plan(allowed(scripted, SETUP, digits=64))
    assert [(script.name, script.when, script.allowed) for script in plan.scripts] == [
        ("scripts/install.sh", "before", False),
        ("prepip.sh", "before", False),
        ("setup.sh", "after", True),
    ]
    assert [script.text for script in plan.scripts] == [BEFORE_INSTALL, PREPIP, SETUP]
    assert plan.scripts[1].sha256 == sha256(PREPIP.encode())


def test_rule_10_without_the_users_word_no_script_runs(service: PackageService, scripted: Path) -> None:
    (scripted / "requirements.txt").write_text("toy\n")
    detail = service.install(str(scripted), Watching())
    assert detail.path is not None and not (Path(detail.path) / "order").exists()
    digest = sha256(SETUP.encode())[:12]
    assert any(warning.startswith("setup.sh was not run") and digest in warning for warning in detail.warnings)
    assert len([warning for warning in detail.warnings if "was not run" in warning]) == 3
    assert all(not script["ran"] for script in tomllib.loads(service.lock("p"))["scripts"])


def test_allowed_scripts_run_in_their_order_in_a_clean_place(service: PackageService, home: Home, scripted: Path) -> None:
    progress = Watching()
    detail = service.install(allowed(scripted, BEFORE_INSTALL, PREPIP, SETUP), progress)
    root = Path(str(detail.path))
    assert (root / "order").read_text() == "first\nsecond\nthird\ntoy 41\n"
    ran = [step for step in progress.steps if step.startswith(("running", "making the environment"))]
    assert ran == ["running scripts/install.sh", "running prepip.sh", "making the environment", "running setup.sh"]
    names = set((root / "names").read_text().split())
    assert names <= {"CVFLOW_INSTALL", "HOME", "LANG", "PATH", "PWD", "SHLVL", "TMPDIR", "VIRTUAL_ENV", "OLDPWD", "SSL_CERT_FILE"}
    path = (root / "path").read_text().strip().split(":")
    assert Path(path[1]).is_relative_to(home.environments) and path[2:] == ["/usr/local/bin", "/usr/bin", "/bin"]
    log = (home.install_log("local/p")).read_text()
    assert f"--- setup.sh {sha256(SETUP.encode())}\nsaid by setup\n" in log
    lock = tomllib.loads(service.lock("p"))
    assert [script["ran"] for script in lock["scripts"]] == [True, True, True]
    assert lock["files"]["order"] == sha256(b"first\nsecond\nthird\ntoy 41\n")
    assert not (scripted / "order").exists()


def test_what_a_script_installs_is_in_an_environment_that_nobody_shares(service: PackageService, home: Home, tmp_path: Path) -> None:
    write_wheel(tmp_path / "wheels", "toy", "1.0", {"toy.py": b"x = 41\n"})
    setup = f"pip install --no-index --find-links {tmp_path}/wheels toy\n"
    root = write_package(tmp_path / "p", source="import toy\nclass Solver:\n    def infer(self, image): ...\n")
    (root / "setup.sh").write_text(setup)
    service.install(allowed(root, setup), Watching())
    spec = service.run_spec(SolverName("local", "p", "detect"))
    assert subprocess.run([spec.python, "-c", "import toy"]).returncode == 0
    service.install(str(write_package(tmp_path / "q")), Watching())
    other = service.run_spec(SolverName("local", "q", "detect")).python
    assert other != spec.python and subprocess.run([other, "-c", "import toy"], capture_output=True).returncode == 1
    # not even with another attempt of its own, which fails
    worse = "python -c 'import sys, pathlib; pathlib.Path(sys.prefix, \"worse\").touch()'\nfalse\n"
    (root / "setup.sh").write_text(worse)
    with pytest.raises(PackageError, match=r"setup\.sh failed"):
        service.install(allowed(root, worse), Watching())
    assert not list(home.environments.rglob("worse")) and len(list(home.environments.iterdir())) == 2
    assert subprocess.run([spec.python, "-c", "import toy"]).returncode == 0


@pytest.mark.parametrize("name", ["prepip.sh", "setup.sh"])
def test_a_script_that_fails_fails_the_install_whole(
    service: PackageService, home: Home, state: Database, tmp_path: Path, name: str
) -> None:
    text = "touch made\nfalse\necho not reached\n"
    root = write_package(tmp_path / "p")
    (root / name).write_text(text)
    with pytest.raises(PackageError, match=rf"^{name} failed with status 1; nothing was installed"):
        service.install(allowed(root, text), Watching())
    assert {each for each in tree(home) if not each.startswith("logs/")} == set() and state.rows("SELECT * FROM packages") == []


def test_one_that_takes_too_long_or_is_called_off_is_ended_with_its_children(
    service: PackageService, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"(sleep 300 & echo $! > {tmp_path}/child; wait)\n"
    root = write_package(tmp_path / "p")
    (root / "setup.sh").write_text(text)
    with pytest.raises(Cancelled):
        service.install(allowed(root, text), Watching("running setup.sh"))
    monkeypatch.setattr(running, "SECONDS", 1.0)
    with pytest.raises(PackageError, match=r"setup\.sh did not end within"):
        service.install(allowed(root, text), Watching())
    child = int((tmp_path / "child").read_text())
    state = Path(f"/proc/{child}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"
    assert {each for each in tree(home) if not each.startswith("logs/")} == set()


def test_the_digest_is_that_of_what_runs(service: PackageService, scripted: Path) -> None:
    (scripted / "prepip.sh").write_text(PREPIP + "echo x >> setup.sh\n")
    changed = (scripted / "prepip.sh").read_text()
    with pytest.raises(PackageError, match=r"setup\.sh was changed by another script: it is not what was allowed"):
        service.install(allowed(scripted, changed, SETUP), Watching())
    for digest in ("abc", "x" * 12, "../../etc/passwd", sha256(b"")[:11]):
        with pytest.raises(UsageError, match="is no digest of a script"):
            service.plan(InstallRequest(str(scripted), scripts=(digest,)))


def test_a_linked_folders_scripts_are_its_authors_own(service: PackageService, scripted: Path) -> None:
    with pytest.raises(RefusedError, match="run its scripts in its folder yourself"):
        service.install(InstallRequest(str(scripted), editable=True, scripts=(sha256(PREPIP.encode()),)), Watching())
    assert not (scripted / "order").exists()


@pytest.mark.parametrize("path", ["../evil.sh", "/etc/passwd", "missing.sh", "a;touch x", "$(touch x)", "-c", "link.sh"])
def test_rule_09_the_manifests_words_reach_no_shell(service: PackageService, home: Home, tmp_path: Path, path: str) -> None:
    root = write_package(tmp_path / "p")
    (tmp_path / "evil.sh").write_text("touch ran\n")
    (root / "link.sh").symlink_to(tmp_path / "evil.sh")
    manifest = (root / "cvpm.toml").read_text()
    (root / "cvpm.toml").write_text(manifest.replace('license = "MIT"', f'license = "MIT"\nbefore_install = "{path}"'))
    digest = sha256(b"touch ran\n")
    with pytest.raises(PackageError, match=r"leads out of the package|there is no file"):
        service.install(InstallRequest(str(root), scripts=(digest,)), Watching())
    assert not list(tmp_path.rglob("ran")) and not list(home.root.rglob("ran"))


def test_rule_09_a_scripts_name_stays_one_word(service: PackageService, tmp_path: Path) -> None:
    root = write_package(tmp_path / "p")
    name = "-x; touch owned & $(touch owned) ``.sh"
    (root / name).write_text("pwd > where\n")
    manifest = (root / "cvpm.toml").read_text()
    (root / "cvpm.toml").write_text(manifest.replace('license = "MIT"', f'license = "MIT"\nbefore_install = "{name}"'))
    detail = service.install(allowed(root, "pwd > where\n"), Watching())
    assert (Path(str(detail.path)) / "where").read_text().strip().endswith("/package")
    assert not list(tmp_path.rglob("owned"))


def test_rule_13_a_scripts_text_and_output_reach_no_terminal_raw(service: PackageService, home: Home, tmp_path: Path) -> None:
    text = "printf '\\033]0;owned\\007said\\033[2J\\n'\n# \x1b[31mred\x07\n"
    root = write_package(tmp_path / "p")
    (root / "setup.sh").write_text(text)
    (script,) = service.plan(str(root)).scripts
    assert "\x1b" not in script.text and "\x07" not in script.text
    service.install(InstallRequest(str(root), scripts=(script.sha256,)), Watching())
    assert (home.install_log("local/p")).read_bytes().endswith(b"said\n")


@pytest.mark.slow
@pytest.mark.parametrize("where", ["prepip.sh", "setup.sh"])
def test_a_kill_while_a_script_runs_leaves_nothing_and_ends_it(home: Home, tmp_path: Path, hub_folder: Path, where: str) -> None:
    text = f"echo $$ > {tmp_path}/pid\nsleep 300\n"
    root = write_package(tmp_path / "p")
    (root / where).write_text(text)
    code = (
        "import sys\nfrom pathlib import Path\nfrom cvflow_tui.backend.jobs import Progress\n"
        "from cvflow_tui.backend.packages.service import PackageService\nfrom cvflow_tui.backend.store import open_state\n"
        "from cvflow_tui.home import Home\nfrom cvflow_tui.model.packages import InstallRequest\n"
        "home = Home(Path(sys.argv[1]))\n"
        "service = PackageService(home, open_state(home), Path(sys.argv[4]))\n"
        "service.install(InstallRequest(sys.argv[2], scripts=(sys.argv[3],)), Progress())\n"
    )
    command = [sys.executable, "-c", code, str(home.root), str(root), sha256(text.encode()), str(hub_folder)]
    process = subprocess.Popen(command, cwd=Path(__file__).resolve().parents[2])
    pid = _appears(tmp_path / "pid", process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for _ in range(200):
        if not _lives(pid):
            break
        signal.sigtimedwait([], 0.05)
    assert not _lives(pid)
    from cvflow_tui.backend.store import open_state

    state = open_state(home)
    service = PackageService(home, state, hub_folder)
    service.recover()
    assert service.installed() == [] and {name for name in tree(home) if not name.startswith("logs/")} == set()
    state.close()


def _appears(file: Path, process: subprocess.Popen[bytes]) -> int:
    for _ in range(1200):
        if file.is_file() and (text := file.read_text().strip()):
            return int(text)
        assert process.poll() is None, "it ended before the script ran"
        signal.sigtimedwait([], 0.05)
    raise AssertionError("the script did not run")


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
