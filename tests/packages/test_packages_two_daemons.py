"""Two processes on one home: the daemon's lock, which the kernel keeps, is what keeps the second one's hands off its packages."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from cvflow_tui.backend.client import find_daemon
from cvflow_tui.home import Home


def begin(root: Path) -> subprocess.Popen[str]:
    """`cvflow daemon run` on a home."""
    command = [sys.executable, "-m", "cvflow_tui", "daemon", "run"]
    return subprocess.Popen(
        command, env=os.environ | {"CVFLOW_HOME": str(root)}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def until_it_serves(home: Home, pid: int) -> None:
    """Wait for the daemon of a process."""
    deadline = time.monotonic() + 60
    while (found := find_daemon(home)) is None or found.pid != pid:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_second_process_changes_nothing_until_the_first_is_gone(home: Home, tmp_path: Path) -> None:
    """What lies half-way in staging and packages is an install of the first's; whoever comes next would sweep it away (`recover`)."""
    first = begin(home.root)
    processes = [first]
    try:
        until_it_serves(home, first.pid)
        half_way = [home.staging / "work-0/package/cvpm.toml", home.packages / "acme/boxes/1.0.0/cvpm.toml"]
        for file in half_way:
            file.parent.mkdir(parents=True)
            file.write_text("the first's")
        (other_name := tmp_path / "other-name").symlink_to(home.root)
        second = begin(other_name)
        processes.append(second)
        told = second.communicate(timeout=60)[1]
        assert second.returncode == 4 and f"a daemon (pid {first.pid} at " in told and "cvflow daemon stop" in told
        assert [file.read_text() for file in half_way] == ["the first's"] * 2
        first.kill()
        first.wait()
        next_one = begin(other_name)
        processes.append(next_one)
        until_it_serves(home, next_one.pid)
        assert not any(file.exists() for file in half_way), "the lock went with its holder, and the next one tidied up"
    finally:
        for process in processes:
            process.kill()
            process.communicate()
