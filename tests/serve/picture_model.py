"""A model of one picture column (and one of a number), its graph small: the lighter a picture, the surer is `light`."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from palio.core.ids import digest_of
from palio.core.records import Column, Manifest, PictureReading, Schema, Task
from palio.model import Graph, GraphBuilder, Outputs, emit_answers
from palio.model.graph.heads import both_classes
from tests.serve.small_model import manifest_of

SIZE = 16
TASK = Task(kind="classification", target="mood", classes=("dark", "light"), positive="light")
PICTURE = Column(name="photo", type="image", missing_allowed=False, on_missing="reject", missing=())
WEIGHT = Column(name="weight", type="number", low=0.0, high=9.0)
MOOD = Column(name="mood", type="category", feature=False, categories=TASK.classes)
ALONE = Schema(target="mood", columns=(PICTURE, MOOD))
BESIDE = Schema(target="mood", columns=(PICTURE, WEIGHT, MOOD))


def picture(light: int = 200, *, size: tuple[int, int] = (40, 30), format: str = "JPEG", seed: int = 0) -> bytes:
    """Make the file of a picture of one brightness, with a little noise."""
    noise = np.random.default_rng(seed).integers(-5, 6, (size[1], size[0], 3))
    image = Image.fromarray(np.clip(light + noise, 0, 255).astype(np.uint8))
    file = io.BytesIO()
    image.save(file, format)
    return file.getvalue()


def as_text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def picture_graph(schema: Schema = ALONE) -> bytes:
    """Write p(light) = the mean of all pixels / 255; a weight is multiplied by nothing."""
    builder = GraphBuilder(schema)
    reading = builder.reading(PictureReading(input="photo", size=SIZE, max_pixels=4_000_000))
    pixels = f"{reading.tensor}.pixels"
    share = builder.node("Div", builder.cast(pixels, "double"), builder.constant(255.0))
    mean = builder.node("ReduceMean", share, builder.constant([1, 2, 3], "int64"), keepdims=0)
    second = builder.node("Reshape", mean, builder.constant([-1, 1], "int64"))
    if len(schema.features) > 1:
        none = builder.node("Mul", builder.input("weight"), builder.constant(0.0))
        known = builder.node("Where", builder.node("IsNaN", none), builder.constant(0.0), none)
        second = builder.node("Add", second, known)
    emit_answers(builder, both_classes(builder, second), TASK)
    return builder.build()


@dataclass
class _Golden:
    feeds: dict[str, Any]
    outputs: Outputs


@dataclass
class PictureBundle:
    """What the server needs of a bundle, without a store."""

    id: str
    manifest: Manifest
    model: bytes
    promoted_id: str = ""

    @cached_property
    def graph(self) -> Graph:
        return Graph(self.model)

    def golden(self) -> _Golden:
        cells = [as_text(picture(light, seed=light)) for light in (10, 90, 180, 250)]
        rows: dict[str, Any] = {"photo": np.array(cells, object).reshape(-1, 1)}
        if len(self.manifest.inputs) > 1:
            rows["weight"] = np.array([[1.0], [2.0], [np.nan], [3.0]])
        return _Golden(rows, self.graph.predict(rows))

    def fetch(self) -> PictureBundle:
        return self


def picture_bundle(schema: Schema = ALONE) -> PictureBundle:
    model = picture_graph(schema)
    manifest = manifest_of(model, schema, TASK, family="light", n_parameters=0)
    identity = digest_of(manifest)
    return PictureBundle(identity, manifest, model, promoted_id=identity)
