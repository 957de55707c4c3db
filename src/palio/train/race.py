"""Say what is tried next: every family once, then the promising ones on all folds, and settings that may be better.

A step depends on what was found at least four steps before it, never on who ended first: with the same findings the
same steps follow, on one worker and on four.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from palio.core import records, seeds
from palio.core.records import Cost, Course, Parity
from palio.train.examples import Array, Shape
from palio.train.family import Family, Params
from palio.train.proposal import propose

if TYPE_CHECKING:
    from palio.train.terms import Terms

N_ALWAYS = 2
"""Steps that may take all the time there is: the constant answer, and the first family that learns."""
N_SOON = 3
"""Steps that take one fold whatever the size of the data: there is a model soon."""
LAG = 4
"""A step knows what came of the steps that are at least so many before it."""
N_WHOLE_FIRST = 3
"""Candidates that are taken to all folds before new settings are tried."""
MAX_WHOLE_A_FAMILY = 4
"""Candidates of one family that are taken to all folds, unless one is the best of all."""
PATTERN = "pee"
"""Then: one candidate to all folds, two with new settings, and so on."""
EXPLORED = (0, 1, 0, 2)
"""Whose settings are searched, by rank of the families, in turn."""
HOPELESS_SHARE = 0.05
"""A candidate that loses this share of what the best one gains over the constant answer is not gone on with."""
TRIALS_A_SETTING = 4
"""Candidates of a family for each of its settings, at most."""
VERY_MANY_CLASSES = 40
"""Of so many classes the families are tried in the order of what they cost."""
MAX_STEPS = 400
NO_TIME = "there was no time for it"
"""The reason of a candidate that was not begun."""


@dataclass
class Candidate:
    """Settings of a family, and what is known of them so far."""

    number: int
    """The step that first tried it."""
    family: str
    asked: Params
    """As proposed."""
    seed: int
    params: Params = field(default_factory=dict)
    """As used."""
    rounds: int = 0
    scores: dict[int, tuple[float, ...]] = field(default_factory=dict)
    """Fold → score of each of its blocks."""
    ties: dict[int, tuple[float, ...]] = field(default_factory=dict)
    answers: dict[int, Array] = field(default_factory=dict)
    curves: dict[int, Array] = field(default_factory=dict)
    seconds: float = 0.0
    besides_s: float = 0.0
    """Of those `seconds`, what exports and checks took."""
    n_parameters: int = 0
    n_learned: int = 0
    """Rows that its models learned from, where candidates learn from a part of them first; 0 elsewhere."""
    graph: bytes = b""
    check_s: float = 0.0
    """What the export and the checks of that graph took."""
    cost: Cost | None = None
    parity: tuple[Parity, ...] = ()
    seen: dict[str, float] = field(default_factory=dict)
    """Metrics on rows that the model of `graph` learned from."""
    screen: float | None = None
    """Mean score of the folds of its first step: what candidates are compared by before all folds are done."""
    notes: tuple[str, ...] = ()
    """What its fit found out, and a person should know."""
    course: Course | None = None
    """Of a network: how it learned."""
    is_long: bool = False
    """It had most of the time."""
    reason: str = ""
    """Why it was not gone on with."""
    failed: bool = False
    whole_at: int | None = None
    """The step since which it is scored on all folds."""
    was_ended: bool = False
    """By the clock, or for the memory that it took."""

    @property
    def is_whole(self) -> bool:
        """Whether it was scored on all folds."""
        return self.whole_at is not None

    @property
    def fit_s(self) -> float:
        """Seconds that one fold took, without exports and checks."""
        return (self.seconds - self.besides_s) / max(1, len(self.scores))

    def mean(self, folds: Sequence[int] | None = None) -> float | None:
        """Return the mean score of some folds, or of all so far; where the metric is not defined is left out."""
        scored = self.scores if folds is None else [fold for fold in folds if fold in self.scores]
        known = [one for fold in scored for one in self.scores[fold] if not np.isnan(one)]
        return float(np.mean(known)) if known else None

    def defined(self, folds: Sequence[int]) -> list[tuple[int, int]]:
        """Return the blocks of some folds on which the metric is defined."""
        scored = [fold for fold in folds if fold in self.scores]
        return [(k, b) for k in scored for b, one in enumerate(self.scores[k]) if not np.isnan(one)]


@dataclass(frozen=True)
class Step:
    """What is tried."""

    number: int
    candidate: int
    """Number of the step that first tried it: this one for a new candidate."""
    family: str
    params: Params
    seed: int
    folds: tuple[int, ...]
    planned: records.Step | None = None
    """What is known of it from an earlier run."""
    kind: Literal["usual", "heat", "long"] = "usual"
    """Of networks: a short first fit, and one that gets most of the time."""
    usual: int = 0
    """Of a long one: the epochs that are enough."""
    is_alone: bool = False
    """No other that learns competes: even a heat has the machine for itself."""


def seed_of(terms: Terms, family: str, number: int) -> int:
    """Return the seed of a candidate."""
    return seeds.derive(terms.seed, "trial", family, number)


class Rerun:
    """The steps of a plan, as they were taken before."""

    def __init__(self, plan: records.SearchPlan, terms: Terms) -> None:
        self._steps = {one.number: one for one in plan.steps}
        self._terms = terms

    def next(self, number: int, known: Mapping[int, Candidate]) -> Step | None:  # noqa: ARG002
        """Return step `number`; None if there was none."""
        one = self._steps.get(number)
        if one is None:
            return None
        seed = seed_of(self._terms, one.family, one.candidate)
        return Step(number, one.candidate, one.family, dict(one.params), seed, one.folds, one)


def _in_order(families: Sequence[Family], shape: Shape, terms: Terms) -> list[str]:
    """Return who is tried first: as named; of very many classes, where some cost a hundred times others, by cost.

    The first that learns is always the same: there is a model soon.
    """
    names = [family.name for family in families]
    if shape.n_classes < VERY_MANY_CLASSES:
        return names
    cost = {one.name: one.seconds(shape, dict(one.defaults(shape, terms.task)[0])) for one in families}
    return names[:N_ALWAYS] + sorted(names[N_ALWAYS:], key=lambda name: cost[name])


class Race:
    """The order of steps of one search."""

    def __init__(
        self,
        families: Sequence[Family],
        shape: Shape,
        terms: Terms,
        *,
        n_folds: int,
        screens: bool,
        most: int | None = None,
        earlier: Sequence[tuple[str, Params]] = (),
    ) -> None:
        self._families = {family.name: family for family in families}
        self._shape = shape
        self._terms = terms
        self._folds = tuple(range(n_folds))
        self._screens = screens and n_folds > 1
        self._defaults = {f.name: [dict(one) for one in f.defaults(shape, terms.task)] for f in families}
        self._lap = _in_order(families, shape, terms)
        self._n_tried = dict.fromkeys(self._families, 0)
        self._most = MAX_STEPS if most is None else max(most, N_ALWAYS)
        self._promoted: dict[int, str] = {}
        self._turn = 0
        self._explored = 0
        self._made: set[str] = set()
        self._earlier = list(earlier)
        self._n_earlier = 0

    @property
    def n_fresh(self) -> int:
        """Families that were not tried yet."""
        return len(self._lap)

    def settle(self, *, n_folds: int, screens: bool) -> None:
        """Say how candidates are judged from now on: on how many folds, and whether the first decides who gets them."""
        self._folds = self._folds[:n_folds]
        self._screens = screens and n_folds > 1

    def next(self, number: int, known: Mapping[int, Candidate]) -> Step | None:
        """Return step `number`; None if nothing is left that is worth a try.

        Args:
            number: Steps are asked for in turn, from 0 on.
            known: Candidates by number, with all that was found up to step `number - LAG`.
        """
        if number >= MAX_STEPS:
            return None
        if self._lap and self._may_be_new():
            return self._early(number, known) or self._new(number, self._lap.pop(0), known)
        wants_new = self._n_whole >= N_WHOLE_FIRST and PATTERN[self._turn % len(PATTERN)] == "e"
        self._turn += self._n_whole >= N_WHOLE_FIRST
        for new in (wants_new, not wants_new):
            step = self._explore(number, known) if new else self._promote(number, known)
            if step is not None:
                return step
        return None

    @property
    def _n_whole(self) -> int:
        """Candidates that learn and were taken to all folds."""
        return sum(family != "dummy" for family in self._promoted.values())

    def _early(self, number: int, known: Mapping[int, Candidate]) -> Step | None:
        """Take the first families to all folds before others are tried: one score that no fold alone decided on.

        The constant answer, and the best of them, where the first fold decides who gets the others; all of them, where
        it does not.
        """
        if len(self._folds) < 2 or (self._screens and (number < N_SOON - 1 + LAG or self._n_whole)):
            return None
        constant = next((one for one in known.values() if one.family == "dummy" and one.screen is not None), None)
        if constant is not None and constant.number not in self._promoted:
            return self._whole(number, constant)
        return self._promote(number, known)

    def _may_be_new(self) -> bool:
        return sum(self._n_tried.values()) + self._n_earlier < self._most

    def _new(self, number: int, name: str, known: Mapping[int, Candidate]) -> Step:
        family, terms = self._families[name], self._terms
        tried = self._n_tried[name]
        self._n_tried[name] += 1
        if tried < len(self._defaults[name]):
            params = dict(self._defaults[name][tried])
        else:
            past = [(one.asked, self._worth(number, one)) for one in known.values() if one.family == name]
            params = propose(
                family, past, shape=self._shape, task=terms.task, seed=terms.seed, trial=number, sign=terms.sign
            )
        return self._tried(number, name, params)

    def _tried(self, number: int, name: str, params: Params) -> Step:
        folds = self._folds[:1] if self._screens or number < N_SOON else self._folds
        if folds == self._folds:
            self._promoted[number] = name
        return Step(number, number, name, params, seed_of(self._terms, name, number), folds)

    def _promote(self, number: int, known: Mapping[int, Candidate]) -> Step | None:
        """Take the most promising candidate to the folds that it has not seen."""
        if not self._screens:  # a fold of a small table says too little to leave anyone behind
            waiting = [one for one in known.values() if one.number not in self._promoted and one.screen is not None]
            return self._whole(number, waiting[0]) if waiting else None
        ranked = self._ranked(number, known)
        n_whole = dict.fromkeys(self._families, 0)
        for one in ranked:
            n_whole[one.family] += one.number in self._promoted
        open_to = [one for one in ranked if one.number not in self._promoted and not self._is_hopeless(one, ranked)]
        if self._n_whole < N_WHOLE_FIRST:  # first the best of each family
            open_to.sort(key=lambda one: n_whole[one.family] > 0)
        for one in open_to:
            if n_whole[one.family] < MAX_WHOLE_A_FAMILY or one is ranked[0]:
                return self._whole(number, one)
        return None

    def _whole(self, number: int, one: Candidate) -> Step:
        self._promoted[one.number] = one.family
        return Step(number, one.number, one.family, one.params, one.seed, self._folds[1:])

    def _explore(self, number: int, known: Mapping[int, Candidate]) -> Step | None:
        """Try new settings of one of the families that did best."""
        if not self._may_be_new():
            return None
        ranked = self._ranked(number, known)
        if self._earlier:  # what did well on other rows of the same kind
            name, params = self._earlier.pop(0)
            self._n_earlier += 1
            return self._tried(number, name, dict(params))
        fair = [one for one in ranked if not self._is_hopeless(one, ranked)]
        families = list(dict.fromkeys(one.family for one in fair))
        open_to = [name for name in families if self._is_open(name)]
        if not open_to:
            return None
        base = self._base_of_made(ranked)
        if base is not None:
            self._made.add(base.family)
            self._n_tried[base.family] += 1
            return self._tried(number, base.family, base.asked | {"made": True})
        place = EXPLORED[self._explored % len(EXPLORED)]
        self._explored += 1
        return self._new(number, open_to[min(place, len(open_to) - 1)], known)

    def _base_of_made(self, ranked: Sequence[Candidate]) -> Candidate | None:
        """Return the candidate to try once more with numbers made of two columns.

        That is the best of a family that can; then the best of another one, if that was worth it.
        """
        for one in ranked:
            if not getattr(self._families[one.family], "makes", False) or one.family in self._made:
                continue
            if not self._made or any(each.asked.get("made") for each in ranked[:2]):
                return one
        return None

    def _is_open(self, name: str) -> bool:
        family, tried = self._families[name], self._n_tried[name]
        return tried < max(len(self._defaults[name]), TRIALS_A_SETTING * family.n_settings)

    def _ranked(self, number: int, known: Mapping[int, Candidate]) -> list[Candidate]:
        """Return the candidates by what they are compared by, the best first."""
        scored = {one.number: self._worth(number, one) for one in known.values()}
        fair = [one for one in known.values() if scored[one.number] is not None]
        return sorted(fair, key=lambda one: (-self._terms.sign * (scored[one.number] or 0.0), one.number))

    def _worth(self, number: int, one: Candidate) -> float | None:
        """Return the score that a candidate is compared by: of all folds of a small table, else of the first."""
        if self._screens:
            found = one.screen
        else:
            found = one.mean() if one.whole_at is not None and one.whole_at <= number - LAG else None
        return found if found is not None and np.isfinite(found) else None

    def _is_hopeless(self, one: Candidate, ranked: Sequence[Candidate]) -> bool:
        """Tell whether a candidate loses too much of what the best gains over the constant answer.

        Where nothing gains, nobody is left behind: the first fold may be an odd one.
        """
        simplest = next((each for each in ranked if each.family == "dummy"), None)
        if simplest is None:
            return False
        sign = self._terms.sign
        score, best, floor = (self._score(each) for each in (one, ranked[0], simplest))
        return best != floor and sign * (best - score) > HOPELESS_SHARE * sign * (best - floor)

    def _score(self, one: Candidate) -> float:
        found = one.screen if self._screens else one.mean()
        return 0.0 if found is None else found
