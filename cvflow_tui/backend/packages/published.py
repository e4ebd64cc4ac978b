"""What the published `cvpm` and `mlpm` brought along: packages of their time went by that, and never wrote it down.

Our own modules of these names bring nothing, so what such a package's code uses of it becomes a requirement of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cvflow_tui.backend.packages.forgotten import imported
from cvflow_tui.backend.packages.requirements import family, parse

_BROUGHT = {
    "cvpm": {
        "PIL": "pillow",
        "flask": "flask",
        "gevent": "gevent",
        "numpy": "numpy",
        "requests": "requests",
        "toml": "toml",
        "tqdm": "tqdm",
    },
    "mlpm": {"numpy": "numpy", "quart": "quart", "requests": "requests", "toml": "toml", "werkzeug": "werkzeug"},
}
"""Module → distribution, as the metadata of cvpm 0.0.2.5 and mlpm 1.4.1.1 requires them; the programs that served are left out."""


def brought_along(root: Path, class_paths: Sequence[str], requirements: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Which of `cvpm` and `mlpm` brought what the solvers' code imports, wherever it does, and no requirement of its author names."""
    modules = set(imported(root, class_paths, everywhere=True))
    named = {family(parse(line)[0].name) for line in requirements}
    found = {}
    for published in sorted(_BROUGHT.keys() & modules):
        brought = _BROUGHT[published]
        missing = tuple(brought[module] for module in sorted(brought.keys() & modules) if family(brought[module]) not in named)
        if missing:
            found[published] = missing
            named |= {family(name) for name in missing}
    return found
