"""Mix candidates: weights are found greedily on answers out of fold, and judged on folds that they had not seen.

Source: Caruana, Niculescu-Mizil, Crew and Ksikes 2004, ICML (ensemble selection from libraries of models).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from palio import model
from palio.core.records import Layer, Task
from palio.train.examples import Array
from palio.train.mixed_losses import loss_of
from palio.train.work import score_numbers

MIX, STACK, PRUNED = MIXES = "ensemble", "stacked ensemble", "pruned ensemble"
"""Families of mixes: weighed greedily, stacked by a linear layer, and as few members as do nearly as well."""
MAX_MEMBERS = 6
"""Each costs time to fit, to answer and to carry about; a seventh hardly ever brings anything (LOG.md)."""
N_PICKS = 30
"""Picks of one member each, at most; its weight is how often it was picked."""
MAX_ROWS = 20_000
"""Rows on which weights are found; more cost time and change them by little."""
N_APART = 5
"""Parts of the only fold there is, each of which is answered by what the others told."""
LEAST_GAIN = 1e-6
"""A pick that makes the loss smaller by a smaller share than this is not taken."""


@dataclass(frozen=True)
class Unseen:
    """Rows that fits did not learn from, fold after fold; of repeated folds, a row as often as it was scored."""

    rows: Array
    """Positions among all rows of the lesson, shape (n,)."""
    fold: Array
    """Shape (n,)."""
    truth: Array
    block: Array
    """Block of its fold that a row is scored in, shape (n,)."""

    def groups(self) -> list[Array]:
        """Return the positions of each block of each fold: what is scored as one."""
        groups = []
        for fold in np.unique(self.fold):
            in_fold = self.fold == fold
            groups += [np.flatnonzero(in_fold & (self.block == one)) for one in np.unique(self.block[in_fold])]
        return groups

    def apart(self) -> Iterator[tuple[Array, Array]]:
        """Yield the rows of one fold after the other, and all rows but those.

        Where there is one fold, of one block after the other; of one block, every `N_APART`th row. Of repeated folds, a
        row that stands in others too is left out there. Both are masks of shape (n,).
        """
        part = next(
            (one for one in (self.fold, self.block) if one.max() > one.min()), np.arange(len(self.rows)) % N_APART
        )
        for one in np.unique(part):
            here = part == one
            yield here, ~np.isin(self.rows, self.rows[here])


@dataclass(frozen=True)
class Recipe:
    """How answers of members become one."""

    weights: Mapping[int, float]
    """Number of the candidate → weight; they add up to 1 unless they were stacked."""
    layer: Layer | None = None
    """What stacks probabilities; None: the weighted sum is the answer."""

    def of(self, answers: Mapping[int, Array], rows: Array) -> Array:
        """Return the answer on some rows, of shape (n_rows, n_classes) or (n_rows, 1)."""
        parts = [answers[number][rows] for number in self.weights]
        if self.layer is not None:
            return model.stacked(parts, list(self.weights.values()), self.layer)
        total: Array = sum(weight * part for weight, part in zip(self.weights.values(), parts, strict=True))  # type: ignore[assignment]
        return total


@dataclass(frozen=True)
class Mix:
    """A recipe, and how good it is."""

    recipe: Recipe
    scores: tuple[float, ...]
    """Score of each block of each fold, with a recipe that was found on the other folds."""
    ties: tuple[float, ...]
    answers: Array
    """On all rows of `Unseen`, with a recipe that was found on the other folds."""

    @property
    def weights(self) -> Mapping[int, float]:
        """Number of the candidate → weight."""
        return self.recipe.weights


@dataclass(frozen=True)
class Price:
    """What one member costs."""

    latency_ms: float = 0.0
    size_mb: float = 0.0


Find = Callable[[Array, Recipe], Recipe]
"""Rows (a mask) and the recipe that greedy weights make on them → a recipe that is found on those rows."""


class Library:
    """Candidates that may be mixed, by their answers on rows that their fits had not seen.

    Args:
        answers: Number of the candidate → its answers on the rows of `unseen`, shape (n, n_classes) or (n, 1).
        unseen: The rows.
        task: What is predicted.
        metrics: The metric of the search and the one for near-ties.
        prices: What each member costs.
        most: What all members together may cost.
    """

    def __init__(
        self,
        answers: Mapping[int, Array],
        unseen: Unseen,
        *,
        task: Task,
        metrics: tuple[str, str],
        prices: Mapping[int, Price] | None = None,
        most: Price | None = None,
    ) -> None:
        numbers = sorted(number for number in answers if _is_within(sum_of([number], prices), most))
        self.answers = {number: answers[number] for number in numbers}
        self.unseen, self.task, self.metrics = unseen, task, metrics
        self.prices, self.most = prices, most
        self.loss = loss_of(task, metrics[0])
        self._cuts = list(unseen.apart())
        self._found: dict[int, Recipe] = {}

    def mix(self) -> Mix | None:
        """Weigh greedily; None if no mix is better than the best member alone."""
        return self.judge(lambda rows, greedy: greedy)  # noqa: ARG005

    def judge(self, find: Find) -> Mix | None:
        """Find a recipe on all rows, and judge it by those that are found on all folds but the one that is answered.

        None if a recipe has fewer than two members.
        """
        whole = np.ones(len(self.unseen.rows), dtype=bool)
        if len(self.answers) < 2:
            return None
        greedy = self._greedy(-1, whole)
        if len(greedy.weights) < 2 or len((recipe := find(whole, greedy)).weights) < 2:
            return None
        mixed = np.empty_like(next(iter(self.answers.values())), dtype=np.float64)
        for place, (here, others) in enumerate(self._cuts):
            known = others.any()
            mixed[here] = (find(others, self._greedy(place, others)) if known else recipe).of(self.answers, here)
        scores, ties = score_blocks(mixed, self.unseen, task=self.task, metrics=self.metrics)
        return Mix(recipe, scores, ties, mixed)

    def thinned(self, rows: Array) -> Array:
        """Return positions of the rows that recipes are found on: not all, where they are very many."""
        places = np.flatnonzero(rows)
        return places[:: max(1, -(-len(places) // MAX_ROWS))]

    def _greedy(self, place: int, rows: Array) -> Recipe:
        if place not in self._found:
            self._found[place] = Recipe(_weights(self, self.thinned(rows)))
        return self._found[place]


def score_blocks(
    answers: Array, unseen: Unseen, *, task: Task, metrics: tuple[str, str], said: Array | None = None
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the two metrics on each block of each fold; of the classes that are `said`, or else the likeliest."""
    scores, ties = [], []
    for here in unseen.groups():
        found = score_numbers(
            task, unseen.truth[here], answers[here], names=metrics, said=None if said is None else said[here]
        )
        scores.append(found.get(metrics[0], np.nan))
        ties.append(found.get(metrics[1], np.nan))
    return tuple(scores), tuple(ties)


