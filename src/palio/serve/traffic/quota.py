"""Count rows against quotas: a token bucket for each caller and rule, in this process or shared by all workers.

A bucket holds at most `quota` rows and refills evenly, so a caller may ask for its whole quota at once, and never for
more than twice the quota within one `per`. Source: ATM Forum 1999, Traffic Management 4.1, section 4.4.2 (the generic
cell rate algorithm).
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import struct
import threading
from pathlib import Path
from typing import Protocol, Self

SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_MOST_BUCKETS = 100_000


class Quotas(Protocol):
    """Take rows out of buckets."""

    def take(self, key: str, n_rows: int, *, capacity: int, rate: float, now: float) -> float:
        """Take `n_rows` out of the bucket `key`; it holds `capacity` and refills by `rate` rows a second.

        Returns:
            0.0 if they were there. Otherwise nothing is taken, and the seconds until they will be; infinite if the
            bucket is too small for so many at once.
        """


class OwnQuotas:
    """Buckets of this process alone: right for one worker."""

    def __init__(self) -> None:
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, key: str, n_rows: int, *, capacity: int, rate: float, now: float) -> float:
        """Take rows; see `Quotas`.

        Example:
            >>> quotas = OwnQuotas()
            >>> [quotas.take("ann", 6, capacity=10, rate=1.0, now=0.0) for _ in range(2)]
            [0.0, 2.0]
        """
        with self._lock:
            tokens, at = self._buckets.get(key, (float(capacity), now))
            left, wait = _take(tokens, at, n_rows, capacity, rate, now)
            if wait == 0.0:
                if len(self._buckets) >= _MOST_BUCKETS:
                    self._buckets.clear()  # callers come from keys, so this needs a hundred thousand of them
                self._buckets[key] = (left, max(now, at))
            return wait


_SLOT = struct.Struct("=8sdd")  # who, tokens, at
_N_SLOTS = 4096
_N_PROBES = 64
_EMPTY = bytes(8)


class SharedQuotas:
    """Buckets in a file that all workers map: the quota holds for the server, whichever worker is asked.

    A lock on the bytes of one slot guards each bucket; the kernel releases it when a worker dies. The file holds hashes
    of names and numbers, nothing else. It is as good as the machine's clock: a step back stops refilling until the
    clock has caught up.
    """

    def __init__(self, path: Path) -> None:
        """Map the file at `path`; it is made if it is not there."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        os.ftruncate(self._file, _SLOT.size * _N_SLOTS)
        self._map = mmap.mmap(self._file, _SLOT.size * _N_SLOTS)
        self._lock = threading.Lock()  # locks on bytes do not part the threads of one process
        self._slots: dict[str, int] = {}

    def take(self, key: str, n_rows: int, *, capacity: int, rate: float, now: float) -> float:
        """Take rows; see `Quotas`. About 3 µs. With more than 4,096 buckets some callers share one."""
        with self._lock:
            who = hashlib.blake2b(key.encode(), digest_size=8).digest()
            slot = self._slots.get(key)
            if slot is None:
                slot = self._slots[key] = self._find(who)
            start = slot * _SLOT.size
            fcntl.lockf(self._file, fcntl.LOCK_EX, _SLOT.size, start)
            try:
                owner, tokens, at = _SLOT.unpack_from(self._map, start)
                if owner == _EMPTY:
                    tokens, at = float(capacity), now
                left, wait = _take(tokens, at, n_rows, capacity, rate, now)
                if wait == 0.0:
                    _SLOT.pack_into(self._map, start, who, left, max(now, at))
                return wait
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN, _SLOT.size, start)

    def close(self) -> None:
        """Release the file; it stays for the other workers."""
        self._map.close()
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _find(self, who: bytes) -> int:
        """Return the slot of `who`, claiming a free one under a lock on the whole file."""
        first = int.from_bytes(who, "big") % _N_SLOTS
        fcntl.lockf(self._file, fcntl.LOCK_EX, 0, 0)
        try:
            for step in range(_N_PROBES):
                slot = (first + step) % _N_SLOTS
                owner = _SLOT.unpack_from(self._map, slot * _SLOT.size)[0]
                if owner in (who, _EMPTY):
                    if owner == _EMPTY:
                        _SLOT.pack_into(self._map, slot * _SLOT.size, who, -1.0, 0.0)
                    return slot
            return first
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 0, 0)


def _take(tokens: float, at: float, n_rows: int, capacity: int, rate: float, now: float) -> tuple[float, float]:
    """Return what is left, and 0.0 or the seconds to wait. Fewer than no tokens: a bucket that was never used."""
    if tokens < 0.0:
        tokens, at = float(capacity), now
    tokens = min(float(capacity), tokens + max(0.0, now - at) * rate)
    if n_rows <= tokens:
        return tokens - n_rows, 0.0
    return tokens, (n_rows - tokens) / rate if n_rows <= capacity else float("inf")
