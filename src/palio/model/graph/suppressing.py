"""Put exact suppression of boxes into a graph, with plain operators and for any number of pictures. Needs `onnx`."""

from __future__ import annotations

import numpy as np

from palio.model.graph.boxes import BEFORE, FLOOR, IOU, MOST_BOXES
from palio.model.graph.builder import GraphBuilder

ROUNDS = 64
"""How often what is dropped by what is dropped comes back: as many as boxes in the longest chain of which each would
drop the next. People need 8; a detector that is a little less sure with every step aside, more than 24. A round is one
small product: all of them take a millisecond."""


def emit_suppressed(
    builder: GraphBuilder,
    corners: str,
    scores: str,
    *,
    n_places: int | None,
    n_classes: int,
    iou: float = IOU,
    before: int = BEFORE,
    top: int = MOST_BOXES,
    floor: float = FLOOR,
) -> str:
    """Keep the surest of boxes that overlap; return what is left, float32 (n, k, 6): corners, score, class.

    A box stays if no box stays that is surer, of its class, and overlaps it more than `iou`. This is found for all
    boxes at once: let all stay, drop what a staying one drops, and begin again with those.

    Args:
        builder: Takes the nodes.
        corners: Tensor of shape (n, n_places, 4), float32.
        scores: Tensor of shape (n, n_places, n_classes), float32 in [0, 1].
        n_places: Boxes of a picture; None: any number, also none.
        n_classes: Classes of each.
        iou: Of two boxes of a class that overlap more, the less sure one is dropped.
        before: The surest boxes of all classes that are compared.
        top: Boxes that are answered.
        floor: What is no surer is not said.

    Source: Zheng et al. 2022, Enhancing Geometric Factors (Cluster-NMS).
    """
    if n_places is None:  # there are always enough to be compared: empty ones
        corners, scores = (_longer(builder, one, before) for one in (corners, scores))
    else:
        before = min(before, n_places * n_classes)
    flat = builder.node("Reshape", scores, _ints(builder, [0, -1]))
    sure, at = builder.greatest(flat, before)
    kinds = builder.node("Mod", at, _ints(builder, [n_classes]))
    rows = builder.node("Unsqueeze", builder.node("Div", at, _ints(builder, [n_classes])), _ints(builder, [2]))
    boxes = builder.node("GatherElements", corners, builder.node("Concat", rows, rows, rows, rows, axis=2), axis=1)
    beside = _beside(builder, boxes, kinds, before, iou)
    is_said = builder.cast(builder.node("Greater", sure, _floats(builder, floor)), "float")
    is_said = builder.node("Unsqueeze", is_said, _ints(builder, [1]))
    stays = is_said
    for _ in range(ROUNDS):
        dropped_by = builder.node("MatMul", stays, beside)
        free = builder.cast(builder.node("Less", dropped_by, _floats(builder, 0.5)), "float")
        stays = builder.node("Mul", free, is_said)
    left = builder.node("Mul", sure, builder.node("Squeeze", stays, _ints(builder, [1])))
    k = min(top, before)
    score, place = builder.greatest(left, k)
    wide = builder.node("Unsqueeze", place, _ints(builder, [2]))
    named = builder.node("Unsqueeze", builder.cast(kinds, "float"), _ints(builder, [2]))
    whole = builder.node("Concat", boxes, named, axis=2)
    chosen = builder.node("GatherElements", whole, builder.node("Concat", *[wide] * 5, axis=2), axis=1)
    tall = builder.node("Unsqueeze", score, _ints(builder, [2]))
    is_there = builder.node("Greater", tall, _floats(builder, 0.0))
    chosen = builder.node("Where", is_there, chosen, _floats(builder, 0.0))  # a box that is no number is none
    corner, kind = (builder.node("Slice", chosen, *_slice(builder, low, high)) for low, high in ((0, 4), (4, 5)))
    return builder.node("Concat", corner, tall, kind, axis=2)


def emit_nothing(builder: GraphBuilder) -> str:
    """Say of every picture that nothing is in it, float32 (n, 1, 6)."""
    ones = builder.cast(builder.ones(), "float")
    zeros = builder.node("Mul", builder.node("Unsqueeze", ones, _ints(builder, [2])), _floats(builder, 0.0))
    return builder.node("Concat", *[zeros] * 6, axis=2)


def _longer(builder: GraphBuilder, tensor: str, n: int) -> str:
    """Append so many rows of zeros to the second of three axes."""
    return builder.node("Pad", tensor, _ints(builder, [0, 0, 0, 0, n, 0]), _floats(builder, 0.0))


def _beside(builder: GraphBuilder, boxes: str, kinds: str, n: int, iou: float) -> str:
    """Return which box would drop which other, float32 (n, n_boxes, n_boxes): 1 where the first drops the second."""
    first, second = {}, {}
    for place in range(4):
        side = builder.node("Slice", boxes, *_slice(builder, place, place + 1))
        first[place], second[place] = side, builder.node("Transpose", side, perm=[0, 2, 1])
    zero = _floats(builder, 0.0)
    shared = ""
    areas = ["", ""]
    for axis in (0, 1):
        low = builder.node("Max", first[axis], second[axis])
        high = builder.node("Min", first[axis + 2], second[axis + 2])
        side = builder.node("Max", builder.node("Sub", high, low), zero)
        shared = builder.node("Mul", shared, side) if shared else side
        for which, sides in enumerate((first, second)):
            own = builder.node("Max", builder.node("Sub", sides[axis + 2], sides[axis]), zero)
            areas[which] = builder.node("Mul", areas[which], own) if areas[which] else own
    union = builder.node("Sub", builder.node("Add", *areas), shared)
    over = builder.node("Greater", shared, builder.node("Mul", union, _floats(builder, iou)))
    across, along = (builder.node("Unsqueeze", kinds, _ints(builder, [axis])) for axis in (2, 1))
    both = builder.node("And", over, builder.node("Equal", across, along))
    surer = builder.constant(np.triu(np.ones((n, n), bool), 1), "bool")
    return builder.cast(builder.node("And", both, surer), "float")


def _slice(builder: GraphBuilder, low: int, high: int) -> tuple[str, str, str]:
    return _ints(builder, [low]), _ints(builder, [high]), _ints(builder, [2])


def _ints(builder: GraphBuilder, values: list[int]) -> str:
    return builder.constant(values, "int64")


def _floats(builder: GraphBuilder, value: float) -> str:
    return builder.constant(value, "float32")
