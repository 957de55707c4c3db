from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from palio.core.records import Course
from palio.testing.family import TASKS
from palio.train.examples import Shape
from palio.train.families.linear import Linear
from palio.train.heats import Heats
from palio.train.race import LAG, Candidate, Step
from palio.train.table import load_family
from tests.train.small_parts import terms

TASK = TASKS["two classes"]
TERMS = terms(TASK, "roc_auc")
SHAPE = Shape(5_000, 1, 2)


@dataclass(frozen=True)
class Net(Linear):
    """A network by its looks: it plans its epochs, and its usual number of them is five."""

    name: str = "net"
    rounds: str = "epochs"
    cost: float = 1.0
    longest: int = field(default=3)

    def under(self, teaching: Any) -> Net:
        return self

    def seconds(self, shape: Any, params: Any) -> float:
        return self.cost

    def defaults(self, shape: Any, task: Any) -> list[dict[str, Any]]:
        return [{"rate": 0.01, "epochs": 5}, {"rate": 0.1, "epochs": 5}]

    def suggest(self, trial: Any, shape: Any, task: Any) -> dict[str, Any]:
        return {"rate": trial.suggest_float("rate", 0.001, 1.0), "epochs": trial.suggest_categorical("epochs", [5])}


def taken(score: Callable[[Step], float | None], *, n_workers: int, n_steps: int = 12) -> list[Step]:
    """Take steps with so many workers, of which the one that began last ends first."""
    families = [load_family("dummy"), load_family("linear"), Net(name="dear", cost=9.0), Net(name="cheap")]
    heats, candidates = Heats(families, SHAPE, TERMS), dict[int, Candidate]()
    steps: list[Step] = []
    busy: list[Step] = []
    for number in range(n_steps):
        while len(busy) >= n_workers or any(one.number <= number - LAG for one in busy):
            done = busy.pop()
            found = score(done)
            if found is not None:
                candidates[done.number].scores = {0: (found,)}
        step = heats.next(number, {k: one for k, one in candidates.items() if k <= number - LAG})
        if step is not None:
            candidates[number] = Candidate(number, step.family, step.params, step.seed)
            steps.append(step)
            busy.append(step)
    return steps


def dear_is_better(step: Step) -> float:
    return {"dummy": 0.5, "linear": 0.8, "dear": 0.7, "cheap": 0.6}[step.family]


def test_light_families_go_first_and_each_network_has_a_heat_the_cheap_one_before() -> None:
    steps = taken(dear_is_better, n_workers=1)
    assert [(one.family, one.kind) for one in steps[:4]] == [
        ("dummy", "usual"),
        ("linear", "usual"),
        ("cheap", "heat"),
        ("dear", "heat"),
    ]


def test_the_network_that_promises_most_is_trained_long_though_a_light_family_is_ahead() -> None:
    long = next(one for one in taken(dear_is_better, n_workers=1) if one.kind == "long")
    assert (long.family, long.params["epochs"], long.usual) == ("dear", 15, 5)


def test_a_network_that_had_no_time_for_a_heat_is_trained_if_no_other_did_better() -> None:
    long = next(
        one for one in taken(lambda step: None if step.kind == "heat" else 0.5, n_workers=1) if one.kind == "long"
    )
    assert long.family == "cheap"


def test_the_same_findings_are_followed_by_the_same_steps_on_any_number_of_workers() -> None:
    def asked(n_workers: int) -> list[tuple[str, str, Any]]:
        steps = taken(dear_is_better, n_workers=n_workers, n_steps=30)
        return [(one.family, one.kind, one.params) for one in steps][:7]

    assert asked(1) == asked(2) == asked(4)


def test_after_a_long_training_other_settings_are_trained_by_turns_with_light_families() -> None:
    steps = [one for one in taken(dear_is_better, n_workers=1, n_steps=40) if one.number > 3]
    assert [one.kind for one in steps[:4]] == ["long", "usual", "long", "usual"]
    assert steps[2].family == "cheap"
    assert len({str(one.params) + one.family for one in steps}) == len(steps)


def test_a_network_without_a_heat_goes_before_one_that_is_behind_the_light_families() -> None:
    def score(step: Step) -> float | None:
        known = {"dummy": 0.5, "linear": 0.8, "cheap": 0.6}
        return None if (step.family, step.kind) == ("dear", "heat") else known.get(step.family, 0.9)

    assert next(one for one in taken(score, n_workers=1) if one.kind == "long").family == "dear"


def test_a_network_that_learned_nearly_all_in_its_heat_waits_for_one_that_has_more_to_show() -> None:
    course = Course(epochs=(), n_epochs=5, n_steps=50, epoch_s=1.0)
    families = [load_family("dummy"), Net(name="dear", cost=9.0), Net(name="cheap")]
    heats, candidates = Heats(families, SHAPE, TERMS), dict[int, Candidate]()
    for number, score in enumerate((0.5, 0.9, 0.8)):
        step = heats.next(number, {})
        assert step is not None
        candidates[number] = Candidate(number, step.family, step.params, step.seed, scores={0: (score,)})
    candidates[1].course = course
    candidates[2].course = msgspec.structs.replace(course, n_epochs=1)
    step = heats.next(3, candidates)
    assert step is not None and (step.family, step.kind) == ("dear", "long")


def test_a_network_that_nobody_competes_with_is_alone_and_one_of_several_is_not() -> None:
    def first_heat(*families: Any) -> Step:
        heats = Heats(families, SHAPE, TERMS)
        steps = [heats.next(number, {}) for number in range(len(families))]
        return next(one for one in steps if one is not None and one.kind == "heat")

    dummy = load_family("dummy")
    assert first_heat(dummy, Net()).is_alone
    assert not first_heat(dummy, Net(), Net(name="dear")).is_alone
    assert not first_heat(dummy, load_family("linear"), Net()).is_alone
