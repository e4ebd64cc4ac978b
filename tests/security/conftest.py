"""What the tests of single rules share with those of the rooms."""

from __future__ import annotations

from tests.packages.conftest import certificate, home, https, hub_folder, pip_of_the_test, service, state, trusted
from tests.runtime.conftest import package, picture, shared_site, site, spec_of

__all__ = [
    "certificate",
    "home",
    "https",
    "hub_folder",
    "package",
    "picture",
    "pip_of_the_test",
    "service",
    "shared_site",
    "site",
    "spec_of",
    "state",
    "trusted",
]
