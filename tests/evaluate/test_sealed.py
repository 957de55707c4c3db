from __future__ import annotations

import msgspec
import numpy as np
import polars as pl
import pytest

from palio import data, evaluate, split
from palio.core.errors import InputError, SealError
from palio.core.ids import digest_of
from palio.core.progress import SILENT
from palio.core.records import Evaluation, Task
from palio.evaluate import sealed


def judged(bench, challenger, champion=None, why="a test"):
    return evaluate.assess(
        bench.store, bench.snapshot, bench.parts, challenger=challenger, champion=champion, why=why, actor="ann"
    )


def test_one_look_judges_both_and_is_written_down(benches, frames):
    bench = benches.of_frame(frames["customers"]())
    old, new = bench.bundle(drop=("age",)), bench.bundle()
    got = judged(bench, new, old, why="spring race")
    assert split.looks(bench.store, bench.parts) == 1
    assert got.evaluation.part == "test" and got.evaluation.n_rows == bench.parts.counts["test"]
    assert got.champion_evaluation.n_rows == got.comparison.n_rows == got.evaluation.n_rows
    assert got.comparison.difference.low > 0 and got.notes == ()
    assert got.comparison.difference.value == pytest.approx(
        got.evaluation.metrics["roc_auc"].value - got.champion_evaluation.metrics["roc_auc"].value
    )
    for evaluation in (got.evaluation, got.champion_evaluation):
        assert bench.store.records.get(Evaluation, evaluation.id) == evaluation
    look, line = bench.store.ledger.events(kind="evaluate")
    assert "spring race" in look.text and look.actor == line.actor == "ann"
    assert line.kind == "evaluate.score" and line.subject == got.evaluation.id and "roc_auc" in line.text


def test_no_look_is_spent_where_the_metric_is_not_defined(benches, frames):
    bench = benches.of_frame(frames["customers"](2000))
    bundle = bench.bundle(rounds=3)
    assignment = np.frombuffer(bench.store.blobs.get(bench.parts.assignment), np.uint8).copy()
    is_yes = data.read(bench.store, bench.snapshot, columns=["y"])["y"].to_numpy() == "yes"
    assignment[(assignment == 2) & is_yes] = 255
    parts = msgspec.structs.replace(
        bench.parts, id="other", assignment=bench.store.blobs.put(assignment.tobytes()), class_counts={}
    )
    with pytest.raises(InputError, match="every row is `no`; no look was spent"):
        evaluate.assess(bench.store, bench.snapshot, parts, challenger=bundle, why="w")
    assert not bench.store.ledger.events(kind="evaluate.look")


def test_it_says_how_many_looks_are_left(benches, frames):
    bench = benches.of_frame(frames["customers"](2000), looks=3)
    said = []
    listener = type("Listener", (type(SILENT),), {"say": lambda self, text: said.append(text)})()
    evaluate.assess(
        bench.store, bench.snapshot, bench.parts, challenger=bench.bundle(rounds=3), why="w", progress=listener
    )
    assert said == ["evaluate  opened the sealed test part: 2 of 3 looks are left"]
    assert split.looks_left(bench.store, bench.parts) == 2


def test_the_evaluation_carries_gap_importance_and_baseline(benches, frames):
    bench = benches.of_frame(frames["customers"]())
    got = judged(bench, bench.bundle()).evaluation
    assert got.gap.verdict == "sound" and None not in (got.gap.train, got.gap.validation, got.gap.test)
    assert got.gap.test == got.metrics["roc_auc"].value
    assert got.importance[0].column == "age"
    assert got.baseline["roc_auc"].value == 0.5
    assert got.id == digest_of(msgspec.structs.replace(got, id=""))


def test_learning_by_heart_is_called_overfitted(benches, frames):
    rng = np.random.default_rng(99)
    noise = frames["customers"](1500).with_columns(pl.Series("y", rng.choice(["no", "yes"], 1500)))
    bench = benches.of_frame(noise)
    got = judged(bench, bench.bundle(rounds=200, min_data_in_leaf=2, num_leaves=127)).evaluation
    assert got.gap.verdict == "overfitted", got.gap.text


