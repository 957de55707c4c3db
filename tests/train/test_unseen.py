"""The bundle's reference is made of answers that no fit had learned from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from palio import data, measure, model, split, train
from palio.core.records import Search, Task
from palio.model import Outputs
from palio.store import Store, open_store
from palio.train import unseen
from palio.train.table import load_family
from palio.train.trial import Bar, Fold, try_out
from palio.train.unseen import get_answers, put_answers, score_unseen

Prepare = Callable[..., Any]
TWO = Task(kind="classification", target="y", classes=("no", "yes"))
PRICE = Task(kind="regression", target="y")


@pytest.fixture(autouse=True)
def _few_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("palio.train.plan.MAX_TRIALS", 4)


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with open_store(tmp_path / "store") as opened:
        yield opened


def search(ready: Any, **changes: Any) -> Search:
    return train.search(
        ready.store, ready.snapshot, ready.parts, task=ready.task, budget_s=120.0, families=("linear",), **changes
    )


def outputs(n_rows: int) -> Outputs:
    p = np.random.default_rng(0).random(n_rows)
    shares = np.column_stack([1 - p, p])
    return Outputs(prediction=np.array(TWO.classes, dtype=object)[shares.argmax(axis=1)], probabilities=shares)


def test_answers_come_back_by_row(store: Store) -> None:
    answers = outputs(6)
    halves = [
        (np.array(rows), Outputs(answers.prediction[rows], answers.probabilities[rows]))  # type: ignore[index]
        for rows in ([4, 1], [5, 0])
    ]
    found = get_answers(store, put_answers(store, halves, n_rows=6), TWO)
    assert found is not None
    assert found.rows.tolist() == [0, 1, 4, 5]
    np.testing.assert_array_equal(found.answers.probabilities, answers.probabilities[found.rows])  # type: ignore[index]
    assert found.answers.prediction.tolist() == answers.prediction[found.rows].tolist()
    values = np.array([2.5, -1.0])
    numbers = get_answers(store, put_answers(store, [(np.arange(2), Outputs(values))], n_rows=2), PRICE)
    assert numbers is not None and numbers.answers.probabilities is None
    assert numbers.answers.prediction.tolist() == values.tolist()


def test_many_answers_are_thinned_evenly(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unseen, "MAX_ROWS", 100)
    found = get_answers(store, put_answers(store, [(np.arange(950), outputs(950))], n_rows=950), TWO)
    assert found is not None
    assert found.rows.tolist() == list(range(0, 950, 10))
    np.testing.assert_array_equal(found.answers.probabilities, outputs(950).probabilities[::10])  # type: ignore[index]


def test_answers_that_were_not_kept_or_are_gone_are_none(store: Store) -> None:
    assert get_answers(store, None, TWO) is None
    assert get_answers(store, "0" * 64, TWO) is None


@pytest.mark.parametrize("name", ["cancer", "wine", "diabetes"])
def test_with_a_validation_part_the_reference_holds_its_rows(prepare: Prepare, name: str) -> None:
    ready = prepare(name, policy="60-20-20")
    found = search(ready)
    bundle = model.load(ready.store, found.bundle)
    reference, rows = bundle.reference(), bundle.reference_rows()
    assert reference is not None and rows is not None
    counts = ready.parts.counts
    assert reference.n_rows == counts["train"] + counts["validation"]
    assert reference.n_scored == len(rows["truth"]) == counts["validation"]
    validation = split.read(ready.store, ready.snapshot, ready.parts, "validation")
    column = ready.snapshot.schema.features[0].name
    np.testing.assert_array_equal(rows[f"input.{column}"], validation[column].cast(float).to_numpy())
    assert rows["truth"].tolist() == validation["y"].to_list()
    # the figures are those of the fit that had not seen the rows
    for metric, value in bundle.manifest.metrics["validation"].items():
        assert reference.quality[metric].value == pytest.approx(value)


@pytest.mark.parametrize("name", ["cancer", "wine", "diabetes"])
def test_without_a_validation_part_the_reference_holds_answers_out_of_fold(prepare: Prepare, name: str) -> None:
    ready = prepare(name, policy="cv")
    found = search(ready)
    bundle = model.load(ready.store, found.bundle)
    reference, rows = bundle.reference(), bundle.reference_rows()
    assert reference is not None and rows is not None
    assert reference.n_rows == reference.n_scored == len(rows["truth"]) == ready.parts.counts["train"]
    frame = split.read(ready.store, ready.snapshot, ready.parts, "train")
    column = ready.snapshot.schema.features[0].name
    np.testing.assert_array_equal(rows[f"input.{column}"], frame[column].cast(float).to_numpy())
    assert rows["truth"].tolist() == frame["y"].to_list()
    answers = bundle.graph.predict(model.feeds_from_frame(frame, ready.snapshot.schema))
    if name == "diabetes":
        seen = abs(answers.prediction - data.target_array(frame, ready.task)).mean()
        assert reference.quality["mae"].value > seen  # than on rows that the champion learned from
    else:
        assert reference.quality["accuracy"].value < (answers.prediction == rows["truth"]).mean() + 0.02
    assert (rows["prediction"] != answers.prediction).any()


def test_rows_are_in_the_order_of_time_where_the_data_has_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n = 600
    moments = np.datetime64("2026-01-01", "us") + rng.permutation(n) * np.timedelta64(1, "h")
    x = rng.normal(size=n)
    frame = pl.DataFrame({"x": x, "when": moments, "y": x * 2 + rng.normal(size=n)})
    frame.write_csv(tmp_path / "table.csv")
    with open_store(tmp_path) as opened:
        source = data.open_source(tmp_path / "table.csv")
        schema = msgspec.structs.replace(data.survey(source, target="y").schema, time=("when",))
        snapshot = data.ingest(source, store=opened, schema=schema)
        task = data.infer_task(opened, snapshot)
        parts = split.cut(opened, snapshot, task=task, policy="60-20-20")
        found = train.search(opened, snapshot, parts, task=task, budget_s=120.0, families=("linear",))
        bundle = model.load(opened, found.bundle)
        reference, rows = bundle.reference(), bundle.reference_rows()
        scored = split.read(opened, snapshot, parts, "validation").sort("when")
    assert reference is not None and rows is not None
    assert reference.in_time_order
    assert rows["truth"].tolist() == scored["y"].to_list()
    assert np.bincount(rows["block"]).max() - np.bincount(rows["block"]).min() <= 1


def test_a_search_that_lost_its_answers_still_gives_a_bundle(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unseen, "get_answers", lambda *_: None)
    ready = prepare("wine")
    bundle = model.load(ready.store, search(ready).bundle)
    assert bundle.reference_rows() is None
    assert bundle.graph.predict(bundle.golden().feeds).prediction is not None


def test_only_a_trial_that_is_the_best_of_its_family_keeps_its_answers() -> None:
    from palio.testing.family import TASKS, examples_of
    from tests.train.small_parts import terms

    task = TASKS["two classes"]
    examples = examples_of(task)
    which = np.arange(len(examples.target)) % 3
    cut = [
        Fold(examples.take(np.flatnonzero(which != k)), examples.take(rows), rows=rows)
        for k in range(3)
        for rows in [np.flatnonzero(which == k)]
    ]
    kept: list[Any] = []

    def keep(answers: Any) -> str:
        kept.append(answers)
        return "a" * 64

    family, how = load_family("linear"), {"terms": terms(task, "roc_auc"), "trial": 1, "keep": keep}
    run = try_out(family, {"penalty": 1.0}, cut, **how)
    assert run.answers == "a" * 64
    (answers,) = kept
    truth = np.concatenate([examples.target[rows] for rows, _ in answers])
    probabilities = np.concatenate([one.probabilities for _, one in answers])
    scored = measure.score(
        task, truth, measure.Answers(probabilities.argmax(axis=1), probabilities), names=("roc_auc",)
    )
    assert scored["roc_auc"] == pytest.approx(run.cv_score, abs=0.05)
    better = (0.999999,) * 3
    again = try_out(family, {"penalty": 1.0}, cut, **how, bar=Bar(best=(0.5,) * 3, own=better, dummy=(0.5,) * 3))
    assert (again.status, again.answers, len(kept)) == ("done", None, 1)


@pytest.mark.parametrize(("name", "policy"), [("cancer", "60-20-20"), ("cancer", "cv"), ("diabetes", "cv")])
def test_the_score_on_unseen_rows_is_that_of_the_candidate(prepare: Prepare, name: str, policy: str) -> None:
    ready = prepare(name, policy=policy)
    found = search(ready)
    run = next(run for run in found.runs if run.id == found.chosen)
    told = score_unseen(ready.store, ready.snapshot, ready.parts, found, task=ready.task, first_row=0)
    assert told is not None and told.low <= told.value <= told.high
    score, n_rows = told.value, told.n_rows
    part = "train" if policy == "cv" else "validation"
    assert n_rows == ready.parts.counts[part]
    if policy == "cv":
        assert run.cv_score is not None and score == pytest.approx(run.cv_score, rel=0.1)
    else:
        assert score == pytest.approx(run.validation[found.metric])
    late = ready.snapshot.n_rows * 3 // 4
    few = score_unseen(ready.store, ready.snapshot, ready.parts, found, task=ready.task, first_row=late)
    newest = int((split.part_places(ready.store, ready.parts, part) >= late).sum())
    assert few is None if newest < 50 else few is not None and few.n_rows == newest


def test_nothing_is_said_of_candidates_whose_answers_were_not_kept(prepare: Prepare) -> None:
    ready = prepare("cancer", policy="cv")
    found = search(ready)
    bare = msgspec.structs.replace(
        found, runs=tuple(msgspec.structs.replace(run, answers=None) for run in found.runs)
    )  # fmt: skip
    assert score_unseen(ready.store, ready.snapshot, ready.parts, bare, task=ready.task, first_row=0) is None
