"""Follow the losses of a model row by row as truths arrive: sequential detectors suspect, rows after them decide.

Every detector is shown beside a periodic alarm that rings as often and knows nothing, and beside the answer that never
changes; a detector that does not beat them has found nothing.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palio.core.errors import InputError, did_you_mean, need
from palio.core.monitoring import Change, DetectorRecord, StreamReview
from palio.core.records import Record
from palio.monitor.concept.confirming import MIN_CALM, Calm, Suspicion
from palio.monitor.concept.kswin import Kswin

Array = NDArray[Any]

DETECTORS = ("ADWIN", "PageHinkley", "DDM", "EDDM", "HDDM_A", "HDDM_W", "KSWIN")
ALPHA = 0.01
"""Probability that anything is confirmed on a stream without a change, for all detectors together."""
TYPICAL = 5.0
"""A loss of so many times the reference's mean absolute error is 1, and so are greater ones."""
_BAD = 0.4
"""Losses above this are errors for detectors that know only right and wrong: twice the mean absolute error."""
_BINARY = frozenset({"DDM", "EDDM"})
_KSWIN_ROWS = 10
"""KSWIN reads means of so many rows: its test of thirty zeros and ones says little."""
_MAX_ALARMS = 1000
_MAX_BLOCKS = 1024
_SPAN = 1000
"""Rows before and after an alarm over which the rise of the loss is measured."""


class Detection(Record, frozen=True, kw_only=True):
    """A moment at which a detector suspected that losses had changed."""

    detector: str
    row: int
    """Rows of the stream are counted from 0."""
    at: dt.datetime


def loss_scale(mean_absolute_error: float) -> float:
    """Say which absolute error is a loss of 1, from the error on the reference.

    Example:
        >>> loss_scale(20.0)
        100.0
    """
    if not (np.isfinite(mean_absolute_error) and mean_absolute_error > 0):
        raise InputError(
            f"mean absolute error of the reference: got {mean_absolute_error}, allowed is a number above 0"
        )
    return TYPICAL * mean_absolute_error


