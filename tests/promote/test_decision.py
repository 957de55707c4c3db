from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given as sampled
from hypothesis import strategies as st

from palio.core.errors import InputError
from palio.core.ids import digest_of
from palio.core.records import Check, Cost, Decision, Evaluation, Gate, Metric, Parity, Slice, Task
from palio.promote import decide
from palio.promote.gate import newest_rows, non_inferiority

from .conftest import CHALLENGER, CHAMPION, comparison, evaluation, metric

Given = Callable[..., dict[str, Any]]


def check(decision: Decision, name: str) -> Check:
    return next(check for check in decision.checks if check.name == name)


def failed(decision: Decision) -> set[str]:
    return {check.name for check in decision.checks if not check.passed}


def test_a_challenger_that_is_better_beyond_chance_goes_live(given: Given) -> None:
    decision = decide(evaluation(), gate=Gate(), **given())
    assert decision.verdict == "yes" and failed(decision) == set()
    assert (decision.challenger, decision.champion) == (CHALLENGER, CHAMPION)
    assert "Better than the champion beyond chance" in " ".join(decision.reasons)


def test_the_same_records_give_the_same_decision_and_its_name_covers_all(given: Given) -> None:
    first, second = (decide(evaluation(), gate=Gate(), **given()) for _ in range(2))
    assert first == second
    assert first.id == digest_of(msgspec.structs.replace(first, id=""))
    assert decide(evaluation(), gate=Gate(max_size_mb=9), **given()).id != first.id


@pytest.mark.parametrize(
    ("value", "half", "margin", "passed", "words"),
    [
        (0.02, 0.01, 0.0, True, "Better than the champion beyond chance"),
        (0.002, 0.01, 0.0, True, "Equal to the champion within chance"),
        (0.0, 0.01, 0.0, True, "Equal to the champion within chance"),
        (0.0, 0.0, 0.0, True, "Equal to the champion within chance"),
        (-0.002, 0.01, 0.0, False, "Not better than the champion"),
        (-0.002, 0.01, 0.005, True, "Equal to the champion within chance"),
        (-0.008, 0.01, 0.005, False, "Not better than the champion"),
        (-0.02, 0.01, 0.0, False, "Worse than the champion beyond chance"),
        (-0.02, 0.01, 0.05, True, "within the 0.05 that the gate allows"),
        (math.nan, 0.01, 0.0, False, "could not be computed"),
    ],
)
def test_non_inferiority_is_a_rule_that_people_can_read(
    value: float, half: float, margin: float, passed: bool, words: str
) -> None:
    found = non_inferiority(comparison(value, half), Gate(non_inferiority=margin))
    assert found.passed is passed and words in found.reason


