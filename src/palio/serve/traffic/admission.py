"""Take in no more than can be answered: requests in flight and bytes of bodies are counted, the rest is shed.

A request that is shed costs next to nothing and is told when to ask again (503 and `retry-after`; 429 is for quotas).
Everything here runs on the event loop, so plain integers are enough.
"""

from __future__ import annotations

import msgspec

from palio.serve.protocols.wire import WireError

WAIT_S = 1.0
"""So long may the last one in the queue wait, if the number in flight follows from the model's latency."""
LEAST_IN_FLIGHT = 64
MOST_IN_FLIGHT = 4096


class AdmissionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much one process takes in at once."""

    max_in_flight: int = 0
    """Requests that are decoded, computed or written to the log; 0: what is answered within a second."""
    max_held_bytes: int = 256 * 2**20
    """Bodies that have arrived and are not answered yet."""


class Admission:
    """The door. `enter` before the body is read, `hold` as it arrives, `begin` … `end` around the answer.

        admission.enter()                                  # may shed
        request = await read_request(..., admission.hold)  # may shed; not called for small bodies
        admission.begin()                                  # may shed, before anything is decoded
        try: ...
        finally: admission.end(n_held)

    Slow senders do not count as in flight: they could keep others out. What they have sent does count.
    """

    __slots__ = ("_derived", "_limits", "held_bytes", "in_flight", "max_in_flight", "retry_after_s", "shed")

    def __init__(self, limits: AdmissionLimits | None = None) -> None:
        self._limits = limits or AdmissionLimits()
        self._derived = self._limits.max_in_flight <= 0
        self.max_in_flight = MOST_IN_FLIGHT if self._derived else self._limits.max_in_flight
        self.retry_after_s = 1
        self.in_flight = 0
        self.held_bytes = 0
        self.shed = {"in_flight": 0, "held_bytes": 0}
        """How many were turned away, by the limit that they met."""

    def adapt(self, latency_s: float, n_threads: int) -> None:
        """Follow the model that answers now: derive the limit from the time one request takes, unless it was set."""
        if self._derived:
            in_time = int(WAIT_S * n_threads / max(latency_s, 1e-6))
            self.max_in_flight = min(MOST_IN_FLIGHT, max(LEAST_IN_FLIGHT, in_time))

    def enter(self) -> None:
        """Let a request in whose head has been read.

        Raises:
            WireError: 503, there is enough to do already.
        """
        if self.in_flight >= self.max_in_flight:
            raise self._busy("in_flight")
        if self.held_bytes >= self._limits.max_held_bytes:
            raise self._busy("held_bytes")

    def hold(self, n_bytes: int) -> None:
        """Count bytes of a body that have arrived; the caller gives them back with `end` or `release`.

        Raises:
            WireError: 503, bodies fill the memory that they may have; nothing was counted.
        """
        if self.held_bytes + n_bytes > self._limits.max_held_bytes:
            raise self._busy("held_bytes")
        self.held_bytes += n_bytes

    def release(self, n_bytes: int) -> None:
        """Give back bytes of a request that never began."""
        self.held_bytes -= n_bytes

    def begin(self) -> None:
        """Count a request whose body is complete.

        Raises:
            WireError: 503, too many came in meanwhile; nothing was counted.
        """
        if self.in_flight >= self.max_in_flight:
            raise self._busy("in_flight")
        self.in_flight += 1

    def end(self, n_held: int = 0) -> None:
        """Count a request as answered, and give back the bytes that it held."""
        self.in_flight -= 1
        self.held_bytes -= n_held

    def _busy(self, limit: str) -> WireError:
        self.shed[limit] += 1
        after = b"%d" % self.retry_after_s
        return WireError(503, "the server is busy; ask again later", headers=((b"retry-after", after),))
