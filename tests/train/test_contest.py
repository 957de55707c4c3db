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

from palio import data, model, split, train
from palio.core.errors import InputError, PalioError
from palio.core.records import Parts, Run, Search, Snapshot
from palio.store import open_store
from palio.train import contest
from palio.train.families.dummy import Dummy
from palio.train.families.linear import Linear

Ready = Any
Prepare = Callable[..., Any]
FAST: tuple[str, ...] = ("dummy", "linear", "lightgbm")
BUDGET_S = 120.0
N_TRIALS = 6


@pytest.fixture(autouse=True)
def _few_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the searches short by the number of their trials, so that the clock never cuts one."""
    monkeypatch.setattr("palio.train.plan.MAX_TRIALS", N_TRIALS)


def search(ready: Ready, **changes: Any) -> Search:
    settings: dict[str, Any] = {"budget_s": BUDGET_S, "families": FAST} | changes
    return train.search(ready.store, ready.snapshot, ready.parts, task=ready.task, **settings)


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
    found = search(ready, families=(), budget_s=6 * BUDGET_S)  # enough for the whole plan on a busy machine
    manifest = model.load(ready.store, found.bundle).manifest
    best = {run.family: run for run in found.runs if run.cost is not None}
    chosen = next(run for run in found.runs if run.chosen)
    sign = -1 if found.metric in ("rmse", "log_loss") else 1
    assert set(best) == {"dummy", "linear", "lightgbm", "forest"}
    assert sign * chosen.cv_score > sign * best["dummy"].cv_score
    assert found.stopped_by == "plan"
    assert len(found.runs) == found.n_trials_planned
    assert manifest.metrics["cross_validation"][found.metric] == pytest.approx(chosen.cv_score)
    assert manifest.parts == ready.parts.id
    assert len(manifest.parity) == 2 and all(parity.passed for parity in manifest.parity)
    assert found.reasons and all(reason.endswith(".") for reason in found.reasons)


def test_the_same_search_twice_gives_the_same_bundle(prepare: Prepare) -> None:
    # enough for the whole plan on a busy machine: a search that the clock cuts may end otherwise
    first, second = (search(prepare("cancer", name), budget_s=3 * BUDGET_S) for name in ("one", "two"))
    assert first.stopped_by == second.stopped_by == "plan"
    assert first.bundle == second.bundle
    assert [run.params for run in first.runs] == [run.params for run in second.runs]
    assert [run.cv_score for run in first.runs] == [run.cv_score for run in second.runs]


def test_a_search_that_has_ended_is_returned_as_it_is(prepare: Prepare) -> None:
    ready = prepare("wine")
    first = search(ready)
    assert search(ready) == first


def test_an_interrupted_search_goes_on_and_ends_the_same(prepare: Prepare) -> None:
    whole = search(prepare("wine", "whole"))
    broken, listener = prepare("wine", "broken"), Listener(interrupt_after=4)
    with pytest.raises(KeyboardInterrupt):
        search(broken, progress=listener)
    assert "run the same command again" in listener.sentences[-1]
    assert len(broken.store.records.all(Run)) == 4
    resumed = search(broken)
    assert resumed.bundle == whole.bundle
    assert resumed.chosen == whole.chosen


SCRIPT = """
import sys
from pathlib import Path
from palio import train
from palio.core.records import Parts, Snapshot, Task
from palio.store import open_store
import msgspec
import palio.train.plan
palio.train.plan.MAX_TRIALS = int(sys.argv[4])
class Speaker:
    def say(self, text): print(text, flush=True)
    def step(self, name, done, total=None): pass
with open_store(Path(sys.argv[1])) as store:
    snapshot, parts = store.records.all(Snapshot)[0], store.records.all(Parts)[0]
    task = msgspec.json.decode(sys.argv[2], type=Task)
    train.search(store, snapshot, parts, task=task, budget_s=float(sys.argv[3]),
                 families=("dummy", "linear", "lightgbm"), progress=Speaker())
