"""Frames on the socket to the runner: four bytes of length, big-endian, then JSON."""

from __future__ import annotations

import json
import socket
import struct
import threading
from typing import Any, Dict, Optional

LIMIT = 256 * 1024 * 1024
"""The longest frame, in bytes."""

_LENGTH = struct.Struct(">I")
_encoder = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


class Channel:
    """Both directions of the socket. `send` may be called from any thread, `receive` from one."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(True)
        self._socket.set_inheritable(False)
        self._incoming = self._socket.makefile("rb", buffering=1 << 16)
        self._lock = threading.Lock()

    def receive(self) -> Optional[Dict[str, Any]]:
        """The next frame; None once the other side has closed. Raises ValueError for a frame that is none."""
        head = self._incoming.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack(head)
        if length > LIMIT:
            raise ValueError(f"a frame of {length} bytes is longer than {LIMIT}")
        body = self._incoming.read(length)
        if len(body) < length:
            return None
        frame = json.loads(body.decode("utf-8"))
        if not isinstance(frame, dict):
            raise ValueError("a frame must be a JSON object")  # noqa: TRY004 - the bytes are wrong, not the caller
        return frame

    def send(self, frame: Dict[str, Any]) -> None:
        """Send a frame. Raises ValueError for one that is no clean JSON or too long, OSError once the other side is gone."""
        body = _encoder.encode(frame).encode("utf-8")
        if len(body) > LIMIT:
            raise ValueError(f"a result of {len(body)} bytes is longer than {LIMIT}")
        with self._lock:
            self._socket.sendall(_LENGTH.pack(len(body)) + body)
