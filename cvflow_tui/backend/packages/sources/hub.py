"""Packages named as the hub names them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.hub import Hub
from cvflow_tui.backend.packages.sources.base import Fetched
from cvflow_tui.backend.packages.sources.folder import copy_folder


@dataclass(frozen=True, slots=True)
class HubSource:
    """`NAME` or `VENDOR/NAME` on a hub."""

    ref: str
    hub: Hub

    @property
    def text(self) -> str:
        """The reference in full."""
        return f"hub:{self.ref}"

    def fetch(self, into: Path, progress: Progress) -> Fetched:
        """Copy the package out of the hub's folder. Raises NotFoundError that says what the hub has."""
        package = self.hub.find(self.ref)
        warnings = copy_folder(package.root, into, progress)
        return Fetched(source=f"hub:{package.ref}", vendor=package.vendor, bundled=True, warnings=tuple(warnings))
