"""What a worker started and hid, in a session of its own and with an empty environment: it comes to the runner, which ends it.

Workers and what bears their mark are found without this (`marks.py`). A runner that is killed takes the way to its orphans with it.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from cvflow_tui.backend.runtime.prctl import SET_CHILD_SUBREAPER, switch_on

REAP_SECONDS = 1.0


class Orphans:
    """The children of this process that are none of its workers. Does nothing before `adopt`. For the event loop's thread only."""

    def __init__(self) -> None:
        self._adopting = False
        self._workers: set[int] = set()

    def adopt(self) -> None:
        """From now on whatever our descendants leave behind becomes our child instead of init's (Linux)."""
        self._adopting = switch_on(SET_CHILD_SUBREAPER)

    def worker_began(self, pid: int) -> None:
        """A child that is none."""
        self._workers.add(pid)

    def worker_ended(self, pid: int) -> None:
        """A worker is gone, and waited for: so goes what was left behind, unless it may be another's."""
        self._workers.discard(pid)
        if not self._workers:
            self.end()

    def end(self) -> None:
        """End them and whatever they started."""
        if not self._adopting:
            return
        import psutil  # not before a worker has been started: its start waits for our imports

        for _ in range(100):
            if not (left := [each for each in psutil.Process().children(recursive=True) if each.pid not in self._workers]):
                return
            for process in left:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGKILL)
                _reap(process.pid)

    async def reap(self) -> None:
        """Let go of those that have ended by themselves, until cancelled."""
        import asyncio  # as above

        while self._adopting:
            await asyncio.sleep(REAP_SECONDS)
            self._let_go()

    def _let_go(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
                if ended.si_pid in self._workers:
                    return  # whoever waits for that one wants to know how it ended
                _reap(ended.si_pid)


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):  # it is another's child still, and becomes ours when that one has ended
        os.waitpid(pid, os.WNOHANG)


ORPHANS = Orphans()
"""Those of this process: there is one parent."""
