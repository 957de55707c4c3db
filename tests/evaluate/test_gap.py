from __future__ import annotations

import pytest

from palio.core.records import Metric
from palio.evaluate.gap import judge_gap


def about(value, half=0.01):
    return None if value is None else Metric(value=value, low=value - half, high=value + half, n_rows=1000)


@pytest.mark.parametrize(
    ("metric", "train", "validation", "test", "baseline", "verdict"),
    [
        ("roc_auc", 0.84, 0.80, 0.795, 0.5, "sound"),
        ("roc_auc", 1.00, 0.70, 0.70, 0.5, "overfitted"),
        ("roc_auc", 0.51, 0.50, 0.50, 0.5, "underfitted"),
        ("roc_auc", 0.85, 0.82, 0.70, 0.5, "shifted"),
        ("roc_auc", 0.85, None, 0.80, 0.5, "sound"),
        ("roc_auc", 0.85, 0.80, None, 0.5, "sound"),
        ("roc_auc", 0.99, 0.60, None, 0.5, "overfitted"),
        ("roc_auc", None, None, 0.8, 0.5, "unknown"),
        ("roc_auc", 0.8, None, None, 0.5, "unknown"),
        ("rmse", 40.0, 47.0, 48.0, 115.0, "sound"),
        ("rmse", 5.0, 80.0, 80.0, 115.0, "overfitted"),
        ("rmse", 114.0, 114.0, 114.0, 115.0, "underfitted"),
        ("rmse", 45.0, 47.0, 60.0, 115.0, "shifted"),
        ("rmse", 13.3, 53.4, 14.5, 27.8, "shifted"),
        ("log_loss", 0.30, 0.32, 0.32, None, "sound"),
    ],
)
def test_the_verdict_follows_from_the_gains_over_the_simplest_guess(metric, train, validation, test, baseline, verdict):
    gap = judge_gap(metric, train=about(train), validation=about(validation), test=about(test), baseline=baseline)
    assert gap.verdict == verdict, gap.text
    assert (gap.train, gap.validation, gap.test) == (train, validation, test)
    assert gap.text.endswith(".") and metric in gap.text


def test_a_gap_within_chance_is_no_verdict():
    wide = {"train": about(0.9, 0.01), "validation": about(0.8, 0.3), "test": about(0.6, 0.3)}
    assert judge_gap("roc_auc", **wide, baseline=0.5).verdict == "sound"
