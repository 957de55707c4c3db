"""Bricks and balls: pictures of red squares whose core tells the class, and a detector made by hand that sees them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from palio import model
from palio.core.cells.boxes import cell_of
from palio.core.records import Box, Column, PictureReading, Schema, Task
from palio.model import Bundle, GraphBuilder
from palio.store import Store
from tests.evaluate.pictures.manifests import manifest_of

Array = Any
SIDE, WINDOW, STEP = 64, 16, 8
CLASSES = ("ball", "brick")
SCHEMA = Schema(
    columns=(Column(name="picture", type="image"), Column(name="things", type="boxes", feature=False)),
    target="things",
)
TASK = Task(kind="detection", target="things", classes=CLASSES, threshold=0.5)
Whole = Callable[[GraphBuilder, str, str], str]
"""Builder, planes (n, 3, S, S) and pixels (n, S, S, 3) from 0 to 1 → what is added to all scores of a class."""


def soft(rng: np.random.Generator, noise: float) -> Array:
    """Draw soft noise."""
    coarse = rng.integers(60, 150, (6, 6, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), 2)) + rng.normal(0, noise, (SIDE, SIDE, 3))


def put_things(picture: Array, kind: int, places: Iterable[int]) -> list[Box]:
    """Paint red squares at some of four places, a ball's core dark, a brick's blue."""
    named = []
    for place in places:
        left, top = 8 + 24 * int(place % 2), 8 + 24 * int(place // 2)
        picture[top : top + 16, left : left + 16] = (240, 30, 30)
        picture[top + 4 : top + 12, left + 4 : left + 12] = (30, 30, 200) if kind else (30, 30, 30)
        named.append(Box(label=CLASSES[kind], box=(left, top, left + 16, top + 16)))
    return named


def frame_of(store: Store, made: Iterable[tuple[Array, list[Box]]]) -> pl.DataFrame:
    """Keep pictures and their boxes."""
    names, cells = [], []
    for picture, named in made:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "PNG")
        names.append(store.blobs.put(file.getvalue()))
        cells.append(cell_of(named))
    return pl.DataFrame({"picture": names, "things": cells})


def detector(store: Store, whole: Whole) -> Bundle:
    """Make a model: red windows are things, the likelier bricks the bluer they are, and the more `whole` says."""
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
    raw = builder.node("Add", own, whole(builder, planes, scaled))
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
    manifest = manifest_of(graph, TASK, SCHEMA, family="detector")
    return Bundle(id="0" * 64, manifest=manifest, graph=graph, members={}, blobs=store.blobs)
