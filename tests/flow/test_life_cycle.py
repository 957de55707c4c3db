from __future__ import annotations

import csv
import json
from pathlib import Path

import msgspec
import pytest

from palio import flow, split
from palio.core.errors import NotFoundError, SealError
from palio.core.records import Parts, Snapshot
from tests.flow.conftest import begin, write_bank

Finished = tuple[flow.Project, flow.RunSummary]


def test_the_first_cycle_ends_with_a_champion_and_a_report(finished: Finished) -> None:
    _, summary = finished
    assert summary.decision.verdict == "yes", summary.decision.reasons
    assert summary.champion is not None
    assert summary.champion.version == 1
    assert Path(summary.report).read_text("utf-8").startswith("<!doctype html>")
    assert summary.parity is not None
    assert summary.parity.passed
    assert summary.parity.rows > 0
    assert sum(candidate.chosen for candidate in summary.candidates) == 1
    assert {"dummy", "linear"} <= {candidate.family for candidate in summary.candidates}  # trees, too, if time allows
    assert summary.split.train + summary.split.validation + summary.split.test <= summary.snapshot.n_rows


def test_the_champion_beats_the_baseline_with_its_interval(finished: Finished) -> None:
    _, summary = finished
    auc = summary.evaluation.metrics["roc_auc"]
    assert 0.5 < auc.low < auc.value < auc.high < 1


def test_the_summary_holds_what_scripts_rely_on(finished: Finished) -> None:
    told = msgspec.json.decode(msgspec.json.encode(finished[1]))
    assert set(told) >= {"snapshot", "split", "candidates", "champion", "evaluation", "parity", "decision", "report"}
    assert set(told["split"]) >= {"train", "validation", "test"}
    assert set(told["candidates"][0]) >= {"family", "cv_score", "fit_s", "latency_ms", "size_mb", "chosen", "unbeaten"}
    assert set(told["evaluation"]["metrics"]["roc_auc"]) >= {"value", "low", "high"}


def test_a_second_run_skips_everything_and_looks_at_nothing(finished: Finished) -> None:
    project, summary = finished
    looks = len(project.store.ledger.events(kind="evaluate.look"))
    with flow.Project.open(project.folder) as reopened:
        again = reopened.run()
    assert again.champion == summary.champion
    assert again.decision == summary.decision
    assert {"ingest", "split", "train", "promote"} <= set(again.skipped)
    assert len(project.store.ledger.events(kind="evaluate.look")) == looks == 1


def test_the_sealed_test_cannot_be_read_as_a_part(finished: Finished) -> None:
    project, summary = finished
    parts = project.store.records.require(Parts, summary.split.id)
    snapshot = project.store.records.require(Snapshot, summary.snapshot.id)
    with pytest.raises(SealError):
        split.read(project.store, snapshot, parts, "test")


def test_the_ledger_tells_the_story_and_its_chain_holds(finished: Finished) -> None:
    project, _ = finished
    project.store.ledger.verify()
    story = project.story()
    assert "version 1" in story
    kinds = [event.kind for event in project.store.ledger.events()]
    assert kinds.index("data.ingest") < kinds.index("split.cut") < kinds.index("evaluate.look")