def test_the_same_question_again_gives_the_same_answer_and_no_second_look(benches, frames):
    bench = benches.of_frame(frames["customers"](2000))
    bundle = bench.bundle(rounds=5)
    assert judged(bench, bundle) == judged(bench, bundle)
    assert split.looks(bench.store, bench.parts) == 1


class Stopped(BaseException):
    """As if the process were killed."""


def stop(monkeypatch, target, name, after=False):
    """Let `target.name` stop the process, before or after it did its work."""
    real = getattr(target, name)

    def stopped(*args, **kwargs):
        if after:
            real(*args, **kwargs)
        raise Stopped

    monkeypatch.setattr(target, name, stopped)


@pytest.mark.parametrize("moment", ["nothing was judged", "judged", "kept", "told"])
def test_who_is_interrupted_finishes_the_same_look(benches, frames, monkeypatch, moment):
    bench = benches.of_frame(frames["customers"](2000), looks=1)
    old, new = bench.bundle(rounds=3), bench.bundle(rounds=5)
    with monkeypatch.context() as patch:
        if moment == "nothing was judged":
            stop(patch, sealed, "judge")
        elif moment == "judged":
            stop(patch, sealed, "_keep")
        elif moment == "kept":
            stop(patch, bench.store.records, "put", after=True)
        else:
            stop(patch, bench.store.steps, "put")
        with pytest.raises(Stopped):
            judged(bench, new, old)
    assert split.looks(bench.store, bench.parts) == 1 == bench.parts.look_budget
    got = judged(bench, new, old)
    assert got.comparison is not None and got == judged(bench, new, old)
    assert split.looks(bench.store, bench.parts) == 1
    (look,) = bench.store.ledger.events(kind="evaluate.look")
    (line,) = bench.store.ledger.events(kind="evaluate.score")
    assert line.payload["look"] == look.sequence and line.payload["assessment"] == got.id
    assert len(bench.store.ledger.events(kind="evaluate.resume")) == (0 if moment == "told" else 1)


def test_an_interrupted_look_is_finished_by_its_own_candidate_alone_and_once(benches, frames, monkeypatch):
    bench = benches.of_frame(frames["customers"](2000), looks=2)
    first, second = bench.bundle(rounds=3), bench.bundle(rounds=5)
    with monkeypatch.context() as patch:
        stop(patch, sealed, "judge")
        with pytest.raises(Stopped):
            judged(bench, first)
    judged(bench, second)
    assert split.looks(bench.store, bench.parts) == 2
    judged(bench, first)
    assert split.looks(bench.store, bench.parts) == 2
    with pytest.raises(SealError):  # another question about the same candidate is another look
        judged(bench, first, second)


def test_when_time_moves_on_both_are_judged_on_rows_that_neither_learned_from(benches, frames):
    frame = frames["customers"](3000).with_columns(pl.int_range(3000).alias("t"))
    first = benches.of_frame(frame[:2000])
    schema = msgspec.structs.replace(first.snapshot.schema, time=("t",))
    columns = tuple(msgspec.structs.replace(c, feature=c.feature and c.name != "t") for c in schema.columns)
    schema = msgspec.structs.replace(schema, columns=columns)

    def grown(name, rows, parent, previous):
        rows.write_parquet(benches.folder / name)
        source = data.open_source(str(benches.folder / name))
        snapshot = data.ingest(source, store=first.store, schema=schema, parent=parent)
        parts = split.cut(first.store, snapshot, task=first.task, policy="60-20-20", previous=previous)
        return type(first)(first.store, snapshot, first.task, parts)

    before = grown("a.parquet", frame[:2000], None, None)
    champion = before.bundle(rounds=5)
    judged(before, champion)
    after = grown("b.parquet", frame[2000:], before.snapshot, before.parts)
    assert set(after.parts.moved_on) >= {"validation to train", "test to train", "test to validation"}
    assert not any(move.endswith("to test") for move in after.parts.moved_on)
    assert after.rows("train")["t"].max() >= before.parts.time_bounds[1]
    assert after.parts.time_bounds[1] > before.rows("validation")["t"].max()
    got = judged(after, after.bundle(rounds=5), champion)
    assert got.comparison.n_rows == got.champion_evaluation.n_rows == after.parts.counts["test"] == 600
    assert split.looks(after.store, after.parts) == 1


