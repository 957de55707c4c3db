"""Score answers by the metric of a set, and sum up what all learners reached over seeds."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

N_DRAWS = 100
IS_LOSS = {"roc_auc": False, "log_loss": True, "rmse": True}
LEAST = 1e-15
Floats = np.ndarray[Any, np.dtype[np.float64]]


def score(metric: str, truth: list[str], classes: list[str], answers: list[Any]) -> tuple[float, float]:
    """Score answers; gives the value and its standard error over rows of the test part (bootstrap).

    A class that the learner does not know has probability 0, which the log loss clips at 1e-15.
    """
    n_rows = len(truth)
    if metric == "rmse":
        squares = (np.array(answers, float) - np.array(truth, float)) ** 2
        return _with_error(lambda rows: float(np.sqrt(squares[rows].mean())), n_rows)
    found = np.array(answers, float)
    if metric == "log_loss":
        found = np.clip(found, 0.0, None)
        found = found / np.maximum(found.sum(axis=1, keepdims=True), LEAST)
        places = {name: place for place, name in enumerate(classes)}
        own = [found[row, places[name]] if name in places else 0.0 for row, name in enumerate(truth)]
        losses = -np.log(np.clip(own, LEAST, 1.0))
        return _with_error(lambda rows: float(losses[rows].mean()), n_rows)
    from sklearn.metrics import roc_auc_score

    positive = classes[-1]
    is_positive = np.array([name == positive for name in truth])
    return _with_error(lambda rows: float(roc_auc_score(is_positive[rows], found[rows, -1])), n_rows)


def _with_error(value: Any, n_rows: int) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    whole = value(slice(None))
    drawn = []
    for _ in range(N_DRAWS):
        try:
            drawn.append(value(rng.integers(0, n_rows, n_rows)))
        except ValueError:
            continue
    return whole, statistics.pstdev(drawn)


@dataclass(frozen=True)
class Standing:
    """What a learner reached on one set, over seeds.

    Attributes:
        score: Mean; not a number where it never answered.
        half: Half of its 95 % interval: over seeds, or over rows of the test part where there is one seed.
        rank: Mean over seeds, 1 for the best; no answer shares the last place.
    """

    set: str
    learner: str
    metric: str
    score: float
    half: float
    rank: float
    seconds: float
    most_run_s: float
    one_row_ms: float
    mb: float
    n_seeds: int
    trouble: str
    note: str


def standings(lines: list[dict[str, Any]]) -> list[Standing]:
    """Sum up the lines of a run, set by set."""
    by_set: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        by_set[line["set"]][line["learner"]].append(line)
    found = []
    for name, learners in by_set.items():
        ranks = _ranks(learners)
        found += [_standing(name, learner, told, ranks[learner]) for learner, told in learners.items()]
    return found


def _ranks(learners: dict[str, list[dict[str, Any]]]) -> dict[str, float]:
    """Rank learners seed by seed, ties in the middle, on the seeds that all of them did; the mean over seeds."""
    from scipy.stats import rankdata

    by_seed = [{line["seed"]: line for line in told} for told in learners.values()]
    seeds = set(by_seed[0]).intersection(*by_seed)
    if not seeds:
        return dict.fromkeys(learners, math.nan)
    ranks = []
    for seed in sorted(seeds):
        losses = []
        for told in by_seed:
            value = told[seed].get("score")
            sign = 1.0 if IS_LOSS[told[seed]["metric"]] else -1.0
            losses.append(math.inf if value is None else sign * value)
        ranks.append(rankdata(losses))
    return dict(zip(learners, np.mean(ranks, axis=0).tolist(), strict=True))


def _standing(name: str, learner: str, told: list[dict[str, Any]], rank: float) -> Standing:
    good = [line for line in told if line.get("score") is not None]
    scores = [line["score"] for line in good]
    half = math.nan
    if len(scores) > 1:
        from scipy.stats import t

        half = float(t.ppf(0.975, len(scores) - 1)) * statistics.stdev(scores) / math.sqrt(len(scores))
    if scores and (len(scores) == 1 or name == "adult"):  # adult's rows are given: seeds do not tell its interval
        half = 1.96 * statistics.mean(line["error"] for line in good)
    return Standing(
        set=name,
        learner=learner,
        metric=told[0]["metric"],
        score=statistics.mean(scores) if scores else math.nan,
        half=half,
        rank=rank,
        seconds=_mean(good, "seconds"),
        most_run_s=max((line["run_s"] for line in good), default=math.nan),
        one_row_ms=_mean(good, "one_row_ms"),
        mb=_mean(good, "mb"),
        n_seeds=len(scores),
        trouble="; ".join(sorted({line["trouble"] for line in told if line.get("trouble")})),
        note=", ".join(sorted({line["note"] for line in good if line.get("note")})),
    )


def _mean(lines: list[dict[str, Any]], name: str) -> float:
    values = [line[name] for line in lines if line.get(name) is not None]
    return statistics.mean(values) if values else math.nan


def mean_ranks(found: list[Standing]) -> dict[str, tuple[float, int]]:
    """Give each learner's mean rank over the sets that all learners took part in, and how many those are."""
    learners = {one.learner for one in found}
    by_set: dict[str, dict[str, float]] = defaultdict(dict)
    for one in found:
        by_set[one.set][one.learner] = one.rank
    whole = [ranks for ranks in by_set.values() if set(ranks) == learners and not any(map(math.isnan, ranks.values()))]
    if not whole:
        return {}
    means = {learner: (statistics.mean(ranks[learner] for ranks in whole), len(whole)) for learner in learners}
    return dict(sorted(means.items(), key=lambda pair: pair[1][0]))
