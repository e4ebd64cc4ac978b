"""Against the index that pip would ask: what it tells is enough for a plan, whatever it has today."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.bytecode import Bytecode
from cvflow_tui.backend.packages.environment import Environments
from cvflow_tui.backend.packages.resolution import Resolution, Wish, total_size
from cvflow_tui.backend.packages.sizes import measured
from cvflow_tui.model.circumstances import Circumstances
from cvflow_tui.model.errors import CvflowError, RemoteError

from .parts import wish_here

pytestmark = pytest.mark.slow

MACHINE = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or name in ("SSL_CERT_FILE", "HTTPS_PROXY")}
"""As it was before the fixtures took the index away."""


@pytest.fixture
def index(pip_of_the_test: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_CONFIG_FILE", "PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name)
    for name, value in MACHINE.items():
        monkeypatch.setenv(name, value)


def resolved(tmp_path: Path, wish: Wish) -> Resolution:
    try:
        return Environments(tmp_path / "environments", Bytecode(tmp_path / "bytecode")).resolve(wish, tmp_path / "work", Progress())
    except RemoteError as error:
        pytest.skip(f"the index does not answer: {error.message}")


@pytest.mark.usefixtures("index")
def test_sizes_and_hashes_of_everything_are_known_beforehand(tmp_path: Path) -> None:
    resolution = resolved(tmp_path, wish_here(("torch",)))
    pins = measured(resolution.pins, Circumstances.here())
    assert {"torch", "sympy", "networkx"} <= {pin.name for pin in pins}
    assert all(pin.hashes and not pin.source for pin in pins)
    size = total_size(pins)
    assert size is not None and size > 100 << 20, "a person sees in the plan what plain torch brings along"


@pytest.mark.usefixtures("index")
def test_a_pin_from_another_time(tmp_path: Path) -> None:
    resolved(tmp_path, wish_here(("six",)))
    with pytest.raises(CvflowError, match=r"tensorflow==1\.15\.0 has no wheels") as caught:
        resolved(tmp_path, wish_here(("tensorflow==1.15.0",)))
    assert "--relax" in caught.value.message and "cp37m" in (caught.value.detail or "")
