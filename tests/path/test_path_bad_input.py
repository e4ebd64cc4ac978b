"""Bad input through the command line: one line, the promised code, and a home folder that holds what it held."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.path.conftest import Cvflow

pytestmark = pytest.mark.slow

MANIFEST = """[package]
name = "{name}"
vendor = "me"
version = "1.0.0"
license = "MIT"

[[solvers]]
name = "detect"
class = "{entry}"
task = "object-detection"
labels = ["a"]
"""
SOLVER = "import cvflow\n\nclass S(cvflow.Solver):\n    def infer(self, image):\n        return {}\n"


def make_package(parent: Path, name: str, *, source: str = SOLVER, entry: str = "m/S", more: str = "") -> Path:
    folder = parent / name
    folder.mkdir()
    (folder / "cvpm.toml").write_text(MANIFEST.format(name=name, entry=entry) + more)
    (folder / "m.py").write_text(source)
    return folder


def held(program: Cvflow) -> set[str]:
    """Every file and folder of the home but logs, the database's side files and shared environments."""
    names = {str(path.relative_to(program.home)) for path in program.home.rglob("*")}
    return {name for name in names if not name.startswith(("logs/", "environments/")) and not name.endswith(("-wal", "-shm"))}


def refused(program: Cvflow, code: int, *arguments: str) -> str:
    """The one line of a command that is refused; with --json the same as JSON. Nothing is left of either."""
    before = held(program)
    done = program.run(*arguments)
    assert done.returncode == code, (arguments, done.returncode, done.stderr)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, (arguments, lines)
    assert lines[0].startswith("cvflow: ")
    assert lines[0].isprintable()
    told = program.run(*arguments, "--json")
    assert told.returncode == code
    assert json.loads(told.stdout)["error"] == lines[0].removeprefix("cvflow: ")
    assert held(program) == before, arguments
    return lines[0].removeprefix("cvflow: ")


def test_packages_that_cannot_be(cvflow: Cvflow, tmp_path: Path) -> None:
    cvflow.ok("list")
    plain = tmp_path / "plain"
    plain.mkdir()
    install = ("install", "--yes", "--quiet")
    assert refused(cvflow, 6, *install, str(plain)) == f"{plain}: there is no cvpm.toml in this folder; a package needs one"
    (plain / "cvpm.toml").write_text('[package]\nname = "plain"\nversion = \n')
    assert refused(cvflow, 6, *install, str(plain)).startswith(f"{plain}: cvpm.toml, line 3: is not TOML")
    assert "there is no such folder" in refused(cvflow, 3, *install, str(tmp_path / "nowhere"))
    weight = f'\n[[models]]\nname = "w.bin"\nurl = "w.bin"\nsha256 = "{"0" * 64}"\n'
    wrong = make_package(tmp_path, "wrong", more=weight)
    (wrong / "w.bin").write_bytes(b"another file")
    told = refused(cvflow, 6, *install, str(wrong))
    assert told.startswith("w.bin: sha256 is ")
    assert f"should be {'0' * 64}; nothing was kept" in told
    assert cvflow.json("list") == []


def test_a_class_that_does_not_import_says_how_to_see_the_rest_and_that_shows_it(cvflow: Cvflow, tmp_path: Path) -> None:
    cvflow.ok("list")
    package = make_package(tmp_path, "hopeful", source="import nothing_of_the_kind\n")
    told = refused(cvflow, 6, "install", "--yes", "--quiet", str(package))
    assert "solver 'detect' (class m/S) cannot be imported: ModuleNotFoundError: No module named 'nothing_of_the_kind'" in told
    assert told.endswith("(the rest: cvflow --debug …)")
    whole = cvflow.run("--debug", "install", "--yes", "--quiet", str(package))
    assert whole.returncode == 6
    assert "Traceback (most recent call last):" in whole.stderr
    assert "m.py" in whole.stderr
    assert whole.stderr.rstrip().endswith("ModuleNotFoundError: No module named 'nothing_of_the_kind'")
    two = make_package(tmp_path, "absent", entry="m/Nobody", source=SOLVER + SOLVER.replace("class S", "class T"))  # which is meant?
    missing = refused(cvflow, 6, "install", "--yes", "--quiet", str(two))
    assert "has no class Nobody" in missing


