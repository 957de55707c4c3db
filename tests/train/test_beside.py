from __future__ import annotations

import pytest

from palio.train.beside import Beside
from palio.train.engine.inline import InlineEngine
from palio.train.examples import Shape
from palio.train.families.linear import Linear
from palio.train.race import Step
from tests.train import odd_families as odd
from tests.train.test_drive import LESSON

SMALL, LARGE = Shape(300, 8, 2), Shape(300_000, 80, 8)


def step(number: int, family: str) -> Step:
    params = {} if family == "dummy" else dict(Linear().defaults(SMALL, LESSON.examples.task)[0])
    return Step(number, number, family, params, 0, (0,))


@pytest.mark.parametrize(
    ("number", "family", "shape", "takes"),
    [
        (0, "dummy", LARGE, True),
        (1, "linear", SMALL, True),
        (1, "linear", LARGE, False),
        (5, "linear", SMALL, False),
        (1, "hanging", SMALL, False),
    ],
)
def test_only_what_comes_first_and_is_soon_done_is_fitted_here(
    number: int, family: str, shape: Shape, takes: bool
) -> None:
    beside = Beside(InlineEngine(LESSON, {"hanging": odd.Hanging()}), soon={"linear": Linear()}, shape=shape)
    assert beside.takes(step(number, family)) == takes


def test_what_cannot_be_loaded_ends_no_search() -> None:
    done: list[str] = []

    def load() -> None:
        raise ModuleNotFoundError("uvicorn")

    beside = Beside(InlineEngine(LESSON, {}), chores=[load, lambda: done.append("report")])
    while beside.has_chores:
        beside.do_a_chore()
    assert done == ["report"]
