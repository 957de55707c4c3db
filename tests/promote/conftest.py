"""Records to decide on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from palio.core.ids import digest
from palio.core.records import Comparison, Cost, Evaluation, Metric, Parity, Task

CHALLENGER, CHAMPION = digest(b"challenger"), digest(b"champion")


def metric(value: float, half: float = 0.01) -> Metric:
    return Metric(value=value, low=value - half, high=value + half, n_rows=1000)


def evaluation(**changed: Any) -> Evaluation:
    given: dict[str, Any] = {
        "id": digest(b"evaluation"),
        "bundle": CHALLENGER,
        "snapshot": "s",
        "parts": "p",
        "part": "test",
        "task": Task(kind="classification", target="y", classes=("no", "yes"), positive="yes"),
        "primary": "roc_auc",
        "n_rows": 1000,
        "metrics": {"roc_auc": metric(0.8), "accuracy": metric(0.9), "calibration_error": metric(0.03)},
        "baseline": {"roc_auc": metric(0.5, 0), "accuracy": metric(0.88)},
    }
    return Evaluation(**given | changed)


def comparison(value: float = 0.02, half: float = 0.01, **changed: Any) -> Comparison:
    given: dict[str, Any] = {
        "champion": CHAMPION,
        "challenger": CHALLENGER,
        "part": "test",
        "n_rows": 1000,
        "metric": "roc_auc",
        "difference": metric(value, half),
        "p_better": 0.9,
        "differences": {"accuracy": metric(0.01, 0.004)},
    }
    return Comparison(**given | changed)


@pytest.fixture
def given() -> Callable[..., dict[str, Any]]:
    """Arguments of `decide` beside the evaluation, all of them good: with a champion, or without."""

    def make(*, has_champion: bool = True, **changed: Any) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "parity": Parity(
                path="graph and server", rows=64, max_abs_diff=1e-16, n_label_diffs=0, tolerance=1e-6, passed=True
            ),
            "cost": Cost(fit_s=1, latency_ms_p50=0.2, latency_ms_p99=0.5, size_mb=1.5),
        }
        if has_champion:
            arguments["comparison"] = comparison()
            arguments["champion_evaluation"] = evaluation(bundle=CHAMPION, id=digest(b"champion's"))
        return arguments | changed

    return make
