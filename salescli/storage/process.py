"""Which process this is, and whether another one still runs."""

from __future__ import annotations

import os
from pathlib import Path


def this_process() -> str:
    """Return a name for this process that no other has, even once its number is reused: node/boot/pid/start."""
    return f"{os.uname().nodename}/{boot_id()}/{os.getpid()}/{start_of(os.getpid())}"


def boot_id() -> str:
    """Return the id of this machine's present boot, empty where the kernel gives none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def start_of(pid: int) -> str:
    """Return the start time of a running process in the kernel's ticks, empty when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]  # a zombie works on nothing
