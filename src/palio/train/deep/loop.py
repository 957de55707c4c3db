"""Teach a network: step by step, by a plan, so that it ends in time, survives being killed, and can be gone back in."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from palio.core.errors import InputError
from palio.train.deep.averaging import Mean
from palio.train.deep.calm import begin_chance, calm
from palio.train.deep.descent import Descent, answer
from palio.train.deep.losses import Goal, mix
from palio.train.deep.order import Order
from palio.train.deep.plan import Material, Network, Plan, Progress, Tell, Trained, Weights, load, moving
from palio.train.deep.rehearsal import rehearse
from palio.train.deep.saving import Keeper, State
from palio.train.deep.schedule import Pace, rate_at, steps_that_fit
from palio.train.examples import Array
from palio.train.family import OutOfTime, check_time, n_threads

MOST_BROKEN = 3
"""How often the rate is halved before a fit is given up."""
MAX_KEPT_BYTES = 512 << 20
"""Memory for the weights of past rounds; beyond it the oldest are forgotten."""
TELL_EVERY_S = 1.0


def train(
    network: Network,
    material: Material,
    plan: Plan,
    *,
    seed: int,
    deadline: float | None = None,
    watch: Material | None = None,
    keep: Keeper | None = None,
    tell: Tell | None = None,
    score: Callable[[Array], float] | None = None,
) -> Trained:
    """Teach a network, whose weights change in place.

    On a CPU the same arguments and number of threads give the same bits, also if a fit was killed and went on from
    `keep`. A plan with a budget depends on the clock through the number of its steps alone, which is decided before
    the first one.

    Args:
        network: What learns; its weights are where it starts from.
        material: The rows.
        plan: How.
        seed: Fixes every use of chance.
        deadline: Moment on `time.monotonic` at which it ends with what it has learned.
        watch: Rows that each round is judged on.
        keep: Where its state is kept while it learns. It is forgotten by whoever made it, once the result is safe.
        tell: Is told how far it is, about once a second and after each round.
        score: What the metric says of scores of the watched rows; for people alone.

    Raises:
        OutOfTime: the deadline came before the first step.
        InputError: the network cannot learn, or its loss stays no number.
        UnavailableError: torch or the device is not there.
    """
    check_time(deadline)
    with calm(plan.device):
        fit = _Fit(network, material, plan, seed, deadline, watch, keep, tell, score)
        state = None if keep is None else keep.read(fit=fit.name)
        if state is None:
            fit.begin()
        else:
            fit.go_back(state, is_from_disk=True)
        fit.run()
        return fit.trained()


class _Fit:
    """One fit, between any two steps."""

    def __init__(
        self,
        network: Network,
        material: Material,
        plan: Plan,
        seed: int,
        deadline: float | None,
        watch: Material | None,
        keep: Keeper | None,
        tell: Tell | None,
        score: Callable[[Array], float] | None,
    ) -> None:
        self._network, self._material, self._plan, self._seed = network, material, plan, seed
        self._deadline, self._watch, self._keep, self._tell, self._score = deadline, watch, keep, tell, score
        weights = np.ones(len(material.target)) if material.weights is None else material.weights
        weights = (weights / max(float(weights.mean()), 1e-12)).astype(np.float32)  # a part's mean need not be 1
        self._goal: Goal = (network.goal or Goal)(network, plan, weights, material.target)
        self._order = Order(material.target, plan.batch, seed, round(plan.balanced * plan.epochs))
        self._n_epoch = np.array([self._order.n_steps(epoch) for epoch in range(plan.epochs)])
        self._began = time.perf_counter()
        self._descent = Descent(network, self._goal, plan)
        self._mean = Mean(network.module, plan.ema)
        self.name = self._named()
        self._kept: dict[int, Weights] = {}
        self._forgotten: list[int] = []
        self._pace = Pace(0.0)
        self._said = self._began
        self._was_cut = False
        self._facts: dict[str, Any] = {"step": 0, "n_steps": 0, "rate": plan.rate, "broken": 0, "notes": []}
        self._facts |= {"epoch": 0, "place": 0, "losses": [], "curve": [], "learned": []}
        self._facts |= {"scores": [], "corrected": [], "rounds": []}

    def _named(self) -> str:
        """Name the fit by all that its bits depend on; how many steps its time allows is part of its state."""
        digest = hashlib.sha256(msgspec.json.encode({**vars(self._plan), "budget_s": None}))
        digest.update(repr((self._seed, n_threads(), len(self._material.target), self._watch is not None)).encode())
        digest.update(_bytes_of(self._material.target))
        if self._material.weights is not None:
            digest.update(_bytes_of(self._goal.weights))
        for name, one in self._network.module.state_dict().items():
            digest.update(f"{name}{tuple(one.shape)}".encode())
            digest.update(one.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    # ── steps ──

    def begin(self) -> None:
        """Rehearse, and decide how many steps there are time for."""
        plan = self._plan
        found = rehearse(self._network, self._goal, self._material, plan, self._order, seed=self._seed)
        self._facts |= {"rate": found.rate, "notes": list(found.notes)}
        self._pace = Pace(found.step_s, self._first_look_s())
        left = None if plan.budget_s is None else plan.budget_s - (time.perf_counter() - self._began)
        self._facts["n_steps"] = steps_that_fit(
            self._n_epoch, step_s=found.step_s, epoch_s=self._pace.look_s, budget_s=left, most=plan.steps
        )

    def run(self) -> None:
        """Take the steps that are left."""
        facts = self._facts
        if (planned := getattr(self._material, "planned", None)) is not None:
            planned(self._n_epochs)
        good = self._state()
        is_told = bool(self._pace.step_s)  # how long it will take is not known before
        self._say(now=is_told)
        while facts["step"] < facts["n_steps"]:
            try:
                check_time(self._deadline)
            except OutOfTime:
                self._was_cut = True
                break
            started = time.perf_counter()
            if not self._step():
                good = self._broken(good)
                continue
            self._pace.stepped(time.perf_counter() - started)
            is_round = facts["place"] == self._n_epoch[facts["epoch"]] or facts["step"] == facts["n_steps"]
            if is_round:
                self._close()
            if is_round or facts["step"] % self._plan.keep_every == 0:
                good = self._state()
                if self._keep is not None and self._keep.write(good, fit=self.name):
                    self._forget()
            if is_round and self._is_stuck():
                break
            self._say(now=not is_told and bool(self._pace.step_s))
            is_told = bool(self._pace.step_s)
        if not facts["rounds"]:
            if not facts["step"]:
                raise OutOfTime
            self._close()

    def _step(self) -> bool:
        facts, plan = self._facts, self._plan
        rows = self._order.rows(facts["epoch"], facts["place"])
        inputs, aims, counts = self._goal.batch(self._material, rows, facts["epoch"])
        if plan.mixup:
            rng = np.random.default_rng((self._seed, 3, facts["step"]))
            inputs, aims = mix(inputs, aims, alpha=plan.mixup, rng=rng)
        begin_chance(self._seed, facts["step"])
        rate = rate_at(facts["step"], facts["n_steps"], warm_up=plan.warm_up, end=plan.end)
        loss, is_taken = self._descent.step(inputs, aims, counts, rate=facts["rate"] * rate)
        if is_taken:
            self._mean.follow(facts["step"])
            facts["losses"].append(loss)
            facts["step"] += 1
            facts["place"] += 1
        return is_taken

    def _broken(self, good: State) -> State:
        """Go back to the last good state with half the rate."""
        facts = self._facts
        at, broken, rate = facts["step"], facts["broken"] + 1, facts["rate"] / 2
        if broken > MOST_BROKEN:
            raise InputError(
                f"the loss was no number at step {at + 1}, and stayed so when the rate was halved {MOST_BROKEN} times",
                hint="are all inputs finite? else lower the rate",
            )
        self.go_back(good)
        note = f"the loss was no number at step {at + 1}: back to step {good.facts['step']} with a rate of {rate:.2g}"
        facts |= {"broken": broken, "rate": rate, "notes": [*facts["notes"], note]}
        return self._state()

    def _close(self) -> None:
        """End a round: judge it, and remember its weights."""
        facts = self._facts
        facts["learned"].append(float(np.mean(facts["losses"])))
        rounds = len(facts["learned"])
        facts |= {"epoch": facts["epoch"] + 1, "place": 0}
        self._kept[rounds] = self._mean.copy()
        facts["rounds"].append(rounds)
        size = sum(one.nbytes for one in self._kept[rounds].values())
        most = max(1, MAX_KEPT_BYTES // max(1, size))
        oldest = None
        if len(self._kept) > (min(most, self._plan.most_kept) if self._plan.most_kept else most):
            oldest = facts["rounds"].pop(0)
            del self._kept[oldest]
        if self._keep is not None:
            self._keep.write_round(rounds, self._kept[rounds], fit=self.name)
            if oldest is not None and self._plan.most_kept:
                self._forgotten.append(oldest)
        if self._watch is not None and len(self._watch.target):
            started = time.perf_counter()
            with self._mean.at_work() as module:
                scores = answer(
                    module,
                    self._watch,
                    np.arange(len(self._watch.target)),
                    batch=self._plan.batch,
                    device=self._plan.device,
                )
            facts["curve"].append(self._goal.judged(scores, self._watch.target, self._watch.weights))
            facts["corrected"].append(self._goal.corrected(scores, self._watch.target, self._watch.weights))
            if self._score is not None:
                facts["scores"].append(self._score(scores))
            self._pace.looked(time.perf_counter() - started)
        self._say(now=True)
        facts["losses"] = []

    def _forget(self) -> None:
        """Take away rounds that the state on disk no longer names."""
        while self._forgotten and self._keep is not None:
            self._keep.forget_round(self._forgotten.pop())

    def _not_kept(self) -> list[str]:
        why = "" if self._keep is None else self._keep.trouble
        return [f"its state could not be kept while it learned ({why})"] if why else []

    def _is_stuck(self) -> bool:
        curve = self._facts["curve"]
        return bool(self._plan.patience and curve) and len(curve) - 1 - int(np.argmin(curve)) >= self._plan.patience

    # ── states ──

    def _state(self) -> State:
        facts = {key: list(value) if isinstance(value, list) else value for key, value in self._facts.items()}
        facts["pace"] = vars(self._pace).copy()
        weights = {name: one.clone() for name, one in moving(self._network.module).items()}
        return State(facts, weights, self._mean.copy() if self._plan.ema else {}, self._descent.memory())

    def go_back(self, state: State, *, is_from_disk: bool = False) -> None:
        """Take up a state."""
        self._facts.update({key: list(one) if isinstance(one, list) else one for key, one in state.facts.items()})
        self._pace = Pace(**self._facts.pop("pace"))
        load(self._network.module, state.weights)
        for name, one in state.mean.items():
            self._mean.weights[name].copy_(one)
        self._descent.remember(state.optimiser)
        if is_from_disk and self._keep is not None:
            found = {rounds: self._keep.read_round(rounds, fit=self.name) for rounds in self._facts["rounds"]}
            self._kept = {rounds: weights for rounds, weights in found.items() if weights is not None}
            self._facts["rounds"] = sorted(self._kept)

    # ── words ──

    def _first_look_s(self) -> float:
        """Measure what judging a round will take, on one batch."""
        if self._watch is None or not len(self._watch.target):
            return 0.0
        rows = np.arange(min(self._plan.batch, len(self._watch.target)))
        started = time.perf_counter()
        answer(self._network.module, self._watch, rows, batch=self._plan.batch, device=self._plan.device)
        return (time.perf_counter() - started) * len(self._watch.target) / len(rows)

    @property
    def _n_epochs(self) -> int:
        """Epochs of the schedule, the last of which may be a part of one."""
        return int(np.searchsorted(np.cumsum(self._n_epoch), self._facts["n_steps"])) + 1

    def _say(self, *, now: bool = False) -> None:
        moment = time.perf_counter()
        if self._tell is None or (not now and moment - self._said < TELL_EVERY_S):
            return
        if not self._pace.step_s and self._facts["step"] < self._facts["n_steps"]:
            return  # how long it will take is not known yet, and what made it ready took its own time
        self._said = moment
        facts = self._facts
        left = facts["n_steps"] - facts["step"]
        ends = np.cumsum(self._n_epoch)
        looks = int(np.count_nonzero((ends > facts["step"]) & (ends <= facts["n_steps"])))
        self._tell(
            Progress(
                epoch=facts["epoch"],
                n_epochs=self._n_epochs,
                step=facts["step"],
                n_steps=facts["n_steps"],
                rate=facts["rate"]
                * rate_at(facts["step"], facts["n_steps"], warm_up=self._plan.warm_up, end=self._plan.end),
                loss=float(np.mean(facts["losses"][-50:])) if facts["losses"] else float("nan"),
                watched=facts["curve"][-1] if facts["curve"] else None,
                score=facts["scores"][-1] if facts["scores"] else None,
                seconds=moment - self._began,
                eta_s=self._pace.left(left, looks if self._watch is not None else 0),
            )
        )

    def trained(self) -> Trained:
        """Return what was learned: the round that was best on the watched rows, else the last one."""
        facts = self._facts
        curve = np.array(facts["curve"]) if facts["curve"] else None
        trained = Trained(
            network=self._network,
            kept=self._kept,
            rounds=max(self._kept),
            curve=curve,
            learned=np.array(facts["learned"]),
            corrected=np.array(facts["corrected"]) if facts["corrected"] else None,
            scores=np.array(facts["scores"]) if facts["scores"] else None,
            n_epochs=self._n_epochs,
            n_steps=facts["n_steps"],
            epoch_s=self._pace.left(int(self._n_epoch[-1]), 1 if self._watch is not None else 0),
            seconds=time.perf_counter() - self._began,
            was_cut=self._was_cut,
            notes=(*facts["notes"], *self._not_kept()),
        )
        return trained if trained.corrected is None else trained.at(int(np.argmin(trained.corrected)) + 1)


def _bytes_of(target: Any) -> bytes:
    """Return what tells one truth from another."""
    if target.dtype != object:
        return np.ascontiguousarray(target).tobytes()
    parts = [[getattr(one, name) for name in one.__slots__] for one in target]  # arrays of one picture each
    return b"".join(np.ascontiguousarray(array).tobytes() for one in parts for array in one)
