"""How a solver is to run: what a person may set, and how it is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from cvflow_tui.model.errors import UsageError
from cvflow_tui.model.names import NAME

NOTHING = "-"
"""How a setting is written of which nothing is said."""
START_SECONDS = 290.0
LONGEST_START = 3600.0
MOST_REPLICAS = 64
LATER = frozenset({"port", "autostart", "after", "restore", "start_timeout"})
"""What only matters at the next start: changing it asks for no restart."""


@dataclass(frozen=True, slots=True)
class SolverSettings:
    """A solver's settings. Sizes in bytes, times in seconds; None means that nothing is said."""

    replicas: int = 1
    """Workers behind the one port."""
    threads: int | None = None
    """CPU threads of each worker; None: the cores, shared among the replicas."""
    memory: int | None = None
    """Resident memory of a worker above which it is drained and started anew; a training that needs more fails."""
    address_space: int | None = None
    """A hard limit on a worker's address space (RLIMIT_AS): allocations beyond it fail."""
    cpus: int | None = None
    """Cores that a worker may use."""
    gpu: str | None = None
    """`auto` (the emptiest at each start), `cpu` (none is shown), or devices: `0`, `0,1`."""
    port: int | None = None
    autostart: bool = False
    """Start it when the daemon starts."""
    after: tuple[str, ...] = ()
    """Solvers that are started, and ready, before this one when the daemon starts."""
    keep_alive: float | None = None
    """An idle worker is ended after this long; the next request loads it again and waits."""
    start_timeout: float = START_SECONDS
    call_timeout: float = 600.0
    """A call that takes longer is given up, and its worker replaced."""
    train_stall: float | None = 1800.0
    """A training that reports no progress and prints nothing for so long is given up."""
    restore: bool = True
    """Start it again after a reboot if it ran before."""
    allow_hosts: tuple[str, ...] = ()
    """Hosts that pictures may be fetched from which a request names by their address: `https://HOST[:PORT]`, `http://HOST[:PORT]`."""
    local_files: str | None = None
    """A folder whose pictures a request may name (Label Studio's local files)."""


@dataclass(frozen=True, slots=True)
class SettingsReport:
    """A solver's settings as they stand."""

    solver: str
    settings: SolverSettings
    chosen: tuple[str, ...] = ()
    """The names of those that a person chose; the others are as they come."""
    variables: tuple[str, ...] = ()
    """Names of the environment variables it is given, its package's included. Their values are never told."""
    running: bool = False
    restart_for: tuple[str, ...] = ()
    """What was changed since it started and needs a restart: names of settings, `env` for variables."""
    warnings: tuple[str, ...] = ()
    """Settings that this machine can't follow as it is now."""


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable that is set. Its value is never told."""

    owner: str
    """`vendor/package`, or `vendor/package/solver`."""
    name: str


def read_settings(told: Mapping[str, str]) -> SolverSettings:
    """Settings from their texts (`{"memory": "2G"}`). Raises UsageError that names the field and what it takes."""
    return replace(SolverSettings(), **{name: read_setting(name, text) for name, text in told.items()})


def read_setting(name: str, text: str) -> Any:
    """One setting's value. Raises UsageError."""
    if name not in _READERS:
        raise UsageError(f"there is no setting {name[:40]!r}; there are: {', '.join(_READERS)}")
    try:
        return _READERS[name](text.strip())
    except ValueError as error:
        raise UsageError(f"{name}={text[:60]}: {error}") from None


def setting_names() -> tuple[str, ...]:
    """Every setting there is."""
    return tuple(_READERS)


def read_duration(text: str) -> float:
    """`90`, `90s`, `5m`, `2h`, `1d` in seconds. Raises ValueError."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)\s*(s|m|h|d)?", text.lower())
    if found is None:
        raise ValueError("give a time such as 30s, 5m or 2h")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[2] or "s"]


def read_size(text: str) -> int:
    """`500M`, `2G`, `1.5GB`, `2GiB` in bytes. Raises ValueError."""
    found = re.fullmatch(r"(\d{1,12}(?:\.\d{1,3})?)\s*([kmgt]?)(i?)b?", text.lower())
    if found is None:
        raise ValueError("give a size such as 500M or 2G")
    power = " kmgt".index(found[2] or " ")
    return int(float(found[1]) * (1024 if found[3] else 1000) ** power)


def write_setting(name: str, value: object) -> str:
    """A setting's value as a person would write it."""
    if value is None or value == ():
        return NOTHING
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value)
    if name in ("memory", "address_space") and isinstance(value, int):
        return _in_units(float(value), (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)))
    if name in ("keep_alive", "start_timeout", "call_timeout", "train_stall") and isinstance(value, float):
        return _in_units(value, _TIMES)
    return str(value)


