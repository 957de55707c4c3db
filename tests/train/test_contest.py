from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
import sqlalchemy as sa

from palio import data, model, split
from palio.core.errors import InputError, PalioError
from palio.core.records import Parts, Run, Search, SearchPlan, Snapshot
from palio.store import open_store
from palio.train import cutting
from palio.train.families.linear import Linear
from palio.train.trial import Trial
from tests.train import odd_families as odd
from tests.train.small_parts import search

Ready = Any
Prepare = Callable[..., Any]
N_TRIALS = 6


@pytest.fixture(autouse=True)
def _folds_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the searches short: cross-validation of small tables is not repeated."""
    monkeypatch.setattr(cutting, "REPEATED", ())


def chosen(found: Search) -> Run:
    return next(run for run in found.runs if run.chosen)


class Listener:
    """Hears sentences, and is interrupted after some trials."""

    def __init__(self, interrupt_after: int = 10**9) -> None:
        self.sentences: list[str] = []
        self.left = interrupt_after

    def say(self, text: str) -> None:
        self.sentences.append(text)
        if text.startswith("Trial"):
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt

    def step(self, name: str, done: float, total: float | None = None) -> None:
        pass


@pytest.mark.parametrize("name", ["cancer", "wine", "diabetes"])
def test_a_search_gives_a_bundle_that_beats_the_dummy(prepare: Prepare, name: str) -> None:
    ready = prepare(name)
    found = search(ready, families=("dummy", "linear", "lightgbm", "forest"), trials=5)
    manifest = model.load(ready.store, found.bundle).manifest
    dummy = next(run for run in found.runs if run.family == "dummy")
    sign = -1 if found.metric in ("rmse", "log_loss") else 1
    assert {run.family for run in found.runs} >= {"dummy", "linear", "lightgbm", "forest"}
    assert sign * (chosen(found).cv_score or 0) > sign * (dummy.cv_score or 0)
    assert found.stopped_by == "plan"
    assert sum(not run.members for run in found.runs) == 5
    assert manifest.metrics["cross_validation"][found.metric] == pytest.approx(chosen(found).cv_score)
    assert manifest.parts == ready.parts.id
    assert len(manifest.parity) >= 2 and all(parity.passed for parity in manifest.parity)
    assert found.reasons and all(reason.endswith(".") for reason in found.reasons)


def test_the_same_search_ends_the_same_in_this_process_and_with_one_and_two_workers(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = search(prepare("cancer", "here"), trials=N_TRIALS)
    again = search(prepare("cancer", "again"), trials=N_TRIALS)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    alone = search(prepare("cancer", "alone"), trials=N_TRIALS, engine="local")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    two = search(prepare("cancer", "two"), trials=N_TRIALS, engine="local")
    for other in (again, alone, two):
        assert (other.bundle, other.chosen, other.id) == (here.bundle, here.chosen, here.id)
        assert [run.params for run in other.runs] == [run.params for run in here.runs]
        assert [run.cv_score for run in other.runs] == [run.cv_score for run in here.runs]


def test_families_that_had_no_trial_are_told_together_and_the_clock_is_not_blamed_for_a_number(
    prepare: Prepare,
) -> None:
    found = search(prepare("wine"), families=("dummy", "linear", "lightgbm", "forest"), trials=2)
    told = [reason for reason in found.reasons if "left out" in reason]
    assert told == ["lightgbm and forest were left out: all trials that were asked for went to others."]


def test_a_search_that_has_ended_is_returned_as_it_is(prepare: Prepare) -> None:
    ready = prepare("wine")
    first = search(ready)
    assert search(ready) == first


def test_an_interrupted_search_goes_on_and_ends_the_same(prepare: Prepare) -> None:
    whole = search(prepare("wine", "whole"), trials=N_TRIALS)
    broken, listener = prepare("wine", "broken"), Listener(interrupt_after=4)
    with pytest.raises(KeyboardInterrupt):
        search(broken, trials=N_TRIALS, progress=listener)
    assert "run the same command again" in listener.sentences[-1]
    assert len(broken.store.records.all(Trial)) == 4
    resumed = search(broken, trials=N_TRIALS)
    assert (resumed.bundle, resumed.chosen) == (whole.bundle, whole.chosen)


SCRIPT = """
import sys
from pathlib import Path
from palio import train
from palio.core.records import Parts, Snapshot, Task
from palio.store import open_store
from palio.train import cutting
import msgspec
cutting.REPEATED = ()
class Speaker:
    def say(self, text): print(text, flush=True)
    def step(self, name, done, total=None): pass
