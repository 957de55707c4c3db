"""How a number is computed and how sure it is: metrics, intervals, paired tests, calibration.

Every metric is one function over weighted rows. Weights of one give its value, bootstrap weights its interval, and the
same weights for two models their paired difference. Needs numpy alone, which is imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from palio.core.doors import door

if TYPE_CHECKING:
    from palio.measure import boxes as boxes
    from palio.measure import questions as questions
    from palio.measure.bins import N_CATEGORIES as N_CATEGORIES
    from palio.measure.bins import add_counts as add_counts
    from palio.measure.bins import bins_of as bins_of
    from palio.measure.bins import count as count
    from palio.measure.bins import count_rows as count_rows
    from palio.measure.bins import log_column as log_column
    from palio.measure.bins import thin_rows as thin_rows
    from palio.measure.coarse_bins import CoarseBins as CoarseBins
    from palio.measure.coarse_bins import fold as fold
    from palio.measure.curves import confusion as confusion
    from palio.measure.curves import pr_curve as pr_curve
    from palio.measure.curves import roc_curve as roc_curve
    from palio.measure.curves import thin as thin
    from palio.measure.differences import paired as paired
    from palio.measure.figures import amount as amount
    from palio.measure.figures import decimals as decimals
    from palio.measure.figures import figure as figure
    from palio.measure.figures import number as number
    from palio.measure.figures import with_error as with_error
    from palio.measure.figures import with_interval as with_interval
    from palio.measure.gains import is_surely_not_worse as is_surely_not_worse
    from palio.measure.gains import loss_gain as loss_gain
    from palio.measure.intervals import Z95 as Z95
    from palio.measure.intervals import score_with_intervals as score_with_intervals
    from palio.measure.intervals import wilson as wilson
    from palio.measure.latencies import LATENCY_EDGES as LATENCY_EDGES
    from palio.measure.latencies import bin_latencies as bin_latencies
    from palio.measure.latencies import latency_quantile as latency_quantile
    from palio.measure.metrics import METRICS as METRICS
    from palio.measure.multiple import benjamini_hochberg as benjamini_hochberg
    from palio.measure.multiple import two_sided_p as two_sided_p
    from palio.measure.profiles import decode_description as decode_description
    from palio.measure.questions import Answers as Answers
    from palio.measure.questions import Question as Question
    from palio.measure.questions.numbers import quantile_of as quantile_of
    from palio.measure.reliability import calibration_bins as calibration_bins
    from palio.measure.sample import Sample as Sample
    from palio.measure.sample import View as View
    from palio.measure.sample import positive_index as positive_index
    from palio.measure.scores import default_metric as default_metric
    from palio.measure.scores import higher_is_better as higher_is_better
    from palio.measure.scores import is_defined as is_defined
    from palio.measure.scores import metric_names as metric_names
    from palio.measure.scores import score as score
    from palio.measure.shapes import MAX_DISTINCT as MAX_DISTINCT
    from palio.measure.shapes import NumberDescriber as NumberDescriber
    from palio.measure.shapes import ValueDescriber as ValueDescriber
    from palio.measure.shapes import category_column as category_column
    from palio.measure.shapes import number_column as number_column
    from palio.measure.statistics import is_statistic as is_statistic
    from palio.measure.statistics import learn_statistics as learn_statistics
    from palio.measure.statistics import statistics_names as statistics_names
    from palio.measure.statistics.boxes import describe_boxes as describe_boxes
    from palio.measure.statistics.texts import as_texts as as_texts
    from palio.measure.statistics.texts import text_statistics as text_statistics
    from palio.measure.statistics.texts import tokens as tokens
    from palio.measure.timing import TIMING_MARGIN as TIMING_MARGIN
    from palio.measure.timing import is_clearly_over as is_clearly_over
    from palio.measure.trade_offs import Offer as Offer
    from palio.measure.trade_offs import front as front
    from palio.measure.trade_offs import step_of as step_of
else:
    __getattr__, __dir__, __all__ = door(
        __name__,
        {
            "": "boxes questions",
            "bins": "N_CATEGORIES add_counts bins_of count count_rows log_column thin_rows",
            "coarse_bins": "CoarseBins fold",
            "curves": "confusion pr_curve roc_curve thin",
            "differences": "paired",
            "figures": "amount decimals figure number with_error with_interval",
            "gains": "is_surely_not_worse loss_gain",
            "intervals": "Z95 score_with_intervals wilson",
            "latencies": "LATENCY_EDGES bin_latencies latency_quantile",
            "metrics": "METRICS",
            "multiple": "benjamini_hochberg two_sided_p",
            "profiles": "decode_description",
            "questions": "Answers Question",
            "questions.numbers": "quantile_of",
            "reliability": "calibration_bins",
            "sample": "Sample View positive_index",
            "scores": "default_metric higher_is_better is_defined metric_names score",
            "shapes": "MAX_DISTINCT NumberDescriber ValueDescriber category_column number_column",
            "statistics": "is_statistic learn_statistics statistics_names",
            "statistics.boxes": "describe_boxes",
            "statistics.texts": "as_texts text_statistics tokens",
            "timing": "TIMING_MARGIN is_clearly_over",
            "trade_offs": "Offer front step_of",
        },
    )
