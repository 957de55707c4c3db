"""Pictures of red bricks and blue balls, the files that say where they are, and a detector that somebody else wrote."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper
from PIL import Image, ImageDraw

SIDE, SIZE = 96, 32
"""Of a picture, and of all things in it, in pixels."""
STEP = 4
"""Between places where the detector looks."""
LABELS = ("brick", "ball")


def scene(seed: int) -> tuple[Image.Image, list[tuple[str, list[int]]]]:
    """Paint up to three things that do not touch; return where they are, as left, top, width and height."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(70, 200) + rng.normal(0, 8, (SIDE, SIDE, 3))
    image = Image.fromarray(np.clip(ground, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    things: list[tuple[str, list[int]]] = []
    for _ in range(int(rng.integers(0, 4))):
        left, top = (int(one) for one in rng.integers(0, SIDE - SIZE, 2))
        if any(abs(left - box[0]) < SIZE and abs(top - box[1]) < SIZE for _, box in things):
            continue
        kind = int(rng.integers(0, 2))
        corners = (left, top, left + SIZE - 1, top + SIZE - 1)
        if kind == 0:
            pen.rectangle(corners, fill=(225, 35, 35))
        else:
            pen.ellipse(corners, fill=(35, 35, 225))
        things.append((LABELS[kind], [left, top, SIZE, SIZE]))
    return image, things


def jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95)
    return file.getvalue()


def coarse(image: Image.Image) -> Image.Image:
    """Return what a camera of a quarter of the resolution sees."""
    small = image.resize((SIDE // 4, SIDE // 4), Image.Resampling.BILINEAR)
    return small.resize((SIDE, SIDE), Image.Resampling.BILINEAR)


def write_coco(folder: Path, n: int, *, shrunk: int = 1) -> None:
    """Write pictures, so many times smaller than the scenes, and a COCO document beside them."""
    side = SIDE // shrunk
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for seed in range(n):
        image, things = scene(seed)
        image = image.resize((side, side), Image.Resampling.BOX)
        (folder / "images" / f"{seed:03}.jpg").write_bytes(jpeg(image))
        images.append({"id": seed, "file_name": f"{seed:03}.jpg", "width": side, "height": side})
        annotations += [
            {
                "id": 10 * seed + at,
                "image_id": seed,
                "category_id": 5 + LABELS.index(label),
                "bbox": [one / shrunk for one in box],
                "iscrowd": 0,
            }
            for at, (label, box) in enumerate(things)
        ]
    categories = [{"id": 5 + at, "name": label} for at, label in enumerate(LABELS)]
    told = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "instances.json").write_text(json.dumps(told))


def write_detector(path: Path) -> None:
    """Write a detector that looks for squares full of red or blue, in the form that YOLO's exporters give.

    It takes float32 (1, 3, 96, 96) from 0 to 1, red, green, blue, and answers (1, 6, 289): middle, sides, two scores.
    """
    n = (SIDE - SIZE) // STEP + 1
    across, down = np.meshgrid(STEP * np.arange(n), STEP * np.arange(n))
    places = np.stack([across + SIZE / 2, down + SIZE / 2, np.full((n, n), SIZE), np.full((n, n), SIZE)])
    constants = {
        "places": places.reshape(1, 4, -1).astype(np.float32),
        "mixed": np.array([[1.4, -0.7, -0.7], [-0.9, -0.9, 1.8]], np.float32).reshape(2, 3, 1, 1),
        "zero": np.float32(0),
        "one": np.float32(1),
        "steep": np.array([2.5, 2.5 * 4 / np.pi], np.float32).reshape(1, 2, 1, 1),
        "low": np.float32(1.5),
        "flat": np.array([1, 2, -1]),
    }
    nodes = [
        helper.make_node("Conv", ["images", "mixed"], ["colour"]),
        helper.make_node("Clip", ["colour", "zero", "one"], ["full"]),
        helper.make_node("AveragePool", ["full"], ["mean"], kernel_shape=[SIZE, SIZE], strides=[STEP, STEP]),
        helper.make_node("Mul", ["mean", "steep"], ["high"]),
        helper.make_node("Sub", ["high", "low"], ["above"]),
        helper.make_node("Clip", ["above", "zero", "one"], ["sure"]),
        helper.make_node("Reshape", ["sure", "flat"], ["scores"]),
        helper.make_node("Concat", ["places", "scores"], ["output0"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 6, n * n])],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
