"""How a number is computed and how sure it is: metrics, intervals, paired tests, calibration.

Every metric is one function over weighted rows. Weights of one give its value, bootstrap weights its interval, and the
same weights for two models their paired difference. Needs numpy alone, which is imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palio.measure.curves import confusion, pr_curve, roc_curve, thin
    from palio.measure.differences import mcnemar, paired
    from palio.measure.figures import figure
    from palio.measure.intervals import replicates, score_with_intervals, wilson
    from palio.measure.latencies import LATENCY_EDGES, bin_latencies, latency_quantile
    from palio.measure.metrics import METRICS, MetricSpec
    from palio.measure.multiple import benjamini_hochberg, two_sided_p
    from palio.measure.reliability import calibration_bins
    from palio.measure.sample import Sample, positive_index
    from palio.measure.scores import default_metric, higher_is_better, metric_names, row_losses, score
    from palio.measure.timing import TIMING_MARGIN, is_clearly_over

_HOMES = {
    "LATENCY_EDGES": "latencies",
    "METRICS": "metrics",
    "MetricSpec": "metrics",
    "Sample": "sample",
    "TIMING_MARGIN": "timing",
    "benjamini_hochberg": "multiple",
    "bin_latencies": "latencies",
    "calibration_bins": "reliability",
    "confusion": "curves",
    "default_metric": "scores",
    "figure": "figures",
    "higher_is_better": "scores",
    "is_clearly_over": "timing",
    "latency_quantile": "latencies",
    "mcnemar": "differences",
    "metric_names": "scores",
    "paired": "differences",
    "positive_index": "sample",
    "pr_curve": "curves",
    "replicates": "intervals",
    "roc_curve": "curves",
    "row_losses": "scores",
    "score": "scores",
    "score_with_intervals": "intervals",
    "thin": "curves",
    "two_sided_p": "multiple",
    "wilson": "intervals",
}

__all__ = [
    "LATENCY_EDGES",
    "METRICS",
    "TIMING_MARGIN",
    "MetricSpec",
    "Sample",
    "benjamini_hochberg",
    "bin_latencies",
    "calibration_bins",
    "confusion",
    "default_metric",
    "figure",
    "higher_is_better",
    "is_clearly_over",
    "latency_quantile",
    "mcnemar",
    "metric_names",
    "paired",
    "positive_index",
    "pr_curve",
    "replicates",
    "roc_curve",
    "row_losses",
    "score",
    "score_with_intervals",
    "thin",
    "two_sided_p",
    "wilson",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"palio.measure.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'palio.measure' has no attribute {name!r}")
