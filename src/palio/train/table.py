"""Find a family by its name."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from palio.core.errors import InputError, did_you_mean

if TYPE_CHECKING:
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
    "features": "palio.train.families.features:FAMILY",
}
"""Name → `module:attribute`, in the order in which they are tried: what promises most comes soon."""


def load_family(name: str) -> Family:
    """Return the family called `name`.

    Raises:
        InputError: there is no such family.

    Example:
        >>> load_family("dummy").name
        'dummy'
    """
    if name not in FAMILIES:
        raise InputError(f"unknown family `{name}`", hint=did_you_mean(name, FAMILIES))
    module, _, attribute = FAMILIES[name].partition(":")
    family: Family = getattr(importlib.import_module(module), attribute)
    return family
