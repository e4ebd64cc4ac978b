"""What a command's own environment says of how things are fetched: it counts for what that command asks, and for nobody else."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cvflow_tui.model.errors import UsageError
from cvflow_tui.model.text import one_line

HEADER = "X-CVFlow-Circumstances"
"""The header that brings them to the daemon, beside what is asked: they are no part of it, and are not written down with it."""

OFFLINE = "CVFLOW_OFFLINE"
ALLOW_HOSTS = "CVFLOW_ALLOW_HOSTS"
"""Hosts that may be reached wherever they are: names, `*.example.org`, addresses or networks, with commas or spaces between."""

_FILES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
FETCHING = frozenset({*_FILES, *_PROXIES, *(name.lower() for name in _PROXIES)})
"""What a stranger's code has to know that fetches something itself: proxies and certificates."""
_NAMES = frozenset({OFFLINE, ALLOW_HOSTS, "SSH_AUTH_SOCK", *FETCHING})
_PIP = re.compile(r"PIP_[A-Z0-9_]+")
_PIP_FILES = ("PIP_CERT", "PIP_CLIENT_CERT", "PIP_CONFIG_FILE")
_PLACES = frozenset({"HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS"})
"""Where pip's own files lie. No program is told: a cache and a key ring stay where the daemon has them."""

LIMIT = 32 << 10
"""Characters of a header: more than any environment has of these."""


def is_of_a_command(name: str) -> bool:
    """Whether a variable is the command's that has it, and not to stay with a daemon which that command happens to start."""
    return name in _NAMES or _PIP.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Variables of whoever asks: offline or not, allowed hosts, pip's configuration, proxies, certificates, ssh's agent.

    They may hold passwords, so that nothing shows them; and nothing but a job in progress keeps them.
    """

    told: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """(name, value), by name."""

    @classmethod
    def of(cls, environ: Mapping[str, str], folder: Path) -> Circumstances:
        """Those of an environment; `folder` is where it stands, for files that are named as seen from there."""
        names = sorted(name for name in environ if is_of_a_command(name) or name in _PLACES)
        return cls(tuple((name, _absolute(name, environ[name], folder)) for name in names))

    @classmethod
    def here(cls) -> Circumstances:
        """Those of this process. Only for its edge: a command, a screen, a request that brings none."""
        try:
            return cls.of(os.environ, Path.cwd())
        except FileNotFoundError:  # the folder it stands in was deleted: nothing can be named as seen from there
            return cls.of(os.environ, Path("/"))

    @classmethod
    def read(cls, header: str) -> Circumstances:
        """Those that a header brings. Raises UsageError for one that is none, without a word of what stands in it."""
        try:
            told = json.loads(header) if len(header) <= LIMIT else None
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict) or not all(_is_text(value) for value in told.values()):
            raise UsageError(f"the header {HEADER} is a JSON object of variables and their values, {LIMIT >> 10} kB at most")
        if strange := [name for name in told if not (is_of_a_command(name) or name in _PLACES)]:
            raise UsageError(f"{one_line(strange[0], 60)!r} is no variable that {HEADER} may bring")
        return cls(tuple(sorted(told.items())))

    @property
    def header(self) -> str:
        """As a header brings them: printable ASCII."""
        return json.dumps(self.variables)

    @property
    def variables(self) -> dict[str, str]:
        """All of them by name."""
        return dict(self.told)

    @property
    def offline(self) -> bool:
        """Whether CVFLOW_OFFLINE keeps whoever asks from the network."""
        return self.variables.get(OFFLINE, "").strip().lower() not in ("", "0", "no", "off", "false")

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        """What CVFLOW_ALLOW_HOSTS lists."""
        return tuple(word.lower() for word in re.split(r"[,\s]+", self.variables.get(ALLOW_HOSTS, "")) if word)

    @property
    def proxies(self) -> dict[str, str]:
        """Proxies by scheme (`http`, `https`, `all`), and under `no` who is reached without: the name in small letters counts first."""
        found = {name.lower().removesuffix("_proxy"): name for name in (*_PROXIES, *(name.lower() for name in _PROXIES)) if self._has(name)}
        return {scheme: value for scheme, name in found.items() if (value := self.variables[name].strip())}

    def kept_offline(self, offline: bool) -> Circumstances:
        """The same, and without the network where `offline`."""
        return Circumstances(tuple(sorted({**self.variables, OFFLINE: "1"}.items()))) if offline else self

    def over(self, environ: Mapping[str, str], names: Collection[str] | None = None) -> dict[str, str]:
        """What a program that works for whoever asked sees: `environ`, with these variables (or those in `names`) for its own."""
        own = {name: value for name, value in environ.items() if not is_of_a_command(name)}
        return own | {name: value for name, value in self.told if is_of_a_command(name) and (names is None or name in names)}

    def _has(self, name: str) -> bool:
        return any(told == name for told, _ in self.told)


NOTHING_TOLD = Circumstances()
"""Of somebody whose environment says nothing of it."""


def _is_text(value: object) -> bool:
    """Whether it can stand in an environment."""
    try:
        return isinstance(value, str) and b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:
        return False


def _absolute(name: str, value: str, folder: Path) -> str:
    """A file as it is seen from anywhere: the daemon works elsewhere."""
    if name in _FILES or name in _PIP_FILES:
        return _place(value, folder)
    if name == "PIP_FIND_LINKS":
        return " ".join(word if ":" in word else _place(word, folder) for word in value.split())
    return value


def _place(value: str, folder: Path) -> str:
    return str(folder / Path(value.strip()).expanduser()) if value.strip() else value
