"""Say what the numbers of a foreign detector mean: as arrays, and as nodes of a graph that do the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from palio import model
from palio.train.deep.boxes.network import STRIDES, places_of
from palio.train.examples import Array

KINDS = ("yolox-grid", "yolo", "detr", "boxes-scores-classes")
FORMS = ("corners", "middle", "swapped")
"""Left, top, right, bottom; middle and sides; top, left, bottom, right."""
_SUM = 1e-2
"""By how much a sum of shares may miss one, half floats in mind."""


@dataclass(frozen=True)
class Decoding:
    """What the outputs of a detector are.

    `yolox-grid`: places of a grid, boxes relative to them, with a score of being an object. `yolo`: decoded boxes, with
    such a score (`has_object`) or without. `detr`: boxes and scores of queries. `boxes-scores-classes`: three outputs.
    """

    kind: str
    outputs: tuple[str, ...]
    """Names: one; boxes and scores; or boxes, scores and classes."""
    n_classes: int
    is_turned: bool = False
    """Of one output: places lie last."""
    has_object: bool = False
    form: str = "middle"
    is_share: bool = False
    """Boxes go from 0 to 1."""
    is_raw: bool = False
    """Scores want the logistic function."""
    has_nothing: bool = False
    """One more class, the last, is that there is nothing; scores want the softmax."""
    is_nothing_first: bool = False
    """It is the first class in place of the last."""
    is_softmaxed: bool = False
    """The softmax was taken in the file."""

    @property
    def first_class(self) -> int:
        """Return where classes begin among the scores."""
        return int(self.has_nothing and self.is_nothing_first)

    def facts(self) -> dict[str, Any]:
        """Return what settings tell of it."""
        return {**vars(self), "outputs": list(self.outputs)}


def plausible(outputs: Mapping[str, Array], size: int, *, kind: str = "auto", n_known: int = 0) -> Iterator[Decoding]:
    """List what the outputs of a detector may be, by their shapes, types and ranges.

    Args:
        outputs: What it said of some pictures.
        size: Side of these.
        kind: One of `KINDS`, or `auto`.
        n_known: How many classes it has; 0: not known.
    """
    for one in (*_single(outputs, size), *_pairs(outputs, n_known), *_triples(outputs)):
        if len(one.outputs) == 3 and n_known > one.n_classes:  # some classes may be in none of the pictures
            one = replace(one, n_classes=n_known)
        if kind in ("auto", one.kind) and one.n_classes > 0 and n_known in (0, one.n_classes):
            yield one


def _single(outputs: Mapping[str, Array], size: int) -> Iterator[Decoding]:
    """Of one output of three dimensions, or the largest of several."""
    large = [name for name, one in outputs.items() if one.ndim == 3 and min(one.shape[1:]) > 4]
    if not large:
        return
    name = max(large, key=lambda one: outputs[one].size)
    values = outputs[name]
    is_turned = values.shape[1] < values.shape[2] and values.shape[2] > 32
    values = values.transpose(0, 2, 1) if is_turned else values
    n_places, wide = values.shape[1:]
    is_grid = all(size % stride == 0 for stride in STRIDES) and n_places == len(places_of(size))
    known = {"outputs": (name,), "is_turned": is_turned}
    is_raw = bool(values[..., 5:].min(initial=0.0) < 0 or values[..., 4:].max(initial=0.0) > 1)
    if is_grid and wide > 5:
        yield Decoding("yolox-grid", n_classes=wide - 5, has_object=True, is_raw=is_raw, **known)
    is_share = bool(np.abs(values[..., :4]).max(initial=0.0) <= 2.0)
    for has_object in (False, True):
        if wide > 4 + has_object:
            n_classes = wide - 4 - has_object
            for form in ("middle", "corners"):
                more = {"form": form, "is_share": is_share, "is_raw": is_raw}
                yield Decoding("yolo", n_classes=n_classes, has_object=has_object, **known, **more)  # type: ignore[arg-type]


def _pairs(outputs: Mapping[str, Array], n_known: int) -> Iterator[Decoding]:
    """Of boxes and scores of as many queries; what sums to one over the classes was shared with one that is nothing."""
    flat = [name for name, one in outputs.items() if one.ndim == 3]
    for boxes in (name for name in flat if outputs[name].shape[2] == 4):
        for scores in (name for name in flat if name != boxes and outputs[name].shape[1] == outputs[boxes].shape[1]):
            known = {"outputs": (boxes, scores), **_of_boxes(outputs[boxes])}
            values, n = outputs[scores], outputs[scores].shape[2]
            is_raw = bool(values.min(initial=0.0) < 0 or values.max(initial=0.0) > 1)
            softmaxed = not is_raw and n > 1 and bool(np.allclose(values.sum(axis=2), 1.0, atol=_SUM))
            for form in ("middle", "corners"):
                if not softmaxed or n == n_known:
                    yield Decoding("detr", n_classes=n, is_raw=is_raw, form=form, **known)
                if n > 1 and (is_raw or softmaxed):
                    # most places hold nothing
                    is_first = int(values.mean(axis=(0, 1)).argmax()) == 0
                    plain = Decoding("detr", n_classes=n - 1, has_nothing=True, form=form, **known)
                    yield replace(plain, is_nothing_first=is_first, is_softmaxed=softmaxed)


def _triples(outputs: Mapping[str, Array]) -> Iterator[Decoding]:
    """Of boxes, each with a score and a class."""
    flat = {name: one for name, one in outputs.items() if one.ndim in (2, 3)}
    for boxes in (name for name, one in flat.items() if one.ndim == 3 and one.shape[2] in (4, 5)):
        own = [name for name, one in flat.items() if one.ndim == 2 and one.shape[1] == flat[boxes].shape[1]]
        whole = [name for name in own if np.array_equal(flat[name], np.round(flat[name]))]
        for classes in whole:
            scores = next((name for name in own if name != classes and flat[name].max(initial=0.0) <= 1.0), "")
            if not scores and flat[boxes].shape[2] == 4:
                continue
            n = int(flat[classes].max(initial=0)) + 1
            for form in FORMS:
                names = (boxes, scores or boxes, classes)
                known = _of_boxes(flat[boxes][..., :4])
                yield Decoding("boxes-scores-classes", names, n_classes=n, form=form, **known)


def _of_boxes(boxes: Array) -> dict[str, Any]:
    return {"is_share": bool(np.abs(boxes).max(initial=0.0) <= 2.0)}


def decoded(how: Decoding, outputs: Mapping[str, Array], ids: Sequence[int], size: int) -> tuple[Array, Array]:
    """Return boxes (n, m, 4) in pixels of the square, and scores (n, m, len(ids)) of some classes; float32.

    Args:
        how: What the outputs are.
        outputs: What the detector said.
        ids: Classes that are wanted, as the detector counts them; -1: one that it does not know.
        size: Side of the pictures.
    """
    first = np.asarray(outputs[how.outputs[0]], np.float32)
    if len(how.outputs) == 1:
        first = first.transpose(0, 2, 1) if how.is_turned else first
        scores = first[..., 4 + how.has_object :]
        scores = _logistic(scores) if how.is_raw else scores
        if how.has_object:
            scores = scores * (_logistic(first[..., 4:5]) if how.is_raw else first[..., 4:5])
        scores = _picked(scores, ids)
    elif how.kind == "detr":
        scores = np.asarray(outputs[how.outputs[1]], np.float32)
        if how.has_nothing and not how.is_softmaxed:
            raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
            scores = raised / raised.sum(axis=-1, keepdims=True)
        scores = _logistic(scores) if how.is_raw and not how.has_nothing else scores
        scores = _picked(scores[..., how.first_class :], ids)
    else:
        sure = np.asarray(outputs[how.outputs[1]], np.float32)
        sure = sure[..., 4] if sure.ndim == 3 else sure
        kinds = np.asarray(outputs[how.outputs[2]], np.float32)[..., None]
        scores = sure[..., None] * (kinds == _numbers(ids))
    return _corners(how, first[..., :4], size), np.ascontiguousarray(scores)


def _corners(how: Decoding, boxes: Array, size: int) -> Array:
    if how.kind == "yolox-grid":
        places, strides = _grid(size)
        middle, sides = boxes[..., :2] * strides + places, np.exp(boxes[..., 2:]) * strides
    else:
        boxes = boxes * np.float32(size if how.is_share else 1)
        if how.form == "corners":
            return boxes
        if how.form == "swapped":
            return boxes[..., [1, 0, 3, 2]]
        middle, sides = boxes[..., :2], boxes[..., 2:]
    half = sides * np.float32(0.5)
    return np.concatenate([middle - half, middle + half], axis=-1)


def _grid(size: int) -> tuple[Array, Array]:
    """Return the corner of each place of a grid in pixels, and its stride: (n_places, 2) and (n_places, 1)."""
    counts = [(size // stride) ** 2 for stride in STRIDES]
    strides = np.repeat(np.array(STRIDES, np.float32), counts)[:, None]
    return places_of(size) - strides / 2, strides


def _logistic(values: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-values)), np.float32)


def _picked(scores: Array, ids: Sequence[int]) -> Array:
    found = scores[..., [max(one, 0) for one in ids]]
    return found * np.array([one >= 0 for one in ids], np.float32)


def _numbers(ids: Sequence[int]) -> Array:
    """Return the numbers of classes as floats; for one that is not known what equals none, not even -1."""
    return np.array([one if one >= 0 else np.nan for one in ids], np.float32)


def emit_decoded(
    builder: model.GraphBuilder, how: Decoding, outputs: Mapping[str, str], ids: Sequence[int], size: int
) -> tuple[str, str]:
    """Do in a graph what `decoded` does; return the tensors of boxes and of scores."""
    add = _Nodes(builder)
    first = builder.cast(outputs[how.outputs[0]], "float")
    if len(how.outputs) == 1:
        first = builder.node("Transpose", first, perm=[0, 2, 1]) if how.is_turned else first
        logistic = "Sigmoid" if how.is_raw else "Identity"
        scores = builder.node(logistic, add.picked(first, [4 + how.has_object + max(one, 0) for one in ids]))
        if how.has_object:
            scores = builder.node("Mul", scores, builder.node(logistic, add.part(first, 4, 5)))
    elif how.kind == "detr":
        scores = builder.cast(outputs[how.outputs[1]], "float")
        if how.has_nothing and not how.is_softmaxed:
            scores = builder.node("Softmax", scores, axis=-1)
        elif how.is_raw:
            scores = builder.node("Sigmoid", scores)
        scores = add.picked(scores, [how.first_class + max(one, 0) for one in ids])
    else:
        if _has_own_scores(how):
            sure = builder.cast(outputs[how.outputs[1]], "float")
            sure = builder.node("Unsqueeze", sure, add.ints(-1))
        else:
            sure = add.part(first, 4, 5)
        kinds = builder.node("Unsqueeze", builder.cast(outputs[how.outputs[2]], "float"), add.ints(-1))
        is_own = builder.node("Equal", kinds, builder.constant(_numbers(ids), "float32"))
        scores = builder.node("Mul", sure, builder.cast(is_own, "float"))
    if min(ids) < 0 and how.kind != "boxes-scores-classes":
        known = builder.constant(np.array([one >= 0 for one in ids], np.float32), "float32")
        scores = builder.node("Mul", scores, known)
    return add.corners(how, add.part(first, 0, 4), size), scores


def _has_own_scores(how: Decoding) -> bool:
    """Tell whether scores are an output of their own."""
    return how.outputs[1] != how.outputs[0]


class _Nodes:
    """Short names for nodes on the last axis."""

    def __init__(self, builder: model.GraphBuilder) -> None:
        self._builder = builder

    def ints(self, *values: int) -> str:
        return self._builder.constant(list(values), "int64")

    def part(self, tensor: str, low: int, high: int) -> str:
        return self._builder.node("Slice", tensor, self.ints(low), self.ints(high), self.ints(-1))

    def picked(self, tensor: str, places: Sequence[int]) -> str:
        return self._builder.node("Gather", tensor, self.ints(*places), axis=-1)

    def corners(self, how: Decoding, boxes: str, size: int) -> str:
        node, constant = self._builder.node, self._builder.constant
        if how.kind == "yolox-grid":
            places, strides = (constant(one, "float32") for one in _grid(size))
            middle = node("Add", node("Mul", self.part(boxes, 0, 2), strides), places)
            sides = node("Mul", node("Exp", self.part(boxes, 2, 4)), strides)
        else:
            boxes = node("Mul", boxes, constant(float(size), "float32")) if how.is_share else boxes
            if how.form == "corners":
                return boxes
            if how.form == "swapped":
                return self.picked(boxes, (1, 0, 3, 2))
            middle, sides = self.part(boxes, 0, 2), self.part(boxes, 2, 4)
        half = node("Mul", sides, constant(0.5, "float32"))
        return node("Concat", node("Sub", middle, half), node("Add", middle, half), axis=-1)
