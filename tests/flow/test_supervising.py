"""What a supervisor does where it cannot do everything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from palio import flow, renew
from palio.core.errors import InputError, UnavailableError
from palio.core.monitoring import Review
from palio.flow import monitoring, renewing, supervising
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


def test_a_review_that_fails_leaves_no_verdict_of_before_and_what_comes_back_is_said_again(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, state = monitoring.look, {"broken": False}

    def look(*given: Any, **named: Any) -> Review:
        if state["broken"]:
            raise InputError("the log is damaged")
        return real(*given, **named)

    monkeypatch.setattr(monitoring, "look", look)
    with Supervisor(finished[0], may_train=False) as supervisor:
        seen = []
        for state["broken"] in (False, True, True, False, True):
            seen.append(supervisor.look(whole=True))
    told = [one.said == ("The log is damaged.",) for one in seen]
    assert told == [False, True, False, False, True], "once, and again when it is so again"
    assert [bool(one.verdict) for one in seen] == [True, False, False, True, False]
    assert [bool(one.news) for one in seen] == [True, False, False, True, False]


def test_a_store_that_is_away_for_a_moment_ends_no_watch(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise UnavailableError("the ledger is locked")

    with Supervisor(finished[0], may_train=False) as supervisor:
        with monkeypatch.context() as broken:
            broken.setattr(renew, "watch_once", away)
            assert [supervisor.look().said for _ in range(2)] == [("The ledger is locked.",), ()]
            with pytest.raises(UnavailableError):  # who looks once wants to know by the exit code
                supervisor.look(whole=True)
        assert "The ledger is locked." not in supervisor.look(whole=True).said


def test_a_training_that_was_ended_tells_its_last_words(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewing, "is_carried_out", lambda _: True)
    with Supervisor(finished[0]) as supervisor:
        supervisor._training_log.write_bytes(b"train     Trial 7, forest.\nMemoryError: no room for 3 GB\n\n")
        supervisor._child = subprocess.Popen([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"])
        supervisor._child.wait()
        (said,) = supervisor._train("r1")
        assert said == (
            "The training ended with signal 9 and is tried again in 60 s. Its last words: MemoryError: no room for 3 GB"
        )
        assert supervisor._train("r1") == ()


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
