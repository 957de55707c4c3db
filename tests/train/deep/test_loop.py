"""The loop: the same bits, whatever happens on the way; an end in time; a word where nothing can be learned."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palio.core.errors import InputError, UnavailableError
from palio.train.deep import loop
from palio.train.deep.descent import answer
from palio.train.deep.loop import train
from palio.train.deep.losses import probabilities
from palio.train.deep.plan import Progress
from palio.train.deep.saving import Keeper
from palio.train.family import OutOfTime
from palio.train.telling import FIRST
from tests.train.deep.small_lessons import PLAN, Points, bits, network, points

pytest.importorskip("torch", reason="torch is not installed")


def accuracy(trained, material: Points) -> float:
    scores = answer(trained.module, material, np.arange(len(material.target)))
    return float((scores.argmax(axis=1) == material.target).mean())


def test_the_network_learns_what_can_be_learned() -> None:
    trained = train(network(), points(), PLAN, seed=0, watch=points(seed=1))
    assert accuracy(trained, points(seed=2)) > 0.8
    assert trained.curve is not None
    assert len(trained.curve) == len(trained.learned) == PLAN.epochs
    assert trained.rounds == int(trained.curve.argmin()) + 1


def test_the_same_seed_gives_the_same_bits_and_another_one_others() -> None:
    first, second, other = (train(network(), points(), PLAN, seed=seed) for seed in (0, 0, 1))
    assert bits(first) == bits(second) != bits(other)


def test_the_chance_of_others_is_left_alone() -> None:
    import torch

    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    train(network(), points(), PLAN, seed=0)
    assert torch.equal(torch.rand(3), expected)


def test_the_curve_tells_the_log_loss_of_each_round_and_how_much_is_left_at_the_best_temperature() -> None:
    watch = points(seed=1)
    trained = train(network(), points(), PLAN, seed=0, watch=watch)
    assert trained.curve is not None and trained.corrected is not None
    for rounds, (told, left) in enumerate(zip(trained.curve, trained.corrected, strict=True), start=1):
        scores = answer(trained.at(rounds).module, watch, np.arange(len(watch.target)))
        sure = probabilities(scores)[np.arange(len(watch.target)), watch.target]
        assert -np.log(sure).mean() == pytest.approx(told)
        assert left <= told + 1e-9
    assert trained.rounds == int(np.argmin(trained.corrected)) + 1


def test_the_schedule_reaches_its_end() -> None:
    told: list[Progress] = []
    trained = train(network(), points(), PLAN, seed=0, tell=told.append)
    assert told[-1].step == told[-1].n_steps == trained.n_steps == PLAN.epochs * (200 // PLAN.batch)
    assert told[-1].eta_s == 0.0
    assert told[-1].rate == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("changes", [{"ema": 0.0}, {"mixup": 0.4}, {"focus": 2.0}, {"smoothing": 0.1}])
def test_every_way_of_learning_can_be_taken_up_again(tmp_path: Path, changes: dict[str, float]) -> None:
    plan = replace(PLAN, **changes)
    whole = train(network(), points(), plan, seed=0)
    keep = Keeper(tmp_path / "fit", every_s=0.0)
    stopped = _Stop(after=17)
    with pytest.raises(KeyboardInterrupt):
        train(network(), stopped, plan, seed=0, keep=keep)
    assert stopped.rows_seen
    again = train(network(), points(), plan, seed=0, keep=keep)
    assert bits(again) == bits(whole)


class _Stop(Points):
    """Points of which a person has enough after some batches."""

    def __init__(self, after: int) -> None:
        own = points()
        super().__init__(own.values, own.target)
        self.after = after
        self.rows_seen = 0

    def learned(self, rows, epoch):
        self.rows_seen += len(rows)
        if self.calls > self.after:
            raise KeyboardInterrupt
        return super().learned(rows, epoch)


_KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from palio.train.deep.loop import train
from palio.train.deep.saving import Keeper
from tests.train.deep.small_lessons import PLAN, network, points

class Slow(type(points())):
    def learned(self, rows, epoch):
        if self.calls == 18:
            print("here", flush=True)
            sys.stdin.read()
        return super().learned(rows, epoch)

own, keep = points(), Keeper(Path(sys.argv[1]), every_s=0.0)
train(network(), Slow(own.values, own.target), PLAN, seed=0, watch=points(seed=1), keep=keep)
"""


