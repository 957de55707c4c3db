from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from palio.core.records import Cost, Member, Run
from palio.train.choice import FREE, Limits, choose, paired_error, resampled_error


def run(family: str, scores: list[float], *, size: int, tie: float = 0.5, p99: float = 1.0, mb: float = 1.0) -> Run:
    return Run(
        id=family,
        parts="p",
        family=family,
        trial=0,
        params={},
        seed=0,
        metric="roc_auc",
        status="done",
        fold_scores=tuple(scores),
        cv_score=float(np.mean(scores)),
        cv_error=0.01,
        tie_break=tie,
        n_parameters=size,
        cost=Cost(fit_s=1.0, latency_ms_p50=p99 / 2, latency_ms_p99=p99, size_mb=mb),
    )


BIG = run("big", [0.90, 0.92, 0.88, 0.91, 0.89], size=1000)
NEAR = run("near", [0.91, 0.91, 0.89, 0.90, 0.885], size=10)
FAR = run("far", [0.80, 0.82, 0.78, 0.81, 0.79], size=5)


def test_paired_error_is_that_of_the_corrected_resampled_t_test() -> None:
    first, second = np.array([0.9, 0.8, 0.7]), np.array([0.8, 0.6, 0.65])
    expected = np.std(first - second, ddof=1) * math.sqrt(1 / 3 + 1 / 2)
    assert paired_error(list(first), list(second)) == pytest.approx(expected)
    assert paired_error(list(first), list(second), holdout=True) == pytest.approx(expected * math.sqrt(2 / 5))


def test_one_fold_says_nothing_of_the_error() -> None:
    assert paired_error([0.9], [0.8]) == math.inf


SIMPLE = Limits(prefer="simple")


def mix(scores: list[float], members: tuple[str, ...] = ("big", "near"), **how: float) -> Run:
    told = tuple(Member(run=name, family=name, weight=1 / len(members)) for name in members)
    return msgspec.structs.replace(run("ensemble", scores, size=2000, **how), trial=99, members=told)


def moved(base: Run, by: float, family: str, *, size: int) -> Run:
    """A run that is worse by some, and differs from fold to fold as much as `NEAR` does from `BIG`."""
    wobble = np.array(NEAR.fold_scores) - np.array(BIG.fold_scores)
    return run(family, list(np.array(base.fold_scores) - by + wobble - wobble.mean()), size=size)


def test_the_best_wins_where_others_are_behind() -> None:
    assert choose([BIG, FAR], sign=1.0).ranking[0] is BIG


def test_a_simpler_one_wins_only_where_it_costs_next_to_nothing() -> None:
    error = paired_error(BIG.fold_scores, NEAR.fold_scores)
    for share, expected in ((0.5 * FREE, "small"), (2 * FREE, "big"), (0.9, "big")):
        small = moved(BIG, share * error, "small", size=10)
        assert choose([BIG, small], sign=1.0).ranking[0].family == expected


def test_who_asks_for_the_simple_gets_it_within_one_standard_error() -> None:
    error = paired_error(BIG.fold_scores, NEAR.fold_scores)
    for share, expected in ((0.9, "small"), (1.1, "big")):
        small = moved(BIG, share * error, "small", size=10)
        choice = choose([BIG, small, FAR], sign=1.0, limits=SIMPLE)
        assert choice.ranking[0].family == expected
        told = [reason for reason in choice.reasons if "small is taken" in reason]
        assert bool(told) == (expected == "small")
        assert all("10 against 1,000 parameters" in reason for reason in told)


def test_a_mix_wins_only_beyond_the_noise_of_the_difference() -> None:
    error = paired_error(BIG.fold_scores, NEAR.fold_scores)
    clear = mix(list(moved(BIG, -1.5 * error, "m", size=1).fold_scores))
    choice = choose([BIG, FAR, clear], sign=1.0)
    assert [one.family for one in choice.ranking] == ["ensemble", "big", "far"]
    assert any(reason.startswith("It mixes big (50 %) and near (50 %)") for reason in choice.reasons)
    unclear = mix(list(moved(BIG, -0.5 * error, "m", size=1).fold_scores))
    choice = choose([BIG, FAR, unclear], sign=1.0)
    assert [one.family for one in choice.ranking] == ["big", "far", "ensemble"]
    assert any("is within chance" in reason or "within chance" in reason for reason in choice.reasons)


def test_one_score_is_too_few_to_take_a_mix() -> None:
    single, better = run("big", [0.9], size=1000), mix([0.99])
    assert choose([single, better], sign=1.0).ranking[0] is single


def test_a_mix_of_an_error_is_better_when_it_is_less() -> None:
    error = paired_error(BIG.fold_scores, NEAR.fold_scores)
    less = mix(list(moved(BIG, 1.5 * error, "m", size=1).fold_scores))
    more = mix(list(moved(BIG, -1.5 * error, "m", size=1).fold_scores))
    assert choose([BIG, less], sign=-1.0).ranking[0] is less
    assert choose([BIG, more], sign=-1.0).ranking[0] is BIG