def test_a_class_whose_constructor_fails_is_no_running_solver(cvflow: Cvflow, tmp_path: Path) -> None:
    source = SOLVER + "\n    def __init__(self):\n        raise ValueError('no [bold]weights[/bold]\\x1b[31m')\n"
    done = cvflow.run("install", str(make_package(tmp_path, "failing", source=source)), "--yes")
    assert done.returncode == 0
    assert "me/failing 1.0.0" in done.stderr.splitlines(), "a package without a tagline is told without one"
    told = refused(cvflow, 6, "start", "--quiet", "failing")
    assert told.startswith("me/failing/detect failed to start: ValueError: no [bold]weights[/bold]")
    assert "cvflow --debug" in told
    (seen,) = cvflow.json("ps")
    assert (seen["state"], seen["pid"], seen["error"]) == ("failed", None, "ValueError: no [bold]weights[/bold]")
    assert "Traceback" in cvflow.ok("logs", "failing")
    assert "\x1b" not in cvflow.ok("logs", "failing")
    cvflow.ok("stop", "failing")
    assert cvflow.json("ps") == []


def test_pictures_that_are_odd(cvflow: Cvflow, photographs: Path, tmp_path: Path) -> None:
    cvflow.ok("install", "nanodet", "--yes")
    cvflow.ok("start", "nanodet")
    whole = tmp_path / "whole.jpg"
    Image.open(photographs / "coffee.png").convert("RGB").save(whole)
    cut, text, bomb = tmp_path / "cut.jpg", tmp_path / "text.jpg", tmp_path / "bomb.png"
    cut.write_bytes(whole.read_bytes()[:20_000])
    text.write_text("these are no pixels")
    Image.new("1", (20_000, 20_000)).save(bomb)
    infer = ("infer", "--solver", "nanodet")
    assert refused(cvflow, 2, *infer, str(cut)).startswith(f"{cut}: the picture is truncated or broken")
    assert refused(cvflow, 2, *infer, str(text)).startswith(f"{text}: the picture can't be read")
    assert "20000 x 20000 pixels; at most 200 million are taken" in refused(cvflow, 2, *infer, str(bomb))
    assert "there is no such file" in refused(cvflow, 3, *infer, str(tmp_path / "gone.jpg"))

    for name, size in (("one.png", (1, 1)), ("one.jpg", (1, 1)), ("wide.jpg", (12_000, 8_400)), ("wide.png", (12_000, 8_400))):
        Image.new("L", size, 90).save(tmp_path / name)
        answer = cvflow.json("infer", str(tmp_path / name), "--solver", "nanodet")
        assert answer["image"] == {"width": size[0], "height": size[1]}, name
    (running,) = cvflow.json("ps")
    assert running["state"] == "ready", "none of them harmed the solver"
    out = tmp_path / "labels.json"
    told = refused(cvflow, 2, "label", "--quiet", str(cut), "--solver", "nanodet", "--out", str(out))
    assert "none of 1 pictures could be labelled" in told
    assert [path.name for path in tmp_path.glob("labels*")] == []


def test_names_and_labels_that_cannot_be(cvflow: Cvflow, photographs: Path, tmp_path: Path) -> None:
    cvflow.ok("list")
    picture = str(photographs / "coffee.png")
    for command in (("status",), ("export", "--out", str(tmp_path / "x.json")), ("remove", "--yes")):
        assert refused(cvflow, 3, "project", *command, "nowhere") == "there is no project 'nowhere': there are none yet"
    assert refused(cvflow, 3, "train", "nowhere", "--quiet") == "there is no project 'nowhere': there are none yet"
    assert not (tmp_path / "x.json").exists()
    for label in ("a\x1b[31mred", "two\nlines", "\u202eback"):
        assert "label 1, " in refused(cvflow, 2, "project", "new", "p", picture, "--labels", label)
    labels = ["[bold]cup[/bold]", "<b>&amp;", "%s {0}", "犬"]
    cvflow.ok("project", "new", "marked", picture, "--labels", ",".join(labels))
    assert cvflow.json("project", "status", "marked")["project"]["labels"] == labels
    assert ", ".join(labels) in cvflow.ok("project", "status", "marked")
    out = tmp_path / "marked.json"
    cvflow.ok("project", "export", "marked", "--out", str(out))
    assert [category["name"] for category in json.loads(out.read_text())["categories"]] == labels
    assert refused(cvflow, 3, "project", "status", "nowhere") == "there is no project 'nowhere': there are marked"
