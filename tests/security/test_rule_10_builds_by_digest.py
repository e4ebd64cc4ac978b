"""Rule 10 over time: a build is allowed once, as it is; whatever comes later by its name is asked for again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.cli.upgrade import changed_lines
from cvflow_tui.home import Home
from cvflow_tui.model.errors import CvflowError, RefusedError
from cvflow_tui.model.packages import DistributionChange, InstallPlan, InstallRequest, PackageDetail
from tests.packages.parts import commit_all, git, tree, write_package
from tests.security.test_rule_10_code_at_install import sources, write_sdist


@pytest.fixture
def root(service: PackageService, tmp_path: Path, pip_of_the_test: Path) -> Path:
    """A package that was installed with a build of 1.0, and has a newer version now."""
    write_sdist(pip_of_the_test, "built", tmp_path / "mark-1")
    root = write_package(tmp_path / "p", requirements="built\n")
    service.install(InstallRequest(str(root), allow_build=("built",)), Progress())
    (tmp_path / "mark-1").unlink()
    newer(root)
    return root


def newer(root: Path, requirements: str | None = None) -> None:
    manifest = root / "cvpm.toml"
    manifest.write_text(manifest.read_text().replace('version = "1.0.0"', 'version = "1.1.0"'))
    if requirements is not None:
        (root / "requirements.txt").write_text(requirements)


def plan_of(service: PackageService, allow: tuple[str, ...] = ()) -> InstallPlan:
    request = service.upgrade_request("p")
    assert request.allow_build == ()
    return service.plan(InstallRequest(request.source, allow_build=allow, again=bool(allow)))


def upgrade(service: PackageService, allow: tuple[str, ...] = ()) -> PackageDetail:
    return service.install(InstallRequest(service.upgrade_request("p").source, allow_build=allow), Progress())


def versions(plan: InstallPlan) -> tuple[DistributionChange, ...]:
    assert plan.changes is not None
    return plan.changes.distributions


def test_a_newer_one_does_not_run_and_the_plan_tells(service: PackageService, root: Path, tmp_path: Path, pip_of_the_test: Path) -> None:
    archive = write_sdist(pip_of_the_test, "built", tmp_path / "mark-2", "2.0")
    plan = plan_of(service)
    [finding] = plan.findings
    assert plan.problems == () and versions(plan) == ()
    assert finding.topic == "build" and "1.0: its author's code runs to install it, as was allowed before" in finding.what
    assert "--allow-build built" in finding.mend
    assert upgrade(service).summary.version == "1.1.0"
    assert not (tmp_path / "mark-2").exists()
    asked = plan_of(service, ("built",))
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert versions(asked) == (DistributionChange("built", "1.0", "2.0"),) and digest in asked.findings[0].what
    assert "  environment   built 1.0 → 2.0" in changed_lines(asked)
    upgrade(service, ("built",))
    assert (tmp_path / "mark-2").exists()


def test_other_bytes_of_the_same_version_are_asked_for(
    service: PackageService, home: Home, root: Path, tmp_path: Path, pip_of_the_test: Path
) -> None:
    write_sdist(pip_of_the_test, "built", tmp_path / "mark-2")
    before = tree(home)
    [problem] = plan_of(service).problems
    assert "built==1.0, which was allowed, is not what would come" in problem and "--allow-build built" in problem
    with pytest.raises(CvflowError, match="--allow-build built"):
        upgrade(service)
    assert not (tmp_path / "mark-2").exists() and tree(home) == before


def test_one_that_its_author_asks_for_now_is_asked_for(service: PackageService, root: Path, tmp_path: Path, pip_of_the_test: Path) -> None:
    write_sdist(pip_of_the_test, "built", tmp_path / "mark-2", "2.0")
    newer(root, "built>=2\n")
    with pytest.raises(CvflowError, match="--allow-build built"):
        upgrade(service)
    assert not (tmp_path / "mark-2").exists()
    assert upgrade(service, ("built",)).summary.version == "1.1.0" and (tmp_path / "mark-2").exists()


@pytest.fixture
def repository(service: PackageService, tmp_path: Path) -> Path:
    """A requirement from git that was built and has changed since."""
    repository = tmp_path / "built"
    repository.mkdir()
    for mark in ("mark-1", "mark-2"):
        for file, text in sources("built", tmp_path / mark).items():
            (repository / file).write_text(text)
        commit_all(repository, mark)
        if mark == "mark-1":
            root = write_package(tmp_path / "p", requirements=f"built @ git+file://{repository}\n")
            service.install(InstallRequest(str(root), allow_build=("built",)), Progress())
    newer(root)
    return repository


def test_a_repository_stays_at_the_commit_that_was_allowed(service: PackageService, repository: Path, tmp_path: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD~1")
    assert commit in plan_of(service).findings[0].what and versions(plan_of(service)) == ()
    upgrade(service)
    assert not (tmp_path / "mark-2").exists()
    [change] = versions(plan_of(service, ("built",)))
    assert commit in (change.before or "") and git(repository, "rev-parse", "HEAD") in (change.after or "")


def test_another_ref_of_it_is_asked_for(service: PackageService, repository: Path, tmp_path: Path) -> None:
    git(repository, "tag", "v2")
    newer(tmp_path / "p", f"built @ git+file://{repository}@v2\n")
    with pytest.raises(RefusedError, match="--allow-build built"):
        upgrade(service)
    assert not (tmp_path / "mark-2").exists()
