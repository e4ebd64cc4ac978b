"""What holds for every test."""

from __future__ import annotations

import signal

import pytest

from tests.support.terminal import Terminal

# Who starts the tests in the background of a script has them ignore Ctrl-C, and every command they start with them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests in a real terminal count bytes and wait for screens: they bear the mark `alone`, and `make test` gives them the machine."""
    for item in items:
        if isinstance(item, pytest.Function) and any(value is Terminal for value in vars(item.module).values()):
            item.add_marker("alone")
