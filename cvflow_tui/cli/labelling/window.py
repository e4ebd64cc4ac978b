"""Work on many things at once, answers in order: the runner's queue stays full while the file stays reproducible."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


async def in_order(items: Iterable[A], work: Callable[[A], Awaitable[B]], at_once: int, ahead: int = 4) -> AsyncGenerator[B, None]:
    """`work` of each item, in the items' order, at most `at_once` of them running and `at_once * ahead` begun.

    The look-ahead lets others run on while the oldest is slow. What `work` raises is raised here; what still runs is cancelled
    and waited for.
    """
    slots = asyncio.Semaphore(at_once)
    begun: deque[asyncio.Task[B]] = deque()

    async def one(item: A) -> B:
        async with slots:
            return await work(item)

    try:
        for item in items:
            begun.append(asyncio.create_task(one(item)))
            if len(begun) >= at_once * ahead:
                yield await begun.popleft()
        while begun:
            yield await begun.popleft()
    finally:
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)