@sampled(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_wider_margin_never_refuses_what_a_narrower_one_accepts(
    value: float, below: float, above: float, margin: float, more: float
) -> None:
    found = comparison(difference=Metric(value=value, low=value - below, high=value + above, n_rows=1000))
    narrow = non_inferiority(found, Gate(non_inferiority=margin))
    wide = non_inferiority(found, Gate(non_inferiority=margin + more))
    assert wide.passed or not narrow.passed


def test_a_worse_challenger_is_refused_and_the_failed_check_is_told_first(given: Given) -> None:
    decision = decide(evaluation(), gate=Gate(), **given(comparison=comparison(-0.02)))
    assert decision.verdict == "no" and failed(decision) == {"non_inferiority"}
    assert decision.reasons[0].startswith("Worse than the champion beyond chance: roc_auc worsens by 0.0200")


class TestNoChampionYet:
    def test_a_first_champion_must_beat_the_simplest_guess_with_its_interval(self, given: Given) -> None:
        decision = decide(evaluation(), gate=Gate(), **given(has_champion=False))
        assert decision.verdict == "yes" and decision.champion is None and decision.comparison is None
        assert check(decision, "baseline").reason.startswith("There is no champion yet")

    @pytest.mark.parametrize("beat_baseline", [True, False])
    @pytest.mark.parametrize("value", [0.505, 0.5, 0.4, math.nan])
    def test_it_is_no_rubber_stamp_whatever_the_gate_says(
        self, given: Given, value: float, beat_baseline: bool
    ) -> None:
        scored = evaluation(metrics={"roc_auc": metric(value)})
        decision = decide(scored, gate=Gate(beat_baseline=beat_baseline), **given(has_champion=False))
        assert decision.verdict == "no" and failed(decision) == {"baseline"}

    def test_less_is_better_where_the_metric_says_so(self, given: Given) -> None:
        task = Task(kind="regression", target="y")
        for value, verdict in ((0.9, "yes"), (0.995, "no"), (1.1, "no")):
            scored = evaluation(
                task=task, primary="rmse", metrics={"rmse": metric(value)}, baseline={"rmse": metric(1.0, 0)}
            )
            assert decide(scored, gate=Gate(), **given(has_champion=False)).verdict == verdict

    def test_without_a_baseline_nobody_becomes_champion(self, given: Given) -> None:
        decision = decide(evaluation(baseline={}), gate=Gate(), **given(has_champion=False))
        assert decision.verdict == "no" and "not known" in check(decision, "baseline").reason

    def test_the_improvement_on_the_same_rows_decides(self, given: Given) -> None:
        wide = {"metrics": {"roc_auc": metric(0.51, 0.05)}}  # alone, its interval would reach the guess
        for gain, verdict in ((metric(0.01, 0.005), "yes"), (metric(0.01, 0.02), "no"), (metric(math.nan), "no")):
            decision = decide(evaluation(gains={"roc_auc": gain}, **wide), gate=Gate(), **given(has_champion=False))
            assert decision.verdict == verdict
        assert "on the same rows improves by" in check(decision, "baseline").reason

    def test_a_lead_that_few_rows_cannot_show_is_told_how_many_would(self, given: Given) -> None:
        """An interval of ± .375 around .25 is to reach no lower than 0: (.375 / .25)² times the ten rows."""

        def told(gain: Metric) -> str:
            scored = evaluation(n_rows=10, gains={"roc_auc": gain})
            return check(decide(scored, gate=Gate(), **given(has_champion=False)), "baseline").reason

        assert "; if the lead is real, about 23 test rows would show it." in told(metric(0.25, 0.375))
        for lead in (metric(-0.1, 0.2), metric(0.01, 0.4), metric(0.3, 0.1)):
            assert "if the lead is real" not in told(lead)

    def test_what_rounding_leaves_is_no_improvement(self, given: Given) -> None:
        decision = decide(evaluation(gains={"roc_auc": metric(1e-14, 0)}), gate=Gate(), **given(has_champion=False))
        assert decision.verdict == "no"
        assert "it is the simplest guess itself, or answers alike" in check(decision, "baseline").reason

    def test_all_other_checks_hold_for_it_too(self, given: Given) -> None:
        decision = decide(evaluation(), gate=Gate(max_size_mb=1), **given(has_champion=False, parity=None))
        assert failed(decision) == {"parity", "size"}


@pytest.mark.parametrize(
    "parity",
    [
        None,
        Parity(path="graph and server", rows=64, max_abs_diff=1e-3, n_label_diffs=0, tolerance=1e-6, passed=False),
        Parity(path="graph and server", rows=64, max_abs_diff=1e-3, n_label_diffs=0, tolerance=1e-2, passed=True),
        Parity(path="graph and server", rows=64, max_abs_diff=0, n_label_diffs=1, tolerance=1e-6, passed=True),
        Parity(path="graph and server", rows=0, max_abs_diff=0, n_label_diffs=0, tolerance=1e-6, passed=True),
        Parity(path="graph and server", rows=9, max_abs_diff=math.nan, n_label_diffs=0, tolerance=1e-6, passed=True),
    ],
)
def test_without_proof_that_the_server_answers_alike_nothing_goes_live(given: Given, parity: Parity | None) -> None:
    decision = decide(evaluation(), gate=Gate(), **given(parity=parity))
    assert decision.verdict == "no" and failed(decision) == {"parity"}


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        (Cost(fit_s=1, latency_ms_p50=1, latency_ms_p99=20, size_mb=100), set()),
        (Cost(fit_s=1, latency_ms_p50=1, latency_ms_p99=21.9, size_mb=100), set()),
        (Cost(fit_s=1, latency_ms_p50=1, latency_ms_p99=22.1, size_mb=100), {"latency"}),
        (Cost(fit_s=1, latency_ms_p50=1, latency_ms_p99=1, size_mb=101), {"size"}),
        (None, {"latency", "size"}),
    ],
)
def test_what_does_not_fit_the_hardware_is_refused(given: Given, cost: Cost | None, expected: set[str]) -> None:
    gate = Gate(max_latency_ms_p99=20, max_size_mb=100)
    assert failed(decide(evaluation(), gate=gate, **given(cost=cost))) == expected


def test_a_time_that_is_not_clearly_over_the_limit_says_so(given: Given) -> None:
    cost = Cost(fit_s=1, latency_ms_p50=1, latency_ms_p99=21, size_mb=1)
    decision = decide(evaluation(), gate=Gate(max_latency_ms_p99=20), **given(cost=cost))
    assert "not clearly more" in check(decision, "latency").reason


