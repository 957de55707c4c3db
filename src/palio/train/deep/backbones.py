"""Open a network that others have taught on many pictures, and take it apart into blocks that can be frozen.

Only weights in the format of safetensors are read, and no code but that of the package transformers runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from palio.core.errors import InputError, UnavailableError
from palio.train.deep.calm import torch_there
from palio.train.deep.folding import fold_norms, fold_pads
from palio.train.deep.layers import layer
from palio.train.deep.places import Place, tell_nobody

DEFAULT_SIZE = 224
_TOKENS_FIRST = frozenset({"vit", "deit", "dinov2", "dinov2_with_registers", "dinov3_vit", "ijepa"})
"""Kinds whose first token speaks for the picture."""
_ONE_SIZE = frozenset({"vit", "deit", "ijepa"})
"""Kinds that know as many patches as they were taught with."""
_BOTH = frozenset({"dinov2", "dinov2_with_registers", "dinov3_vit"})
"""Kinds that are read by their first token and the mean of the patches, as their authors do."""


@dataclass(frozen=True)
class Backbone:
    """A network as blocks, one after the other: from normalised pixels (n, 3, S, S) to features (n, n_features)."""

    label: str
    kind: str
    blocks: tuple[Any, ...] = field(repr=False)
    n_features: int
    size: int
    """Side of the pictures, in pixels."""
    short: int
    """Shorter side before the middle is cut out."""
    mean: tuple[float, ...]
    """Of each channel of pictures whose pixels go from 0 to 255."""
    std: tuple[float, ...]


def open_backbone(place: Place, *, size: int | None = None) -> Backbone:
    """Open a backbone. Its normalisation layers become part of the convolutions before them, and most of its padding.

    Args:
        place: Where it lies.
        size: Side of the pictures; None, and where it takes no other: what the backbone was taught with.

    Raises:
        InputError: it is no network for pictures that can be read.
        UnavailableError: torch or transformers is not installed.
    """
    torch = torch_there()
    model, facts = _model(place)
    own_size, short, mean, std = preprocessing_of(facts, model.config)
    kind = str(model.config.model_type)
    size = own_size if size is None or kind in _ONE_SIZE else size
    model = model.to(memory_format=torch.channels_last).eval()
    example = torch.zeros(1, 3, size, size)
    example[:, :, ::2] = 1.0
    whole = _pooled(model, kind)
    with torch.inference_mode():
        expected = whole(example)
        fold_pads(whole)
        blocks = _blocks(model, kind, whole)
        if not _agrees(torch, blocks, example, expected):  # another version of it: it then freezes as one
            blocks = (whole,)
    fold_norms(torch.nn.Sequential(*blocks), example)
    for block in blocks:
        block.requires_grad_(False)
    return Backbone(
        label=place.label,
        kind=kind,
        blocks=blocks,
        n_features=int(expected.shape[1]),
        size=size,
        short=round(short * size / own_size),
        mean=mean,
        std=std,
    )


def _model(place: Place) -> tuple[Any, dict[str, Any]]:
    """Return the network, and what its preprocessor says."""
    transformers = transformers_there()
    try:
        model = transformers.AutoModel.from_pretrained(
            place.folder, use_safetensors=True, dtype="float32", local_files_only=True, trust_remote_code=False
        )
        facts, _ = transformers.ImageProcessingMixin.get_image_processor_dict(place.folder, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise InputError(
            f"backbone `{place.label}`: it cannot be opened: {str(error).strip().splitlines()[0][:200]}",
            hint="it must be a model for pictures with config.json, preprocessor_config.json and model.safetensors",
        ) from None
    return model, facts


def transformers_there() -> Any:
    """Import transformers, silent.

    Raises:
        UnavailableError: it is not installed.
    """
    tell_nobody()
    try:
        import transformers
    except ImportError:
        raise UnavailableError(
            "backbone: the package transformers is not installed", hint="pip install 'palio[deep]'"
        ) from None
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return transformers


def preprocessing_of(facts: dict[str, Any], config: Any) -> tuple[int, int, tuple[float, ...], tuple[float, ...]]:
    """Return size, shorter side, mean and deviation on the scale of 0 to 255."""
    said = facts.get("crop_size") if facts.get("do_center_crop") else None
    short = _side(facts.get("size")) or _side(getattr(config, "image_size", None)) or DEFAULT_SIZE
    size = _side(said) or short
    factor = float(facts.get("rescale_factor", 1 / 255)) if facts.get("do_rescale", True) else 1.0
    is_normal = facts.get("do_normalize", True)
    mean = facts.get("image_mean") if is_normal else None
    std = facts.get("image_std") if is_normal else None
    mean, std = mean or [0.0] * 3, std or [1.0] * 3
    middle, spread = (
        tuple(float(one) / factor for one in (values if isinstance(values, list) else [values] * 3))
        for values in (mean, std)
    )
    short = max(size, short)
    if short == size and "crop_pct" in facts:
        short = round(size / float(facts["crop_pct"]))
    return size, short, middle, spread


def _side(said: Any) -> int:
    """Read a side from what files call a size: a number, or height and width, or the shortest edge."""
    if isinstance(said, dict):
        found = [int(said[key]) for key in ("shortest_edge", "height", "width") if said.get(key)]
        return min(found) if found else 0
    if isinstance(said, (list, tuple)):
        return int(min(said)) if said else 0
    return int(said or 0)


def _agrees(torch: Any, blocks: tuple[Any, ...], example: Any, expected: Any) -> bool:
    try:
        values = example
        for block in blocks:
            values = block(values)
    except (TypeError, RuntimeError, AttributeError):
        return False
    return values.shape == expected.shape and bool(torch.allclose(values, expected, rtol=1e-3, atol=1e-4))


def _blocks(model: Any, kind: str, whole: Any) -> tuple[Any, ...]:
    """Take a network apart, as its kind is built; one block if the kind is not known."""
    from torch import nn

    if kind in ("mobilenet_v1", "mobilenet_v2"):
        last = (model.conv_1x1,) if kind == "mobilenet_v2" else ()
        return (model.conv_stem, *model.layer, nn.Sequential(*last, _spatial_mean()))
    if kind == "resnet":
        return (model.embedder, *(one for stage in model.encoder.stages for one in stage.layers), _spatial_mean())
    if kind in ("convnext", "convnextv2"):
        inner = [
            nn.Sequential(*stage.downsampling_layer, one) if place == 0 else one
            for stage in model.encoder.stages
            for place, one in enumerate(stage.layers)
        ]
        return (model.embeddings, *inner, nn.Sequential(_spatial_mean(), model.layernorm))
    if kind == "efficientnet":
        own = model.encoder
        top = nn.Sequential(own.top_conv, own.top_bn, own.top_activation, _spatial_mean())
        return (model.embeddings, *own.blocks, top)
    if kind in _TOKENS_FIRST:
        layers = getattr(model, "layers", None) or getattr(model.encoder, "layer", None) or model.encoder.layers
        inner = [layer(lambda own, values: _first(own.inner(values)), inner=one) for one in layers]
        read = layer(
            lambda own, values: _read_tokens(own.norm(values), is_both=own.both),
            norm=model.layernorm,
            both=kind in _BOTH,
        )
        return (model.embeddings, *inner, read)
    return (whole,)


def _pooled(model: Any, kind: str) -> Any:
    """Return the network as one block."""

    def forward(own: Any, pixels: Any) -> Any:
        answer = own.model(pixel_values=pixels)
        if own.kind in _TOKENS_FIRST:
            return _read_tokens(answer.last_hidden_state, is_both=own.kind in _BOTH)
        pooled = getattr(answer, "pooler_output", None)
        if pooled is not None:
            return pooled.flatten(start_dim=1)
        last = answer.last_hidden_state
        return last.mean(dim=(2, 3)) if last.ndim == 4 else last.mean(dim=1)

    return layer(forward, model=model, kind=kind)


def _first(answer: Any) -> Any:
    return answer[0] if isinstance(answer, tuple) else answer


def _read_tokens(tokens: Any, *, is_both: bool) -> Any:
    import torch

    first = tokens[:, 0]
    return torch.cat([first, tokens[:, 1:].mean(dim=1)], dim=1) if is_both else first


def _spatial_mean() -> Any:
    return layer(lambda values: values.mean(dim=(2, 3)))
