from __future__ import annotations

import math

import pytest

from palio.core.records import Metric
from palio.measure import figure, number, with_error, with_interval


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-48578.9, "-48,579"),
        (999.94, "999.9"),
        (0.0001234, "0.0001234"),
        (0.0, "0"),
        (3.0, "3"),
        (2_000_000.0, "2,000,000"),
    ],
)
def test_no_number_is_shown_with_an_exponent_that_people_would_stumble_over(value: float, text: str) -> None:
    assert number(value, digits=4) == text


def test_figures_that_are_compared_have_equally_many_decimals() -> None:
    shown = with_interval(Metric(value=0.9, low=0.89999, high=0.91234, n_rows=3))
    assert shown == "0.9000 (95 % interval 0.9000 to 0.9123)"


def test_what_nobody_knows_is_said_to_be_so() -> None:
    assert figure(None) == number(None) == number(math.nan) == "not known"


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.0804, 0.0613, "0.08 ± 0.06"),
        (0.0804, 6.29e-06, "0.0804 ± 0.0000"),
        (0.504, 0.01, "0.504 ± 0.010"),
        (0.00213, 0.00031, "0.0021 ± 0.0003"),
        (47507.3, 310.0, "47,500 ± 300"),
        (-0.001, 0.2, "0.0 ± 0.2"),
        (0.7, math.inf, "0.7000"),
    ],
)
def test_a_figure_with_an_error_has_no_more_digits_than_that_allows(value: float, error: float, text: str) -> None:
    assert with_error(value, error) == text