def test_a_group_of_rows_that_fares_worse_is_named(given: Given) -> None:
    group = Slice(
        column="job",
        condition="= retired",
        n_rows=90,
        metric="roc_auc",
        score=metric(0.7),
        difference=metric(-0.05),
        worse=True,
    )
    judged = given(comparison=comparison(slices=(group,) * 5))
    decision = decide(evaluation(), gate=Gate(), **judged)
    assert decision.verdict == "no" and failed(decision) == {"slices"}
    assert "job = retired (90 rows)" in decision.reasons[0] and "and 2 more" in decision.reasons[0]
    small = msgspec.structs.replace(group, column="photo.pixels", condition="below 12.1")
    told = decide(evaluation(), gate=Gate(), **given(comparison=comparison(slices=(small,))))
    assert "photo.pixels below 180,000 (90 rows)" in told.reasons[0], "no logarithms"
    allowed = decide(evaluation(), gate=Gate(allow_worse_slices=True), **judged)
    assert allowed.verdict == "yes" and "the gate allows this" in check(allowed, "slices").reason


@pytest.mark.parametrize(("limit", "expected"), [(None, set()), (0.05, set()), (0.02, {"calibration"})])
def test_calibration_counts_if_the_gate_asks(given: Given, limit: float | None, expected: set[str]) -> None:
    assert failed(decide(evaluation(), gate=Gate(max_calibration_error=limit), **given())) == expected
    unmeasured = evaluation(metrics={"roc_auc": metric(0.8)})
    decision = decide(unmeasured, gate=Gate(max_calibration_error=limit), **given())
    assert failed(decision) == (set() if limit is None else {"calibration"})


def test_a_person_is_asked_where_the_gate_wants_one(given: Given) -> None:
    decision = decide(evaluation(), gate=Gate(approval="human"), **given())
    assert decision.verdict == "needs_approval" and decision.reasons[0] == "Every check passed; a person must approve."
    worse = decide(evaluation(), gate=Gate(approval="human"), **given(comparison=comparison(-0.1)))
    assert worse.verdict == "no"


def other_classes() -> Evaluation:
    task = Task(kind="classification", target="y", classes=("maybe", "no", "yes"))
    return evaluation(bundle=CHAMPION, task=task)


@pytest.mark.parametrize(
    "rival", [{"champion_evaluation": other_classes()}, {"champion": CHAMPION, "champion_evaluation": None}]
)
def test_where_no_comparison_is_possible_a_person_decides(given: Given, rival: dict[str, Any]) -> None:
    decision = decide(evaluation(), gate=Gate(), **given(comparison=None, **rival))
    assert decision.verdict == "needs_approval" and decision.champion == CHAMPION
    assert "a person must decide" in decision.reasons[0]
    assert check(decision, "baseline").passed
    useless = evaluation(metrics={"roc_auc": metric(0.5)})
    assert decide(useless, gate=Gate(), **given(comparison=None, **rival)).verdict == "no"


def test_a_verdict_on_rows_that_were_seen_before_proves_nothing(given: Given) -> None:
    decision = decide(evaluation(part="validation"), gate=Gate(), **given(has_champion=False))
    assert decision.verdict == "no" and failed(decision) == {"sealed_test"}


def test_the_champion_cannot_challenge_itself(given: Given) -> None:
    same = given(comparison=comparison(0.0, 0.0, champion=CHALLENGER), champion_evaluation=evaluation())
    decision = decide(evaluation(), gate=Gate(), **same)
    assert decision.verdict == "no" and failed(decision) == {"different"}


@pytest.mark.parametrize(
    "changed",
    [
        {"comparison": comparison(challenger="x")},
        {"comparison": comparison(champion="x")},
        {"comparison": comparison(metric="accuracy")},
        {"comparison": comparison(n_rows=999)},
        {"comparison": comparison(part="validation")},
        {"champion_evaluation": evaluation(bundle=CHAMPION, parts="others")},
    ],
)
def test_records_that_do_not_belong_together_are_refused(given: Given, changed: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="do not agree") as caught:
        decide(evaluation(), gate=Gate(), **given(**changed))
    assert "evaluate champion and challenger again" in caught.value.hint


def test_every_check_speaks_in_a_sentence(given: Given) -> None:
    gate = Gate(max_latency_ms_p99=20, max_size_mb=100, max_calibration_error=0.1)
    for arguments in (given(), given(has_champion=False), given(comparison=comparison(-1.0)), given(parity=None)):
        decision = decide(evaluation(), gate=gate, **arguments)
        for found in decision.checks:
            assert found.reason[0].isupper() and found.reason.endswith(".") and found.observed and found.required
        assert len(decision.reasons) >= len(decision.checks)
        assert msgspec.json.decode(msgspec.json.encode(decision), type=Decision) == decision


