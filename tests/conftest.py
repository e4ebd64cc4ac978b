"""What holds for every test."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator

import pytest

# Who starts the tests in the background of a script has them ignore Ctrl-C, and every command they start with them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

LONGEST = ("path", "bundled", "solvers", "originals", "runtime")
"""Folders whose files take longest."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: of those that are run side by side, none is begun when all others are done."""
    places = {folder: number for number, folder in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.parent.name, len(LONGEST)))


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """A daemon in this process sends what is logged to its own file, and nowhere else; the next test looks for its words in vain."""
    held = [logging.getLogger(name) for name in ("cvflow_tui", "uvicorn", "asyncio")]
    before = [(logger.handlers, logger.level, logger.propagate) for logger in held]
    yield
    for logger, (handlers, level, propagate) in zip(held, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)
