"""Packages as they were really published: each kind of brokenness, what is said of it, and that it runs where it can."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.package import load_package
from cvflow_tui.backend.packages.repair import repair_class, repair_manifest
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.home import Home
from cvflow_tui.model.errors import PackageError, RefusedError, RemoteError, UsageError
from cvflow_tui.model.packages import InstallRequest
from tests.originals.conftest import Install, Serve
from tests.originals.published import CVPM_SOLVER, MLPM_SOLVER, cvpm_package, mlpm_package, write
from tests.packages.parts import commit_all, sha256, write_wheel
from tests.runtime.helpers import make_picture

PLAIN = "class {name}:\n    def infer(self, data):\n        return {{}}\n"


def manifest(class_path: str) -> str:
    return f'[package]\nname = "byte_counter"\n[[solvers]]\nname = "CountSolver"\nclass = "{class_path}"\n'


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("byte-counter/solver/CountSolver", "took byte_counter/solver/CountSolver"),
        ("bite_counter/solver/CountSolver", "took byte_counter/solver/CountSolver"),
        ("byte_counter/solver/CounterSolver", "took byte_counter/solver/CountSolver"),
        ("byte_counter/solver/countsolver", "took byte_counter/solver/CountSolver"),
        ("byte_counter/solvers/CountSolver", "took byte_counter/solver/CountSolver"),
        ("Byte_Counter/Solver/CountSolver", "took byte_counter/solver/CountSolver"),
        ("byte_counter.solver.CountSolver", "is not written folder/file/Class"),
        ("byte_counter/solver.py/CountSolver", "is not written folder/file/Class"),
    ],
)
def test_a_class_path_that_is_wrong_is_mended_and_told(tmp_path: Path, written: str, said: str) -> None:
    package = load_package(cvpm_package(tmp_path, **{"cvpm.toml": manifest(written)}))
    assert package.solvers[0].class_path == "byte_counter/solver/CountSolver"
    assert len(package.repairs) == 1 and said in package.repairs[0] and package.repairs[0] in package.warnings


def test_a_class_path_is_not_guessed_among_several(tmp_path: Path) -> None:
    two = PLAIN.format(name="One") + PLAIN.format(name="Two")
    root = write(tmp_path, {"a/solver.py": two, "b/solver.py": PLAIN.format(name="Three")})
    assert repair_class(root, "a/solver/Four") == ("a/solver/Four", None)
    assert repair_class(root, "c/solver/One") == ("c/solver/One", None)
    assert repair_class(root, "a/solver/TwoSolver")[0] == "a/solver/Two"
    assert repair_class(root, "b/other/Nobody")[0] == "b/solver/Three"


def test_the_only_class_of_all_is_taken_where_one_solver_is_declared(tmp_path: Path) -> None:
    root = write(
        tmp_path, {"cvpm.toml": manifest("nope/x/Nope"), "a/helper.py": "class Helper: ...\n", "a/b/deep.py": PLAIN.format(name="Deep")}
    )
    package = load_package(root)
    assert package.solvers[0].class_path == "a/b/deep/Deep"
    assert package.repairs == ("cvpm.toml: solvers[0]: class 'nope/x/Nope' is not there: took a/b/deep/Deep",)
    (root / "cvpm.toml").write_text(manifest("nope/x/Nope") + '[[solvers]]\nname = "two"\nclass = "a/b/deep/Deep"\n')
    assert load_package(root).solvers[0].class_path == "nope/x/Nope", "which of two is meant nobody knows"


def test_a_class_path_that_leads_nowhere_is_no_forgotten_distribution(service: PackageService, tmp_path: Path) -> None:
    """A name that was mistyped is free for anybody to have on an index."""
    two = PLAIN.format(name="One") + PLAIN.format(name="Two")
    root = write(tmp_path / "p", {"cvpm.toml": manifest("nope/x/Nope"), "a/solver.py": two})
    with pytest.raises(PackageError) as told:
        service.install(str(root), Progress())
    assert told.value.message.endswith("there is no nope/x.py in the package: its manifest names a class that is not there")
    assert told.value.mends == () and "--with" not in told.value.message


def test_a_right_class_path_is_left_alone(tmp_path: Path) -> None:
    package = load_package(cvpm_package(tmp_path))
    assert package.repairs == () and package.solvers[0].class_path == "byte_counter/solver/CountSolver"
    tables = tomllib.loads(manifest("a/b/C"))
    assert repair_manifest(tables) == (tables, [])


@pytest.mark.slow
def test_a_mended_package_runs(tmp_path: Path, install: Install, serve: Serve) -> None:
    root = cvpm_package(tmp_path / "counter", **{"cvpm.toml": manifest("byte-counter/solver/Count")})
    reply = serve(install(root), "CountSolver").infer(make_picture(), "?mode=boxes")
    assert reply.status == 200 and reply.json == [[1, 30, 20, 5]]


@pytest.mark.slow
def test_strict_refuses_what_needs_repairs_and_takes_what_does_not(tmp_path: Path, install: Install) -> None:
    broken = cvpm_package(tmp_path / "broken", **{"cvpm.toml": manifest("byte-counter/solver/CountSolver")})
    with pytest.raises(PackageError, match=r"needs repairs, and --strict refuses them: cvpm\.toml: solvers\[0\]: class 'byte-counter"):
        install(broken, strict=True)
    assert install(cvpm_package(tmp_path / "whole"), strict=True)


def test_invalid_toml_names_the_line(tmp_path: Path) -> None:
    root = cvpm_package(tmp_path, **{"cvpm.toml": '[package]\nname = "x"\n[[solvers]]\nname = CountSolver\n'})
    with pytest.raises(PackageError, match=r"cvpm\.toml, line 4: is not TOML.*name = CountSolver"):
        load_package(root)


def test_invalid_toml_of_the_weights_names_the_line(tmp_path: Path) -> None:
    root = cvpm_package(tmp_path, **{"pretrained/pretrained.toml": '[[models]\nname = "x"\n'})
    with pytest.raises(PackageError, match=r"pretrained/pretrained\.toml, line 1: is not TOML"):
        load_package(root)


def test_an_empty_manifest_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"cvpm\.toml is empty: a manifest needs a \[package\] table and a \[\[solvers\]\] table"):
        load_package(cvpm_package(tmp_path, **{"cvpm.toml": ""}))


def test_an_empty_manifest_stands_back_behind_a_full_one(tmp_path: Path) -> None:
    root = mlpm_package(tmp_path)
    (root / "cvpm.toml").write_text("")
    assert load_package(root).ref == "aidmodels/echo"


def test_the_root_weights_file_comes_first_unless_it_is_empty(tmp_path: Path) -> None:
    root = cvpm_package(tmp_path)
    assert [model.name for model in load_package(root).models] == ["table"]
    (root / "pretrained.toml").write_text("")
    assert [model.name for model in load_package(root).models] == ["table"]
    (root / "pretrained.toml").write_text('[[models]]\nname = "other"\nurl = "files/table.dat"\n')
    assert [model.name for model in load_package(root).models] == ["other"]


def test_weights_without_names_of_their_own_are_called_as_their_files(tmp_path: Path) -> None:
    told = (
        '[[models]]\nname = "model"\nurl = "https://a.invalid/one.h5"\n[[models]]\nname = "model"\nurl = "https://a.invalid/two.h5?dl=1"\n'
        '[[models]]\nurl = "https://a.invalid/three.h5"\n'
    )
    package = load_package(cvpm_package(tmp_path, **{"pretrained/pretrained.toml": told}))
    assert [model.name for model in package.models] == ["one.h5", "two.h5", "three.h5"]
    assert len(package.repairs) == 3 and "'model' is no name of its own: called 'one.h5'" in package.repairs[0]


def test_a_name_with_a_blank_and_a_vendor_that_is_empty(tmp_path: Path) -> None:
    told = '[package]\nname = "Byte Counter"\nvendor = ""\n[[solvers]]\nname = "s"\nclass = "byte_counter/solver/CountSolver"\n'
    package = load_package(cvpm_package(tmp_path, **{"cvpm.toml": told}), vendor="unarxiv")
    assert package.ref == "unarxiv/byte-counter" and package.repairs == (
        "package.name: 'Byte Counter' is not a name: read as 'Byte-Counter'",
    )


def test_lines_that_are_no_requirement_are_left_out_and_told(tmp_path: Path) -> None:
    package = load_package(cvpm_package(tmp_path, **{"requirements.txt": ".data/\ncvpm==0.0.2.5\nnumpy>=1\n"}))
    assert package.requirements == ("numpy>=1",)
    assert any("'.data/'" in each for each in package.warnings) and any(
        "cvpm, which cvflow brings itself" in each for each in package.warnings
    )


def test_an_unknown_adapter_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    told = manifest("byte_counter/solver/CountSolver") + 'result = "boxes"\n'
    with pytest.raises(
        PackageError, match=r"solvers\[0\]\.result: 'boxes' is no adapter of results: use one of caption.*top-right-bottom-left"
    ):
        load_package(cvpm_package(tmp_path, **{"cvpm.toml": told}))


@pytest.mark.slow
def test_a_solver_that_never_calls_its_base_and_never_says_it_is_ready(tmp_path: Path, install: Install, serve: Serve) -> None:
    source = MLPM_SOLVER.replace("super().__init__(toml_file)", "pass").replace("self.ready()", "pass")
    reply = serve(install(mlpm_package(tmp_path / "echo", **{"echo/solver.py": source})), "EchoSolver").form(None, text="quiet")
    assert reply.status == 200 and reply.json["upper"] == "QUIET"


@pytest.mark.slow
def test_results_of_any_kind_are_made_json(tmp_path: Path, install: Install, serve: Serve) -> None:
    code = b"class Array:\n    def __init__(self, value): self.value = value\n    def tolist(self): return self.value\n"
    write_wheel(tmp_path / "wheels", "numpi", "1.0", {"numpi.py": code})
    source = (
        "import numpi\nfrom mlpm.solver import Solver\n\nKINDS = {'none': None, 'scalar': 3, 'tuple': (1, (2, 3)), 'nan': float('nan'),\n"
        "    'array': numpi.Array([[1.5]]), 'number': {'at': numpi.Array(7)}, 'set': {4}, 'text': 'plain'}\n\n\n"
        "class EchoSolver(Solver):\n    def infer(self, data):\n        return KINDS[data['kind']]\n"
    )
    root = mlpm_package(tmp_path / "echo", **{"echo/solver.py": source, "requirements.txt": "numpi\n"})
    client = serve(install(root), "EchoSolver")
    wanted = {
        "none": None,
        "scalar": 3,
        "tuple": [1, [2, 3]],
        "nan": None,
        "array": [[1.5]],
        "number": {"at": 7},
        "set": [4],
        "text": "plain",
    }
    assert {kind: client.form(None, kind=kind).json for kind in wanted} == wanted


@pytest.mark.slow
def test_scripts_are_never_run_unasked(tmp_path: Path, install: Install, service: PackageService) -> None:
    ran = tmp_path / "ran"
    told = '[package]\nname = "echo"\nbefore_install = "scripts/install.sh"\n'
    told += '[[solvers]]\nname = "EchoSolver"\nclass = "echo/solver/EchoSolver"\n'
    scripts = dict.fromkeys(("prepip.sh", "setup.sh", "scripts/install.sh"), f"touch {ran}\n")
    root = mlpm_package(tmp_path / "echo", **{"aid.toml": told}, **scripts)
    install(root)
    assert not ran.exists()


LOST = '[[models]]\nname = "table"\nurl = "http://127.0.0.1:9/somewhere/table.dat"\n'


@pytest.mark.slow
def test_a_weight_whose_host_is_gone_names_the_command_that_helps(tmp_path: Path, install: Install) -> None:
    root = cvpm_package(tmp_path / "counter", **{"pretrained/pretrained.toml": LOST})
    with pytest.raises(RemoteError, match=rf"if you have the file: cvflow install git\+file://{root} --weights table=FILE"):
        install(root)


@pytest.mark.slow
def test_a_weight_that_the_package_lacks_names_the_command_that_helps(tmp_path: Path, install: Install) -> None:
    root = cvpm_package(tmp_path / "counter")
    (root / "files/table.dat").unlink()
    with pytest.raises(PackageError, match=r"there is no file 'files/table\.dat' in the package; if you have the file: cvflow install"):
        install(root)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["name", "file name", "folder", "url"])
def test_weights_that_the_user_has(tmp_path: Path, install: Install, serve: Serve, home: Home, how: str) -> None:
    root = cvpm_package(tmp_path / "counter", **{"pretrained/pretrained.toml": LOST})
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "table.dat").write_text("mine\n")
    given = {
        "name": f"table={kept / 'table.dat'}",
        "file name": f"table.dat={kept / 'table.dat'}",
        "folder": str(kept),
        "url": f"table={(kept / 'table.dat').as_uri()}",
    }
    ref = install(root, weights=(given[how],))
    assert serve(ref, "CountSolver").infer(make_picture(), "?mode=facts").json["word"] == "mine"
    (lock,) = home.packages.rglob("cvflow.lock")
    (recorded,) = tomllib.loads(lock.read_text())["weights"]
    assert recorded["name"] == "table" and len(recorded["sha256"]) == 64


@pytest.mark.slow
def test_weights_that_the_user_had_once_are_remembered(tmp_path: Path, install: Install, serve: Serve, service: PackageService) -> None:
    root = cvpm_package(tmp_path / "counter", **{"pretrained/pretrained.toml": LOST})
    kept = tmp_path / "table.dat"
    kept.write_text("mine\n")
    ref = install(root, weights=(f"table={kept}",))
    digest = sha256(kept.read_bytes())
    kept.unlink()
    (root / "README.md").write_text("newer")
    commit_all(root)
    request = service.upgrade_request(ref)
    assert request.weights == (f"table={kept.as_uri()}#sha256={digest}",)
    service.install(request, Progress())
    assert service.detail(ref).readme == "newer"
    assert serve(ref, "CountSolver").infer(make_picture(), "?mode=facts").json["word"] == "mine"


@pytest.mark.slow
def test_a_lock_of_an_original_package_is_followed(tmp_path: Path, install: Install, service: PackageService, home: Home) -> None:
    ref = install(cvpm_package(tmp_path / "counter"))
    (lock,) = home.packages.rglob("cvflow.lock")
    assert {"pretrained/table", "pretrained/table.dat"} <= {f"pretrained/{each.name}" for each in (lock.parent / "pretrained").iterdir()}
    assert not [name for name in tomllib.loads(lock.read_text())["files"] if name.startswith("pretrained/table")]
    kept = tmp_path / "cvflow.lock"
    kept.write_bytes(lock.read_bytes())
    service.remove(ref)
    assert service.install(InstallRequest(str(kept), locked=True), Progress()).summary.ref == ref


def test_weights_that_nobody_asked_for_or_that_are_not_there(tmp_path: Path, service: PackageService) -> None:
    root = cvpm_package(tmp_path / "counter", **{"pretrained/pretrained.toml": LOST})
    empty = tmp_path / "empty"
    empty.mkdir()
    for given, said in (
        (f"table={tmp_path}/none.dat", "there is no file"),
        (str(empty), "none of the package's weights"),
        ("x", "give NAME=FILE"),
    ):
        with pytest.raises(UsageError, match=said):
            service.install(InstallRequest(str(root), weights=(given,)), Progress())


@pytest.mark.slow
def test_the_weights_file_that_the_constructor_requires(tmp_path: Path, install: Install, serve: Serve) -> None:
    source = CVPM_SOLVER.replace("toml_file=None", "toml_file")
    reply = serve(install(cvpm_package(tmp_path / "c", **{"byte_counter/solver.py": source})), "CountSolver").infer(
        make_picture(), "?mode=boxes"
    )
    assert reply.status == 200


@pytest.mark.slow
def test_what_cvflow_brings_itself_is_not_called_forgotten(tmp_path: Path, install: Install) -> None:
    source = "import cvpm.solver\nimport pkg_resources\nimport dlib\n\n\nclass CountSolver(cvpm.solver.Solver):\n    pass\n"
    with pytest.raises(PackageError, match="No module named 'dlib'") as caught:
        install(cvpm_package(tmp_path / "c", **{"byte_counter/solver.py": source}))
    assert "--with dlib-bin" in caught.value.message
    assert "--with pkg" not in caught.value.message and "--with cvpm" not in caught.value.message


@pytest.mark.slow
def test_pins_that_no_longer_exist_are_relaxed_on_request(tmp_path: Path, install: Install, serve: Serve) -> None:
    write_wheel(tmp_path / "wheels", "toy", "2.0", {"toy.py": b"WORD = 'newer'"})
    source = (
        "import toy\nfrom mlpm.solver import Solver\n\n\nclass EchoSolver(Solver):\n    def infer(self, data):\n        return toy.WORD\n"
    )
    root = mlpm_package(
        tmp_path / "echo", **{"echo/solver.py": source, "requirements.txt": f"toy==1.0 --hash=sha256:{'0' * 64}\nmlserve\n"}
    )
    with pytest.raises((PackageError, RefusedError), match="--relax"):
        install(root)
    assert serve(install(root, relax=True), "EchoSolver").form(None, text="x").json == "newer"
