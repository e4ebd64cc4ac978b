"""A command line with a fake daemon behind it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cvflow_tui.cli.main import main
from tests.cli.fake_client import FakeClient, session_of


@dataclass
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout as the one JSON value it must be."""
        return json.loads(self.out)


Cli = Callable[..., Outcome]


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def cli(client: FakeClient, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs a command line in this process: cli("ps", "--json") → Outcome."""
    monkeypatch.delenv("CVFLOW_DEBUG", raising=False)

    def run(*arguments: str, is_up: bool = True) -> Outcome:
        capfd.readouterr()
        code = main(list(arguments), session_of(client, tmp_path / "home", is_up=is_up))
        told = capfd.readouterr()
        return Outcome(code, told.out, told.err)

    return run
