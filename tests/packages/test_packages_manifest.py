"""Manifests: what is read, what is refused, and with which line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvflow_tui.backend.packages.manifest import MOST_SOLVERS, check_name, read_manifest
from cvflow_tui.backend.packages.package import load_package
from cvflow_tui.backend.packages.requirements import read_requirements
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.names import NAME
from cvflow_tui.model.packages import Parameter

from .parts import weight, write_package

SHORTEST = '[package]\nname = "a"\n[[solvers]]\nname = "s"\nclass = "a/b/C"\n'


def manifest(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "cvpm.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_the_original_form_is_enough_and_unknown_keys_are_kept(tmp_path: Path) -> None:
    (tmp_path / "aid.toml").write_text(
        '[package]\nname = "Face_Utility"\nvendor = "AID-team"\ngpu = true\n'
        '[[solvers]]\nname = "Enc"\nclass = "Face/enc/E"\nresult = "top-right-bottom-left"\nx = 1\n[extra]\ny = 2\n'
    )
    package = load_package(tmp_path)
    assert (package.vendor, package.name, package.version) == ("aid-team", "face_utility", "0")
    assert package.manifest.package.model_extra == {"gpu": True}
    assert package.manifest.solvers[0].model_extra == {"x": 1}
    assert package.manifest.solvers[0].result == "top-right-bottom-left"
    assert package.manifest.model_extra == {"extra": {"y": 2}}
    assert [(solver.name, solver.class_path, solver.task) for solver in package.solvers] == [("Enc", "Face/enc/E", "other")]


def test_cvpm_toml_wins_over_aid_toml(tmp_path: Path) -> None:
    manifest(tmp_path, SHORTEST)
    (tmp_path / "aid.toml").write_text("broken [")
    assert load_package(tmp_path).name == "a"


def test_a_commit_stands_in_for_a_version(tmp_path: Path) -> None:
    manifest(tmp_path, SHORTEST)
    assert load_package(tmp_path, commit="abcdef0123456789").version == "0+gabcdef0"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[package]\nname = \nx = 1", 2),
        ("[package]\n\n\nname 'a'", 4),
        ('[package]\nname = "a', 2),
        (b"[package]\nname = 'a'\ntagline = '\xff'", 3),
    ],
)
def test_broken_toml_names_file_and_line(tmp_path: Path, text: str | bytes, line: int) -> None:
    with pytest.raises(PackageError, match=rf"^cvpm\.toml, line {line}: "):
        read_manifest(manifest(tmp_path, text))


def test_a_folder_without_a_manifest(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"there is no cvpm\.toml in this folder"):
        load_package(tmp_path)


@pytest.mark.parametrize(
    ("replaced", "by", "said"),
    [
        ('name = "a"', 'name = "../evil"', r"package\.name: '\.\./evil' is not a name: use letters"),
        ('name = "a"', 'name = "a..b"', r"package\.name: 'a\.\.b' is not a name"),
        ('name = "a"', 'name = "a\\u001b[31m"', r"package\.name: 'a' is not a name"),
        ('name = "a"', "name = 5", r"package\.name: is 5: it must be text in quotes"),
        ('name = "a"', "", r'package\.name: is missing: add name = "…"'),
        ('name = "a"', 'name = "a"\nversion = "one"', r"package\.version: 'one' is not a version: write it like"),
        ('name = "a"', 'name = "a"\npython = "new"', r"package\.python: 'new' is not a range"),
        ('name = "a"', 'name = "a"\nenvironment = "docker"', r"package\.environment: is 'docker': input should be 'venv' or 'host'"),
        ('name = "s"', 'name = "s/t"', r"solvers\[0\]\.name: 's/t' is not a name"),
        ('class = "a/b/C"', "", r'solvers\[0\]\.class: is missing: add class = "folder/file/Class"'),
        ('class = "a/b/C"', 'class = "a.b.C"', r"solvers\[0\]\.class: 'a\.b\.C' is not a class path"),
        ('class = "a/b/C"', 'class = "../b/C"', r"solvers\[0\]\.class: '\.\./b/C' is not a class path"),
        ('class = "a/b/C"', 'class = "a/b/C"\ntask = "magic"', r"solvers\[0\]\.task: 'magic' is not a task: use one of object-detection"),
        ('class = "a/b/C"', 'class = "a/b/C"\nbatch = 0', r"solvers\[0\]\.batch: is 0: "),
        ('class = "a/b/C"', 'class = "a/b/C"\nlabels = [1]', r"solvers\[0\]\.labels"),
        ('class = "a/b/C"', 'class = "a/b/C"\n[[solvers]]\nname = "S"\nclass = "a/b/D"', r"solvers: 's' is there twice|solvers: 'S' is"),
        ('class = "a/b/C"', 'class = "a/b/C"' + weight("../w", "x"), r"models\[0\]\.name: '\.\./w' is not a file name"),
        ('class = "a/b/C"', 'class = "a/b/C"' + weight("w", "x", "12"), r"models\[0\]\.sha256: '12' is not a sha256"),
    ],
)
def test_a_bad_field_names_itself_and_the_mend(tmp_path: Path, replaced: str, by: str, said: str) -> None:
    assert replaced in SHORTEST
    with pytest.raises(PackageError, match=rf"^cvpm\.toml: ({said})") as caught:
        read_manifest(manifest(tmp_path, SHORTEST.replace(replaced, by)))
    assert "\n" not in caught.value.message


def test_no_solver_at_all(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"solvers: is missing: add a \[\[solvers\]\] table"):
        read_manifest(manifest(tmp_path, '[package]\nname = "a"\n'))


@given(st.text(max_size=30))
def test_names_are_plain_or_refused(text: str) -> None:
    try:
        name = check_name(text)
    except ValueError:
        return
    assert NAME.fullmatch(name)
    assert name == text.lower()
    assert ".." not in name and "/" not in name


def test_host_is_for_bundled_packages(tmp_path: Path) -> None:
    write_package(tmp_path / "p", environment="host")
    with pytest.raises(PackageError, match=r'package\.environment: "host" is for the packages that cvflow brings itself'):
        load_package(tmp_path / "p")
    assert load_package(tmp_path / "p", bundled=True).environment == "host"


def test_labels_from_a_list_and_from_a_file(tmp_path: Path) -> None:
    root = write_package(tmp_path / "p", more='labels = ["a", "b"]')
    assert load_package(root).solvers[0].labels == ("a", "b")
    root = write_package(tmp_path / "q", more='labels = "parts/l.txt"')
    with pytest.raises(PackageError, match=r"cvpm\.toml: solvers\[0\]\.labels: there is no file 'parts/l\.txt'"):
        load_package(root)
    (root / "parts/l.txt").write_text("cat\n\n dog \r\n")
    assert load_package(root).solvers[0].labels == ("cat", "dog")


def test_a_package_has_so_many_solvers_at_most(tmp_path: Path) -> None:
    solvers = "".join(f'[[solvers]]\nname = "s{number}"\nclass = "a/b/C"\n' for number in range(MOST_SOLVERS + 1))
    with pytest.raises(PackageError, match=rf"solvers: has more than {MOST_SOLVERS} entries"):
        read_manifest(manifest(tmp_path, f'[package]\nname = "a"\n{solvers}'))


@pytest.mark.parametrize("path", ["../outside.txt", "/etc/hostname", "link.txt"])
def test_labels_do_not_lead_out_of_the_package(tmp_path: Path, path: str) -> None:
    (tmp_path / "outside.txt").write_text("secret")
    root = write_package(tmp_path / "p", more=f'labels = "{path}"')
    (root / "link.txt").symlink_to(tmp_path / "outside.txt")
    with pytest.raises(PackageError, match="leads out of the package"):
        load_package(root)


@pytest.mark.parametrize("place", ["pretrained.toml", "pretrained/pretrained.toml"])
def test_the_original_weights_file(tmp_path: Path, place: str) -> None:
    root = write_package(tmp_path / "p")
    (root / place).parent.mkdir(exist_ok=True)
    (root / place).write_text(weight("net", "https://example.org/files/net.pth"))
    package = load_package(root)
    assert [(model.name, model.url) for model in package.models] == [("net", "https://example.org/files/net.pth")]
    assert package.original_weights
    assert package.warnings == ("net has no sha256: whatever its source sends first is trusted",)
    (root / place).write_text("\n[[models]\n")
    with pytest.raises(PackageError, match=rf"^{place}, line 2: "):
        load_package(root)


def test_requirements_are_read_as_they_come(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text(
        "numpy>=1.24  # arrays\n\n# nothing\n.data/\ncvpm==0.0.2.5\nmlserve\n-e git+https://x/y\n--index-url https://evil\n"
        "Pillow==10.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\ntorch; sys_platform == 'win32'\n"
    )
    read = read_requirements(path)
    assert read.lines == (
        "numpy>=1.24",
        "y @ git+https://x/y",
        "Pillow==10.0 --hash=sha256:aa --hash=sha256:bb",
        'torch; sys_platform == "win32"',
    )
    assert len(read.warnings) == 4
    assert "left out '.data/', which is no requirement" in read.warnings[0]
    assert "left out cvpm, which cvflow brings itself" in read.warnings[1]
    assert read_requirements(tmp_path / "none.txt").lines == ()


def test_signatures_are_read_without_running_anything(tmp_path: Path) -> None:
    source = "raise SystemExit('was run')\n" + SOURCE
    package = load_package(write_package(tmp_path / "p", source=source))
    assert package.solvers[0].parameters == (
        Parameter("threshold", "float", 0.3),
        Parameter("label", "str", "box"),
        Parameter("points", "Literal[5, 68]", 68),
        Parameter("name", "str", None, required=True),
        Parameter("deep", "bool", "FLAG"),
    )
    assert package.solvers[0].trainable


SOURCE = """
class Base:
    def train(self, dataset, checkpoint, report): ...
    def infer(self, image, wrong: int = 1): ...

