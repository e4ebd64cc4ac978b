"""The default hub: a folder of packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from cvflow_tui.backend.packages.hub import Hub
from cvflow_tui.backend.packages.service import BUNDLED
from cvflow_tui.model.errors import NotFoundError, PackageError, UsageError

from .parts import payload, weight, write_package


def names(hub: Hub, query: str = "") -> list[str]:
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
    assert names(Hub(hub_folder), query) == found


def test_folders_without_a_manifest_and_broken_packages_do_not_hide_the_others(hub_folder: Path) -> None:
    (hub_folder / "sdk").mkdir()
    (hub_folder / "file.txt").write_text("x")
    (hub_folder / "broken").mkdir()
    (hub_folder / "broken/cvpm.toml").write_text("[")
    assert names(Hub(hub_folder)) == ["acme/boxes", "cvflow/words"]
    with pytest.raises(PackageError, match="line 1"):
        Hub(hub_folder).find("broken")
    assert names(Hub(hub_folder / "nowhere")) == []


def test_find_says_what_there_is(hub_folder: Path) -> None:
    hub = Hub(hub_folder)
    assert hub.find("Acme/Boxes").name == hub.find("boxes").name == "boxes"
    with pytest.raises(NotFoundError, match="the hub has no 'x'; it has acme/boxes, cvflow/words"):
        hub.find("x")
    write_package(hub_folder / "boxes2", name="boxes", vendor="other")
    with pytest.raises(UsageError, match="'boxes' is the name of several packages: acme/boxes, other/boxes"):
        hub.find("boxes")


def test_the_size_is_that_of_files_and_weights(hub_folder: Path) -> None:
    hub = Hub(hub_folder)
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
    hub = Hub(BUNDLED)
    folders = {path.parent.name for path in BUNDLED.glob("*/cvpm.toml")}
    packages = hub.packages()
    assert {package.root.name for package in packages} == folders
    for package in packages:
        detail = hub.detail(package)
        assert detail.summary.vendor == "cvflow" and detail.summary.license and detail.summary.tagline
        assert detail.readme, f"{package.ref} has no README"
        assert all(weight.sha256 for weight in detail.weights)
        assert detail.warnings == ()