def test_a_fit_that_was_killed_in_the_middle_of_an_epoch_ends_with_the_same_bits(tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(_KILLED, "utf-8")
    root = Path(__file__).resolve().parents[3]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(root), str(root / "src")])}
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "fit")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == b"here\n"
        process.send_signal(signal.SIGKILL)
    keep = Keeper(tmp_path / "fit", every_s=0.0)
    counted = points()
    again = train(network(), counted, PLAN, seed=0, watch=points(seed=1), keep=keep)
    assert counted.calls < 3 * 12  # it did not begin anew
    whole = train(network(), points(), PLAN, seed=0, watch=points(seed=1))
    assert bits(again) == bits(whole)
    np.testing.assert_array_equal(again.curve, whole.curve)
    np.testing.assert_array_equal(again.learned, whole.learned)


def test_what_was_kept_of_another_fit_is_not_taken_up(tmp_path: Path) -> None:
    keep = Keeper(tmp_path, every_s=0.0)
    train(network(), points(), PLAN, seed=0, keep=keep)
    other = replace(PLAN, rate=5e-3)
    assert bits(train(network(), points(), other, seed=0, keep=keep)) == bits(train(network(), points(), other, seed=0))


def test_a_state_that_was_damaged_is_not_taken_up(tmp_path: Path) -> None:
    keep = Keeper(tmp_path, every_s=0.0)
    whole = train(network(), points(), PLAN, seed=0, keep=keep)
    state = tmp_path / "state.safetensors"
    state.write_bytes(state.read_bytes()[:-7])
    assert bits(train(network(), points(), PLAN, seed=0, keep=keep)) == bits(whole)


def test_a_fit_whose_state_cannot_be_kept_learns_all_the_same_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    trained = train(network(), points(), PLAN, seed=0, keep=Keeper(tmp_path / "file" / "fit", every_s=0.0))
    assert bits(trained) == bits(train(network(), points(), PLAN, seed=0))
    assert trained.notes == ("its state could not be kept while it learned (not a directory)",)


def test_rows_that_count_otherwise_are_another_fit(tmp_path: Path) -> None:
    keep, rare = Keeper(tmp_path / "fit", every_s=0.0), points()
    rare.weights = np.where(rare.target == 0, 4.0, 0.5)
    plain, heavy = train(network(), points(), PLAN, seed=0, keep=keep), train(network(), rare, PLAN, seed=0, keep=keep)
    assert bits(heavy) == bits(train(network(), rare, PLAN, seed=0)) != bits(plain)


def test_what_was_kept_can_be_cleared(tmp_path: Path) -> None:
    keep = Keeper(tmp_path / "fit")
    train(network(), points(), PLAN, seed=0, keep=keep)
    assert any((tmp_path / "fit").iterdir())
    keep.clear()
    assert not (tmp_path / "fit").exists()


def test_a_loss_that_is_no_number_is_gone_back_from_with_half_the_rate() -> None:
    material = points()
    material.spoilt = (14,)
    trained = train(network(), material, replace(PLAN, epochs=6), seed=0)
    assert len(trained.notes) == 1
    assert "step 15" in trained.notes[0]
    assert trained.n_steps == 72
    assert accuracy(trained, points(seed=2)) > 0.8


def test_a_loss_that_stays_no_number_ends_the_fit_with_a_sentence() -> None:
    material = points()
    material.spoilt = tuple(range(20, 100))
    with pytest.raises(InputError, match="no number at step"):
        train(network(), material, PLAN, seed=0)


def test_a_network_that_cannot_learn_is_found_out_before_the_first_epoch() -> None:
    with pytest.raises(InputError, match="by heart") as caught:
        train(network(is_detached=True), points(), PLAN, seed=0)
    assert caught.value.hint


def test_a_rate_at_which_nothing_is_learned_is_replaced() -> None:
    trained = train(network(), points(), replace(PLAN, rate=1e4, epochs=6), seed=0)
    assert trained.notes
    assert accuracy(trained, points(seed=2)) > 0.8


def test_a_rehearsal_leaves_the_weights_as_they_were() -> None:
    import torch

    own = network()
    before = {name: one.clone() for name, one in own.module.state_dict().items()}
    with pytest.raises(OutOfTime):
        train(own, _Late(), replace(PLAN, budget_s=3600.0), seed=0)
    assert all(torch.equal(one, before[name]) for name, one in own.module.state_dict().items())