def test_a_mix_that_breaks_a_limit_is_out() -> None:
    error = paired_error(BIG.fold_scores, NEAR.fold_scores)
    slow = mix(list(moved(BIG, -3 * error, "m", size=1).fold_scores), p99=50.0)
    choice = choose([BIG, slow], sign=1.0, limits=Limits(latency_ms_p99=20.0))
    assert choice.ranking[0] is BIG


def test_repeated_folds_are_no_more_independent_than_those_of_one() -> None:
    scores = [0.7, 0.8, 0.9, 0.8, 0.75]
    once, often = resampled_error(scores), resampled_error(scores * 4, n_folds=5)
    assert 0.6 * once < often < once
    assert often > np.std(scores) * np.sqrt(1 / 4)


def test_the_tie_break_decides_among_equally_simple_ones_that_cost_nothing() -> None:
    low = run("low", list(BIG.fold_scores), size=10, tie=0.6)
    high = run("high", list(BIG.fold_scores), size=15, tie=0.7)
    assert choose([BIG, low, high], sign=1.0).ranking[0] is high


def test_less_is_better_when_the_sign_says_so() -> None:
    assert choose([BIG, FAR], sign=-1.0).ranking[0] is FAR


def test_what_breaks_a_limit_is_out_and_says_so() -> None:
    slow = run("slow", [0.99] * 5, size=10, p99=50.0)
    choice = choose([slow, BIG], sign=1.0, limits=Limits(latency_ms_p99=20.0))
    assert choice.ranking[0] is BIG
    assert "slow is out: 50 ms at p99 is more than the limit of 20 ms." in choice.reasons


def test_a_time_that_is_not_clearly_over_the_limit_does_not_change_the_choice() -> None:
    limits, chosen = Limits(latency_ms_p99=20.0), set()
    for p99 in (18.5, 19.9, 20.1, 21.5):
        choice = choose([run("good", [0.99] * 5, size=10, p99=p99), BIG], sign=1.0, limits=limits)
        chosen.add(choice.ranking[0].family)
        assert any(reason.startswith("good is in: ") for reason in choice.reasons) == (p99 > 20.0)
    assert chosen == {"good"}


def test_a_size_over_the_limit_is_over_by_any_amount() -> None:
    heavy = run("heavy", [0.99] * 5, size=10, mb=100.001)
    assert choose([heavy, BIG], sign=1.0, limits=Limits(size_mb=100.0)).ranking[0] is BIG


def test_small_differences_in_time_do_not_decide_who_is_nearest() -> None:
    dummy, limits = run("dummy", [0.5] * 5, size=1, p99=0.01), Limits(latency_ms_p99=1.0)
    for good_ms, poor_ms in ((5.0, 5.5), (5.5, 5.0)):
        good, poor = run("good", [0.9] * 5, size=9, p99=good_ms), run("poor", [0.8] * 5, size=9, p99=poor_ms)
        assert choose([dummy, poor, good], sign=1.0, limits=limits).ranking[0] is good
    near = run("near", [0.7] * 5, size=9, p99=2.0)
    assert choose([dummy, good, near], sign=1.0, limits=limits).ranking[0] is near


def test_the_nearest_is_taken_with_a_warning_when_only_the_dummy_meets_the_limits() -> None:
    dummy = run("dummy", [0.5] * 5, size=1, mb=0.001)
    heavy, heavier = run("heavy", [0.9] * 5, size=9, mb=150.0), run("heavier", [0.95] * 5, size=9, mb=300.0)
    choice = choose([dummy, heavier, heavy], sign=1.0, limits=Limits(size_mb=100.0))
    assert [r.family for r in choice.ranking] == ["heavy", "heavier", "dummy"]
    assert any(reason.startswith("Warning: no model meets the limits") for reason in choice.reasons)


def test_the_reason_says_on_what_the_score_was_measured() -> None:
    assert choose([BIG], sign=1.0).reasons[0].startswith("big has the best cross-validated roc_auc: 0.9")
    assert (
        choose([BIG], sign=1.0, holdout=True).reasons[0].startswith("big has the best roc_auc on the validation part")
    )


def test_the_dummy_is_taken_with_a_warning_when_nothing_can_be_learned() -> None:
    dummy = run("dummy", [0.5] * 5, size=1)
    guess = run("guess", [0.45, 0.56, 0.52, 0.49, 0.50], size=90)
    choice = choose([dummy, guess], sign=1.0)
    assert choice.ranking[0] is dummy
    (warning,) = [reason for reason in choice.reasons if "no family learned more" in reason]
    assert "roc_auc guess 0.504 ± 0.010 against 0.5000; the features may say nothing of it" in warning


