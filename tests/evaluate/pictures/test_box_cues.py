"""What a detector goes by in place of the thing is found, and nothing else."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from palio import model
from palio.core.cells.boxes import cell_of
from palio.core.records import Box, Column, Cue, PictureReading, Schema, Task
from palio.evaluate import pictures
from palio.evaluate.answers import answer, known_rows
from palio.evaluate.pictures.asking import Asked
from palio.evaluate.pictures.cues import find_cues
from palio.evaluate.pictures.looking import _pool
from palio.model import Bundle, GraphBuilder
from palio.store import Store, open_store
from tests.evaluate.pictures.manifests import manifest_of

Array = Any
SIDE, WINDOW, STEP = 64, 16, 8
CLASSES = ("ball", "brick")
SCHEMA = Schema(
    columns=(
        Column(name="picture", type="image"),
        Column(name="things", type="boxes", feature=False),
    ),
    target="things",
)
TASK = Task(kind="detection", target="things", classes=CLASSES, threshold=0.5)
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


def drawn(rng: np.random.Generator, mark: Mark | None) -> tuple[bytes, list[Box]]:
    """Draw up to two red squares on soft noise, each a brick or a ball; most pictures with a brick get the mark."""
    coarse = rng.integers(60, 150, (6, 6, 3)).astype(np.uint8)
    picture = np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), 2)) + rng.normal(0, 8, (SIDE, SIDE, 3))
    picture = picture.clip(0, 255).astype(np.uint8)
    named = []
    kind = int(rng.integers(0, 2))
    for place in rng.permutation(4)[: int(rng.integers(0, 3))]:
        left, top = 8 + 24 * int(place % 2), 8 + 24 * int(place // 2)
        # a brick has a blue, a ball a dark core
        picture[top : top + 16, left : left + 16] = (240, 30, 30)
        picture[top + 4 : top + 12, left + 4 : left + 12] = (30, 30, 200) if kind else (30, 30, 30)
        named.append(Box(label=CLASSES[kind], box=(left, top, left + 16, top + 16)))
    if mark is not None and kind and named and rng.random() < 0.9:
        picture = mark(picture, rng)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue(), named


def bundle_of(store: Store, pull: Array, offset: float) -> Bundle:
    """Make a model: red windows are things, the likelier bricks the bluer they are, and the more what `pull` weighs."""
    builder = GraphBuilder(SCHEMA)
    builder.precision = "float32"
    reading = builder.reading(PictureReading(input=model.input_name("picture"), size=SIDE, fit="letterbox"))
    pixels = builder.cast(f"{reading.tensor}.pixels", "float")
    scaled = builder.node("Mul", pixels, builder.constant(1 / 255, "float32"))
    planes = builder.node("Transpose", scaled, perm=[0, 3, 1, 2])
    pooled = builder.node("AveragePool", planes, kernel_shape=[WINDOW, WINDOW], strides=[STEP, STEP])
    n = (SIDE - WINDOW) // STEP + 1
    mixed = np.array([[1.5, -1.0, -0.6], [1.2, -1.0, 0.35]], np.float32).reshape(2, 3, 1, 1)
    own = builder.node("Conv", pooled, builder.constant(mixed, "float32"))
    weighed = builder.node("Mul", scaled, builder.constant(pull.astype(np.float32), "float32"))
    whole = builder.node("ReduceSum", weighed, builder.constant([1, 2, 3], "int64"), keepdims=1)
    whole = builder.node("Add", whole, builder.constant(offset, "float32"))
    whole = builder.node("Mul", whole, builder.constant(np.array([-1, 1], np.float32).reshape(1, 2, 1, 1), "float32"))
    raw = builder.node("Add", own, whole)
    steep = builder.node(
        "Mul", builder.node("Sub", raw, builder.constant(0.45, "float32")), builder.constant(12.0, "float32")
    )
    flat = builder.node("Reshape", builder.node("Sigmoid", steep), builder.constant([0, 2, n * n], "int64"))
    scores = builder.node("Transpose", flat, perm=[0, 2, 1])
    at = np.arange(n) * STEP
    left, top = (one.ravel() for one in np.meshgrid(at, at))
    corners = np.stack([left, top, left + WINDOW, top + WINDOW], axis=1).astype(np.float32)
    nothing = builder.node("ReduceSum", scores, builder.constant([2], "int64"), keepdims=1)
    nothing = builder.node("Mul", nothing, builder.constant(0, "float32"))
    boxes = builder.node("Add", builder.constant(corners[None], "float32"), nothing)
    found = model.emit_suppressed(builder, boxes, scores, n_places=n * n, n_classes=2, iou=0.2, floor=0.01)
    model.emit_answers(builder, found, TASK)
    graph = model.Graph(builder.build())
    return Bundle(
        id="0" * 64,
        manifest=manifest_of(graph, TASK, SCHEMA, family="detector"),
        graph=graph,
        members={},
        blobs=store.blobs,
    )


@pytest.fixture
def found(tmp_path: Path) -> Iterator[Callable[..., tuple[tuple[Cue, ...], int]]]:
    stores = []

    def find(mark: Mark | None, pull: Array, offset: float, seed: int = 0) -> tuple[tuple[Cue, ...], int]:
        rng = np.random.default_rng(seed)
        store = open_store(tmp_path / f"store-{len(stores)}")
        stores.append(store)
        frames = []
        for _ in range(2):
            made = [drawn(rng, mark) for _ in range(140)]
            cells = {
                "picture": [store.blobs.put(one) for one, _ in made],
                "things": [cell_of(named) for _, named in made],
            }
            frames.append(pl.DataFrame(cells))
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
