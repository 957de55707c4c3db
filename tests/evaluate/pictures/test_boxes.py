"""Pictures with boxes, judged by a model that is known: what is found, where it fails, and what is shown of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from palio.core.cells import cell_of
from palio.core.records import Box, Evaluation, Task
from palio.evaluate import pictures
from palio.evaluate.answers import answer, known_rows
from palio.evaluate.comparison import compare_answers
from palio.evaluate.details.boxes import details_of
from palio.evaluate.pictures import Looked
from palio.evaluate.pictures.boxes import from_square, scenery, showing, turned_back
from palio.evaluate.scoring import judge
from palio.evaluate.segmenting import inside
from palio.measure import Answers, questions
from palio.measure.boxes import Objects
from palio.store import open_store
from tests.evaluate.pictures import scenes

Judged = tuple[scenes.Scenes, Looked, Evaluation]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[scenes.Scenes]:
    with open_store(tmp_path_factory.mktemp("store")) as store:
        rng = np.random.default_rng(0)
        learned, judged = scenes.frame_of(20, rng, store, "train"), scenes.frame_of(120, rng, store, "test")
        yield scenes.Scenes(store, learned, judged, scenes.bundle_of(store))


@pytest.fixture(scope="module")
def looked(world: scenes.Scenes) -> Judged:
    frame, truth = known_rows(world.judged, scenes.TASK)
    answers = answer(world.bundle, frame, task=scenes.TASK)
    found = pictures.opened(world.bundle, frame, truth, answers, task=scenes.TASK)
    assert found is not None
    how = {"part": "test", "ids": ("", ""), "baseline": (0.0,), "task": scenes.TASK, "more": found.segments}
    return world, found, judge(world.bundle, frame, truth, answers, **how)  # type: ignore[arg-type]


def test_an_evaluation_says_what_is_found_and_what_errors_cost(looked: Judged) -> None:
    _, _, evaluation = looked
    finds = evaluation.finds
    assert finds is not None and evaluation.primary == "ap"
    assert finds.n_found <= finds.n_boxes and finds.threshold == scenes.TASK.threshold
    assert finds.found.value == pytest.approx(evaluation.metrics["box_recall"].value)
    assert finds.n_false / evaluation.n_rows == pytest.approx(evaluation.metrics["false_alarms"].value)
    assert [one.cost for one in finds.faults] == sorted((one.cost for one in finds.faults), reverse=True)
    found = [one.found for one in finds.levels]
    assert found == sorted(found, reverse=True)
    assert all(one.found or one.false_alarms for one in finds.levels), "each shows something"
    assert evaluation.gains["ap"].low > 0 and evaluation.baseline["ap"].value == 0


def test_what_is_there_and_what_is_said_add_up(looked: Judged) -> None:
    _, _, evaluation = looked
    finds, table = evaluation.finds, np.array(evaluation.confusion)
    assert finds is not None and table.shape == (3, 3)
    assert table[:-1].sum() == finds.n_boxes and table[:, :-1].sum() == finds.n_found + finds.n_false
    assert np.diag(table)[:-1].sum() == finds.n_found and table[-1, -1] == 0
    assert [one.n_boxes for one in evaluation.per_class] == table[:-1].sum(axis=1).tolist()


def test_galleries_draw_every_box_and_say_what_it_is(looked: Judged) -> None:
    world, found, evaluation = looked
    sight = pictures.sight(found, evaluation, learned=known_rows(world.learned, scenes.TASK))
    kinds = {one.kind: one for one in sight.galleries}
    assert {"background", "right"} <= set(kinds) and not sight.cues
    finds = evaluation.finds
    assert finds is not None
    faults = {one.kind: one for one in finds.faults}
    for kind, gallery in kinds.items():
        if kind != "right":
            assert gallery.n_rows == faults[kind].n_pictures  # type: ignore[index]
            assert all(any(box.stands_out for box in one.drawn) for one in gallery.pictures)
    for one in kinds["right"].pictures:
        assert one.sides == (scenes.WIDE, scenes.HIGH) and {box.kind for box in one.drawn} <= {"right", "ignored"}


def test_where_there_are_too_many_boxes_those_that_a_picture_is_shown_for_are_drawn(
    looked: Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(showing, "MAX_DRAWN", 1)
    shown = showing.scene_galleries(looked[1].asked)
    assert all(one.drawn[0].stands_out for gallery in shown if gallery.kind != "right" for one in gallery.pictures)


def test_pictures_as_they_are_and_turned_ones_are_judged_alike_by_a_model_that_does_not_care(looked: Judged) -> None:
    world, found, evaluation = looked
    sight = pictures.sight(found, evaluation, learned=known_rows(world.learned, scenes.TASK))
    strains = {(one.change, one.level): one for one in sight.strains}
    first = strains["as they are", ""]
    assert first.score == pytest.approx(evaluation.metrics["ap"].value)
    assert strains["turned", "by 90°"].score == pytest.approx(first.score, abs=0.01)
    assert strains["colour", "grey"].score < first.score - 0.2


def test_a_champion_that_sees_less_is_worse_and_its_own_threshold_counts(looked: Judged) -> None:
    world, found, _ = looked
    frame, truth = known_rows(world.judged, scenes.TASK)
    champion = scenes.bundle_of(world.store, threshold=0.4, blue=0.3)
    theirs, answers = (answer(one, frame, task=scenes.TASK) for one in (champion, world.bundle))
    assert {one.threshold for one in theirs.prediction} == {0.4}
    comparison = compare_answers(
        (champion, world.bundle), frame, truth, (theirs, answers), part="test", task=scenes.TASK
    )
    assert comparison.differences["box_recall"].low > 0 and 0 < comparison.n_changed <= frame.height
    galleries = {one.kind: one.n_rows for one in pictures.differences(found, theirs)}
    question = questions.of(scenes.TASK)
    fewer = question.errors(truth, theirs) - question.errors(truth, answers)
    assert galleries == {k: n for k, n in (("mended", (fewer > 0).sum()), ("broken", (fewer < 0).sum())) if n}


def one(*corners: float) -> Objects:
    return Objects(np.array([corners]), np.array([0]), np.ones(1), np.zeros(1, bool))


def test_boxes_come_back_from_the_square_and_are_cut_off_at_the_border() -> None:
    said = np.empty(2, object)
    said[:] = [one(8, 8, 40, 60), one(2, 50, 9, 60)]
    places = np.array([[0.5, 0.5, 0, 0, 128, 96]] * 2)
    back = from_square(Answers(said), places).prediction
    assert back[0].corners.tolist() == [[16, 16, 80, 96]] and len(back[1]) == 0
    pixels = np.zeros((64, 64), int)
    pixels[8:20, 30:50] = 1
    rows, columns = np.nonzero(np.rot90(pixels))
    seen = np.empty(1, object)
    seen[0] = one(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert turned_back(Answers(seen), 64).prediction[0].corners.tolist() == [[30, 8, 50, 20]]


def test_pictures_are_cut_by_how_many_things_they_hold_how_large_and_whether_cut_off() -> None:
    truth = np.empty(90, object)
    truth[:30] = [one(10, 10, 20, 20) for _ in range(30)]
    truth[30:60] = [one(0, 10, 90, 90) for _ in range(30)]
    truth[60:] = [Objects(np.empty((0, 4)), np.empty(0, int), np.empty(0), np.empty(0, bool)) for _ in range(30)]
    found = {one.condition: one.rows for one in scenery(truth, np.full((90, 2), 100.0))}
    assert found["with one thing"].sum() == 60
    small = next(rows for words, rows in found.items() if "small" in words)
    assert small[:30].all() and not small[30:].any()
    assert found["whose things are cut off at the border"].tolist() == [False] * 30 + [True] * 30 + [False] * 30


def test_rows_that_nobody_looked_at_are_left_out(world: scenes.Scenes, tmp_path: Path) -> None:
    some = world.judged.with_columns(things=pl.when(pl.int_range(pl.len()) < 5).then(None).otherwise(pl.col("things")))
    frame, truth = known_rows(some, scenes.TASK)
    assert frame.height == world.judged.height - 5 and len(truth) == frame.height


def test_a_challenger_is_held_against_the_champion_in_pictures_that_look_alike_and_by_what_is_in_them(
    looked: Judged,
) -> None:
    world, found, _ = looked
    frame, truth = known_rows(world.judged, scenes.TASK)
    poor = scenes.bundle_of(world.store, blue=0.05)
    both = tuple(answer(one, frame, task=scenes.TASK) for one in (world.bundle, poor))
    how: Any = {"part": "test", "task": scenes.TASK, "more": found.segments}
    worse = compare_answers((world.bundle, poor), frame, truth, both, **how).slices  # type: ignore[arg-type]
    assert {one.column for one in worse} >= {"scene"} and all(one.worse for one in worse)
    half = np.arange(frame.height) < frame.height // 2
    assert all(len(one.rows) == half.sum() for one in inside(found.segments, half))


def test_thresholds_that_are_told_are_finer_where_scores_are_low() -> None:
    task = Task(kind="detection", target="boxes", classes=("cat",), threshold=0.05)
    question = questions.of(task)
    truth = question.truth([cell_of([Box(label="cat", box=(0, 0, 9, 9))])] * 9)
    for most, wanted in ((0.13, {0.05, 0.1}), (0.96, {0.1, 0.5, 0.9})):
        cells = np.empty(9, object)
        cells[:] = [cell_of([Box(label="cat", box=(0, 0, 9, 9), score=most - 0.01 * at)]) for at in range(9)]
        answers = question.answers({questions.PREDICTION: cells})
        levels = {one.threshold for one in details_of(task, truth, answers)["finds"].levels}
        assert wanted <= levels and max(levels) <= most
        assert (0.05 in levels) == (most < 0.5)
