from __future__ import annotations

import os
from pathlib import Path

from palio.train.engine.memory import free_memory, resident

GB = 1_000_000_000


def test_the_least_of_machine_and_limit_is_free_and_what_is_kept_of_files_counts_as_free(tmp_path: Path) -> None:
    machine = tmp_path / "meminfo"
    machine.write_text(f"MemTotal: 9 kB\nMemAvailable: {3 * GB // 1024} kB\n")
    assert free_memory(machine=machine, cgroup=tmp_path) == 3 * GB // 1024 * 1024
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text(f"{GB}\n")
    assert free_memory(machine=machine, cgroup=tmp_path) > 2 * GB
    (tmp_path / "memory.max").write_text(f"{GB + 200_000_000}\n")
    assert free_memory(machine=machine, cgroup=tmp_path) == 200_000_000
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 300000000\nactive_file 100000000\nshmem 7\n")
    assert free_memory(machine=machine, cgroup=tmp_path) == 600_000_000


def test_where_nothing_is_told_memory_is_no_limit(tmp_path: Path) -> None:
    assert free_memory(machine=tmp_path / "none", cgroup=tmp_path) > 1000 * GB


def test_this_process_holds_some_memory_and_one_that_is_gone_none() -> None:
    assert resident(os.getpid()) > 10_000_000
    assert resident(2**22 + 5) == 0
