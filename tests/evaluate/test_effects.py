"""What moves the answers is told from what moves them by chance."""

from __future__ import annotations

import numpy as np
import pytest

from palio.evaluate.effects import RISK, effect, one_sided


def drawn(push: float, *, seed: int = 0, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    control = chance.uniform(0.1, 0.4, n)
    return np.clip(control + push + chance.normal(0, 0.05, n), 0.0, 1.0), control


def judged(push: float, *, seed: int = 0, n_tries: int = 1) -> bool:
    after, control = drawn(push, seed=seed)
    return effect(after, control, said=after > 0.5, said_control=control > 0.5, n_tries=n_tries).moves


def test_a_push_moves_and_none_does_not() -> None:
    assert all(judged(0.4, seed=seed) for seed in range(20))
    assert not any(judged(0.0, seed=seed) for seed in range(200))


def test_a_trifle_moves_nothing_however_sure() -> None:
    after, control = drawn(0.03)
    found = effect(after, control, said=after > 0.5, said_control=control > 0.5, n_tries=1)
    assert found.p_value < RISK and not found.moves


def test_who_tries_much_needs_stronger_evidence() -> None:
    after, control = drawn(0.02, n=12)
    one, many = (
        effect(after, control, said=after > 0.5, said_control=control > 0.5, n_tries=n).p_value for n in (1, 10)
    )
    assert many == pytest.approx(min(1.0, 10 * one))


def test_differences_that_are_all_alike_are_sure() -> None:
    assert (one_sided(np.full(5, 0.1)), one_sided(np.full(5, -0.1)), one_sided(np.zeros(5))) == (0.0, 1.0, 1.0)
