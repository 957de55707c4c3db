"""A model that finds a lamp where nobody looks, as surely as the picture is light, and hardly ever a cat."""

from __future__ import annotations

import msgspec

from palio.core.ids import digest_of
from palio.core.records import Column, PictureReading, Schema, Task, TensorSpec
from palio.model import GraphBuilder
from tests.serve.picture_model import PICTURE, PictureBundle
from tests.serve.small_model import manifest_of

SIZE = 16
TASK = Task(kind="detection", target="boxes", classes=("cat", "lamp"), threshold=0.5)
BOXES = Column(name="boxes", type="boxes", feature=False)
SCHEMA = Schema(target="boxes", columns=(PICTURE, BOXES))
LAMP, CAT = (5.0, 5.0, 25.0, 25.0), (10.0, 10.0, 35.0, 30.0)
"""Where they are in a picture of 40 × 30 pixels."""


def boxes_graph() -> bytes:
    """Write two boxes, the first as sure as the mean of all pixels / 255, the second to a tenth."""
    builder = GraphBuilder(SCHEMA)
    reading = builder.reading(PictureReading(input="photo", size=SIZE, fit="letterbox"))
    builder.classes = TASK.classes
    pixels = builder.cast(f"{reading.tensor}.pixels", "float")
    mean = builder.node("ReduceMean", pixels, builder.constant([1, 2, 3], "int64"), keepdims=0)
    sure = builder.node("Div", builder.node("Unsqueeze", mean, _ints(builder, [1])), _floats(builder, 255.0))
    none = builder.node("Mul", sure, _floats(builder, 0.0))
    scores = builder.node("Concat", sure, builder.node("Add", none, _floats(builder, 0.1)), axis=1)
    places = [[[size * 0.4 for size in box] for box in (LAMP, CAT)]]
    boxes = builder.node("Add", builder.node("Unsqueeze", none, _ints(builder, [2])), _floats(builder, places))
    classes = builder.node("Concat", builder.cast(none, "int64"), builder.cast(none, "int64"), axis=1)
    classes = builder.node("Add", classes, _ints(builder, [[1, 0]]))
    builder.output("boxes", boxes, "float", (None, 2, 4))
    builder.output("scores", scores, "float", (None, 2))
    builder.output("classes", classes, "int64", (None, 2))
    return builder.build()


def _ints(builder: GraphBuilder, values: object) -> str:
    return builder.constant(values, "int64")


def _floats(builder: GraphBuilder, values: object) -> str:
    return builder.constant(values, "float32")


def boxes_bundle() -> PictureBundle:
    model = boxes_graph()
    manifest = manifest_of(model, SCHEMA, TASK, family="lamps", n_parameters=0)
    said = TensorSpec(name="prediction", datatype="BYTES", shape=(-1,))
    manifest = msgspec.structs.replace(manifest, outputs=(said,))
    identity = digest_of(manifest)
    return PictureBundle(identity, manifest, model, promoted_id=identity)
