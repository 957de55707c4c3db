"""The backbone's own classes: the graph answers as the whole network of the package does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palio import model
from palio.core.errors import InputError
from palio.core.records import Task
from palio.train.entrants import entrants_of, half_known
from palio.train.family import graph_of
from palio.train.table import load_family
from palio.train.work import check
from tests.train.deep.small_backbones import SMALL, folder_of, picture_examples

torch = pytest.importorskip("torch", reason="torch is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

LABELS = {0: "background", 1: "red ant, emmet", 2: "bee", 3: "black ant", 4: "fly"}
TASK = Task(kind="classification", target="y", classes=("ants", "bees", "flies"), metric="log_loss")


def taught(kind: str, folder: Path, labels: dict[int, str] = LABELS) -> Path:
    """Save a small network with its classifier, and how it wants pictures."""
    folder_of(kind, folder)
    config = transformers.AutoConfig.for_model(kind, **SMALL[kind], id2label=labels)
    with torch.random.fork_rng():
        torch.manual_seed(2)
        whole = transformers.AutoModelForImageClassification.from_config(config).eval()
        for one in whole.modules():
            if isinstance(one, torch.nn.BatchNorm2d):
                one.running_mean.normal_(0.0, 0.1)
                one.running_var.uniform_(0.5, 1.5)
            if isinstance(one, torch.nn.Linear):
                one.weight.data.normal_(0.0, 0.5)
    whole.save_pretrained(folder)
    return folder


def fitted(folder: Path, examples: Any) -> Any:
    family = load_family("zero_shot", backbone=str(folder))
    return family.fit(examples, params=dict(family.defaults(examples.shape, examples.task)[0]), seed=0)


@pytest.mark.parametrize("kind", ["mobilenet_v2", "resnet", "convnextv2", "efficientnet", "vit", "dinov2"])
def test_it_answers_as_the_whole_network_of_the_package_does(kind: str, tmp_path: Path) -> None:
    folder, examples = taught(kind, tmp_path / kind), picture_examples(TASK, n_rows=30)
    learned = fitted(folder, examples)
    whole = transformers.AutoModelForImageClassification.from_pretrained(folder).eval()
    pixels = learned_pixels(learned, examples)
    mean, std = (255 * np.array(one, np.float32) for one in ([0.5, 0.4, 0.3], [0.2, 0.3, 0.4]))
    with torch.no_grad():
        logits = whole(torch.from_numpy(((pixels - mean) / std).transpose(0, 3, 1, 2))).logits.double().numpy()
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    own = np.column_stack([raised[:, 1] + raised[:, 3], raised[:, 2], raised[:, 4]])
    expected = own / own.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(learned.reference(examples).probabilities, expected, atol=2e-4)


def learned_pixels(learned: Any, examples: Any) -> Any:
    from palio.train.deep.pictured import pixels_of

    return np.asarray(pixels_of(examples, learned.reading)[np.arange(len(examples.target))], np.float32)


@pytest.mark.parametrize("n_ours", [2, 3])
def test_the_graph_answers_as_the_reference(n_ours: int, tmp_path: Path) -> None:
    task = Task(kind="classification", target="y", classes=TASK.classes[-n_ours:], metric="log_loss")
    examples = picture_examples(task)
    learned = fitted(taught("resnet", tmp_path), examples)
    graph = graph_of(learned, examples.schema, task)
    assert model.Graph(graph).precision == "float32"
    for parity in check(graph, learned, examples, n_hard=64):
        assert parity.passed, parity
    assert graph == graph_of(fitted(tmp_path, examples.take(np.arange(20))), examples.schema, task)  # no label counts


def test_it_competes_where_all_classes_bear_names_of_its_own(tmp_path: Path) -> None:
    folder, schema = str(taught("resnet", tmp_path)), picture_examples(TASK, n_rows=2).schema

    def names(*classes: str, wanted: tuple[str, ...] = ()) -> list[str]:
        task = Task(kind="classification", target="y", classes=classes, metric="log_loss")
        return [one.name for one in entrants_of(wanted, task, schema, backbone=folder)]

    assert "zero_shot" in names("ants", "bee")
    assert "zero_shot" not in names("ants", "wasp") + names("dogs", "cats")
    with pytest.raises(InputError, match=r"taught `ants` by name, but none of `wasp`"):
        names("ants", "wasp", wanted=("zero_shot",))
    with pytest.raises(InputError, match=r"none of `cats` and `dogs` by name"):
        names("cats", "dogs", wanted=("zero_shot",))
    with pytest.raises(InputError, match="no backbone is named"):
        entrants_of(("zero_shot",), TASK, schema)


def test_what_it_knows_in_part_is_told(tmp_path: Path) -> None:
    folder, schema = str(taught("resnet", tmp_path)), picture_examples(TASK, n_rows=2).schema

    def told(*classes: str, backbone: str = folder) -> str:
        task = Task(kind="classification", target="y", classes=classes, metric="log_loss")
        return half_known(task, schema, backbone=backbone)

    assert told("ants", "wasp").startswith("train     zero_shot was left out: the backbone was taught `ants` by name")
    assert told("ants", "bees") == told("cats", "dogs") == told("ants", "wasp", backbone="") == ""
