"""Suppression inside a graph is that of one box after the other, bit for bit, for any number of pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palio import model
from palio.core.records import Column, PictureReading, Schema, Task

SIZE = 64
TASK = Task(kind="detection", target="things", classes=("cat", "dog", "fox"))
SCHEMA = Schema(columns=(Column(name="photo", type="image"), Column(name="things", type="boxes", feature=False)))


def graph_saying(corners: Any, scores: Any, **how: Any) -> model.Graph:
    """Return a graph that says the same of every picture, after suppression."""
    builder = model.GraphBuilder(SCHEMA)
    builder.precision = "float32"
    pixels = f"{builder.reading(PictureReading(input='photo', size=SIZE, fit='letterbox')).tensor}.pixels"
    nothing = builder.node(
        "ReduceSum",
        builder.node("Mul", builder.cast(pixels, "float"), builder.constant(0, "float32")),
        builder.constant([1, 2], "int64"),
        keepdims=1,
    )
    nothing = builder.node("ReduceSum", nothing, builder.constant([3], "int64"), keepdims=1)
    nothing = builder.node("Squeeze", nothing, builder.constant([3], "int64"))
    said = [builder.node("Add", builder.constant(one[None], "float32"), nothing) for one in (corners, scores)]
    found = model.emit_suppressed(builder, *said, n_places=len(corners), n_classes=scores.shape[1], **how)
    model.emit_answers(builder, found, TASK)
    return model.Graph(builder.build())


def crowd(seed: int, n: int, *, n_classes: int = 3, spread: float = 30.0) -> tuple[Any, Any]:
    """Make boxes that overlap a lot, in all degrees."""
    rng = np.random.default_rng(seed)
    middle, sides = rng.uniform(0, spread, (n, 2)), rng.uniform(5, 25, (n, 2))
    corners = np.concatenate([middle - sides / 2, middle + sides / 2], axis=1).astype(np.float32)
    return corners, rng.random((n, n_classes)).astype(np.float32) ** 3


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("n_rows", [1, 2, 3])
def test_a_graph_keeps_what_is_kept_one_after_the_other(seed: int, n_rows: int) -> None:
    corners, scores = crowd(seed, 150)
    graph = graph_saying(corners, scores)
    pixels = np.zeros((n_rows, SIZE, SIZE, 3), np.uint8)
    found = graph._computed({"#0.pixels": pixels})
    expected = model.suppressed(np.repeat(corners[None], n_rows, 0), np.repeat(scores[None], n_rows, 0))
    for name, value in expected.items():
        assert np.array_equal(found[name], value), name


def test_a_long_chain_of_which_each_would_drop_the_next_is_followed_to_its_end() -> None:
    left = np.arange(60, dtype=np.float32) * 2
    corners = np.stack([left, np.zeros(60), left + 10, np.full(60, 10)], axis=1).astype(np.float32)
    scores = np.linspace(0.9, 0.1, 60, dtype=np.float32)[:, None]
    graph = graph_saying(corners, np.pad(scores, ((0, 0), (0, 2))))
    found = graph._computed({"#0.pixels": np.zeros((1, SIZE, SIZE, 3), np.uint8)})
    assert np.count_nonzero(found["scores"]) == 30
    assert np.array_equal(found["scores"][:, :60], model.suppressed(corners[None], scores[None])["scores"])


def test_boxes_of_another_class_stay() -> None:
    corners = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 9.5]], np.float32)
    scores = np.array([[0.9, 0, 0], [0, 0.8, 0], [0.7, 0, 0]], np.float32)
    found = model.suppressed(corners[None], scores[None])
    assert found["classes"][0, :2].tolist() == [0, 1]
    assert np.count_nonzero(found["scores"]) == 2


def test_scores_do_not_increase_and_what_is_not_said_is_zero() -> None:
    corners, scores = crowd(7, 40)
    found = graph_saying(corners, scores, floor=0.2)._computed({"#0.pixels": np.zeros((1, SIZE, SIZE, 3), np.uint8)})
    said = found["scores"][0]
    assert (np.diff(said) <= 0).all()
    assert (said[said > 0] > 0.2).all()
    assert not found["boxes"][0][said == 0].any()
