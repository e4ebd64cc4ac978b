"""The body of a v2 request: pictures as files, all else as values; out of JSON, or of JSON with binary data behind it."""

from __future__ import annotations

import asyncio
import binascii
from base64 import b64decode
from contextlib import ExitStack
from typing import Any

from cvflow_tui.backend.runtime.runner.faults import Fault, bad_input, too_large
from cvflow_tui.backend.runtime.runner.incoming import Incoming
from cvflow_tui.backend.runtime.runner.protocols.bodies import parse_object
from cvflow_tui.backend.runtime.runner.protocols.tensors import Tensor, read_tensor, unpack
from cvflow_tui.backend.runtime.runner.scratch import Upload
from cvflow_tui.backend.runtime.runner.service import Service

HEADER_LENGTH = "Inference-Header-Content-Length"
HEADER_LIMIT = 1 << 20
_SMALL = 1 << 20
"""The most that the binary data of an input other than `image` may take."""


def read_tensors(told: dict[str, Any], most: int) -> list[Tensor]:
    """The inputs of a request. Raises Fault 400 where there is none called `image`, or two of one name."""
    inputs = told.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise bad_input("inputs: a list with the input 'image' is wanted")
    tensors = [read_tensor(one, most) for one in inputs]
    names = [tensor.name for tensor in tensors]
    if len(set(names)) != len(names):
        raise bad_input("inputs: two have the same name")
    image = next((tensor for tensor in tensors if tensor.name == "image"), None)
    if image is None or image.datatype != "BYTES" or image.count < 1:
        raise bad_input("inputs: 'image' of BYTES with at least one element is wanted")
    return tensors


class Arriving:
    """The inputs of one request: pictures as files, all else as values."""

    def __init__(self, service: Service, incoming: Incoming, files: ExitStack) -> None:
        self._service = service
        self._incoming = incoming
        self._files = files
        self._rest = b""
        self._more = True

    async def plain(self, tensors: list[Tensor]) -> dict[str, list[Any]]:
        """Out of JSON."""
        values: dict[str, list[Any]] = {}
        for tensor in tensors:
            if tensor.data is None:
                raise bad_input(f"input {tensor.name[:60]!r}: binary data needs the header {HEADER_LENGTH}")
            if tensor.name == "image":
                values["image"] = [await self._decoded(text) for text in tensor.data]
            else:
                values[tensor.name] = tensor.data
        return values

    async def binary(self) -> tuple[dict[str, Any], dict[str, list[Any]]]:
        """Out of a body whose first part is JSON; pictures go straight to their files."""
        self._incoming.plain()
        limits = self._service.limits
        told = self._incoming.header(HEADER_LENGTH.lower().encode()) or ""
        if not told.isdecimal() or len(told) > 10 or int(told) > HEADER_LIMIT:
            raise bad_input(f"{HEADER_LENGTH} must be a number of bytes, at most {HEADER_LIMIT}")
        try:
            async with asyncio.timeout(limits.upload_seconds):
                request = parse_object(await self._take(int(told)))
                values: dict[str, list[Any]] = {}
                for tensor in read_tensors(request, limits.tensors):
                    values[tensor.name] = await self._tensor(tensor)
                if self._rest or (self._more and await self._piece()):
                    raise bad_input("the body is longer than its inputs")
        except TimeoutError:
            raise Fault(408, "the body did not arrive in time", "usage") from None
        return request, values

    async def _tensor(self, tensor: Tensor) -> list[Any]:
        if tensor.data is not None:
            return [await self._decoded(text) for text in tensor.data] if tensor.name == "image" else tensor.data
        assert tensor.binary_size is not None
        if tensor.name != "image":
            if tensor.binary_size > _SMALL:
                raise too_large(f"input {tensor.name[:60]!r} is larger than {_SMALL} bytes")
            elements = unpack(tensor, await self._take(tensor.binary_size))
            return [element.decode("utf-8", "replace") if isinstance(element, bytes) else element for element in elements]
        pictures, left = [], tensor.binary_size
        for _ in range(tensor.count):
            length = int.from_bytes(await self._take(4), "little")
            left -= 4 + length
            if left < 0:
                break
            pictures.append(await self._picture(length))
        if left or len(pictures) != tensor.count:
            raise bad_input(f"input 'image': the binary data is not {tensor.count} elements, each a length and as many bytes")
        return pictures

    async def _picture(self, length: int) -> Upload:
        limit = self._service.limits.body
        if length > limit:
            raise too_large(f"the picture is larger than {limit} bytes")
        upload = self._files.enter_context(self._service.scratch.file(length, limit))
        while length:
            piece = self._rest or await self._piece()
            if not piece:
                raise bad_input("the body ends too early")
            await upload.write(piece[:length])
            self._rest, length = piece[length:], length - len(piece[:length])
        upload.complete()
        return upload

    async def _take(self, count: int) -> bytes:
        """So many bytes of the body."""
        pieces = [self._rest]
        have = len(self._rest)
        while have < count:
            if not (piece := await self._piece()):
                raise bad_input("the body ends too early")
            pieces.append(piece)
            have += len(piece)
        whole = b"".join(pieces)
        self._rest = whole[count:]
        return whole[:count]

    async def _piece(self) -> bytes:
        """The next piece that holds something; nothing at the end."""
        piece = b""
        while not piece and self._more:
            piece, self._more = await self._incoming.piece()
        return piece

    async def _decoded(self, text: str) -> Upload:
        if text.startswith("data:"):
            text = text.partition(",")[2]
        try:
            content = b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise bad_input("input 'image': in JSON an element is the picture's base64") from None
        return self._files.enter_context(await self._service.scratch.keep(content, self._service.limits.body))
