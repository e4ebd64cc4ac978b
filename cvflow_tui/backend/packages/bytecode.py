"""What Python compiles of distributions' modules, kept: an environment that holds the same modules need not compile them again.

What is kept of a module is known by the digest of its source and by the interpreter, and was compiled by that interpreter in a process
that runs nothing of the package's: whatever a package writes into its own environment never comes into another's.
"""

from __future__ import annotations

import base64
import hashlib
import os
import struct
from collections.abc import Container, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.environment_files import records_of, rows_of
from cvflow_tui.backend.packages.interpreters import Interpreter
from cvflow_tui.backend.packages.own_code import import_environment, run_own_code
from cvflow_tui.backend.packages.sealing import read_seal

SECONDS = 120.0
"""How long compiling may take: the largest frameworks have some thousand modules."""

_DIGEST = hashlib.sha256().digest_size
_MAGIC = 4
"""Bytes that name the interpreter's bytecode, at the beginning of what it compiled (importlib, PEP 3147)."""
_MOST = 0xFFFFFFFF
_LISTED, _PART = "modules", "part"
"""What is to be compiled; what is being written."""

_CODE = """\
import base64, hashlib, importlib.util, marshal, os, sys
os.nice(10)
folder, listed, part = sys.argv[1:]
tag = sys.implementation.cache_tag
with open(listed, "rb") as file:
    entries = file.read().split(b"\\0")
for digest, path in zip(entries[::2], entries[1::2]):
    try:
        if not os.path.isfile(path):
            continue
        with open(path, "rb") as file:
            source = file.read()
        if base64.urlsafe_b64encode(hashlib.sha256(source).digest()).rstrip(b"=") != digest:
            continue
        code = importlib.util.MAGIC_NUMBER + marshal.dumps(compile(source, "module", "exec", dont_inherit=True))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        continue
    aside = os.path.join(folder, part)
    with open(aside, "wb") as file:
        file.write(hashlib.sha256(code).digest() + code)
    os.replace(aside, os.path.join(folder, "%s.%s" % (os.fsdecode(digest), tag)))
"""


class Bytecode:
    """`bytecode/INTERPRETER/DIGEST.TAG` of a home folder: sha256 of the rest, the interpreter's magic, its code. Thread-safe.

    The digest is the source's sha256 as lists of files (RECORD) write it: base64 that is safe in a file's name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def place(self, environment: Path, interpreter: Interpreter) -> None:
        """Write what is kept for an environment's modules into it, unless something is there. Nobody has imported from it yet."""
        kept = self._kept(interpreter)
        for source, digest in _modules(environment, kept) if kept else ():
            if (code := _read(self._of(interpreter) / kept[digest])) is not None:
                _write(Path(source), digest, kept[digest].partition(".")[2], code)

    def compile(self, environment: Path, interpreter: Interpreter, fresh: Path, progress: Progress) -> None:
        """Compile once more what an import compiled in an environment and is not kept yet, into a new folder: what `keep` takes.

        What does not compile is left out. Raises Cancelled; what was compiled until then is whole.
        """
        kept = self._kept(interpreter)
        wanted = {digest: source for source, digest in _compiled(_modules(environment)) if digest not in kept}
        fresh.mkdir(mode=0o700)
        if wanted:
            listed = fresh / _LISTED
            listed.write_bytes(b"\0".join(os.fsencode(word) for entry in wanted.items() for word in entry))
            command = [str(interpreter.path), "-I", "-S", "-B", "-c", _CODE, str(fresh), str(listed), _PART]
            run_own_code(command, work=fresh, progress=progress, seconds=SECONDS, env=import_environment())

    def keep(self, fresh: Path, interpreter: Interpreter) -> None:
        """Keep what `compile` made. What was cut off is found out when it is read."""
        place = self._of(interpreter)
        for path in _below(fresh):
            if path.name not in (_LISTED, _PART):
                place.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.replace(place / path.name)

    def unused(self, environments: Iterable[Path]) -> list[Path]:
        """What is kept of modules that none of these environments has, or not with that interpreter; a folder where that is all of it."""
        kept = {place: _below(place) for place in _below(self.folder)}
        if not kept:
            return []
        used = {
            (seal.python, digest)
            for environment in environments
            if (seal := read_seal(environment)) is not None
            for _, digest in _modules(environment)
        }
        found = []
        for place, paths in kept.items():
            version = place.name.rpartition("-")[2]
            idle = [path for path in paths if (version, path.name.partition(".")[0]) not in used]
            found += [place] if len(idle) == len(paths) else idle
        return [self.folder] if found == list(kept) else found

    def _of(self, interpreter: Interpreter) -> Path:
        return self.folder / f"{interpreter.implementation}-{interpreter.version}".lower()

    def _kept(self, interpreter: Interpreter) -> dict[str, str]:
        """The names of what is kept, by the digests of the sources."""
        return {path.name.partition(".")[0]: path.name for path in _below(self._of(interpreter))}


def _modules(environment: Path, among: Container[str] | None = None) -> Iterator[tuple[str, str]]:
    """Every module of an environment's distributions (of those with a digest `among` some), with its sha256, as their lists say.

    A list may be anybody's: what it says of files outside is not told.
    """
    for record in records_of(environment):
        with suppress(ValueError):
            for name, kind, digest in rows_of(record):
                wanted = name.endswith(".py") and kind == "sha256" and (among is None or digest in among)
                if wanted and not name.startswith("/") and ".." not in name.split("/"):
                    yield f"{record.parent.parent}/{name}", digest


def _compiled(modules: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Those of which something compiled lies beside them."""
    there: dict[str, set[str]] = {}
    for source, digest in modules:
        folder, name = os.path.split(source)
        if folder not in there:
            there[folder] = {path.name.partition(".")[0] for path in _below(Path(folder, "__pycache__"))}
        if name[: -len(".py")] in there[folder]:
            yield source, digest


def _read(path: Path) -> bytes | None:
    """The magic and the code; None where somebody has just deleted it, or it is damaged: then it is not kept any longer."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(data[_DIGEST:]).digest() == data[:_DIGEST]:
        return data[_DIGEST:]
    path.unlink(missing_ok=True)
    return None


def _write(source: Path, digest: str, tag: str, code: bytes) -> None:
    """Put compiled code where Python looks for it, with the time and size of the source that it goes by, if that is what it is of."""
    with suppress(FileNotFoundError, FileExistsError), source.open("rb", buffering=0) as file:
        if base64.urlsafe_b64encode(hashlib.sha256(file.readall()).digest()).rstrip(b"=").decode() != digest:
            return
        found, cache = os.fstat(file.fileno()), source.with_name("__pycache__")
        cache.mkdir(exist_ok=True)
        with (cache / f"{source.stem}.{tag}.pyc").open("xb") as target:
            target.write(struct.pack("<4sIII", code[:_MAGIC], 0, int(found.st_mtime) & _MOST, found.st_size & _MOST) + code[_MAGIC:])


def _below(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
