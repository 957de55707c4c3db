"""Boxes are watched by how many there are, how large, where and how sure; labels are boxes, too."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest

from palio import measure, model, monitor
from palio.core.cells.boxes import boxes_of, cell_of
from palio.core.monitoring import Reference, Window
from palio.core.records import Box, Column, Schema, Task
from palio.measure import questions
from palio.model.bundle.reference import decode_reference, encode_reference
from palio.monitor.concept.findings import losses_of
from palio.monitor.quality.kpis import Kpi, check_kpis, worth_of
from palio.monitor.quality.outcomes import judge_classes, judge_labels, judge_outcomes, outcomes_of, standards_from

Array = np.ndarray[Any, np.dtype[Any]]
TASK = Task(kind="detection", target="things", classes=("cat", "dog"), threshold=0.5)
SCHEMA = Schema(
    columns=(Column(name="picture", type="image"), Column(name="things", type="boxes", feature=False)), target="things"
)
NOON = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)


def world(n: int, seed: int, *, shift: float = 0.0, seen: float = 0.9, scale: float = 1.0) -> tuple[Array, Array]:
    """Make truths and answers as cells: a thing that is there is answered with a chance, some are not there."""
    rng = np.random.default_rng(seed)
    truths, said = np.empty(n, object), np.empty(n, object)
    for row in range(n):
        true, found = [], []
        for _ in range(rng.poisson(2)):
            left, top = (rng.uniform(0, 300, 2) + shift).tolist()
            side = 60 * scale * rng.uniform(0.7, 1.3)
            label = "cat" if rng.random() < 0.7 else "dog"
            true.append(Box(label=label, box=(left, top, left + side, top + side)))
            if rng.random() < seen:
                off = rng.normal(0, 0.08, 4) * side
                corners = np.array(true[-1].box) + off
                found.append(Box(label=label, box=tuple(corners.tolist()), score=float(rng.beta(8, 2))))
        for _ in range(rng.poisson(0.3)):
            left, top = rng.uniform(0, 300, 2).tolist()
            found.append(Box(label="cat", box=(left, top, left + 40, top + 40), score=float(rng.beta(2, 3))))
        truths[row], said[row] = cell_of(true), cell_of(found)
    return truths, said


def reference(n: int = 1_500) -> Reference:
    truths, said = world(n, 0)
    feeds = {model.input_name("picture"): np.full((n, 1), "00", object)}
    return model.make_reference(
        feeds,
        SCHEMA,
        TASK,
        answers=model.Outputs(said, are_boxes=True),
        truth=questions.of(TASK).truth(truths),
        described={},
    )


def window_of(known: Reference, said: Array) -> Window:
    until = NOON + dt.timedelta(hours=1)
    builder = monitor.WindowBuilder(known, model="m", bundle="b", version=1, since=NOON, until=until)
    builder.add({"bundle": np.full(len(said), "b", object), "id": _ids(len(said)), "prediction": said})
    return builder.finish()


def _ids(n: int) -> Array:
    return np.array([f"{row:x}-1.0" for row in range(n)], object)


def labelled(truths: Array, said: Array) -> dict[str, Array]:
    at = np.datetime64("2026-05-01T12:00", "us") + np.arange(len(said)) * np.timedelta64(1, "s")
    return {"prediction": said, "truth": truths, "truth_number": np.full(len(said), np.nan), "at": at}


def test_a_reference_describes_answers_by_number_size_place_and_score_of_what_is_shown():
    known = reference()
    answers = {one.name: one for one in known.columns if one.role == "answer"}
    names = ("n_boxes", "box_size", "box_across", "box_down", "box_score")
    assert set(answers) == {f"prediction.{name}{which}" for name in names for which in ("", ".cat", ".dog")}
    counts = [answers[f"prediction.n_boxes{which}"].mean for which in ("", ".cat", ".dog")]
    assert counts[0] > counts[1] > 1.5 * counts[2] > 0
    assert 1.5 < answers["prediction.n_boxes"].mean < 2.3 and answers["prediction.box_score"].low >= 0.5
    assert 0.2 < known.quality["ap"].value < known.quality["ap50"].value < 1
    assert decode_reference(encode_reference(known)) == known


def test_what_is_expected_is_what_answers_are_judged_to_be_not_what_their_own_threshold_promises():
    truths, said = world(200, 0)
    truth = questions.of(TASK).truth(truths)
    feeds = {model.input_name("picture"): np.full((200, 1), "00", object)}
    how: dict[str, Any] = {"answers": model.Outputs(said, are_boxes=True), "truth": truth, "described": {}}
    usual = model.make_reference(feeds, SCHEMA, TASK, **how)
    shy = measure.boxes.at_threshold(questions.of(TASK).answers({"prediction": said}), 0.95)
    judged = model.make_reference(feeds, SCHEMA, TASK, judged=shy, **how)
    assert judged.quality["box_recall"].value < usual.quality["box_recall"].value
    assert judged.quality["ap"].value == usual.quality["ap"].value and judged.columns == usual.columns


def test_boxes_as_they_were_are_no_drift():
    known = reference()
    alarms = 0
    for seed in range(1, 21):
        window = window_of(known, world(500, seed)[1])
        alarms += any(one.drifted for one in monitor.drift_of(known, window, min_rows=100))
    assert alarms <= 1


@pytest.mark.parametrize(
    ("change", "moved"),
    [({"seen": 0.4}, "n_boxes"), ({"scale": 2.0}, "box_size"), ({"shift": 150.0}, "box_across")],
)
def test_fewer_larger_and_moved_boxes_are_seen(change, moved):
    known = reference()
    drift = monitor.drift_of(known, window_of(known, world(500, 1, **change)[1]), min_rows=100)
    assert f"prediction.{moved}" in {one.column for one in drift if one.drifted}


def test_fewer_boxes_are_told_by_their_number_alone():
    known = reference()
    drift = monitor.drift_of(known, window_of(known, world(800, 1, seen=0.4)[1]), min_rows=100)
    moved = {one.column for one in drift if one.drifted}
    assert "prediction.n_boxes" in moved and not {one for one in moved if one.startswith("prediction.box_size")}


def test_places_are_judged_where_few_answers_have_boxes_and_not_where_hardly_any_has():
    known = reference()
    for n_boxed, is_judged in ((80, True), (20, False)):
        said = world(400, 1, shift=150.0)[1]
        said[n_boxed:] = "[]"
        drift = {one.column: one for one in monitor.drift_of(known, window_of(known, said), min_rows=200)}
        assert ("prediction.box_across" in drift) == is_judged and "prediction.n_boxes" in drift
        assert not is_judged or drift["prediction.box_across"].drifted


def remade(said: Array, change: Any) -> Array:
    made = np.empty(len(said), object)
    for row, cell in enumerate(said):
        made[row] = cell_of(new for one in boxes_of(cell) for new in change(one))
    return made


def moved_by(one: Box, across: float) -> Box:
    left, top, right, bottom = one.box
    return Box(label=one.label, box=(left + across, top, right + across, bottom), score=one.score)


def test_things_of_one_class_that_lie_elsewhere_are_seen_where_all_together_lie_as_before():
    known = reference()
    drift = monitor.drift_of(
        known,
        window_of(known, remade(world(800, 1)[1], lambda one: [moved_by(one, 70 if one.label == "dog" else -22)])),
        min_rows=100,
    )
    moved = {one.column for one in drift if one.drifted}
    assert "prediction.box_across.dog" in moved
    assert not {"prediction.box_down.dog", "prediction.box_size.dog", "prediction.n_boxes.dog"} & moved


def test_a_class_that_is_found_less_surely_is_seen():
    known = reference()

    def unsure(one: Box) -> list[Box]:
        score = one.score if one.label == "cat" or one.score is None else 0.5 + 0.6 * max(0, one.score - 0.5)
        return [Box(label=one.label, box=one.box, score=score)]

    drift = monitor.drift_of(known, window_of(known, remade(world(800, 1)[1], unsure)), min_rows=100)
    moved = {one.column for one in drift if one.drifted}
    assert "prediction.box_score.dog" in moved and "prediction.box_score.cat" not in moved


def test_other_things_in_the_same_places_are_seen():
    known = reference()
    said = world(500, 1)[1]
    rng = np.random.default_rng(0)
    turned = np.empty(len(said), object)
    for row, cell in enumerate(said):
        turned[row] = cell_of(
            Box(label="dog" if rng.random() < 0.6 else one.label, box=one.box, score=one.score)
            for one in boxes_of(cell)
        )
    drift = monitor.drift_of(known, window_of(known, turned), min_rows=100)
    moved = {one.column for one in drift if one.drifted}
    assert {"prediction.n_boxes.cat", "prediction.n_boxes.dog"} <= moved
    assert "prediction.n_boxes" not in moved and "prediction.box_size" not in moved


def test_late_boxes_tell_how_good_answers_were():
    known = reference()
    standards = standards_from(known.quality)
    window = window_of(known, world(400, 5)[1])
    fine = outcomes_of(TASK, labelled(*world(400, 5)), standards)
    assert {"ap", "box_recall", "false_alarms"} <= {one.metric for one in fine}
    assert not judge_outcomes(window, fine, standards, TASK)
    worse = outcomes_of(TASK, labelled(*world(400, 5, seen=0.5)), standards)
    assert "ap" in {one.subject for one in judge_outcomes(window, worse, standards, TASK)}


def test_boxes_of_a_class_that_the_model_does_not_know_are_told_and_a_class_that_no_longer_comes():
    truths, said = world(400, 5)
    strange = np.array([cell_of([*boxes_of(one), Box(label="fox", box=(0, 0, 9, 9))]) for one in truths[:30]], object)
    window = window_of(reference(), said)
    counts = questions.of(TASK).counts(questions.of(TASK).truth(truths))
    told = judge_classes(window, labelled(np.concatenate([strange, truths[30:]]), said), TASK, counts)
    assert [one.subject for one in told] == ["fox"]
    cats = np.array([cell_of(one for one in boxes_of(cell) if one.label == "cat") for cell in truths], object)
    assert [one.subject for one in judge_classes(window, labelled(cats, said), TASK, counts)] == ["dog"]


def test_labels_that_come_for_full_pictures_alone_are_no_sample_of_all():
    _, said = world(600, 6)
    answers = questions.of(TASK).answers({"prediction": said})
    many = questions.of(TASK).sizes(answers) >= 2
    window = window_of(reference(), said)
    assert judge_labels(window, {"prediction": said, "known": many}, TASK)
    assert not judge_labels(window, {"prediction": said, "known": np.arange(600) % 2 == 0}, TASK)


def test_losses_are_mistakes_in_the_order_of_the_answers_and_pictures_nobody_can_judge_are_passed_over():
    truths, said = world(100, 7)
    truths[3] = cell_of([Box(label="fox", box=(0, 0, 9, 9))])
    found = losses_of(TASK, [labelled(truths, said)])
    assert found is not None
    losses, at, unchanged = found
    assert len(losses) == len(at) == 99 and (losses >= 0).all() and losses.mean() < unchanged.mean()


def test_a_mistake_has_a_price_and_cells_of_a_table_have_none():
    truths, said = world(200, 8)
    rows = labelled(truths, said)
    worth = worth_of([Kpi(name="harm", per_error=-2.0)], TASK, rows)["harm"]
    question = questions.of(TASK)
    errors = question.errors(question.truth(truths), question.answers(rows))
    assert worth.value.value == pytest.approx(-2.0 * errors.mean())
    with pytest.raises(Exception, match="cells"):
        check_kpis([Kpi(name="harm", cells={"cat -> dog": -1.0})], TASK)


def test_that_quality_cannot_be_estimated_is_said():
    assert not monitor.can_estimate(TASK)
    assert monitor.can_estimate(Task(kind="regression", target="y"))
