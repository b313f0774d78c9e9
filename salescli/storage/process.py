"""Identify this process, and find out whether another one still runs."""

from __future__ import annotations

import os
from pathlib import Path


def this_process() -> str:
    """Return a unique name of this process, node/boot/pid/start, that stays unique when its pid is reused."""
    return f"{os.uname().nodename}/{boot_id()}/{os.getpid()}/{start_of(os.getpid())}"


def boot_id() -> str:
    """Return the id of this machine's current boot; empty if unknown."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def start_of(pid: int) -> str:
    """Return the start time of a running process in kernel ticks; empty if it does not run."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]  # a zombie does nothing


def may_run(owner: str) -> bool:
    """Return whether the process of that name may still run; of another machine's process nobody knows."""
    node, boot, pid, started = owner.split("/")
    if node != os.uname().nodename:
        return True
    return boot == boot_id() and started != "" and started == start_of(int(pid))
