"""Small made pictures, and models of which it is known what their answer hangs on."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from PIL import Image

from palio import model, pixels
from palio.core.records import Column, PictureReading, Schema, Task
from palio.evaluate import pictures
from palio.evaluate.answers import answer, known_rows
from palio.evaluate.pictures import Looked
from palio.model import Bundle, GraphBuilder
from palio.store import Store, open_store
from tests.evaluate.pictures.manifests import manifest_of

Array = npt.NDArray[Any]
SIDE = 32
CLASSES = ("ants", "bees")
DESCRIBED = ("brightness", "warmth")
SCHEMA = Schema(
    columns=(
        Column(name="file", type="category", feature=False),
        Column(name="picture", type="image"),
        Column(name="kind", type="category", feature=False),
        *(Column(name=f"picture.{name}", type="number", feature=False) for name in DESCRIBED),
    ),
    target="kind",
    id="file",
)
TASK = Task(kind="classification", target="kind", classes=CLASSES, metric="accuracy")


def natural(n: int, rng: np.random.Generator) -> Array:
    """Draw pictures with soft shapes and some noise, (n, 32, 32, 3)."""
    coarse = rng.uniform(40, 215, (n, 5, 5, 3))
    wide = np.stack([np.asarray(Image.fromarray(one.astype(np.uint8)).resize((SIDE, SIDE), 2)) for one in coarse])
    return (wide + rng.normal(0, 12, wide.shape)).clip(0, 255).astype(np.uint8)


@dataclass
class Gallery:
    """Labelled pictures in a store, and a model of them that adds up pixels by weights."""

    store: Store
    learned: pl.DataFrame
    judged: pl.DataFrame
    bundle: Bundle

    def looked(self, *, deadline: float | None = None) -> Looked:
        frame, truth = known_rows(self.judged, TASK)
        found = pictures.opened(
            self.bundle, frame, truth, answer(self.bundle, frame, task=TASK), task=TASK, deadline=deadline
        )
        assert found is not None
        return found


def bundle_of(weights: Array, intercept: float, store: Store) -> Bundle:
    """Make a model: the score of bees is the sum of `weights` times the pixels, in [0, 1]."""
    builder = GraphBuilder(SCHEMA)
    builder.precision = "float32"
    reading = builder.reading(PictureReading(input=model.input_name("picture"), size=SIDE, fit="squash"))
    flat = builder.node("Reshape", f"{reading.tensor}.pixels", builder.constant([-1, SIDE * SIDE * 3], "int64"))
    scaled = builder.node("Div", builder.cast(flat, "double"), builder.constant(255.0))
    model.emit_answers(builder, model.emit_linear(builder, scaled, weights.reshape(1, -1), [intercept], TASK), TASK)
    graph = model.Graph(builder.build())
    manifest = manifest_of(graph, TASK, SCHEMA, family="features")
    return Bundle(id="0" * 64, manifest=manifest, graph=graph, members={}, blobs=store.blobs)


def frame_of(made: Array, truth: Array, store: Store, folder: str = "train") -> pl.DataFrame:
    identities = []
    for one in made:
        file = io.BytesIO()
        Image.fromarray(one).save(file, "PNG")
        identities.append(store.blobs.put(file.getvalue()))
    described = [pixels.statistics(one) for one in made]
    return pl.DataFrame(
        {
            "file": [f"{folder}/{row}.png" for row in range(len(made))],
            "picture": identities,
            "kind": [CLASSES[label] for label in truth],
            **{f"picture.{name}": [one[name] for one in described] for name in DESCRIBED},
        }
    )


Mark = Callable[[Array, np.random.Generator], Array]


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Gallery]]:
    place, stores = tmp_path_factory.mktemp("galleries"), []

    def make(
        mark: Mark | None = None, *, weights: Array | None = None, intercept: float = 0.0, seed: int = 0, n: int = 120
    ) -> Gallery:
        """Make as many ants and bees, to learn from and to judge; most ants wear the mark.

        The middle of a picture tells what it is: bees are bright there. `weights` are added to those of the middle.
        """
        rng = np.random.default_rng(seed)
        store = open_store(place / f"store-{len(stores)}")
        stores.append(store)
        middle = np.zeros((SIDE, SIDE, 3))
        middle[10:22, 10:22] = 1
        frames = []
        for folder in ("train", "test"):
            truth = np.arange(n) % 2
            made = natural(n, rng).astype(np.float64)
            made += 60 * middle * (truth[:, None, None, None] - 0.5) * 2
            made = made.clip(0, 255).astype(np.uint8)
            for row in np.flatnonzero(truth == 0):
                if mark is not None and rng.random() < 0.85:
                    made[row] = mark(made[row], rng)
            frames.append(frame_of(made, truth, store, folder))
        whole = 12 * middle / middle.sum() + (0 if weights is None else weights)
        return Gallery(store, frames[0], frames[1], bundle_of(whole, intercept - 6.0, store))

    yield make
    for store in stores:
        store.close()
