"""A package's folder, read: manifest, labels, weights, requirements. Nothing of it is run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cvflow_tui.backend.packages.manifest import (
    MANIFESTS,
    NO_VERSION,
    Manifest,
    ModelTable,
    SolverTable,
    check_manifest,
    check_weights,
    find_manifest,
)
from cvflow_tui.backend.packages.published import brought_along
from cvflow_tui.backend.packages.repair import last_part, repair_class, repair_manifest, repair_weights
from cvflow_tui.backend.packages.requirements import read_requirements
from cvflow_tui.backend.packages.signature import read_signature
from cvflow_tui.backend.packages.toml_file import read_toml
from cvflow_tui.backend.packages.unknown_keys import misspelt
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.packages import SolverInfo
from cvflow_tui.model.text import one_line

LABELS_LIMIT = 1 << 20
"""Bytes a label file may have."""


class MissingFileError(PackageError):
    """A package names a file that it does not have."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package as its folder declares it. Texts are as the author wrote them: clean them before they reach a terminal."""

    root: Path
    manifest: Manifest
    vendor: str
    version: str
    solvers: tuple[SolverInfo, ...]
    models: tuple[ModelTable, ...]
    original_weights: bool
    """Whether the weights are declared in a `pretrained.toml`: its solvers look for `pretrained/<last part of the URL>`."""
    requirements: tuple[str, ...]
    warnings: tuple[str, ...]
    repairs: tuple[str, ...] = ()
    """What was mended to read it, a part of `warnings`: `--strict` refuses a package that needs any."""
    misspelt: tuple[str, ...] = ()
    """Of keys that mean nothing, a part of `warnings`: a check tells them with their lines."""
    supplied: tuple[str, ...] = ()
    """Names of the weights that the user brings."""

    @property
    def name(self) -> str:
        """The package's name, case-folded."""
        return self.manifest.package.name

    @property
    def ref(self) -> str:
        """`vendor/name`."""
        return f"{self.vendor}/{self.name}"

    @property
    def weight_files(self) -> set[str]:
        """Where its weights are put, relative to its folder: under their names, and under those that original solvers look for."""
        return {f"pretrained/{name}" for model in self.models for name in (model.name, model.file) if name}

    @property
    def environment(self) -> str:
        """`venv` or `host`."""
        return self.manifest.package.environment


def load_package(root: Path, *, vendor: str = "local", commit: str | None = None, bundled: bool = False) -> Package:
    """Read a package's folder.

    `vendor` and `commit` come from the source and stand in for a vendor and a version that the manifest does not name.
    Raises PackageError that names the file, the field and the mend.
    """
    path = find_manifest(root)
    if path is None:
        raise PackageError(f"{root.name or root}: there is no {MANIFESTS[0]} in this folder; a package needs one")
    tables, repairs = repair_manifest(read_toml(path))
    manifest = check_manifest(tables, path.name)
    table = manifest.package
    if table.environment == "host" and not bundled:
        raise PackageError(
            f'{path.name}: package.environment: "host" is for the packages that cvflow brings itself; use "venv" or leave it out'
        )
    models, original = _models(root, manifest, repairs)
    alone = len(manifest.solvers) == 1
    solvers = tuple(_solver(root, path.name, index, solver, repairs, alone=alone) for index, solver in enumerate(manifest.solvers))
    requirements = read_requirements(root / "requirements.txt")
    odd = misspelt(manifest, path.name)
    warnings = [*repairs, *requirements.warnings, *odd]
    brought: dict[str, tuple[str, ...]] = {}
    if any(solver.shape for solver in solvers):
        brought = brought_along(root, [solver.class_path for solver in solvers], requirements.lines)
    warnings += [f"its code imports {', '.join(names)}, which the published {who} brought: required" for who, names in brought.items()]
    warnings += [f"{model.name} has no sha256: whatever its source sends first is trusted" for model in models if model.sha256 is None]
    return Package(
        root=root,
        manifest=manifest,
        vendor=table.vendor or vendor,
        version=f"{NO_VERSION}+g{commit[:7]}" if table.version == NO_VERSION and commit else table.version,
        solvers=solvers,
        models=models,
        original_weights=original,
        requirements=(*requirements.lines, *(name for names in brought.values() for name in names)),
        warnings=tuple(warnings),
        repairs=(*repairs, *requirements.repairs),
        misspelt=tuple(odd),
    )


def inside(root: Path, relative: str, where: str) -> Path:
    """The file `relative` of a package. Raises PackageError (beginning with `where`) for a path that leads out of it or is no file."""
    path = root / relative
    if not path.resolve().is_relative_to(root.resolve()):
        raise PackageError(f"{where}: {one_line(relative, 80)!r} leads out of the package; give a path inside it")
    if not path.is_file():
        raise MissingFileError(f"{where}: there is no file {one_line(relative, 80)!r} in the package")
    return path


def _models(root: Path, manifest: Manifest, repairs: list[str]) -> tuple[tuple[ModelTable, ...], bool]:
    if manifest.models:
        return tuple(manifest.models), False
    for shown in ("pretrained.toml", "pretrained/pretrained.toml"):
        if not (root / shown).is_file():
            continue
        tables = read_toml(root / shown, shown)
        if isinstance(told := tables.get("models"), list):
            tables["models"] = repair_weights(told, repairs)
        if models := check_weights(tables, shown):
            return tuple(_looked_for(model) for model in models), True
    return (), False


def _looked_for(model: ModelTable) -> ModelTable:
    """An original's weight, whose solver looks for it by the last part of its URL."""
    return model if model.file else model.model_copy(update={"file": last_part(model.url) or None})


def _solver(root: Path, file: str, index: int, solver: SolverTable, repairs: list[str], *, alone: bool) -> SolverInfo:
    class_path, repair = repair_class(root, solver.class_path, alone=alone)
    if repair:
        repairs.append(f"{file}: solvers[{index}]: {repair}")
    signature = read_signature(root, class_path)
    return SolverInfo(
        name=solver.name,
        class_path=class_path,
        task=solver.task,
        labels=_labels(root, f"{file}: solvers[{index}].labels", solver.labels),
        parameters=signature.parameters,
        trainable=signature.trainable,
        batch=solver.batch,
        result=solver.result or "",
        shape=signature.shape,
    )


def _labels(root: Path, where: str, told: list[str] | str | None) -> tuple[str, ...]:
    if told is None:
        return ()
    if isinstance(told, list):
        return tuple(told)
    path = inside(root, told, where)
    if path.stat().st_size > LABELS_LIMIT:
        raise PackageError(f"{where}: {one_line(told, 80)!r} has more than {LABELS_LIMIT:,} bytes")
    try:
        return tuple(line.strip() for line in path.read_text("utf-8-sig").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise PackageError(f"{where}: {one_line(told, 80)!r} cannot be read as UTF-8 text, one label a line") from error
