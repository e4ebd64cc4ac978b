"""A check from end to end: good packages pass, each fault is told, and nothing is left behind."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import PIL.Image
import pytest

from cvflow_tui.backend.jobs import Cancelled, Progress
from cvflow_tui.backend.packages.check.manifest import lines_of, manifest_findings
from cvflow_tui.backend.packages.package import load_package
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.home import Home
from cvflow_tui.model.authoring import CheckReport, CheckRequest, Finding, Level
from cvflow_tui.model.errors import NotFoundError, PackageError, UsageError
from tests.security.test_rule_10_code_at_install import write_sdist

from .parts import sha256, tree, weight, write_package

GOOD = '''
import cvflow


class Solver(cvflow.Solver):
    """One box, whatever the picture."""

    def infer(self, image, threshold: float = 0.3):
        if image.path.stat().st_size < 50:
            raise cvflow.InputError("that is no picture")
        return {"objects": [{"label": "box", "score": 0.5, "box": [1, 2, 3, 4]}]}
'''
MORE = 'labels = ["box"]\n'


def made(line: str) -> str:
    """A solver that does this as it is made."""
    return f"{GOOD}\n    def __init__(self):\n        {line}\n"


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = tmp_path / "picture.png"
    PIL.Image.effect_noise((60, 40), 50).save(path)
    return str(path)


def check(service: PackageService, root: Path, picture: str | None = None, *, strict: bool = False) -> CheckReport:
    return service.check(CheckRequest(str(root), picture, strict), Progress())


def add(root: Path, line: str) -> None:
    """A line more in `[package]`."""
    manifest = root / "cvpm.toml"
    manifest.write_text(manifest.read_text().replace("[package]", f"[package]\n{line}"))


def found(report: CheckReport, topic: str, level: Level = Level.FAULT) -> list[Finding]:
    return [finding for finding in report.findings if finding.topic == topic and finding.level is level]


def test_a_good_package_passes_is_measured_and_leaves_nothing(service: PackageService, home: Home, tmp_path: Path, picture: str) -> None:
    before = tree(home)
    root = write_package(tmp_path / "good", tagline="finds boxes", source=GOOD, more=MORE)
    add(root, 'python = ">=3.10"')
    report = check(service, root, picture, strict=True)
    assert report.passed and report.findings == ()
    assert (report.package, report.version, report.picture) == ("local/good", "1.0.0", picture)
    (trial,) = report.solvers
    assert trial.result["objects"][0]["box"] == [1, 2, 3, 4] and trial.result["image"] == {"width": 60, "height": 40}
    assert trial.load_seconds and trial.first_seconds and trial.infer_seconds
    assert trial.peak_rss is None or trial.peak_rss > 5_000_000
    assert report.elsewhere.pythons[-1] == "3.14" and "3.9" not in report.elsewhere.pythons
    assert (report.elsewhere.distributions, report.elsewhere.native, report.elsewhere.weights_bytes) == (0, (), 0)
    assert tree(home) == before
    assert service.installed() == []


@pytest.mark.parametrize(
    ("source", "topic", "words"),
    [
        ("import nowhere_at_all", "import", "No module named 'nowhere_at_all'"),
        ("class Other: pass", "import", "has no class Solver"),
        (made("raise OSError('no weights here')"), "load", "it cannot be loaded: OSError: no weights here"),
        (made("import os; print('last words', flush=True); os._exit(3)"), "load", "ended before it answered"),
        (GOOD.replace("return {", "return 1 / 0 and {"), "infer", "it does not answer: ZeroDivisionError"),
        (GOOD.replace("return {", "return {'x': object()} or {"), "infer", "no JSON form"),
        (GOOD.replace("3, 4]", "300, 4]"), "result", "leaves the picture of 60x40"),
        (GOOD.replace("'box'", "'cow'").replace('"label": "box"', '"label": "cow"'), "result", "'cow' is not among"),
    ],
)
def test_each_fault_is_told_once(service: PackageService, tmp_path: Path, picture: str, source: str, topic: str, words: str) -> None:
    report = check(service, write_package(tmp_path / "bad", source=source, more=MORE), picture)
    (fault,) = [finding for finding in report.findings if finding.level is Level.FAULT]
    assert not report.passed and fault.topic == topic and words in fault.message
    if "last words" in source:
        assert "last words" in fault.mend


def test_a_parameter_that_is_needed_can_be_given(service: PackageService, tmp_path: Path, picture: str) -> None:
    source = GOOD.replace("threshold: float = 0.3", "word: str").replace('"box": [1, 2, 3, 4]', '"box": [1, 2, 3, 4], "text": word')
    root = write_package(tmp_path / "asking", source=source, more=MORE)
    (fault,) = found(check(service, root, picture), "infer")
    assert "'word'" in fault.message and "-p NAME=VALUE" in fault.mend
    report = service.check(CheckRequest(str(root), picture, parameters={"word": "cat", "other": "1"}), Progress())
    assert report.passed and report.solvers[0].result["objects"][0]["text"] == "cat"


def test_warnings_fail_a_strict_check_only(service: PackageService, tmp_path: Path, picture: str) -> None:
    source = GOOD.replace(
        "if image.path.stat().st_size < 50:\n            raise cvflow.InputError",
        "if image.path.stat().st_size < 50:\n            raise OSError",
    )
    root = write_package(tmp_path / "meh", source=source, more=MORE + "batch = 4\n")
    report = check(service, root, picture)
    assert report.passed and not check(service, root, picture, strict=True).passed
    told = [finding.message for finding in found(report, "infer", Level.WARNING)]
    assert told == [
        "the manifest says batch = 4, and the class has no infer_batch",
        "a broken picture ends as a failure of the solver (500), not as the sender's (400)",
    ]


def test_all_that_is_wrong_with_a_manifest_is_told_at_once_with_lines(service: PackageService, tmp_path: Path) -> None:
    root = tmp_path / "bad"
    root.mkdir()
    solvers = ['[[solvers]]\nname = "a"\nclass = "nowhere"\n', '[[solvers]]\nname = "b"\n']
    tables = ['[package]\nname = "Bad Name"\nversion = "one"\n', *solvers, '[[models]]\nname = "x"\n']
    (root / "cvpm.toml").write_text("\n".join(tables))
    report = check(service, root)
    assert not report.passed and report.package == ""
    assert [(finding.where, finding.level) for finding in report.findings] == [
        ("cvpm.toml:3 package.version", Level.FAULT),
        ("cvpm.toml:7 solvers[0].class", Level.FAULT),
        ("cvpm.toml:9 solvers[1].class", Level.FAULT),
        ("cvpm.toml:12 models[0].url", Level.FAULT),
        ("cvpm.toml", Level.WARNING),
    ]
    assert report.findings[-1].message == "package.name: 'Bad Name' is not a name: read as 'Bad-Name'", "what can be mended is told too"
    (root / "cvpm.toml").write_text("[package]\nname = \n")
    (broken,) = check(service, root).findings
    assert "line 2" in broken.message


def test_weights_scripts_labels_and_loads_are_looked_at(service: PackageService, tmp_path: Path, picture: str) -> None:
    source = GOOD + "\n\ndef load(path):\n    import torch\n    return torch.load(path), torch.load(path, weights_only=True)\n"
    more = 'labels = ["box", "box"]\nlables = ["x"]\n' + weight("net.pth", "net.pth") + weight("gone.onnx", "gone.onnx", "0" * 64)
    root = write_package(tmp_path / "bad", source=source, more=more)
    for name in ("net.pth", "loose.onnx", "setup.sh"):
        (root / name).write_text(name)
    report = check(service, root, picture)
    assert [finding.message for finding in found(report, "labels")] == ["'box' is there twice"]
    assert "gone.onnx" in found(report, "weights")[0].message
    warned = {finding.topic: finding for finding in report.findings if finding.level is Level.WARNING}
    assert "is 'labels' meant?" in warned["manifest"].mend
    assert sha256(b"setup.sh")[:12] in warned["scripts"].message
    assert warned["code"].where == f"parts/solver.py:{source[: source.index('return torch.load')].count(chr(10)) + 1}"
    assert [finding.message.split()[0] for finding in found(report, "weights", Level.WARNING)] == ["net.pth", "loose.onnx"]
    (untrusted,) = found(report, "weights", Level.NOTE)
    assert untrusted.message.startswith("net.pth is untrusted")
    assert [trial.load_seconds for trial in report.solvers] == [None], "without a weight nothing is run"

    (root / "cvpm.toml").write_text((root / "cvpm.toml").read_text().split('[[models]]\nname = "gone.onnx"')[0])
    (missing, *_) = found(check(service, root, picture), "weights", Level.WARNING)
    assert missing.mend == f'add sha256 = "{sha256(b"net.pth")}"', "the mend can be pasted"


@pytest.mark.parametrize(("table", "meant"), [("weights", "models"), ("model", "models"), ("solver", "solvers")])
def test_a_table_of_another_name_is_asked_for(tmp_path: Path, table: str, meant: str) -> None:
    root = write_package(tmp_path / "p", more=f'\n[[{table}]]\nname = "x"\n')
    (found,) = (finding for finding in manifest_findings(root) if repr(table) in finding.message)
    assert found.mend == f"is {meant!r} meant?" and found.level is Level.WARNING
    assert f"cvpm.toml: {table} means nothing here: is {meant!r} meant?" in load_package(root).warnings, "an installation tells it too"


def test_requirements_that_cannot_be_had_and_a_python_that_is_not_here(service: PackageService, tmp_path: Path, picture: str) -> None:
    root = write_package(tmp_path / "bad", source=GOOD, more=MORE, requirements="nowhere-at-all==1\n")
    assert "nowhere-at-all" in found(check(service, root, picture), "requirements")[0].message
    add(root, 'python = "<3"')
    (fault,) = found(check(service, root, picture), "elsewhere")
    assert "it needs Python <3" in fault.message


def test_a_requirement_that_must_be_built_is_told_and_can_be_allowed(
    service: PackageService, tmp_path: Path, picture: str, pip_of_the_test: Path
) -> None:
    write_sdist(pip_of_the_test, "built", tmp_path / "mark")
    root = write_package(tmp_path / "it", source=GOOD, more=MORE, requirements="built\n")
    assert "--allow-build built" in found(check(service, root, picture), "requirements")[0].message
    assert not (tmp_path / "mark").exists()
    report = service.check(CheckRequest(str(root), picture, allow_build=("built",)), Progress())
    (warning,) = found(report, "requirements", Level.WARNING)
    assert report.passed and "no wheel of built" in warning.message and report.elsewhere.built == ("built",)


def test_what_cannot_be_had_at_all_is_an_error(service: PackageService, home: Home, tmp_path: Path) -> None:
    before = tree(home)
    (tmp_path / "empty").mkdir()
    root = write_package(tmp_path / "good", source=GOOD, more=MORE)
    (tmp_path / "text.png").write_text("no picture")
    for request, kind in (
        (CheckRequest(str(tmp_path / "nowhere")), NotFoundError),
        (CheckRequest(str(tmp_path / "empty")), PackageError),
        (CheckRequest(str(root), str(tmp_path / "nowhere.png")), NotFoundError),
        (CheckRequest(str(root), str(tmp_path / "text.png")), UsageError),
        (CheckRequest(str(root), "/tmp/\0"), UsageError),
        (CheckRequest(str(root), "~nobody-of-that-name/x"), UsageError),
        (CheckRequest(str(root), "/" + "x" * 5000), UsageError),
    ):
        with pytest.raises(kind):
            service.check(request, Progress())
    assert tree(home) == before


def test_a_check_that_is_called_off_ends_its_worker_and_leaves_nothing(
    service: PackageService, home: Home, tmp_path: Path, picture: str
) -> None:
    before, note = tree(home), tmp_path / "pid"
    source = made(f"import os, pathlib, time; pathlib.Path({str(note)!r}).write_text(str(os.getpid())); time.sleep(60)")
    root, progress, ends = write_package(tmp_path / "slow", source=source, more=MORE), Progress(), list[BaseException]()

    def run() -> None:
        try:
            service.check(CheckRequest(str(root), picture), progress)
        except Cancelled as error:
            ends.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    deadline = time.monotonic() + 30
    while not (note.exists() and note.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    progress.cancelled.set()
    thread.join(20)
    assert len(ends) == 1
    assert not Path(f"/proc/{note.read_text()}").exists()
    assert tree(home) == before


def test_a_bundled_package_may_run_on_the_apps_own_python(service: PackageService, hub_folder: Path) -> None:
    for source in ("boxes", str(hub_folder / "boxes")):
        report = service.check(CheckRequest(source), Progress())
        assert report.solvers[0].load_seconds is not None, report.findings
        assert report.elsewhere.environment_bytes is None
        assert report.picture == "a drawn picture"


def test_lines_of_a_manifest(tmp_path: Path) -> None:
    path = tmp_path / "cvpm.toml"
    path.write_text('# c\n[package]\nname = "x"\n[[solvers]]\n"class" = "a"\n\n[[solvers]]\nname="b"\n[tool.other]\nkey = 1\n')
    lines = lines_of(path)
    assert lines["package", "name"] == 3 and lines["solvers", 0, "class"] == 5
    assert lines["solvers", 1] == 7 and lines["solvers", 1, "name"] == 8 and lines["tool", "other", "key"] == 10