def test_scoring_a_file_gives_one_row_per_row_in_order(finished: Finished, tmp_path: Path) -> None:
    project, _ = finished
    file = write_bank(tmp_path / "new.csv", n_rows=300, skip=40_000)
    scored = project.predict(str(file), tmp_path / "scores.csv")
    with (tmp_path / "scores.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert scored.n_rows == len(rows) == 300
    assert set(rows[0]) == {"prediction", "probability_no", "probability_yes", "problem"}
    assert {row["prediction"] for row in rows} <= {"no", "yes"}
    assert all(abs(float(row["probability_no"]) + float(row["probability_yes"]) - 1) < 1e-9 for row in rows)
    project.predict(str(file), tmp_path / "scores.parquet")
    import polars as pl

    table = pl.read_parquet(tmp_path / "scores.parquet")
    assert table["prediction"].to_list() == [row["prediction"] for row in rows]
    for name in ("scores.json", "scores.jsonl"):
        project.predict(str(file), tmp_path / name)
        text = (tmp_path / name).read_text("utf-8")
        told = json.loads(text) if name.endswith(".json") else [json.loads(line) for line in text.splitlines()]
        assert [row["prediction"] for row in told] == [row["prediction"] for row in rows]


def test_a_file_without_rows_gives_a_file_without_rows(finished: Finished, tmp_path: Path) -> None:
    project, _ = finished
    header = write_bank(tmp_path / "new.csv", n_rows=1, skip=40_000).read_text("utf-8").splitlines()[0]
    (tmp_path / "none.csv").write_text(header + "\n", "utf-8")
    for name in ("o.csv", "o.parquet", "o.json", "o.jsonl"):
        assert project.predict(str(tmp_path / "none.csv"), tmp_path / name).n_rows == 0
    assert (tmp_path / "o.csv").read_text("utf-8") == "prediction,probability_no,probability_yes,problem\n"
    assert json.loads((tmp_path / "o.json").read_text("utf-8")) == []
    assert (tmp_path / "o.jsonl").read_text("utf-8") == ""


def test_a_bundle_is_found_by_version_identity_or_its_start(finished: Finished) -> None:
    project, summary = finished
    assert summary.champion is not None
    identity = summary.champion.bundle
    for name in ("champion", "1", "v1", identity, identity[:8]):
        assert project.bundle(name).id == identity
    with pytest.raises(NotFoundError):
        project.bundle("nobody")
    assert all(check.passed for check in project.verify())


def test_appended_rows_make_version_two_and_old_rows_keep_their_part(tmp_path: Path) -> None:
    folder = begin(tmp_path / "bank")
    with flow.Project.open(folder) as project:
        before = project.split()
        first = project.store.records.require(Snapshot, before.snapshot)
        second = project.ingest(append=write_bank(tmp_path / "more.csv", n_rows=500, skip=30_000))
        after = project.split()
        assert project.ingest(append=tmp_path / "more.csv") == second, "a file is appended once"
    assert (second.version, second.parent) == (2, first.id)
    assert second.n_rows == first.n_rows + 500
    assert after.snapshot == second.id
    assert after.counts["test"] > before.counts["test"]


def test_the_same_seed_data_and_versions_give_the_same_bundle(finished: Finished, tmp_path: Path) -> None:
    folder = begin(tmp_path / "again")
    with flow.Project.open(folder) as project:
        search = project.train()
    assert finished[1].champion is not None
    assert search.bundle == finished[1].champion.bundle


def test_a_relative_sqlite_source_is_seen_from_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import polars as pl
    import sqlalchemy as sa

    rows = pl.read_csv(write_bank(tmp_path / "bank.csv", n_rows=200))
    with sa.create_engine(f"sqlite:///{tmp_path / 'bank.db'}").begin() as connection:
        columns = ", ".join(f'"{name}"' for name in rows.columns)
        connection.execute(sa.text(f"create table calls ({columns})"))
        marks = ", ".join(f":c{number}" for number in range(rows.width))
        connection.execute(
            sa.text(f"insert into calls values ({marks})"),
            [{f"c{number}": value for number, value in enumerate(row)} for row in rows.iter_rows()],
        )
    monkeypatch.chdir(tmp_path)
    flow.init("sqlite:///bank.db", query="select * from calls", target="y", folder=Path("project"))
    monkeypatch.chdir("/")
    with flow.Project.open(tmp_path / "project") as project:
        assert project.ingest().n_rows == 200


def test_evaluate_speaks_of_the_candidate_that_run_has_found(tmp_path: Path) -> None:
    folder = begin(tmp_path / "bank", n_rows=1500)
    with flow.Project.open(folder, flags={"train.budget_s": 8.0}) as project:
        found = project.run()
    with flow.Project.open(folder) as project:
        assert project.promote().id == found.decision.id
        assert len(project.store.ledger.events(kind="train.search")) == 1