class Solver(Base):
    def infer(self, image, threshold: float = 0.3, label="box", *, points: "Literal[5, 68]" = 68, name: str, deep: bool = FLAG, **rest): ...
"""


@pytest.mark.parametrize("shape", ["self, image_file, config", "self, data", "self", "self, *args, **kwargs"])
def test_the_original_call_shapes_have_no_parameters(tmp_path: Path, shape: str) -> None:
    package = load_package(write_package(tmp_path / "p", source=f"class Solver:\n    def infer({shape}): ...\n"))
    assert package.solvers[0].parameters == ()
    assert not package.solvers[0].trainable


def test_inherited_from_another_file_of_the_package(tmp_path: Path) -> None:
    root = write_package(tmp_path / "p", source="from .base import Common as Parent\nclass Solver(Parent): ...\n")
    (root / "parts/base.py").write_text("class Common:\n    def infer(self, image, depth: int = 2): ...\n    def train(self): ...\n")
    assert load_package(root).solvers[0].parameters == (Parameter("depth", "int", 2),)
    assert load_package(root).solvers[0].trainable


@pytest.mark.parametrize(
    "source", ["class Solver(:", "class Other: ...", "class Solver(Solver): ...", "from .solver import Solver\n", "\0"]
)
def test_a_source_that_says_nothing_is_no_error(tmp_path: Path, source: str) -> None:
    assert load_package(write_package(tmp_path / "p", source=source)).solvers[0].parameters == ()
