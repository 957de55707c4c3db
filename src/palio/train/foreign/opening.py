"""Open a detector that others wrote: its input, its outputs, and whether it takes any number of pictures at once."""

from __future__ import annotations

import ast
import hashlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from palio import model
from palio.core.errors import InputError, PalioError
from palio.train.examples import Array

MAX_BYTES = 1 << 30
DEFAULT_SIZE = 640
"""Side of the pictures, where the file takes any."""
_FLOATS = {"FP32": np.float32, "FP16": np.float16, "UINT8": np.uint8, "FP64": np.float64}
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SCALES: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "0-255": ((0.0,) * 3, (1.0,) * 3),
    "0-1": ((0.0,) * 3, (255.0,) * 3),
    "imagenet": (tuple(255 * one for one in _MEAN), tuple(255 * one for one in _STD)),
    "-1-1": ((127.5,) * 3, (127.5,) * 3),
}
"""Name → mean and deviation of red, green and blue that a network wants taken out of pixels from 0 to 255."""
ORDERS = ("rgb", "bgr")


@dataclass(frozen=True)
class Foreign:
    """A detector that others wrote."""

    name: str
    label: str
    """What it is known by: its name and its content."""
    graph: bytes = field(repr=False)
    """At Palio's opset; for any number of pictures where that could be had."""
    input: str
    size: int
    """Side of the pictures."""
    is_last: bool
    """Whether its channels lie last."""
    datatype: str
    sizes_input: str
    """Input that wants the size of the pictures (height, width), where there is one."""
    sizes_datatype: str
    any_batch: bool
    names: tuple[str, ...]
    """What the file itself calls its classes."""

    def runner(self, threads: int = 1) -> model.Graph:
        """Return what computes it."""
        return model.Graph(self.graph, threads=threads)

    def wanted(self, pixels: Array, *, order: str, scale: str) -> Array:
        """Turn pixels, uint8 (n, S, S, 3), into what the network wants."""
        mean, std = (np.array(one, np.float32) for one in SCALES[scale])
        values = (pixels.astype(np.float32) - mean) * (np.float32(1) / std)
        if order == "bgr":
            values = values[..., ::-1]
        values = values if self.is_last else values.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(values, _FLOATS[self.datatype])

    def run(self, runner: model.Graph, values: Array) -> dict[str, Array]:
        """Return what it says of pictures: all at once, or one by one where it takes one alone."""
        if self.any_batch:
            return runner.run(self._feeds(values))
        parts = [runner.run(self._feeds(values[row : row + 1])) for row in range(len(values))]
        return {name: _stacked([part[name] for part in parts]) for name in parts[0]}

    def _feeds(self, values: Array) -> dict[str, Array]:
        feeds = {self.input: values}
        if self.sizes_input:
            kind = np.int64 if self.sizes_datatype == "INT64" else _FLOATS[self.sizes_datatype]
            feeds[self.sizes_input] = np.full((len(values), 2), self.size, kind)
        return feeds

    def emit_wanted(self, builder: model.GraphBuilder, pixels: str, *, order: str, scale: str) -> str:
        """Do in a graph what `wanted` does."""
        mean, std = (np.array(one, np.float32) for one in SCALES[scale])
        values = builder.cast(pixels, "float")
        if scale != "0-255":
            values = builder.node("Sub", values, builder.constant(mean, "float32"))
            values = builder.node("Mul", values, builder.constant(np.float32(1) / std, "float32"))
        if order == "bgr":
            values = builder.node("Gather", values, builder.constant([2, 1, 0], "int64"), axis=3)
        if not self.is_last:
            values = builder.node("Transpose", values, perm=[0, 3, 1, 2])
        return values if self.datatype == "FP32" else builder.cast_to(values, self.datatype)

    def emit(self, builder: model.GraphBuilder, values: str) -> dict[str, str]:
        """Add the network; return its outputs' names → tensors here."""
        inputs = {self.input: values}
        if self.sizes_input:
            sizes = builder.constant([[self.size, self.size]], "int64")
            if self.any_batch:
                n = builder.node("Shape", values, start=0, end=1)
                sizes = builder.node("Expand", sizes, builder.node("Concat", n, builder.constant([1], "int64"), axis=0))
            inputs[self.sizes_input] = builder.cast_to(sizes, self.sizes_datatype)
        outputs = [spec.name for spec in self.runner().outputs]
        return dict(zip(outputs, model.inline(builder, self.graph, inputs), strict=True))


