"""Which accelerators a worker sees."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

ASK_SECONDS = 5.0
_HIDDEN = {"CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": "", "ROCR_VISIBLE_DEVICES": ""}
_PROGRAM = "nvidia-smi"
_QUERY = ("--query-gpu=uuid,memory.used,memory.total", "--format=csv,noheader,nounits")


_LISTED = re.compile(r"^GPU (\d+):|UUID: ([A-Za-z0-9/-]+)", re.MULTILINE)
_NODES = ("nvidiactl", "nvidia0", "nvhost-gpu", "nvgpu", "kfd", "dxg")
"""What a driver of accelerators puts into /dev, nvidia-smi or not: NVIDIA's, Jetson's, AMD's, Windows'."""


class NoDevice(Exception):
    """The setting `gpu` names a device that is not there; the message says which, and what there is."""


def check_devices(gpu: str | None) -> None:
    """Raises NoDevice where the setting names a device that this machine has not, as far as anything tells."""
    if gpu is None or gpu in ("auto", "cpu"):
        return
    told = ask_devices("-L")
    if not told and (shutil.which(_PROGRAM) is not None or any(Path("/dev", node).exists() for node in _NODES)):
        return  # a driver that does not tell; the solver will
    known = {name for pair in _LISTED.findall(told) for name in pair if name}
    missing = [name for name in gpu.split(",") if not any(each == name or each.startswith(f"{name}-") for each in known)]
    if not missing:
        return
    numbers = sorted((name for name in known if name.isdecimal()), key=int)
    there = f"this machine has {', '.join(numbers)}" if numbers else "this machine has none that nvidia-smi shows"
    raise NoDevice(f"gpu={gpu}: there is no device {', '.join(missing)}; {there}")


def devices_of(gpu: str | None) -> dict[str, str]:
    """The same as `device_variables`, for devices that are there. Raises NoDevice."""
    check_devices(gpu)
    return device_variables(gpu)


def device_variables(gpu: str | None) -> dict[str, str]:
    """Variables that show a worker the devices of the setting `gpu`; none where it says nothing, or `auto` finds no device."""
    if gpu is None:
        return {}
    if gpu == "cpu":
        return dict(_HIDDEN)
    if gpu == "auto":
        emptiest = emptiest_device(ask_devices())
        return {} if emptiest is None else {"CUDA_VISIBLE_DEVICES": emptiest}
    # Numbers mean what nvidia-smi shows; CUDA's own order is by speed.
    return {"CUDA_VISIBLE_DEVICES": gpu, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def ask_devices(*question: str) -> str:
    """What nvidia-smi tells of the devices (how full they are, unless it is asked else); nothing where it is not there or silent."""
    program = shutil.which(_PROGRAM)
    if program is None:
        return ""
    try:
        asked = subprocess.run([program, *(question or _QUERY)], capture_output=True, text=True, timeout=ASK_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout if asked.returncode == 0 else ""


def emptiest_device(told: str) -> str | None:
    """The id of the device with the most free memory, the first of equals; None where there is none."""
    best: tuple[float, str] | None = None
    for line in told.splitlines():
        parts = [part.strip() for part in line.split(",")]
        try:
            name, free = parts[0], float(parts[2]) - float(parts[1])
        except (IndexError, ValueError):
            continue  # `[N/A]`: a device that does not tell
        if best is None or free > best[0]:
            best = (free, name)
    return None if best is None else best[1]
