"""Pillow and the libraries below it say nothing while they read the files of strangers."""

from __future__ import annotations

import ctypes
import logging
import threading
import warnings
from pathlib import Path
from typing import Any

_MAPS = Path("/proc/self/maps")


class Silence:
    """Switches warnings of Pillow off while some thread is inside.

    `warnings.catch_warnings` puts a whole list of filters back, which threads would do in any order.
    """

    def __init__(self) -> None:
        logging.getLogger("PIL").addHandler(logging.NullHandler())  # else errors go to standard error
        self._lock = threading.Lock()
        self._n_inside = 0
        self._filter: Any = None

    def __enter__(self) -> None:
        with self._lock:
            self._n_inside += 1
            if self._filter is None or self._filter not in warnings.filters:
                warnings.filterwarnings("ignore", module=r"PIL\.")
                self._filter = warnings.filters[0]

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._n_inside -= 1
            if not self._n_inside and self._filter in warnings.filters:
                warnings.filters.remove(self._filter)  # type: ignore[attr-defined]


def silence_libtiff() -> None:
    """Keep libtiff from writing to the standard error stream what Pillow raises anyway.

    It does so for every broken file, and Pillow has no setting for it. Where the library is not found among those
    that the process has loaded, it goes on writing.
    """
    try:
        loaded = {line.split()[-1] for line in _MAPS.read_text("utf-8").splitlines() if "libtiff" in line}
        for path in loaded:
            ctypes.CDLL(path).TIFFSetErrorHandler(None)
    except (OSError, AttributeError, UnicodeDecodeError):
        return
