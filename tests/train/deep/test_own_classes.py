from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from palio.core.errors import InputError
from palio.train.deep.own_classes import last_layer, matched, names_of
from palio.train.deep.places import Place

NAMES = (
    "background",
    "ant, emmet, pismire",
    "bee",
    "bee eater",
    "tiger shark, Galeocerdo cuvieri",
    "great white shark, white shark",
    "lion, king of beasts",
    "sea lion",
    "glass, drinking glass",
    "wine glass",
    "cherry",
)


@pytest.mark.parametrize(
    ("classes", "found"),
    [
        (["ants", "bees"], {"ants": (1,), "bees": (2,)}),
        (["Pismire", "BEE_EATER"], {"Pismire": (1,), "BEE_EATER": (3,)}),
        (["shark", "bee"], {"shark": (4, 5), "bee": (2,)}),
        (["tiger-shark", "shark"], {"tiger-shark": (4,), "shark": (5,)}),
        (["lion", "sea lion"], {"lion": (6,), "sea lion": (7,)}),
        (["lions"], {"lions": (6,)}),
        (["glass", "cherries"], {"glass": (8,), "cherries": (10,)}),
        (["wasp", "eat", "ea", "", "§"], {}),
        (["ant", "emmet"], {}),  # one of its classes cannot be two of ours
    ],
)
def test_classes_are_found_by_their_names(classes: list[str], found: dict[str, tuple[int, ...]]) -> None:
    assert matched(classes, NAMES) == found


def written(folder: Path, **config: object) -> Place:
    (folder / "config.json").write_text(json.dumps({"model_type": "resnet"} | config), "utf-8")
    return Place(str(folder), "own@1")


def test_names_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    labels = {str(number): f"n{number}" for number in range(12)}
    shuffled = dict(sorted(labels.items()))  # "10" before "2"
    assert names_of(written(tmp_path, id2label=shuffled)) == tuple(f"n{number}" for number in range(12))


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}},
        {"id2label": {"0": "a", "2": "b"}},
        {"id2label": {"x": "a", "y": "b"}},
        {"id2label": ["a", "b"]},
        {"id2label": {"0": "a", "1": "b"}, "model_type": "swin"},
    ],
)
def test_who_was_taught_no_classes_by_name_has_none(tmp_path: Path, config: dict[str, object]) -> None:
    assert names_of(written(tmp_path, **config)) == ()


def test_weights_without_a_last_layer_are_refused(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    pytest.importorskip("torch", reason="torch is not installed")
    place = written(tmp_path, id2label={"0": "a", "1": "b"})
    for held in (
        {"body.weight": np.ones((2, 4))},
        {"classifier.weight": np.ones((3, 4)), "classifier.bias": np.ones(3)},
    ):
        safetensors.save_file(held, tmp_path / "model.safetensors")
        with pytest.raises(InputError, match="no last layer of its own for 2 classes"):
            last_layer(place, 4)
    safetensors.save_file(
        {"classifier.1.weight": np.eye(2), "classifier.1.bias": np.arange(2.0)}, tmp_path / "model.safetensors"
    )
    np.testing.assert_array_equal(last_layer(place, 2).weights, np.eye(2))
