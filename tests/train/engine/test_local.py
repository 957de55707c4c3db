from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from palio.testing.family import TASKS, examples_of
from palio.train.engine import local
from palio.train.engine.inline import InlineEngine
from palio.train.engine.local import LocalEngine
from palio.train.families.boosting import Boosting
from palio.train.families.linear import Linear
from palio.train.family import Family
from palio.train.orders import Order, Outcome
from tests.train import odd_families as odd
from tests.train.small_parts import lesson_of

LESSON = lesson_of(examples_of(TASKS["two classes"]))
Open = Callable[..., LocalEngine]
PATIENCE_S = 120.0
"""What a busy machine may take: nothing waits for it when all is well."""


@pytest.fixture
def open_engine(tmp_path: Path) -> Iterator[Open]:
    opened = []

    def make(*families: Family, **settings: Any) -> LocalEngine:
        LESSON.write(tmp_path)
        named = {family.name: family for family in (Linear(), *families)}
        engine = LocalEngine(tmp_path, named, spare=InlineEngine(LESSON, named), **({"n_workers": 1} | settings))
        opened.append(engine)
        return engine

    yield make
    for engine in opened:
        engine.close()


def order(number: int, family: str = "linear") -> Order:
    params = (
        {} if family == "broken" else dict(Linear().defaults(LESSON.take("learn 0").shape, LESSON.examples.task)[0])
    )
    return Order(number=number, family=family, params=params, seed=0, folds=(0, 1), metrics=("roc_auc", "f1_macro"))


def trees(number: int) -> Order:
    shape = LESSON.take("learn 0").shape
    params = dict(Boosting().defaults(shape, LESSON.examples.task)[0]) | {"n_estimators": 5}
    return Order(number=number, family="lightgbm", params=params, seed=0, folds=(0,), metrics=("roc_auc", "f1_macro"))


def outcome_of(engine: LocalEngine, asked: Order, **how: Any) -> Outcome:
    engine.submit(asked, **how)
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        for outcome in engine.wait(1.0):
            return outcome
    raise AssertionError("nothing came of it")


def pids(engine: LocalEngine) -> list[int]:
    return [worker.process.pid for worker in engine._workers]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_family_of_others_finds_its_library_whole_in_a_worker(open_engine: Open) -> None:
    engine = open_engine(odd.Borrowing(), Boosting())
    first = outcome_of(engine, trees(1))
    assert outcome_of(engine, order(2, "borrowing")).status == "done"
    again = outcome_of(engine, trees(3))
    assert (first.status, first.scores) == (again.status, again.scores) == ("done", first.scores)


def test_a_worker_finds_what_this_process_finds(open_engine: Open) -> None:
    engine, inline = open_engine(), InlineEngine(LESSON, {"linear": Linear()})
    inline.submit(order(1))
    (here,), there = inline.wait(0.0), outcome_of(engine, order(1))
    assert (here.status, here.scores, here.ties) == (there.status, there.scores, there.ties) != ("failed", (), ())
    assert [one.tolist() for one in here.answers] == [one.tolist() for one in there.answers]


@pytest.mark.parametrize(
    ("family", "reason"),
    [
        (odd.Aborting(), "signal 6 (a crash in a library)"),
        (odd.Segfaulting(), "signal 11 (a crash in a library)"),
        (odd.Hanging(), "was still at it after"),
        (odd.Hungry(), "of the 700 MB that a worker may take"),
        (odd.Starved(), "there was not enough memory"),
        (odd.Broken(), "ZeroDivisionError: the author forgot"),
        (odd.Unloadable(), "could not be loaded in a worker (RuntimeError: it needs a library"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_what_goes_wrong_in_a_family_costs_one_order_and_is_said(
    open_engine: Open, family: Family, reason: str
) -> None:
    engine = open_engine(family, memory=700_000_000)
    patience = 1.0 if family.name == "hanging" else None
    found = outcome_of(engine, order(1, family.name), kill_after_s=patience)
    assert found.number == 1
    assert found.status in ("failed", "killed")
    assert reason in found.reason
    assert outcome_of(engine, order(2)).status == "done"
    assert not engine.fault


def test_where_no_worker_can_be_started_this_process_takes_over(
    open_engine: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mute = tmp_path / "python"
    mute.write_text("#!/bin/sh\necho no memory to be had >&2\nexit 3\n")
    mute.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(mute))
    engine = open_engine(n_workers=2)
    assert outcome_of(engine, order(1)).status == "done"
    assert "its worker ended with code 3 (no memory to be had)" in engine.fault
    assert outcome_of(engine, order(2)).status == "done"
    assert (engine.n_free, engine.n_running, pids(engine)) == (1, 0, [])


def test_a_process_that_cannot_be_started_at_all_is_an_error_and_leaves_nothing(
    open_engine: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(OSError, match="No such file"):
        open_engine()


def test_what_cannot_be_pickled_is_refused_before_a_worker_is_started(open_engine: Open) -> None:
    class Mine(Linear):
        name = "mine"

    with pytest.raises((AttributeError, local.pickle.PicklingError)):
        open_engine(Mine())


def test_what_is_dropped_is_never_heard_of_again(open_engine: Open) -> None:
    engine = open_engine(odd.Hanging())
    engine.submit(order(1, "hanging"))
    assert engine.wait(0.5) == []
    engine.drop()
    assert (engine.n_free, engine.n_running) == (1, 0)
    assert outcome_of(engine, order(2)).number == 2


def test_a_closed_engine_leaves_no_process(open_engine: Open) -> None:
    engine = open_engine(odd.Hanging(), n_workers=2)
    engine.submit(order(1, "hanging"))
    before = pids(engine)
    assert len(before) == 2 and all(map(is_alive, before))
    engine.close()
    assert not any(map(is_alive, before))


ORPHANS = """
import sys, tempfile
from pathlib import Path
from palio.train.engine.inline import InlineEngine
from palio.train.engine.local import LocalEngine
from tests.train import odd_families as odd
from tests.train.engine.test_local import LESSON, order
families = {"hanging": odd.Hanging(), "linear": odd.Linear()}
with tempfile.TemporaryDirectory(prefix="palio-") as folder:
    LESSON.write(Path(folder))
    engine = LocalEngine(Path(folder), families, spare=InlineEngine(LESSON, families), n_workers=2)
    engine.submit(order(1, "hanging"))
    while not all(worker.is_ready for worker in engine._workers):
        engine.wait(0.2)
    print(*[worker.process.pid for worker in engine._workers], flush=True)
    engine.wait(1000.0)
"""


def test_workers_of_a_process_that_was_killed_end_and_take_its_folder_away(tmp_path: Path) -> None:
    env = os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)}
    parent = subprocess.Popen([sys.executable, "-c", ORPHANS], stdout=subprocess.PIPE, text=True, env=env)
    assert parent.stdout is not None
    workers = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(workers) == 2 and list(tmp_path.iterdir())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + PATIENCE_S
    while (any(map(is_alive, workers)) or list(tmp_path.glob("palio-*"))) and time.monotonic() < end:
        os.sched_yield()
    assert not any(map(is_alive, workers))
    assert not list(tmp_path.glob("palio-*")), tempfile.gettempdir()


def test_what_a_worker_loads_beforehand_leaves_nothing_at_home(tmp_path: Path) -> None:
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    code = "from palio.train.engine.worker import _load; _load(); import onnxruntime"
    subprocess.run([sys.executable, "-c", code], check=True, env={**kept, "HOME": str(tmp_path)})
    assert not list(tmp_path.iterdir())
