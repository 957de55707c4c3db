"""Open detectors of transformers that ask a picture some hundred questions, each of which is answered with one box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from palio.core.errors import InputError
from palio.train.deep.backbones import preprocessing_of, transformers_there
from palio.train.deep.calm import torch_there
from palio.train.deep.layers import layer, normalised
from palio.train.deep.losses import Goal
from palio.train.deep.places import Place
from palio.train.deep.plan import Material
from palio.train.examples import Array

CLASSES = {"d_fine": "DFineForObjectDetection", "rt_detr_v2": "RTDetrV2ForObjectDetection"}
"""Kind of weights → what opens them."""
BACKBONE = ".backbone."
"""What names of parameters of the backbone hold."""


@dataclass(frozen=True)
class Queries:
    """A detector that asks questions."""

    module: Any
    """Pixels, uint8 (n, S, S, 3) → (n, n_queries, 4 + n_classes): corners in pixels, and scores before the logistic
    function. With aims beside the pixels, as `QueryGoal` gives them: its loss."""
    size: int
    n_queries: int


def open_queries(place: Place, kind: str, n_classes: int) -> Queries:
    """Open a detector for so many classes: what it says of other numbers of classes begins anew.

    Raises:
        InputError: it cannot be opened.
        UnavailableError: torch or transformers is not installed.
    """
    torch_there()
    transformers = transformers_there()
    try:
        model = getattr(transformers, CLASSES[kind]).from_pretrained(
            place.folder,
            use_safetensors=True,
            dtype="float32",
            local_files_only=True,
            num_labels=n_classes,
            ignore_mismatched_sizes=True,
        )
        facts, _ = transformers.ImageProcessingMixin.get_image_processor_dict(place.folder, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise InputError(
            f"backbone `{place.label}`: it cannot be opened: {str(error).strip().splitlines()[0][:200]}",
            hint="it must hold config.json, preprocessor_config.json and model.safetensors of a D-FINE or RT-DETRv2",
        ) from None
    size, _, mean, std = preprocessing_of(facts, model.config)
    size = max(STEP, round(size / STEP) * STEP)
    module = layer(_forward, start=normalised(mean, std), model=model)
    return Queries(module, size, int(model.config.num_queries))


STEP = 32
"""Sides of pictures are multiples of it."""


def _forward(own: Any, pixels: Any, aims: Any = None) -> Any:
    import torch

    values = own.start(pixels).contiguous()
    if aims is not None and own.training:
        return own.model(pixel_values=values, labels=_labels(aims, pixels.shape[1])).loss
    said = own.model(pixel_values=values)
    middle, half = said.pred_boxes[..., :2] * pixels.shape[1], said.pred_boxes[..., 2:] * (pixels.shape[1] * 0.5)
    return torch.cat([middle - half, middle + half, said.logits], dim=-1)


def _labels(aims: Any, size: int) -> list[dict[str, Any]]:
    """Return truths as the package wants them: classes, and boxes by middle and sides in shares of the picture."""
    import torch

    found = []
    for one in aims:
        here = one[(one[:, 4] >= 0) & (one[:, 5] <= 0)]
        middle, sides = (here[:, :2] + here[:, 2:4]) / 2, here[:, 2:4] - here[:, :2]
        found.append({"class_labels": here[:, 4].long(), "boxes": torch.cat([middle, sides], dim=1) / size})
    return found


class QueryGoal(Goal):
    """The loss that a detector of queries brings with it: matched boxes, and noise to be undone (see its paper)."""

    def batch(self, material: Material, rows: Array, epoch: int | None) -> tuple[tuple[Array, ...], Array, Array]:
        """Return pictures with what is where in them as inputs, since the network itself says what it misses."""
        pixels, aims = material.seen(rows) if epoch is None else material.learned(rows, epoch)
        return (pixels, aims), aims, self.weights[rows]

    @property
    def by_chance(self) -> float:
        """A loss that is near to nothing is a tenth of it."""
        return 10.0

    def loss(self, scores: Any, aims: Any, counts: Any) -> Any:  # noqa: ARG002 — the network has said it
        """Return what the network said it misses."""
        return scores.float()
