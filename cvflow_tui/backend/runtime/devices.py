"""Which accelerators a worker sees."""

from __future__ import annotations

import shutil
import subprocess

ASK_SECONDS = 5.0
_HIDDEN = {"CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": "", "ROCR_VISIBLE_DEVICES": ""}
_QUERY = ("--query-gpu=uuid,memory.used,memory.total", "--format=csv,noheader,nounits")


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


def ask_devices() -> str:
    """What nvidia-smi tells of the devices; nothing where there is none, or it does not answer."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    try:
        asked = subprocess.run([program, *_QUERY], capture_output=True, text=True, timeout=ASK_SECONDS, check=False)
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
