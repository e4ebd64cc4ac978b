"""Ending a read that waits for a slow server, the moment its job is called off."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import httpx

from cvflow_tui.backend.packages.downloads.client import connected_socket

_LOOK_SECONDS = 0.1


class Shutter:
    """Shuts the connections of the replies that are being read once `ended` says so. One thread, however many replies."""

    def __init__(self, ended: Callable[[], bool]) -> None:
        self._ended = ended
        self._guard = threading.Lock()
        self._replies: set[socket.socket] = set()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="download-watch", daemon=True)

    def __enter__(self) -> Shutter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    @contextmanager
    def watching(self, reply: httpx.Response) -> Iterator[None]:
        """Watch over a reply while it is read."""
        connection = connected_socket(reply)
        if connection is None:
            yield
            return
        with self._guard:
            self._replies.add(connection)
        try:
            yield
        finally:
            with self._guard:
                self._replies.discard(connection)

    def shut(self) -> None:
        """Shut them now."""
        with self._guard:
            for connection in self._replies:
                with suppress(OSError):
                    # The plain socket's: that of a TLS socket also has it forget its keys, and who reads next is handed ciphertext.
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def _watch(self) -> None:
        while not self._done.wait(_LOOK_SECONDS):
            if self._ended():
                self.shut()
                return
