from __future__ import annotations

import polars as pl

from palio import evaluate


def test_what_matters_stands_first_and_noise_matters_nothing(bench, good):
    found, reach = evaluate.permutation_importance(good, bench.rows("validation"))
    by_name = {i.column: i.loss for i in found}
    assert found[0].column == "age" and by_name["age"].low > 0.1
    assert by_name["job"].low > 0
    assert abs(by_name["income"].value) < 0.02
    assert set(by_name) == {"age", "job", "region", "income"}
    assert reach.n_read == reach.n_seen == reach.n_measured == 4 and reach.stopped_by == "plan"


def test_the_same_seed_gives_the_same_importance(bench, good):
    frame = bench.rows("validation")
    assert evaluate.permutation_importance(good, frame) == evaluate.permutation_importance(good, frame)


def test_an_error_that_grows_is_a_positive_loss(regression):
    found, _ = evaluate.permutation_importance(regression.bundle(), regression.rows("validation"))
    assert found[0].column == "size" and found[0].loss.low > 100
    assert abs(next(i for i in found if i.column == "noise").loss.value) < 10


def test_rows_of_one_class_say_nothing(bench, good):
    only = bench.rows("validation").filter(pl.col("y") == "yes")
    assert evaluate.permutation_importance(good, only)[0] == ()
