"""Made pictures with red and blue squares on noise, and a model that finds them by their colour."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from PIL import Image

from palio import model, pixels
from palio.core.cells.boxes import cell_of
from palio.core.records import Box, Column, PictureReading, Schema, Task
from palio.model import Bundle, GraphBuilder
from palio.store import Store
from tests.evaluate.pictures.manifests import manifest_of

Array = npt.NDArray[Any]
SIDE, WINDOW, STEP = 64, 16, 8
WIDE, HIGH = 128, 96
CLASSES = ("blue", "red")
DESCRIBED = ("brightness", "sharpness")
SCHEMA = Schema(
    columns=(
        Column(name="file", type="category", feature=False),
        Column(name="picture", type="image"),
        Column(name="things", type="boxes", feature=False),
        *(Column(name=f"picture.{name}", type="number", feature=False) for name in DESCRIBED),
    ),
    target="things",
    id="file",
)
TASK = Task(kind="detection", target="things", classes=CLASSES, threshold=0.45)


@dataclass
class Scenes:
    """Labelled pictures in a store, and a model of them."""

    store: Store
    learned: pl.DataFrame
    judged: pl.DataFrame
    bundle: Bundle


def drawn(rng: np.random.Generator) -> tuple[Array, list[Box]]:
    """Draw a picture, (96, 128, 3), and say what is in it: squares of 32 pixels, some faint, one in six unnamed."""
    picture = rng.integers(0, 60, (HIGH, WIDE, 3)).astype(float)
    named: list[Box] = []
    for _ in range(int(rng.integers(0, 5))):
        left, top = (int(rng.integers(0, 7)) * 16 for _ in range(2))
        kind, light = int(rng.integers(0, 2)), rng.uniform(90, 250)
        rows, columns = slice(top, top + 32), slice(left, left + 32)
        if left > WIDE - 32 or top > HIGH - 32 or picture[rows, columns, ::2].max() > 80:
            continue
        picture[rows, columns, 2 if kind == 0 else 0] = light
        if rng.random() < 5 / 6:
            off = rng.normal(0, 2, 4)
            box = np.clip(np.array([left, top, left + 32, top + 32]) + off, 0, [WIDE, HIGH, WIDE, HIGH]).tolist()
            named.append(Box(label=CLASSES[kind], box=tuple(box)))
    return picture.clip(0, 255).astype(np.uint8), named


def frame_of(n: int, rng: np.random.Generator, store: Store, folder: str) -> pl.DataFrame:
    made = [drawn(rng) for _ in range(n)]
    identities = []
    for one, _ in made:
        file = io.BytesIO()
        Image.fromarray(one).save(file, "PNG")
        identities.append(store.blobs.put(file.getvalue()))
    described = [pixels.statistics(one) for one, _ in made]
    return pl.DataFrame(
        {
            "file": [f"{folder}/{row}.png" for row in range(n)],
            "picture": identities,
            "things": [cell_of(named) for _, named in made],
            **{f"picture.{name}": [one[name] for one in described] for name in DESCRIBED},
        }
    )


def bundle_of(store: Store, *, threshold: float = TASK.threshold, blue: float = 1.0) -> Bundle:
    """Make a model: windows are as surely blue or red as they are bright in that colour; `blue` dims one of them."""
    builder = GraphBuilder(SCHEMA)
    builder.precision = "float32"
    reading = builder.reading(PictureReading(input=model.input_name("picture"), size=SIDE, fit="letterbox"))
    scaled = builder.node(
        "Mul",
        builder.cast(f"{reading.tensor}.pixels", "float"),
        builder.constant([1 / 255, 1 / 255, blue / 255], "float32"),
    )
    planes = builder.node("Transpose", scaled, perm=[0, 3, 1, 2])
    pooled = builder.node("AveragePool", planes, kernel_shape=[WINDOW, WINDOW], strides=[STEP, STEP])
    places = (SIDE - WINDOW) // STEP + 1
    flat = builder.node("Reshape", pooled, builder.constant([0, 3, places * places], "int64"))
    of_places = builder.node("Transpose", flat, perm=[0, 2, 1])
    scores = builder.node("Gather", of_places, builder.constant([2, 0], "int64"), axis=2)
    at = np.arange(places) * STEP
    left, top = (one.ravel() for one in np.meshgrid(at, at))
    corners = np.stack([left, top, left + WINDOW, top + WINDOW], axis=1).astype(np.float32)
    nothing = builder.node("ReduceSum", scores, builder.constant([2], "int64"), keepdims=1)
    nothing = builder.node("Mul", nothing, builder.constant(0, "float32"))
    boxes = builder.node("Add", builder.constant(corners[None], "float32"), nothing)
    found = model.emit_suppressed(builder, boxes, scores, n_places=places**2, n_classes=2, iou=0.2, floor=0.1)
    task = Task(kind="detection", target="things", classes=CLASSES, threshold=threshold)
    model.emit_answers(builder, found, task)
    graph = model.Graph(builder.build())
    manifest = manifest_of(graph, task, SCHEMA, family="detector")
    identity = ("1" if blue < 1 else "0") * 64
    return Bundle(id=identity, manifest=manifest, graph=graph, members={}, blobs=store.blobs)
