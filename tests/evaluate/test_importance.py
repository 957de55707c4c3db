from __future__ import annotations

import time

import numpy as np
import polars as pl
import pytest

from palio.evaluate.importance import permutation_importance
from palio.model import Bundle
from tests.evaluate.conftest import Benches


def test_what_matters_stands_first_and_noise_matters_nothing(bench, good):
    found, reach = permutation_importance(good, bench.rows("validation"))
    by_name = {i.column: i.loss for i in found}
    assert found[0].column == "age" and by_name["age"].low > 0.1
    assert by_name["job"].low > 0
    assert abs(by_name["income"].value) < 0.02
    assert set(by_name) == {"age", "job", "region", "income"}
    assert reach.n_read == reach.n_seen == reach.n_measured == 4 and reach.stopped_by == "plan"


def test_the_same_seed_gives_the_same_importance(bench, good):
    frame = bench.rows("validation")
    assert permutation_importance(good, frame) == permutation_importance(good, frame)


def test_an_error_that_grows_is_a_positive_loss(regression):
    found, _ = permutation_importance(regression.bundle(), regression.rows("validation"))
    assert found[0].column == "size" and found[0].loss.low > 100
    assert abs(next(i for i in found if i.column == "noise").loss.value) < 10


def test_rows_of_one_class_say_nothing(bench, good):
    only = bench.rows("validation").filter(pl.col("y") == "yes")
    assert permutation_importance(good, only)[0] == ()


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """Rows of 160 columns, of which three tell the answer."""
    rng = np.random.default_rng(3)
    cells = rng.normal(size=(900, 160))
    signal = 2 * cells[:, 7] + cells[:, 80] + cells[:, 159] + rng.normal(size=900)
    columns = {f"x{k}": cells[:, k] for k in range(160)}
    made = Benches(tmp_path_factory.mktemp("wide"))
    bench = made.of_frame(pl.DataFrame({**columns, "y": np.where(signal > 0, "yes", "no")}))
    yield bench.bundle(rounds=60, min_data_in_leaf=5), bench.rows("train")
    for store in made.stores:
        store.close()


def test_of_many_columns_the_most_promising_are_measured_closely(wide):
    bundle, frame = wide
    found, reach = permutation_importance(bundle, frame)
    assert {i.column for i in found[:3]} == {"x7", "x80", "x159"}
    assert reach.n_seen == reach.n_read > reach.n_measured == 100 and reach.stopped_by == "plan"
    unread = [i for i in found if i.loss.low == i.loss.high == 0]
    assert len(unread) >= 160 - reach.n_read
    assert permutation_importance(bundle, frame) == (found, reach)


def test_when_time_is_over_it_says_so(wide):
    bundle, frame = wide
    found, reach = permutation_importance(bundle, frame, deadline=time.monotonic())
    assert reach.stopped_by == "time" and reach.n_measured == 0
    assert all(i.loss.value == 0 for i in found)


class Whole(Bundle):
    """A bundle whose graph cannot be taken apart."""

    def stages(self):
        return None


def test_a_graph_that_cannot_be_taken_apart_is_asked_as_a_whole(bench, good):
    apart = permutation_importance(good, bench.rows("validation"))
    assert permutation_importance(Whole(**vars(good)), bench.rows("validation")) == apart


def test_a_column_is_not_shuffled_by_a_slow_model_that_would_not_be_done_in_time(bench, good, monkeypatch):
    slow = Whole(**vars(good))
    real = type(good.graph).predict

    def predict(graph, feeds):
        time.sleep(0.1)
        return real(graph, feeds)

    monkeypatch.setattr(type(good.graph), "predict", predict)
    begun = time.monotonic()
    _, reach = permutation_importance(slow, bench.rows("validation"), deadline=begun + 0.35)
    assert reach.n_measured == 0 and reach.stopped_by == "time"
    assert time.monotonic() - begun < 0.3


def test_it_tells_how_far_it_is(wide):
    told = []

    class Listener:
        def say(self, text):
            told.append(text)

        def step(self, name, done, total=None):
            told.append((name, done, total))

    permutation_importance(*wide, progress=Listener())
    assert ("importance", 100, 100) in told and any(one[0] == "columns" for one in told)
