"""Count the answers of one model, for the statistics extension of the protocol."""

from __future__ import annotations

import time
from typing import Any


class Tally:
    """How often one model answered and how long it took. Counts may miss one when two threads meet."""

    __slots__ = ("compute_ns", "fail_ns", "last_s", "n_failed", "n_rows", "n_succeeded", "success_ns")

    def __init__(self) -> None:
        self.n_succeeded = self.n_failed = self.n_rows = 0
        self.success_ns = self.fail_ns = self.compute_ns = 0
        self.last_s = 0.0

    def succeeded(self, n_rows: int, request_ns: int, compute_ns: int = 0) -> None:
        """Count one answered request."""
        self.n_succeeded += 1
        self.n_rows += n_rows
        self.success_ns += request_ns
        self.compute_ns += compute_ns
        self.last_s = time.time()

    def failed(self, request_ns: int) -> None:
        """Count one refused request."""
        self.n_failed += 1
        self.fail_ns += request_ns

    def as_json(self, name: str, version: str) -> dict[str, Any]:
        """Return the statistics of the model, as the Triton Inference Server writes them."""
        done = self.n_succeeded
        none = {"count": 0, "ns": 0}
        return {
            "name": name,
            "version": version,
            "last_inference": int(self.last_s * 1000),
            "inference_count": self.n_rows,
            "execution_count": done,
            "inference_stats": {
                "success": {"count": done, "ns": self.success_ns},
                "fail": {"count": self.n_failed, "ns": self.fail_ns},
                "queue": none,
                "compute_input": none,
                "compute_infer": {"count": done, "ns": self.compute_ns},
                "compute_output": none,
                "cache_hit": none,
                "cache_miss": none,
            },
            "batch_stats": [],
        }
