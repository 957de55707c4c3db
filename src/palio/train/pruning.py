"""Make a mix smaller: members are dropped one at a time, as long as that costs no more than what is not sure anyway."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from palio.train.ensemble import Library, Mix, Recipe
from palio.train.examples import Array

N_PARTS = 10
"""Parts of the rows that the noise is told from."""


def prune(library: Library, *, fits: Callable[[Iterable[int]], bool]) -> Mix | None:
    """Keep the fewest members that lose no more than is not sure of the whole mix, and fewer while those do not fit.

    What is not sure is a standard error of what the whole mix gains over its best member.

    Args:
        library: The candidates, and the greedy mix of them.
        fits: Whether members meet the limits together.

    Returns:
        None if no member can be spared, or one alone is left: it competes by itself.
    """
    n_members: list[int] = []

    def find(rows: Array, greedy: Recipe) -> Recipe:
        n_members.append(len(greedy.weights))
        return Recipe(_fewest(library, library.thinned(rows), greedy.weights, fits))

    found = library.judge(find)
    return None if found is None or len(found.weights) == n_members[0] else found


def _fewest(
    library: Library, places: Array, weights: Mapping[int, float], fits: Callable[[Iterable[int]], bool]
) -> Mapping[int, float]:
    truth, loss = library.unseen.truth[places], library.loss
    table = {number: loss.reduce(truth, library.answers[number][places]) for number in weights}
    parts = [slice(start, None, N_PARTS) for start in range(min(N_PARTS, len(places)))]

    def mixed(some: Mapping[int, float]) -> Array:
        return np.asarray(sum(weight * table[number] for number, weight in some.items()))

    def by_part(some: Mapping[int, float]) -> Array:
        answer = mixed(some)
        return np.array([loss.of(truth[part], answer[part]) for part in parts])

    alone = min(({number: 1.0} for number in weights), key=lambda one: loss.of(truth, mixed(one)))
    whole, kept = by_part(weights), weights
    noise = float(np.std(by_part(alone) - whole, ddof=1) / np.sqrt(len(parts))) if len(parts) > 1 else 0.0
    while len(kept) > 1:
        fewer = min(_without_each(kept), key=lambda some: loss.of(truth, mixed(some)))
        if float(np.mean(by_part(fewer) - whole)) > noise and fits(kept):
            break
        kept = fewer
    return kept


def _without_each(weights: Mapping[int, float]) -> list[dict[int, float]]:
    """Return the weights of all members but one, for each; the others share what it had."""
    return [
        {number: weight / (1.0 - weights[left]) for number, weight in weights.items() if number != left}
        for left in weights
    ]
