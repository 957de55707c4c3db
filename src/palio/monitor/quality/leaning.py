"""How far estimates lean in a segment: they are learnt from all rows, and a segment may be harder than it looks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from palio.core.monitoring import Estimate, Kpi
from palio.core.records import Metric
from palio.measure import METRICS
from palio.monitor.quality.features import Batch
from palio.monitor.quality.kpis import Worth, values_of
from palio.monitor.quality.standards import Standard, error_of

if TYPE_CHECKING:
    from palio.monitor.counting import Subject


class Leans:
    """What to correct estimates of a segment by, so that the reference is estimated as it was.

    Args:
        metrics: Metric → standard, and what is estimated of the same rows.
        worth: Business figure → what a row was worth more than estimated.
    """

    def __init__(
        self, metrics: Mapping[str, tuple[Standard, float]] | None = None, worth: Mapping[str, float] | None = None
    ) -> None:
        self._metrics = metrics or {}
        self.worth = worth or {}

    def applied(self, estimates: Iterable[Estimate]) -> tuple[Estimate, ...]:
        """Correct estimates of a window; those of metrics that nothing is known of are left out in a segment."""
        if not self._metrics:
            return tuple(estimates)
        return tuple(self._moved(one, *self._metrics[one.metric]) for one in estimates if one.metric in self._metrics)

    @staticmethod
    def _moved(one: Estimate, standard: Standard, estimated: float) -> Estimate:
        was, now = standard.value.value, one.value
        wider = 1.96 * error_of(standard.value)  # the lean is known no better than the standard
        if METRICS[one.metric].bounded:
            value = min(1.0, max(0.0, now.value + was - estimated))
            low, high = (
                value - math.hypot(now.value - now.low, wider),
                value + math.hypot(now.high - now.value, wider),
            )
            low, high = max(0.0, low), min(1.0, high)
        else:
            factor = was / estimated if estimated > 0 else 1.0
            value = now.value * factor
            low = max(0.0, value - math.hypot((now.value - now.low) * factor, wider))
            high = value + math.hypot((now.high - now.value) * factor, wider)
        moved = Metric(value=value, low=low, high=high, n_rows=now.n_rows)
        return msgspec.structs.replace(one, value=moved, reference=was)


def leans_of(
    subject: Subject, rows: Batch, standards: Mapping[str, Standard], worth: Mapping[str, Worth], kpis: Sequence[Kpi]
) -> Leans:
    """Estimate the reference of a segment, and compare that with what it was.

    Args:
        subject: The version.
        rows: Of its reference, of the segment.
        standards: Metrics of these rows.
        worth: Of business figures, in these rows.
        kpis: Business figures.
    """
    if subject.estimator is None:
        return Leans()
    estimator = subject.estimator.fresh()
    estimator.add(rows)
    estimated = {one.metric: one.value.value for one in estimator.finish()}
    gaps = {}
    for kpi in kpis:
        values = None if kpi.column else values_of(kpi, subject.task)
        total = estimator.total(values) if values is not None and kpi.name in worth else None
        if total is not None:
            gaps[kpi.name] = worth[kpi.name].value.value - total.value / estimator.n_rows
    return Leans({name: (standards[name], value) for name, value in estimated.items() if name in standards}, gaps)
