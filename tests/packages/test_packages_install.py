"""Installs from end to end: what is there afterwards, and that nothing is when they fail, are called off, or collide."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import tomllib
from pathlib import Path
from typing import Any

import pytest

from cvflow_tui.backend.jobs import Cancelled, JobBoard, Progress
from cvflow_tui.backend.packages import disk
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.backend.store import Database
from cvflow_tui.home import Home
from cvflow_tui.model.errors import NotFoundError, PackageError, RefusedError, UsageError
from cvflow_tui.model.jobs import JobState
from cvflow_tui.model.names import SolverName
from cvflow_tui.model.packages import InstallRequest

from .parts import FileServer, Watching, commit_all, git, payload, sha256, tree, weight, write_package, write_wheel

DATA = payload(300_000)


@pytest.fixture
def boxed(tmp_path: Path) -> Path:
    """A package with everything: a requirement, a weight of its own."""
    write_wheel(tmp_path / "wheels", "toy", "1.0", {"toy.py": b"x = 41\n"})
    root = write_package(
        tmp_path / "boxed",
        requirements="toy\ncvpm\n",
        source="import toy\nimport cvflow\n\nclass Solver(cvflow.Solver):\n    def infer(self, image, threshold: float = 0.3): ...\n",
        more='labels = ["cat"]\nbatch = 4' + weight("n.bin", "nets/n.bin", sha256(DATA)),
    )
    (root / "nets").mkdir()
    (root / "nets/n.bin").write_bytes(DATA)
    return root


def versions_of(home: Home) -> set[str]:
    return {path.name for path in (home.packages / "local/boxed").iterdir()}


def empty(home: Home, state: Database) -> bool:
    return tree(home) == set() and state.rows("SELECT * FROM packages") == [] and state.rows("SELECT * FROM weights") == []


def gone(service: PackageService, home: Home, state: Database) -> None:
    """After a removal nothing is left but what Python compiled of the distributions, for who comes next; that goes when asked."""
    assert {Path(name).parts[0] for name in tree(home)} == {"bytecode"}
    service.storage.prune(Progress())
    assert empty(home, state)


def test_install_and_remove(service: PackageService, home: Home, state: Database, boxed: Path) -> None:
    plan = service.plan(str(boxed))
    assert plan.problems == () and plan.download_bytes == 0 and plan.replaces is None
    assert plan.environment.startswith("a new virtualenv with 1 package")
    assert empty(home, state)
    progress = Watching()
    detail = service.install(str(boxed), progress)
    assert progress.steps[0] == "copying boxed" and progress.steps[-1] == "finishing"
    root = home.packages / "local/boxed/1.0.0"
    assert detail.path == str(root) and detail.summary.ref == "local/boxed" and detail.summary.installed == "1.0.0"
    assert detail.warnings == ("requirements.txt: left out cvpm, which cvflow brings itself",)
    assert [summary.ref for summary in service.installed()] == ["local/boxed"]
    assert service.installed()[0].size == detail.summary.size and (detail.summary.size or 0) > len(DATA)
    assert (home.weights / sha256(DATA)).samefile(root / "pretrained/n.bin")
    assert service.resolve("boxed") == SolverName("local", "boxed", "detect")
    spec = service.run_spec(service.resolve("detect"))
    assert (spec.package, spec.root, spec.labels, spec.batch, spec.token) == ("local/boxed", str(root), ("cat",), 4, "")
    assert Path(spec.weights["n.bin"]).read_bytes() == DATA
    assert subprocess.run([spec.python, "-c", "import toy"]).returncode == 0
    lock = tomllib.loads((root / "cvflow.lock").read_text())
    assert lock["package"]["source"] == str(boxed) and lock["environment"]["resolved"] == ["toy==1.0"]
    assert lock["weights"] == [{"name": "n.bin", "sha256": sha256(DATA), "size": len(DATA)}]
    assert lock["files"]["parts/solver.py"] == sha256((boxed / "parts/solver.py").read_bytes())
    assert [each.name for each in home.staging.iterdir()] == ["downloads"], "there before and after"
    removal = service.remove("boxed")
    assert removal.package == "local/boxed" and removal.freed_bytes > len(DATA)
    gone(service, home, state)


def test_what_is_shared_goes_with_the_last(service: PackageService, home: Home, state: Database, boxed: Path, tmp_path: Path) -> None:
    service.install(str(boxed), Progress())
    manifest = boxed / "cvpm.toml"
    manifest.write_text(manifest.read_text().replace('name = "boxed"', 'name = "second"'))
    progress = Watching()
    service.install(str(boxed), progress)
    assert "making the environment" not in progress.steps
    assert len(list(home.environments.iterdir())) == len(list(home.weights.iterdir())) == 1
    assert service.plan(InstallRequest(str(boxed), again=True)).environment == "a virtualenv that is there already, with 1 package"
    with pytest.raises(UsageError, match=r"'detect' may be local/boxed/detect, local/second/detect: say which"):
        service.resolve("detect")
    assert service.remove("boxed").freed_bytes < len(DATA)
    assert service.run_spec(service.resolve("second")).weights
    service.remove("second")
    gone(service, home, state)


def test_from_git_with_a_pinned_commit(service: PackageService, boxed: Path) -> None:
    commit = commit_all(boxed)
    detail = service.install(f"git+file://{boxed}", Progress())
    assert detail.commit == commit and detail.summary.source == f"git+file://{boxed}@{commit}"
    (boxed / "later").write_text("x")
    commit_all(boxed, "later")
    git(boxed, "tag", "v2")
    again = service.install(detail.summary.source, Progress())
    assert again.commit == commit and not (Path(str(again.path)) / "later").exists()
    assert (Path(str(service.install(f"git+file://{boxed}@v2", Progress()).path)) / "later").exists()


def test_from_the_hub_on_the_apps_own_python(service: PackageService, home: Home) -> None:
    assert [(summary.ref, summary.installed) for summary in service.hub_packages()] == [("acme/boxes", None), ("cvflow/words", None)]
    detail = service.install("boxes", Progress())
    assert detail.environment == "host" and detail.summary.source == "hub:acme/boxes==1.0.0"
    assert service.run_spec(SolverName("acme", "boxes", "detect")).python == sys.executable
    assert list(home.environments.iterdir()) == []
    assert [summary.installed for summary in service.hub_packages()] == ["1.0.0", None]
    assert service.hub_package("boxes").summary.installed == "1.0.0"


def test_another_version_takes_the_place_of_the_first(service: PackageService, home: Home, boxed: Path) -> None:
    service.install(str(boxed), Progress())
    manifest = boxed / "cvpm.toml"
    manifest.write_text(manifest.read_text().replace("1.0.0", "1.1.0"))
    assert service.plan(str(boxed)).replaces == "1.0.0"
    assert service.install(str(boxed), Progress()).summary.version == "1.1.0"
    assert versions_of(home) == {"1.0.0", "1.1.0"} and service.kept("boxed") == "1.0.0"
    (boxed / "parts/solver.py").write_text("import nothing_like_it")
    manifest.write_text(manifest.read_text().replace("1.1.0", "1.2.0"))
    with pytest.raises(PackageError):
        service.install(str(boxed), Progress())
    assert service.installed()[0].version == "1.1.0" and service.run_spec(service.resolve("boxed"))
    assert versions_of(home) == {"1.0.0", "1.1.0"}


def test_the_same_contents_again_take_their_own_place(service: PackageService, home: Home, boxed: Path) -> None:
    for _ in range(2):
        assert service.install(str(boxed), Progress()).summary.version == "1.0.0"
        assert [path.name for path in (home.packages / "local/boxed").iterdir()] == ["1.0.0"] and service.kept("boxed") is None


def test_other_contents_under_the_same_version_are_told_apart(service: PackageService, home: Home, boxed: Path) -> None:
    """By a local label; contents that are there already keep theirs, and a rollback leads from one to the other."""
    (boxed / "README.md").write_text("# old")
    service.install(str(boxed), Progress())
    service.prove("local/boxed", "1.0.0")
    (boxed / "README.md").write_text("# new")
    plan = service.plan(str(boxed))
    after = service.install(str(boxed), Progress())
    number = after.summary.version
    assert re.fullmatch(r"1\.0\.0\+c[0-9a-f]{7}", number) and (plan.replaces, plan.package.summary.version) == ("1.0.0", number)
    assert after.readme == "# new" and service.kept("boxed") == "1.0.0"
    assert {path.name for path in (home.packages / "local/boxed").iterdir()} == {"1.0.0", number}
    lock = tomllib.loads((home.packages / "local/boxed" / number / "cvflow.lock").read_text())
    assert lock["package"]["version"] == "1.0.0", "the author's: whoever follows the lock elsewhere knows no label"
    assert service.plan(str(boxed)).unchanged and service.storage.verify(None, Progress()).findings == ()
    back, *_ = service.roll_back("boxed")
    assert (back.summary.version, back.readme) == ("1.0.0", "# old")
    assert service.install(str(boxed), Progress()).summary.version == number, "it is kept, and so are its contents"
    (home.packages / "local/boxed" / number / "README.md").unlink()
    assert [finding.path for finding in service.storage.verify(None, Progress()).findings] == ["README.md"]
    assert service.storage.verify(None, Progress(), repair=True).findings == ()
    (boxed / "README.md").write_text("# old")
    assert service.install(str(boxed), Progress()).summary.version == "1.0.0" and service.kept("boxed") == number


def test_commits_under_the_same_version_are_told_apart(service: PackageService, boxed: Path) -> None:
    commit_all(boxed)
    source = f"git+{boxed.as_uri()}"
    first = service.install(source, Progress())
    (boxed / "README.md").write_text("# new")
    commit = commit_all(boxed, "new")
    found = service.install(service.upgrade_request(first.summary.ref), Progress())
    assert found.summary.version == f"1.0.0+g{commit[:7]}" and service.kept(first.summary.ref) == "1.0.0"
    assert service.plan(service.upgrade_request(first.summary.ref)).unchanged


def test_what_is_installed_to_the_last_byte_is_not_installed_again(service: PackageService, home: Home, boxed: Path) -> None:
    """The plan is to do nothing, and asks no index; whatever is not the same, or not whole, is installed."""

    def unchanged(**wishes: Any) -> bool:
        plan = service.plan(InstallRequest(str(boxed), **wishes))
        assert bool(plan.steps) is not plan.unchanged
        return plan.unchanged

    assert not unchanged()
    path = Path(str(service.install(str(boxed), Progress()).path))
    index = home.root.parent / "wheels"
    index.rename(home.root.parent / "away")
    assert unchanged()
    (home.root.parent / "away").rename(index)
    assert not unchanged(again=True) and unchanged(locked=False)
    write_wheel(index, "extra", "1.0", {"extra.py": b""})
    assert not unchanged(requirements=("extra",)) and not unchanged(relax=True) and not unchanged(editable=True)
    (boxed / "__pycache__").mkdir()
    (boxed / "__pycache__/x.pyc").write_bytes(b"x")
    assert unchanged(), "what tools leave behind is no part of it"
    for changed in (boxed / "README.md", path / "README.md", next((path / "pretrained").iterdir()), path / "cvflow.lock"):
        before = changed.read_bytes()
        changed.chmod(0o644)
        changed.write_bytes(b"# another")
        assert not unchanged(), f"{changed} is another"
        changed.write_bytes(before)
    assert unchanged()
    (boxed / "new.py").write_text("")
    assert not unchanged()
    service.install(InstallRequest(str(boxed), requirements=("extra",)), Progress())
    assert unchanged() and unchanged(requirements=("extra",)), "what was added stays added"
    service.storage.prune(Progress())  # the contents before, which are kept, have another environment
    [environment] = home.environments.iterdir()
    environment.rename(environment.with_name("moved"))
    assert not unchanged()


def test_the_same_version_by_another_range_is_another_wish(service: PackageService) -> None:
    service.install("boxes", Progress())
    assert service.plan("hub:acme/boxes").unchanged and service.plan("boxes==1.0.0").unchanged
    assert not service.plan("boxes<2").unchanged
    service.install("boxes<2", Progress())
    assert not service.plan("boxes").unchanged


# -- bad input: one line, and nothing half-done


def refused(service: PackageService, source: Path | str, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said) as caught:
        service.install(str(source), Progress())
    assert "\n" not in str(caught.value)


def test_bad_packages_leave_nothing(service: PackageService, home: Home, state: Database, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    refused(service, tmp_path / "plain", PackageError, r"plain: there is no cvpm\.toml in this folder; a package needs one")
    (tmp_path / "plain/cvpm.toml").write_text("[package]\nname = ")
    refused(service, tmp_path / "plain", PackageError, rf"^{tmp_path / 'plain'}: cvpm\.toml, line 2: is not TOML")
    refused(service, write_package(tmp_path / "a", name=".."), PackageError, r"package\.name: '\.\.' is not a name")
    refused(service, write_package(tmp_path / "b", vendor=".."), PackageError, r"package\.vendor: '\.\.' is not a name")
    refused(service, write_package(tmp_path / "c", environment="host"), PackageError, r'"host" is for the packages that cvflow brings')
    refused(service, "ext::sh -c 'touch /tmp/x'", UsageError, "is no source")
    refused(service, "git+ext::sh -c x", UsageError, "is no repository")
    refused(service, "--upload-pack=x", UsageError, "begins with '-'")
    refused(service, "git+--upload-pack=x", UsageError, "is no repository")
    refused(service, "nothing-like-it", NotFoundError, r"the hub has no 'nothing-like-it'; it has acme/boxes, cvflow/words")
    assert empty(home, state)


def test_a_python_that_is_too_old_is_in_the_plan(service: PackageService, home: Home, state: Database, tmp_path: Path) -> None:
    root = write_package(tmp_path / "p")
    manifest = (root / "cvpm.toml").read_text()
    (root / "cvpm.toml").write_text(manifest.replace('license = "MIT"', 'license = "MIT"\npython = ">=3.99"'))
    (problem,) = service.plan(str(root)).problems
    assert problem.startswith("it needs Python >=3.99, and none here fits: there is 3.")
    refused(service, root, RefusedError, r"local/p cannot be installed here: it needs Python >=3\.99")
    assert empty(home, state)


def test_a_host_package_whose_requirements_the_app_does_not_meet(service: PackageService, hub_folder: Path) -> None:
    (hub_folder / "boxes/requirements.txt").write_text("no-such-thing\nnumpy>=99\nnumpy>=1\nx; sys_platform == 'never'\n")
    (problem,) = service.plan("boxes").problems
    assert problem.startswith("the app's own Python does not have no-such-thing, numpy>=99 (it has ")
    refused(service, "boxes", RefusedError, "does not have no-such-thing")


@pytest.mark.parametrize(
    ("source", "last"),
    [
        ("import missing_thing\n", "ModuleNotFoundError: No module named 'missing_thing'; try: cvflow install .* --with missing-thing .*"),
        ("class Other: ...\n", r"ImportError: parts/solver\.py has no class Solver"),
        ("class Solver(:\n", r"SyntaxError: invalid syntax \(parts/solver\.py, line 1\)"),
        ("import os\n\nos.nothing\n", r"AttributeError: module 'os' has no attribute 'nothing' \(parts/solver\.py, line 3\)"),
        ("raise SystemExit(3)\n", r"SystemExit: 3 \(parts/solver\.py, line 1\)"),
        ("import os; os._exit(7)\n", "Python ended with status 7"),
        ("import os; os._exit(0)\n", "Python ended with status 0"),
    ],
)
def test_a_class_that_does_not_import(service: PackageService, home: Home, state: Database, tmp_path: Path, source: str, last: str) -> None:
    root = write_package(tmp_path / "p", source=source)
    with pytest.raises(PackageError, match=rf"^local/p: .* cannot be imported: {last}$") as caught:
        service.install(str(root), Progress())
    if "status" not in last:
        assert "solver 'detect' (class parts/solver/Solver)" in caught.value.message
        assert "Traceback (most recent call last)" in str(caught.value.detail)
    assert empty(home, state)


def test_a_weight_with_the_wrong_digest(service: PackageService, home: Home, state: Database, tmp_path: Path, trusted: FileServer) -> None:
    root = write_package(tmp_path / "p", more=weight("net.bin", trusted.add("n", DATA), sha256(b"other")))
    refused(service, root, PackageError, rf"^net\.bin: sha256 is {sha256(DATA)} and should be {sha256(b'other')}; nothing was kept")
    assert empty(home, state)


def test_no_disk_space(service: PackageService, home: Home, state: Database, boxed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda path: 1000)
    refused(service, boxed, RefusedError, r"^no disk space: copying boxed needs 30\d kB, and .*staging.* has 1\.0 kB free; make room")
    assert empty(home, state)


def test_escape_sequences_do_not_reach_a_terminal(service: PackageService, hub_folder: Path) -> None:
    root = write_package(hub_folder / "evil", tagline="\\u001b]0;owned\\u0007good\\u001b[31m one\\u202e\\n[bold]", environment="host")
    (root / "README.md").write_bytes(b"a\x1b[2Jb\x9b1mc\x07\n")
    manifest = (root / "cvpm.toml").read_text()
    (root / "cvpm.toml").write_text(manifest.replace("MIT", "MIT\\u001b[0m") + 'labels = ["a\\u001b[31mb"]\n')
    detail = service.hub_package("evil")
    assert detail.summary.tagline == "good one\ufffd [bold]" and detail.summary.license == "MIT"
    assert detail.readme == "ab\ufffd1mc\ufffd\n" or "\x1b" not in detail.readme
    assert detail.solvers[0].labels == ("ab",)
    text = repr(service.install("evil", Progress())) + repr(service.installed())
    assert "\\x1b" not in text and "\\x9b" not in text and "\\u202e" not in text


# -- called off, and two at once


@pytest.mark.parametrize("step", ["copying", "making the environment", "installing", "checking n.bin", "checking that", "finishing"])
def test_called_off_at_any_step_nothing_is_left(service: PackageService, home: Home, state: Database, boxed: Path, step: str) -> None:
    progress = Watching(step)
    with pytest.raises(Cancelled):
        service.install(str(boxed), progress)
    assert progress.steps[-1].startswith(step)
    assert empty(home, state)


def test_the_job_board_shows_and_calls_off_an_install(
    service: PackageService, home: Home, state: Database, tmp_path: Path, trusted: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cvflow_tui.backend.packages.meter.INTERVAL", 0.0)
    trusted.stall.set()
    root = write_package(tmp_path / "p", more=weight("n", trusted.add("n", payload(2_000_000))))
    board = JobBoard()
    job = board.start("install", "p", lambda progress: service.install(str(root), progress))
    while job.step != "downloading n" or not job.done:
        job = board.wait(job.id, job.revision, 10.0) or job
        assert not job.state.is_over, job
    assert job.unit == "bytes" and job.total == 2_000_000 and 0 < job.done < 2_000_000
    board.cancel(job.id)
    while not job.state.is_over:
        job = board.wait(job.id, job.revision, 10.0) or job
    assert job.state is JobState.CANCELLED
    assert empty(home, state)


def test_of_two_installs_at_once_the_second_is_refused(service: PackageService, home: Home, boxed: Path) -> None:
    inside, go_on = threading.Event(), threading.Event()

    class Waiting(Progress):
        def step(self, name: str, **rest: object) -> None:
            if name == "making the environment":
                inside.set()
                assert go_on.wait(60)
            super().step(name)

    failures: list[BaseException] = []

    def first() -> None:
        try:
            service.install(str(boxed), Waiting())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(60)
    line = r"^local/boxed is being installed or removed already; wait for that to end, or call it off: cvflow jobs$"
    refused(service, boxed, RefusedError, line)
    service.install("words", Progress())  # another package is another matter
    go_on.set()
    thread.join()
    assert failures == []
    assert [summary.ref for summary in service.installed()] == ["cvflow/words", "local/boxed"]
    assert service.run_spec(service.resolve("boxed"))


# -- names


@pytest.mark.parametrize("name", ["acme/boxes/detect", "boxes/detect", "acme/boxes", "boxes", "detect", "ACME/Boxes/Detect", " boxes "])
def test_every_spelling_of_a_solver(service: PackageService, name: str) -> None:
    service.install("boxes", Progress())
    assert service.resolve(name) == SolverName("acme", "boxes", "detect")


def test_what_is_not_installed_is_said_with_what_is(service: PackageService) -> None:
    with pytest.raises(NotFoundError, match=r"there is no solver 'x'; no package is installed yet"):
        service.resolve("x")
    service.install("boxes", Progress())
    for name in ("x", "acme", "a/b/c/d", "", "acme/boxes/x"):
        with pytest.raises(NotFoundError, match=r"installed are acme/boxes/detect"):
            service.resolve(name)
    for act in (service.detail, service.remove):
        with pytest.raises(NotFoundError, match=r"'words' is not installed; installed are acme/boxes"):
            act("words")
    with pytest.raises(NotFoundError, match=r"acme/boxes has no solver 'x'; it has detect"):
        service.run_spec(SolverName("acme", "boxes", "x"))


def test_what_was_damaged_by_hand_is_said(service: PackageService, home: Home) -> None:
    path = Path(str(service.install("boxes", Progress()).path))
    (path / "cvpm.toml").write_text("broken [")
    assert service.installed()[0].tagline.startswith("damaged, install it again: cvpm.toml, line 1")
    assert service.installed()[0].problem.startswith("acme/boxes is damaged, install it again: cvpm.toml, line 1")
    with pytest.raises(PackageError, match="line 1"):
        service.resolve("boxes")
    with pytest.raises(PackageError, match="line 1"):
        service.detail("boxes")
    service.remove("boxes")
    assert service.installed() == []


# -- the runner file


def test_the_runner_file_serves_by_hand_with_any_python(service: PackageService, home: Home) -> None:
    path = Path(str(service.install("boxes", Progress()).path))
    spec = RunSpec.load(path / "runner_detect.json")
    assert spec == service.run_spec(service.resolve("boxes"))
    text = (path / "runner_detect.py").read_text()
    told = subprocess.run(["python3", "-I", "-S", path / "runner_detect.py", "--help"], capture_output=True, text=True, cwd="/")
    assert told.returncode == 0 and "Serve acme/boxes/detect." in told.stdout
    # With the app's Python replaced by a program that prints what it was called with:
    (path / "echo").write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    (path / "echo").chmod(0o755)
    (path / "r.py").write_text(text.replace(repr(sys.executable), repr(str(path / "echo"))))
    told = subprocess.run(["python3", path / "r.py", "--port", "0"], capture_output=True, text=True, cwd="/")
    module = ["-P", "-m", "cvflow_tui.backend.runtime.runner"]
    assert told.stdout.split("\n")[:-1] == [*module, "--spec", str(path / "runner_detect.json"), "--port", "0"]
    assert json.loads((path / "runner_detect.json").read_text())["token"] == ""
