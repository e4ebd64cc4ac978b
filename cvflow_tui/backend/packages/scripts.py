"""Scripts that an author wants to run at the installation: shown, and never run unless the user allows that very digest."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.own_code import run_own_code
from cvflow_tui.backend.packages.package import Package, inside
from cvflow_tui.backend.packages.tools import last_lines
from cvflow_tui.model.circumstances import Circumstances
from cvflow_tui.model.errors import PackageError, RefusedError, UsageError
from cvflow_tui.model.packages import Script
from cvflow_tui.model.text import clean, one_line

BYTES_LIMIT = 256 << 10
"""A larger script is none that a person can read before allowing it."""

SECONDS = 1800.0
"""How long one may run."""

DIGITS = 12
"""So many of a digest's first digits are enough to allow it."""

BEFORE, AFTER = "before", "after"
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
_DIGEST = re.compile(rf"[0-9a-f]{{{DIGITS},64}}")
_PIP = """\
#!/bin/sh
exec {uv} --no-config pip "$@" --python {python}
"""


def find_scripts(package: Package, allowed: Sequence[str]) -> tuple[Script, ...]:
    """The scripts of a package, in the order in which they would run. Raises UsageError for a digest that is none."""
    for digest in allowed:
        if not _DIGEST.fullmatch(digest.lower()):
            raise UsageError(f"{one_line(digest, 70)!r} is no digest of a script: give at least the first {DIGITS} digits of its sha256")
    named = [(name, when) for name, when in _names(package) if name is not None]
    return tuple(_read(package.root, name, when, allowed) for name, when in dict(named).items())


def refuse_unknown(allowed: Sequence[str], scripts: Sequence[Script], ref: str) -> None:
    """Raise RefusedError where a digest was allowed that no script has: its author changed it, or it is another package's."""
    for digest in allowed:
        if not any(script.sha256.startswith(digest.lower()) for script in scripts):
            has = ", ".join(f"{one_line(script.name, 80)} has {script.sha256[:DIGITS]}" for script in scripts) or "it has no scripts"
            raise RefusedError(f"no script of {ref} has the digest {digest[:DIGITS]}: {has}; read what it does before you allow it")


def not_run(scripts: Sequence[Script]) -> list[str]:
    """What is said of the scripts that are not allowed, one sentence each."""
    return [
        f"{one_line(script.name, 80)} was not run: if the package does not work without it, read it and allow it with"
        f" --allow-script {script.sha256[:DIGITS]}"
        for script in scripts
        if not script.allowed
    ]


def run_scripts(
    scripts: Sequence[Script],
    when: str,
    root: Path,
    work: Path,
    progress: Progress,
    *,
    caller: Circumstances,
    python: Path | None = None,
    log: Path,
) -> None:
    """Run those that are allowed and due, in the package's folder `root`. What they say goes to the file `log`.

    Raises PackageError for one that fails, takes too long, or is not what was allowed any more.
    """
    for script in scripts:
        if script.allowed and script.when == when:
            _run(script, root, work, progress, caller, python, log)


def _names(package: Package) -> list[tuple[str | None, str]]:
    told = (package.manifest.package.model_extra or {}).get("before_install")
    if told is not None and not isinstance(told, str):
        raise PackageError(f"cvpm.toml: package.before_install: is {one_line(repr(told), 40)}: it must be the path of a script")
    found = [(told or None, BEFORE)]
    return found + [
        (name if (package.root / name).is_file() else None, when) for name, when in (("prepip.sh", BEFORE), ("setup.sh", AFTER))
    ]


def _read(root: Path, name: str, when: str, allowed: Sequence[str]) -> Script:
    path = inside(root, name, "package.before_install" if "/" in name else name)
    if path.stat().st_size > BYTES_LIMIT:
        raise PackageError(f"{one_line(name, 80)}: a script of more than {BYTES_LIMIT >> 10} KiB cannot be read before it is allowed")
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    yes = any(digest.startswith(each.lower()) for each in allowed)
    return Script(name, digest, clean(data.decode("utf-8", "replace")), when, yes)


def _run(script: Script, root: Path, work: Path, progress: Progress, caller: Circumstances, python: Path | None, log: Path) -> None:
    shown = one_line(script.name, 80)
    path = inside(root, script.name, shown)
    if hashlib.sha256(path.read_bytes()).hexdigest() != script.sha256:
        raise PackageError(f"{shown} was changed by another script: it is not what was allowed")
    progress.step(f"running {shown}")
    home = work / "script-home"
    home.mkdir(exist_ok=True)
    # A list of words, never a line for a shell: the author's words stay words. One that fails on the way has failed (-e).
    command = [_interpreter(path), "-e", str(path)]
    with log.open("a", encoding="utf-8") as file:
        file.write(f"--- {shown} {script.sha256}\n")

        def note(line: str) -> None:
            file.write(f"{line}\n")

        env = _environment(home, python, caller)
        status, output = run_own_code(command, work=work, progress=progress, seconds=SECONDS, cwd=root, env=env, watch=note)
    said = one_line(" ".join(last_lines(output)), 300)
    if status is None:
        raise PackageError(f"{shown} did not end within {SECONDS / 60:.0f} minutes; nothing was installed", detail=output)
    if status != 0:
        raise PackageError(f"{shown} failed with status {status}{f': {said}' if said else ''}; nothing was installed", detail=output)


def _interpreter(path: Path) -> str:
    """bash where the script asks for it, else sh."""
    with path.open("rb") as file:
        first = file.readline(200)
    return "/bin/bash" if first.startswith(b"#!") and b"bash" in first and Path("/bin/bash").exists() else "/bin/sh"


def _environment(home: Path, python: Path | None, caller: Circumstances) -> dict[str, str]:
    """Nothing of the user's: a home of its own, the environment's programs first, and a pip that installs into the environment."""
    path = [_SYSTEM_PATH]
    if python is not None:
        path = [str(_pip(home, python)), str(python.parent), *path]
    environment = {
        "PATH": os.pathsep.join(path),
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANG": "C.UTF-8",
    }
    passed = ("SSL_CERT_FILE", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy")
    environment |= caller.over({}, passed)
    return environment | ({"VIRTUAL_ENV": str(python.parent.parent)} if python is not None else {})


def _pip(home: Path, python: Path) -> Path:
    """A folder with a `pip` that works on the environment, which has none of its own."""
    import shlex

    from uv import find_uv_bin

    folder = home / "bin"
    folder.mkdir(exist_ok=True)
    for name in ("pip", "pip3"):
        (folder / name).write_text(_PIP.format(uv=shlex.quote(find_uv_bin()), python=shlex.quote(str(python))), "utf-8")
        (folder / name).chmod(0o700)
    return folder
