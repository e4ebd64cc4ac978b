"""Packages in git repositories, fetched as if every repository were hostile."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import cast
from urllib.parse import quote, urlsplit

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.describe import files_size
from cvflow_tui.backend.packages.disk import require_space
from cvflow_tui.backend.packages.manifest import MANIFESTS, check_name, find_manifest
from cvflow_tui.backend.packages.sources.base import Fetched
from cvflow_tui.backend.packages.sources.folder import copy_folder
from cvflow_tui.backend.packages.sources.links import ends_of, place_links
from cvflow_tui.backend.packages.sources.moved import MOVES, moved_to
from cvflow_tui.backend.packages.tools import guarded, kill_group, last_lines
from cvflow_tui.model.circumstances import NOTHING_TOLD, Circumstances
from cvflow_tui.model.errors import NotFoundError, PackageError, RemoteError, UsageError
from cvflow_tui.model.text import clean, in_bytes, one_line

_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{1,5})?"
URL = re.compile(
    rf"https://{_HOST}(?:/[\w.~%+-]+)+/?"
    rf"|ssh://(?:[A-Za-z_][\w-]*@)?{_HOST}(?:/[\w.~%+][\w.~%+-]*)+/?"
    r"|file://(?:/[\w.~%+ -]+)+/?",
    re.ASCII,
)
REF = re.compile(r"[0-9A-Za-z][\w./-]*", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_ABBREVIATED = re.compile(r"[0-9a-f]{4,40}")

BYTES_LIMIT = 2 << 30
"""A repository's largest size on disk while it is fetched."""

SECONDS_LIMIT = 600.0
"""The longest time one git command may take."""

_SSH = (
    "ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o PermitLocalCommand=no -o ClearAllForwardings=yes -o ForwardAgent=no"
    " -o ConnectTimeout=30"
)
"""ssh that never asks: the host must be known and the key at hand."""

_WANTS_PASSWORD = ("Authentication failed", "could not read Username", "could not read Password", "error: 401", "error: 403")

_LINK = "120000 "
"""What git says of a symbolic link, before anything else."""

_CONFIG = (
    "core.hooksPath=/dev/null",
    "core.symlinks=false",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.autocrlf=false",
    "protocol.ext.allow=never",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "fetch.fsckObjects=true",
    "credential.helper=",
    "filter.lfs.smudge=",
    "filter.lfs.process=",
    "filter.lfs.required=false",
    "http.followRedirects=false",
    "http.lowSpeedLimit=100",
    "http.lowSpeedTime=60",
    "init.templateDir=",
    "gc.auto=0",
)


@dataclass(frozen=True, slots=True)
class GitSource:
    """A repository (https:, ssh: or file:), a ref in it (its default branch without one) and a folder in it.

    Raises UsageError for a URL, ref or folder that is not plain enough to be handed to git.
    """

    url: str
    ref: str | None = None
    subdirectory: str | None = None
    bytes_limit: int = BYTES_LIMIT
    seconds_limit: float = SECONDS_LIMIT
    caller: Circumstances = field(default=NOTHING_TOLD, compare=False, repr=False)
    """Whose proxies, certificates and ssh agent are used."""

    def __post_init__(self) -> None:
        if "::" in self.url or not URL.fullmatch(self.url):
            raise UsageError(
                f"{one_line(self.url, 100)!r} is no repository that is fetched from: give git+https://HOST/PATH,"
                " git+ssh://git@HOST/PATH or git+file:///PATH"
            )
        if self.ref is not None and (not REF.fullmatch(self.ref) or ".." in self.ref or self.ref.endswith((".lock", "/", "."))):
            raise UsageError(f"{one_line(self.ref, 100)!r} is no branch, tag or commit")
        parts = PurePosixPath(self.subdirectory).parts if self.subdirectory is not None else ()
        if self.subdirectory is not None and (not parts or {"..", ".git", "/"} & set(parts) or "\0" in self.subdirectory):
            raise UsageError(f"{one_line(self.subdirectory, 100)!r} is no folder inside a repository")

    @property
    def text(self) -> str:
        """The source as it is typed."""
        fragment = f"#subdirectory={quote(self.subdirectory)}" if self.subdirectory else ""
        return f"git+{self.url}" + (f"@{self.ref}" if self.ref else "") + fragment

    def fetch(self, into: Path, progress: Progress) -> Fetched:
        """Fetch one commit and copy its files. Raises RemoteError with git's own last line, NotFoundError for a ref that is not there."""
        clone = into.with_name(f"{into.name}.git")
        try:
            cloned = _Clone(self, clone, progress)
            commit = cloned.checkout()
            warnings = cloned.follow_links()
            origin = clone / (self.subdirectory or ".")
            shown = f"{self.url}" + (f" in {self.subdirectory}" if self.subdirectory else "")
            if not origin.is_dir():
                raise NotFoundError(f"{shown}: there is no such folder at commit {commit[:12]}")
            if find_manifest(origin) is None:
                raise PackageError(f"{shown}: there is no {MANIFESTS[0]} in this folder; a package needs one")
            warnings += copy_folder(origin.resolve(), into, progress)
        finally:
            shutil.rmtree(clone, ignore_errors=True)
        pinned = GitSource(self.url, commit, self.subdirectory).text
        return Fetched(source=pinned, vendor=vendor_of(self.url), commit=commit, warnings=tuple(warnings))


