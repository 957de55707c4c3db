"""How much less a second model loses on rows in the order of time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palio import measure
from palio.core.errors import InputError


def pair(seed: int, n: int, *, better: float = 0.1, worse: float = 0.1, stay: float = 0.0) -> tuple[Any, Any]:
    """Losses of two models that differ on some rows; with `stay`, the same one is better for a while."""
    random = np.random.default_rng(seed)
    sign = random.choice([-1, 0, 1], n, p=[worse, 1 - better - worse, better])
    sign = sign[np.maximum.accumulate(np.where(random.random(n) >= stay, np.arange(n), 0))]
    return (sign > 0).astype(float), (sign < 0).astype(float)


@pytest.mark.parametrize(("n", "stay"), [(200, 0.0), (500, 0.0), (2000, 0.0), (500, 0.8), (2000, 0.8)])
def test_a_challenger_that_is_no_better_rarely_takes_over(n: int, stay: float) -> None:
    taken = sum(measure.is_surely_not_worse(*pair(seed, n, stay=stay)) for seed in range(300))
    assert taken <= 300 * 0.08


def test_a_challenger_that_is_better_takes_over() -> None:
    taken = sum(measure.is_surely_not_worse(*pair(seed, 500, better=0.2)) for seed in range(100))
    assert taken >= 95


def test_of_many_challengers_each_must_be_surer() -> None:
    many = [measure.is_surely_not_worse(*pair(seed, 500, better=0.14), n_challengers=20) for seed in range(200)]
    one = [measure.is_surely_not_worse(*pair(seed, 500, better=0.14)) for seed in range(200)]
    assert sum(many) < sum(one)
    assert all(single for single, several in zip(one, many, strict=True) if several)


def test_the_interval_holds_the_truth() -> None:
    for n, stay in ((500, 0.0), (4000, 0.6)):
        gains = [measure.loss_gain(*pair(seed, n, better=0.2, stay=stay)) for seed in range(200)]
        assert 0.88 <= np.mean([one.low <= 0.1 <= one.high for one in gains]) <= 1.0


def test_rows_that_are_alike_in_time_count_less() -> None:
    alone, alike = (measure.loss_gain(*pair(3, 2000, better=0.2, stay=stay)) for stay in (0.0, 0.9))
    assert alike.high - alike.low > 2 * (alone.high - alone.low)


def test_equal_answers_prove_nothing_without_a_margin() -> None:
    losses = np.tile([1.0, 0.0, 0.0], 100)
    assert not measure.is_surely_not_worse(losses, losses)
    assert measure.is_surely_not_worse(losses, losses, margin=0.02)
    assert not measure.is_surely_not_worse(losses[:30], losses[:30], margin=0.02)


def test_few_differing_rows_are_not_sure_of_anything() -> None:
    champion = np.zeros(400)
    champion[[40, 170, 300]] = 1.0
    assert not measure.is_surely_not_worse(champion, np.zeros(400))


def test_less_than_two_rows_say_nothing() -> None:
    one = measure.loss_gain(np.array([1.0]), np.array([0.0]))
    assert (one.value, one.low, one.high, one.n_rows) == (1.0, -np.inf, np.inf, 1)
    assert not measure.is_surely_not_worse(np.array([]), np.array([]))


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [(np.zeros(3), np.zeros(2), "shapes (3,) and (2,)"), (np.array([np.nan, 0.0]), np.zeros(2), "not a number")],
)
def test_losses_that_cannot_be_compared_are_refused(first: Any, second: Any, told: str) -> None:
    with pytest.raises(InputError) as caught:
        measure.loss_gain(first, second)
    assert told in caught.value.message