def differing(one: SolverSettings, other: SolverSettings) -> tuple[str, ...]:
    """Settings that differ and that a running solver would have to be restarted for."""
    names = [field.name for field in fields(SolverSettings) if field.name not in LATER]
    return tuple(name for name in names if getattr(one, name) != getattr(other, name))


def _in_units(value: float, units: tuple[tuple[str, float], ...]) -> str:
    for letter, size in units:
        if value >= size and value % size == 0:
            return f"{value / size:.0f}{letter}"
    return f"{value:.3f}".rstrip("0").rstrip(".")


_TIMES = (("d", 86400.0), ("h", 3600.0), ("m", 60.0), ("s", 1.0))


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text) or not least <= int(text) <= most:
            raise ValueError(f"give a whole number from {least} to {most}")
        return int(text)

    return read


def _maybe(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Nothing said: `-`, `none`."""
    return lambda text: None if text.lower() in ("-", "none", "never") else read(text)


def _switch(text: str) -> bool:
    if text.lower() in ("on", "true", "yes", "1"):
        return True
    if text.lower() in ("off", "false", "no", "0"):
        return False
    raise ValueError("say on or off")


def _memory(text: str) -> int:
    if (size := read_size(text)) < 16_000_000:
        raise ValueError("a Python process needs more than that: give 16M or more")
    return size


def _span(least: float, most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        if not least <= (seconds := read_duration(text)) <= most:
            raise ValueError(f"give a time from {least:g}s to {_in_units(most, _TIMES)}")
        return seconds

    return read


def _device(text: str) -> str:
    if text.lower() in ("auto", "cpu"):
        return text.lower()
    if re.fullmatch(r"\d{1,3}(,\d{1,3})*|(GPU|MIG)-[0-9A-Za-z/-]{1,80}", text):
        return text
    raise ValueError("say auto, cpu, or devices by number (0 or 0,1)")


def _names(text: str) -> tuple[str, ...]:
    found = tuple(item.strip() for item in text.strip("[]").split(",") if item.strip(" \"'"))
    found = tuple(item.strip("\"'") for item in found if item != "-")
    for item in found:
        if len(item.split("/")) != 3 or not all(NAME.fullmatch(part.lower()) for part in item.split("/")):
            raise ValueError(f"{item!r} is not VENDOR/PACKAGE/SOLVER")
    return found


def _hosts(text: str) -> tuple[str, ...]:
    found = tuple(item.strip().rstrip("/").lower() for item in text.split(",") if item.strip() not in ("", "-"))
    for item in found:
        if not re.fullmatch(r"(https?://)?([a-z0-9]([a-z0-9.-]{0,252})?|\[[0-9a-f:.]+\])(:\d{1,5})?", item):
            raise ValueError("give hosts such as https://example.org or http://localhost:8080")
    return found


def _folder(text: str) -> str:
    if not text.startswith("/") or "\0" in text:
        raise ValueError("give the folder's whole path, from /")
    return text


_READERS: dict[str, Callable[[str], Any]] = {
    "replicas": _whole(1, MOST_REPLICAS),
    "threads": _maybe(_whole(1, 1024)),
    "memory": _maybe(_memory),
    "address_space": _maybe(_memory),
    "cpus": _maybe(_whole(1, 1024)),
    "gpu": _maybe(_device),
    "port": _maybe(_whole(1, 65535)),
    "autostart": _switch,
    "after": _names,
    "keep_alive": _maybe(_span(0.1, 30 * 86400)),
    "start_timeout": _span(1, LONGEST_START),
    "call_timeout": _span(0.1, 30 * 86400),
    "train_stall": _maybe(_span(1, 30 * 86400)),
    "restore": _switch,
    "allow_hosts": _hosts,
    "local_files": _maybe(_folder),
}
