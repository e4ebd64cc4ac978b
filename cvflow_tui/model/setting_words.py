"""What each setting of a solver means, in the words that commands and screens share."""

from __future__ import annotations

MEANINGS: dict[str, tuple[str, str]] = {
    "replicas": ("2", "workers behind the one port"),
    "threads": ("4", "CPU threads of each worker"),
    "memory": ("2G", "a worker that grows beyond is drained and replaced"),
    "address_space": ("8G", "a hard limit: allocations beyond it fail"),
    "cpus": ("2", "cores that a worker may use"),
    "gpu": ("auto, cpu, 0 or 0,1", "the emptiest device, none, or these"),
    "port": ("8080", "the port it always has"),
    "autostart": ("on", "start it when the daemon starts"),
    "after": ("A/B/C,…", "solvers that start before it"),
    "keep_alive": ("5m", "unload it when idle; the next request waits until it is loaded"),
    "start_timeout": ("5m", "how long it may take to become ready"),
    "call_timeout": ("10m", "a call that takes longer is given up, its worker replaced"),
    "train_stall": ("30m", "a training that shows no progress and prints nothing for so long fails"),
    "restore": ("off", "start it again after a reboot"),
    "allow_hosts": ("https://example.org", "hosts that pictures may be fetched from"),
    "local_files": ("/data/pictures", "folder whose pictures may be named by their path"),
}
"""Setting -> (an example of a value, what it does)."""
