"""Which rows people are shown."""

from __future__ import annotations

import numpy as np

from palio.evaluate.choosing import chosen

P = np.array([[0.9, 0.1], [0.52, 0.48], [0.2, 0.8], [0.05, 0.95], [0.6, 0.4], [0.3, 0.7]])
SAID = P.argmax(axis=1)


def kinds(truth: list[int], **how: int) -> dict[str, list[int]]:
    return {kind: rows.tolist() for kind, rows in chosen(P, SAID, np.array(truth), **how)}


def test_classes_take_turns_and_the_surest_stand_first() -> None:
    found = kinds([0, 0, 1, 1, 0, 1])
    assert found["right"] == [0, 3, 2, 4, 1, 5]
    assert "wrong" not in found and "surely_wrong" not in found


def test_mistakes_are_shown_once_the_surest_apart() -> None:
    found = kinds([1, 0, 1, 0, 1, 0])
    assert found["surely_wrong"] == [3, 0]
    assert sorted(found["wrong"]) == [4, 5]


def test_close_calls_are_those_near_the_threshold_and_as_many_as_are_wanted() -> None:
    assert kinds([0] * 6)["near"] == [1]
    assert kinds([0] * 6, fewest_near=3)["near"] == [1, 4, 5]
