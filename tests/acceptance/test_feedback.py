"""Late truths, by HTTP and from a file, decide whether a rollout goes on."""

from __future__ import annotations

import csv
import threading
from pathlib import Path

import pytest

from tests.acceptance.challengers import put_worse, swapped
from tests.acceptance.live import Load, Served, Wire, labelled, palio, serving, wait_until, watching
from tests.acceptance.test_rollout import start, wait_for_the_end, where

pytestmark = pytest.mark.slow

ANALYSIS = "interval_s = 0.5, min_requests = 100, max_error_rate = 0.05, max_prediction_drift = 100"
LOOK = f"[[steps]]\nkind = 'analysis'\nanalysis = {{ {ANALYSIS}, min_quality = 0.05, max_latency_ratio = 20 }}\n"
SHADOW = "[[steps]]\nkind = 'shadow'\n" + LOOK + "[[steps]]\nkind = 'promote'\n"
CANARY = "sticky = 'none'\n[[steps]]\nkind = 'set_weight'\nweight = 0.5\n" + LOOK + "[[steps]]\nkind = 'promote'\n"


class Truths:
    """Tells the truth about what was answered, a while later."""

    def __init__(self, server: Served, load: Load, labels: list[str]) -> None:
        self.n_told = 0
        self._wire = Wire(server.url)
        self._load = load
        self._labels = labels
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Truths:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)
        self._wire.close()

    def _run(self) -> None:
        while not self._stop.wait(0.3):
            fresh = self._load.answers[self.n_told :]
            if not fresh:
                continue
            told = [{"prediction_id": answer.id, "label": self._labels[answer.row]} for answer in fresh]
            status, _, body = self._wire("POST", "/feedback", {"feedback": told})
            assert status == 200, body
            self.n_told += len(fresh)


@pytest.mark.parametrize("plan", [SHADOW, CANARY], ids=["shadow", "canary"])
def test_a_challenger_that_truths_prove_worse_is_rolled_back(project: Path, plan: str) -> None:
    rows, labels = zip(*labelled(project), strict=True)
    identity = put_worse(project, swapped)
    with serving(project) as server, Load(server.url, rows) as load, Truths(server, load, list(labels)):
        start(project, "--bundle", identity, plan=plan)
        with watching(project):
            state = wait_for_the_end(project)
        load.stop()
    assert state.status == "rolled back" and state.reason.startswith("quality differs by -0."), state
    assert load.failed == []


def test_truths_from_a_file_let_a_good_challenger_pass(project: Path) -> None:
    rows, labels = zip(*labelled(project), strict=True)
    with serving(project) as server:
        with Load(server.url, rows) as load:
            start(project, plan=SHADOW)
            palio(project, "watch", "--once")
            n_before = len(load.answers)
            wait_until(lambda: len(load.answers) > n_before + 2000)
            load.stop()
        with watching(project):
            wait_until(lambda: where(project).inconclusive >= 2)
            assert "too few true values" in where(project).reason
            with (project / "truths.csv").open("w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["prediction_id", "label"])
                writer.writerows((answer.id, labels[answer.row]) for answer in load.answers)
            taken = palio(project, "feedback", str(project / "truths.csv"))
            assert taken["n_rows"] == len(load.answers)
            state = wait_for_the_end(project)
    assert state.status == "promoted" and "quality differs by" in state.reason, state
