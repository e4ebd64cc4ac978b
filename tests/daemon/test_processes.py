"""A process is known again by more than its pid."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from cvflow_tui.backend.processes import boot_id, is_same_process, port_owner, start_time


def test_this_process_is_itself_and_nobody_else() -> None:
    pid, started = os.getpid(), start_time()
    assert is_same_process(pid, started, boot_id())
    assert not is_same_process(pid, started + 1, boot_id())
    assert not is_same_process(pid, started, "another boot")


def test_a_dead_process_and_a_zombie_are_not_the_same_process() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = start_time(child.pid)
    assert is_same_process(child.pid, started, boot_id())
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_same_process(child.pid, started, boot_id())
    child.wait()
    assert not is_same_process(child.pid, started, boot_id())


def test_who_has_a_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert f"(pid {os.getpid()})" in (port_owner(port) or "")
    assert port_owner(port) is None
