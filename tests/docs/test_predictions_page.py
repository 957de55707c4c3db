"""The page on the prediction log: its examples run, its table names what is there."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest

from palio import store
from palio.core.serving import Feedback
from palio.serve import Journal
from tests.serve.log_entries import answer, failure

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "predictions.md").read_text("utf-8")


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    log = Path(".palio/predictions")
    journal = Journal(log, "bank")
    journal.add(answer("r-1", 4))
    journal.add(failure("r-2"))
    journal.close()
    day = dt.datetime(2026, 5, 4, tzinfo=dt.UTC)
    with store.FeedbackLog(log, "bank", redaction=store.Redaction()) as truths:
        truths.add(
            [Feedback(prediction_id="r-1.0", label="no", at=day), Feedback(prediction_id="r-1.1", label="no", at=day)]
        )
    for day_folder in log.glob("bank/*/*"):
        day_folder.rename(day_folder.with_name("2026-05-04"))
    names: dict[str, object] = {}
    for example in re.findall(r"```python\n(.*?)```", PAGE, re.S):
        exec(example, names)
    printed = capsys.readouterr().out
    assert "4 ['no' 'yes' 'no']" in printed
    assert "0.5" in printed


def test_every_common_column_is_in_the_table() -> None:
    named = set(re.findall(r"`([\w.<>]+)`", "\n".join(re.findall(r"^\| (.*?) \|", PAGE, re.M))))
    assert {field.name for field in store.COMMON_FIELDS} <= named
