"""An idle connection outlives the time that clients' pools keep one: nobody sends into a closing door."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cvflow_tui.backend.runtime.spec import RunSpec
from tests.runtime.helpers import Site
from tests.support.idle import ask_twice_on_one_connection


@pytest.mark.slow
def test_a_runner_keeps_an_idle_connection_open(site: Site, spec_of: Callable[..., RunSpec]) -> None:
    ask_twice_on_one_connection(site.start(spec_of("Echo")).port, "/_status")
