"""What a supervisor does where it cannot do everything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from palio import flow
from palio.flow import monitoring, supervising
from palio.flow.supervising import Supervisor

Finished = tuple[flow.Project, flow.RunSummary]

WITHOUT_TRAINING = """
import importlib.abc, sys

ABSENT = {"polars", "pyarrow", "sklearn", "scipy", "lightgbm", "onnx", "optuna", "jinja2", "river"}

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from palio.cli import main

sys.argv = ["palio", "watch", "--once", "--dir", sys.argv[1]]
main()
"""


def test_without_the_libraries_for_training_rollouts_are_looked_after_and_the_rest_is_said(finished: Finished) -> None:
    command = [sys.executable, "-c", WITHOUT_TRAINING, str(finished[0].folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Not possible on this machine: No module named "), done.stdout


def test_what_cannot_be_done_is_said_once_and_the_rest_goes_on(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ImportError("river is not there")

    monkeypatch.setattr(monitoring, "look", broken)
    with Supervisor(finished[0], may_train=False) as supervisor:
        first, second = supervisor.look(whole=True), supervisor.look(whole=True)
    assert first.said == ("Not possible on this machine: river is not there.",)
    assert second.said == () and second.plan.startswith("Nothing asks for a renewal")


def test_a_review_is_not_made_at_every_look(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    monkeypatch.setattr(monitoring, "look", lambda *_, **__: made.append(1))
    with Supervisor(finished[0], may_train=False) as supervisor:
        supervisor.look(whole=True)
        for _ in range(5):
            supervisor.look()
        assert len(made) == 1
        supervisor._review_at_s -= 2 * supervising.REVIEW_EVERY_S
        supervisor.look()
    assert len(made) == 2


def test_a_schedule_that_is_none_is_told_and_holds_nothing_up(finished: Finished, tmp_path: Path) -> None:
    settings = (finished[0].folder / "palio.toml").read_text("utf-8")
    (tmp_path / "palio.toml").write_text(f'{settings}\n[retrain]\nschedule = "sometimes"\n')
    with flow.Project.open(tmp_path) as project, project.supervise() as supervisor:
        looked = supervisor.look(whole=True)
    assert any("got `sometimes`, allowed are daily, weekly, monthly" in sentence for sentence in looked.said)
