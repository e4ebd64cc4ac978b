"""The model that every server of the benchmark serves. Standard library only: it runs in each server's own Python."""

import time
from collections.abc import Sequence
from typing import Any

SECONDS = 0.001
"""What the plain model takes; it lets go of the interpreter, as a model in native code does."""
BATCH_SECONDS, ITEM_SECONDS = 0.004, 0.00025
"""What the batchable model takes: once a call, and once a picture."""


def look(picture: Any) -> dict[str, list[Any]]:
    """The plain model: one picture a call."""
    time.sleep(SECONDS)
    return {"objects": []}


def look_together(pictures: Sequence[Any]) -> list[dict[str, list[Any]]]:
    """The batchable model."""
    time.sleep(BATCH_SECONDS + ITEM_SECONDS * len(pictures))
    return [{"objects": []} for _ in pictures]


class Serial:
    """Our solver with the plain model, one call at a time."""

    def infer(self, image: Any, threshold: float = 0.5) -> dict[str, list[Any]]:
        """One picture."""
        return look(image)


class Threaded(Serial):
    """The same, 16 calls at a time: what bare Starlette's thread pool does."""

    concurrency = 16


class Alone:
    """Our solver with the batchable model, one picture a call."""

    def infer(self, image: Any) -> dict[str, list[Any]]:
        """One picture."""
        return look_together([image])[0]


class Batched(Alone):
    """The same, taking what waits together."""

    def infer_batch(self, images: Sequence[Any]) -> list[dict[str, list[Any]]]:
        """Several pictures."""
        return look_together(images)