def test_the_budget_of_looks_is_kept(benches, frames):
    bench = benches.of_frame(frames["customers"](2000), looks=1)
    judged(bench, bench.bundle(rounds=5))
    with pytest.raises(SealError):
        judged(bench, bench.bundle(rounds=6))


def test_a_champion_of_other_classes_is_scored_alone_and_not_compared(benches, frames):
    bench = benches.of_frame(frames["customers"](2000))
    good = bench.bundle(rounds=5)
    manifest = msgspec.structs.replace(
        good.manifest, task=Task(kind="classification", target="y", classes=("maybe", "yes"))
    )
    odd = type(good)(id="f" * 64, manifest=manifest, graph=good.graph, members=good.members)
    got = judged(bench, good, odd)
    assert got.comparison is None and got.champion_evaluation is None
    assert "other classes" in got.notes[0]


def test_a_champion_that_reads_a_column_that_is_gone_is_not_scored(benches, frames):
    bench = benches.of_frame(frames["customers"](2000))
    good = bench.bundle(rounds=5)
    columns = tuple(
        msgspec.structs.replace(c, name="height" if c.name == "age" else c.name) for c in good.manifest.schema.columns
    )
    manifest = msgspec.structs.replace(
        good.manifest, schema=msgspec.structs.replace(good.manifest.schema, columns=columns)
    )
    odd = type(good)(id="f" * 64, manifest=manifest, graph=good.graph, members=good.members)
    got = judged(bench, good, odd)
    assert got.comparison is None and got.champion_evaluation is None and "height" in got.notes[0]


def test_bank_marketing_is_judged_from_file_to_verdict(benches, shared_data, tmp_path):
    sample = tmp_path / "bank.csv"
    pl.read_csv(shared_data / "tabular" / "bank.csv", separator=_separator(shared_data)).drop("duration").sample(
        8000, seed=1
    ).write_csv(sample)
    bench = benches.of_file(sample, target="y", positive="yes")
    old, new = bench.bundle(rounds=3, num_leaves=4), bench.bundle(rounds=60)
    got = judged(bench, new, old)
    auc = got.evaluation.metrics["roc_auc"]
    assert 0.72 < auc.value < 0.86 and auc.low < auc.value < auc.high
    assert got.comparison.p_better > 0.9
    assert len(got.evaluation.importance) == len(new.manifest.schema.features) == 15
    assert got.evaluation.slices and got.evaluation.worst and got.evaluation.gap.verdict in ("sound", "overfitted")


def _separator(shared_data):
    with (shared_data / "tabular" / "bank.csv").open() as file:
        return ";" if ";" in file.readline() else ","


def test_one_look_shows_the_newest_rows_and_the_earlier_ones(benches, frames):
    bench = benches.of_frame(frames["customers"]())
    old, new = bench.bundle(drop=("age",)), bench.bundle()
    middle = bench.snapshot.n_rows // 2
    got = evaluate.assess(
        bench.store, bench.snapshot, bench.parts, challenger=new, champion=old, newest_from=middle, why="w"
    )
    assert split.looks(bench.store, bench.parts) == 1
    assert got.newest.n_rows + got.earlier.n_rows == got.comparison.n_rows
    is_test = np.frombuffer(bench.store.blobs.get(bench.parts.assignment), np.uint8) == 2
    assert got.newest.n_rows == is_test[middle:].sum()
    low, high = sorted([got.newest.difference.value, got.earlier.difference.value])
    assert low - 0.02 <= got.comparison.difference.value <= high + 0.02
    assert "newest of these rows" in bench.store.ledger.events(kind="evaluate.score")[0].text
    assert judged(bench, new, old).newest is None


def test_too_few_newest_rows_are_said_and_not_compared(benches, frames):
    bench = benches.of_frame(frames["customers"]())
    got = evaluate.assess(
        bench.store,
        bench.snapshot,
        bench.parts,
        challenger=bench.bundle(),
        champion=bench.bundle(drop=("age",)),
        newest_from=bench.snapshot.n_rows - 5,
        why="w",
    )
    assert got.newest is None and got.earlier is not None
    assert got.notes[0].startswith("Only ") and "newest rows are in the test part" in got.notes[0]