with open_store(Path(sys.argv[1])) as store:
    snapshot, parts = store.records.all(Snapshot)[0], store.records.all(Parts)[0]
    task = msgspec.json.decode(sys.argv[2], type=Task)
    train.search(store, snapshot, parts, task=task, trials=int(sys.argv[3]), engine="local",
                 families=("dummy", "linear"), progress=Speaker())
"""


def test_a_killed_search_goes_on_and_ends_the_same(prepare: Prepare) -> None:
    whole = search(prepare("wine", "whole"), trials=N_TRIALS)
    killed = prepare("wine", "killed")
    task = msgspec.json.encode(killed.task).decode()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(killed.folder), task, str(N_TRIALS)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Trial 1"):
            os.kill(process.pid, signal.SIGKILL)
            break
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    assert killed.store.records.all(Trial) and not killed.store.records.all(Search)
    resumed = search(killed, trials=N_TRIALS)
    assert (resumed.bundle, resumed.chosen) == (whole.bundle, whole.chosen)


def forget(ready: Ready, *kinds: type) -> None:
    """Take records out of the store, as nobody does."""
    engine = sa.create_engine(f"sqlite:///{next(ready.folder.rglob('ledger.db'))}")
    with engine.begin() as connection:
        for kind in kinds:
            gone = connection.execute(sa.text("DELETE FROM palio_records WHERE kind = :kind"), {"kind": kind.__name__})
            assert gone.rowcount
    engine.dispose()


def test_a_rerun_follows_the_plan_and_ends_the_same(prepare: Prepare) -> None:
    ready = prepare("cancer", n_columns=30)
    settings: dict[str, Any] = {"trials": 0, "budget_s": 6.0, "families": ("dummy", "linear", "lightgbm")}
    first = search(ready, **settings)
    assert first.stopped_by == "time"
    (plan,) = ready.store.records.all(SearchPlan)
    assert (plan.id, plan.chosen) == (first.plan, first.chosen)
    assert [step.number for step in plan.steps] == sorted(step.number for step in plan.steps)
    forget(ready, Search, Trial)
    again = search(ready, **settings)
    assert (again.bundle, again.chosen, again.plan, again.id) == (first.bundle, first.chosen, first.plan, first.id)
    assert [run.cv_score for run in again.runs if run.status == "done"] == [
        run.cv_score for run in first.runs if run.status == "done"
    ]
    assert any("an earlier run" in reason for reason in again.reasons)


@pytest.mark.parametrize("engine", ["inline", "local"])
@pytest.mark.parametrize("budget_s", [1e-9, 0.05])
def test_a_clock_that_is_over_before_it_begins_still_gives_a_model(
    prepare: Prepare, budget_s: float, engine: str
) -> None:
    ready = prepare("cancer")
    started = time.monotonic()
    found = search(ready, trials=0, budget_s=budget_s, families=(), engine=engine)
    assert time.monotonic() - started < 60
    assert model.load(ready.store, found.bundle).manifest.family
    assert found.stopped_by == "time"
    assert any("no time for it" in reason for reason in found.reasons)


def test_the_clock_stops_a_search_that_is_slower_than_it_says(prepare: Prepare) -> None:
    found = search(prepare("cancer"), trials=0, budget_s=5.0, families=("dummy", odd.Slow()))
    assert found.stopped_by == "time", found
    assert found.bundle
    assert any("ended the search" in reason for reason in found.reasons)


@pytest.mark.parametrize("family", [odd.Hanging(), odd.Aborting()], ids=["hanging", "aborting"])
def test_a_family_that_never_ends_or_crashes_costs_a_sentence(prepare: Prepare, family: Any) -> None:
    ready = prepare("wine")
    started = time.monotonic()
    found = search(ready, trials=0, budget_s=12.0, families=("dummy", "linear", family), engine="local")
    assert time.monotonic() - started < 40
    assert model.load(ready.store, found.bundle).manifest.family
    assert any(reason.startswith(f"Warning: no trial of {family.name} came to its end: ") for reason in found.reasons)


def test_a_broken_family_is_recorded_and_told_and_the_search_goes_on(prepare: Prepare) -> None:
    found = search(prepare("wine"), families=("dummy", odd.Broken(), odd.Refusing(), "linear"))
    runs = {run.family: run for run in found.runs}
    assert (runs["broken"].status, runs["broken"].reason) == ("failed", "ZeroDivisionError: the author forgot")
    assert chosen(found).family == "linear"
    assert "Warning: every trial of refusing failed: no such thing." in found.reasons


def test_a_search_in_which_all_that_learn_crash_names_the_reason_and_not_the_features(prepare: Prepare) -> None:
    class Other(odd.Broken):
        name = "other"

    with pytest.raises(PalioError, match="every family failed") as caught:
        search(prepare("wine"), families=("dummy", odd.Broken(), Other()))
    assert "broken, other: ZeroDivisionError: the author forgot" in caught.value.message
    assert "features" not in str(caught.value)
    assert set(caught.value.facts["failed"]) == {"broken", "other"}


def table(prepare: Prepare, frame: pl.DataFrame, *, group: str | None = None, metric: str = "auto") -> Ready:
    """Cut rows of one's own in the store of a table that is prepared already."""
    ready = prepare("wine")
    path = ready.folder / "own.csv"
    frame.write_csv(path)
    schema = data.survey(data.open_source(path), target="y", group=group or "").schema
    snapshot = data.ingest(data.open_source(path), store=ready.store, schema=schema)
    task = data.infer_task(ready.store, snapshot, metric=metric)
    parts = split.cut(ready.store, snapshot, task=task)
    return dataclasses.replace(ready, snapshot=snapshot, task=task, parts=parts)


