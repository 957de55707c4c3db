"""How a number is computed and how sure it is: metrics, intervals, paired tests, calibration.

Every metric is one function over weighted rows. Weights of one give its value, bootstrap weights its interval, and the
same weights for two models their paired difference. Needs numpy alone, which is imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palio.measure.bins import (
        N_CATEGORIES,
        add_counts,
        bins_of,
        count,
        count_rows,
        decimals_of,
        inner_edges,
        log_column,
        most_frequent,
        thin_rows,
    )
    from palio.measure.coarse_bins import CoarseBins, fold
    from palio.measure.curves import confusion, pr_curve, roc_curve, thin
    from palio.measure.differences import mcnemar, paired
    from palio.measure.figures import amount, figure
    from palio.measure.gains import is_surely_not_worse, loss_gain
    from palio.measure.intervals import replicates, score_with_intervals, wilson
    from palio.measure.latencies import LATENCY_EDGES, bin_latencies, latency_quantile
    from palio.measure.metrics import METRICS, MetricSpec
    from palio.measure.multiple import benjamini_hochberg, two_sided_p
    from palio.measure.profiles import decode_description
    from palio.measure.reliability import calibration_bins
    from palio.measure.sample import Sample, View, positive_index
    from palio.measure.scores import default_metric, higher_is_better, is_defined, metric_names, row_losses, score
    from palio.measure.shapes import (
        MAX_DISTINCT,
        NumberDescriber,
        ValueDescriber,
        category_column,
        number_column,
    )
    from palio.measure.statistics import is_statistic, learn_statistics, statistics_names
    from palio.measure.statistics.texts import as_texts, learn_vocabulary, text_statistics
    from palio.measure.timing import TIMING_MARGIN, is_clearly_over

_HOMES = {
    "amount": "figures",
    "CoarseBins": "coarse_bins",
    "LATENCY_EDGES": "latencies",
    "METRICS": "metrics",
    "MetricSpec": "metrics",
    "Sample": "sample",
    "MAX_DISTINCT": "shapes",
    "N_CATEGORIES": "bins",
    "NumberDescriber": "shapes",
    "TIMING_MARGIN": "timing",
    "ValueDescriber": "shapes",
    "View": "sample",
    "add_counts": "bins",
    "as_texts": "statistics.texts",
    "benjamini_hochberg": "multiple",
    "bin_latencies": "latencies",
    "bins_of": "bins",
    "calibration_bins": "reliability",
    "category_column": "shapes",
    "confusion": "curves",
    "count": "bins",
    "count_rows": "bins",
    "decimals_of": "bins",
    "decode_description": "profiles",
    "default_metric": "scores",
    "figure": "figures",
    "fold": "coarse_bins",
    "higher_is_better": "scores",
    "is_defined": "scores",
    "inner_edges": "bins",
    "is_clearly_over": "timing",
    "is_statistic": "statistics",
    "is_surely_not_worse": "gains",
    "latency_quantile": "latencies",
    "loss_gain": "gains",
    "learn_statistics": "statistics",
    "learn_vocabulary": "statistics.texts",
    "log_column": "bins",
    "mcnemar": "differences",
    "metric_names": "scores",
    "most_frequent": "bins",
    "number_column": "shapes",
    "paired": "differences",
    "positive_index": "sample",
    "pr_curve": "curves",
    "replicates": "intervals",
    "roc_curve": "curves",
    "row_losses": "scores",
    "score": "scores",
    "score_with_intervals": "intervals",
    "statistics_names": "statistics",
    "text_statistics": "statistics.texts",
    "thin": "curves",
    "thin_rows": "bins",
    "two_sided_p": "multiple",
    "wilson": "intervals",
}

__all__ = [
    "LATENCY_EDGES",
    "MAX_DISTINCT",
    "METRICS",
    "N_CATEGORIES",
    "TIMING_MARGIN",
    "CoarseBins",
    "MetricSpec",
    "NumberDescriber",
    "Sample",
    "ValueDescriber",
    "View",
    "add_counts",
    "amount",
    "as_texts",
    "benjamini_hochberg",
    "bin_latencies",
    "bins_of",
    "calibration_bins",
    "category_column",
    "confusion",
    "count",
    "count_rows",
    "decimals_of",
    "decode_description",
    "default_metric",
    "figure",
    "fold",
    "higher_is_better",
    "inner_edges",
    "is_clearly_over",
    "is_defined",
    "is_statistic",
    "is_surely_not_worse",
    "latency_quantile",
    "learn_statistics",
    "learn_vocabulary",
    "log_column",
    "loss_gain",
    "mcnemar",
    "metric_names",
    "most_frequent",
    "number_column",
    "paired",
    "positive_index",
    "pr_curve",
    "replicates",
    "roc_curve",
    "row_losses",
    "score",
    "score_with_intervals",
    "statistics_names",
    "text_statistics",
    "thin",
    "thin_rows",
    "two_sided_p",
    "wilson",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"palio.measure.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'palio.measure' has no attribute {name!r}")
