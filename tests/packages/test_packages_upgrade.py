"""Upgrades, the way back, linked folders, and locks that are followed."""

from __future__ import annotations

import shutil
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.backend.packages.toml_file import LIMIT as TOML_LIMIT
from cvflow_tui.backend.packages.upgrading import held_to
from cvflow_tui.home import Home
from cvflow_tui.model.errors import NotFoundError, PackageError, RefusedError, UsageError
from cvflow_tui.model.names import SolverName
from cvflow_tui.model.packages import Changes, Differences, InstallRequest
from cvflow_tui.model.storage import Finding

from .parts import FileServer, Watching, commit_all, git, payload, sha256, tree, weight, write_package, write_wheel

DATA, OTHER = payload(50_000, seed=1), payload(60_000, seed=2)
FIRST = "class Solver:\n    def infer(self, image, threshold: float = 0.3, deep: bool = False): ...\n"
SECOND = "class Solver:\n    def infer(self, image, threshold: float = 0.5, iou: float = 0.5): ...\n"


@pytest.fixture
def many(hub_folder: Path) -> Path:
    """A package of the hub in two versions that differ in everything."""
    one, two = hub_folder / "lab/many/1.0.0", hub_folder / "lab/many/2.0.0"
    write_package(one, name="many", vendor="lab", environment="host", source=FIRST, more=weight("n", "nets/n", sha256(DATA)))
    another = '\n[[solvers]]\nname = "more"\nclass = "parts/solver/Solver"\n'
    more = weight("n", "nets/n", sha256(OTHER)) + weight("m", "nets/m", sha256(DATA)) + another
    write_package(two, name="many", vendor="lab", version="2.0.0", environment="host", source=SECOND, more=more, requirements="numpy\n")
    for root, files in ((one, {"n": DATA}), (two, {"n": OTHER, "m": DATA})):
        (root / "nets").mkdir()
        for name, data in files.items():
            (root / "nets" / name).write_bytes(data)
    (one / "old.txt").write_text("x")
    return hub_folder


def proven(service: PackageService, source: str) -> None:
    detail = service.install(source, Progress())
    service.prove(detail.summary.ref, detail.summary.version)


def folders(home: Home) -> set[str]:
    return {path.name for path in (home.packages / "lab/many").iterdir()}


@pytest.mark.parametrize(
    ("file", "damage"),
    [("pretrained/n", "damaged"), ("pretrained/n", "missing"), ("parts/solver.py", "damaged"), ("", "")],
)
def test_a_start_that_fails_names_what_is_damaged(service: PackageService, home: Home, many: Path, file: str, damage: str) -> None:
    proven(service, "many==1.0.0")
    proven(service, "many==2.0.0")
    if file:
        path = home.packages / "lab/many/2.0.0" / file
        path.unlink()  # not through the link: the store's own is another file's
        if damage == "damaged":
            path.write_bytes(b"bits fell over")
    with pytest.raises(PackageError) as failed, service.starting(SolverName("lab", "many", "more")):
        raise PackageError("Protobuf parsing failed.", detail="the rest")
    hint = f"; {file} is {damage}: cvflow verify lab/many --repair brings it back" if file else ""
    assert (failed.value.message, failed.value.detail) == (f"Protobuf parsing failed.{hint}", "the rest")


