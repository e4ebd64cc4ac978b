"""Keys of a manifest that mean nothing here: kept, for somebody else may read them, and told where another was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from pydantic import BaseModel

from cvflow_tui.backend.packages.manifest import Manifest, ModelTable, PackageTable, SolverTable
from cvflow_tui.model.text import one_line

Path = tuple[str | int, ...]
"""Where a key stands: `("solvers", 0, "lables")`."""

_WORDS = {"weights": "models", "weight": "models", "model": "models", "requirement": "requirements"}
"""What somebody writes who knows the thing and not its name here."""


def unknown_keys(manifest: Manifest) -> Iterator[tuple[Path, str | None]]:
    """Each key that means nothing, and the one that was probably meant."""
    tables: list[tuple[Path, BaseModel, type[BaseModel]]] = [((), manifest, Manifest), (("package",), manifest.package, PackageTable)]
    tables += [(("solvers", number), solver, SolverTable) for number, solver in enumerate(manifest.solvers)]
    tables += [(("models", number), model, ModelTable) for number, model in enumerate(manifest.models)]
    for place, table, kind in tables:
        known = [told.alias or name for name, told in kind.model_fields.items()]
        for key in table.model_extra or {}:
            close = difflib.get_close_matches(key, known, 1) or [word for word in (_WORDS.get(key.lower()),) if word in known]
            yield (*place, key), close[0] if close else None


def path_words(path: Path) -> str:
    """`solvers[0].lables`."""
    return one_line("".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip("."), 120)


def misspelt(manifest: Manifest, file: str) -> list[str]:
    """What is said at an installation: only of keys in whose place another was probably meant, one sentence each."""
    return [f"{file}: {path_words(path)} means nothing here: is {meant!r} meant?" for path, meant in unknown_keys(manifest) if meant]
