from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from palio import flow, promote
from palio.core.errors import NotFoundError
from palio.core.records import Decision
from palio.flow import reporting
from tests.flow.conftest import begin, write_bank

Finished = tuple[flow.Project, flow.RunSummary]


def test_a_renamed_model_has_no_decision_of_the_old_name(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, _ = finished
    monkeypatch.setenv("PALIO_PROJECT_NAME", "renamed")
    with flow.Project.open(project.folder) as renamed, pytest.raises(NotFoundError, match="`renamed`") as caught:
        renamed.report(output=tmp_path / "report.html")
    assert project.name in caught.value.hint
    assert not (tmp_path / "report.html").exists()


def test_the_report_is_on_the_newest_decision_of_the_model(finished: Finished, tmp_path: Path) -> None:
    project, summary = finished
    path = project.report(output=tmp_path / "report.html")
    decision = project.store.records.require(Decision, summary.decision.id)
    facts = reporting.gather(project, decision)
    assert facts.decision is not None and facts.decision.id == summary.decision.id
    assert facts.promotion is not None
    assert f"version {facts.promotion.version}" in path.read_text("utf-8")


def test_a_refusal_is_told_of_the_model_that_was_refused(finished: Finished, tmp_path: Path) -> None:
    folder = begin(tmp_path / "own", n_rows=400)
    made = finished[0].store.records.require(Decision, finished[1].decision.id)
    refused = msgspec.structs.replace(made, id="", verdict="no", reasons=("It is worse.",))
    with flow.Project.open(folder) as project:
        with pytest.raises(NotFoundError, match="nothing has been decided yet"):
            project.report()
        for model in ("other", project.name, project.name):
            promote.release(project.store, refused, model=model, expected=None)
        told = [event.payload["model"] for event in project.store.ledger.events(kind="promote.decide")]
    assert told == ["other", project.name]


def test_every_source_is_named_with_its_rows_after_an_append(tmp_path: Path) -> None:
    folder = begin(tmp_path / "grown", n_rows=400)
    with flow.Project.open(folder) as project:
        project.ingest()
        for name, n_rows, skip in (("may.csv", 50, 30_000), ("june.csv", 30, 31_000)):
            snapshot = project.ingest(append=write_bank(folder / name, n_rows=n_rows, skip=skip))
        found = reporting.sources_of(project, snapshot)
    assert [(Path(name).name, n) for name, n in found] == [("bank.csv", 400), ("may.csv", 50), ("june.csv", 30)]


def test_the_words_of_the_report_are_settings(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALIO_REPORT_CASES", "customers")
    with flow.Project.open(finished[0].folder) as project:
        page = project.report(output=tmp_path / "report.html").read_text("utf-8")
    plain = finished[0].report(output=tmp_path / "plain.html").read_text("utf-8")
    assert "4,000 customers" in page
    assert "4,000 cases" in plain and "customers" not in plain
