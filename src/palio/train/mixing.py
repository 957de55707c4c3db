"""Make finalists of mixes: weighed greedily, stacked, and pruned where the whole mix is dear."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from palio.core import ids
from palio.core.records import Cost, Layer, Member, Run
from palio.train import ensemble, pruning, stacking
from palio.train.choice import Limits, breach
from palio.train.ensemble import MIX, MIXES, PRUNED, STACK
from palio.train.field import Field, Finalist
from palio.train.finalists import run_of, validation
from palio.train.race import Candidate
from palio.train.sureness import score_error

MIX_MOST = ensemble.Price(latency_ms=0.9, size_mb=9.0)
"""What all members of a mix may cost for one row: beyond it quality is bought too dear."""
MAX_MIXED = 24
"""Candidates that weights are sought for, at most: the best."""
DEAR = 3.0
"""A mix that costs more than so many times what the best single candidate does is pruned."""
AFTER_ALL = 1_000_000
"""A mix comes after all candidates."""


def mixes(field: Field, whole: Sequence[Candidate]) -> list[Finalist]:
    """Mix the best candidates; none if there is nothing to mix.

    Beside the greedy mix stands a stacked one, where there are rows enough, and a pruned one, where the greedy mix
    breaks the limits or is dear.
    """
    terms = field.terms
    if terms.task.kind == "detection":  # which box of one model is which of another, no weight can say
        return []
    folds = range(field.in_use)
    by_number = {one.number: one for one in whole if all(fold in one.answers for fold in folds)}
    means = {number: one.mean(folds) or 0.0 for number, one in by_number.items()}
    best = ensemble.rivals(means, most=MAX_MIXED, sign=terms.sign)
    library = ensemble.Library(
        {n: np.concatenate([by_number[n].answers[k] for k in folds]) for n in best},
        field.unseen(),
        task=terms.task,
        metrics=terms.metrics,
        prices={n: price(field, by_number[n].cost) for n in best},
        most=_most(field.limits),
    )
    greedy = library.mix()
    if greedy is None:
        return []
    found = {MIX: greedy, STACK: stacking.stack(library)}
    if _is_dear(field, library, by_number, greedy, alone=best[0]):
        found[PRUNED] = pruning.prune(library, fits=lambda some: not breach(_cost_of(by_number, some), field.limits))
    n_defined = np.isfinite(greedy.scores).sum()
    return [
        _finalist(field, by_number, one, name)
        for name, one in found.items()
        if one is not None and np.isfinite(one.scores).sum() == n_defined
    ]


def _is_dear(
    field: Field, library: ensemble.Library, by_number: Mapping[int, Candidate], mix: ensemble.Mix, *, alone: int
) -> bool:
    """Tell whether a mix breaks the limits, or costs far more than the best single candidate."""
    if breach(_cost_of(by_number, mix.weights), field.limits):
        return True
    whole, single = ensemble.sum_of(mix.weights, library.prices), ensemble.sum_of([alone], library.prices)
    return whole.latency_ms > DEAR * single.latency_ms or whole.size_mb > DEAR * single.size_mb


def _finalist(field: Field, by_number: Mapping[int, Candidate], mix: ensemble.Mix, name: str) -> Finalist:
    terms, seen = field.terms, field.unseen()
    members = [by_number[number] for number in mix.weights]
    runs = {one.number: run_of(field, one) for one in members}
    scores = [score for score in mix.scores if not np.isnan(score)]
    told = tuple(Member(run=runs[n].id, family=runs[n].family, weight=weight) for n, weight in mix.weights.items())
    layer = mix.recipe.layer
    run = Run(
        id=_identity(terms.inputs, told, layer),
        parts=terms.parts,
        family=name,
        trial=max(runs) + AFTER_ALL * (1 + MIXES.index(name)),
        params={"members": [{"family": one.family, "weight": one.weight} for one in told]}
        | ({"offsets": list(layer.offsets)} if layer else {}),
        seed=terms.seed,
        metric=terms.metric,
        status="done",
        fold_scores=tuple(scores),
        cv_score=float(np.mean(scores)) if scores else None,
        cv_error=score_error(field, scores, rows=seen.rows, answers=mix.answers) if scores else None,
        tie_break=float(np.mean(mix.ties)) if np.isfinite(mix.ties).all() else None,
        n_parameters=sum(one.n_parameters for one in members),
        fit_s=round(sum(one.seconds for one in members), 3),
        validation=validation(field, seen.rows, mix.answers),
        cost=_cost_of(by_number, mix.weights),
        members=told,
        layer=layer,
    )
    return Finalist(run, mix.weights, mix.answers, seen.rows, tuple(range(field.in_use)), layer=layer)


def _identity(inputs: str, members: tuple[Member, ...], layer: Layer | None) -> str:
    return ids.digest_of({"inputs": inputs, "members": members} | ({"layer": layer} if layer else {}))


def _cost_of(by_number: Mapping[int, Candidate], numbers: Iterable[int]) -> Cost:
    """Return what members cost together: at most, since what they share stands in one graph once."""
    members = [by_number[number] for number in numbers]
    costs = [one.cost for one in members if one.cost is not None]
    return Cost(
        fit_s=round(sum(one.fit_s for one in members), 3),
        latency_ms_p50=sum(cost.latency_ms_p50 for cost in costs),
        latency_ms_p99=sum(cost.latency_ms_p99 for cost in costs),
        size_mb=sum(cost.size_mb for cost in costs),
    )


def price(field: Field, cost: Cost | None) -> ensemble.Price:
    """Return what a member costs. Where any machine must end the same, no time that was measured may decide."""
    if cost is None:
        return ensemble.Price()
    is_timed = field.clock is not None or field.plan is not None or field.limits.latency_ms_p99 is not None
    return ensemble.Price(cost.latency_ms_p50 if is_timed else 0.0, cost.size_mb)


def _most(limits: Limits) -> ensemble.Price:
    """Return what a mix may cost: no more than is reasonable, and than is allowed."""
    latency = MIX_MOST.latency_ms if limits.latency_ms_p99 is None else min(MIX_MOST.latency_ms, limits.latency_ms_p99)
    size = MIX_MOST.size_mb if limits.size_mb is None else min(MIX_MOST.size_mb, limits.size_mb)
    return ensemble.Price(latency, size)
