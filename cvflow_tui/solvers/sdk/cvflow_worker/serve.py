"""The worker's loop: one frame in, one frame out, until the runner's end of the socket closes."""

from __future__ import annotations

import argparse
import ctypes
import inspect
import os
import resource
import signal
import sys
import threading
from typing import Any, Dict, List, Optional

from cvflow_worker import faults
from cvflow_worker.calling import Caller
from cvflow_worker.frames import Channel
from cvflow_worker.loading import load
from cvflow_worker.training import train

_PR_SET_PDEATHSIG = 1


def main(arguments: List[str]) -> int:
    """Serve over the inherited socket `--fd`; 0 once it closed, 1 when the solver could not be loaded."""
    parser = argparse.ArgumentParser(prog="cvflow_worker", description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="the inherited socket to the runner")
    parser.add_argument("--nice", type=int, default=0, help="how far to stand back behind other processes")
    options = parser.parse_args(arguments)
    _settle(options.nice)
    return Worker(Channel(options.fd)).run()


class Worker:
    """One solver and the socket over which it is asked."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._solver: Any = None
        self._caller: Optional[Caller] = None
        self._receiving = threading.Lock()

    def run(self) -> int:
        """Answer frames until the socket closes.

        A solver that says `concurrency` is called from that many threads, which take turns at the socket; any other from the main
        thread alone, one call at a time.
        """
        while True:
            with self._receiving:
                frame = self._channel.receive()
            if frame is None:
                return 0
            if frame["op"] == "load":
                if not self._load(frame):
                    return 1
            elif frame["op"] == "infer":
                self._infer(frame)
            elif frame["op"] == "train":
                self._train(frame)
            elif frame["op"] == "ping":
                self._channel.send({"op": "pong"})
            else:
                raise ValueError(f"unknown frame {frame['op']!r}")

    def _load(self, frame: Dict[str, Any]) -> bool:
        try:
            self._solver = load(frame)
            self._caller = caller = Caller(self._solver, frame)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a package may raise anything, SystemExit included; the runner must hear why
            sys.stderr.write(faults.full(error))
            self._channel.send({"op": "failed", "error": faults.one_line(error), "traceback": faults.full(error)})
            return False
        for number in range(1, caller.concurrency):
            threading.Thread(target=self.run, name=f"infer-{number}", daemon=True).start()
        self._channel.send(
            {
                "op": "ready",
                "parameters": caller.parameters.describe(),
                "documentation": inspect.getdoc(getattr(self._solver, "infer", None)) or "",
                "trainable": caller.trainable,
                "batch": caller.batch,
                "concurrency": caller.concurrency,
                "generation": caller.generation,
                "attributes": caller.attributes,
                "hyperparameters": caller.hyperparameters,
                "labels": [str(label) for label in getattr(self._solver, "labels", None) or ()],
            }
        )
        return True

    def _infer(self, frame: Dict[str, Any]) -> None:
        try:
            if self._caller is None:
                raise RuntimeError("asked to infer before a solver was loaded")
            results = self._caller.call(frame["files"], frame.get("parameters") or {}, frame.get("sizes"))
            self._channel.send({"op": "result", "id": frame["id"], "results": results})
        except (Exception, SystemExit) as error:  # a solver that calls sys.exit has failed; its worker need not
            self._fail(error, frame)

    def _train(self, frame: Dict[str, Any]) -> None:
        try:
            metrics = train(self._solver, frame, self._channel)
            self._channel.send({"op": "trained", "metrics": metrics})
        except (Exception, SystemExit) as error:
            self._fail(error, frame)

    def _fail(self, error: BaseException, frame: Dict[str, Any]) -> None:
        answer = faults.error_frame(error)
        if answer["traceback"]:
            sys.stderr.write(answer["traceback"])
        self._channel.send({**answer, "id": frame.get("id")})


def _settle(nice: int) -> None:
    """Private files, no core dumps (they would hold pictures), logs line by line, and no life without the runner."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the runner's to answer
    if nice:
        os.nice(nice)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