def test_a_learner_that_is_a_little_ahead_of_the_dummy_is_taken_and_told_to_be_in_doubt() -> None:
    dummy = run("dummy", [0.5] * 5, size=1)
    shape = np.array([-0.05, 0.06, 0.02, -0.01, -0.02])
    error = resampled_error(shape.tolist())
    for ahead, family, words in (
        (0.4, "dummy", "no family learned more"),
        (0.6, "faint", "the sealed test has to tell"),
        (1.1, "faint", ""),
    ):
        faint = run("faint", (0.5 + shape + ahead * error).tolist(), size=90)
        choice = choose([dummy, faint], sign=1.0)
        assert choice.ranking[0].family == family
        warnings = [reason for reason in choice.reasons if reason.startswith("Warning")]
        assert len(warnings) == bool(words) and all(words in reason for reason in warnings)
        simple = choose([dummy, faint], sign=1.0, limits=Limits(prefer="simple"))
        assert simple.ranking[0].family == ("dummy" if ahead < 1 else "faint")


def test_where_only_the_constant_answer_could_be_scored_the_features_are_not_to_blame() -> None:
    dummy = run("dummy", [0.5] * 5, size=1)
    choice = choose([dummy], sign=1.0, absent=["linear failed: out of memory", "forest was left out"])
    assert "Warning: only the constant answer could be scored: linear failed: out of memory; forest was left out." in (
        choice.reasons
    )
    assert not any("features" in reason for reason in choice.reasons)


def test_the_remedy_names_the_limit_that_is_broken() -> None:
    (warning,) = [r for r in choose([BIG], sign=1.0, limits=Limits(size_mb=0.5)).reasons if r.startswith("Warning")]
    assert "size_mb" in warning and "hardware" not in warning


def kind_of_mix(family: str, by: float, *, n_members: int = 2) -> Run:
    """A mix that is better than `BIG` by so many standard errors of their difference; mixes differ by little."""
    error = paired_error(BIG.fold_scores, NEAR.fold_scores)
    scores = np.array(moved(BIG, -by * error, "m", size=1).fold_scores)
    wobble = 0.1 * by * error * np.array([1, -1, 1, -1, 0])
    made = mix(list(scores + wobble), tuple("abcdefg"[:n_members]))
    return msgspec.structs.replace(made, family=family, id=family)


def test_a_stack_must_be_clearly_better_than_greedy_weights() -> None:
    greedy = kind_of_mix("ensemble", 1.5)
    clearly = kind_of_mix("stacked ensemble", 2.5)
    wobble = 0.002 * np.array([1, -1, 1, -1, 0.2])
    barely = msgspec.structs.replace(
        mix(list(np.array(greedy.fold_scores) + wobble), ("a", "b")), family="stacked ensemble"
    )
    choice = choose([BIG, greedy, barely], sign=1.0)
    assert choice.ranking[0] is greedy
    assert any(
        "stacked mix of 2 candidates" in one and "greedy weights, which is within" in one for one in choice.reasons
    )
    choice = choose([BIG, greedy, clearly], sign=1.0)
    assert choice.ranking[0] is clearly
    assert any(one.startswith("It stacks a (50 %) and b (50 %)") for one in choice.reasons)


def test_a_pruned_mix_is_taken_where_it_costs_next_to_nothing_or_the_simple_is_asked_for() -> None:
    greedy = kind_of_mix("ensemble", 2.0, n_members=5)
    scores = np.array(greedy.fold_scores)
    wobble = 0.002 * np.array([1, -1, 1, -1, 0])
    error = paired_error(list(scores), list(scores + wobble))
    for share, limits, expected in (
        (0.5 * FREE, Limits(), "pruned ensemble"),
        (0.5, Limits(), "ensemble"),
        (0.5, SIMPLE, "pruned ensemble"),
        (1.5, SIMPLE, "ensemble"),
    ):
        pruned = msgspec.structs.replace(
            mix(list(scores + wobble - share * error), ("a", "b")), family="pruned ensemble"
        )
        choice = choose([BIG, greedy, pruned], sign=1.0, limits=limits)
        assert choice.ranking[0].family == expected, share
        assert any("pruned ensemble is taken" in one for one in choice.reasons) == (expected != "ensemble")


def test_a_pruned_mix_stands_in_for_one_that_breaks_a_limit() -> None:
    slow = msgspec.structs.replace(
        kind_of_mix("ensemble", 3.0, n_members=4), cost=run("x", [0.9], size=1, p99=50.0).cost
    )
    pruned = kind_of_mix("pruned ensemble", 2.0)
    choice = choose([BIG, slow, pruned], sign=1.0, limits=Limits(latency_ms_p99=20.0))
    assert choice.ranking[0] is pruned


def test_of_two_mixes_that_are_both_within_noise_none_is_taken() -> None:
    choice = choose([BIG, kind_of_mix("ensemble", 0.5), kind_of_mix("stacked ensemble", 0.6)], sign=1.0)
    assert choice.ranking[0] is BIG
    assert sum("is not taken" in one for one in choice.reasons) == 2
