"""What was compiled of a module in one environment is there in the next one; nobody's own bytecode is ever another's."""

from __future__ import annotations

import base64
import hashlib
import marshal
import os
import subprocess
import time
import zipfile
from pathlib import Path

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages import compiling
from cvflow_tui.backend.packages.bytecode import Bytecode
from cvflow_tui.backend.packages.interpreters import own_interpreter
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.home import Home
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.packages import InstallRequest

from .parts import weight, write_package, write_wheel

TOY = b"def where():\n    return where.__code__.co_filename\n"
USES = "import toy, cvflow\nclass Solver(cvflow.Solver):\n    def infer(self, image):\n        return {}\n"


@pytest.fixture
def toy(pip_of_the_test: Path) -> Path:
    write_wheel(pip_of_the_test, "toy", "1.0", {"toy.py": TOY, "never.py": b"x = 1\n", "empty/__init__.py": b""})
    return pip_of_the_test


def in_lists(data: bytes) -> str:
    """A sha256 as RECORD writes it."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def install(service: PackageService, tmp_path: Path, name: str, *, requirements: str = "toy\n", source: str = USES) -> None:
    folder = write_package(tmp_path / name, requirements=requirements, source=source)
    service.install(InstallRequest(str(folder)), Progress())


def kept(home: Home) -> dict[str, Path]:
    return {path.name.partition(".")[0]: path for path in home.bytecode.rglob("*") if path.is_file()}


def compiled(home: Home, module: str = "toy", *, beside: str = "") -> bytes:
    """Of the environment that has a distribution more, or of the only one."""
    [found] = [path for path in home.environments.rglob(f"{module}.*.pyc") if not beside or (path.parents[1] / beside).exists()]
    return found.read_bytes()


def run(home: Home, code: str, *, beside: str = "toy.py") -> str:
    [site] = {path.parent for path in home.environments.rglob(beside)}
    python = site.parents[2] / "bin/python"
    return subprocess.run([str(python), "-B", "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_the_next_environment_need_not_compile_it(service: PackageService, home: Home, tmp_path: Path, toy: Path) -> None:
    install(service, tmp_path, "one")
    assert kept(home).keys() == {in_lists(TOY)}, "what was imported, and no more"
    assert marshal.loads(compiled(home)[16:]).co_filename.endswith("site-packages/toy.py"), "compiled by the import"
    service.remove("local/one")
    assert list(home.environments.iterdir()) == [] and kept(home)
    install(service, tmp_path, "two")
    code = marshal.loads(compiled(home)[16:])
    assert code.co_filename == "module", "the one that was kept: importing it wrote no other"
    [source] = home.environments.rglob("toy.py")
    assert run(home, "import toy; print(toy.where())") == str(source), "tracebacks name the environment's own file"
    assert service.storage.verify(None, Progress()).findings == ()


def test_a_source_that_is_edited_is_what_runs(service: PackageService, home: Home, tmp_path: Path, toy: Path) -> None:
    install(service, tmp_path, "one")
    service.remove("local/one")
    install(service, tmp_path, "two")
    [source] = home.environments.rglob("toy.py")
    copy = source.with_name("copy")
    copy.write_text("def where():\n    return 'edited'\n")
    os.utime(copy, (time.time() + 10, time.time() + 10))
    copy.replace(source)
    assert run(home, "import toy; print(toy.where())") == "edited"


def test_what_a_package_writes_over_its_own_bytecode_comes_to_nobody_else(
    service: PackageService, home: Home, tmp_path: Path, toy: Path
) -> None:
    """It knows how: the header of its own source, another code, before the import ends."""
    write_wheel(toy, "more", "1.0", {"more.py": b""})
    evil = (
        f"{USES}\nimport importlib.util, marshal, pathlib\nplace = pathlib.Path(importlib.util.cache_from_source(toy.__file__))\n"
        "code = compile('def where(): return \"evil\"', 'toy', 'exec')\nplace.write_bytes(place.read_bytes()[:16] + marshal.dumps(code))\n"
    )
    install(service, tmp_path, "one", source=evil)
    assert run(home, "import toy; print(toy.where())") == "evil"
    install(service, tmp_path, "two", requirements="toy\nmore\n")
    assert marshal.loads(compiled(home, beside="more.py")[16:]).co_filename == "module"
    assert run(home, "import toy; print(toy.where())", beside="more.py").endswith("/toy.py")


def test_a_source_that_a_package_changed_before_it_was_compiled_is_not_kept(
    service: PackageService, home: Home, tmp_path: Path, toy: Path
) -> None:
    install(
        service,
        tmp_path,
        "one",
        source=f"{USES}\nimport pathlib\nplace = pathlib.Path(toy.__file__)\nplace.unlink()\nplace.write_text('1')\n",
    )
    assert kept(home) == {}


def test_a_list_that_lies_gets_nothing(service: PackageService, home: Home, tmp_path: Path, toy: Path) -> None:
    """A wheel whose list says that its file is another's, and one whose list leads out of the environment."""
    install(service, tmp_path, "one")
    outside = tmp_path / "outside.py"
    outside.write_bytes(TOY)
    digest = in_lists(TOY)
    wheel = write_wheel(toy, "liar", "1.0", {"liar.py": b"x = 'its own'\n"})
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    up = os.path.relpath(outside, home.environments / "0" / "lib/python3.11/site-packages")
    files["liar-1.0.dist-info/RECORD"] = f"liar.py,sha256={digest},{len(TOY)}\n{up},sha256={digest},{len(TOY)}\n".encode()
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    install(service, tmp_path, "two", requirements="liar\n", source=USES.replace("toy", "liar"))
    assert marshal.loads(compiled(home, "liar")[16:]).co_filename.endswith("liar.py")
    assert not (tmp_path / "__pycache__").exists()


