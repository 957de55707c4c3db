"""Lighter graphs: smaller, plain, and nearly the same answers."""

from __future__ import annotations

import numpy as np
import pytest

from palio import model
from palio.train.deep.exporting import SCORES, exported
from palio.train.deep.lighter import halved, quantised
from palio.train.deep.losses import probabilities
from palio.train.deep.pictures import small_network

torch = pytest.importorskip("torch", reason="torch is not installed")

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def graph() -> bytes:
    return exported(small_network(3, width=16), {"pixels": PIXELS})


def answers(graph: bytes) -> np.ndarray:
    return probabilities(model.Graph(graph).run({"pixels": PIXELS})[SCORES])


def test_halves_weigh_half_and_answer_nearly_the_same(graph: bytes) -> None:
    lighter = halved(graph)
    assert len(lighter) < 0.55 * len(graph)
    np.testing.assert_allclose(answers(lighter), answers(graph), atol=0.01)


def test_integers_weigh_a_third_and_answer_much_the_same(graph: bytes) -> None:
    lighter = quantised(graph, [{"pixels": PIXELS}])
    assert len(lighter) < 0.35 * len(graph)
    np.testing.assert_allclose(answers(lighter), answers(graph), atol=0.05)
    assert quantised(graph, [{"pixels": PIXELS}]) == lighter
