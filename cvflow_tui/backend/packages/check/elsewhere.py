"""What running a package on another machine takes, read off the environment that was made for it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from cvflow_tui.backend.packages.describe import files_size
from cvflow_tui.backend.packages.environment import Environment, Environments
from cvflow_tui.backend.packages.package import Package
from cvflow_tui.backend.packages.weights import Weight
from cvflow_tui.model.authoring import Elsewhere, Finding, Level

PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
"""What a worker can be run by, and what is about."""
LARGE = 2_000_000_000
"""Bytes of an environment that deserve a word."""

_GPU = ("nvidia-", "cupy", "onnxruntime-gpu", "tensorrt", "triton", "jax-cuda", "torch-directml", "rocm")


def look_around(package: Package, environment: Environment, environments: Environments, weights: Sequence[Weight]) -> Elsewhere:
    """Read an environment; of the app's own Python only what the package asks for counts."""
    folder = environments.path(environment.key) if environment.key is not None else None
    held = sorted(_held(package, folder), key=lambda told: told.metadata["Name"].lower())
    names = {told.metadata["Name"]: _tags(told) for told in held}
    return Elsewhere(
        pythons=_pythons([package.manifest.package.python or "", *(str(told.metadata.json.get("requires_python") or "") for told in held)]),
        distributions=len(held),
        native=tuple(name for name, tags in names.items() if any(not tag.endswith("-any") for tag in tags)),
        built=tuple(sorted(pin.name for pin in environment.pins if pin.source)),
        gpu=tuple(name for name in names if name.lower().startswith(_GPU)),
        environment_bytes=files_size(folder) if folder is not None else None,
        weights_bytes=sum(weight.size for weight in weights),
    )


def elsewhere_findings(package: Package, found: Elsewhere) -> Iterator[Finding]:
    """What of it is worth a line."""
    if not package.manifest.package.python:
        wanted = f">={found.pythons[0]}" if found.pythons else ">=3.10"
        mend = f'add python = "{wanted}" to [package]'
        yield Finding(Level.NOTE, "elsewhere", "the manifest does not say which Pythons it runs on", mend)
    if not found.pythons:
        yield Finding(Level.WARNING, "elsewhere", "no single Python suits the manifest and all that was installed", "widen python = …")
    if found.built:
        message = f"no wheel of {', '.join(found.built)}: who installs it must allow its author's code to run (--allow-build)"
        yield Finding(Level.WARNING, "requirements", message, "pin a version that has wheels", "requirements.txt")
    if found.gpu:
        message = f"made for a GPU: {', '.join(found.gpu[:4])}{' …' if len(found.gpu) > 4 else ''}"
        yield Finding(Level.NOTE, "elsewhere", message, "say in the README whether it runs without one")
    if (found.environment_bytes or 0) > LARGE:
        yield Finding(Level.WARNING, "elsewhere", f"the environment has {(found.environment_bytes or 0) / 1e9:.1f} GB", "ask for less")


def _held(package: Package, environment: Path | None) -> Iterable[metadata.Distribution]:
    if environment is not None:
        return metadata.distributions(path=[str(site) for site in environment.glob("lib/python*/site-packages")])
    found = []
    for line in package.requirements:
        try:
            found.append(metadata.distribution(Requirement(line.partition(" --hash")[0]).name))
        except metadata.PackageNotFoundError:
            continue  # the requirements' own finding says so
    return found


def _tags(told: metadata.Distribution) -> list[str]:
    """The tags of the wheel it was installed from, `cp311-cp311-manylinux_2_28_x86_64`."""
    lines = (told.read_text("WHEEL") or "").splitlines()
    return [line.partition(":")[2].strip() for line in lines if line.startswith("Tag:")]


def _pythons(specifiers: Iterable[str]) -> tuple[str, ...]:
    wanted = []
    for text in specifiers:
        try:
            wanted.append(SpecifierSet(text))
        except InvalidSpecifier:
            continue  # a distribution's own slip; pip overlooks it too
    ours = f"{sys.version_info[0]}.{sys.version_info[1]}"
    pythons = sorted({*PYTHONS, ours}, key=lambda version: tuple(map(int, version.split("."))))
    # A high patch release: ">=3.9.2" means 3.9.
    return tuple(version for version in pythons if all(each.contains(f"{version}.99") for each in wanted))