def test_a_metric_that_no_look_can_give_is_refused_before_anything_is_tried(prepare: Prepare) -> None:
    rows = pl.DataFrame({"g": [f"g{i // 10}" for i in range(80)], "x": [float(i * i % 83) for i in range(80)]})
    ill = rows.with_columns(y=pl.when(pl.col("g") == "g3").then(pl.lit("ill")).otherwise(pl.lit("well")))
    ready = table(prepare, ill, group="g")
    assert "`roc_auc` is not defined on test: every row is `well`" in ready.parts.warnings
    with pytest.raises(InputError, match="`roc_auc` is not defined on the 20 rows of the sealed test part") as caught:
        search(ready)
    assert "bring more groups with `ill`" in caught.value.hint and 'metric = "log_loss"' in caught.value.hint
    assert "seed" not in caught.value.hint and "method" not in caught.value.hint
    assert not ready.store.records.all(Trial)


def test_a_search_announces_who_tries(prepare: Prepare) -> None:
    heard = Listener()
    search(prepare("cancer"), trials=2, progress=heard)
    assert heard.sentences[0] == "dummy and linear compete, scored on 5 folds."


def test_a_few_rows_are_cut_several_times(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "REPEATED", ((1_000, 3),))
    heard, ready = Listener(), prepare("cancer")
    found = search(ready, trials=2, progress=heard)
    assert heard.sentences[0].endswith("scored on 5 folds, 3 times over.")
    assert all(len(run.fold_scores) == 15 for run in found.runs)
    reference = model.load(ready.store, found.bundle).reference()
    assert reference is not None and reference.n_scored == ready.parts.counts["train"]


def test_a_family_that_cannot_be_exported_loses_to_the_next(prepare: Prepare) -> None:
    class Lying(Linear):
        name = "lying"

        def fit(self, examples: Any, **settings: Any) -> Any:
            fitted = super().fit(examples, **settings)
            return dataclasses.replace(fitted, answer=lambda X: _shifted(fitted.answer(X)))

    def _shifted(outputs: Any) -> Any:
        return type(outputs)(outputs.prediction, outputs.probabilities * 0.999)

    found = search(prepare("cancer"), families=("dummy", Lying()))
    assert chosen(found).family == "dummy"
    assert any("lying is out: its graph differs from its library" in reason for reason in found.reasons)


