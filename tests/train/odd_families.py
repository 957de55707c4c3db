"""Families that misbehave. They stand in a module, so that a worker can load them."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import time
from typing import Any

import numpy as np

from palio.core.errors import InputError
from palio.train.families.dummy import Dummy
from palio.train.families.linear import Linear


class Hanging(Linear):
    """Never looks at its deadline."""

    name = "hanging"

    def fit(self, examples: Any, **settings: Any) -> Any:
        while True:
            time.sleep(0.05)


class Aborting(Linear):
    """Ends the interpreter."""

    name = "aborting"

    def fit(self, examples: Any, **settings: Any) -> Any:
        os.abort()


class Segfaulting(Linear):
    """Reads where nothing is."""

    name = "segfaulting"

    def fit(self, examples: Any, **settings: Any) -> Any:
        ctypes.string_at(0)


class Hungry(Linear):
    """Takes more and more memory."""

    name = "hungry"

    def fit(self, examples: Any, **settings: Any) -> Any:
        held = []
        while True:
            held.append(np.ones(2_000_000))
            time.sleep(0.01)


class Starved(Linear):
    """Gets no memory."""

    name = "starved"

    def fit(self, examples: Any, **settings: Any) -> Any:
        raise MemoryError("no 3 GB")


class Broken(Dummy):
    """Has a fault."""

    name = "broken"

    def fit(self, examples: Any, **settings: Any) -> Any:
        raise ZeroDivisionError("the author forgot\na case")


class Refusing(Dummy):
    """Says why it does not learn."""

    name = "refusing"

    def fit(self, examples: Any, **settings: Any) -> Any:
        raise InputError("no such thing")


class Slow(Linear):
    """Takes its time, and says that it does not."""

    name = "slow"

    def fit(self, examples: Any, **settings: Any) -> Any:
        time.sleep(0.4)
        return super().fit(examples, **settings)

    def seconds(self, shape: Any, params: Any) -> float:
        return 0.01


class Unloadable(Linear):
    """Can be sent, and cannot be loaded."""

    name = "unloadable"

    def __reduce__(self) -> Any:
        return (_refuse, ())


def _refuse() -> Any:
    raise RuntimeError("it needs a library that is not here")


class Guessing(Dummy):
    """Learns next to nothing, in no time: the share of each class, shrunken by its one setting."""

    name = "guessing"
    n_settings = 1

    def defaults(self, shape: Any, task: Any) -> Any:
        return [{"share": 0.5}, {"share": 0.1}]

    def suggest(self, trial: Any, shape: Any, task: Any) -> Any:
        return {"share": trial.suggest_float("share", 0.0, 0.9)}

    def fit(self, examples: Any, *, params: Any, seed: int, **settings: Any) -> Any:
        found = super().fit(examples, params={}, seed=seed)
        constant = (1 - params["share"]) * found.constant + params["share"] / len(found.constant)
        return dataclasses.replace(found, constant=constant)


class Borrowing(Linear):
    """Wants of a library what the families of this house do without."""

    name = "borrowing"

    def fit(self, examples: Any, **settings: Any) -> Any:
        from lightgbm import LGBMClassifier

        LGBMClassifier(n_estimators=2, verbose=-1).fit(np.zeros((40, 1)), np.arange(40) % 2)
        return super().fit(examples, **settings)
