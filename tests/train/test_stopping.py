from __future__ import annotations

import msgspec
import numpy as np
import polars as pl
import pytest

from palio.core.records import Column
from palio.testing.family import TASKS, examples_of
from palio.train import Examples
from palio.train.stopping import hold_back
from tests.train.small_parts import PARTS


def examples(task: str = "two classes", **columns: np.ndarray) -> Examples:
    made = examples_of(TASKS[task])
    frame = made.frame.with_columns(
        pl.Series("y", [made.task.classes[int(i)] for i in made.target] if made.task.classes else made.target),
        *(pl.Series(name, values) for name, values in columns.items()),
    )
    extra = tuple(Column(name=name, type="number", feature=False) for name in columns)
    schema = msgspec.structs.replace(made.schema, columns=(*made.schema.columns, *extra))
    return Examples(frame, made.target, schema, made.task)


@pytest.mark.parametrize("task", list(TASKS))
def test_an_eighth_is_watched_and_no_row_is_lost(task: str) -> None:
    whole = examples(task)
    learned, watched = hold_back(whole, PARTS)
    assert watched is not None
    assert len(watched.target) == pytest.approx(len(whole.target) / 8, abs=len(TASKS[task].classes) + 5)
    ages = sorted([*learned.frame["age"], *watched.frame["age"]])
    assert ages == sorted(whole.frame["age"])


def test_the_same_rows_are_watched_whatever_their_order() -> None:
    whole = examples()
    turned = whole.take(np.arange(len(whole.target))[::-1])
    first, second = hold_back(whole, PARTS)[1], hold_back(turned, PARTS)[1]
    assert first is not None and second is not None
    assert set(first.frame["age"]) == set(second.frame["age"])


def test_another_seed_watches_other_rows() -> None:
    first, second = (hold_back(examples(), msgspec.structs.replace(PARTS, seed=seed))[1] for seed in (0, 1))
    assert first is not None and second is not None
    assert set(first.frame["age"]) != set(second.frame["age"])


def test_each_class_is_watched_by_its_share() -> None:
    whole = examples()
    _, watched = hold_back(whole, PARTS)
    assert watched is not None
    assert watched.target.mean() == pytest.approx(whole.target.mean(), abs=0.02)


def test_a_group_is_learned_from_or_watched_never_both() -> None:
    whole = examples(group=np.arange(400) % 40)
    grouped = msgspec.structs.replace(PARTS, method="grouped", key_columns=("group",))
    learned, watched = hold_back(whole, grouped)
    assert watched is not None
    assert not set(learned.frame["group"]) & set(watched.frame["group"])


def test_the_last_rows_are_watched_when_the_cut_is_by_time() -> None:
    whole = examples(hour=np.random.default_rng(0).permutation(400))
    schema = msgspec.structs.replace(whole.schema, time=("hour",))
    timed = Examples(whole.frame, whole.target, schema, whole.task)
    learned, watched = hold_back(timed, msgspec.structs.replace(PARTS, method="time"))
    assert watched is not None
    assert set(watched.frame["hour"]) == set(range(350, 400))
    assert set(learned.frame["hour"]) == set(range(350))


def test_nothing_is_watched_where_rows_cannot_be_cut() -> None:
    whole = examples(group=np.zeros(400))
    grouped = msgspec.structs.replace(PARTS, method="grouped", key_columns=("group",))
    assert hold_back(whole, grouped) == (whole, None)
    assert hold_back(whole, None) == (whole, None)


def test_a_class_is_not_held_back_whole() -> None:
    whole = examples(group=np.arange(400) // 50)
    target = np.zeros(400, dtype=np.int64)
    grouped = msgspec.structs.replace(PARTS, method="grouped", key_columns=("group",))
    watched = hold_back(whole, grouped)[1]
    assert watched is not None
    alone = int(watched.frame["group"][0])
    target[whole.frame["group"].to_numpy() == alone] = 1
    rare = Examples(whole.frame, target, whole.schema, whole.task)
    assert hold_back(rare, grouped)[1] is None
