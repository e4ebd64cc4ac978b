"""From requirements to an exact list: uv resolves, without running anybody's code unless the user allowed it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name
from packaging.version import Version

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.allowed_builds import Held, hold, refuse_others
from cvflow_tui.backend.packages.direct import check_addresses
from cvflow_tui.backend.packages.interpreters import Interpreter, installed_interpreters
from cvflow_tui.backend.packages.pip_config import hide_credentials, index_arguments, read_pip_config
from cvflow_tui.backend.packages.requirements import built, exact_names, parse, pinned, stand_in
from cvflow_tui.backend.packages.resolution import Pin, Resolution, Wish
from cvflow_tui.backend.packages.tools import last_lines
from cvflow_tui.backend.packages.uv_program import build_arguments, run_uv
from cvflow_tui.model.errors import CvflowError, PackageError, RefusedError, RemoteError
from cvflow_tui.model.mending import Mend
from cvflow_tui.model.text import one_line

SECONDS = 600.0

_CAUSE = re.compile(r"^\s*(?:cause:|╰─▶|Caused by:)\s*(.*?)(?=\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)
_ERROR = re.compile(r"^error:\s*(.+)$", re.MULTILINE)
_HINT = re.compile(r"^hint: (.*?)(?=\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)
_SOURCE_ONLY = re.compile(r"Wheels are required for `([^`]+)` because building from source is disabled")
_NO_WHEELS = re.compile(r"([\w.-]+)(?:[=<>!~]=?[^\s]+)? ha(?:s|ve) no usable wheels")
_TAGS = "with the following Python ABI tags:"
_TAG = re.compile(r"`(cp\d+)m?u?`")
_NETWORK = re.compile(r"Failed to fetch|error sending request|dns error|Connection refused|timed out", re.IGNORECASE)


class UnresolvedError(PackageError):
    """Requirements that cannot be had as they are asked for; the message says why in one line, `detail` is all that uv said."""


def resolve(wish: Wish, interpreter: Interpreter, work: Path, progress: Progress) -> Resolution:
    """Resolve a wish for an interpreter. Writes below `work`.

    Raises RefusedError for requirements that only their author's code can install and the user has not allowed, UnresolvedError for
    those that cannot be had, RemoteError where the index does not answer.
    """
    held = hold(wish, work, progress) if wish.builds else Held(lines=wish.lines)
    refuse_builds(wish.lines, (*wish.allow_build, *held.names))
    if not held.lines:
        return Resolution(interpreter)
    resolution = _resolve(wish, held, interpreter, work, progress, last=not held.indexed)
    # Where what was allowed does not fit any more, wheels may; if not, the user is asked again.
    resolution = resolution or _resolve(wish, replace(held, indexed=()), interpreter, work, progress, last=True)
    assert resolution is not None
    refuse_others(resolution.pins, wish)
    return resolution


def _resolve(wish: Wish, held: Held, interpreter: Interpreter, work: Path, progress: Progress, *, last: bool) -> Resolution | None:
    """One attempt. None where the requirements cannot be had so and it is not the last one."""
    lines, allowed = held.lines, (*wish.allow_build, *held.names)
    pip = read_pip_config(wish.caller.variables)
    check_addresses(lines, pip.hosts, wish.caller)
    work.mkdir(mode=0o700, parents=True, exist_ok=True)
    asked, answer = work / "requirements.in", work / "pylock.toml"
    asked.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    arguments = ["pip", "compile", "--format", "pylock.toml", "--python", str(interpreter.path), "--output-file", str(answer), str(asked)]
    arguments += [*build_arguments(allowed), *index_arguments(pip)]
    if held.indexed:
        constraints = work / "constraints.txt"
        constraints.write_text("".join(f"{pin.told}\n" for pin in held.indexed), "utf-8")
        arguments += ["--constraint", str(constraints)]
    # What is built is asked for its own requirements by running it.
    builds_in = work if allowed else None
    places = [parse(line)[0].url for line in lines]

    def compiled(*more: str) -> tuple[int | None, str, tuple[Pin, ...]]:
        answer.unlink(missing_ok=True)
        status, output = run_uv([*arguments, *more], wish.caller, progress, SECONDS, builds_in=builds_in, places=places)
        return status, output, tuple(_pins(tomllib.loads(answer.read_text("utf-8")))) if status == 0 else ()

    if not wish.caller.offline and (names := exact_names(lines)):
        # Where every version is written down, what uv remembers of the index is the answer, and nobody has to be asked.
        status, _, pins = compiled("--offline")
        if status == 0 and names >= {pin.name for pin in pins}:
            return Resolution(interpreter, _checked(pins, lines))
    status, output, pins = compiled(*(["--offline"] if wish.caller.offline else []))
    if status != 0 and not last:
        return None
    if status != 0:
        raise _failure(status, output, wish)
    return Resolution(interpreter, _checked(pins, lines))


def refuse_builds(lines: Sequence[str], allowed: Sequence[str]) -> None:
    """Raise RefusedError if any of the requirements is nothing but source code that would run to be installed, and is not allowed to."""
    for name, place in built(lines).items():
        if name not in allowed:
            raise RefusedError(
                f"the requirement {name} comes from {one_line(hide_credentials(place), 120)}: installing it runs its author's code;"
                f" if you trust that, add --allow-build {name}",
                mends=[Mend(allow_build=(name,))],
            )


def _pins(document: Mapping[str, Any]) -> Iterator[Pin]:
    """The packages of a lock as uv writes it (PEP 751)."""
    for package in document.get("packages", ()):
        name, version = canonicalize_name(package["name"]), str(package.get("version", ""))
        if (vcs := package.get("vcs")) is not None:
            below = f"#subdirectory={vcs['subdirectory']}" if "subdirectory" in vcs else ""
            yield Pin(name, version, source=True, url=f"{vcs['type']}+{vcs['url']}@{vcs['commit-id']}{below}")
        elif (archive := package.get("archive")) is not None:
            yield _pin(name, version, archive, direct=True)
        elif wheels := package.get("wheels"):
            yield _pin(name, version, wheels[0])
        else:
            yield _pin(name, version, package["sdist"], source=True)


def _pin(name: str, version: str, told: Mapping[str, Any], *, source: bool = False, direct: bool = False) -> Pin:
    where = str(told.get("url") or told.get("path") or "")
    file = unquote(urlsplit(where).path.rpartition("/")[2])
    return Pin(
        name,
        version,
        file=file,
        hashes=tuple(f"{kind}:{digest}" for kind, digest in sorted(told.get("hashes", {}).items())),
        size=told.get("size", _local_size(where)),
        source=source or (direct and not file.endswith(".whl")),
        url=where if direct else None,
        where=where,
    )


def _local_size(where: str) -> int | None:
    parts = urlsplit(where)
    if parts.scheme not in ("", "file"):
        return None
    try:
        return Path(unquote(parts.path)).stat().st_size
    except OSError:
        return None


def _checked(pins: tuple[Pin, ...], lines: Sequence[str]) -> tuple[Pin, ...]:
    """The pins, held against the hashes that authors gave: uv only compares those when it installs. Raises PackageError."""
    allowed = {canonicalize_name(requirement.name): hashes for requirement, hashes in map(parse, lines) if hashes}
    for pin in pins:
        if (known := allowed.get(canonicalize_name(pin.name))) and not set(pin.hashes) & set(known):
            raise PackageError(
                f"{pin.file or pin.name} has none of the hashes that requirements.txt gives for {pin.name}: it is not that file"
            )
    return pins


def _failure(status: int | None, output: str, wish: Wish) -> CvflowError:
    output = hide_credentials(output)
    if status is None:
        return PackageError(f"the requirements were not resolved within {SECONDS / 60:.0f} minutes", detail=output)
    reason = explain(output)
    if _NETWORK.search(output) and "No solution found" not in output:
        return RemoteError(f"the index cannot be asked for the requirements: {reason}", detail=output)
    sources = sorted(set(_SOURCE_ONLY.findall(output)) & set(_NO_WHEELS.findall(output)))
    mends = [Mend((other,)) for name in sources if (other := stand_in(name)) is not None]
    mends += [Mend(allow_build=(name,)) for name in sources]
    mends += [Mend(python=version) for version in _other_pythons(output, wish)[:1]]
    if not wish.relax and pinned(wish.requirements):
        mends.append(Mend(relax=True))
    told = f" ({', '.join(sources)}: only source code that would have to be run, no wheel for this Python and platform)" if sources else ""
    before = [f"{each.pin.told}, which was allowed, is not what would come" for each in wish.builds if each.pin.name in sources]
    told += f" ({'; '.join(before)})" if before else ""
    mend = f"; try {' or '.join(each.words for each in mends)}" if mends else ""
    return UnresolvedError(f"the requirements cannot be installed: {reason}{told}{mend}", detail=output, mends=mends)


def _other_pythons(output: str, wish: Wish) -> list[str]:
    """Versions of this machine's Pythons for which there are wheels of all that has none for this one, the newest first."""
    offers = [set(_TAG.findall(hint.partition(_TAGS)[2])) for hint in _HINT.findall(output) if _TAGS in hint]
    if not offers or wish.interpreter:
        return []
    tags = set.intersection(*offers)
    found = {each.version for each in installed_interpreters() if each.tag in tags and each.fits(wish.python)}
    return [".".join(version.split(".")[:2]) for version in sorted(found, key=Version, reverse=True)]


def explain(output: str) -> str:
    """uv's reason in one line."""
    cause = _CAUSE.search(output)
    error = _ERROR.search(output)
    reason = " ".join(cause[1].split()) if cause else (error[1] if error else " ".join(last_lines(output)))
    for conclusion in (
        ", we can conclude that your requirements are unsatisfiable.",
        ", we can conclude that the requirements are unsatisfiable.",
    ):
        reason = reason.removesuffix(conclusion)
    hints = [" ".join(hint.split()) for hint in _HINT.findall(output) if "building from source is disabled" not in hint]
    return one_line("; ".join([reason.rstrip("."), *hints[:1]]), 500) or "uv does not say why"
