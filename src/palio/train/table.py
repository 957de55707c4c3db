"""Find a family by its name, and name those that compete on a kind of rows."""

from __future__ import annotations

import dataclasses
import importlib
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from palio.core.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from palio.core.records import Modality
    from palio.train.family import Family

FAMILIES: dict[str, str] = {
    "dummy": "palio.train.families.dummy:FAMILY",
    "words": "palio.train.families.words:FAMILY",
    "linear": "palio.train.families.linear:FAMILY",
    "lightgbm": "palio.train.families.boosting:FAMILY",
    "svm": "palio.train.families.svm:FAMILY",
    "xgboost": "palio.train.families.xgboost:FAMILY",
    "catboost": "palio.train.families.catboost:FAMILY",
    "mlp": "palio.train.families.mlp:FAMILY",
    "forest": "palio.train.families.forest:FAMILY",
    "neighbours": "palio.train.families.neighbours:FAMILY",
    "bayes": "palio.train.families.bayes:FAMILY",
}
"""Name → `module:attribute`, in the order in which they are tried: what promises most comes soon."""
PICTURE_FAMILIES: dict[str, str] = {
    "features": "palio.train.families.features:FAMILY",
    "zero_shot": "palio.train.families.zero_shot:FAMILY",
    "hog": "palio.train.families.hog:FAMILY",
    "finetune": "palio.train.families.finetune:FAMILY",
    "cnn": "palio.train.families.cnn:FAMILY",
}
"""Those that learn from pictures; all but `hog` need `deep`. Where a backbone is named, `features` comes first:
it takes minutes, and only the first that learns has all the time there is."""
DETECTORS: dict[str, str] = {
    "imported": "palio.train.families.imported:FAMILY",
    "detector": "palio.train.families.detector:FAMILY",
    "dfine": "palio.train.families.queries:DFINE",
    "rtdetr": "palio.train.families.queries:RTDETR",
}
"""Those that learn what is where in pictures; all but the first need the extra `deep`."""
TEXT_NETWORKS: dict[str, str] = {
    "textcnn": "palio.train.families.textcnn:FAMILY",
    "lstm": "palio.train.families.lstm:FAMILY",
    "encoder": "palio.train.families.encoder:FAMILY",
}
"""Networks that read words in their order; they need the extra `deep`."""
_ALL = FAMILIES | PICTURE_FAMILIES | DETECTORS | TEXT_NETWORKS


def load_family(name: str, **named: Any) -> Family:
    """Return the family called `name`.

    Args:
        name: Key of one of the tables.
        named: What the user named for the families that take it, e.g. `backbone`: pretrained weights, by path or by
            name on a hub; what is empty stays as it is.

    Raises:
        InputError: there is no such family.

    Example:
        >>> load_family("dummy").name
        'dummy'
    """
    if name not in _ALL:
        raise InputError(f"unknown family `{name}`", hint=did_you_mean(name, _ALL))
    module, _, attribute = _ALL[name].partition(":")
    family: Any = getattr(importlib.import_module(module), attribute)
    own = {key: value for key, value in named.items() if value and hasattr(family, key)}
    family = dataclasses.replace(family, **own) if own else family
    found: Family = family
    return found


def names_for(modality: Modality) -> list[str]:
    """Name the families that compete on a kind of rows; networks only where torch is installed.

    Example:
        >>> names_for("tabular")[:2], names_for("image")[0]
        (['dummy', 'words'], 'dummy')
    """
    if modality == "image":
        return ["dummy", *PICTURE_FAMILIES, *DETECTORS]
    return [*FAMILIES, *TEXT_NETWORKS] if modality == "text" and find_spec("torch") else list(FAMILIES)
