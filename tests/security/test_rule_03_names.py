"""Rule 3: every name, version and digest from elsewhere is matched when it is read, and the path made of it is checked."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.package import load_package
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.backend.store import Database
from cvflow_tui.home import Home
from cvflow_tui.model.errors import CvflowError, PackageError
from tests.packages.parts import sha256, tree, weight, write_package

HOSTILE = [
    "..",
    ".",
    "/etc",
    "../../x",
    "a/b",
    "a\\b",
    "a\x00b",
    "-rf",
    "a b",
    "a\nb",
    "~root",
    "a" * 300,
    "con\u202e",
    "$(x)",
    "`x`",
    ";x",
]
NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


def toml(text: str) -> str:
    return '"' + "".join(f"\\u{ord(letter):04x}" for letter in text) + '"'


def manifest(root: Path, **fields: str) -> Path:
    path = root / "cvpm.toml"
    lines = [line for line in path.read_text().split("\n") if line.split(" ")[0] not in fields]
    path.write_text("\n".join([lines[0], *(f"{key} = {toml(value)}" for key, value in fields.items()), *lines[1:]]))
    return root


@pytest.mark.parametrize("field", ["name", "vendor", "version"])
@pytest.mark.parametrize("value", HOSTILE)
def test_an_install_never_leaves_its_place(
    service: PackageService, home: Home, state: Database, tmp_path: Path, field: str, value: str
) -> None:
    root = manifest(write_package(tmp_path / "p"), **{field: value})
    outside = {path for path in tmp_path.rglob("*") if not path.is_relative_to(home.root)}
    try:
        detail = service.install(str(root), Progress())
    except PackageError:
        assert tree(home) == set() and state.rows("SELECT * FROM packages") == []
    else:
        # mended, and said so: but only into a name
        assert detail.path is not None and len(Path(detail.path).relative_to(home.packages).parts) == 3
        assert all(NAME.fullmatch(part) for part in Path(detail.path).relative_to(home.packages).parts) and detail.warnings
    assert {path for path in tmp_path.rglob("*") if not path.is_relative_to(home.root)} == outside


@given(
    st.text(st.sampled_from(string.ascii_letters + string.digits + "./\\-_ ~:\n"), max_size=20),
    st.text(st.sampled_from(string.digits + "./+a-!"), max_size=12),
)
def test_whatever_a_manifest_says_the_folder_lies_three_deep(tmp_path_factory: pytest.TempPathFactory, name: str, version: str) -> None:
    root = manifest(write_package(tmp_path_factory.mktemp("p") / "p"), name=name, version=version)
    try:
        package = load_package(root)
    except CvflowError:
        return
    packages = Path("/home/packages")
    path = packages / package.vendor / package.name / package.version
    assert len(path.relative_to(packages).parts) == 3 and ".." not in path.parts and NAME.fullmatch(package.name)


@pytest.mark.parametrize("digest", ["../../../etc/passwd", "A" * 63, "g" * 64, "sha256:" + "a" * 64, "", " " * 64, "a" * 65])
def test_a_digest_is_one_before_it_becomes_a_path(service: PackageService, home: Home, tmp_path: Path, digest: str) -> None:
    root = write_package(tmp_path / "p")
    (root / "n").write_bytes(b"x")
    (root / "cvpm.toml").write_text((root / "cvpm.toml").read_text() + f'\n[[models]]\nname = "n"\nurl = "n"\nsha256 = "{digest}"\n')
    with pytest.raises(PackageError, match="is not a sha256"):
        service.install(str(root), Progress())
    assert tree(home) == set()


@pytest.mark.parametrize("name", ["../n", "/n", "a/b", "..", "a\\\\b", ".", "n\\u0000"])
def test_a_weights_name_is_a_plain_one(service: PackageService, home: Home, tmp_path: Path, name: str) -> None:
    root = write_package(tmp_path / "p", more=weight(name, "n", sha256(b"x")))
    (root / "n").write_bytes(b"x")
    try:
        detail = service.install(str(root), Progress())
    except PackageError:
        assert tree(home) == set()
        return
    # mended, and said so: but only into a plain name
    placed = [path for path in Path(str(detail.path)).rglob("*") if path.is_file() and path.stat().st_nlink > 1]
    root = Path(str(detail.path))
    assert detail.warnings and set(placed) <= {root / "n", root / "pretrained/n"}
    assert not (tmp_path / "n").exists()
