"""Weights whose digest no manifest tells: trusted as they came first, and held to that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cvflow_tui.backend.packages.describe import is_relative
from cvflow_tui.backend.packages.locked import asked
from cvflow_tui.backend.packages.package import Package, load_package
from cvflow_tui.backend.packages.records import Record, Records
from cvflow_tui.backend.packages.weights import Weight, WeightFetcher
from cvflow_tui.model.diagnosis import Finding
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.mending import Mend
from cvflow_tui.model.text import in_bytes, one_line


def first_weights(record: Record | None, records: Records, package: Package) -> dict[str, Weight]:
    """The weights of the installed version by whose digests those of `package` are to be told: the same address, and no digest with it.

    What the package ships is as its files are, and what the user brings is the user's word.
    """
    if record is None:
        return {}
    try:
        old = load_package(record.root, vendor=record.vendor, commit=record.commit, bundled=record.environment is None)
        addresses = {model.name: model.url for model in old.models}
    except PackageError:
        addresses = {}  # damaged: then the name must do
    brought = {told.partition("=")[0] for told in asked(record.request).weights} if record.request else set()
    there = {weight.name: weight for weight in records.weights(record.vendor, record.name) if weight.name not in brought}
    return {
        model.name: there[model.name]
        for model in package.models
        if model.sha256 is None
        and model.name in there
        and model.name not in package.supplied
        and not is_relative(model.url)
        and addresses.get(model.name, model.url) == model.url
    }


def first_use_findings(package: Package, first: Mapping[str, Weight], weights: WeightFetcher) -> Iterator[Finding]:
    """What is to be known of weights that are held to what they were at first. A size says at once that one is another."""
    for model in package.models:
        held = first.get(model.name)
        if held is None:
            continue
        name, mends = one_line(model.name), (Mend(accept_weights=(model.name,)),)
        size = weights.remote_size(model, package) if model.url.startswith(("https:", "http:", "file:")) else None
        if size is not None and size != held.size:
            what = f"the weight {name} is another file than at first ({in_bytes(held.size)}, and now {in_bytes(size)}), and has no sha256"
            yield Finding("weights", what, f"if that is meant: --accept-weight {name}", code="refused", mends=mends)
        else:
            what = f"the weight {name} has no sha256: it is held to what came first, {held.sha256}"
            yield Finding("weights", what, f"--accept-weight {name} takes another", blocks=False)


def accepted(first: Mapping[str, Weight], weights: list[Weight]) -> list[str]:
    """What is said of weights that are others than at first because the user accepts that, one sentence each."""
    return [
        f"{one_line(weight.name)} is another file than at first, as you accepted: sha256 {first[weight.name].sha256} became {weight.sha256}"
        for weight in weights
        if weight.name in first and first[weight.name].sha256 != weight.sha256
    ]
