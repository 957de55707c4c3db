"""Mix candidates: weights are found greedily on answers out of fold, and judged on folds that they had not seen.

Source: Caruana, Niculescu-Mizil, Crew and Ksikes 2004, ICML (ensemble selection from libraries of models).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from palio.core.records import Task
from palio.train.family import Array
from palio.train.work import score_numbers

MAX_MEMBERS = 6
"""Each costs time to fit, to answer and to carry about; a seventh hardly ever brings anything (LOG.md)."""
N_PICKS = 30
"""Picks of one member each; its weight is how often it was picked."""
MAX_ROWS = 20_000
"""Rows on which weights are found; more cost time and change them by little."""
LEAST_GAIN = 1e-6
"""A pick that makes the loss smaller by a smaller share than this ends the search for weights."""
TINY = 1e-15


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
        """Yield the rows of one fold after the other (of one block, where there is one fold), and all rows but those.

        Of repeated folds, a row that stands in others too is left out there. Both are masks of shape (n,).
        """
        part = self.fold if self.fold.max() > self.fold.min() else self.block
        for one in np.unique(part):
            here = part == one
            yield here, ~np.isin(self.rows, self.rows[here])


@dataclass(frozen=True)
class Mix:
    """Members and their weights."""

    weights: Mapping[int, float]
    """Number of the candidate → weight; they add up to 1."""
    scores: tuple[float, ...]
    """Score of each block of each fold, with weights that were found on the other folds."""
    ties: tuple[float, ...]
    answers: Array
    """On all rows of `Unseen`, with weights that were found on the other folds."""


@dataclass(frozen=True)
class Price:
    """What one member costs."""

    latency_ms: float = 0.0
    size_mb: float = 0.0


def mix(
    answers: Mapping[int, Array],
    unseen: Unseen,
    *,
    task: Task,
    metrics: tuple[str, str],
    prices: Mapping[int, Price] | None = None,
    most: Price | None = None,
) -> Mix | None:
    """Find weights that suit the metric; None if no mix is better than the best member alone.

    Args:
        answers: Number of the candidate → its answers on the rows of `unseen`, shape (n, n_classes) or (n, 1).
        unseen: The rows.
        task: What is predicted.
        metrics: The metric of the search and the one for near-ties.
        prices: What each member costs.
        most: What all members together may cost.
    """
    numbers = sorted(number for number in answers if _is_within(_sum_of([number], prices), most))
    if len(numbers) < 2:
        return None
    answers = {number: answers[number] for number in numbers}
    loss = loss_of(task, metrics[0])
    picked = _weights(answers, unseen, np.ones(len(unseen.rows), dtype=bool), loss, prices, most)
    if len(picked) < 2:
        return None
    mixed = np.empty_like(answers[numbers[0]], dtype=np.float64)
    for here, others in unseen.apart():
        found = _weights(answers, unseen, others, loss, prices, most) if others.any() else picked
        mixed[here] = sum(weight * answers[number][here] for number, weight in found.items())
    scores, ties = score_blocks(mixed, unseen, task=task, metrics=metrics)
    return Mix(picked, scores, ties, mixed)


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


def _weights(
    answers: Mapping[int, Array],
    unseen: Unseen,
    rows: Array,
    loss: Loss,
    prices: Mapping[int, Price] | None,
    most: Price | None,
) -> dict[int, float]:
    """Pick members one at a time, each time the one that makes the loss of the mean smallest."""
    places = np.flatnonzero(rows)
    places = places[:: max(1, -(-len(places) // MAX_ROWS))]
    truth = unseen.truth[places]
    table = {number: loss.reduce(truth, answers[number][places]) for number in sorted(answers)}
    picks: dict[int, int] = {}
    total = np.zeros_like(next(iter(table.values())))
    best = np.inf
    for n_picked in range(N_PICKS):
        open_to = [number for number in table if number in picks or _is_affordable(number, picks, prices, most)]
        losses = {number: loss.of(truth, (total + table[number]) / (n_picked + 1)) for number in open_to}
        number = min(losses, key=lambda one: (losses[one], one))
        if n_picked and not losses[number] < best - LEAST_GAIN * abs(best):
            break
        best = losses[number]
        picks[number] = picks.get(number, 0) + 1
        total = total + table[number]
    n_picks = sum(picks.values())
    return {number: count / n_picks for number, count in sorted(picks.items())}


def _is_affordable(
    number: int, picks: Mapping[int, int], prices: Mapping[int, Price] | None, most: Price | None
) -> bool:
    if len(picks) >= MAX_MEMBERS:
        return False
    return _is_within(_sum_of([*picks, number], prices), most)


def _sum_of(numbers: Sequence[int], prices: Mapping[int, Price] | None) -> Price:
    all_of = [(prices or {}).get(number, Price()) for number in numbers]
    return Price(sum(one.latency_ms for one in all_of), sum(one.size_mb for one in all_of))


def _is_within(price: Price, most: Price | None) -> bool:
    return most is None or (price.latency_ms <= most.latency_ms and price.size_mb <= most.size_mb)


@dataclass(frozen=True)
class Loss:
    """What weights make small. It reads a few columns of the answers only: with 200 classes all would take minutes."""

    reduce: Callable[[Array, Array], Array]
    """Truth and answers → the columns of the answers that count, shape (n, k) or (n,)."""
    of: Callable[[Array, Array], float]
    """Truth and those columns, of a mix the mean of its members' → loss."""


