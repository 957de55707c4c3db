from __future__ import annotations

import msgspec
import numpy as np
import polars as pl
import pytest
from sklearn import metrics as sk

from palio import evaluate
from palio.core.errors import InputError
from palio.core.ids import canonical_json, digest_of
from palio.core.records import Evaluation, Task
from palio.evaluate.answers import answer


@pytest.fixture(scope="module")
def scored(bench, good):
    return evaluate.score(good, bench.rows("validation"), part="validation", baseline=(0.5, 0.5))


def test_the_headline_is_that_of_scikit_learn(bench, good, scored):
    frame = bench.rows("validation")
    said = answer(good, frame)
    truth = (frame["y"] == "yes").to_numpy().astype(int)
    assert scored.primary == "roc_auc" and scored.n_rows == frame.height
    assert scored.metrics["roc_auc"].value == pytest.approx(sk.roc_auc_score(truth, said.probabilities[:, 1]))
    assert scored.metrics["accuracy"].value == pytest.approx(sk.accuracy_score(truth, said.prediction))
    assert scored.confusion == tuple(map(tuple, sk.confusion_matrix(truth, said.prediction).tolist()))


def test_an_evaluation_is_named_by_its_content_and_survives_json(bench, good, scored):
    again = evaluate.score(good, bench.rows("validation"), part="validation", baseline=(0.5, 0.5))
    assert again == scored and len(scored.id) == 64
    assert scored.id == digest_of(msgspec.structs.replace(scored, id=""))
    assert msgspec.json.decode(canonical_json(scored), type=Evaluation) == scored


def test_the_baseline_is_the_most_common_class_of_training(bench, good, shares):
    frame = bench.rows("validation")
    known = shares(bench)
    got = evaluate.score(good, frame, part="validation", baseline=known).baseline
    most = bench.task.classes[int(np.argmax(known))]
    assert got["accuracy"].value == pytest.approx((frame["y"] == most).mean())
    assert got["roc_auc"].value == 0.5
    truth = (frame["y"] == "yes").to_numpy().astype(int)
    assert got["log_loss"].value == pytest.approx(sk.log_loss(truth, np.tile(known, (len(truth), 1))))


def test_each_class_curve_and_bin_is_there(scored):
    assert [c.label for c in scored.per_class] == ["no", "yes"]
    assert sum(c.n_rows for c in scored.per_class) == scored.n_rows
    assert [c.name for c in scored.curves] == ["roc", "precision_recall"]
    assert all(len(c.x) == len(c.y) <= 200 for c in scored.curves)
    assert sum(b.n_rows for b in scored.calibration) == scored.n_rows


def test_the_planted_bad_slice_is_found_and_no_other(scored):
    worse = [(s.column, s.condition) for s in scored.slices if s.worse]
    assert ("region", "= north") in worse
    assert {column for column, _ in worse} <= {"region", "age"}
    north = next(s for s in scored.slices if s.condition == "= north")
    assert north.difference.high < 0 and north.score.value < 0.65
    assert any(s.column == "income" and s.condition == "is missing" for s in scored.slices)


def test_the_worst_rows_are_the_surest_mistakes(scored):
    assert len(scored.worst) == 20
    assert all(row.truth != row.prediction for row in scored.worst)
    assert [row.loss for row in scored.worst] == sorted((row.loss for row in scored.worst), reverse=True)
    assert set(scored.worst[0].values) == {"age", "job", "region", "income"}
    assert len({row.row_id for row in scored.worst}) == 20


def test_rows_without_a_known_answer_are_left_out(bench, good):
    frame = bench.rows("validation")
    holes = frame.with_columns(pl.when(pl.int_range(pl.len()) < 100).then(None).otherwise(pl.col("y")).alias("y"))
    assert evaluate.score(good, holes, part="validation").n_rows == frame.height - 100
    with pytest.raises(InputError, match="none of"):
        evaluate.score(good, frame.with_columns(pl.lit(None, pl.String).alias("y")), part="validation")


def test_one_class_alone_cannot_be_ranked(bench, good):
    only = bench.rows("validation").filter(pl.col("y") == "yes")
    with pytest.raises(InputError, match="not defined"):
        evaluate.score(good, only, part="validation")


def test_few_rows_are_scored_without_slices(bench, good):
    few = evaluate.score(good, bench.rows("validation").head(40), part="validation")
    assert few.slices == () and few.metrics["accuracy"].high - few.metrics["accuracy"].low > 0.1


def test_the_gain_over_the_baseline_is_paired_on_the_same_rows(bench, good):
    found = evaluate.score(good, bench.rows("validation"), part="validation", baseline=(0.5, 0.5))
    assert set(found.gains) == {found.primary, "accuracy"}
    for name, gain in found.gains.items():
        assert gain.value == pytest.approx(found.metrics[name].value - found.baseline[name].value)
        assert gain.low <= gain.value <= gain.high
    assert evaluate.score(good, bench.rows("validation"), part="validation").gains == {}


def test_a_baseline_of_the_wrong_size_is_refused(bench, good):
    with pytest.raises(InputError, match="one per class"):
        evaluate.score(good, bench.rows("validation"), part="validation", baseline=(1.0,))


def test_regression_shows_truth_against_prediction_and_what_is_left_over(regression):
    frame = regression.rows("validation")
    got = evaluate.score(regression.bundle(), frame, part="validation", baseline=(float(frame["y"].mean()),))
    assert got.primary == "rmse" and got.metrics["rmse"].value < got.baseline["rmse"].value / 3
    assert got.baseline["r2"].value == pytest.approx(0, abs=1e-9)
    agreed, left = got.curves
    assert (agreed.name, left.name) == ("predicted_actual", "residuals") and len(agreed.x) == 200
    assert np.allclose(np.array(agreed.y) - np.array(agreed.x), left.y, atol=1e-2)
    assert got.confusion == () and got.per_class == () and got.calibration == ()
    assert got.worst[0].loss == pytest.approx(abs(float(got.worst[0].truth) - float(got.worst[0].prediction)), rel=1e-3)


def test_three_classes_are_scored_by_log_loss(benches, frames):
    frame = frames["customers"]().with_columns(pl.col("region").alias("y"), pl.col("y").alias("answer"))
    bench = benches.of_frame(frame.drop("region"))
    got = evaluate.score(bench.bundle(rounds=5), bench.rows("validation"), part="validation", baseline=(1, 1, 1))
    assert got.primary == "log_loss" and len(got.confusion) == len(got.per_class) == 3
    assert got.baseline["log_loss"].value == pytest.approx(np.log(3))
    assert got.curves == ()


def test_another_metric_of_the_task_decides_when_named(bench, good):
    task = Task(kind="classification", target="y", classes=("no", "yes"), positive="yes", metric="brier")
    got = evaluate.score(good, bench.rows("validation"), part="validation", task=task)
    assert got.primary == "brier" and {s.metric for s in got.slices} == {"brier"}
    assert ("region", "= north") in [(s.column, s.condition) for s in got.slices if s.worse]
