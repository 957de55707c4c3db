from __future__ import annotations

import msgspec
import pytest

from palio.core.records import Cost, Run
from palio.train.pricing import front_of, front_told


def run(family: str, score: float, ms: float | None, mb: float = 1.0, *, metric: str = "roc_auc") -> Run:
    cost = None if ms is None else Cost(fit_s=1.0, latency_ms_p50=ms, latency_ms_p99=2 * ms, size_mb=mb)
    spread = (-1, 0, 1, 1, -1)
    return Run(
        id=family,
        parts="p",
        family=family,
        trial=1,
        params={},
        seed=0,
        metric=metric,
        status="done",
        cv_score=score,
        fold_scores=tuple(score + 0.01 * one for one in spread),
        cost=cost,
    )


def tilted(one: Run, by: float) -> Run:
    """Move single folds, not their mean."""
    scores = tuple(score + by * way for score, way in zip(one.fold_scores, (-1, 1, -1, 1, 0), strict=True))
    return msgspec.structs.replace(one, fold_scores=scores)


MIX, TREES, LINE = run("ensemble", 0.9021, 0.2, 2.6), run("lightgbm", 0.9, 0.08, 0.5), run("linear", 0.85, 0.02, 0.01)
ALL = [LINE, TREES, MIX, run("forest", 0.88, 0.3, 9.0), run("dummy", 0.5, 0.01, 0.001), run("svm", 0.99, None)]


def test_the_front_holds_what_nothing_beats_without_the_constant_answer() -> None:
    assert [one.family for one in front_of(ALL, sign=1.0)] == ["ensemble", "lightgbm", "linear"]


def test_what_was_taken_off_the_chosen_ones_score_makes_no_other_better() -> None:
    """Those that were not chosen keep the score that the choice looked at, so its own is held against it."""
    chosen = msgspec.structs.replace(TREES, cv_score=0.86, optimism=0.04)
    near = run("xgboost", 0.89, 0.08, 0.5)
    assert [one.family for one in front_of([LINE, chosen, near], sign=1.0)] == ["lightgbm", "linear"]
    (told,) = front_told(front_of([LINE, chosen, near], sign=1.0), chosen="lightgbm", sign=1.0)
    assert told.startswith("lightgbm wins 0.0500 ± ")


def test_less_is_better_of_an_error() -> None:
    errors = [run("linear", 3.0, 0.02, metric="rmse"), run("lightgbm", 2.0, 0.1, metric="rmse")]
    assert [one.family for one in front_of(errors, sign=-1.0)] == ["lightgbm", "linear"]
    (told,) = front_told(front_of(errors, sign=-1.0), chosen="lightgbm", sign=-1.0)
    assert told.startswith("lightgbm wins 1.0000 ± 0.0000 of rmse over linear for 0.08 ms and 0 MB more")


def test_what_was_won_has_its_price() -> None:
    (told,) = front_told(front_of(ALL, sign=1.0), chosen="ensemble", sign=1.0)
    assert told == (
        "ensemble wins 0.0021 ± 0.0000 of roc_auc over lightgbm for 0.12 ms and 2.1 MB more, 0.057 ms and 1 MB for "
        "each 0.001."
    )


def test_what_would_be_won_has_its_price_too() -> None:
    won, would = front_told(front_of(ALL, sign=1.0), chosen="lightgbm", sign=1.0)
    assert won == "lightgbm wins 0.0500 ± 0.0000 of roc_auc over linear for 0.06 ms and 0.49 MB more."
    assert "of roc_auc would cost 0.12 ms and 2.1 MB more (ensemble)." in would


def test_a_gain_within_chance_is_told_to_be_so() -> None:
    front = front_of([tilted(MIX, 0.01), TREES], sign=1.0)
    (told,) = front_told(front, chosen="ensemble", sign=1.0)
    assert told.endswith("for 0.12 ms and 2.1 MB more, which is within chance.") and "each" not in told


def test_what_is_dearer_in_one_way_and_cheaper_in_the_other_is_told_so() -> None:
    front = front_of([run("forest", 0.91, 0.3, 0.2), TREES], sign=1.0)
    (told,) = front_told(front, chosen="forest", sign=1.0)
    assert "for 0.22 ms more and 0.3 MB less" in told and "each" not in told


def test_what_beats_all_others_is_told_to() -> None:
    best = run("linear", 0.95, 0.01, 0.01)
    assert front_told(front_of([best, TREES, MIX], sign=1.0), chosen="linear", sign=1.0) == [
        "No other candidate is better, faster or smaller than linear."
    ]


@pytest.mark.parametrize("chosen", ["dummy", "forest"])
def test_of_what_is_beaten_nothing_is_told(chosen: str) -> None:
    assert front_told(front_of(ALL, sign=1.0), chosen=chosen, sign=1.0) == []
