"""The bundle's reference is made of answers that no fit had learned from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from palio import data, model, split, train
from palio.core.records import Task
from palio.store import Store, open_store
from palio.train import cutting, unseen
from palio.train.examples import Array
from palio.train.unseen import get_answers, put_answers, score_unseen
from tests.train.conftest import make_ready
from tests.train.small_parts import search

Prepare = Callable[..., Any]
Searched = Callable[[str, str], Any]
TWO = Task(kind="classification", target="y", classes=("no", "yes"))
PRICE = Task(kind="regression", target="y")


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], Any]]:
    """Return a function that gives a table, ready, and what a search found in it: the same for all tests that look."""
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "REPEATED", ((1_000, 2),))  # more than once, since answers to a row are averaged

        @cache
        def look(name: str, policy: str) -> Any:
            ready = make_ready(stack, tmp_path_factory.mktemp(f"{name}-{policy}"), name, policy=policy)
            return ready, search(ready)

        yield look


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with open_store(tmp_path / "store") as opened:
        yield opened


def some_shares(n_rows: int) -> Array:
    p = np.random.default_rng(0).random(n_rows)
    return np.column_stack([1 - p, p])


def test_answers_come_back_by_row(store: Store) -> None:
    shares = some_shares(6)
    rows = np.array([4, 1, 5, 0])
    found = get_answers(store, put_answers(store, rows, shares[rows]), TWO)
    assert found is not None
    assert found.rows.tolist() == [0, 1, 4, 5]
    np.testing.assert_array_equal(found.answers.probabilities, shares[found.rows])  # type: ignore[arg-type]
    assert found.answers.prediction.tolist() == [TWO.classes[k] for k in shares[found.rows].argmax(axis=1)]
    numbers = get_answers(store, put_answers(store, np.arange(2), np.array([[2.5], [-1.0]])), PRICE)
    assert numbers is not None and numbers.answers.probabilities is None
    assert numbers.answers.prediction.tolist() == [2.5, -1.0]


def test_several_answers_to_a_row_are_averaged(store: Store) -> None:
    rows, values = np.array([3, 0, 3]), np.array([[1.0], [5.0], [2.0]])
    found = get_answers(store, put_answers(store, rows, values), PRICE)
    assert found is not None
    assert (found.rows.tolist(), found.answers.prediction.tolist()) == ([0, 3], [5.0, 1.5])


def test_many_answers_are_thinned_evenly(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unseen, "MAX_ROWS", 100)
    found = get_answers(store, put_answers(store, np.arange(950), some_shares(950)), TWO)
    assert found is not None
    assert found.rows.tolist() == list(range(0, 950, 10))
    np.testing.assert_array_equal(found.answers.probabilities, some_shares(950)[::10])  # type: ignore[arg-type]


def test_answers_that_were_not_kept_or_are_gone_are_none(store: Store) -> None:
    assert get_answers(store, None, TWO) is None
    assert get_answers(store, "0" * 64, TWO) is None


@pytest.mark.parametrize("name", ["cancer", "diabetes"])
def test_of_one_holdout_the_reference_holds_the_validation_part(
    prepare: Prepare, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutting, "HOLDOUT_ROWS", 50)
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


def test_folds_are_cut_of_train_and_validation_together(searched: Searched) -> None:
    ready, found = searched("cancer", "60-20-20")
    bundle = model.load(ready.store, found.bundle)
    reference, rows = bundle.reference(), bundle.reference_rows()
    assert reference is not None and rows is not None
    assert reference.n_scored == reference.n_rows == ready.parts.counts["train"] + ready.parts.counts["validation"]
    frames = [split.read(ready.store, ready.snapshot, ready.parts, part) for part in ("train", "validation")]
    column = ready.snapshot.schema.features[0].name
    known = sorted(float(value) for frame in frames for value in frame[column])
    assert sorted(rows[f"input.{column}"].tolist()) == known
    assert bundle.manifest.metrics["validation"]


@pytest.mark.parametrize("name", ["cancer", "wine", "diabetes"])
def test_without_a_validation_part_the_reference_holds_answers_out_of_fold(searched: Searched, name: str) -> None:
    ready, found = searched(name, "cv")
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
        found = train.search(opened, snapshot, parts, task=task, trials=3, engine="inline", families=("linear",))
        bundle = model.load(opened, found.bundle)
        reference, rows = bundle.reference(), bundle.reference_rows()
        both = [split.read(opened, snapshot, parts, part) for part in ("train", "validation")]
        learned = pl.concat(both).sort("when")
    assert reference is not None and rows is not None
    assert reference.in_time_order
    assert rows["truth"].tolist() == learned["y"].tail(len(rows["truth"])).to_list()
    assert np.bincount(rows["block"]).max() - np.bincount(rows["block"]).min() <= 1


def test_a_search_that_lost_its_answers_still_gives_a_bundle(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unseen, "get_answers", lambda *_, **__: None)
    monkeypatch.setattr(cutting, "REPEATED", ())
    ready = prepare("wine")
    bundle = model.load(ready.store, search(ready).bundle)
    assert bundle.reference_rows() is None
    assert bundle.graph.predict(bundle.golden().feeds).prediction is not None


def test_answers_are_kept_of_the_champion_alone(searched: Searched) -> None:
    _, found = searched("wine", "cv")
    assert [run.id for run in found.runs if run.answers] == [found.chosen]


@pytest.mark.parametrize(("name", "policy"), [("cancer", "60-20-20"), ("cancer", "cv"), ("diabetes", "cv")])
def test_the_score_on_unseen_rows_is_that_of_the_candidate(searched: Searched, name: str, policy: str) -> None:
    ready, found = searched(name, policy)
    run = next(run for run in found.runs if run.id == found.chosen)
    told = score_unseen(ready.store, ready.snapshot, ready.parts, found, task=ready.task, first_row=0)
    assert told is not None and told.low <= told.value <= told.high
    score, n_rows = told.value, told.n_rows
    counts = ready.parts.counts
    assert n_rows == counts["train"] + counts.get("validation", 0)
    assert run.cv_score is not None and score == pytest.approx(run.cv_score, rel=0.1)
    late = ready.snapshot.n_rows * 3 // 4
    few = score_unseen(ready.store, ready.snapshot, ready.parts, found, task=ready.task, first_row=late)
    places = [split.part_places(ready.store, ready.parts, part) for part in ("train", "validation")]
    newest = int((np.concatenate(places) >= late).sum())
    assert few is None if newest < 50 else few is not None and few.n_rows == newest


def test_nothing_is_said_of_candidates_whose_answers_were_not_kept(searched: Searched) -> None:
    ready, found = searched("cancer", "cv")
    bare = msgspec.structs.replace(
        found, runs=tuple(msgspec.structs.replace(run, answers=None) for run in found.runs)
    )  # fmt: skip
    assert score_unseen(ready.store, ready.snapshot, ready.parts, bare, task=ready.task, first_row=0) is None
