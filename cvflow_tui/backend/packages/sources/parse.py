"""From what a user types to a source."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, unquote

from cvflow_tui.backend.packages.hub import Hub
from cvflow_tui.backend.packages.manifest import check_name
from cvflow_tui.backend.packages.sources.base import Source
from cvflow_tui.backend.packages.sources.folder import FolderSource
from cvflow_tui.backend.packages.sources.git import GitSource
from cvflow_tui.backend.packages.sources.hub import HubSource
from cvflow_tui.model.errors import UsageError
from cvflow_tui.model.text import one_line

FORMS = "VENDOR/NAME, a folder (./FOLDER), git+https://HOST/PATH[@REF][#subdirectory=FOLDER] or git+file:///PATH"
LIMIT = 4096
"""Characters a source may have."""


def parse_source(text: str, hub: Hub) -> Source:
    """Read a source. Touches neither disk nor network. Raises UsageError that names the forms there are."""
    text = text.strip()
    if not text or len(text) > LIMIT or "\0" in text or "\n" in text:
        raise UsageError(f"{one_line(text, 60)!r} is no source: give {FORMS}")
    if text.startswith("-"):
        raise UsageError(f"{one_line(text, 60)!r} begins with '-': a source is {FORMS}")
    if text.startswith("git+"):
        return _git(text.removeprefix("git+"))
    if text.startswith("file:"):
        return FolderSource(_file_path(text))
    if text.startswith("hub:"):
        return _hub(text.removeprefix("hub:"), hub)
    if text.startswith(("/", ".", "~")):
        return FolderSource(Path(text))
    if text.startswith(("http:", "https:", "ssh:", "git:", "git@")):
        raise UsageError(f"{one_line(text, 100)!r} is no source; for a git repository write git+https://HOST/PATH")
    return _hub(text, hub)


def _hub(ref: str, hub: Hub) -> HubSource:
    parts = ref.split("/")
    try:
        if len(parts) > 2:
            raise ValueError("too many parts")
        return HubSource("/".join(check_name(part) for part in parts), hub)
    except ValueError as error:
        raise UsageError(f"{one_line(ref, 60)!r} is no source: give {FORMS}") from error


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


def _git(text: str) -> GitSource:
    address, _, fragment = text.partition("#")
    subdirectory: str | None = None
    for key, value in parse_qsl(fragment, keep_blank_values=True) if fragment else ():
        if key != "subdirectory":
            raise UsageError(f"{one_line(key, 40)!r} means nothing after '#': only subdirectory=FOLDER does")
        subdirectory = value
    if fragment and subdirectory is None:
        raise UsageError(f"{one_line(fragment, 40)!r} means nothing after '#': only subdirectory=FOLDER does")
    if address.startswith("file:/") and not address.startswith("file://"):
        address = f"file://{address.removeprefix('file:')}"
    scheme, separator, rest = address.partition("://")
    url, at, ref = rest.rpartition("@")
    if not at or "/" not in url:
        # An '@' in front of the path is a user name, which GitSource refuses: nothing secret belongs into a source that is recorded.
        url, ref = rest, ""
    if "@" in url.partition("/")[0]:
        raise UsageError(f"a source holds no user name and no password: it is written down; give git+{one_line(scheme, 20)}://HOST/PATH")
    if at and "/" in url and not ref:
        raise UsageError(f"{one_line(text, 100)!r} ends with '@': add a branch, tag or commit, or leave it out")
    return GitSource(f"{scheme}{separator}{url}", ref or None, subdirectory)
