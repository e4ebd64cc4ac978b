"""What is set of a solver: read, kept, applied, and never told where it is a secret."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvflow_tui.backend.runtime import devices
from cvflow_tui.backend.runtime.devices import NoDevice, check_devices, device_variables, emptiest_device
from cvflow_tui.backend.runtime.settings import Settings, in_order
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.backend.store import open_state
from cvflow_tui.home import Home
from cvflow_tui.model.errors import NotFoundError, PackageError, UsageError
from cvflow_tui.model.settings import SolverSettings, read_duration, read_setting, read_size, write_setting
from cvflow_tui.model.solvers import SolverState
from tests.faults.conftest import Habit, habit
from tests.runtime.helpers import Site, until, workers

__all__ = ["habit"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    home = Home(tmp_path / "home")
    home.make()
    return Settings(open_state(home))


def test_they_are_read_as_people_write_them(settings: Settings) -> None:
    told = {
        "replicas": "2",
        "memory": "2G",
        "keep_alive": "5m",
        "autostart": "on",
        "after": "a/b/c, d/e/f",
        "gpu": "auto",
        "restore": "off",
    }
    settings.change("x/y/z", told)
    assert settings.get("x/y/z") == SolverSettings(
        replicas=2, memory=2_000_000_000, keep_alive=300.0, autostart=True, after=("a/b/c", "d/e/f"), gpu="auto", restore=False
    )
    assert settings.get("x/y/other") == SolverSettings()
    settings.change("x/y/z", {"memory": "", "replicas": "3"})
    assert (settings.get("x/y/z").memory, settings.get("x/y/z").replicas) == (None, 3)
    assert "memory" not in settings.chosen("x/y/z")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("replicas", "0", "a whole number from 1 to 64"),
        ("replicas", "two", "a whole number"),
        ("memory", "2", "give 16M or more"),
        ("memory", "much", "a size such as 500M or 2G"),
        ("keep_alive", "soon", "a time such as 30s, 5m or 2h"),
        ("keep_alive", "0", "a time from 0.1s to 30d"),
        ("call_timeout", "0", "a time from 0.1s"),
        ("autostart", "maybe", "say on or off"),
        ("gpu", "0;rm -rf /", "say auto, cpu, or devices"),
        ("port", "70000", "from 1 to 65535"),
        ("after", "a/b", "is not VENDOR/PACKAGE/SOLVER"),
        ("colour", "red", "there is no setting 'colour'"),
    ],
)
def test_what_makes_no_sense_is_named_and_changes_nothing(settings: Settings, name: str, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("|", r"\|")):
        settings.change("x/y/z", {"threads": "2", name: text})
    assert settings.chosen("x/y/z") == {}


@given(st.integers(16_000_000, 10**12), st.floats(0.1, 10**6, allow_nan=False))
def test_what_is_shown_can_be_written_again(size: int, seconds: float) -> None:
    assert read_size(write_setting("memory", size)) == size
    assert read_duration(write_setting("keep_alive", round(seconds, 1))) == pytest.approx(round(seconds, 1), rel=1e-5)
    assert read_setting("after", write_setting("after", ("a/b/c",))) == ("a/b/c",)


def test_they_start_in_order_and_a_circle_is_refused(settings: Settings) -> None:
    settings.change("a/a/c", {"after": "a/a/b"})
    settings.change("a/a/b", {"after": "a/a/a"})
    with pytest.raises(UsageError, match="a/a/a -> a/a/c -> a/a/b -> a/a/a"):
        settings.change("a/a/a", {"after": "a/a/c"})
    assert settings.get("a/a/a").after == ()


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.frozensets(st.sampled_from("abcdefgh"), max_size=3)),
    st.frozensets(st.sampled_from("abcdefgh")),
)
def test_nothing_starts_before_what_it_comes_after(after: dict[str, frozenset[str]], wanted: frozenset[str]) -> None:
    told = {name: tuple(names) for name, names in after.items()}
    try:
        ordered = in_order(told, dict.fromkeys(wanted))
    except UsageError:
        return
    assert sorted(ordered) == sorted(wanted)
    for name in ordered:
        for earlier in told.get(name, ()):
            assert earlier not in wanted or ordered.index(earlier) < ordered.index(name)


def test_the_emptiest_device_is_found() -> None:
    told = "GPU-1, 9000, 10000\nGPU-2, 100, 10000\nGPU-3, [N/A], [N/A]\nGPU-4, 50, 8000\n"
    assert emptiest_device(told) == "GPU-2"
    assert emptiest_device("") is None
    assert emptiest_device("no devices were found") is None


def test_devices_are_hidden_or_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert device_variables(None) == {}
    assert device_variables("cpu")["CUDA_VISIBLE_DEVICES"] == ""
    assert device_variables("0,2") == {"CUDA_VISIBLE_DEVICES": "0,2", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'GPU-a, 1000, 2000'\necho 'GPU-b, 0, 2000'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert device_variables("auto") == {"CUDA_VISIBLE_DEVICES": "GPU-b"}
    program.write_text("#!/bin/sh\necho 'could not talk to the driver' >&2; exit 9\n")
    assert device_variables("auto") == {}


def test_a_folder_of_pictures_that_is_not_there_is_told(site: Site, spec_of: Callable[..., RunSpec], tmp_path: Path) -> None:
    spec, folder = spec_of("Echo"), tmp_path / "pictures"
    site.supervisor.settings.change(spec.name, {"local_files": str(folder)})
    (warning,) = site.supervisor.report(spec.name, spec.package).warnings
    assert warning == f"local_files={folder}: there is no such folder, so no request finds a picture in it"
    folder.mkdir()
    assert site.supervisor.report(spec.name, spec.package).warnings == ()


def test_a_device_that_is_not_there_is_told_when_it_is_set_and_when_it_starts(
    site: Site, spec_of: Callable[..., RunSpec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, program = spec_of("Echo"), tmp_path / "nvidia-smi"
    lines = "GPU 0: NVIDIA H100 (UUID: GPU-ab12)\n  MIG 1g.10gb     Device  0: (UUID: MIG-cd/7/0)\nGPU 1: NVIDIA H100 (UUID: GPU-ef34)\n"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{lines}END\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for there in ("cpu", "auto", "0", "0,1", "GPU-ab12", "MIG-cd/7/0"):
        site.supervisor.settings.change(spec.name, {"gpu": there})
        assert site.supervisor.report(spec.name, spec.package).warnings == ()
    site.supervisor.settings.change(spec.name, {"gpu": "0,7"})
    why = "gpu=0,7: there is no device 7; this machine has 0, 1"
    assert site.supervisor.report(spec.name, spec.package).warnings == (f"{why}: until it is there, {spec.name} does not start",)
    with pytest.raises(PackageError) as failure:
        site.supervisor.start(spec)
    assert failure.value.message == f"{spec.name} failed to start: {why}"
    assert [(each.state, each.error) for each in site.supervisor.solvers()] == [(SolverState.FAILED, why)]
    site.supervisor.settings.change(spec.name, {"gpu": "1"})
    assert site.supervisor.start(spec).state is SolverState.READY


def test_what_no_driver_tells_is_left_to_the_solver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_NODES", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoDevice, match="gpu=0: there is no device 0; this machine has none that nvidia-smi shows"):
        check_devices("0")
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nexit 9\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    check_devices("0")


def test_they_are_applied_to_the_worker(site: Site, habit: Habit, picture: bytes) -> None:
    name = "tests/demo/telling"
    site.supervisor.settings.change(name, {"threads": "3", "gpu": "cpu", "cpus": "1"})
    site.supervisor.settings.set_variable("tests/demo", "API_KEY", "of the package")
    site.supervisor.settings.set_variable(name, "API_KEY", "its own key")
    client = site.start(habit("Telling"))
    told = client.infer(picture).json
    assert told == {**told, "caption": str(len("its own key")), "threads": "3", "devices": "", "cores": 1}


def test_a_change_tells_what_needs_a_restart(site: Site, spec_of: Callable[..., RunSpec]) -> None:
    spec = spec_of("Echo")
    before = site.supervisor.start(spec)
    assert site.supervisor.report(spec.name, spec.package).restart_for == ()
    site.supervisor.settings.change(spec.name, {"autostart": "on", "port": str(before.port)})
    assert site.supervisor.report(spec.name, spec.package).restart_for == ()
    site.supervisor.settings.change(spec.name, {"port": "1234"})
    assert site.supervisor.report(spec.name, spec.package).restart_for == ("port",), "the next restart moves it, for whatever reason"
    site.supervisor.settings.change(spec.name, {"replicas": "2", "port": ""})
    site.supervisor.settings.set_variable(spec.package, "WORD", "value")
    report = site.supervisor.report(spec.name, spec.package)
    assert (report.running, report.restart_for, report.variables) == (True, ("replicas", "env"), ("WORD",))
    after = site.supervisor.restart(spec)
    assert after.pid != before.pid
    assert after.port == before.port, "who knew where it was finds it there"
    assert site.supervisor.report(spec.name, spec.package).restart_for == ()
    assert after.pid is not None
    until(lambda: len(workers(after.pid or 0)) == 2)


def test_it_always_has_the_port_it_was_given(site: Site, spec_of: Callable[..., RunSpec]) -> None:
    port = site.supervisor.start(spec_of("Echo")).port
    site.supervisor.stop("tests/demo/echo")
    site.supervisor.settings.change("tests/demo/echo", {"port": str(port)})
    assert site.supervisor.start(spec_of("Echo")).port == port


def test_a_start_that_takes_too_long_is_given_up(site: Site, spec_of: Callable[..., RunSpec]) -> None:
    site.supervisor.settings.change("tests/demo/slowstart", {"start_timeout": "1s"})
    spec = spec_of("SlowStart")
    slow = Path(spec.root) / "demo" / "slower.py"
    slow.write_text(
        "import time\n\nclass SlowStart:\n    def __init__(self):\n        time.sleep(60)\n\n    def infer(self, image):\n        pass\n"
    )
    with pytest.raises(PackageError, match=r"it was not ready after 1 s \(setting start_timeout\)"):
        site.supervisor.start(spec_of("SlowStart", class_path="demo/slower/SlowStart"))
    assert [each.state for each in site.supervisor.solvers()] == [SolverState.FAILED]


def test_what_is_removed_takes_its_settings_and_secrets_along(settings: Settings) -> None:
    for owner in ("a/b", "a/b/c", "a/bc"):
        settings.set_variable(owner, "KEY", "value")
    settings.change("a/b/c", {"replicas": "2"})
    settings.forget("a/b")
    assert [(each.owner, each.name) for each in settings.variables()] == [("a/bc", "KEY")]
    assert settings.chosen("a/b/c") == {}
    with pytest.raises(NotFoundError):
        settings.unset_variable("a/b", "KEY")


@pytest.mark.parametrize("how", ["unset", "replaced", "forgotten"])
def test_a_secret_that_is_gone_stands_in_no_file(site: Site, how: str) -> None:
    settings = site.supervisor.settings
    settings.set_variable("a/b", "KEY", "hunter2hunter2")
    if how == "unset":
        settings.unset_variable("a/b", "KEY")
    elif how == "replaced":
        settings.set_variable("a/b", "KEY", "other")
    else:
        settings.forget("a/b")
    assert not [path for path in site.home.root.glob("state.db*") if b"hunter2hunter2" in path.read_bytes()]


@pytest.mark.parametrize("value", ["a\0b", "x" * 40_000, "\ud800"])
def test_values_that_no_process_can_be_given(settings: Settings, value: str) -> None:
    with pytest.raises(UsageError, match="the value of KEY"):
        settings.set_variable("a/b", "KEY", value)
    assert settings.variables() == []


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A=B", "A B", "CVFLOW_RUN", "PYTHONPATH", "Ä"])
def test_names_that_no_variable_may_have(settings: Settings, name: str) -> None:
    with pytest.raises(UsageError) as refusal:
        settings.set_variable("a/b", name, "hunter2hunter2")
    assert "hunter2" not in refusal.value.message