def test_a_lock_beside_the_daemon_is_nobodys_wish(
    service: PackageService, many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.install("many==1.0.0", Progress())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cvflow.lock").write_text(service.lock("many"))
    service.remove("many")
    for source in ("cvflow.lock", "file:cvflow.lock"):
        with pytest.raises((NotFoundError, UsageError)):
            service.install(InstallRequest(source, locked=True), Progress())


def test_the_plan_tells_what_an_upgrade_changes(service: PackageService, many: Path) -> None:
    service.install("many==1.0.0", Progress())
    request = service.upgrade_request("many")
    assert request.source == "hub:lab/many"
    plan = service.plan(request)
    changes = plan.changes
    assert plan.replaces == "1.0.0" and plan.package.summary.version == "2.0.0" and changes is not None and changes.version == "1.0.0"
    assert changes.files == Differences(("nets/m", "requirements.txt"), ("old.txt",), ("cvpm.toml", "nets/n", "parts/solver.py"))
    assert changes.requirements == Differences(added=("numpy",))
    assert changes.weights == Differences(added=("m",), changed=("n",))
    assert changes.solvers == Differences(added=("more",))
    assert changes.parameters == Differences(("detect.iou", "more.iou", "more.threshold"), ("detect.deep",), ("detect.threshold",))
    service.install(request, Progress())
    again = service.plan(service.upgrade_request("many"))
    assert again.changes is not None and not again.changes and again.replaces == again.package.summary.version


def test_an_upgrade_keeps_one_version_and_a_rollback_is_instant(service: PackageService, home: Home, many: Path) -> None:
    proven(service, "many==1.0.0")
    proven(service, "many")
    assert folders(home) == {"1.0.0", "2.0.0"} and service.kept("many") == service.detail("many").kept == "1.0.0"
    assert len(list(home.weights.iterdir())) == 2
    shutil.rmtree(many)  # neither the hub nor anything else is asked
    detail, before, forward = service.roll_back("many")
    assert not forward and detail.kept_is_newer
    assert (detail.summary.version, before, service.kept("many")) == ("1.0.0", "2.0.0", "2.0.0")
    spec = service.run_spec(SolverName("lab", "many", "detect"))
    assert spec.version == "1.0.0" and Path(spec.weights["n"]).read_bytes() == DATA
    with pytest.raises(NotFoundError, match="lab/many has no solver 'more'"):
        service.run_spec(SolverName("lab", "many", "more"))
    service.recover()
    assert folders(home) == {"1.0.0", "2.0.0"}
    detail, before, forward = service.roll_back("many")
    assert (detail.summary.version, before, forward, detail.kept_is_newer) == ("2.0.0", "1.0.0", True, False)
    service.remove("many")
    assert tree(home) == set()


@pytest.mark.parametrize("back", [False, True])
def test_the_way_back_is_verified_and_repaired_too(service: PackageService, home: Home, many: Path, back: bool) -> None:
    """It is what one needs when the other fails; whichever of both is the newer one."""
    proven(service, "many==1.0.0")
    proven(service, "many")
    if back:
        service.roll_back("many")
    kept = service.kept("many")
    assert kept is not None and service.storage.verify(None, Progress()).findings == ()
    root = home.packages / "lab/many" / kept
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    (root / "parts/solver.py").unlink()
    (root / "cvpm.toml").write_text("# not what it was\n")
    (root / "pretrained/n").unlink()
    found = service.storage.verify("many", Progress())
    assert {finding.package for finding in found.findings} == {f"lab/many {kept}"}
    assert {("parts/solver.py", "missing"), ("cvpm.toml", "damaged"), ("pretrained/n", "missing")} <= {
        (finding.path, finding.kind) for finding in found.findings
    }
    found = service.storage.verify(None, Progress(), repair=True)
    assert found.findings == () and found.repaired == (f"lab/many {kept}",) and service.kept("many") == kept
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    service.roll_back("many")
    assert service.run_spec(SolverName("lab", "many", "detect")).version == kept


def test_exactly_one_version_is_kept_and_rather_one_that_has_started(service: PackageService, home: Home, many: Path) -> None:
    write_package(many / "lab/many/3.0.0", name="many", vendor="lab", version="3.0.0", environment="host")
    proven(service, "many==1.0.0")
    service.install("many==2.0.0", Progress())  # never started
    service.install("many==3.0.0", Progress())
    assert service.kept("many") == "1.0.0" and folders(home) == {"1.0.0", "3.0.0"}
    service.prove("lab/many", "3.0.0")
    service.install("many==2.0.0", Progress())
    assert service.kept("many") == "3.0.0" and folders(home) == {"2.0.0", "3.0.0"}
    assert {record.version for record in service.kept_versions()} == {"3.0.0"}
    with pytest.raises(RefusedError, match=r"^acme/boxes: no version before 1\.0\.0 is kept"):
        service.install("boxes", Progress())
        service.roll_back("boxes")


def test_a_version_that_is_being_served_stays(service: PackageService, home: Home, many: Path) -> None:
    write_package(many / "lab/many/3.0.0", name="many", vendor="lab", version="3.0.0", environment="host")
    serving = {"1.0.0"}
    service.watch_versions(lambda ref: serving if ref == "lab/many" else ())
    for number in ("1.0.0", "2.0.0", "3.0.0"):
        proven(service, f"many=={number}")
    assert folders(home) == {"1.0.0", "2.0.0", "3.0.0"} and service.kept("many") == "2.0.0"
    serving.clear()
    proven(service, "many==2.0.0")
    assert folders(home) == {"2.0.0", "3.0.0"} and service.kept("many") == "3.0.0"


def test_a_first_start_that_fails_names_the_way_back(service: PackageService, many: Path) -> None:
    name = SolverName("lab", "many", "detect")
    proven(service, "many==1.0.0")
    service.install("many", Progress())
    with (
        pytest.raises(
            PackageError, match=r"it broke; it is the first start of 2\.0\.0, and 1\.0\.0 is kept: cvflow rollback lab/many --restart$"
        ),
        service.starting(name),
    ):
        raise PackageError("it broke")
    service.prove("lab/many", "2.0.0")
    with pytest.raises(PackageError, match=r"^it broke$"), service.starting(name):
        raise PackageError("it broke")


def test_a_part_of_the_way_back_that_is_gone_is_said(service: PackageService, home: Home, many: Path) -> None:
    proven(service, "many==1.0.0")
    proven(service, "many")
    shutil.rmtree(home.packages / "lab/many/1.0.0")
    with pytest.raises(PackageError, match=r"a part of version 1\.0\.0 is gone"):
        service.roll_back("many")
    service.recover()
    assert service.kept("many") is None and service.installed()[0].version == "2.0.0"


@pytest.mark.parametrize(
    ("installed", "asked", "wanted"),
    [
        ("many==1.0.0", "many", "hub:lab/many"),
        ("many<2", "many", "hub:lab/many<2"),
        ("many==1.*", "lab/many", "hub:lab/many==1.*"),
        ("many", "many==1.0.0", "hub:lab/many==1.0.0"),
        ("many<2", "lab/many>=2", "hub:lab/many>=2"),
    ],
)
def test_what_an_upgrade_asks_the_hub_for(service: PackageService, many: Path, installed: str, asked: str, wanted: str) -> None:
    service.install(installed, Progress())
    assert service.upgrade_request(asked).source == wanted


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("hub:lab/many", ""),
        ("hub:lab/many==2.0", ""),
        ("hub:lab/many<2,>=1", "within <2,>=1, as it was asked for; another: cvflow upgrade lab/many==VERSION"),
        ("/srv/many", ""),
        ("https://h/many<2@x.zip", ""),
        ("git+https://h/x", ""),
        ("git+ssh://git@h/x", ""),
        ("git+ssh://git@h/x@feature/y", "with feature/y, which its source names; another: cvflow install 'git+ssh://git@h/x@REF'"),
        (
            "git+https://h/x@v1#subdirectory=a@b",
            "with v1, which its source names; another: cvflow install 'git+https://h/x@REF#subdirectory=a@b'",
        ),
    ],
)
def test_what_holds_an_upgrade_is_told(source: str, told: str) -> None:
    """Or a package that was installed at a tag would be the newest for ever."""
    assert held_to(source) == told


