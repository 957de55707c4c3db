"""Read what a backbone's own last layer tells apart, and find which of its classes are ours, by their names.

Nothing but the configuration and the weights is read: no network is opened.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from palio.core.errors import InputError
from palio.train.deep.places import Place, kind_of
from palio.train.examples import Array

READ = frozenset(
    {"mobilenet_v1", "mobilenet_v2", "resnet", "convnext", "convnextv2", "efficientnet", "vit", "deit", "dinov2"}
)
"""Kinds whose last layer is a linear one on the features that a frozen backbone gives."""
_LAYER = re.compile(r"(^|\.)classifier(\.\d+)?\.(weight|bias)$")
_MIN_NAMES = 2


@dataclass(frozen=True)
class LastLayer:
    """`features @ weights.T + intercepts` are the scores of the backbone's own classes."""

    weights: Array
    """Shape (n_classes, n_features), float64."""
    intercepts: Array


def names_of(place: Place) -> tuple[str, ...]:
    """Return what the last layer tells apart, in its own order; nothing if it was taught no classes by name."""
    try:
        said = json.loads((Path(place.folder) / "config.json").read_bytes())
        labels = {int(key): str(name) for key, name in dict(said["id2label"]).items()}
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    are_named = not all(re.fullmatch(r"LABEL_\d+", name) for name in labels.values())
    in_order = [labels[key] for key in sorted(labels)]
    whole = sorted(labels) == list(range(len(labels)))
    return tuple(in_order) if whole and are_named and len(labels) >= _MIN_NAMES and kind_of(place) in READ else ()


def matched(classes: Sequence[str], names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Find the backbone's classes that each of ours is, by name; those of ours that none is are left out.

    A name is a list of words for one thing (`ant, emmet, pismire`). One of ours is what bears its very name, else all
    whose name ends with it (`shark`: `tiger shark`), but for those that are another of ours. Case, plurals and marks
    between words do not count.

    Example:
        >>> matched(["Ants", "shark", "wasp"], ["ant, emmet", "tiger shark", "hammerhead, hammerhead shark"])
        {'Ants': (0,), 'shark': (1, 2)}
    """
    known = [[_plain(word) for word in name.split(",")] for name in names]
    wanted = {ours: _plain(ours) for ours in classes}
    found = {ours: [at for at, words in enumerate(known) if word in words] for ours, word in wanted.items() if word}
    taken = {at for places in found.values() for at in places}
    for ours, places in found.items():
        if not places:
            end = f" {wanted[ours]}"
            places += [
                at for at, words in enumerate(known) if at not in taken and any(one.endswith(end) for one in words)
            ]
    n_owners = np.zeros(len(names), np.int64)
    for places in found.values():
        n_owners[places] += 1
    return {ours: own for ours, places in found.items() if (own := tuple(at for at in places if n_owners[at] == 1))}


def last_layer(place: Place, n_features: int) -> LastLayer:
    """Read the last layer of a backbone.

    Raises:
        InputError: the weights hold none that fits features of this number and the classes that are named.
    """
    from safetensors import safe_open

    held: dict[str, Any] = {}
    for path in sorted(Path(place.folder).glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for key in file.keys():  # noqa: SIM118 - it is no mapping
                if (match := _LAYER.search(key)) is not None:
                    held[match[3]] = file.get_tensor(key).double().numpy()
    weights, intercepts, n_classes = held.get("weight"), held.get("bias"), len(names_of(place))
    if weights is None or intercepts is None or weights.shape != (n_classes, n_features):
        raise InputError(
            f"backbone `{place.label}`: its weights hold no last layer of its own for {n_classes} classes",
            hint="leave zero_shot out of [train] families, or name weights that were saved with their classifier",
        )
    return LastLayer(weights, intercepts)


def _plain(name: str) -> str:
    """Write a name without case, marks between its words, and the plural of the last one."""
    words = re.sub(r"[\W_]+", " ", name.casefold()).strip()
    for ending, one in (("ies", "y"), ("sses", "ss"), ("shes", "sh"), ("ches", "ch"), ("xes", "x"), ("s", "")):
        if words.endswith(ending) and len(words) > len(ending) + 1 and not words.endswith(("ss", "us", "is")):
            return words.removesuffix(ending) + one
    return words
