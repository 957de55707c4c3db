"""A headline praises nothing that the counts below it contradict."""

from __future__ import annotations

import msgspec
import pytest

from palio.core.records import Evaluation, Metric
from palio.report import ReportFacts, verdict
from palio.report.page import render
from tests.report.test_scenes import seen

__all__ = ["seen"]


def m(value: float, arm: float = 0.01) -> Metric:
    return Metric(value=value, low=value - arm, high=value + arm, n_rows=100)


def judged(
    e: Evaluation, *, primary: str, count: str, made: float, simple: float, threshold: float = 0.0
) -> Evaluation:
    is_higher_better = primary not in ("rmse", "mae")
    mine, none = (m(0.7), m(0.5)) if is_higher_better else (m(5, 0.1), m(9, 0.1))
    return msgspec.structs.replace(
        e,
        primary=primary,
        metrics={primary: mine, count: m(made)},
        baseline={primary: none, count: m(simple)},
        task=msgspec.structs.replace(e.task, threshold=threshold),
    )


def test_a_detector_that_is_worse_than_silence_at_its_threshold_is_not_just_praised(seen: ReportFacts) -> None:
    e = judged(seen.evaluation, primary="ap", count="box_mistakes", made=2.5, simple=1.68, threshold=0.3)
    facts = msgspec.structs.replace(seen, evaluation=e)
    said, however = verdict.headline(facts)
    assert said == "By “Average precision, ever closer (AP)”, the model is clearly better than a simple rule of thumb."
    assert however.startswith("But from its threshold on it makes more mistakes than one that never shows a box")
    assert "250 in 100 pictures, against 168" in however
    assert said in render(facts) and however in render(facts)
    same = judged(seen.evaluation, primary="ap", count="box_mistakes", made=1.68, simple=1.68, threshold=1.0)
    assert "no fewer mistakes" in verdict.headline(msgspec.structs.replace(seen, evaluation=same)).however
    fine = judged(seen.evaluation, primary="ap", count="box_mistakes", made=1.6, simple=1.68, threshold=0.3)
    assert not verdict.headline(msgspec.structs.replace(seen, evaluation=fine)).however


def test_a_detector_that_is_live_or_waits_has_both_said_of_it(challenged: ReportFacts, seen: ReportFacts) -> None:
    e = judged(seen.evaluation, primary="ap", count="box_mistakes", made=2.5, simple=1.68, threshold=0.3)
    live = msgspec.structs.replace(challenged, evaluation=e, comparison=None)
    said, however = verdict.headline(live)
    assert said.endswith(", and is now live as version 3.") and however.endswith("against 168.")
    assert live.decision is not None
    decision = msgspec.structs.replace(live.decision, verdict="needs_approval")
    waiting = msgspec.structs.replace(live, decision=decision, promotion=None)
    said, however = verdict.headline(waiting)
    assert said.endswith("; it passed every check and waits for a person’s approval.") and however


@pytest.mark.parametrize(
    ("primary", "count", "made", "simple", "words"),
    [
        ("roc_auc", "accuracy", 0.7, 0.9, "fewer right answers than one that always says the same: 70 ± 1 of 100"),
        ("rmse", "mae", 4.0, 3.0, "on average it is further off: by 4.000 ± 0.010, against 3.000 ± 0.010"),
    ],
)
def test_the_same_holds_of_classes_and_numbers_beyond_doubt(
    bank: ReportFacts, primary: str, count: str, made: float, simple: float, words: str
) -> None:
    e = judged(bank.evaluation, primary=primary, count=count, made=made, simple=simple)
    assert words in verdict.counts_against(e)
    for other in (judged(bank.evaluation, primary=primary, count=count, made=simple, simple=simple),):
        assert not verdict.counts_against(other)
    chosen = judged(bank.evaluation, primary="roc_auc", count="accuracy", made=0.7, simple=0.9, threshold=0.1)
    assert not verdict.counts_against(chosen)  # by what errors cost


def test_what_speaks_against_a_challenger_is_what_its_champion_did_better(
    challenged: ReportFacts, seen: ReportFacts
) -> None:
    assert challenged.comparison is not None
    e = judged(seen.evaluation, primary="ap", count="box_mistakes", made=1.0, simple=1.68, threshold=0.3)
    more = msgspec.structs.replace(
        challenged.comparison, metric="ap", difference=m(0.1), differences={"ap": m(0.1), "box_mistakes": m(-0.4, 0.1)}
    )
    facts = msgspec.structs.replace(challenged, evaluation=e, comparison=more)
    assert verdict.headline(facts).text == (
        "By “Average precision, ever closer (AP)”, the new model is clearly better than the one before, and is now "
        "live as version 3. But from its threshold on it makes 40 more mistakes in 100 pictures."
    )
    unsure = msgspec.structs.replace(more, differences={"ap": m(0.1), "box_mistakes": m(-0.4, 0.5)})
    assert not verdict.headline(msgspec.structs.replace(facts, comparison=unsure)).however
