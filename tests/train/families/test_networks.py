"""Families of deep networks: the graph answers as torch does, and the same seed gives the same bytes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from palio import model
from palio.core.errors import InputError
from palio.core.records import Task
from palio.testing.examples import TASKS, text_examples
from palio.testing.family import assert_in_space
from palio.train import Examples, OutOfTime
from palio.train.cutting import weighted
from palio.train.deep import pictured
from palio.train.deep.plan import Teaching
from palio.train.entrants import entrants_of
from palio.train.examples import Shape
from palio.train.family import Params, graph_of
from palio.train.how import How
from palio.train.table import PICTURE_FAMILIES, TEXT_NETWORKS, load_family
from palio.train.work import check
from tests.train.deep.small_backbones import encoder_of, folder_of, picture_examples

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

FAMILIES = [*(name for name in PICTURE_FAMILIES if name != "zero_shot"), *TEXT_NETWORKS]
QUICK: Params = {"epochs": 2, "width": 8}
SHAPE = Shape(1_000, 1, 3)


@pytest.fixture(scope="module")
def backbones(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("backbones")
    texts = text_examples(TASKS["two classes"], alone=True).feeds()
    words = [str(text) for column in texts.values() for text in column[:, 0]]
    return {
        "image": str(folder_of("resnet", folder / "pictures")),
        "text": str(encoder_of(folder / "texts", words)),
    }


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest, backbones: dict[str, str]) -> Any:
    modality = "image" if request.param in PICTURE_FAMILIES else "text"
    return load_family(request.param, backbone=backbones[modality])


def examples_of(family: Any, task: Task) -> Examples:
    return picture_examples(task) if family.name in PICTURE_FAMILIES else text_examples(task, n_rows=90, alone=True)


def quick(family: Any, examples: Examples) -> Params:
    first = dict(family.defaults(examples.shape, examples.task)[0])
    return first | {key: value for key, value in QUICK.items() if key in first}


def fitted(family: Any, examples: Examples, **changes: Any) -> Any:
    watch = examples if family.rounds else None
    return family.fit(examples, params=quick(family, examples) | changes, seed=1, watch=watch)


@pytest.mark.parametrize("name", list(TASKS))
def test_the_graph_answers_as_the_library_does(family: Any, name: str) -> None:
    examples = examples_of(family, TASKS[name])
    learned = fitted(family, examples)
    graph = graph_of(learned, examples.schema, examples.task)
    assert model.Graph(graph).precision == "float32"
    for parity in check(graph, learned, examples, n_hard=64):
        assert parity.passed, parity


@pytest.mark.parametrize("name", ["cnn", "finetune", *TEXT_NETWORKS])
def test_a_rare_class_is_thought_likelier_where_all_classes_weigh_the_same(
    name: str, backbones: dict[str, str]
) -> None:
    family = load_family(name, backbone=backbones["text" if name in TEXT_NETWORKS else "image"])
    family = family.under(Teaching(is_brief=True))  # what is said at random need not be learned by heart
    examples = examples_of(family, TASKS["two classes"])
    rare = np.flatnonzero(examples.target == 1)
    some = examples.take(np.sort(np.concatenate([np.flatnonzero(examples.target == 0), rare[: len(rare) // 6]])))
    target = np.random.default_rng(0).permutation(some.target)  # so that all there is to learn is how rare it is
    few = Examples(some.frame, target, some.schema, some.task, blobs=some.blobs)
    plain, even = (fitted(family, weighted(few, How(balanced=is_even))) for is_even in (False, True))
    others = examples.take(rare[len(rare) // 6 :])
    assert even.reference(others).probabilities[:, 1].mean() > plain.reference(others).probabilities[:, 1].mean()


def test_the_same_seed_gives_the_same_bytes(family: Any) -> None:
    task = TASKS["three classes"]
    first, second = (graph_of(fitted(family, own), own.schema, task) for own in (examples_of(family, task),) * 2)
    assert first == second


def test_defaults_and_suggestions_lie_in_one_space(family: Any) -> None:
    for params in family.defaults(SHAPE, TASKS["three classes"]):
        assert_in_space(family, dict(params), SHAPE, TASKS["three classes"])
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = family.suggest(study.ask(), SHAPE, TASKS["three classes"])
    assert drawn.keys() == family.defaults(SHAPE, TASKS["three classes"])[0].keys()


def test_more_work_costs_more_and_hurried_work_less(family: Any) -> None:
    params = dict(family.defaults(SHAPE, TASKS["three classes"])[0])
    costs = [family.seconds(SHAPE.of(n_rows), params) for n_rows in (10, 1_000, 100_000)]
    assert 0 < costs[0] < costs[1] < costs[2]
    if family.rounds:
        assert family.seconds(SHAPE, family.hurry(params, 0.3)) < costs[1]
        assert family.hurry(params, 1.0) == params


def test_no_time_gives_no_model(family: Any) -> None:
    examples = examples_of(family, TASKS["two classes"])
    with pytest.raises(OutOfTime):
        family.fit(examples, params=quick(family, examples), seed=0, deadline=0.0)


def test_one_class_alone_is_refused(family: Any) -> None:
    examples = examples_of(family, TASKS["two classes"])
    alone = examples.take(np.flatnonzero(examples.target == 0))
    with pytest.raises(InputError, match="only one class"):
        fitted(family, alone)


def test_a_class_without_examples_does_not_break_the_fit(family: Any) -> None:
    examples = examples_of(family, TASKS["three classes"])
    learned = fitted(family, examples.take(np.flatnonzero(examples.target != 1)))
    answer = learned.reference(examples)
    assert answer.probabilities.shape == (len(examples.target), 3)
    np.testing.assert_allclose(answer.probabilities.sum(axis=1), 1.0, atol=1e-9)


def test_what_rows_count_reaches_what_is_learned(family: Any) -> None:
    task = TASKS["three classes"]
    own = examples_of(family, task)
    said = []
    for favoured in range(3):
        weights = np.where(own.target == favoured, 20.0, 0.05)
        heavy = dataclasses.replace(own, weights=weights / weights.mean())
        learned = fitted(family, heavy)
        said.append(learned.reference(own).probabilities.mean(axis=0))
    assert (np.argmax(said, axis=0) == np.arange(3)).all(), said


def test_a_model_goes_back_to_a_round_and_its_curve_tells_how_good_it_was(family: Any) -> None:
    if not family.rounds:
        pytest.skip("it does not learn in rounds")
    examples = examples_of(family, TASKS["three classes"])
    learned = fitted(family, examples)
    for rounds, told in enumerate(learned.curve, start=1):
        sure = learned.at(rounds).reference(examples).probabilities[np.arange(len(examples.target)), examples.target]
        assert -np.log(sure).mean() == pytest.approx(told, rel=1e-5)


def test_what_was_computed_of_pictures_is_kept_for_other_workers(
    backbones: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, own = TASKS["two classes"], load_family("features", backbone=backbones["image"])
    first, second = (dataclasses.replace(picture_examples(task), folder=tmp_path) for _ in range(2))
    expected = fitted(own, first.take(np.arange(60)))
    assert len(list(tmp_path.glob("computed-*.npy"))) == 1
    monkeypatch.delattr(pictured.Cells, "__getitem__")  # nothing is decoded again
    again = own.fit(second.take(np.arange(60)), params=quick(own, first), seed=1)
    np.testing.assert_array_equal(again.head.weights, expected.head.weights)


def test_pictures_are_learned(backbones: dict[str, str]) -> None:
    task = TASKS["three classes"]
    examples, other = picture_examples(task, n_rows=150), picture_examples(task, n_rows=100, seed=1)
    own = load_family("cnn")
    learned = own.fit(examples, params=quick(own, examples) | {"epochs": 6}, seed=0, watch=other)
    assert (learned.reference(other).probabilities.argmax(axis=1) == other.target).mean() > 0.7


@pytest.mark.parametrize("name", ["textcnn", "lstm"])
def test_words_are_learned(name: str) -> None:
    task = TASKS["two classes"]
    examples, other = (text_examples(task, n_rows=n, seed=s, alone=True) for n, s in ((400, 0), (200, 1)))
    own = load_family(name)
    params = dict(own.defaults(examples.shape, task)[0]) | {"width": 16, "epochs": 6}
    learned = own.fit(examples, params=params, seed=0, watch=other)
    assert learned.curve.min() < 0.64


def test_who_has_no_backbone_stays_away_unless_it_is_asked_for(backbones: dict[str, str]) -> None:
    task = TASKS["two classes"]
    schema = picture_examples(task, n_rows=2).schema
    assert [one.name for one in entrants_of((), task, schema)] == ["dummy", "hog", "cnn"]
    named = [one.name for one in entrants_of((), task, schema, backbone=backbones["image"])]
    assert named == ["dummy", "features", "hog", "finetune", "cnn"]
    with pytest.raises(InputError, match="no backbone"):
        entrants_of(("features",), task, schema)


def test_a_backbone_that_is_not_there_is_named_before_anything_is_tried() -> None:
    own = load_family("features", backbone="./nowhere")
    with pytest.raises(InputError, match="nowhere"):
        own.defaults(SHAPE, TASKS["two classes"])