def test_a_search_in_which_no_trial_can_be_scored_says_why(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("palio.train.work.score", lambda *_, **__: {})
    with pytest.raises(PalioError, match="undefined on every fold") as caught:
        search(prepare("cancer"))
    assert "choose another metric than roc_auc" in caught.value.hint


def test_limits_that_nothing_meets_are_a_warning(prepare: Prepare) -> None:
    found = search(prepare("wine"), size_mb=1e-6)
    assert any(reason.startswith("Warning: no model meets the limits") for reason in found.reasons)
    assert chosen(found).family != "dummy"


def test_many_rows_are_scored_on_the_validation_part(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "HOLDOUT_ROWS", 100)
    heard, ready = Listener(), prepare("cancer", policy="60-20-20")
    found = search(ready, progress=heard)
    assert "one fit each scored on 115 validation rows" in heard.sentences[0]
    assert all(len(run.fold_scores) == 10 for run in found.runs)
    validation = model.load(ready.store, found.bundle).manifest.metrics["validation"]
    assert validation[found.metric] == pytest.approx(chosen(found).cv_score, abs=0.1)


def test_of_many_rows_the_best_are_learned_from_after_some_were_tried_on_a_part(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutting, "HOLDOUT_ROWS", 100)
    monkeypatch.setattr(cutting, "RUNG_ROWS", 60)
    monkeypatch.setattr(cutting, "SCORED_ROWS", 60)
    heard, ready = Listener(), prepare("cancer", policy="60-20-20")
    found = search(ready, progress=heard, families=("dummy", "linear", "lightgbm"), trials=5)
    n_train = ready.parts.counts["train"]
    assert f"compete on 60 rows, the best of them on up to {n_train} of {n_train}, scored on" in heard.sentences[0]
    assert any("learned from a part of the rows" in said for said in heard.sentences)
    assert chosen(found).status == "done" and len(chosen(found).fold_scores) == 10
    (plan,) = ready.store.records.all(SearchPlan)
    whole = {step.candidate for step in plan.steps if step.candidate != step.number}
    assert whole and chosen(found).trial in whole | {chosen(found).trial + 1_000_000}
    assert model.load(ready.store, found.bundle).manifest.trained_on == ("train", "validation")
    forget(ready, Search, Trial)
    again = search(ready, families=("dummy", "linear", "lightgbm"), trials=5)
    assert (again.bundle, again.chosen) == (found.bundle, found.chosen)


def test_where_the_budget_allows_a_part_of_the_rows_alone_that_is_said(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutting, "HOLDOUT_ROWS", 100)
    monkeypatch.setattr(cutting, "RUNG_ROWS", 25)
    monkeypatch.setattr(cutting, "CELLS_A_SECOND", 1)
    ready = prepare("cancer", policy="60-20-20")
    found = search(ready, families=("dummy", "linear"), trials=0, budget_s=8.0)
    n_rows = ready.parts.counts["train"] + ready.parts.counts["validation"]
    said = [f"the model learned from {n_learned} of {n_rows}." for n_learned in (25, 50, 100)]
    assert any(one in reason for one in said for reason in found.reasons)
    assert model.load(ready.store, found.bundle).manifest.trained_on == ("train",)


def test_what_was_too_short_under_one_budget_is_no_part_of_another(prepare: Prepare) -> None:
    """A search by count ends the same, whatever was tried before it under a clock."""
    clean, used = prepare("cancer", "clean", n_columns=30), prepare("cancer", "used", n_columns=30)
    families = ("dummy", "linear", "lightgbm")
    search(used, trials=0, budget_s=2.0, families=families)
    assert search(used, trials=4, families=families).bundle == search(clean, trials=4, families=families).bundle


def test_the_learning_curve_is_kept_and_told_and_no_part_of_the_bundle(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = search(prepare("cancer", "one"))
    assert found.learning is None  # quarters of 364 rows are too few to say anything
    monkeypatch.setattr("palio.train.learning.LEAST_ROWS", 10)
    drawn = search(prepare("cancer", "two"))
    assert drawn.learning is not None
    assert any("ore rows would " in reason for reason in drawn.reasons)
    assert (drawn.bundle, drawn.chosen, drawn.id) == (found.bundle, found.chosen, found.id)


@pytest.mark.parametrize(
    ("settings", "word"),
    [({"budget_s": 0.0}, "budget_s"), ({"families": ("linnear",)}, "linnear"), ({"metric": "rmse"}, "rmse")],
)
def test_settings_that_make_no_sense_are_refused(prepare: Prepare, settings: dict[str, Any], word: str) -> None:
    with pytest.raises(InputError, match=word) as caught:
        search(prepare("wine"), **settings)
    assert caught.value.hint


def test_the_metric_decides_what_is_aimed_at(prepare: Prepare) -> None:
    ready = prepare("cancer")
    found = search(ready, metric="accuracy")
    assert found.metric == "accuracy"
    assert model.load(ready.store, found.bundle).manifest.task.metric == "accuracy"


def test_a_reopened_store_holds_the_search(prepare: Prepare) -> None:
    ready = prepare("wine")
    found = search(ready)
    with open_store(Path(ready.folder)) as again:
        assert again.records.get(Search, found.id) == found
        assert again.records.all(Snapshot)[0].id == ready.snapshot.id
        assert again.records.all(Parts)[0].id == ready.parts.id
