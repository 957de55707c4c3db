"""Say how much memory is free on this machine, and how much a process holds."""

from __future__ import annotations

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def free_memory(*, machine: Path = Path("/proc/meminfo"), cgroup: Path = CGROUP) -> float:
    """Return the bytes that this process and its children may still take; what the system keeps of files is free."""
    found = [1e18]
    lines = _lines(machine)
    found += [1024.0 * float(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    limit, used = _lines(cgroup / "memory.max"), _lines(cgroup / "memory.current")
    if limit and used and limit[0].strip().isdecimal():
        kept = [line.split() for line in _lines(cgroup / "memory.stat")]
        of_files = sum(float(words[1]) for words in kept if words[0] in ("inactive_file", "active_file"))
        found.append(float(limit[0]) - float(used[0]) + of_files)
    return max(0.0, min(found))


def resident(pid: int) -> int:
    """Return the bytes of memory that a process holds; 0 where that cannot be told."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except (OSError, ValueError):
        return []
