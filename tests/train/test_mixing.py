from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from palio.core.records import Cost
from palio.testing.family import TASKS, examples_of
from palio.train.choice import Limits
from palio.train.ensemble import MIX, PRUNED, STACK
from palio.train.field import Field, Finalist
from palio.train.mixing import mixes
from palio.train.race import Candidate
from tests.train.small_parts import candidate_of, field_of, lesson_of, terms

TASK = TASKS["three classes"]
TERMS = terms(TASK, "log_loss")
LESSON = lesson_of(examples_of(TASK, n_rows=1_050))
COST = Cost(fit_s=0.1, latency_ms_p50=0.02, latency_ms_p99=0.04, size_mb=0.1)


@pytest.fixture(scope="module")
def whole() -> list[Candidate]:
    made = [candidate_of(k, name, LESSON, TERMS) for k, name in enumerate(("linear", "lightgbm", "forest"))]
    for one in made:
        one.cost = COST
    return made


def by_family(field: Field, whole: list[Candidate]) -> dict[str, Finalist]:
    return {one.run.family: one for one in mixes(field, whole)}


def test_a_stack_competes_with_the_greedy_mix_of_the_same_members(whole: list[Candidate]) -> None:
    found = by_family(field_of(LESSON, TERMS), whole)
    assert set(found) == {MIX, STACK}
    assert found[STACK].layer is not None and found[MIX].layer is None
    assert set(found[STACK].weights) <= set(found[MIX].weights)
    assert found[STACK].run.layer == found[STACK].layer
    assert found[STACK].run.params["offsets"] == list(found[STACK].layer.offsets)
    assert found[STACK].run.id != found[MIX].run.id
    for one in found.values():
        assert len(one.answers) == len(one.rows) == len(LESSON.examples.target)
        assert one.answers.sum(axis=1) == pytest.approx(np.ones(len(one.rows)))
        assert len(one.run.fold_scores) == 3


def test_on_a_small_table_there_is_no_stack() -> None:
    lesson = lesson_of(examples_of(TASK))
    made = [candidate_of(k, name, lesson, TERMS) for k, name in enumerate(("linear", "lightgbm"))]
    assert STACK not in by_family(field_of(lesson, TERMS), made)


def echoes(one: Candidate, n_echoes: int) -> list[Candidate]:
    """Candidates that say what another says, each blurred by chance of its own: together they say it clearly."""
    made = []
    for number in range(10, 10 + n_echoes):
        rng = np.random.default_rng(number)
        raised = {k: some * np.exp(0.5 * rng.normal(size=some.shape)) for k, some in one.answers.items()}
        said = {k: some / some.sum(axis=1, keepdims=True) for k, some in raised.items()}
        made.append(dataclasses.replace(one, number=number, answers=said))
    return made


def test_a_dear_mix_is_pruned_too(whole: list[Candidate]) -> None:
    found = by_family(field_of(LESSON, TERMS), echoes(whole[0], 5))
    assert len(found[PRUNED].weights) < len(found[MIX].weights) == 5
    assert found[PRUNED].run.cost is not None and found[MIX].run.cost is not None
    assert found[PRUNED].run.cost.size_mb < found[MIX].run.cost.size_mb
    assert PRUNED not in by_family(field_of(LESSON, TERMS), whole)


def test_a_mix_that_breaks_a_limit_is_pruned_until_it_meets_it(whole: list[Candidate]) -> None:
    """The sum of medians is within the limit, that of the slowest of a hundred is not."""
    limits = Limits(latency_ms_p99=0.1)
    found = by_family(field_of(LESSON, TERMS, limits=limits), echoes(whole[0], 5))
    assert found[MIX].run.cost is not None and found[MIX].run.cost.latency_ms_p99 > 0.1 * 1.1
    assert found[PRUNED].run.cost is not None and found[PRUNED].run.cost.latency_ms_p99 <= 0.1 * 1.1


def test_the_same_candidates_make_the_same_mixes(whole: list[Candidate]) -> None:
    first, second = (by_family(field_of(LESSON, TERMS), whole) for _ in range(2))
    assert {name: one.run for name, one in first.items()} == {name: one.run for name, one in second.items()}


def test_one_candidate_makes_no_mix(whole: list[Candidate]) -> None:
    assert mixes(field_of(LESSON, TERMS), whole[:1]) == []
    assert mixes(field_of(LESSON, TERMS), []) == []