def test_an_upgrade_from_git_follows_the_branch_and_keeps_what_was_asked(service: PackageService, tmp_path: Path) -> None:
    write_wheel(tmp_path / "wheels", "toy", "1.0", {"toy.py": b"x = 41\n"})
    root = write_package(tmp_path / "acme/boxes", version="1.0.0")
    first = commit_all(root)
    service.install(InstallRequest(f"git+file://{root}@main", requirements=("toy",)), Progress())
    manifest = root / "cvpm.toml"
    manifest.write_text(manifest.read_text().replace("1.0.0", "1.1.0"))
    second = commit_all(root, "more")
    request = service.upgrade_request("boxes")
    assert request == InstallRequest(f"git+file://{root}@main", requirements=("toy",))
    changes = service.plan(request).changes
    assert changes is not None and changes.commits == (first, second)
    assert service.install(request, Progress()).commit == second
    lock = tomllib.loads(service.lock("boxes"))
    assert lock["request"]["requirements"] == ["toy"] and lock["environment"]["resolved"] == ["toy==1.0"]
    with pytest.raises(UsageError, match="which has no numbered versions"):
        service.upgrade_request("boxes==2")
    git(root, "tag", "v2")


# -- linked folders


def test_a_linked_folder_is_served_as_it_is_and_stays_clean(
    service: PackageService, home: Home, tmp_path: Path, trusted: FileServer
) -> None:
    more = weight("own", "nets/own", sha256(DATA)) + weight("far", trusted.add("far", OTHER), sha256(OTHER))
    root = write_package(tmp_path / "mine", source=FIRST, more=more)
    (root / "nets").mkdir()
    (root / "nets/own").write_bytes(DATA)
    before = {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    detail = service.install(InstallRequest(str(root), editable=True), Progress())
    spec = service.run_spec(SolverName("local", "mine", "detect"))
    assert detail.linked == spec.root == str(root) and detail.path is not None and Path(detail.path).is_relative_to(home.packages)
    assert {name: Path(path).read_bytes() for name, path in spec.weights.items()} == {"own": DATA, "far": OTHER}
    assert all(Path(path).is_relative_to(home.packages) for path in spec.weights.values())
    assert {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    # what its author changes holds from the next start on
    (root / "parts/solver.py").write_text(SECOND)
    manifest = root / "cvpm.toml"
    manifest.write_text(manifest.read_text().replace('task = "object-detection"', 'task = "object-detection"\nlabels = ["cat"]'))
    assert service.run_spec(SolverName("local", "mine", "detect")).labels == ("cat",)
    assert [parameter.name for parameter in service.detail("mine").solvers[0].parameters] == ["threshold", "iou"]
    # what its author writes into a weight later does not reach the store
    (root / "nets/own").write_bytes(b"another")
    assert (home.weights / sha256(DATA)).read_bytes() == DATA
    service.recover()
    assert service.installed()[0].ref == "local/mine"
    service.remove("mine")
    assert tree(home) == set() and (root / "cvpm.toml").is_file()


def test_a_linked_folder_may_take_the_place_of_a_copy_and_back(service: PackageService, tmp_path: Path) -> None:
    root = write_package(tmp_path / "mine")
    service.install(str(root), Progress())
    service.install(InstallRequest(str(root), editable=True), Progress())
    assert service.run_spec(SolverName("local", "mine", "detect")).root == str(root)
    detail = service.install(str(root), Progress())
    assert service.run_spec(SolverName("local", "mine", "detect")).root == detail.path


@pytest.mark.parametrize("gone", ["folder", "manifest"])
def test_a_linked_folder_that_is_gone_is_said_by_all_who_need_it(service: PackageService, tmp_path: Path, gone: str) -> None:
    root = write_package(tmp_path / "mine")
    service.install(InstallRequest(str(root), editable=True), Progress())
    service.install("words", Progress())
    assert service.storage.verify(None, Progress()).findings == ()
    kept = tmp_path / "kept"
    missing = root if gone == "folder" else root / "cvpm.toml"
    missing.rename(kept)
    what = "which is gone" if gone == "folder" else "whose cvpm.toml is gone"
    said = f"local/mine is linked to {root}, {what}: put it back, or link it from where it is now: cvflow install FOLDER --editable"
    assert service.storage.verify(None, Progress()).findings == (Finding("local/mine", "folder", str(missing), "missing"),)
    words, mine = service.installed()
    assert mine.problem == said and mine.tagline[:60] == said[:60] and (words.problem, words.solvers) == ("", ("read",))
    for name in ("mine", "local/mine", "mine/detect", "local/mine/detect"):
        with pytest.raises(PackageError) as told:
            service.resolve(name)
        assert told.value.message == said
    assert service.resolve("read").package == "words", "the others are found as before"
    for use in (
        lambda: service.run_spec(SolverName("local", "mine", "detect")),
        lambda: service.detail("mine"),
        lambda: service.storage.verify("mine", Progress(), repair=True),
    ):
        with pytest.raises(PackageError) as told:
            use()
        assert told.value.message == said
    kept.rename(missing)
    assert service.storage.verify(None, Progress()).findings == () and not any(each.problem for each in service.installed())


# -- locks


@pytest.fixture
def locked(service: PackageService, tmp_path: Path) -> Path:
    """A package that was installed, its sources as they were, and its lock in a file."""
    write_wheel(tmp_path / "wheels", "toy", "1.0", {"toy.py": b"x = 41\n"})
    root = write_package(tmp_path / "p", requirements="toy\n", source="import toy\n" + FIRST, more=weight("n", "nets/n"))
    (root / "nets").mkdir()
    (root / "nets/n").write_bytes(DATA)
    service.install(str(root), Progress())
    (tmp_path / "cvflow.lock").write_text(service.lock("p"))
    return root


@pytest.mark.parametrize("how", ["file", "folder", "ref", "lock alone"])
def test_a_lock_brings_the_same_again(service: PackageService, locked: Path, tmp_path: Path, how: str) -> None:
    before = tomllib.loads(service.lock("p"))
    write_wheel(tmp_path / "wheels", "toy", "2.0", {"toy.py": b"x = 42\n"})
    if how != "ref":
        service.remove("p")
    if how == "folder":
        shutil.copy(tmp_path / "cvflow.lock", locked / "cvflow.lock")
    if how == "lock alone":
        (tmp_path / "alone").mkdir()
        shutil.copy(tmp_path / "cvflow.lock", tmp_path / "alone/cvflow.lock")
    places = {"file": f"file:{tmp_path}/cvflow.lock", "folder": str(locked), "ref": "local/p", "lock alone": str(tmp_path / "alone")}
    source = places[how]
    progress = Watching()
    service.install(InstallRequest(source, locked=True), progress)
    assert "resolving the requirements" not in progress.steps
    after = tomllib.loads(service.lock("p"))
    for table in ("files", "weights", "distributions", "environment"):
        assert after[table] == before[table], table
    assert after["environment"]["resolved"] == ["toy==1.0"]
    assert service.install(str(locked), Progress()) and "toy==2.0" in service.lock("p"), "without the lock it is another"


@pytest.mark.parametrize(("wish", "told"), [({"requirements": ("tomli",)}, "--with tomli"), ({"relax": True}, "--relax")])
def test_beside_a_lock_nothing_else_is_asked_for(service: PackageService, tmp_path: Path, wish: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=rf"exactly what a lock says: there is no place for {told} beside it"):
        service.install(InstallRequest(f"file:{tmp_path}/cvflow.lock", locked=True, **wish), Progress())


def test_a_lock_with_another_environment_is_not_what_is_installed_already(service: PackageService, locked: Path, tmp_path: Path) -> None:
    """The same package, and what it runs on is another: one of a month later, say, or of a colleague's."""
    old = InstallRequest(f"file:{tmp_path}/cvflow.lock", locked=True)
    assert service.plan(old).unchanged
    write_wheel(tmp_path / "wheels", "toy", "2.0", {"toy.py": b"x = 42\n"})
    service.install(InstallRequest(str(locked), again=True), Progress())
    (tmp_path / "new.lock").write_text(service.lock("p"))
    assert "toy==2.0" in service.lock("p") and service.plan(InstallRequest(f"file:{tmp_path}/new.lock", locked=True)).unchanged
    plan = service.plan(old)
    assert not plan.unchanged and plan.changes is not None and plan.changes.distributions
    service.install(old, Progress())
    assert "toy==1.0" in service.lock("p") and service.plan(old).unchanged


@pytest.mark.parametrize(
    ("file", "said"),
    [("parts/solver.py", r"parts/solver\.py is another"), ("new.py", r"new\.py is not in it"), ("README.md", r"README\.md is missing")],
)
def test_what_is_not_as_the_lock_says_is_refused(service: PackageService, locked: Path, tmp_path: Path, file: str, said: str) -> None:
    service.remove("p")
    if file == "README.md":
        (locked / file).unlink()
    else:
        (locked / file).write_text("x = 1\n")
    with pytest.raises(PackageError, match=rf"local/p is not what cvflow\.lock says: {said}"):
        service.install(InstallRequest(f"file:{tmp_path}/cvflow.lock", locked=True), Progress())
    assert service.installed() == []


@pytest.mark.parametrize(("line", "other"), [('name = "local/p"', 'name = "local/q"'), ('version = "1.0.0"', 'version = "1.0.1"')])
def test_a_lock_of_another_package_is_not_followed(service: PackageService, locked: Path, tmp_path: Path, line: str, other: str) -> None:
    text = (tmp_path / "cvflow.lock").read_text()
    assert line in text
    (tmp_path / "cvflow.lock").write_text(text.replace(line, other, 1))
    with pytest.raises(PackageError, match=r"local/p 1\.0\.0 is not what cvflow\.lock says: it is a lock of local/"):
        service.plan(InstallRequest(f"file:{tmp_path}/cvflow.lock", locked=True))


def test_a_weight_that_became_another_is_refused_by_the_lock(service: PackageService, locked: Path, tmp_path: Path) -> None:
    text = (tmp_path / "cvflow.lock").read_text()
    (locked / "nets/n").write_bytes(OTHER)
    (tmp_path / "cvflow.lock").write_text(text.replace(f'"nets/n" = "{sha256(DATA)}"', f'"nets/n" = "{sha256(OTHER)}"'))
    service.remove("p")
    with pytest.raises(PackageError, match=f"n: sha256 is {sha256(OTHER)} and should be {sha256(DATA)}"):
        service.install(InstallRequest(f"file:{tmp_path}/cvflow.lock", locked=True), Progress())


@pytest.mark.parametrize("text", ["", "x = 1", "[package]\nsource = 3\n[files]", '[package]\nsource = "a"\n[files]\n"a" = "../x"\n'])
def test_rule_03_a_strangers_lock_is_read_word_by_word(service: PackageService, tmp_path: Path, text: str) -> None:
    (tmp_path / "cvflow.lock").write_text(text)
    with pytest.raises(PackageError, match=r"cvflow\.lock"):
        service.install(InstallRequest(f"file:{tmp_path}/cvflow.lock", locked=True), Progress())
    with pytest.raises(NotFoundError, match=rf"^{tmp_path}/bare: there is no cvflow\.lock to follow"):
        service.install(InstallRequest(str(write_package(tmp_path / "bare")), locked=True), Progress())


def test_rule_10_a_lock_allows_no_script_unless_the_user_does(service: PackageService, tmp_path: Path) -> None:
    root = write_package(tmp_path / "p")
    (root / "setup.sh").write_text("echo made > made.txt\n")
    allowed = (sha256(b"echo made > made.txt\n")[:12],)
    service.install(InstallRequest(str(root), scripts=allowed), Progress())
    (tmp_path / "cvflow.lock").write_text(service.lock("p"))
    again = Path(str(service.install(InstallRequest("local/p", locked=True), Progress()).path))
    assert (again / "made.txt").is_file(), "what the user allowed before is allowed"
    service.remove("p")
    strange = InstallRequest(f"file:{tmp_path}/cvflow.lock", locked=True)
    with pytest.raises(RefusedError, match=rf"was made by setup\.sh too; read what they do, and allow it: --allow-script {allowed[0]}$"):
        service.install(strange, Progress())
    assert service.installed() == []
    assert [script.allowed for script in service.plan(strange).scripts] == [False]
    service.install(replace(strange, scripts=allowed), Progress())
    assert (again / "made.txt").is_file()


@pytest.mark.slow
def test_a_lock_may_be_long(service: PackageService, tmp_path: Path) -> None:
    root = write_package(tmp_path / "p")
    deep = root.joinpath("many", *["d" * 200] * 8)
    deep.mkdir(parents=True)
    for number in range(620):
        (deep / f"{number}-{'x' * 200}").touch()
    (root / 'many/"quoted" \x7f \x01 é').touch()
    service.install(str(root), Progress())
    assert len(service.lock("p")) > TOML_LIMIT
    assert service.plan(InstallRequest("local/p", locked=True)).changes == Changes("1.0.0")
    service.recover()
    assert service.installed()[0].ref == "local/p"
