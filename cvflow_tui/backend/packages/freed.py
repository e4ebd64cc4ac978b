"""How much a removal frees: files that are linked from several places count once, and only when the last link goes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cvflow_tui.home import Home


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes that packages, environments and weights of a home folder hold, alone or shared with, say, the installer's cache."""

    bytes: int
    shared: int
    """What they share with something outside."""

    @classmethod
    def of(cls, home: Home) -> Usage:
        """Measure."""
        links: dict[tuple[int, int], list[int]] = {}
        for root in (home.packages, home.environments, home.weights):
            for folder, _, files in os.walk(root):
                for name in files:
                    try:
                        found = Path(folder, name).lstat()
                    except FileNotFoundError:
                        continue
                    entry = links.setdefault((found.st_dev, found.st_ino), [0, found.st_nlink, found.st_size])
                    entry[0] += 1
        alone = sum(size for seen, linked, size in links.values() if seen >= linked)
        return cls(alone, sum(size for _, _, size in links.values()) - alone)