class _Clone:
    """One fetch into a bare-bones repository at `path`."""

    def __init__(self, source: GitSource, path: Path, progress: Progress) -> None:
        self._source = source
        self._url = source.url
        self._path = path
        self._progress = progress

    def checkout(self) -> str:
        """Fetch what the source names, lay its files out; the commit."""
        self._path.mkdir(parents=True)
        require_space(self._path, 1 << 20, f"fetching {self._source.url}")
        self._progress.step(f"fetching {self._source.url}", unit="bytes")
        self._git("init", "--quiet", "--initial-branch=none")
        commit = self._fetch()
        self._git("-c", "advice.detachedHead=false", "checkout", "--quiet", "--force", "--detach", commit, "--")
        return commit

    def follow_links(self) -> list[str]:
        """Put what links lead to in their place: git has laid each out as a file that says where (`core.symlinks=false`).

        Returns what was left out, one sentence each.
        """
        entries = (entry.partition("\t") for entry in self._git("ls-files", "--stage", "-z").split("\0"))
        files = {name: self._path / name for told, _, name in entries if told.startswith(_LINK)}
        links = {name: file.read_text("utf-8", "replace") for name, file in files.items() if file.is_file()}
        for name in links:
            files[name].unlink()
        warnings = list[str]()
        place_links(self._path, ends_of(links, warnings), warnings)
        return warnings

    def _fetch(self) -> str:
        ref = self._source.ref
        try:
            self._git_fetch("--depth=1", ref or "HEAD")
        except (RemoteError, NotFoundError):
            if ref is None or not _ABBREVIATED.fullmatch(ref):
                raise
            # Many servers hand out commits only by name: get all branches and look the commit up in them.
            self._git_fetch("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
            return self._commit(ref)
        return self._commit("FETCH_HEAD")

    def _git_fetch(self, *arguments: str) -> None:
        for moves in range(MOVES + 1):
            try:
                self._git_fetch_from(self._url, *arguments)
                return
            except RemoteError:
                moved = moved_to(self._url, self._source.caller) if self._url.startswith("https:") and moves < MOVES else None
                if moved is None or not URL.fullmatch(moved):
                    raise
                self._url = moved

    def _git_fetch_from(self, url: str, *arguments: str) -> None:
        options = [argument for argument in arguments if argument.startswith("--")]
        refs = [argument for argument in arguments if not argument.startswith("--")]
        self._git("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", *options, "--", url, *refs)

    def _commit(self, name: str) -> str:
        try:
            commit = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").strip()
        except RemoteError as error:
            raise NotFoundError(f"{self._source.url}: there is no commit {name}") from error
        if not _COMMIT.fullmatch(commit):
            raise RemoteError(f"{self._source.url}: git named the commit {one_line(commit, 60)!r}")
        return commit

    def _git(self, *arguments: str) -> str:
        """Run git; its output. GitPython brings the process handling; what it may do is said here, argument by argument."""
        from git import Git

        config = [word for setting in _CONFIG for word in ("-c", setting)]
        command = guarded([*self._without(), "git", f"--git-dir={self._path / '.git'}", f"--work-tree={self._path}", *config, *arguments])
        interrupt = Git(str(self._path)).execute(command, as_process=True, env=self._environment(), start_new_session=True)
        process = cast("subprocess.Popen[bytes]", interrupt.proc)  # None only after it was ended, and read as bytes: GitPython's default
        try:
            output, complaint = self._follow(process)
        finally:
            kill_group(process)
        if process.returncode:
            raise self._error(complaint)
        return output

    def _environment(self) -> dict[str, str]:
        """What overrides the user's environment: no prompt, no configuration, no other protocol, no other repository."""
        environment = {
            "GIT_ALLOW_PROTOCOL": self._source.url.partition("://")[0],
            "GIT_SSH_COMMAND": _SSH,
            "GIT_SSH_VARIANT": "ssh",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_COUNT": "0",
            "GIT_CONFIG_PARAMETERS": "",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "true",
            "SSH_ASKPASS": "true",
            "GIT_LFS_SKIP_SMUDGE": "1",
            "GIT_INDEX_FILE": str(self._path / ".git" / "index"),
            "GIT_OBJECT_DIRECTORY": str(self._path / ".git" / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": "",
            "GIT_TRACE": "0",
        }
        own = self._source.caller.over({})
        if trusted := own.get("SSL_CERT_FILE"):
            own.setdefault("GIT_SSL_CAINFO", trusted)
        return own | environment

    def _without(self) -> list[str]:
        """What takes away the variables that this process has and whoever asked has not: GitPython can only add to ours."""
        gone = sorted(os.environ.keys() - self._source.caller.over(os.environ).keys())
        return ["env", *(word for name in gone for word in ("-u", name))] if gone else []

    def _follow(self, process: subprocess.Popen[bytes]) -> tuple[str, str]:
        """Wait for git, reporting and bounding what it writes. Its output is a few lines: it fits into the pipes."""
        deadline = time.monotonic() + self._source.seconds_limit
        while time.monotonic() < deadline:
            self._progress.check()
            with suppress(subprocess.TimeoutExpired):
                output, complaint = process.communicate(timeout=0.1)
                self._bound()
                return output.decode("utf-8", "replace"), clean(complaint.decode("utf-8", "replace"))
            self._bound()
        raise RemoteError(f"{self._source.url}: git did not finish within {self._source.seconds_limit:.0f} s")

    def _bound(self) -> None:
        """Report how much there is, and stop at what no package is."""
        size = files_size(self._path) + files_size(self._path / ".git")
        self._progress.advance(size)
        if size > self._source.bytes_limit:
            raise PackageError(f"{self._source.url} is larger than {in_bytes(self._source.bytes_limit)}: too large for a package")

    def _error(self, complaint: str) -> RemoteError | NotFoundError:
        lines = last_lines(complaint, 20)
        told = next(
            (line for line in lines if line.startswith(("fatal:", "error:", "ERROR:"))), lines[-1] if lines else "it gave no reason"
        )
        if "couldn't find remote ref" in complaint or "Couldn't find remote ref" in complaint:
            return NotFoundError(f"{self._source.url}: there is no branch or tag {self._source.ref or 'HEAD'!r}")
        if self._source.url.startswith("https:") and any(word in complaint for word in _WANTS_PASSWORD):
            host = urlsplit(self._source.url).hostname
            return RemoteError(
                f"git cannot fetch {self._source.url}: it is private, or not there; a password for it is taken from ~/.netrc alone:"
                f" machine {host} login NAME password TOKEN",
                detail=complaint,
            )
        return RemoteError(f"git cannot fetch {self._source.url}: {one_line(told.partition(':')[2] or told)}", detail=complaint)


def vendor_of(url: str) -> str:
    """The last but one part of a repository's path, as a vendor; `local` where that is no name."""
    parts = [part for part in urlsplit(url).path.removesuffix("/").removesuffix("/.git").split("/") if part]
    try:
        return check_name(parts[-2].removesuffix(".git")) if len(parts) > 1 else "local"
    except ValueError:
        return "local"