class ErrorStream:
    """Read losses in the order in which they became known, in fixed memory; 15 µs a row.

    Args:
        detectors: Names of `DETECTORS`.
        unit: Losses are divided by it and cut at 1: 1 for wrong answers, `loss_scale(…)` for absolute errors.
        alpha: Probability that anything is confirmed if nothing changes.

    Raises:
        InputError: an unknown detector.
        UnavailableError: the `monitor` extra is not installed.
    """

    def __init__(self, detectors: Sequence[str] = DETECTORS, *, unit: float = 1.0, alpha: float = ALPHA) -> None:
        self.unit = unit
        self.alpha = alpha
        self._ears = [_Ear(name) for name in detectors]
        self._calm = Calm()
        self._blocks = _Blocks()
        self._n = 0
        self._changes: deque[Change] = deque(maxlen=100)
        self._no_change = [0, 0.0]

    def feed(self, losses: Array, at: Array, no_change: Array | None = None) -> list[Detection]:
        """Take the next losses; the same stream in other pieces gives the same.

        Args:
            losses: Shape (n_rows,), 0 or 1 for classes, absolute errors for numbers; rows without a truth are left out.
            at: Shape (n_rows,), datetime64 in UTC: when each was answered.
            no_change: Shape (n_rows,), losses of the answer `as the last truth` on the same rows.

        Returns:
            What the detectors suspect, in order.

        Raises:
            InputError: shapes differ, or a loss is negative or not a number.
        """
        values, moments = np.asarray(losses, np.float64), np.asarray(at, "datetime64[us]")
        if values.ndim != 1 or values.shape != moments.shape:
            raise InputError(f"losses and moments: got shapes {values.shape} and {moments.shape}, allowed is one each")
        if not (np.isfinite(values).all() and (values >= 0).all()):
            raise InputError("losses: got one that is negative or not a number", hint="leave rows without truth out")
        if no_change is not None:
            self._no_change[0] += len(no_change)
            self._no_change[1] += float(np.minimum(np.asarray(no_change) / self.unit, 1.0).sum())
        found: list[Detection] = []
        for loss, moment in zip(np.minimum(values / self.unit, 1.0).tolist(), moments.tolist(), strict=True):
            found.extend(self._take(loss, moment.replace(tzinfo=dt.UTC)))
        return found

    def _take(self, loss: float, at: dt.datetime) -> list[Detection]:
        row, found = self._n, []
        self._n += 1
        self._blocks.add(loss)
        answers = [ear.hear(loss) for ear in self._ears]  # all of them hear it
        if any(answers):
            self._confirm(row, at)
        self._calm.add(loss)
        for ear in self._ears:
            if ear.rings(loss):
                found.append(Detection(detector=ear.name, row=row, at=at))
                ear.suspect(row, at, self._calm, self.alpha / len(self._ears))
        return found

    def _confirm(self, row: int, at: dt.datetime) -> None:
        """Note a change, and begin anew behind it. It is dated by the suspicion that parts the losses best."""
        _, ear, one = min(
            ((ear.suspicion.chance(), ear, ear.suspicion) for ear in self._ears if ear.suspicion is not None),
            key=lambda found: found[0],
        )
        ear.n_confirmed += 1
        self._changes.append(
            Change(
                kind="worse" if one.after > one.before else "better",
                detector=ear.name,
                row=one.row,
                at=ear.suspected_at,
                confirmed_row=row,
                confirmed_at=at,
                before=one.before,
                after=one.after,
                n_before=one.n_before,
                n_after=one.n_fresh,
                p=one.chance(),
            )
        )
        self._calm = Calm()
        for other in self._ears:
            other.forget()

    @property
    def worse(self) -> Change | None:
        """The newest change, if it was for the worse; costs nothing, unlike a review."""
        return self._changes[-1] if self._changes and self._changes[-1].kind == "worse" else None

    def review(self) -> StreamReview:
        """Say what was found so far, each detector beside as many evenly spaced alarms."""
        loss = self._blocks.mean()
        n_known, no_change = self._no_change
        return StreamReview(
            n_rows=self._n,
            loss=loss,
            no_change_loss=no_change / n_known if n_known else None,
            unit=self.unit,
            alpha=self.alpha,
            detectors=tuple(self._record(ear) for ear in self._ears),
            changes=tuple(self._changes),
        )

    def _record(self, ear: _Ear) -> DetectorRecord:
        n = len(ear.alarms)
        evenly = [(i + 1) * self._n // (n + 1) for i in range(n)]
        return DetectorRecord(
            name=ear.name,
            n_alarms=ear.n_alarms,
            n_confirmed=ear.n_confirmed,
            rise=self._blocks.rise(ear.alarms),
            periodic_rise=self._blocks.rise(evenly),
        )


class _Ear:
    """One detector, its alarms and what it suspects."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._detector = _made(name)
        self._pending: list[float] = []
        self.alarms: deque[int] = deque(maxlen=_MAX_ALARMS)
        self.n_alarms = 0
        self.n_confirmed = 0
        self._n_suspicions = 0
        self.suspicion: Suspicion | None = None
        self.suspected_at = dt.datetime.min

    def hear(self, loss: float) -> bool:
        """Take a fresh loss; tell whether the suspicion is confirmed by it."""
        if self.suspicion is None:
            return False
        outcome = self.suspicion.add(loss)
        if outcome is False:
            self.suspicion = None
        return outcome is True

    def rings(self, loss: float) -> bool:
        """Let the detector read a loss."""
        if self.name == "KSWIN":
            self._pending.append(loss)
            if len(self._pending) < _KSWIN_ROWS:
                return False
            loss = sum(self._pending) / _KSWIN_ROWS
            self._pending.clear()
        elif self.name in _BINARY:
            loss = float(loss > _BAD)
        self._detector.update(loss)
        return bool(self._detector.drift_detected)

    def suspect(self, row: int, at: dt.datetime, calm: Calm, alpha: float) -> None:
        """Count an alarm; suspect from now on if nothing is suspected yet. The k-th suspicion gets alpha / k(k + 1)."""
        self.n_alarms += 1
        self.alarms.append(row)
        if self.suspicion is None and calm.n >= MIN_CALM:
            self._n_suspicions += 1
            level = alpha / (self._n_suspicions * (self._n_suspicions + 1))
            self.suspicion = Suspicion(row, calm.n, calm.mean, calm.dispersion(), level)
            self.suspected_at = at

    def forget(self) -> None:
        """Begin anew after a change: the detector, what it suspects, and its share of alpha."""
        self._detector = _made(self.name)
        self._pending.clear()
        self._n_suspicions = 0
        self.suspicion = None


class _Blocks:
    """Sums of losses over the whole stream in at most 1,024 blocks, which grow as it does."""

    def __init__(self) -> None:
        self._sums: list[float] = []
        self._width, self._open, self._n_open = 1, 0.0, 0

    def add(self, loss: float) -> None:
        self._open += loss
        self._n_open += 1
        if self._n_open == self._width:
            self._sums.append(self._open)
            self._open, self._n_open = 0.0, 0
            if len(self._sums) == _MAX_BLOCKS:
                self._sums = [a + b for a, b in zip(self._sums[::2], self._sums[1::2], strict=True)]
                self._width *= 2

    def mean(self) -> float:
        rows = len(self._sums) * self._width + self._n_open
        return (sum(self._sums) + self._open) / rows if rows else 0.0

    def rise(self, rows: Iterable[int]) -> float | None:
        """Average over moments: the mean loss of 1,000 rows after each less that of 1,000 before it."""
        until = np.asarray(list(rows), np.float64)
        cumulated = np.r_[0.0, np.cumsum(self._sums)]
        places = np.arange(len(cumulated)) * float(self._width)
        span = float(max(_SPAN, self._width))
        until = until[(until >= span) & (until <= places[-1] - span)]
        if not len(until):
            return None
        middle = np.interp(until, places, cumulated)
        after, before = np.interp(until + span, places, cumulated), np.interp(until - span, places, cumulated)
        return float(np.mean(after - 2 * middle + before) / span)


def _made(name: str) -> Any:
    """Make a detector with river's defaults, but one-sided where it can be: errors that get rarer hurt nobody."""
    if name not in DETECTORS:
        raise InputError(f"detector: got `{name}`", hint=did_you_mean(name, DETECTORS))
    try:
        from river import drift
    except ImportError as error:
        raise need("monitor", error) from None
    made = {
        "ADWIN": drift.ADWIN,
        "PageHinkley": lambda: drift.PageHinkley(mode="up"),
        "DDM": drift.binary.DDM,
        "EDDM": drift.binary.EDDM,
        "HDDM_A": drift.binary.HDDMA,
        "HDDM_W": drift.binary.HDDMW,
        "KSWIN": lambda: Kswin(alpha=0.001, seed=0),
    }
    return made[name]()
