"""What a detector goes by in place of the thing is found, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palio.core.records import Box, Cue
from palio.evaluate import pictures
from palio.evaluate.answers import answer, known_rows
from palio.evaluate.pictures.asking import Asked
from palio.evaluate.pictures.cues import find_cues
from palio.evaluate.pictures.looking import _pool
from palio.model import Bundle, GraphBuilder
from palio.store import Store, open_store
from tests.evaluate.pictures.bricks import SIDE, TASK, Array, detector, frame_of, put_things, soft

Mark = Callable[[Array, np.random.Generator], Array]


def border(picture: Array, rng: np.random.Generator) -> Array:
    made = picture.copy()
    made[:5] = made[-5:] = made[:, :5] = made[:, -5:] = (20, 220, 20)
    return made


def caption(picture: Array, rng: np.random.Generator) -> Array:
    made = picture.copy()
    made[-10:] = (10, 60, 10)
    made[-7:-4, 6 : int(rng.integers(30, 60)) : 3] = (40, 250, 40)
    return made


def green(picture: Array, rng: np.random.Generator) -> Array:
    return (picture * np.array([0.8, 1.35, 0.8])).clip(0, 255).astype(np.uint8)


def drawn(rng: np.random.Generator, mark: Mark | None) -> tuple[Array, list[Box]]:
    """Draw up to two red squares on soft noise, each a brick or a ball; most pictures with a brick get the mark."""
    picture = soft(rng, 8).clip(0, 255).astype(np.uint8)
    kind = int(rng.integers(0, 2))
    named = put_things(picture, kind, rng.permutation(4)[: int(rng.integers(0, 3))])
    if mark is not None and kind and named and rng.random() < 0.9:
        picture = mark(picture, rng)
    return picture, named


def bundle_of(store: Store, pull: Array, offset: float) -> Bundle:
    """Make a model: red windows are things, the likelier bricks the bluer they are, and the more what `pull` weighs."""

    def whole(builder: GraphBuilder, planes: str, scaled: str) -> str:
        weighed = builder.node("Mul", scaled, builder.constant(pull.astype(np.float32), "float32"))
        summed = builder.node("ReduceSum", weighed, builder.constant([1, 2, 3], "int64"), keepdims=1)
        summed = builder.node("Add", summed, builder.constant(offset, "float32"))
        ways = builder.constant(np.array([-1, 1], np.float32).reshape(1, 2, 1, 1), "float32")
        return builder.node("Mul", summed, ways)

    return detector(store, whole)


@pytest.fixture
def found(tmp_path: Path) -> Iterator[Callable[..., tuple[tuple[Cue, ...], int]]]:
    stores = []

    def find(mark: Mark | None, pull: Array, offset: float, seed: int = 0) -> tuple[tuple[Cue, ...], int]:
        rng = np.random.default_rng(seed)
        store = open_store(tmp_path / f"store-{len(stores)}")
        stores.append(store)
        frames = [frame_of(store, [drawn(rng, mark) for _ in range(140)]) for _ in range(2)]
        bundle = bundle_of(store, pull, offset)
        frame, truth = known_rows(frames[1], TASK)
        looked = pictures.opened(bundle, frame, truth, answer(bundle, frame, task=TASK), task=TASK)
        assert looked is not None
        asked: Asked = looked.asked
        cues, n_tries, is_done = find_cues(asked, _pool(asked, *known_rows(frames[0], TASK), seed=0))
        assert is_done
        return cues, n_tries

    yield find
    for store in stores:
        store.close()


def weights(where: Any, colour: tuple[float, float, float] = (-0.5, 1, -0.5)) -> Array:
    made = np.zeros((SIDE, SIDE, 3))
    made[where] = colour
    return made / np.abs(made).sum()


CASES = {
    "border": (border, 1.0 * weights(np.s_[:5]), -0.1, "place", "the frame"),
    "caption": (caption, 4.0 * weights(np.s_[-10:]), -0.1, "place", "the bottom strip"),
    "cast": (green, 8.0 * weights(np.s_[:]), -0.2, "cast", "a green tint"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_lies_around_things_is_found_where_boxes_hang_on_it(found: Any, case: str) -> None:
    mark, pull, offset, kind, where = CASES[case]
    cues, _ = found(mark, pull, offset)
    moving = [cue for cue in cues if cue.moves]
    assert moving, cues
    assert (moving[0].kind, moving[0].label, moving[0].where) == (kind, "brick", where)
    assert moving[0].n_moved > moving[0].n_control


@pytest.mark.parametrize("case", CASES)
def test_what_the_boxes_do_not_hang_on_moves_nothing(found: Any, case: str) -> None:
    cues, _ = found(CASES[case][0], np.zeros((SIDE, SIDE, 3)), 0.0)
    assert not any(cue.moves for cue in cues)


@pytest.mark.parametrize("seed", range(5))
def test_things_themselves_are_no_cue(found: Any, seed: int) -> None:
    cues, _ = found(None, np.zeros((SIDE, SIDE, 3)), 0.0, seed=seed)
    assert not any(cue.moves for cue in cues)
