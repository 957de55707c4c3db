"""Kill a run at random moments: the rerun ends in the same champion, and the ledger holds no half promotion."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from palio import flow
from tests.flow.conftest import begin

pytestmark = pytest.mark.slow

N_KILLS = 20


def start(folder: Path) -> subprocess.Popen[str]:
    program = str(Path(sys.executable).with_name("palio"))
    return subprocess.Popen(
        [program, "run", "--json", "--dir", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(folder: Path) -> dict:
    run = start(folder)
    out, err = run.communicate()
    assert run.returncode == 0, out + err
    return json.loads(out)


def test_kill_at_twenty_random_moments_changes_nothing(tmp_path: Path) -> None:
    began = begin(tmp_path / "undisturbed")
    fresh = tmp_path / "fresh"
    shutil.copytree(began, fresh)
    started = time.monotonic()
    expected = finish(began)
    whole_s = time.monotonic() - started

    chance = random.Random(0)
    for number in range(N_KILLS):
        disturbed = tmp_path / f"disturbed-{number}"
        shutil.copytree(fresh, disturbed)
        run = start(disturbed)
        try:
            run.wait(timeout=chance.uniform(0.2, whole_s))
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)
        run.communicate()
        told = finish(disturbed)

        assert told["champion"]["bundle"] == expected["champion"]["bundle"]
        with flow.Project.open(disturbed) as project:
            project.store.ledger.verify()
            assert [line.version for line in project.store.promotions.history(project.name)] == [1]
            assert len(project.store.ledger.events(kind="promote.release")) == 1
            assert project.bundle().id == expected["champion"]["bundle"]
        shutil.rmtree(disturbed)
