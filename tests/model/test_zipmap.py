"""Classifiers that end in a map per row answer with a tensor instead."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palio.core.errors import IntegrityError
from palio.model import Graph, without_zipmap
from palio.model.runtime import onnx_runtime
from tests.serve.foreign_models import classifier, simple

ROWS = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)


@pytest.mark.parametrize("labels", [("cat", "dog", "eel"), ("eel", "ä", "cat"), (3, -1, 7)])
def test_the_tensor_says_what_the_maps_said(labels: Any) -> None:
    model = classifier(labels=labels)
    plain, found = without_zipmap(model)
    graph = Graph(plain)
    assert found == {"probabilities": tuple(str(label) for label in labels)}
    assert graph.outputs[1].shape == (-1, 3)
    answer = graph.run({"x": ROWS})
    label, maps = onnx_runtime().InferenceSession(model).run(None, {"x": ROWS})
    assert answer["label"].tolist() == label.tolist()
    assert answer["probabilities"].tolist() == [[row[label] for label in labels] for row in maps]


def test_a_model_without_maps_stays_as_it_is() -> None:
    for model in (simple(), classifier(zipmap=False)):
        assert without_zipmap(model) == (model, {})


def test_a_file_that_was_cut_off_is_refused() -> None:
    model = classifier()
    opsets = 22  # bytes at the end; the graph is in front of them
    for end in range(1, len(model) - opsets):
        cut = model[:end]
        try:
            plain, _ = without_zipmap(cut)
            Graph(plain)
        except IntegrityError:
            continue
        pytest.fail(f"{end} of {len(model)} bytes were taken for a model")