def test_the_newest_rows_of_a_renewal_decide_and_not_all_test_rows(given: Given) -> None:
    arguments = given(comparison=comparison(-0.02))
    sides = {"newest": comparison(0.03, n_rows=200), "earlier": comparison(-0.002, n_rows=800)}
    decision = decide(evaluation(), gate=Gate(), **arguments, **sides)
    assert decision.verdict == "yes" and decision.newest == sides["newest"] and decision.earlier == sides["earlier"]
    assert check(decision, "non_inferiority").reason.startswith("On the 200 newest test rows better than the champion")
    assert "not worse beyond chance" in check(decision, "earlier_rows").reason


def test_worse_on_the_newest_rows_is_refused_however_good_it_was_before(given: Given) -> None:
    sides = {"newest": comparison(-0.03), "earlier": comparison(0.05), "may_lose_earlier": True}
    decision = decide(evaluation(), gate=Gate(), **given(comparison=comparison(0.04)), **sides)
    assert decision.verdict == "no" and failed(decision) == {"non_inferiority"}


@pytest.mark.parametrize(("may_lose", "verdict"), [(False, "no"), (True, "yes")])
def test_rows_of_before_may_be_lost_only_where_the_world_has_changed_and_that_is_said(
    given: Given, may_lose: bool, verdict: str
) -> None:
    sides = {"newest": comparison(0.03), "earlier": comparison(-0.05, n_rows=800), "may_lose_earlier": may_lose}
    decision = decide(evaluation(), gate=Gate(), **given(), **sides)
    assert decision.verdict == verdict
    reason = check(decision, "earlier_rows").reason
    assert reason.startswith("On the 800 test rows of before worse than the champion")
    assert ("may be lost" in reason) is may_lose


@pytest.mark.parametrize(
    ("may_lose", "said"),
    [(False, ", within the 0.1 that the gate allows."), (True, "; that may be lost, for the world")],
)
def test_a_loss_on_rows_of_before_is_called_one_also_where_the_gate_allows_it(
    given: Given, may_lose: bool, said: str
) -> None:
    sides = {"newest": comparison(0.03), "earlier": comparison(-0.05, n_rows=800), "may_lose_earlier": may_lose}
    decision = decide(evaluation(), gate=Gate(non_inferiority=0.1), **given(), **sides)
    reason = check(decision, "earlier_rows").reason
    assert decision.verdict == "yes"
    assert reason.startswith("On the 800 test rows of before worse than the champion beyond chance")
    assert said in reason


def test_slices_of_the_old_world_count_only_while_it_stands(given: Given) -> None:
    bad = Slice(
        column="age",
        condition="< 30",
        n_rows=90,
        metric="roc_auc",
        score=metric(0.6),
        difference=metric(-0.2),
        worse=True,
    )
    arguments = given(comparison=comparison(slices=(bad,)))
    sides = {"newest": comparison(0.03), "earlier": comparison(0.0)}
    assert failed(decide(evaluation(), gate=Gate(), **arguments, **sides)) == {"slices"}
    assert decide(evaluation(), gate=Gate(), **arguments, **sides, may_lose_earlier=True).verdict == "yes"


def test_sides_of_another_challenger_are_refused(given: Given) -> None:
    with pytest.raises(InputError, match="do not agree on the challenger"):
        decide(evaluation(), gate=Gate(), **given(), newest=comparison(challenger="x"))


@pytest.mark.parametrize(
    ("value", "half", "margin", "passed", "words"),
    [
        (0.02, 0.01, 0.0, True, "better than the champion"),
        (0.01, 0.01, 0.0, True, "surely not worse:"),
        (0.008, 0.01, 0.0, False, "not surely as good as the champion"),
        (0.0, 0.01, 0.01, True, "surely not worse by more than the 0.01"),
        (-0.03, 0.01, 0.01, False, "worse than the champion"),
        (math.nan, 0.01, 0.0, False, "could not be computed"),
    ],
)
def test_on_the_newest_rows_the_burden_of_proof_lies_on_the_challenger(
    value: float, half: float, margin: float, passed: bool, words: str
) -> None:
    found = newest_rows(comparison(value, half), Gate(non_inferiority=margin))
    assert found.passed is passed and words in found.reason


@pytest.mark.parametrize(("surely", "passed"), [(0.001, True), (-0.001, False)])
def test_neighbours_in_time_that_are_alike_count_for_less(surely: float, passed: bool) -> None:
    assert newest_rows(comparison(0.02, 0.015, surely=surely), Gate()).passed is passed