def _weights(library: Library, places: Array) -> dict[int, float]:
    """Pick members one at a time, each time the one that makes the loss of the mean smallest.

    Where no pick helps, those so far count twice, so that the next ones are smaller steps: beside a member that is much
    better than all others two equal parts are worse than it alone, and nine to one may be better.
    """
    truth, loss = library.unseen.truth[places], library.loss
    prices, most = library.prices, library.most
    table = {number: loss.reduce(truth, answers[places]) for number, answers in library.answers.items()}
    picks: dict[int, int] = {}
    total = np.zeros_like(next(iter(table.values())))
    best = np.inf
    while (n_picks := sum(picks.values())) < N_PICKS:
        open_to = [number for number in table if number in picks or _is_affordable(number, picks, prices, most)]
        losses = {number: loss.of(truth, (total + table[number]) / (n_picks + 1)) for number in open_to}
        number = min(losses, key=lambda one: (losses[one], one))
        if not picks or losses[number] < best - LEAST_GAIN * abs(best):
            best = losses[number]
            picks[number] = picks.get(number, 0) + 1
            total = total + table[number]
        else:
            picks = {number: 2 * count for number, count in picks.items()}
            total = 2 * total
    return {number: count / n_picks for number, count in sorted(picks.items())}


def _is_affordable(
    number: int, picks: Mapping[int, int], prices: Mapping[int, Price] | None, most: Price | None
) -> bool:
    if len(picks) >= MAX_MEMBERS:
        return False
    return _is_within(sum_of([*picks, number], prices), most)


def sum_of(numbers: Iterable[int], prices: Mapping[int, Price] | None) -> Price:
    """Return what members cost together."""
    all_of = [(prices or {}).get(number, Price()) for number in numbers]
    return Price(sum(one.latency_ms for one in all_of), sum(one.size_mb for one in all_of))


def _is_within(price: Price, most: Price | None) -> bool:
    return most is None or (price.latency_ms <= most.latency_ms and price.size_mb <= most.size_mb)


def rivals(scores: Mapping[int, float], *, most: int, sign: float) -> Sequence[int]:
    """Return the numbers of the best candidates, the best first."""
    return sorted(scores, key=lambda number: (-sign * scores[number], number))[:most]
