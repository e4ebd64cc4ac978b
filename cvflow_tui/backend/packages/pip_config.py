"""The user's pip configuration, read as pip reads it, and in uv's words: uv does not read it, and our own downloads must find the same.

Imports nothing but the standard library: what installs cvflow itself reads it too (`tools/install.py`).
"""

from __future__ import annotations

import configparser
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

PYPI = "https://pypi.org/simple"

_SECTIONS = ("global", "install")
_OPTIONS = ("index-url", "extra-index-url", "find-links", "cert", "client-cert", "proxy", "no-index", "trusted-host")
_VARIABLES = {f"PIP_{option.upper().replace('-', '_')}": option for option in _OPTIONS} | {
    "PIP_DEFAULT_TIMEOUT": "timeout",
    "PIP_TIMEOUT": "timeout",
}
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables of the library that pip asks with: what it trusts where pip's own configuration names nothing."""
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


@dataclass(frozen=True, slots=True)
class PipConfig:
    """What pip would use. Addresses may carry credentials: `hide_credentials` before one is shown."""

    index_url: str | None = PYPI
    """None where the user forbids indexes (`no-index`)."""
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    cert: str | None = None
    client_cert: str | None = None
    proxy: str | None = None
    timeout: str | None = None
    """Seconds, as it was written."""
    trusted_hosts: tuple[str, ...] = ()
    """Hosts whose certificates are not checked."""

    @property
    def indexes(self) -> tuple[str, ...]:
        """Every index, in the order pip asks them."""
        return () if self.index_url is None else (self.index_url, *self.extra_index_urls)

    @property
    def hosts(self) -> frozenset[str]:
        """Hosts that the user wrote down: an index may stand inside of a network that a stranger's address must not lead into."""
        named = (urlsplit(url).hostname for url in (*self.indexes, *self.find_links))
        return frozenset(host for host in (*named, *(each.partition(":")[0] for each in self.trusted_hosts)) if host)


def read_pip_config(environ: Mapping[str, str]) -> PipConfig:
    """Read the variables of whoever asks over PIP_CONFIG_FILE over the environment's, the user's and the machine's files."""
    values: dict[str, str] = {}
    for path in _files(environ):
        values |= _file_values(path)
    values |= {option: told for name, option in _VARIABLES.items() if (told := environ.get(name)) is not None}
    forbidden = values.get("no-index", "").strip().lower() in ("1", "true", "yes", "on")
    return PipConfig(
        index_url=None if forbidden else (values.get("index-url", "").strip() or PYPI).rstrip("/"),
        extra_index_urls=() if forbidden else tuple(url.rstrip("/") for url in values.get("extra-index-url", "").split()),
        find_links=tuple(values.get("find-links", "").split()),
        cert=next((told for told in (values.get("cert", "").strip(), *map(environ.get, _BUNDLES)) if told), None),
        client_cert=values.get("client-cert", "").strip() or None,
        proxy=values.get("proxy", "").strip() or None,
        timeout=seconds if (seconds := values.get("timeout", "").strip()).isdecimal() else None,
        trusted_hosts=tuple(values.get("trusted-host", "").split()),
    )


def hide_credentials(url: str) -> str:
    """The address without user name and password."""
    return _CREDENTIALS.sub("****@", url)


def index_arguments(pip: PipConfig) -> list[str]:
    """pip's indexes in uv's words. With several, the best version of all wins, as with pip: uv alone would stop at the first.

    Their addresses may carry passwords, so they are variables (`index_variables`): arguments are there for every user to read.
    """
    arguments = ["--no-index"] if pip.index_url is None else []
    for place in pip.find_links:
        arguments += [] if "://" in place else ["--find-links", place]
    for host in pip.trusted_hosts:
        arguments += ["--allow-insecure-host", host]
    return [*arguments, "--index-strategy", "unsafe-best-match"] if pip.extra_index_urls else arguments


def index_variables(pip: PipConfig) -> dict[str, str]:
    """The addresses of pip's indexes, as uv reads them from its environment."""
    variables = {} if pip.index_url is None else {"UV_DEFAULT_INDEX": pip.index_url}
    if pip.extra_index_urls:
        variables["UV_INDEX"] = " ".join(pip.extra_index_urls)
    if pages := [place.replace(",", "%2C") for place in pip.find_links if "://" in place]:
        variables["UV_FIND_LINKS"] = ",".join(pages)
    return variables


def way_variables(pip: PipConfig) -> dict[str, str]:
    """How the indexes are reached, as uv reads it from its environment, where that does not say it already."""
    told = {
        "SSL_CERT_FILE": pip.cert,
        "SSL_CLIENT_CERT": pip.client_cert,
        "UV_HTTP_TIMEOUT": pip.timeout,
        "HTTP_PROXY": pip.proxy,
        "HTTPS_PROXY": pip.proxy,
    }
    return {name: value for name, value in told.items() if value}


def _files(environ: Mapping[str, str]) -> list[Path]:
    """pip's files, the weakest first; `PIP_CONFIG_FILE=/dev/null` turns all of them off, as pip documents it."""
    chosen = environ.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return []
    home = Path(environ.get("HOME") or Path.home())
    machine = [Path(folder) / "pip" / "pip.conf" for folder in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":") if folder]
    user = [home / ".pip" / "pip.conf", Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf"]
    files = [*machine, Path("/etc/pip.conf"), *user, Path(sys.prefix) / "pip.conf"]
    return [*files, Path(chosen)] if chosen else files


def _file_values(path: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error):
        # A file that pip could not read either: pip itself complains about it, an install here goes on without.
        return {}
    values: dict[str, str] = {}
    for section in _SECTIONS:
        if parser.has_section(section):
            values |= {name.replace("_", "-"): value for name, value in parser.items(section)}
    return values
