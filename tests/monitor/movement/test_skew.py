"""Whether rows that differ between serving and training are told of."""

from __future__ import annotations

import numpy as np
import pytest

from palio.core.errors import InputError
from palio.core.monitoring import Window
from palio.monitor.movement.skew import skew_findings
from tests.monitor.populations import SINCE

WINDOW = Window(model="m", bundle="b", version=1, since=SINCE, until=SINCE, n_rows=100)
KEYS = np.array([f"k{i}" for i in range(100)], object)


def sides() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The same rows, in another order on one side."""
    chance = np.random.default_rng(1)
    trained = {"key": KEYS, "age": chance.normal(40, 9, 100), "job": np.array(["a", "b"], object)[np.arange(100) % 2]}
    trained["age"][:3] = np.nan
    order = chance.permutation(100)
    return {name: values[order] for name, values in trained.items()}, trained


def test_the_same_rows_show_nothing_whatever_their_order() -> None:
    logged, trained = sides()
    assert skew_findings(WINDOW, logged, trained) == ()
    assert skew_findings(WINDOW, {**logged, "age": logged["age"].astype(np.float32).astype(float)}, trained) == ()


def test_another_unit_is_named_by_its_factor() -> None:
    logged, trained = sides()
    (one,) = skew_findings(WINDOW, {**logged, "age": logged["age"] * 12}, trained)
    assert (one.kind, one.subject, one.severity) == ("skew", "age", "warn")
    assert one.effect == pytest.approx(0.97)
    assert "it is 12 times the value of training" in one.reason
    (one,) = skew_findings(WINDOW, {**logged, "age": logged["age"] + 1}, trained)
    assert "it is 1 more than the value of training" in one.reason


def test_cells_that_one_side_fills_in_are_named_as_missing_on_the_other() -> None:
    logged, trained = sides()
    (one,) = skew_findings(WINDOW, {**logged, "age": np.nan_to_num(logged["age"])}, trained)
    assert (one.severity, one.effect) == ("note", 0.03)
    assert "missing only in training in 3.0%" in one.reason


def test_other_spellings_are_told_without_an_example() -> None:
    logged, trained = sides()
    shouted = np.array([text.upper() for text in logged["job"]], object)
    (one,) = skew_findings(WINDOW, {**logged, "job": shouted}, trained)
    assert one.effect == 1.0
    assert "in 100.0% of 100 rows" in one.reason
    assert "'A'" not in one.reason


def test_columns_that_one_side_lacks_or_holds_as_text_are_told() -> None:
    logged, trained = sides()
    found = skew_findings(WINDOW, {"key": logged["key"], "age": logged["age"].astype(str).astype(object)}, trained)
    assert [one.subject for one in found] == ["age", "job"]
    assert "it is text in the log and a number in training" in found[0].reason
    assert "training has it" in found[1].reason
    assert skew_findings(WINDOW, {**logged, "new": logged["age"]}, trained)[0].subject == "new"


def test_of_rows_asked_twice_the_last_counts_and_rows_without_a_key_none() -> None:
    logged, trained = sides()
    twice = {
        "key": np.concatenate([logged["key"], logged["key"], [""]]),
        "age": np.concatenate([logged["age"] + 5, logged["age"], [1.0]]),
        "job": np.concatenate([logged["job"], logged["job"], ["z"]]),
    }
    assert skew_findings(WINDOW, twice, trained) == ()


def test_few_common_rows_say_nothing() -> None:
    logged, trained = sides()
    few = {name: values[:10] for name, values in logged.items()}
    assert skew_findings(WINDOW, {**few, "age": few["age"] * 2}, trained) == ()


def test_sides_without_a_key_or_of_unequal_length_are_refused() -> None:
    logged, trained = sides()
    with pytest.raises(InputError, match="logged rows have no column `id`"):
        skew_findings(WINDOW, logged, trained, key="id")
    with pytest.raises(InputError, match="99 and 100 rows"):
        skew_findings(WINDOW, {**logged, "age": logged["age"][1:]}, trained)
