"""git+ssh: git's own ssh transport, with a program in ssh's place that notes what it was asked and runs the command here."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.hub import FolderHub
from cvflow_tui.backend.packages.sources import parse_source
from cvflow_tui.model.errors import RemoteError

from .parts import commit_all, git, write_package

SSH = f"""\
#!{sys.executable}
import json, os, shlex, sys
with open(os.environ["SSH_SAID"], "a") as file:
    print(json.dumps([sys.argv[1:], os.environ.get("SSH_ASKPASS"), os.isatty(0)]), file=file)
if "git@refused.example" in sys.argv:
    sys.exit("git@refused.example: Permission denied (publickey).")
program, folder = shlex.split(sys.argv[-1])
os.execvp(program, [program, os.environ["SSH_ROOT"] + folder])
"""


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the program in ssh's place writes down what it was asked; repositories lie below `tmp_path`."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "ssh").write_text(SSH)
    (programs / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("SSH_SAID", str(tmp_path / "said"))
    monkeypatch.setenv("SSH_ROOT", str(tmp_path))
    monkeypatch.setenv("GIT_SSH_COMMAND", f"touch {tmp_path}/users-command; ssh")
    return tmp_path / "said"


def test_rule_05_ssh_is_never_asked_to_prompt_and_gets_the_host_as_one_word(tmp_path: Path, said: Path) -> None:
    root = write_package(tmp_path / "acme" / "boxes.git")
    first = commit_all(root)
    (root / "more").write_text("x")
    commit_all(root, "more")
    git(root, "tag", "v2")
    hub = FolderHub(tmp_path / "none")
    fetched = parse_source("git+ssh://git@host.example:2222/acme/boxes.git", hub).fetch(tmp_path / "copy", Progress())
    assert fetched.vendor == "acme" and fetched.source == f"git+ssh://git@host.example:2222/acme/boxes.git@{fetched.commit}"
    assert (tmp_path / "copy/more").is_file()
    for ref in (first, first[:10]):
        pinned = parse_source(f"git+ssh://host.example/acme/boxes.git@{ref}", hub).fetch(tmp_path / f"copy-{ref}", Progress())
        assert pinned.commit == first and not (tmp_path / f"copy-{ref}/more").exists()
    calls = [json.loads(line) for line in said.read_text().splitlines()]
    for arguments, _, terminal in calls:
        assert "BatchMode=yes" in arguments and "StrictHostKeyChecking=yes" in arguments and not terminal
        assert arguments[-1] == "git-upload-pack '/acme/boxes.git'"
    assert calls[0][0][-4:-1] == ["-p", "2222", "git@host.example"]
    assert not (tmp_path / "users-command").exists()


def test_a_key_that_is_missing_is_one_line(tmp_path: Path, said: Path) -> None:
    with pytest.raises(RemoteError, match=r"^git cannot fetch ssh://git@refused\.example/v/p: ") as caught:
        parse_source("git+ssh://git@refused.example/v/p", FolderHub(tmp_path)).fetch(tmp_path / "copy", Progress())
    assert "Permission denied (publickey)" in str(caught.value.detail)
    assert not (tmp_path / "copy").exists() and said.exists()
