"""What the tests of single rules share with those of the rooms."""

from __future__ import annotations

from tests.packages.conftest import certificate, home, https, hub_folder, pip_of_the_test, service, state, trusted

__all__ = ["certificate", "home", "https", "hub_folder", "pip_of_the_test", "service", "state", "trusted"]
