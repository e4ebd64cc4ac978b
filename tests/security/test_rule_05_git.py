"""Rule 5: every repository is hostile. What git is really called with is looked at, by a program in git's place that notes it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.hub import FolderHub
from cvflow_tui.backend.packages.sources import Fetched, parse_source
from cvflow_tui.backend.packages.sources.git import GitSource
from cvflow_tui.model.errors import CvflowError, NotFoundError, PackageError, UsageError
from tests.packages.parts import commit_all, git, write_package

GIT = f"""\
#!{sys.executable}
import json, os, sys
with open({{said!r}}, "a") as file:
    print(json.dumps([sys.argv[1:], dict(os.environ), os.isatty(0)]), file=file)
os.execv({{real!r}}, ["git", *sys.argv[1:]])
"""
HUB = FolderHub(Path("/nonexistent"))


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where every call of git is noted from now on."""
    programs, real = tmp_path / "programs", shutil.which("git")
    programs.mkdir()
    (programs / "git").write_text(GIT.format(said=str(tmp_path / "calls"), real=real))
    (programs / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return tmp_path / "calls"


def noted(calls: Path) -> list[tuple[list[str], dict[str, str], bool]]:
    return [tuple(json.loads(line)) for line in calls.read_text().splitlines()]


def fetch(source: str, into: Path) -> Fetched:
    return parse_source(source, HUB).fetch(into, Progress())


def test_every_call_is_locked_down(tmp_path: Path, calls: Path) -> None:
    root = write_package(tmp_path / "acme/boxes")
    commit_all(root)
    commit = git(root, "rev-parse", "HEAD")
    calls.unlink()
    fetch(f"git+file://{root}@{commit[:9]}", tmp_path / "copy")
    found = [call for call in noted(calls) if call[0][0].startswith("--git-dir=")]  # not those that git makes itself
    assert len(found) >= 4
    assert {arguments[arguments.index("fetch")] for arguments, _, _ in found if "fetch" in arguments} == {"fetch"}
    for arguments, environment, terminal in found:
        settings = {arguments[index + 1] for index, word in enumerate(arguments) if word == "-c"}
        assert {"core.hooksPath=/dev/null", "core.symlinks=false", "protocol.ext.allow=never", "submodule.recurse=false"} <= settings
        assert {"filter.lfs.smudge=", "filter.lfs.process=", "credential.helper=", "core.fsmonitor=false"} <= settings
        assert environment["GIT_ALLOW_PROTOCOL"] == "file" and environment["GIT_TERMINAL_PROMPT"] == "0"
        assert environment["GIT_CONFIG_GLOBAL"] == os.devnull and environment["GIT_CONFIG_NOSYSTEM"] == "1"
        assert environment["GIT_LFS_SKIP_SMUDGE"] == "1" and not terminal
    for arguments, _, _ in found:
        if "fetch" in arguments:
            words = arguments[arguments.index("fetch") :]
            assert "--no-recurse-submodules" in words and words[words.index("--") + 1] == f"file://{root}"
    first = next(arguments for arguments, _, _ in found if "fetch" in arguments)
    assert "--depth=1" in first


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c touch% /tmp/x",
        "https::https://host/p",
        "-oProxyCommand=x",
        "--upload-pack=x",
        "https://-x/p",
        "https://host/../p",
        "http://host/v/p",
        "git://host/v/p",
        "ssh://-oProxyCommand=touch x/v/p",
        "ssh://git:password@host/v/p",
        "https://user@host/v/p",
        "file://host/p",
        "/plain/path",
        "fd::17",
        "https://host/p\n--x",
    ],
)
def test_an_address_that_is_not_plain_never_reaches_git(url: str, calls: Path, tmp_path: Path) -> None:
    with pytest.raises(CvflowError):
        parse_source(f"git+{url}", HUB).fetch(tmp_path / "copy", Progress())
    if url != "https://host/../p":  # that one is plain: it is the server's to say that there is nothing
        with pytest.raises(UsageError):
            GitSource(url)
        assert not calls.exists()


@pytest.mark.parametrize(
    "ref", ["-x", "--upload-pack=x", "a..b", "a b", "a:b", "a~1", "a^", "a@{1}", "x.lock", "a/", "", ".a", "a\nb", "+a:b", "*"]
)
def test_a_ref_that_is_none_never_reaches_git(ref: str, calls: Path) -> None:
    with pytest.raises(UsageError, match="is no branch, tag or commit"):
        GitSource("https://host/v/p", ref)
    assert not calls.exists()


def test_a_repository_within_the_limits_of_nobody_is_stopped(tmp_path: Path) -> None:
    root = write_package(tmp_path / "p")
    (root / "large").write_bytes(os.urandom(1 << 20))
    commit_all(root)
    with pytest.raises(PackageError, match="too large for a package"):
        GitSource(f"file://{root}", bytes_limit=100_000).fetch(tmp_path / "copy", Progress())


def test_the_commit_is_pinned_and_another_cannot_slip_in(tmp_path: Path) -> None:
    root = write_package(tmp_path / "p")
    first = commit_all(root)
    git(root, "tag", "v1")
    (root / "evil").write_text("x")
    commit_all(root, "evil")
    pinned = fetch(f"git+file://{root}@v1", tmp_path / "one")
    git(root, "tag", "-f", "v1")  # the tag is moved afterwards
    again = fetch(pinned.source, tmp_path / "two")
    assert pinned.commit == again.commit == first and not (tmp_path / "two/evil").exists()


def test_a_branch_that_is_called_like_a_commit_is_not_it(tmp_path: Path) -> None:
    root = write_package(tmp_path / "p")
    first = commit_all(root)
    (root / "evil").write_text("x")
    evil = commit_all(root, "evil")
    git(root, "update-ref", f"refs/heads/{first}", evil)
    found: Any
    try:
        found = fetch(f"git+file://{root}@{first}", tmp_path / "copy").commit
    except NotFoundError:
        found = None
    assert found in (first, None)


@pytest.mark.parametrize("name", [".git", ".GIT", "git~1", ".git\u200c"])
def test_a_tree_that_writes_into_gits_own_folder_is_refused(tmp_path: Path, name: str) -> None:
    root = write_package(tmp_path / "p")
    commit_all(root)
    evil = git(root, "rev-parse", "HEAD:parts")
    (tmp_path / "tree").write_text(f"100644 blob {git(root, 'rev-parse', 'HEAD:cvpm.toml')}\tcvpm.toml\n040000 tree {evil}\t{name}\n")
    with (tmp_path / "tree").open() as listed:
        tree = subprocess.run(["git", "mktree"], cwd=root, stdin=listed, capture_output=True, text=True, check=True).stdout.strip()
    commit = git(root, "commit-tree", tree, "-m", "evil")
    git(root, "update-ref", "refs/heads/main", commit)
    with pytest.raises(CvflowError):
        fetch(f"git+file://{root}@main", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
