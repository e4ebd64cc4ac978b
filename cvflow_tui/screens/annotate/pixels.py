"""The pixels of pictures: fetched ahead of the annotator, decoded on threads."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

from cvflow_tui.model.errors import CvflowError
from cvflow_tui.model.projects import Picture
from cvflow_tui.widgets import heap
from cvflow_tui.widgets.image_canvas.picture import CanvasPicture

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient

BUDGET = 16 * 2**20
"""Bytes of encoded pictures that are kept."""


class Pixels:
    """Fetches and decodes the pictures of one project.

    Only encoded bytes are kept, and only of pictures near the one that is looked at; a decoded picture belongs to the canvas.
    """

    def __init__(self, client: DaemonClient, project: str) -> None:
        self._client = client
        self._project = project
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._coming: dict[int, asyncio.Task[bytes]] = {}
        self._ahead: asyncio.Task[None] | None = None
        self._near: dict[int, Picture] = {}

    def at(self, position: int) -> Picture | None:
        """The picture at a position (from 1), where it is a neighbour that was looked up already."""
        return self._near.get(position)

    async def load(self, picture: Picture) -> CanvasPicture:
        """Decode a picture at the canvas' resolution. Raises a CvflowError for one that cannot be fetched or read."""
        content = await self._bytes(picture.id)
        return await asyncio.to_thread(_decoded, content, picture.name)

    def look_around(self, position: int) -> None:
        """Fetch the bytes of the pictures before and after a position, beside everything else."""
        if self._ahead is not None:
            self._ahead.cancel()
        self._ahead = asyncio.create_task(self._prefetch(position))

    def close(self) -> None:
        """Fetch no more."""
        for task in (self._ahead, *self._coming.values()):
            if task is not None:
                task.cancel()

    async def _prefetch(self, position: int) -> None:
        try:
            page = await self._client.pictures(self._project, offset=max(0, position - 2), limit=3)
            self._near = {picture.position: picture for picture in page.pictures}
            for wanted in (position + 1, position - 1):
                picture = self._near.get(wanted)
                if picture is not None and picture.error is None:
                    await self._bytes(picture.id)
        except CvflowError:
            # Fetching ahead is only for speed: whoever opens that picture is told what is wrong with it.
            return

    async def _bytes(self, picture: int) -> bytes:
        if picture in self._kept:
            self._kept.move_to_end(picture)
            return self._kept[picture]
        task = self._coming.get(picture)
        if task is None:
            task = asyncio.create_task(self._client.picture_bytes(self._project, picture))
            self._coming[picture] = task
            task.add_done_callback(lambda done: self._arrived(picture, done))
        # Shielded: a reader that moves on must not take the fetch away from another.
        content = await asyncio.shield(task)
        self._kept[picture] = content
        while len(self._kept) > 1 and sum(map(len, self._kept.values())) > BUDGET:
            self._kept.popitem(last=False)
        return content

    def _arrived(self, picture: int, task: asyncio.Task[bytes]) -> None:
        self._coming.pop(picture, None)
        if not task.cancelled():
            # Looked at, so that a fetch whose reader has left does not complain; readers get the error themselves.
            task.exception()


def _decoded(content: bytes, name: str) -> CanvasPicture:
    try:
        return CanvasPicture.load(content, name)
    finally:
        # The pieces that the file came in, and the decoder's buffers, lie freed between what is kept.
        heap.give_back()
