"""`palio feedback FILE`: late truths from a file, by prediction id or row key."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import polars as pl
import pytest
from click.testing import CliRunner

from palio import flow, store
from palio.cli.app import palio
from palio.core.errors import ContractError, InputError

Finished = tuple[flow.Project, flow.RunSummary]


def log_of(project: flow.Project) -> Path:
    return store.Layout(project.folder).predictions()


def test_a_file_of_truths_is_taken_and_twice_is_once(finished: Finished, tmp_path: Path) -> None:
    project, _ = finished
    before = len(store.latest_feedback(log_of(project), project.name).get("id", ()))
    frame = pl.DataFrame(
        {
            "prediction_id": ["a-1.0", "a-1.1", "a-1.2"],
            "label": ["yes", None, "no"],
            "at": ["2026-05-01T00:00:00Z"] * 3,
            "revenue": [1.5, 2.0, None],
        }
    )
    for name, write in {
        "t.csv": frame.write_csv,
        "t.parquet": frame.write_parquet,
        "t.jsonl": frame.write_ndjson,
    }.items():
        write(tmp_path / name)
        received = project.feedback(str(tmp_path / name), values=["revenue"])
        assert (received.n_rows, received.n_skipped) == (2, 1)
    latest = store.latest_feedback(log_of(project), project.name)
    assert len(latest["id"]) == before + 2
    assert latest["label"][list(latest["id"]).index("a-1.0")] == "yes"
    assert latest["values"][list(latest["id"]).index("a-1.0")] == '{"revenue":1.5}'


def test_other_names_of_columns_and_the_target_itself_are_found(finished: Finished, tmp_path: Path) -> None:
    project, _ = finished
    pl.DataFrame({"customer": [17, 18], "y": ["yes", "no"]}).write_csv(tmp_path / "t.csv")
    project.feedback(str(tmp_path / "t.csv"), key="customer")
    assert {"17", "18"} <= set(store.latest_feedback(log_of(project), project.name)["key"])


def test_truths_may_be_written_with_another_separator_than_the_data(finished: Finished, tmp_path: Path) -> None:
    project, _ = finished
    (tmp_path / "t.csv").write_text("customer;y\n27;yes\n28;no\n")
    assert project.feedback(str(tmp_path / "t.csv"), key="customer").n_rows == 2


@pytest.mark.parametrize(
    ("columns", "error", "match"),
    [
        ({"prediction_id": ["a-1.0"], "z": ["yes"]}, InputError, "no column for the label"),
        ({"z": ["a-1.0"], "label": ["yes"]}, InputError, "no column says which rows"),
        (
            {"prediction_id": ["a-1.0"], "label": ["yes"], "at": ["soon"]},
            ContractError,
            "t.csv row 1: `at` is not",
        ),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_with_its_row(
    finished: Finished, tmp_path: Path, columns: dict[str, list[str]], error: type[Exception], match: str
) -> None:
    pl.DataFrame(columns).write_csv(tmp_path / "t.csv")
    with pytest.raises(error, match=match):
        finished[0].feedback(str(tmp_path / "t.csv"))


def test_a_class_that_the_model_does_not_know_is_taken_and_named(finished: Finished, tmp_path: Path) -> None:
    pl.DataFrame({"prediction_id": ["n-1.0", "n-1.1"], "label": ["perhaps", "yes"]}).write_csv(tmp_path / "t.csv")
    assert finished[0].feedback(str(tmp_path / "t.csv")).unknown == {"perhaps": 1}
    latest = store.latest_feedback(log_of(finished[0]), finished[0].name)
    assert latest["label"][list(latest["id"]).index("n-1.0")] == "perhaps"


def test_the_verb_says_how_many(finished: Finished, tmp_path: Path) -> None:
    pl.DataFrame({"prediction_id": ["b-1.0"], "label": ["yes"]}).write_csv(tmp_path / "t.csv")
    arguments = ["feedback", str(tmp_path / "t.csv"), "--dir", str(finished[0].folder)]
    assert CliRunner().invoke(palio, arguments).stdout.startswith("t.csv: 1 truth taken\n  0 met an answer\n")
    told = msgspec.json.decode(CliRunner().invoke(palio, [*arguments, "--json"]).stdout)
    assert (told["n_rows"], told["n_skipped"]) == (1, 0)
    failed = CliRunner().invoke(palio, [*arguments, "--label", "labl"])
    assert failed.exit_code == 2
    assert "did you mean `label`?" in failed.output or "no column" in failed.output


def test_it_says_how_many_truths_met_an_answer_and_how_moments_were_read(finished: Finished, tmp_path: Path) -> None:
    project, _ = finished
    (tmp_path / "t.csv").write_text("prediction_id,label,at\nlost-1.0,yes,2026-05-01\nlost-1.1,no,2026-05-01 08:00\n")
    told = project.feedback(str(tmp_path / "t.csv"))
    assert told.truths is not None and told.truths.n_met == 0 and sum(told.truths.reasons.values()) == 2
    assert (told.zone, told.n_days) == ("UTC", 1)
    out = CliRunner().invoke(palio, ["feedback", str(tmp_path / "t.csv"), "--dir", str(project.folder)]).output
    assert "0 met an answer" in out and "lost-1.0" in out and "read in UTC" in out and "end of the day" in out


def test_ids_of_another_system_are_counted_and_hold_up_no_other_truth(finished: Finished, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("prediction_id,label\n3f2504e0-4f89-11d3-9a0c-0305e82c3301,yes\nother-1.0,no\n")
    told = finished[0].feedback(str(tmp_path / "t.csv"))
    assert told.n_rows == 2 and told.truths is not None and told.truths.reasons == {"unknown_id": 2}


def test_business_figures_that_the_file_lacks_are_named(finished: Finished, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("prediction_id,label\nlost-3.0,yes\n")
    shutil.copytree(finished[0].folder, tmp_path / "p")
    with (tmp_path / "p" / "palio.toml").open("a", encoding="utf-8") as settings:
        settings.write('\n[[value.kpis]]\nname = "refunds"\ncolumn = "refund"\n')
    with flow.Project.open(tmp_path / "p") as project:
        assert project.feedback(str(tmp_path / "t.csv")).absent == ("refund",)
    out = CliRunner().invoke(palio, ["feedback", str(tmp_path / "t.csv"), "--dir", str(tmp_path / "p")]).output
    assert "the file does not have: refund" in out
