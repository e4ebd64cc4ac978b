"""From what a user types to a source."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from cvflow_tui.backend.packages.downloads import Downloads
from cvflow_tui.backend.packages.manifest import check_name
from cvflow_tui.backend.packages.sources.archive import ArchiveSource
from cvflow_tui.backend.packages.sources.base import Source
from cvflow_tui.backend.packages.sources.folder import FolderSource
from cvflow_tui.backend.packages.sources.git import GitSource
from cvflow_tui.backend.packages.sources.hub import Hub, HubSource
from cvflow_tui.model.circumstances import Circumstances
from cvflow_tui.model.errors import RemoteError, UsageError
from cvflow_tui.model.text import one_line

FORMS = (
    "VENDOR/NAME[==VERSION], a folder (./FOLDER), https://HOST/FILE.zip (or .tar.gz),"
    " git+https://HOST/PATH[@REF][#subdirectory=FOLDER], git+ssh://git@HOST/PATH or git+file:///PATH"
)
LIMIT = 4096
"""Characters a source may have."""

_HUB = re.compile(r"([^<>=!~]*)([<>=!~].*)?", re.DOTALL)


def parse_source(text: str, hub: Hub, downloads: Downloads | None = None, *, editable: bool = False) -> Source:
    """Read a source. Touches neither disk nor network. Raises UsageError that names the forms there are, RemoteError for
    a repository elsewhere where `downloads` are offline.

    `downloads` keeps what arrives of an archive for the next attempt; whose caller's proxies and certificates hold (without them:
    this process's own); `editable` asks for the folder itself instead of a copy.
    """
    text = text.strip()
    if not text or len(text) > LIMIT or "\0" in text or "\n" in text:
        raise UsageError(f"{one_line(text, 60)!r} is no source: give {FORMS}")
    if text.startswith("-"):
        raise UsageError(f"{one_line(text, 60)!r} begins with '-': a source is {FORMS}")
    source = _parse(text, hub, downloads, editable)
    if downloads is not None and downloads.is_offline and isinstance(source, GitSource) and not source.url.startswith("file:"):
        raise RemoteError(f"{source.url} is not at hand, and cvflow is told to work offline")
    if editable and not isinstance(source, FolderSource):
        raise UsageError(f"{one_line(text, 100)!r} is no folder of this machine: only such a one can be linked (--editable)")
    return source


def _parse(text: str, hub: Hub, downloads: Downloads | None, editable: bool) -> Source:
    if text.startswith("git+"):
        return _git(text.removeprefix("git+"), downloads.caller if downloads is not None else Circumstances.here())
    if text.startswith("file:"):
        return FolderSource(_file_path(text), editable=editable)
    if text.startswith("hub:"):
        return _hub(text.removeprefix("hub:"), hub)
    if text.startswith(("/", ".", "~")):
        return FolderSource(Path(text), editable=editable)
    if text.startswith(("https:", "http:")):
        return _archive(text, downloads)
    if text.startswith(("ssh:", "git:", "git@")):
        raise UsageError(
            f"{one_line(text, 100)!r} is no source; for a git repository write git+https://HOST/PATH or git+ssh://git@HOST/PATH"
        )
    return _hub(text, hub)


def _hub(text: str, hub: Hub) -> HubSource:
    told = _HUB.fullmatch(text)
    ref, versions = (told[1].strip(), (told[2] or "").strip()) if told else ("", "")
    parts = ref.split("/")
    try:
        if len(parts) > 2:
            raise ValueError("too many parts")
        return HubSource("/".join(check_name(part) for part in parts), hub, str(SpecifierSet(versions)))
    except InvalidSpecifier as error:
        raise UsageError(f"{one_line(versions, 60)!r} is no range of versions: write it like ==1.0.0 or >=1,<2") from error
    except ValueError as error:
        raise UsageError(f"{one_line(text, 60)!r} is no source: give {FORMS}") from error


def _file_path(text: str) -> Path:
    rest = text.removeprefix("file:")
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        if host not in ("", "localhost") or not slash:
            raise UsageError(f"{one_line(text, 100)!r} names another machine: give file:///PATH")
        rest = f"/{path}"
    path = unquote(rest)
    if not path or "\0" in path or path.startswith("-"):
        raise UsageError(f"{one_line(text, 100)!r} names no folder: give file:///PATH")
    return Path(path)


def _archive(text: str, downloads: Downloads | None) -> ArchiveSource:
    address, _, fragment = text.partition("#")
    told = _fragment(fragment, ("sha256", "subdirectory"))
    return ArchiveSource(address, told.get("sha256"), told.get("subdirectory"), downloads)


def _git(text: str, caller: Circumstances) -> GitSource:
    address, _, fragment = text.partition("#")
    subdirectory = _fragment(fragment, ("subdirectory",)).get("subdirectory")
    if address.startswith("file:/") and not address.startswith("file://"):
        address = f"file://{address.removeprefix('file:')}"
    scheme, separator, rest = address.partition("://")
    url, at, ref = rest.rpartition("@")
    if not at or "/" not in url:
        # An '@' in front of the path belongs to the user's name, which only ssh has: nothing secret may stand in what is written down.
        url, ref = rest, ""
    user, named, _ = url.partition("/")[0].rpartition("@")
    if named and (scheme != "ssh" or ":" in user):
        raise UsageError(f"a source holds no user name and no password: it is written down; give git+{one_line(scheme, 20)}://HOST/PATH")
    if at and "/" in url and not ref and rest.endswith("@"):
        raise UsageError(f"{one_line(text, 100)!r} ends with '@': add a branch, tag or commit, or leave it out")
    return GitSource(f"{scheme}{separator}{url}", ref or None, subdirectory, caller=caller)


def _fragment(fragment: str, known: Collection[str]) -> dict[str, str]:
    """What stands after '#'."""
    told = dict(parse_qsl(fragment, keep_blank_values=True))
    unknown = next((key for key in told if key not in known), None if told or not fragment else fragment)
    if unknown is not None:
        raise UsageError(f"{one_line(unknown, 40)!r} means nothing after '#': only {' and '.join(f'{key}=…' for key in known)} does")
    return told
