"""Weights without a digest: trusted as they came first, and refused when they are another file, unless the user accepts that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.home import Home
from cvflow_tui.install_line import read_line
from cvflow_tui.model.errors import RefusedError
from cvflow_tui.model.install_words import write_line
from cvflow_tui.model.mending import Mend
from cvflow_tui.model.packages import InstallRequest

from .parts import FileServer, payload, sha256, tree, weight, write_package

FIRST, OTHER, LARGER = payload(50_000, seed=1), payload(50_000, seed=2), payload(60_000, seed=3)
UNSURE = "n.bin has no sha256: whatever its source sends first is trusted"


@pytest.fixture
def root(service: PackageService, tmp_path: Path, trusted: FileServer) -> Path:
    """A package that was installed with a weight that its manifest has no digest of, and has a newer version now."""
    root = write_package(tmp_path / "p", more=weight("n.bin", trusted.add("n", FIRST)))
    assert service.plan(str(root)).findings == ()
    service.install(str(root), Progress())
    manifest = root / "cvpm.toml"
    manifest.write_text(manifest.read_text().replace("1.0.0", "1.1.0"))
    return root


def weight_of(service: PackageService) -> bytes:
    return Path(service.run_spec(service.resolve("p")).weights["n.bin"]).read_bytes()


def test_the_same_file_again_is_taken(service: PackageService, root: Path) -> None:
    [finding] = service.plan(service.upgrade_request("p")).findings
    assert not finding.blocks and f"it is held to what came first, {sha256(FIRST)}" in finding.what
    assert service.install(service.upgrade_request("p"), Progress()).warnings == (UNSURE,)
    assert weight_of(service) == FIRST


def test_another_file_is_refused_and_taken_once_it_is_accepted(
    service: PackageService, home: Home, root: Path, trusted: FileServer
) -> None:
    trusted.add("n", OTHER)
    before = tree(home)
    with pytest.raises(RefusedError) as caught:
        service.install(service.upgrade_request("p"), Progress())
    told = caught.value.message
    assert told.startswith("n.bin: https://127.0.0.1") and sha256(FIRST) in told and sha256(OTHER) in told
    assert told.endswith("add --accept-weight n.bin") and caught.value.mends == (Mend(accept_weights=("n.bin",)),)
    assert {path for path in tree(home) if "downloads" not in path} == before and weight_of(service) == FIRST
    request = replace(service.upgrade_request("p"), accept_weights=("n.bin",))
    assert service.plan(request).findings == ()
    unsure, warning = service.install(request, Progress()).warnings
    assert unsure == UNSURE and "n.bin is another file than at first, as you accepted" in warning and sha256(OTHER) in warning
    assert weight_of(service) == OTHER and service.upgrade_request("p").accept_weights == ()
    trusted.add("n", FIRST)
    with pytest.raises(RefusedError, match="another file"):  # what was accepted is what is held from now on
        service.install(service.upgrade_request("p"), Progress())


def test_another_size_is_known_before_anything_is_done(service: PackageService, root: Path, trusted: FileServer) -> None:
    trusted.add("n", LARGER)
    [finding] = service.plan(service.upgrade_request("p")).findings
    assert finding.blocks and finding.code == "refused" and finding.mends == (Mend(accept_weights=("n.bin",)),)
    assert "50.0 kB, and now 60.0 kB" in finding.what and len(trusted.gets("n")) == 1


def test_another_address_or_a_digest_is_the_authors_word(service: PackageService, root: Path, trusted: FileServer) -> None:
    manifest = root / "cvpm.toml"
    manifest.write_text(manifest.read_text().replace(f"{trusted.url}/n", trusted.add("m", OTHER)))
    service.install(service.upgrade_request("p"), Progress())
    assert weight_of(service) == OTHER
    trusted.add("m", LARGER)
    manifest.write_text(manifest.read_text() + f'sha256 = "{sha256(LARGER)}"\n')
    service.install(service.upgrade_request("p"), Progress())
    assert weight_of(service) == LARGER


def test_what_the_user_brings_is_the_users_word(service: PackageService, root: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(OTHER)
    service.install(InstallRequest(str(root), weights=(f"n.bin={tmp_path / 'mine'}",)), Progress())
    assert weight_of(service) == OTHER
    service.install(InstallRequest(str(root)), Progress())
    assert weight_of(service) == FIRST


def test_the_option_on_a_line() -> None:
    request = InstallRequest("p", accept_weights=("n.bin",))
    assert read_line(write_line(request)) == request
    assert write_line(InstallRequest("p"), Mend(accept_weights=("a b",))) == "p --accept-weight 'a b'"
