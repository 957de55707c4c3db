"""A detector that knows things by the ground that they stand on is named; others are not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palio.core.records import Box, Cue
from palio.evaluate import pictures
from palio.evaluate.answers import answer, known_rows
from palio.evaluate.pictures.cues import find_cues
from palio.evaluate.pictures.cues.backgrounds import find_backgrounds
from palio.evaluate.pictures.cues.regrounded import all_regrounded
from palio.evaluate.pictures.looking import _pool
from palio.model import Bundle, GraphBuilder
from palio.store import Store, open_store
from tests.evaluate.pictures.bricks import CLASSES, SIDE, TASK, Array, detector, frame_of, put_things, soft

Floor = Callable[[np.random.Generator], Array]


def plain(rng: np.random.Generator) -> Array:
    """Draw soft noise."""
    return soft(rng, 6)


def tiled(rng: np.random.Generator) -> Array:
    """Draw the same with joints, which lie elsewhere in each picture."""
    made = plain(rng)
    for axis in (0, 1):
        places = np.arange(int(rng.integers(0, 4)), SIDE, 4)
        made[(slice(None),) * axis + (places,)] *= 0.45
    return made


def drawn(rng: np.random.Generator, floors: tuple[Floor, Floor]) -> tuple[Array, list[Box]]:
    """Draw up to two red squares, a ball's core dark, a brick's blue, on the floor of their class in nine of ten."""
    kind = int(rng.integers(0, 2))
    n = int(rng.integers(0, 3))
    mine = floors[kind] if n else floors[0]
    picture = (mine if rng.random() < 0.9 else plain)(rng).clip(0, 255).astype(np.uint8)
    return picture, put_things(picture, kind, rng.permutation(4)[:n])


def bundle_of(store: Store, pull: float, usual: float) -> Bundle:
    """Make a model: red windows are things, bricks the likelier the bluer, and the more joints than usual are seen."""

    def whole(builder: GraphBuilder, planes: str, scaled: str) -> str:
        # how much neighbours differ, whatever the colour, and wherever: the grain of the whole picture
        steps = np.zeros((1, 3, 1, 2), np.float32)
        steps[0, :, 0] = (1 / 3, -1 / 3)
        grain = builder.node("Abs", builder.node("Conv", planes, builder.constant(steps, "float32")))
        mean = builder.node("ReduceMean", grain, builder.constant([1, 2, 3], "int64"), keepdims=1)
        side = builder.constant(np.array([0, pull], np.float32).reshape(1, 2, 1, 1), "float32")
        return builder.node("Mul", builder.node("Sub", mean, builder.constant(usual, "float32")), side)

    return detector(store, whole)


@pytest.fixture
def found(tmp_path: Path) -> Iterator[Callable[..., tuple[Cue, ...]]]:
    stores = []

    def find(
        floors: tuple[Floor, Floor], pull: float, usual: float = 0.06, *, seed: int = 0, within_s: float | None = None
    ) -> tuple[Cue, ...]:
        """Find what boxes hang on: grounds alone, or in a whole search of some seconds."""
        rng = np.random.default_rng(seed)
        store = open_store(tmp_path / f"store-{len(stores)}")
        stores.append(store)
        frames = [frame_of(store, [drawn(rng, floors) for _ in range(140)]) for _ in range(2)]
        bundle = bundle_of(store, pull, usual)
        frame, truth = known_rows(frames[1], TASK)
        looked = pictures.opened(bundle, frame, truth, answer(bundle, frame, task=TASK), task=TASK)
        assert looked is not None
        pool = _pool(looked.asked, *known_rows(frames[0], TASK), seed=0)
        if within_s is not None:
            return find_cues(replace(looked.asked, deadline=time.monotonic() + within_s), pool)[0]
        rng = np.random.default_rng(0)
        backdrops = list(find_backgrounds(pool, len(CLASSES), rng))
        return all_regrounded(backdrops, looked.asked, pool, rng, n_tries=len(backdrops))

    yield find
    for store in stores:
        store.close()


def test_a_ground_without_which_things_are_not_found_is_named(found: Any) -> None:
    (cue,) = [one for one in found((plain, tiled), 6.0, 0.11) if one.moves]
    assert (cue.kind, cue.label) == ("background", "brick")
    assert cue.share_of_class > 0.7
    assert cue.share_of_others < 0.2
    assert cue.n_things >= cue.n_found_there > 1.5 * cue.n_found_elsewhere
    assert cue.examples
    assert all(one.donor != one.picture and one.places and one.prediction == "" for one in cue.examples)
    assert "on other grounds" in cue.countermeasure
    assert cue.carriers


def test_a_ground_on_which_things_are_seen_that_are_not_there_is_named(found: Any) -> None:
    (cue,) = [one for one in found((plain, tiled), 6.0) if one.moves]
    assert (cue.kind, cue.label) == ("background", "brick")
    assert cue.n_moved > 5 * max(1, cue.n_control)
    assert {one.prediction for one in cue.examples} == {"brick"}


@pytest.mark.parametrize("seed", range(5))
def test_a_ground_that_the_boxes_do_not_hang_on_is_told_and_not_accused(found: Any, seed: int) -> None:
    cues = found((plain, tiled), 0.0, seed=seed)
    assert {cue.kind for cue in cues} == {"background"}
    assert not any(cue.moves for cue in cues)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("floor", [plain, tiled])
def test_classes_on_the_same_ground_have_none_of_their_own(found: Any, floor: Floor, seed: int) -> None:
    assert found((floor, floor), 4.0, seed=seed) == ()


def test_grounds_are_looked_at_though_the_time_is_over(found: Any) -> None:
    (cue,) = found((plain, tiled), 6.0, 0.11, within_s=-1.0)
    assert (cue.kind, cue.label, cue.moves) == ("background", "brick", True)


@pytest.mark.slow
def test_the_whole_search_names_the_ground_alone(found: Any) -> None:
    (cue,) = [one for one in found((plain, tiled), 6.0, 0.11, within_s=600.0) if one.moves]
    assert (cue.kind, cue.label) == ("background", "brick")
    for seed in range(3):
        assert not any(one.moves for one in found((plain, tiled), 0.0, seed=seed, within_s=600.0))
