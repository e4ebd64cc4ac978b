"""Many installs, upgrades, rollbacks and removals in the same moment: each is done or refused, and what is there is whole."""

from __future__ import annotations

import random
import shutil
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.backend.store import Database
from cvflow_tui.home import Home
from cvflow_tui.model.errors import CvflowError, NotFoundError, PackageError, RefusedError

from .parts import payload, sha256, tree, weight, write_package, write_wheel

SHARED, OWN = payload(100_000, seed=1), payload(50_000, seed=2)
NAMES, VERSIONS = ("one", "two", "three"), ("1.0.0", "2.0.0")


@pytest.fixture
def folders(tmp_path: Path) -> dict[tuple[str, str], Path]:
    """Three packages in two versions each, which share an environment and a weight."""
    write_wheel(tmp_path / "wheels", "toy", "1.0", {"toy.py": b"x = 41\n"})
    found = {}
    for name in NAMES:
        for version in VERSIONS:
            more = weight("shared", "nets/shared", sha256(SHARED)) + weight("own", "nets/own", sha256(OWN))
            root = write_package(tmp_path / f"{name}-{version}", name=name, version=version, requirements="toy\n", more=more)
            (root / "nets").mkdir()
            (root / "nets/shared").write_bytes(SHARED)
            (root / "nets/own").write_bytes(OWN)
            found[name, version] = root
    return found


def together(*works: Callable[[], object]) -> list[BaseException | None]:
    """Do all in the same moment; what each raised."""
    raised: list[BaseException | None] = [None] * len(works)
    gate = threading.Barrier(len(works))

    def run(number: int, work: Callable[[], object]) -> None:
        gate.wait()
        try:
            work()
        except BaseException as error:
            raised[number] = error

    threads = [threading.Thread(target=run, args=(number, work)) for number, work in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def whole(service: PackageService, home: Home) -> None:
    """Rows, folders, weights and environments say the same."""
    records = {(record.ref, record.version) for record in service.kept_versions()}
    for summary in service.installed():
        records.add((summary.ref, summary.version))
        spec = service.run_spec(service.resolve(f"{summary.ref}/detect"))
        assert Path(spec.python).exists() and spec.version == summary.version
        assert {name: Path(path).read_bytes() for name, path in spec.weights.items()} == {"shared": SHARED, "own": OWN}
    there = {(f"{path.parents[2].name}/{path.parents[1].name}", path.parent.name) for path in home.packages.rglob("cvflow.lock")}
    assert there == records
    assert len(list(home.environments.iterdir())) == bool(records) and len(list(home.weights.iterdir())) == 2 * bool(records)
    assert [path.name for path in home.staging.iterdir()] == ["downloads"]


def test_different_packages_that_share_everything(service: PackageService, home: Home, folders: dict[tuple[str, str], Path]) -> None:
    raised = together(*(lambda name=name: service.install(str(folders[name, "1.0.0"]), Progress()) for name in NAMES))
    assert raised == [None, None, None]
    whole(service, home)
    assert [summary.name for summary in service.installed()] == ["one", "three", "two"]


def test_the_same_package_is_done_once_or_one_after_the_other(
    service: PackageService, home: Home, folders: dict[tuple[str, str], Path]
) -> None:
    raised = together(*(lambda version=version: service.install(str(folders["one", version]), Progress()) for version in VERSIONS))
    assert None in raised and all(error is None or isinstance(error, RefusedError) for error in raised)
    whole(service, home)


def test_what_one_takes_away_while_another_comes(
    service: PackageService, home: Home, state: Database, folders: dict[tuple[str, str], Path]
) -> None:
    for number in range(6):
        service.install(str(folders["one", "1.0.0"]), Progress())
        source = str(folders["two", VERSIONS[number % 2]])
        raised = together(lambda: service.remove("one"), partial(service.install, source, Progress()))
        assert raised == [None, None], number
        whole(service, home)
        service.remove("two")
        assert tree(home) == set() and state.rows("SELECT * FROM kept_versions") == []


def test_what_is_removed_the_moment_it_is_installed_is_told_so(
    service: PackageService, folders: dict[tuple[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    install = service._installer.install

    def install_and_lose_it(*given: Any) -> Any:
        record = install(*given)
        service.remove("one")
        return record

    monkeypatch.setattr(service._installer, "install", install_and_lose_it)
    with pytest.raises(NotFoundError, match=r"one 1\.0\.0 was removed or replaced by somebody else meanwhile"):
        service.install(str(folders["one", "1.0.0"]), Progress())


def test_what_is_being_removed_while_it_is_told_of_is_told_so(
    service: PackageService, folders: dict[tuple[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder goes before its row does."""
    detail = service.install(str(folders["one", "1.0.0"]), Progress())
    shutil.rmtree(str(detail.path))
    with service._installer.working_on("local/one"), pytest.raises(NotFoundError, match="was removed or replaced by somebody else"):
        service.detail("one")
    with pytest.raises(PackageError, match="there is no cvpm"):
        service.detail("one")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_crowd(service: PackageService, home: Home, folders: dict[tuple[str, str], Path], seed: int) -> None:
    def person(number: int) -> None:
        chance = random.Random(seed * 100 + number)
        for _ in range(8):
            name, version = chance.choice(NAMES), chance.choice(VERSIONS)
            act = chance.choice(["install", "install", "rollback", "remove", "recover nothing", "start"])
            try:
                if act == "install":
                    service.install(str(folders[name, version]), Progress())
                elif act == "rollback":
                    service.roll_back(name)
                elif act == "remove":
                    service.remove(name)
                elif act == "start":
                    service.prove(f"local/{name}", version)
                else:
                    service.plan(str(folders[name, version]))
            except (RefusedError, NotFoundError):
                continue

    raised = together(*(lambda number=number: person(number) for number in range(4)))
    assert raised == [None] * 4
    whole(service, home)
    service.recover()
    whole(service, home)
    for name in NAMES:
        try:
            service.remove(name)
        except CvflowError:
            continue
    assert tree(home) == set()
