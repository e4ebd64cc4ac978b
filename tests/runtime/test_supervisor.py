"""Starting, finding again and ending runners: real processes, real kills."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cvflow_tui.backend.runtime.runner import backoff
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.backend.runtime.supervisor import Supervisor
from cvflow_tui.backend.store import open_state
from cvflow_tui.model.errors import NotFoundError, PackageError, RefusedError, UsageError
from cvflow_tui.model.solvers import RunningSolver, SolverState
from tests.runtime.helpers import Client, Site, alive, multipart, until, workers

Specs = Callable[..., RunSpec]


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def zombies() -> list[int]:
    return [child.pid for child in psutil.Process().children() if child.status() == psutil.STATUS_ZOMBIE]


def test_start_serves_and_stop_leaves_nothing(site: Site, spec_of: Specs, picture: bytes) -> None:
    solver = site.supervisor.start(spec_of("Parent"))
    assert solver.state is SolverState.READY
    assert solver.url == f"http://127.0.0.1:{solver.port}"
    assert solver.pid is not None
    assert solver.port is not None
    child = int(Client(solver.port).infer(picture).json["caption"])
    everyone = [solver.pid, child, *workers(solver.pid)]
    assert len(everyone) >= 3
    spec_file = site.home.runs / "tests+demo+parent.json"
    assert spec_file.stat().st_mode & 0o777 == 0o600

    stopped = site.supervisor.stop(solver.name)
    assert (stopped.state, stopped.pid, stopped.port) == (SolverState.STOPPED, None, None)
    assert [pid for pid in everyone if alive(pid)] == []
    assert port_is_free(solver.port)
    assert site.supervisor.solvers() == []
    assert site.supervisor.endpoint(solver.name) is None
    assert not spec_file.exists()
    until(lambda: not zombies())
    with pytest.raises(NotFoundError):
        site.supervisor.stop(solver.name)


def test_starting_twice_finds_it_running(site: Site, spec_of: Specs) -> None:
    first = site.supervisor.start(spec_of("Echo"))
    again = site.supervisor.start(spec_of("Echo"), port=first.port)
    assert (again.pid, again.port) == (first.pid, first.port)


def test_many_starts_at_once_start_one(site: Site, spec_of: Specs) -> None:
    found: list[RunningSolver] = []
    threads = [threading.Thread(target=lambda: found.append(site.supervisor.start(spec_of("SlowStart")))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 5
    assert len({solver.pid for solver in found}) == 1
    runners = [child for child in psutil.Process().children() if "cvflow_tui.backend.runtime.runner" in child.cmdline()]
    assert [child.pid for child in runners] == [found[0].pid]


def test_without_waiting_it_is_seen_starting(site: Site, spec_of: Specs, picture: bytes) -> None:
    solver = site.supervisor.start(spec_of("SlowStart"), wait=False)
    assert solver.state is SolverState.STARTING
    until(lambda: site.supervisor.solvers()[0].uptime > 0)
    reply = site.client(solver.name).infer(picture)
    assert (reply.status, reply.headers["retry-after"], reply.json["error"]) == (503, "1", "the solver is starting")
    until(lambda: site.supervisor.solvers()[0].state is SolverState.READY)


def test_a_stop_ends_a_start_that_waits(site: Site, spec_of: Specs) -> None:
    refusals: list[RefusedError] = []

    def start() -> None:
        try:
            site.supervisor.start(spec_of("SlowStart"))
        except RefusedError as error:
            refusals.append(error)

    starting = threading.Thread(target=start)
    starting.start()
    until(lambda: site.supervisor.endpoint("tests/demo/slowstart"))
    site.supervisor.stop("tests/demo/slowstart")
    starting.join(10)
    assert [error.message for error in refusals] == ["tests/demo/slowstart was stopped while it started"]
    assert site.supervisor.solvers() == []


def test_a_port_in_use_names_who_has_it(site: Site, spec_of: Specs) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(RefusedError) as refusal:
            site.supervisor.start(spec_of("Echo"), port=port)
        assert str(port) in refusal.value.message
        assert f"(pid {os.getpid()})" in refusal.value.message
        assert site.supervisor.solvers() == []
    assert site.supervisor.start(spec_of("Echo"), port=port).port == port
    with pytest.raises(UsageError):
        site.supervisor.start(spec_of("Slow"), port=70_000)


def test_a_constructor_that_raises_is_told_in_one_line_and_leaves_no_process(site: Site, spec_of: Specs) -> None:
    before = set(psutil.Process().children())
    with pytest.raises(PackageError) as failure:
        site.supervisor.start(spec_of("Broken"))
    assert failure.value.message == "tests/demo/broken failed to start: ValueError: the weights are for another model"
    assert failure.value.detail is not None
    assert "Traceback" in failure.value.detail
    assert "about to fail" in failure.value.detail
    until(lambda: set(psutil.Process().children()) <= before)
    (seen,) = site.supervisor.solvers()  # until it is started anew or dismissed; its log can be read meanwhile
    assert (seen.state, seen.error) == (SolverState.FAILED, "ValueError: the weights are for another model")
    assert (seen.pid, seen.port, seen.url) == (None, None, None)
    assert "about to fail" in site.supervisor.log(seen.name).text
    assert list(site.home.runs.iterdir()) == []
    site.supervisor.close()
    site.supervisor = Supervisor(site.home, open_state(site.home))
    assert site.supervisor.adopt() == [seen]  # the next daemon tells it too
    assert (site.supervisor.died, site.supervisor.rebooted) == ([], [])
    assert site.supervisor.stop(seen.name).state is SolverState.STOPPED
    assert site.supervisor.solvers() == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"class_path": "demo/nowhere/Echo"}, "ModuleNotFoundError: No module named 'demo.nowhere'"),
        ({"class_path": "demo/solvers/Nobody"}, "has no attribute 'Nobody'"),
        ({"class_path": "demo/solvers/os"}, "is not a class"),
        ({"python": "/nonexistent/python"}, "/nonexistent/python can't be started: No such file or directory"),
    ],
)
def test_what_does_not_load_is_told(site: Site, spec_of: Specs, changes: dict[str, str], words: str) -> None:
    with pytest.raises(PackageError) as failure:
        site.supervisor.start(spec_of("Echo", **changes))
    assert words in failure.value.message
    (seen,) = site.supervisor.solvers()
    assert seen.error is not None and seen.error in failure.value.message


def test_a_failure_nobody_waited_for_stays_to_be_seen_and_dismissed(site: Site, spec_of: Specs) -> None:
    begun = site.supervisor.start(spec_of("Broken"), wait=False)

    def failed() -> RunningSolver | None:
        (seen,) = site.supervisor.solvers()
        return seen if seen.state is SolverState.FAILED else None

    solver = until(failed)
    assert solver.error == "ValueError: the weights are for another model"
    assert (solver.pid, solver.port, solver.url) == (None, None, None)
    until(lambda: begun.pid is not None and not alive(begun.pid))
    assert site.supervisor.solvers()[0].error == solver.error
    assert site.supervisor.start(spec_of("Echo")).state is SolverState.READY
    assert site.supervisor.stop("tests/demo/broken").state is SolverState.STOPPED
    assert [each.name for each in site.supervisor.solvers()] == ["tests/demo/echo"]


def test_a_killed_worker_is_replaced_after_a_pause(site: Site, spec_of: Specs, picture: bytes) -> None:
    client = site.start(spec_of("Slow"))
    runner = client.status()["id"]
    (worker,) = workers(runner)
    replies: list[int] = []
    asking = threading.Thread(target=lambda: replies.append(client.infer(picture, "?seconds=20").status))
    asking.start()
    until(lambda: client.status()["state"] == "busy")
    os.kill(worker, signal.SIGKILL)
    asking.join(10)
    assert replies == [503]
    told = until(lambda: (status := client.status())["error"] == "its process was killed by SIGKILL" and status)
    assert told["state"] == "backoff"
    reply = client.infer(picture)
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    told = until(lambda: (status := client.status())["state"] == "ready" and status)
    assert (told["restarts"], told["error"]) == (1, None)
    assert workers(runner) != [worker]
    assert client.infer(picture, "?seconds=0").status == 200


def test_a_killed_runner_leaves_no_worker_and_is_started_again(site: Site, spec_of: Specs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST", 0.3)
    solver = site.supervisor.start(spec_of("Echo"))
    assert solver.pid is not None
    (worker,) = workers(solver.pid)
    uploads = [path for place in (Path("/dev/shm"), site.home.runs) for path in place.glob(f"cvflow-{solver.pid}-*")]
    assert uploads, "a runner has a folder of its own for pictures"
    (uploads[0] / "1").write_bytes(b"a picture")
    os.kill(solver.pid, signal.SIGKILL)
    until(lambda: not alive(worker))
    until(lambda: not any(path.exists() for path in uploads))  # its pictures do not stay in memory until somebody looks
    again = until(lambda: (found := site.supervisor.solvers()[0]).state is SolverState.READY and found.pid != solver.pid and found)
    assert (again.port, again.restarts) == (solver.port, 1)


def test_a_new_supervisor_adopts(site: Site, spec_of: Specs, picture: bytes) -> None:
    solver = site.supervisor.start(spec_of("Echo"))
    lost = site.supervisor.start(spec_of("Reader"))
    site.supervisor.close()
    assert lost.pid is not None
    os.kill(lost.pid, signal.SIGKILL)
    until(lambda: not alive(lost.pid or 0))
    site.supervisor = Supervisor(site.home, open_state(site.home))
    assert [(each.name, each.pid, each.state) for each in site.supervisor.adopt()] == [(solver.name, solver.pid, SolverState.READY)]
    assert [run.name for run in site.supervisor.died] == [lost.name]
    assert site.client(solver.name).infer(picture).status == 200
    assert site.supervisor.start(spec_of("Echo")).pid == solver.pid
    site.supervisor.stop(solver.name)
    assert solver.pid is not None
    assert not alive(solver.pid)


def test_a_solver_outlives_its_killed_daemon_and_is_found_again(site: Site, spec_of: Specs, picture: bytes, tmp_path: Path) -> None:
    spec_file = tmp_path / "spec.json"
    spec_of("Echo").save(spec_file)
    program = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from cvflow_tui.backend.runtime.spec import RunSpec
        from cvflow_tui.backend.runtime.supervisor import Supervisor
        from cvflow_tui.backend.store import open_state
        from cvflow_tui.home import Home

        home = Home(Path(sys.argv[1]))
        solver = Supervisor(home, open_state(home)).start(RunSpec.load(Path(sys.argv[2])))
        print(solver.port, solver.pid, flush=True)
        time.sleep(1000)
        """
    )
    command = [sys.executable, "-c", program, str(site.home.root), str(spec_file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as daemon:
        assert daemon.stdout is not None
        port, pid = (int(word) for word in daemon.stdout.readline().split())
        daemon.kill()
        daemon.wait()
    for _ in range(5):
        assert Client(port).infer(picture).status == 200
    (found,) = site.supervisor.adopt()
    assert (found.pid, found.port, found.state) == (pid, port, SolverState.READY)
    site.supervisor.stop(found.name)
    assert not alive(pid)
    assert port_is_free(port)


def test_who_serves_is_found_though_the_database_was_lost(site: Site, spec_of: Specs, picture: bytes) -> None:
    """By its specification, whose mark its processes bear. A specification that nobody serves is none."""
    client = site.start(spec_of("Echo"))
    [before] = site.supervisor.solvers()
    (site.home.runs / "tests+demo+gone.json").write_bytes((site.home.runs / "tests+demo+echo.json").read_bytes())
    site.home.state_db.rename(site.home.root / "lost.db")
    for path in site.home.root.glob("state.db-*"):
        path.unlink()
    site.supervisor = Supervisor(site.home, open_state(site.home))
    [found] = site.supervisor.adopt()
    assert (found.name, found.pid, found.port, found.state, found.version) == (
        before.name,
        before.pid,
        before.port,
        SolverState.READY,
        before.version,
    )
    assert client.infer(picture).status == 200
    site.supervisor.stop(found.name)
    assert found.pid is not None and not alive(found.pid)


def test_another_process_with_the_same_number_is_left_alone(site: Site, spec_of: Specs) -> None:
    """A row whose number now belongs to a stranger: forgotten, the stranger not touched."""
    with subprocess.Popen(["sleep", "1000"], start_new_session=True) as stranger:
        state = open_state(site.home)
        with state.write() as connection:
            connection.execute(
                "INSERT INTO runs VALUES ('a/b/c', '1', '/nowhere', 't', 1, ?, 1.0, 'this boot', NULL, 0)",
                (stranger.pid,),
            )
            connection.execute("UPDATE runs SET boot_id = ?", (Path("/proc/sys/kernel/random/boot_id").read_text().strip(),))
        assert site.supervisor.adopt() == []
        assert stranger.poll() is None
        stranger.kill()


def test_stop_drains_what_is_under_way(site: Site, spec_of: Specs, picture: bytes) -> None:
    client = site.start(spec_of("Slow"))
    replies: list[int] = []
    asking = threading.Thread(target=lambda: replies.append(client.infer(picture, "?seconds=0.7").status))
    asking.start()
    until(lambda: client.status()["state"] == "busy")
    site.supervisor.stop("tests/demo/slow")
    asking.join(10)
    assert replies == [200]


def test_the_stop_route_ends_the_runner(site: Site, spec_of: Specs) -> None:
    client = site.start(spec_of("Echo"))
    pid = client.status()["id"]
    assert client.control("POST", "/_cvflow/stop").json == {"state": "stopped"}
    until(lambda: not alive(pid))
    seen = until(lambda: (found := site.supervisor.solvers()[0]).state is SolverState.FAILED and found)
    assert seen.error == "it was told to stop over its own port"


def test_stop_all_ends_all(site: Site, spec_of: Specs) -> None:
    pids = [site.supervisor.start(spec_of(kind)).pid for kind in ("Echo", "Reader", "Slow")]
    assert sorted(solver.solver for solver in site.supervisor.stop_all()) == ["echo", "reader", "slow"]
    assert [pid for pid in pids if pid is not None and alive(pid)] == []


def test_workers_see_no_secret_of_ours(site: Site, spec_of: Specs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CVFLOW_TEST_SECRET", "a secret word")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    solver = site.supervisor.start(spec_of("Echo"))
    assert solver.pid is not None
    (worker,) = workers(solver.pid)
    seen = Path(f"/proc/{worker}/environ").read_bytes()
    assert b"PATH=" in seen
    assert b"a secret word" not in seen
    assert b"PYTHONPATH" not in seen


def test_by_hand_it_prints_its_url_and_ctrl_c_ends_it(spec_of: Specs, tmp_path: Path, picture: bytes) -> None:
    file = tmp_path / "spec.json"
    spec_of("Echo").save(file)
    command = [sys.executable, "-m", "cvflow_tui.backend.runtime.runner", "--spec", str(file), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True) as runner:
        assert runner.stdout is not None
        url = runner.stdout.readline().strip()
        client = Client(int(url.rpartition(":")[2]))
        kind, body = multipart(picture)
        assert client.send("POST", "/infer", body, {"Content-Type": kind}).status == 200
        assert client.control("POST", "/_cvflow/stop").status == 403
        (worker,) = workers(runner.pid)
        runner.send_signal(signal.SIGINT)
        assert runner.wait(15) == 0
        assert not alive(worker)


def test_by_hand_a_failing_solver_ends_with_6_and_a_taken_port_with_4(spec_of: Specs, tmp_path: Path) -> None:
    file = tmp_path / "spec.json"
    spec_of("Broken").save(file)
    command = [sys.executable, "-m", "cvflow_tui.backend.runtime.runner", "--spec", str(file), "--port"]
    ended = subprocess.run([*command, "0"], capture_output=True, text=True, timeout=30)
    assert ended.returncode == 6
    assert "ValueError: the weights are for another model" in ended.stderr
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = subprocess.run([*command, str(taken.getsockname()[1])], capture_output=True, text=True, timeout=30)
    assert ended.returncode == 4
    assert ended.stderr.count("\n") == 1
