"""Detectors learn, answer in each picture's own pixels, and their graphs answer as they do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palio import measure, model
from palio.core.errors import InputError
from palio.train.entrants import entrants_of
from palio.train.families.detector import Detector
from palio.train.families.queries import DFINE, RTDETR
from palio.train.family import graph_of
from tests.train.deep.boxes.small_scenes import SCHEMA, TASK, examples, query_folder

torch = pytest.importorskip("torch")


def score_of(graph: model.Graph, rows: Any) -> float:
    said = model.answers_of(graph.predict(rows.feeds()), TASK)
    return measure.score(TASK, rows.target, said, names=("ap50",))["ap50"]


def check_graph(fitted: Any, rows: Any) -> model.Graph:
    """Hold the graph against torch, for any number of pictures, and for pictures that are made to be hard."""
    graph = model.Graph(graph_of(fitted, SCHEMA, TASK))
    feeds = rows.feeds()
    assert graph.outputs[0].name == "prediction"
    for n in (1, 2, 3, len(rows.target)):
        some = {name: values[:n] for name, values in feeds.items()}
        whole = fitted.reference(some)
        assert model.check_parity(graph, some, whole).passed
    return graph


@pytest.fixture(scope="module")
def learned() -> Any:
    params = {"backbone": "", "size": 96, "rate": 5e-3, "mosaic": 0.3, "epochs": 24}
    return Detector().fit(examples(32), params=params, seed=1)


def test_a_detector_from_nothing_finds_what_is_bright(learned: Any) -> None:
    graph = check_graph(learned, examples(12, seed=5))
    assert score_of(graph, examples(24, seed=5)) > 0.5
    assert any("no weights are named" in note for note in learned.notes)


def test_boxes_lie_in_the_picture(learned: Any) -> None:
    graph = model.Graph(graph_of(learned, SCHEMA, TASK))
    said = measure.questions.of(TASK).truth(graph.predict(examples(6).feeds()).prediction)
    for one in said:
        assert (one.corners[:, :2] >= 0).all()
        assert (one.corners[:, 2:] <= (90, 70)).all()


def test_the_same_seed_gives_the_same_bits() -> None:
    params = {"backbone": "", "size": 64, "rate": 2e-3, "mosaic": 0.5, "epochs": 2}
    rows = examples(16)
    first, second = (graph_of(Detector().fit(rows, params=params, seed=3), SCHEMA, TASK) for _ in range(2))
    assert first == second


@pytest.mark.slow
@pytest.mark.parametrize(("family", "kind"), [(DFINE, "d_fine"), (RTDETR, "rt_detr_v2")])
def test_a_detector_of_queries_learns_a_batch_and_goes_into_a_graph(family: Any, kind: str, tmp_path: Path) -> None:
    import dataclasses

    own = dataclasses.replace(family, backbone=str(query_folder(kind, tmp_path / kind)))
    rows = examples(8)
    params = {"backbone": "x", "rate": 2e-3, "mosaic": 0.0, "epochs": 30}
    fitted = own.fit(rows, params=params, seed=0)  # it must lose a third of its loss on one batch, or is refused
    losses = [one.learned for one in fitted.course.epochs]
    assert losses[-1] < 0.5 * losses[0]
    check_graph(fitted, rows)


def test_weights_of_another_kind_keep_a_family_away(tmp_path: Path) -> None:
    folder = str(query_folder("d_fine", tmp_path / "own"))
    names = [one.name for one in entrants_of((), TASK, SCHEMA, backbone=folder)]
    assert names == ["dummy", "dfine"]
    with pytest.raises(InputError, match="kind `d_fine`"):
        entrants_of(("rtdetr",), TASK, SCHEMA, backbone=folder)


def test_pictures_without_any_box_teach_nothing() -> None:
    rows = examples(16)
    empty = rows.take(np.array([7, 15]))
    with pytest.raises(InputError, match="no picture has a box"):
        Detector().fit(empty, params={"backbone": "", "size": 64, "rate": 1e-3, "mosaic": 0.0, "epochs": 1}, seed=0)
