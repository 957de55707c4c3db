"""Run a test in a process of its own, because what it does to its process would reach the runner of the tests, too."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_CALL = """
import importlib, pathlib, sys
module, name, folder = sys.argv[1:]
getattr(importlib.import_module(module), name).__wrapped__(pathlib.Path(folder))
"""


def alone(test: Callable[[Path], None]) -> Callable[[Path], None]:
    """Let a test that takes `tmp_path` and nothing else run in a fresh interpreter."""

    @functools.wraps(test)
    def run(tmp_path: Path) -> None:
        module = f"{Path(test.__code__.co_filename).relative_to(ROOT).with_suffix('').as_posix()}".replace("/", ".")
        done = subprocess.run(
            [sys.executable, "-c", _CALL, module, test.__name__, str(tmp_path)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout

    return run