class _Late(Points):
    """Points for which there is no time after the rehearsal."""

    def __init__(self) -> None:
        own = points()
        super().__init__(own.values, own.target)

    def learned(self, rows, epoch):
        if self.calls == 6:  # the first six are timed
            raise OutOfTime
        return super().learned(rows, epoch)


def test_a_deadline_that_has_passed_ends_the_fit() -> None:
    with pytest.raises(OutOfTime):
        train(network(), points(), PLAN, seed=0, deadline=0.0)


def test_a_deadline_in_the_middle_leaves_what_was_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter(range(1_000_000))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(moments)))  # a look at the clock takes a second
    trained = train(network(), points(), replace(PLAN, epochs=100), seed=0, deadline=31.0, watch=points(seed=1))
    assert trained.was_cut
    assert trained.curve is not None
    assert len(trained.curve) == 2


def test_a_budget_takes_as_many_epochs_as_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter(np.arange(1_000_000) / 8)
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(moments)))  # each step takes an eighth of a second
    told: list[Progress] = []
    trained = train(network(), points(), replace(PLAN, epochs=100, budget_s=20.0), seed=0, tell=told.append)
    assert 5 * 12 < trained.n_steps < 160
    assert trained.n_steps % 12 == 0
    assert told[-1].step == trained.n_steps


def test_what_is_left_is_known_from_the_first_steps_on(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, told = _Clock(), list[Progress]()
    monkeypatch.setattr(time, "perf_counter", clock.look)
    train(network(), _Steady(clock), replace(PLAN, epochs=2), seed=0, tell=told.append)
    assert told[0].eta_s == pytest.approx(told[-1].seconds - told[0].seconds, rel=0.15)


def test_what_made_a_fit_ready_is_not_taken_for_its_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, told, rehearse = _Clock(), list[Progress](), loop.rehearse

    def slowly(*given: Any, **named: Any) -> Any:
        clock.now_s += 30.0
        return rehearse(*given, **named)

    monkeypatch.setattr(time, "perf_counter", clock.look)
    monkeypatch.setattr(loop, "rehearse", slowly)
    train(network(), _Steady(clock), replace(PLAN, epochs=2), seed=0, tell=told.append)
    assert told[0].step == FIRST
    assert told[0].eta_s == pytest.approx(told[-1].seconds - told[0].seconds, rel=0.15)


class _Clock:
    """A look at it takes some time."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def look(self) -> float:
        self.now_s += 0.001
        return self.now_s


class _Steady(Points):
    """Points that take longer to come than a network takes to learn from them."""

    def __init__(self, clock: _Clock) -> None:
        own = points()
        super().__init__(own.values, own.target)
        self._clock = clock

    def learned(self, rows, epoch):
        self._clock.now_s += 0.04
        return super().learned(rows, epoch)


def test_a_fit_ends_when_nothing_more_is_gained() -> None:
    watch = points(seed=1)
    watch.target = np.random.default_rng(0).permutation(watch.target)
    trained = train(network(), points(), replace(PLAN, epochs=50, patience=3), seed=0, watch=watch)
    assert trained.curve is not None
    assert len(trained.curve) == int(trained.curve.argmin()) + 1 + 3


def test_values_can_be_learned() -> None:
    material, watch = points(), points(seed=1)
    for one in (material, watch):
        one.target = 100 + 10 * one.values[:, 0].astype(np.float64)
    own = replace(network(n_classes=0), center=100.0, spread=20.0)
    trained = train(own, material, replace(PLAN, epochs=20), seed=0, watch=watch)
    assert trained.curve is not None
    assert trained.curve.min() < 0.3 * watch.target.var()


def test_rows_that_count_nothing_teach_nothing() -> None:
    material = points(400)
    is_wrong = np.arange(400) % 2 == 0
    material.target = np.where(is_wrong, (material.target + 1) % 3, material.target)
    material.weights = np.where(is_wrong, 0.0, 2.0)
    assert accuracy(train(network(), material, PLAN, seed=0), points(seed=2)) > 0.8


def test_a_device_that_is_not_there_is_named() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(UnavailableError, match="cuda"):
        train(network(), points(), replace(PLAN, device="cuda"), seed=0)
