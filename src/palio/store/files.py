"""Write a file so that nobody ever meets half of it."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all, on disk when this returns, readable by its owner only; so is its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    waiting = path.with_name(f".{path.name}.{os.getpid()}")
    with waiting.open("wb") as file:
        waiting.chmod(0o600)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    waiting.replace(path)
