from __future__ import annotations

import pytest

from palio.core.records import Comparison, Task
from palio.promote.value import appraise

from .conftest import comparison, evaluation, metric


def test_fewer_errors_are_worth_their_cost_times_their_number() -> None:
    found = appraise(evaluation(), comparison(), error_cost=5, requests_per_day=10_000, currency="EUR")
    assert found is not None
    assert found.per_day.value == pytest.approx(0.01 * 5 * 10_000)
    assert (found.per_day.low, found.per_day.high) == (pytest.approx(300), pytest.approx(700))
    assert found.per_point == pytest.approx(500)
    assert found.text.startswith("Saves about 500 EUR a day against the champion (95 % interval 300 to 700).")


def test_the_first_champion_is_worth_what_it_saves_over_the_simplest_guess() -> None:
    found = appraise(evaluation(), None, error_cost=5, requests_per_day=10_000)
    assert found is not None and found.per_day.value == pytest.approx(1000) and "the simplest guess" in found.text


def test_the_worth_over_the_simplest_guess_is_as_sure_as_the_paired_improvement() -> None:
    scored = evaluation(gains={"accuracy": metric(0.02, 0.001)})
    found = appraise(scored, None, error_cost=5, requests_per_day=10_000)
    assert found is not None
    assert (found.per_day.low, found.per_day.high) == (pytest.approx(950), pytest.approx(1050))


def test_a_regression_error_is_a_unit_of_mean_absolute_error() -> None:
    scored = evaluation(
        task=Task(kind="regression", target="y"),
        primary="rmse",
        metrics={"rmse": metric(9), "mae": metric(6, 1)},
        baseline={"rmse": metric(12), "mae": metric(10, 1)},
    )
    found = appraise(scored, None, error_cost=2, requests_per_day=100)
    assert found is not None and found.per_point == 200
    assert (found.per_day.low, found.per_day.value, found.per_day.high) == (600, 800, 1000)


@pytest.mark.parametrize(
    ("compared", "words"),
    [
        (comparison(differences={"accuracy": metric(-0.02, 0.01)}), "Costs about 1,000 EUR a day more than"),
        (comparison(differences={"accuracy": metric(0.001, 0.01)}), "may be worth 50 EUR a day, or nothing"),
        (comparison(0.01, 0.004, metric="accuracy", differences={}), "Saves about 500 EUR"),
    ],
)
def test_the_sentence_says_how_sure_the_worth_is(compared: Comparison, words: str) -> None:
    found = appraise(evaluation(), compared, error_cost=5, requests_per_day=10_000)
    assert found is not None and words in found.text


@pytest.mark.parametrize(("error_cost", "requests_per_day"), [(0, 10), (10, 0), (-1, 10)])
def test_without_a_price_there_is_no_worth(error_cost: float, requests_per_day: float) -> None:
    assert appraise(evaluation(), None, error_cost=error_cost, requests_per_day=requests_per_day) is None


def test_without_an_error_rate_there_is_no_worth() -> None:
    assert appraise(evaluation(), comparison(differences={}), error_cost=1, requests_per_day=1) is None
    assert appraise(evaluation(baseline={}), None, error_cost=1, requests_per_day=1) is None