def open_foreign(where: str, *, size: int = 0) -> Foreign:
    """Open the file of a detector.

    Args:
        where: Its path.
        size: Side of its pictures, where the file takes any; 0: what it says, or 640.

    Raises:
        InputError: there is no such file, it is no self-contained ONNX graph, or its input is no square picture.
    """
    path = Path(where).expanduser()
    if not path.is_file():
        raise InputError(f"imported `{where}`: there is no such file", hint="name an ONNX file under [train] imported")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"imported `{where}`: larger than {MAX_BYTES:,} bytes", hint="export a smaller model")
    data = path.read_bytes()
    try:
        model.Graph(data)
        graph = model.at_our_opset(data)
        taken = model.Graph(graph).inputs
    except PalioError as error:
        said = error.message.partition(": ")[2] or error.message
        raise InputError(f"imported `{path.name}`: {said}", hint=error.hint or "export it again as one file") from None
    pictures = [spec for spec in taken if len(spec.shape) == 4 and spec.datatype in _FLOATS and 3 in spec.shape[1::2]]
    others = [spec for spec in taken if spec not in pictures]
    if len(pictures) != 1 or len(others) > 1 or any(one.shape[1:] != (2,) for one in others):
        shapes = ", ".join(f"`{spec.name}` {spec.datatype} {list(spec.shape)}" for spec in taken)
        raise InputError(
            f"imported `{path.name}`: it takes {shapes}; wanted is one picture (n, 3, S, S) or (n, S, S, 3), and "
            "at most its size (n, 2)",
            hint="export it without other inputs",
        )
    (own,) = pictures
    is_last = own.shape[1] != 3
    sides = set(own.shape[1:3] if is_last else own.shape[2:4])
    fixed = {one for one in sides if one > 0}
    if len(fixed) > 1 or (size and fixed and fixed != {size}):
        raise InputError(
            f"imported `{path.name}`: it takes pictures of {' × '.join(map(str, sorted(fixed)))}, wanted is a square"
            + (f" of {size}" if size else ""),
            hint="export it for a square",
        )
    side = next(iter(fixed), size or DEFAULT_SIZE)
    foreign = Foreign(
        name=path.name,
        label=f"{path.name}@{hashlib.sha256(data).hexdigest()[:12]}",
        graph=graph,
        input=own.name,
        size=side,
        is_last=is_last,
        datatype=own.datatype,
        sizes_input=others[0].name if others else "",
        sizes_datatype=others[0].datatype if others else "",
        any_batch=False,
        names=_names(data),
    )
    return _freed(foreign)


def _freed(foreign: Foreign) -> Foreign:
    """Let a graph take any number of pictures, if its answers to three at once are those to each alone."""
    from dataclasses import replace

    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (3, foreign.size, foreign.size, 3), dtype=np.uint8)
    values = foreign.wanted(pixels, order="rgb", scale="0-1")
    alone = foreign.run(foreign.runner(), values)
    is_fixed = any(spec.shape[0] > 0 for spec in foreign.runner().inputs)
    for graph in (_any_batch(foreign.graph),) if is_fixed else (foreign.graph, _any_batch(foreign.graph)):
        freed = replace(foreign, graph=graph, any_batch=True)
        try:
            with _expecting_refusal():
                together = [freed.run(freed.runner(), values[:n]) for n in (1, 2, 3)]
        except PalioError:
            continue
        if all(_same(alone, found, n) for n, found in zip((1, 2, 3), together, strict=True)):
            return freed
    return foreign


@contextmanager
def _expecting_refusal() -> Iterator[None]:
    """Keep what is only tried from looking like a fault."""
    log = logging.getLogger("palio.model")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def _same(alone: Mapping[str, Array], found: Mapping[str, Array], n: int) -> bool:
    return all(
        found[name].shape == one[:n].shape and np.allclose(found[name], one[:n], rtol=1e-3, atol=1e-3)
        for name, one in alone.items()
    )


def _any_batch(graph: bytes) -> bytes:
    """Free the first dimension of all inputs and outputs, and of shapes that are written down inside."""
    import onnx
    from onnx import numpy_helper

    whole = onnx.load_model_from_string(graph)
    for value in (*whole.graph.input, *whole.graph.output):
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = "n"
    held = {value.name: value for value in whole.graph.initializer}
    made = {node.output[0]: node for node in whole.graph.node if node.op_type == "Constant"}
    for place, node in enumerate(list(whole.graph.node)):
        if node.op_type != "Reshape":
            continue
        name = node.input[1]
        source = held.get(name)
        if source is None and name in made and made[name].attribute[0].name == "value":
            source = made[name].attribute[0].t
        if source is None:
            continue
        shape = numpy_helper.to_array(source).copy()
        if shape.size < 2 or shape[0] != 1:
            continue
        shape[0] = 0  # as many as come in
        whole.graph.initializer.append(numpy_helper.from_array(shape, f"{name} any {place}"))
        node.input[1] = f"{name} any {place}"
    return bytes(whole.SerializeToString())


def _stacked(parts: list[Array]) -> Array:
    """Put answers to single pictures together, padded with zeros where they differ in length."""
    rows = [one[0] if one.ndim > 1 and len(one) == 1 else one for one in parts]
    shape = tuple(max(one.shape[axis] for one in rows) for axis in range(rows[0].ndim))
    return np.stack(
        [np.pad(one, [(0, side - own) for side, own in zip(shape, one.shape, strict=True)]) for one in rows]
    )


def _names(data: bytes) -> tuple[str, ...]:
    """Read what a file calls its classes, as exporters write it: `names`, a mapping or list in Python's form."""
    import onnx

    told: dict[str, Any] = {one.key: one.value for one in onnx.load_model_from_string(data).metadata_props}
    try:
        found = ast.literal_eval(told.get("names", told.get("classes", "")))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ()
    if isinstance(found, dict):
        found = [found[key] for key in sorted(found, key=lambda one: int(one) if str(one).isdecimal() else 0)]
    return tuple(map(str, found)) if isinstance(found, (list, tuple)) else ()
