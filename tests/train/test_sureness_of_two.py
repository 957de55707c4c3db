from __future__ import annotations

import dataclasses
import math

import msgspec
import numpy as np
import pytest

from palio.core.records import Member
from palio.testing.family import TASKS, examples_of
from palio.train.choice import choose
from palio.train.examples import Array
from palio.train.field import Field, Finalist
from palio.train.finalists import single
from palio.train.race import Candidate
from palio.train.sureness import difference_error
from palio.train.work import score_numbers
from tests.train.small_parts import field_of, lesson_of, terms

TASK, VALUES = TASKS["two classes"], TASKS["value"]


def field_for(kind: str, metric: str, rng: np.random.Generator, *, n_rows: int = 600, n_folds: int = 2) -> Field:
    """Rows drawn anew, so that scores on them differ as those of other rows do."""
    task = VALUES if kind == "values" else TASK
    examples = examples_of(task)
    lesson = lesson_of(examples.take(rng.integers(0, len(examples.target), n_rows)), n_folds)
    if kind == "values":
        lesson.examples.target[:] = rng.normal(size=n_rows)
    return field_of(lesson, terms(task, metric))


def finalist(field: Field, number: int, noise: Array, *, folds: tuple[int, ...] = (0, 1)) -> Finalist:
    """One who knows the truth but for some noise, a number a row."""
    truth, made = field.lesson.examples.target, Candidate(number, "linear", {}, 1, whole_at=number)
    for fold in folds:
        rows = field.lesson.rows[f"score {fold}"]
        if field.terms.task.kind == "regression":
            made.answers[fold] = (truth[rows] + noise[rows])[:, None]
        else:
            share = 1 / (1 + np.exp(-(2 * truth[rows] - 1 + noise[rows])))
            made.answers[fold] = np.column_stack([1 - share, share])
        scored = score_numbers(field.terms.task, truth[rows], made.answers[fold], names=(field.terms.metric,))
        made.scores[fold], made.ties[fold] = (scored[field.terms.metric],), (0.0,)
    return single(field, made, folds)


def score_of(one: Finalist) -> float:
    assert one.run.cv_score is not None
    return one.run.cv_score


@pytest.mark.parametrize(("kind", "metric"), [("values", "rmse"), ("classes", "roc_auc"), ("classes", "log_loss")])
def test_it_is_what_differences_differ_by_from_rows_to_rows(kind: str, metric: str) -> None:
    """Answers here do not depend on what was learned, so that the widening for shared rows is taken off."""
    differences, errors = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        field = field_for(kind, metric, rng)
        common = rng.normal(size=600)
        pair = [finalist(field, k, scale * (common + 0.7 * rng.normal(size=600))) for k, scale in ((1, 1.0), (2, 1.2))]
        differences.append(score_of(pair[0]) - score_of(pair[1]))
        errors.append(difference_error(field, *pair) / math.sqrt(1 + 2 / (2 - 1)))
    assert 0.75 < float(np.mean(errors)) / float(np.std(differences)) < 1.33


def test_a_mix_is_taken_where_two_folds_gain_unequally_but_rows_are_sure() -> None:
    noise = np.random.default_rng(0).normal(size=600)
    field = field_for("values", "rmse", np.random.default_rng(0))
    second = np.isin(np.arange(600), field.lesson.rows["score 1"])
    alone, mixed = finalist(field, 1, noise), finalist(field, 2, noise * np.where(second, 0.5, 0.95))
    members = tuple(Member(run=alone.run.id, family=name, weight=0.5) for name in ("f1", "f3"))
    mixed = dataclasses.replace(mixed, run=msgspec.structs.replace(mixed.run, members=members))
    runs = [alone.run, mixed.run]
    assert choose(runs, sign=-1.0, n_folds=2).ranking[0] is alone.run
    known = {one.run.id: one for one in (alone, mixed)}
    assert (
        choose(
            runs, sign=-1.0, n_folds=2, by_rows=lambda one, other: difference_error(field, known[one], known[other])
        ).ranking[0]
        is mixed.run
    )


def test_a_fold_alone_tells_trifles_from_gains() -> None:
    rng = np.random.default_rng(0)
    field, noise = field_for("classes", "roc_auc", rng), rng.normal(size=600)
    alone = finalist(field, 1, 2.0 * noise, folds=(0,))
    trifle = finalist(field, 2, 2.0 * noise + 0.1 * rng.normal(size=600), folds=(0,))
    better = finalist(field, 3, noise, folds=(0,))
    assert abs(score_of(trifle) - score_of(alone)) < 3 * difference_error(field, alone, trifle)
    assert score_of(better) - score_of(alone) > 3 * difference_error(field, alone, better) > 0


def test_rows_that_are_scored_again_say_nothing_new() -> None:
    rng = np.random.default_rng(0)
    field, noise = field_for("values", "rmse", rng), rng.normal(size=600)
    rows = dict(field.lesson.rows)
    rows |= {f"{part} {fold + 2}": rows[f"{part} {fold}"] for part in ("learn", "score") for fold in (0, 1)}
    again = dataclasses.replace(field, lesson=dataclasses.replace(field.lesson, rows=rows))
    errors = []
    for known, folds in ((field, (0, 1)), (again, (0, 1, 2, 3))):
        pair = [finalist(known, k, scale * noise, folds=folds) for k, scale in ((1, 1.0), (2, 1.3))]
        errors.append(difference_error(known, *pair))
    assert errors[1] == pytest.approx(errors[0], rel=0.05)


def test_rows_of_which_every_other_is_looked_at_tell_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    errors: dict[int, list[float]] = {20_000: [], 300: []}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        field, noise = field_for("values", "rmse", rng), rng.normal(size=600)
        pair = [finalist(field, 1, noise), finalist(field, 2, 1.3 * noise + 0.5 * rng.normal(size=600))]
        for most, found in errors.items():
            monkeypatch.setattr("palio.train.sureness.MAX_ROWS_OF_TWO", most)
            found.append(difference_error(field, *pair))
    assert 0.85 < float(np.mean(errors[300])) / float(np.mean(errors[20_000])) < 1.15


def test_few_rows_and_other_rows_cannot_tell() -> None:
    rng = np.random.default_rng(0)
    field, noise = field_for("values", "rmse", rng), rng.normal(size=600)
    one, other = finalist(field, 1, noise), finalist(field, 2, noise, folds=(0,))
    assert difference_error(field, one, other) == math.inf
    small = field_for("values", "rmse", rng, n_rows=40)
    pair = [finalist(small, k, noise[:40] * k) for k in (1, 2)]
    assert difference_error(small, *pair) == math.inf
