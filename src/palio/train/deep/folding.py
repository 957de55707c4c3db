"""Make normalisation and padding part of convolutions: the same answers, in less time."""

from __future__ import annotations

import copy
from typing import Any


def fold_norms(module: Any, *example: Any) -> int:
    """Fold each batch normalisation that follows a convolution into it, in place; return how many there were.

    Which one follows which is found by letting an example through.
    """
    import torch
    from torch import nn

    makers: dict[int, str] = {}
    pairs: list[tuple[str, str]] = []
    alive: list[Any] = []

    def note(name: str, layer: Any) -> Any:
        def hook(_: Any, inputs: Any, output: Any) -> None:
            if isinstance(layer, nn.Conv2d):
                makers[id(output)] = name
                alive.append(output)  # so that no other tensor gets its id
            elif id(inputs[0]) in makers:
                pairs.append((makers[id(inputs[0])], name))

        return hook

    kinds = (nn.Conv2d, nn.BatchNorm2d)
    layers = [(name, layer) for name, layer in module.named_modules() if isinstance(layer, kinds)]
    hooks = [layer.register_forward_hook(note(name, layer)) for name, layer in layers]
    module.eval()
    with torch.inference_mode():
        module(*example)
    for hook in hooks:
        hook.remove()
    for convolution, norm in pairs:
        fused = nn.utils.fusion.fuse_conv_bn_eval(module.get_submodule(convolution), module.get_submodule(norm))
        _put(module, convolution, fused)
        _put(module, norm, nn.Identity())
    return len(pairs)


def fold_pads(module: Any) -> int:
    """Let convolutions pad by themselves where layers do it before them, in place; return how many do it now.

    Layers of MobileNet pad as TensorFlow does, and so copy what goes into each convolution, even where nothing is
    added. With a stride of 1 both sides get as much, whatever the size.
    """
    folded = 0
    for one in module.modules():
        convolution = getattr(one, "convolution", None)
        if not getattr(getattr(one, "config", None), "tf_padding", False) or convolution is None:
            continue
        if set(convolution.stride) == {1} and all(size % 2 for size in convolution.kernel_size):
            folded += _pads_itself(one, convolution)
    return folded


def _pads_itself(own: Any, convolution: Any) -> bool:
    """Let the convolution of a layer pad, unless the layer then answers something else."""
    import torch

    before = own.config, convolution.padding
    example = torch.linspace(-1, 1, convolution.in_channels * 49).reshape(1, -1, 7, 7)
    was_training = own.training
    own.eval()
    with torch.inference_mode():
        expected = own(example)
        own.config = copy.copy(own.config)
        own.config.tf_padding = False
        sides = zip(convolution.kernel_size, convolution.dilation, strict=True)
        convolution.padding = tuple((size - 1) // 2 * apart for size, apart in sides)
        found = own(example)
    own.train(was_training)
    is_same = found.shape == expected.shape and bool(torch.allclose(found, expected, rtol=1e-4, atol=1e-5))
    if not is_same:
        own.config, convolution.padding = before
    return is_same


def _put(module: Any, name: str, layer: Any) -> None:
    owner, _, own = name.rpartition(".")
    setattr(module.get_submodule(owner), own, layer)
