"""The default hub: a folder of packages."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.hub import FolderHub
from cvflow_tui.backend.packages.package import load_package
from cvflow_tui.backend.packages.service import BUNDLED, PackageService
from cvflow_tui.backend.packages.sources import parse_source
from cvflow_tui.model.errors import NotFoundError, PackageError, UsageError

from .parts import payload, weight, write_package


def names(hub: FolderHub, query: str = "") -> list[str]:
    return [package.ref for package in hub.search(query)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["acme/boxes", "cvflow/words"]),
        ("BOX", ["acme/boxes"]),
        ("acme", ["acme/boxes"]),
        ("detection", ["acme/boxes"]),
        ("finds", ["acme/boxes"]),
        ("text recog", ["cvflow/words"]),
        ("finds words", []),
        ("parts/solver", []),
    ],
)
def test_search_matches_name_vendor_task_and_tagline(hub_folder: Path, query: str, found: list[str]) -> None:
    assert names(FolderHub(hub_folder), query) == found


def test_another_version_than_the_newest_is_shown_where_it_is_asked_for(service: PackageService, hub_folder: Path) -> None:
    versions(hub_folder, "1.0.0", "2.0.0")
    assert service.hub_package("many").summary.version == "2.0.0"
    assert service.hub_package("lab/many == 1.0.0").summary.version == "1.0.0"
    with pytest.raises(NotFoundError, match=r"the hub has no 'many' in version 3; it has 2\.0\.0, 1\.0\.0"):
        service.hub_package("many==3")


def test_folders_without_a_manifest_and_broken_packages_do_not_hide_the_others(hub_folder: Path) -> None:
    (hub_folder / "sdk").mkdir()
    (hub_folder / "file.txt").write_text("x")
    (hub_folder / "broken").mkdir()
    (hub_folder / "broken/cvpm.toml").write_text("[")
    assert names(FolderHub(hub_folder)) == ["acme/boxes", "cvflow/words"]
    with pytest.raises(PackageError, match="line 1"):
        FolderHub(hub_folder).find("broken")
    assert names(FolderHub(hub_folder / "nowhere")) == []


def test_find_says_what_there_is(hub_folder: Path) -> None:
    hub = FolderHub(hub_folder)
    assert hub.find("Acme/Boxes").name == hub.find("boxes").name == "boxes"
    with pytest.raises(NotFoundError, match="the hub has no 'x'; it has acme/boxes, cvflow/words"):
        hub.find("x")
    for name in ("x" * 5000, "../x", "a\0b"):
        with pytest.raises(NotFoundError, match="the hub has no"):
            hub.find(name)
    write_package(hub_folder / "boxes2", name="boxes", vendor="other")
    with pytest.raises(UsageError, match="'boxes' is the name of several packages: acme/boxes, other/boxes"):
        hub.find("boxes")


def test_the_size_is_that_of_files_and_weights(hub_folder: Path) -> None:
    hub = FolderHub(hub_folder)
    small = hub.summary(hub.find("boxes")).size
    assert small is not None and 0 < small < 5000
    root = write_package(hub_folder / "big", more=weight("a", "nets/a") + weight("b", "https://x/b") + "size = 5000000\n")
    (root / "nets").mkdir()
    (root / "nets/a").write_bytes(payload(100_000))
    size = hub.summary(hub.find("big")).size
    assert size is not None and 5_100_000 < size < 5_105_000
    write_package(hub_folder / "unknown", more=weight("b", "https://x/b"))
    assert hub.summary(hub.find("unknown")).size is None


def test_the_bundled_packages_are_whole() -> None:
    hub = FolderHub(BUNDLED)
    folders = {path.parent.name for path in BUNDLED.glob("*/cvpm.toml")}
    packages = hub.packages()
    assert {package.root.name for package in packages} == folders
    for package in packages:
        detail = hub.detail(package)
        assert detail.summary.vendor == "cvflow" and detail.summary.license and detail.summary.tagline
        assert detail.readme, f"{package.ref} has no README"
        assert all(weight.sha256 for weight in detail.weights)
        assert [each for each in detail.warnings if "is untrusted (pickle)" not in each] == []


def versions(hub: Path, *numbers: str) -> FolderHub:
    for number in numbers:
        write_package(hub / "lab/many" / number, name="many", vendor="lab", version=number, environment="host")
    return FolderHub(hub)


def test_a_package_may_have_several_versions(hub_folder: Path) -> None:
    hub = versions(hub_folder, "1.0.0", "1.9.0", "1.10.0", "2.0.0rc1")
    assert names(hub) == ["acme/boxes", "cvflow/words", "lab/many"]
    assert [release.version for release in hub.list_versions("many")] == ["2.0.0rc1", "1.10.0", "1.9.0", "1.0.0"]
    assert hub.find("lab/many").version == "1.10.0" and hub.summary(hub.find("many")).source == "hub:lab/many"


@pytest.mark.parametrize(
    ("asked", "version"),
    [
        ("many", "1.10.0"),
        ("lab/many==1.0", "1.0.0"),
        ("many>=1,<1.10", "1.9.0"),
        ("many~=1.9", "1.10.0"),
        ("many!=1.10.0", "1.9.0"),
        ("many==2.0.0rc1", "2.0.0rc1"),
        ("boxes==1", "1.0.0"),
    ],
)
def test_a_version_is_picked(hub_folder: Path, tmp_path: Path, asked: str, version: str) -> None:
    hub = versions(hub_folder, "1.0.0", "1.9.0", "1.10.0", "2.0.0rc1")
    fetched = parse_source(asked, hub).fetch(tmp_path / "copy", Progress())
    assert fetched.source.endswith(f"=={version}") and fetched.bundled
    assert load_package(tmp_path / "copy", bundled=True).version == version
    again = parse_source(fetched.source, hub).fetch(tmp_path / "again", Progress())
    assert again == fetched


def test_a_version_that_is_not_there_is_said_with_those_that_are(hub_folder: Path, tmp_path: Path) -> None:
    hub = versions(hub_folder, "1.0.0", "1.9.0")
    with pytest.raises(NotFoundError, match=r"the hub has no many==3; of many it has 1\.9\.0, 1\.0\.0"):
        parse_source("many==3", hub).fetch(tmp_path / "copy", Progress())


def test_rule_03_a_hubs_folders_are_believed_only_where_the_manifest_says_the_same(hub_folder: Path) -> None:
    write_package(hub_folder / "lab/many/1.0.0", name="many", vendor="lab", version="9.9.9", environment="host")
    write_package(hub_folder / "lab/other/1.0.0", name="boxes", vendor="acme", version="1.0.0", environment="host")
    (hub_folder / "lab/loop").symlink_to(hub_folder)
    assert names(FolderHub(hub_folder)) == ["acme/boxes", "cvflow/words"]


def test_every_version_is_told_with_what_is_known_of_it(tmp_path: Path) -> None:
    for version in ("1.0.0", "1.1.0", "2.0.0rc1"):
        write_package(tmp_path / f"hub/acme/boxes/{version}", name="boxes", vendor="acme", version=version)
    write_package(tmp_path / "hub/words", name="words", vendor="cvflow")
    os.utime(tmp_path / "hub/acme/boxes/1.0.0/cvpm.toml", (1769850000, 1769850000))
    hub = FolderHub(tmp_path / "hub")
    versions = hub.versions("boxes", {"acme/boxes": "1.0.0"})
    assert [(each.version, each.installed, each.newest) for each in versions] == [
        ("2.0.0rc1", False, False),
        ("1.1.0", False, True),
        ("1.0.0", True, False),
    ]
    assert (versions[2].published, versions[2].source) == (1769850000, "hub:acme/boxes==1.0.0")
    assert all(each.size for each in versions)
    (only,) = hub.versions("words", {})
    assert (only.published, only.newest) == (None, True), "when a bundled package was put there, nobody knows"
