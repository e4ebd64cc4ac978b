"""Jobs report, can be waited for, fail with one line, and can be called off."""

from __future__ import annotations

import threading
import time

from cvflow_tui.backend.jobs import JobBoard, Progress
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.jobs import Job, JobState


def finished(board: JobBoard, job: Job) -> Job:
    deadline = time.monotonic() + 10
    while not job.state.is_over and time.monotonic() < deadline:
        job = board.wait(job.id, job.revision, 1.0) or job
    return job


def test_a_job_reports_and_ends_with_its_result() -> None:
    board = JobBoard()
    go = threading.Event()

    def work(progress: Progress) -> str:
        progress.step("fetching", total=100, unit="bytes")
        progress.advance(40)
        go.wait(5)
        return "whole"

    job = board.start("install", "x", work)
    seen = board.wait(job.id, 1, 5.0)
    assert seen is not None
    assert (seen.step, seen.done, seen.total, seen.unit) == ("fetching", 40, 100, "bytes")
    go.set()
    assert finished(board, job).result == "whole"


def test_rate_and_time_left_ignore_what_an_earlier_attempt_left() -> None:
    board = JobBoard()
    progress = Progress(board, board.start("install", "x", lambda _: time.sleep(1.0)).id)
    progress.step("fetching", total=1000, unit="bytes", done=500)
    time.sleep(0.3)
    progress.advance(600)
    (job,) = board.jobs()
    assert job.rate is not None
    assert job.eta is not None
    assert 100 <= job.rate <= 100 / 0.3
    assert abs(job.eta - 400 / job.rate) < 1e-6


def test_failures_become_one_line() -> None:
    board = JobBoard()

    def refuse(_: Progress) -> None:
        raise PackageError("the manifest is missing", detail="looked here\nand there")

    def burst(_: Progress) -> None:
        raise RuntimeError("two\nlines")

    known, unknown = finished(board, board.start("install", "x", refuse)), finished(board, board.start("install", "x", burst))
    assert (known.state, known.error, known.code) == (JobState.FAILED, "the manifest is missing", "package")
    assert known.detail == "looked here\nand there"
    assert (unknown.state, unknown.error, unknown.code) == (JobState.FAILED, "RuntimeError: two lines", "internal")


def test_a_cancelled_job_stops_at_its_next_report() -> None:
    board = JobBoard()
    steps: list[int] = []

    def work(progress: Progress) -> None:
        for step in range(10_000):
            progress.advance(step, 10_000)
            steps.append(step)
            progress.cancelled.wait(0.01)

    job = board.start("round", "x", work)
    board.cancel(job.id)
    assert finished(board, job).state is JobState.CANCELLED
    assert len(steps) < 100


def test_waiting_for_an_unknown_job_does_not_hang() -> None:
    assert JobBoard().wait("nobody", 0, 60.0) is None


def test_closing_lets_go_of_whoever_waits() -> None:
    board = JobBoard()
    job = board.start("round", "x", lambda progress: progress.cancelled.wait(20))
    answers: list[Job | None] = []
    waiter = threading.Thread(target=lambda: answers.append(board.wait(job.id, 1000, 60.0)))
    waiter.start()
    board.close()
    waiter.join(5)
    assert not waiter.is_alive()
    assert answers[0] is not None
