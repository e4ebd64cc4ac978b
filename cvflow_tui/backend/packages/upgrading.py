"""What an upgrade asks for: the same as at the installation, of a newer version."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from cvflow_tui.backend.packages.locked import asked
from cvflow_tui.backend.packages.records import Record
from cvflow_tui.model.errors import UsageError
from cvflow_tui.model.packages import InstallRequest
from cvflow_tui.model.text import one_line

_NAMED = re.compile(r"([^<>=!~]*)([<>=!~].*)?", re.DOTALL)
_PINNED = re.compile(r"@[0-9a-f]{40}(?=#|$)")


def split(text: str) -> tuple[str, str]:
    """The name and the versions of `NAME==VERSION`; either may be empty."""
    told = _NAMED.fullmatch(text.strip())
    return (told[1].strip(), (told[2] or "").strip()) if told else (text, "")


def upgrade_request(text: str, find: Callable[[str], Record]) -> InstallRequest:
    """The request for `NAME` or `NAME==VERSION`. `find` knows the installed package, or raises what is to be said."""
    name, versions = split(text)
    try:
        wanted = SpecifierSet(versions)
    except InvalidSpecifier as error:
        raise UsageError(f"{one_line(versions, 60)!r} is no range of versions: write it like ==1.0.0 or >=1,<2") from error
    record = find(name)
    before = asked(record.request) if record.request else InstallRequest(_PINNED.sub("", record.source))
    before = replace(
        before, allow_build=(), accept_weights=(), discard=False
    )  # of that time; what was built and what came stands in the lock
    if record.source.startswith("hub:"):
        kept = "" if versions else ranges(before.source)
        return replace(before, source=f"hub:{record.ref}{wanted if versions else kept}")
    if versions:
        raise UsageError(
            f"{record.ref} comes from {one_line(record.source, 200)}, which has no numbered versions; cvflow install SOURCE@REF"
        )
    return before


def held_to(source: str) -> str:
    """What the source that was typed at the installation holds upgrades to, behind "is up to date"; empty where nothing does."""
    if source.startswith("git+"):
        address, fragment = source.partition("#")[::2]
        url, at, ref = address.rpartition("@")
        if not at or "/" not in url.partition("://")[2]:  # an '@' in front of the path belongs to the user's name
            return ""
        told = one_line(f"{url}@REF{f'#{fragment}' if fragment else ''}", 300)
        return f"with {one_line(ref, 60)}, which its source names; another: cvflow install '{told}'"
    if not source.startswith("hub:") or not (kept := ranges(source)):
        return ""
    name = source.removeprefix("hub:").removesuffix(kept)
    return f"within {kept}, as it was asked for; another: cvflow upgrade {name}==VERSION"


def ranges(source: str) -> str:
    """Of a source on the hub, the range that was asked for at the installation; a single version is what an upgrade is to leave."""
    ranges = SpecifierSet(split(source.removeprefix("hub:"))[1])
    return "" if any(each.operator in ("==", "===") and "*" not in each.version for each in ranges) else str(ranges)
