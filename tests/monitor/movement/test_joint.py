"""Whether columns that no longer go together are seen, and like rows are not told apart."""

from __future__ import annotations

import tracemalloc
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pytest

from palio.core.monitoring import Window
from palio.monitor.movement.joint import joint_drift, joint_findings
from tests.monitor import populations
from tests.monitor.populations import SINCE

WINDOW = Window(model="m", bundle="b", version=1, since=SINCE, until=SINCE, n_rows=1_000)


@pytest.mark.parametrize(
    "n_trials", [pytest.param(4, id="quick"), pytest.param(100, id="full", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("n_rows", [200, 2_000])
@pytest.mark.parametrize("name", ["adult", "bank"])
def test_rows_of_the_same_origin_are_not_told_apart(name: str, n_rows: int, n_trials: int, shared_data: Path) -> None:
    table = {f"input.{key}": values for key, values in getattr(populations, name)(shared_data).items()}
    chance, n_found = np.random.default_rng(1), 0
    for trial in range(n_trials):
        rows = chance.permutation(len(next(iter(table.values()))))
        reference = {key: values[rows[:2_000]] for key, values in table.items()}
        sample = {key: values[rows[2_000 : 2_000 + n_rows]] for key, values in table.items()}
        found = joint_drift(reference, sample, seed=trial)
        assert found is not None
        n_found += found.drifted
    assert n_found <= 0.02 * n_trials


def pair(correlation: float, n_rows: int, seed: int) -> dict[str, np.ndarray]:
    """Six standard normal columns of which the first two go together."""
    x = np.random.default_rng(seed).normal(size=(n_rows, 6))
    x[:, 1] = correlation * x[:, 0] + np.sqrt(1 - correlation**2) * x[:, 1]
    return {f"input.x{k}": x[:, k] for k in range(6)}


def test_columns_that_no_longer_go_together_are_seen_though_each_is_as_before() -> None:
    found = joint_drift(pair(0.7, 2_000, 1), pair(0.0, 1_500, 2))
    assert found is not None
    assert found.drifted
    assert {name for name, _ in found.columns[:2]} == {"input.x0", "input.x1"}
    (one,) = joint_findings(WINDOW, found)
    assert (one.kind, one.measure, one.n_rows) == ("joint_drift", "roc_auc", 1_500)
    assert "mostly by `x" in one.reason
    assert joint_findings(WINDOW, joint_drift(pair(0.7, 2_000, 1), pair(0.7, 1_500, 2))) == ()


def test_the_same_seed_gives_the_same_answer() -> None:
    assert joint_drift(pair(0.7, 500, 1), pair(0.4, 500, 2)) == joint_drift(pair(0.7, 500, 1), pair(0.4, 500, 2))


def test_categories_and_texts_are_seen() -> None:
    chance = np.random.default_rng(3)
    jobs = np.array(["a", "b", "c"], object)
    before = {"input.job": jobs[chance.integers(0, 3, 800)]}
    assert joint_drift(before, {"input.job": jobs[chance.integers(1, 3, 800)]}).drifted  # type: ignore[union-attr]
    letters = [" ".join(["word"] * int(n)) + f" {i}" for i, n in enumerate(chance.integers(2, 9, 1_600))]
    short = {"input.text": np.array(letters[:800], object)}
    long = {"input.text": np.array([text * 2 for text in letters[800:]], object)}
    assert joint_drift(short, long).drifted  # type: ignore[union-attr]


def test_a_window_like_a_quarter_of_the_reference_is_no_drift_in_time() -> None:
    chance = np.random.default_rng(4)
    season = np.sin(np.arange(2_000) / 2_000 * 2 * np.pi)
    reference = {"input.t": season + chance.normal(0, 0.3, 2_000)}
    summer = {"input.t": reference["input.t"][:500] + chance.normal(0, 0.01, 500)}
    assert joint_drift(reference, summer).drifted  # type: ignore[union-attr]
    assert not joint_drift(reference, summer, in_time_order=True).drifted  # type: ignore[union-attr]


def test_too_few_rows_or_no_common_column_say_nothing() -> None:
    assert joint_drift(pair(0.0, 500, 1), pair(0.0, 40, 2)) is None
    assert joint_drift(pair(0.0, 500, 1), {"prediction": np.ones(500)}) is None


@pytest.mark.parametrize("side", ["reference", "sample"])
@pytest.mark.parametrize("values", [("a", "b", "c"), tuple(f"note {number}" for number in range(20_000))])
def test_one_long_text_takes_no_more_memory_than_it_is_long(values: tuple[str, ...], side: str) -> None:
    rows = {name: np.array(list(islice(cycle(values), 20_000)), object) for name in ("reference", "sample")}
    rows[side][0] = "long " * 1_000_000
    tracemalloc.start()
    found = joint_drift({"input.note": rows["reference"]}, {"input.note": rows["sample"]})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found is not None
    assert not found.drifted
    assert peak < 150e6
