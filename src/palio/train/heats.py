"""Say what is tried next where networks compete that are too dear for many trials: a heat each, then one long training.

Light families go first, so that there is a model soon. A heat is a short fit that tells what a network promises and
what an epoch takes here. The one that promises most gets most of the time that is left; what it leaves goes to other
settings, by turns of networks and light families. As in a race, the same findings are followed by the same steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from palio.train.examples import Shape
from palio.train.family import Family, Params
from palio.train.proposal import propose
from palio.train.race import Candidate, Step, seed_of
from palio.train.work import is_taught

if TYPE_CHECKING:
    from palio.train.terms import Terms

MOST_LONG = 12
"""Long trainings, at most."""
NEARLY = 0.5
"""Part of the usual number of epochs after which a network has shown what it can."""
FOLDS = (0,)
"""All are scored on the rows of one holdout."""


class Heats:
    """The order of steps of one search that is scored on one holdout.

    Args:
        families: Who competes, in the order of the light ones.
        shape: The rows that are learned from.
        terms: What holds for every trial.
    """

    def __init__(self, families: Sequence[Family], shape: Shape, terms: Terms) -> None:
        self._families = {family.name: family for family in families}
        self._shape = shape
        self._terms = terms
        light = [one for one in families if not is_taught(one)]
        taught = [one for one in families if is_taught(one)]
        cost = {one.name: one.seconds(shape, dict(one.defaults(shape, terms.task)[0])) for one in taught}
        self._is_alone = len(taught) == 1 and all(one.name == "dummy" for one in light)
        self._lap = [one.name for one in (*light, *sorted(taught, key=lambda one: cost[one.name]))]
        self._asked: dict[int, Params] = {}
        """Step → its settings as a family proposes them, with its usual number of epochs."""
        self._kind: dict[int, str] = {}
        self._rest: Iterator[str] | None = None
        self._ranking: list[str] = []

    def next(self, number: int, known: Mapping[int, Candidate]) -> Step | None:
        """Return step `number`; None as long as nothing follows from what is known, and at the end."""
        if self._lap:
            first = self._lap.pop(0)
            return self._step(number, first, self._default(first, 0), "heat" if self._is_taught(first) else "usual")
        if any(one not in known for one in self._asked):
            return None
        if self._rest is None:
            self._ranking = self._ranked(known)
            self._rest = self._turns()
        name = next(self._rest, None)
        if name is None:
            return None
        n_tried = sum(self._kind[one] != "heat" and known[one].family == name for one in self._asked)
        n_defaults = len(self._families[name].defaults(self._shape, self._terms.task))
        params = self._default(name, n_tried) if n_tried < n_defaults else self._proposed(number, name, known)
        return self._step(number, name, params, "long" if self._is_taught(name) else "usual")

    def _turns(self) -> Iterator[str]:
        """Say whose settings are tried: the best network, then others and light ones in turn."""
        taught = [name for name in self._ranking if self._is_taught(name)]
        light = [name for name in self._ranking if not self._is_taught(name) and self._families[name].n_settings]
        for turn in range(MOST_LONG if self._ranking else 0):
            if taught:
                yield taught[0] if turn % 3 != 1 else taught[min(1, len(taught) - 1)]
            if light:
                yield light[0] if turn % 2 == 0 else light[min(1, len(light) - 1)]

    def _step(self, number: int, name: str, params: Params, kind: str) -> Step:
        self._asked[number], self._kind[number] = params, kind
        asked, family = dict(params), self._families[name]
        if kind == "long":
            asked[family.rounds] = int(params[family.rounds]) * int(getattr(family, "longest", 1))
        usual = int(params.get(family.rounds, 0)) if kind == "long" else 0
        seed = seed_of(self._terms, name, number)
        is_alone = self._is_alone and kind != "usual"
        return Step(number, number, name, asked, seed, FOLDS, kind=kind, usual=usual, is_alone=is_alone)  # type: ignore[arg-type]

    def _is_taught(self, name: str) -> bool:
        return is_taught(self._families[name])

    def _default(self, name: str, place: int) -> Params:
        return dict(self._families[name].defaults(self._shape, self._terms.task)[place])

    def _proposed(self, number: int, name: str, known: Mapping[int, Candidate]) -> Params:
        family, terms = self._families[name], self._terms
        tried = [one for one in self._asked if known[one].family == name and self._kind[one] != "heat"]
        past = [(self._asked[one], known[one].mean()) for one in tried]
        return propose(family, past, shape=self._shape, task=terms.task, seed=terms.seed, trial=number, sign=terms.sign)

    def _ranked(self, known: Mapping[int, Candidate]) -> list[str]:
        """Return the families by what they promise.

        Networks whose heat was only a part of what they usually learn come before those that learned nearly all of it:
        these have shown what they can. One that had no time for a heat promises less than those that are ahead of the
        light families, and more than the others.
        """
        fair = [one for one in known.values() if one.family != "dummy" and (not one.failed or one.was_ended)]
        scores = {one.family: one.mean() for one in fair}
        worth = {name: self._terms.sign * score for name, score in scores.items() if score is not None}
        light = max((own for name, own in worth.items() if not self._is_taught(name)), default=-np.inf)
        nearly_done = {one.family for one in fair if self._share(one) >= NEARLY}
        return sorted(scores, key=lambda name: (name in nearly_done, -worth.get(name, light)))

    def _share(self, one: Candidate) -> float:
        """Return what part of its usual epochs a network learned; 0 for others."""
        if one.course is None or one.number not in self._asked:
            return 0.0
        usual = float(self._asked[one.number].get(self._families[one.family].rounds, 1))
        n_epochs = one.course.n_epochs - (0.5 if one.course.n_epochs == 1 else 0.0)  # it may be a part of one
        return n_epochs / usual