@pytest.mark.parametrize("damage", [b"", b"short", None])
def test_what_is_damaged_is_not_used_and_is_made_anew(
    service: PackageService, home: Home, tmp_path: Path, toy: Path, damage: bytes | None
) -> None:
    install(service, tmp_path, "one")
    [path] = kept(home).values()
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]) if damage is None else damage)
    service.remove("local/one")
    install(service, tmp_path, "two")
    assert marshal.loads(compiled(home)[16:]).co_filename.endswith("toy.py")
    assert kept(home)[path.name.partition(".")[0]].read_bytes() == good


def test_it_is_in_the_accounts_and_goes_where_nothing_has_it(service: PackageService, home: Home, tmp_path: Path, toy: Path) -> None:
    write_wheel(toy, "more", "1.0", {"more.py": b"y = 1\n"})
    install(service, tmp_path, "one")
    install(service, tmp_path, "two", requirements="more\n", source=USES.replace("toy", "more"))
    assert [entry.kind for entry in service.storage.usage().entries].count("bytecode") == 1
    assert service.storage.prunable().entries == ()
    service.remove("local/one")
    [entry] = service.storage.prunable().entries
    assert entry.kind == "bytecode" and entry.bytes == kept(home)[in_lists(TOY)].stat().st_blocks * 512
    service.storage.prune(Progress())
    assert kept(home).keys() == {in_lists(b"y = 1\n")}
    stale = next(iter(kept(home).values()))
    (home.bytecode / "cpython-3.11.0").mkdir()
    stale.replace(home.bytecode / "cpython-3.11.0" / stale.name)
    assert [entry.kind for entry in service.storage.prunable().entries] == ["bytecode"], "of an interpreter that none is made of"


def test_an_install_that_fails_keeps_nothing(service: PackageService, home: Home, tmp_path: Path, toy: Path) -> None:
    folder = write_package(tmp_path / "one", requirements="toy\n", source=USES, more=weight("w.bin", (tmp_path / "gone.bin").as_uri()))
    with pytest.raises(PackageError):
        service.install(InstallRequest(str(folder)), Progress())
    assert not home.bytecode.exists()


def test_what_takes_too_long_is_left_to_a_later_install(
    service: PackageService, home: Home, tmp_path: Path, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a thousand modules some are compiled in no time at all, each of them whole."""
    many = {f"many/m{number}.py": f"x = {number}\n".encode() for number in range(1000)}
    write_wheel(toy, "many", "1.0", {"many/__init__.py": b"", **many})
    source = USES.replace("toy", "importlib") + "\nfor number in range(1000):\n    importlib.import_module(f'many.m{number}')\n"
    monkeypatch.setattr(compiling, "PATIENCE", 0.0)
    install(service, tmp_path, "one", requirements="many\n", source=source)
    first = len(kept(home))
    assert first < 1001
    service.remove("local/one")
    monkeypatch.setattr(compiling, "PATIENCE", 60.0)
    install(service, tmp_path, "two", requirements="many\n", source=source)
    assert len(kept(home)) == 1001
    assert all(path.read_bytes()[:32] == hashlib.sha256(path.read_bytes()[32:]).digest() for path in kept(home).values())


def test_what_cannot_be_kept_stops_no_install(
    service: PackageService, home: Home, tmp_path: Path, toy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home.bytecode.write_text("a file in its place")
    install(service, tmp_path, "one")
    assert [package.ref for package in service.installed()] == ["local/one"]
    assert "not kept" in caplog.text


def test_nothing_is_kept_of_what_does_not_compile(tmp_path: Path) -> None:
    site = tmp_path / "environment/lib/python3.11/site-packages"
    sources = {"good.py": b"x = 1\n", "bad.py": b"x = = 1\n", "deep.py": b"x = " + b"(" * 5000 + b")" * 5000, "nul.py": b"x = 1\0"}
    (site / "__pycache__").mkdir(parents=True)
    (site / "d-1.dist-info").mkdir()
    lines = []
    for name, data in sources.items():
        (site / name).write_bytes(data)
        (site / "__pycache__" / f"{name[:-3]}.cpython-311.pyc").write_bytes(b"")
        lines.append(f"{name},sha256={in_lists(data)},{len(data)}\n")
    (site / "d-1.dist-info/RECORD").write_text("".join(lines))
    bytecode, fresh = Bytecode(tmp_path / "bytecode"), tmp_path / "fresh"
    bytecode.compile(tmp_path / "environment", own_interpreter(), fresh, Progress())
    bytecode.keep(fresh, own_interpreter())
    [found] = [path for path in (tmp_path / "bytecode").rglob("*") if path.is_file()]
    assert found.name.partition(".")[0] == in_lists(sources["good.py"])