def loss_of(task: Task, metric: str) -> Loss:
    """Return what weights make small for a metric: itself where it is quick and smooth, else a proper relative."""
    if task.kind == "regression":
        return Loss(_values, _absolute if metric in ("mae", "median_absolute_error") else _squared)
    if metric == "roc_auc" and len(task.classes) == 2:
        return Loss(_second, _not_ranked)
    if metric == "brier":
        return Loss(_all, _brier)
    return Loss(_of_the_truth, _log_loss)


def _values(truth: Array, answers: Array) -> Array:  # noqa: ARG001
    return np.asarray(answers[:, 0], np.float64)


def _second(truth: Array, answers: Array) -> Array:  # noqa: ARG001
    return np.asarray(answers[:, 1], np.float64)


def _all(truth: Array, answers: Array) -> Array:  # noqa: ARG001
    return np.asarray(answers, np.float64)


def _of_the_truth(truth: Array, answers: Array) -> Array:
    return np.asarray(answers[np.arange(len(truth)), truth], np.float64)


def _squared(truth: Array, values: Array) -> float:
    return float(np.mean((values - truth) ** 2))


def _absolute(truth: Array, values: Array) -> float:
    return float(np.mean(np.abs(values - truth)))


def _log_loss(truth: Array, shares: Array) -> float:  # noqa: ARG001
    return float(-np.mean(np.log(np.maximum(shares, TINY))))


def _brier(truth: Array, answers: Array) -> float:
    return float(np.mean((answers**2).sum(axis=1) - 2 * answers[np.arange(len(truth)), truth] + 1))


def _not_ranked(truth: Array, shares: Array) -> float:
    """Return 1 - ROC AUC."""
    order = np.argsort(shares, kind="stable")
    values, is_second = shares[order], truth[order] == 1
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
    ends = np.r_[starts[1:], len(values)]
    ranks = np.repeat((starts + ends + 1) / 2, ends - starts)
    n_second = int(is_second.sum())
    n_first = len(values) - n_second
    if not n_first or not n_second:
        return 1.0
    return float(1.0 - (ranks[is_second].sum() - n_second * (n_second + 1) / 2) / (n_first * n_second))


def rivals(scores: Mapping[int, float], *, most: int, sign: float) -> Sequence[int]:
    """Return the numbers of the best candidates, the best first."""
    return sorted(scores, key=lambda number: (-sign * scores[number], number))[:most]
