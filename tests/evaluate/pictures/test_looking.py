"""Galleries, strains, saliency and sheets of judged pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from palio.evaluate import pictures
from palio.evaluate.answers import known_rows
from palio.evaluate.pictures.saliency import GRID, occlusion
from palio.evaluate.scoring import judge, named
from palio.measure import Answers


@pytest.fixture(scope="module")
def seen(gallery: Callable[..., Any]) -> Any:
    made = gallery(intercept=1.0)
    looked = made.looked()
    asked = looked.asked
    evaluation = judge(
        made.bundle,
        asked.frame,
        asked.truth,
        asked.answers,
        part="test",
        ids=("", ""),
        baseline=(),
        task=asked.task,
        more=looked.segments,
    )
    sight = pictures.sight(looked, evaluation, learned=known_rows(made.learned, asked.task))
    return made, looked, evaluation, sight


def test_galleries_hold_what_they_are_called_by(seen: Any) -> None:
    made, _, _, sight = seen
    kinds = {gallery.kind: gallery for gallery in sight.galleries}
    assert {"right", "near"} <= set(kinds)
    assert all(one.truth == one.prediction for one in kinds["right"].pictures)
    for kind in ("wrong", "surely_wrong"):
        assert all(one.truth != one.prediction for one in (kinds[kind].pictures if kind in kinds else ()))
    known = set(made.judged["picture"])
    assert all(one.picture in known and one.row_id for gallery in sight.galleries for one in gallery.pictures)


def test_strains_begin_with_the_pictures_as_they_are_and_tell_what_they_look_like_then(seen: Any) -> None:
    _, _, evaluation, sight = seen
    assert sight.strains[0].change == "as they are"
    assert sight.strains[0].score == pytest.approx(evaluation.metrics["accuracy"].value)
    by = {(one.change, one.level): one for one in sight.strains}
    assert len(by) == 11
    assert by["blur", "2 pixels"].statistics["sharpness"] < sight.strains[0].statistics["sharpness"]
    assert by["light", "× 0.6"].score < sight.strains[0].score  # it goes by brightness alone
    assert by["light", "× 0.6"].n_changed > 0


def test_the_answer_hangs_on_what_the_model_looks_at(seen: Any) -> None:
    _, looked, _, _ = seen
    bee = int(np.flatnonzero(looked.asked.is_right & (looked.asked.truth == 1))[0])
    grid = np.abs(np.array(occlusion(looked.asked, bee)))
    assert grid.shape == (GRID, GRID)
    assert grid[2:5, 2:5].mean() > 4 * np.r_[grid[0], grid[-1]].mean()


def test_slices_know_what_describes_a_picture_and_have_sheets(seen: Any) -> None:
    _, _, evaluation, sight = seen
    columns = {one.column for one in evaluation.slices}
    assert {"picture.brightness", "picture.warmth"} <= columns
    assert any(one.condition.startswith("below ") for one in evaluation.slices)
    known = {(one.column, one.condition) for one in evaluation.slices}
    assert all((sheet.column, sheet.condition) in known and sheet.pictures for sheet in sight.sheets)


def test_what_a_new_model_mends_and_breaks_is_shown(seen: Any) -> None:
    _, looked, _, _ = seen
    before = Answers(1 - looked.asked.truth)
    (mended,) = pictures.differences(looked, before)
    assert mended.kind == "mended"
    assert mended.n_rows == int(looked.asked.is_right.sum())
    assert all(one.before != one.truth for one in mended.pictures)


def test_equal_questions_have_equal_answers(seen: Any) -> None:
    made, looked, evaluation, sight = seen
    assert named(evaluation, sight=sight).id != evaluation.id
    assert pictures.sight(looked, evaluation, learned=known_rows(made.learned, looked.asked.task)) == sight