"""


def test_a_killed_search_goes_on_and_ends_the_same(prepare: Prepare) -> None:

    whole = search(prepare("wine", "whole"))
    killed = prepare("wine", "killed")
    task = msgspec.json.encode(killed.task).decode()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(killed.folder), task, str(BUDGET_S), str(N_TRIALS)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Trial 2"):
            os.kill(process.pid, signal.SIGKILL)
            break
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    assert 1 <= len(killed.store.records.all(Run)) < whole.n_trials_planned
    assert search(killed).bundle == whole.bundle


def test_a_tiny_budget_still_gives_a_model(prepare: Prepare) -> None:
    ready = prepare("cancer")
    started = time.monotonic()
    found = search(ready, budget_s=0.05, families=())
    assert time.monotonic() - started < 60
    assert model.load(ready.store, found.bundle).manifest.family == "dummy"
    assert "linear was left out: one trial of it would break the budget." in found.reasons


def test_the_clock_stops_a_search_that_is_slower_than_planned(prepare: Prepare) -> None:
    class Slow(Linear):
        name = "slow"

        def fit(self, examples: Any, **settings: Any) -> Any:
            time.sleep(0.6)
            return super().fit(examples, **settings)

        def seconds(self, shape: Any) -> float:
            return 0.01

    ready = prepare("cancer")
    found = search(ready, budget_s=4.0, families=("dummy", Slow()))
    assert found.stopped_by == "time"
    assert found.bundle
    assert any("ended the search" in reason for reason in found.reasons)


def test_a_broken_family_is_recorded_and_the_search_goes_on(prepare: Prepare) -> None:
    class Broken(Dummy):
        name = "broken"

        def fit(self, examples: Any, **settings: Any) -> Any:
            raise ZeroDivisionError("the author forgot\na case")

    ready = prepare("wine")
    found = search(ready, families=("dummy", Broken(), "linear"))
    run = next(run for run in found.runs if run.family == "broken")
    assert (run.status, run.reason) == ("failed", "ZeroDivisionError: the author forgot")
    assert next(run for run in found.runs if run.chosen).family == "linear"


def test_a_search_in_which_all_that_learn_crash_names_the_reason_and_not_the_features(prepare: Prepare) -> None:
    class Broken(Dummy):
        name = "broken"

        def fit(self, examples: Any, **settings: Any) -> Any:
            raise ZeroDivisionError("the author forgot")

    class Other(Broken):
        name = "other"

    with pytest.raises(PalioError, match="every family failed") as caught:
        search(prepare("wine"), families=("dummy", Broken(), Other()))
    assert "broken, other: ZeroDivisionError: the author forgot" in caught.value.message
    assert "features" not in str(caught.value)
    assert set(caught.value.facts["failed"]) == {"broken", "other"}


def test_a_family_that_failed_is_told_though_another_learned(prepare: Prepare) -> None:
    class Broken(Dummy):
        name = "broken"

        def fit(self, examples: Any, **settings: Any) -> Any:
            raise InputError("no such thing")

    found = search(prepare("wine"), families=("dummy", Broken(), "linear"))
    assert "Warning: every trial of broken failed: no such thing." in found.reasons


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


def test_a_table_of_texts_alone_is_refused_before_anything_is_tried(prepare: Prepare) -> None:
    text = "the box came on monday with a blue cover and some paper inside it"
    rows = [f"{text[i % 20 :]} {i} {text[: i % 30]}" for i in range(120)]
    ready = table(prepare, pl.DataFrame({"review": rows, "y": ["pos", "neg", "neg"] * 40}))
    for families in ((), ("linear",)):
        with pytest.raises(InputError, match=r"every feature is free text \(`review`\)") as caught:
            search(ready, families=families)
        assert "columns of numbers" in caught.value.hint
    assert not ready.store.records.all(Run)
    assert split.looks(ready.store, ready.parts) == 0
    assert search(ready, families=("dummy",)).bundle


def test_a_metric_that_no_look_can_give_is_refused_before_anything_is_tried(prepare: Prepare) -> None:
    rows = pl.DataFrame({"g": [f"g{i // 10}" for i in range(80)], "x": [float(i * i % 83) for i in range(80)]})
    ill = rows.with_columns(y=pl.when(pl.col("g") == "g3").then(pl.lit("ill")).otherwise(pl.lit("well")))
    ready = table(prepare, ill, group="g")
    assert "`roc_auc` is not defined on test: every row is `well`" in ready.parts.warnings
    with pytest.raises(InputError, match="`roc_auc` is not defined on the 20 rows of the sealed test part") as caught:
        search(ready)
    assert "bring more groups with `ill`" in caught.value.hint and 'metric = "log_loss"' in caught.value.hint
    assert "seed" not in caught.value.hint and "method" not in caught.value.hint
    assert not ready.store.records.all(Run)


def test_a_search_announces_only_who_tries(prepare: Prepare) -> None:
    heard = Listener()
    search(prepare("cancer"), budget_s=0.05, families=(), progress=heard)
    assert heard.sentences[0].startswith("1 trial of dummy, 5 folds each; the budget leaves no time for ")
    assert "linear" in heard.sentences[0].split(";")[1]


def test_a_family_that_cannot_be_exported_loses_to_the_next(prepare: Prepare) -> None:
    class Lying(Linear):
        name = "lying"

        def fit(self, examples: Any, **settings: Any) -> Any:
            import dataclasses

            fitted = super().fit(examples, **settings)
            return dataclasses.replace(fitted, answer=lambda X: _shifted(fitted.answer(X)))

    def _shifted(outputs: Any) -> Any:
        return type(outputs)(outputs.prediction, outputs.probabilities[:, ::-1][:, ::-1] * 0.999)

    ready = prepare("cancer")
    found = search(ready, families=("dummy", Lying()))
    assert any("lying is out: its graph differs from its library" in reason for reason in found.reasons)
    assert next(run for run in found.runs if run.chosen).family == "dummy"


def test_a_search_in_which_no_trial_can_be_scored_says_why(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("palio.train.trial.score", lambda *_, **__: {})
    with pytest.raises(PalioError, match="undefined on every fold") as caught:
        search(prepare("cancer"), families=("dummy",))
    assert caught.value.hint


def test_limits_that_nothing_meets_are_a_warning(prepare: Prepare) -> None:
    found = search(prepare("wine"), families=("dummy", "linear"), size_mb=1e-6)
    assert any(reason.startswith("Warning: no model meets the limits") for reason in found.reasons)
    assert next(run for run in found.runs if run.chosen).family != "dummy"


def test_many_rows_are_scored_on_the_validation_part(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contest, "HOLDOUT_ROWS", 100)
    ready = prepare("cancer", policy="60-20-20")
    found = search(ready)
    assert all(len(run.fold_scores) == 10 for run in found.runs)


@pytest.mark.parametrize("holdout_rows", [100, 10**9])
def test_no_row_that_scores_tells_a_fit_when_to_stop(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch, holdout_rows: int
) -> None:
    shown: list[tuple[set[Any], set[Any]]] = []
    scored: list[set[Any]] = []

    def rows(examples: Any) -> set[Any]:
        return set(examples.frame.rows())

    class Watching(Linear):
        name = "watching"
        needs_watch = True

        def fit(self, examples: Any, *, watch: Any = None, **settings: Any) -> Any:
            if watch is not None:
                shown.append((rows(examples), rows(watch)))
            return super().fit(examples, **settings)

    def folds(*arguments: Any) -> Any:
        cut, is_holdout = _folds(*arguments)
        scored.extend(rows(fold.valid) for fold in cut)
        return cut, is_holdout

    _folds = contest._folds
    monkeypatch.setattr(contest, "HOLDOUT_ROWS", holdout_rows)
    monkeypatch.setattr(contest, "_folds", folds)
    ready = prepare("cancer", policy="60-20-20")
    search(ready, families=("dummy", Watching()))
    assert len(shown) >= len(scored) >= 1
    for number, (learned, watched) in enumerate(shown[: len(scored)]):
        assert not (watched | learned) & scored[number]
        assert not watched & learned
        assert 0.08 < len(watched) / (len(watched) + len(learned)) < 0.17


def test_the_learning_curve_is_kept_and_told_and_no_part_of_the_bundle(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = search(prepare("cancer", "one"), families=("dummy", "linear"))
    assert found.learning is None  # quarters of 364 rows are too few to say anything
    monkeypatch.setattr("palio.train.learning.LEAST_ROWS", 10)
    drawn = search(prepare("cancer", "two"), families=("dummy", "linear"))
    assert drawn.learning is not None
    assert any(reason.startswith("More rows would ") for reason in drawn.reasons)
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
    found = search(ready, metric="accuracy", families=("dummy", "linear"))
    assert found.metric == "accuracy"
    assert model.load(ready.store, found.bundle).manifest.task.metric == "accuracy"


def test_a_reopened_store_holds_the_search(prepare: Prepare) -> None:
    ready = prepare("wine")
    found = search(ready, families=("dummy", "linear"))
    with open_store(Path(ready.folder)) as again:
        assert again.records.get(Search, found.id) == found
        assert again.records.all(Snapshot)[0].id == ready.snapshot.id
        assert again.records.all(Parts)[0].id == ready.parts.id
