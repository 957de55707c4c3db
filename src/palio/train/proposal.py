"""Propose the settings of the next trial from how the earlier ones went."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from palio.core import seeds
from palio.core.records import Task
from palio.train.examples import Shape
from palio.train.family import Family, Params

Past = tuple[Params, float | None]
FIRST_GUESSES = 2
"""Trials of a family before the sampler reads anything into them."""


def propose(
    family: Family, history: Sequence[Past], *, shape: Shape, task: Task, seed: int, trial: int, sign: float
) -> Params:
    """Return the settings of trial number `trial`.

    A sampler is asked that is seeded from `seed` and `trial` and has seen `history` alone, so that a search that was
    interrupted goes on as if nothing had happened.

    Args:
        family: Whose settings.
        history: Settings that were proposed before, and their scores (None: the fit failed), in the order of trials.
        shape: The training rows.
        task: What is to be predicted.
        seed: Of the search.
        trial: Number of the trial in the search.
        sign: 1 if more of the metric is better, else -1.

    Source: Bergstra, Bardenet, Bengio and Kégl 2011, NeurIPS 24 (tree-structured Parzen estimator).
    """
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna warns of features that may change; their results are recorded
            sampler = optuna.samplers.TPESampler(
                seed=seeds.derive(seed, "proposal", family.name, trial),
                n_startup_trials=FIRST_GUESSES,
                multivariate=True,
            )
            study = optuna.create_study(direction="maximize", sampler=sampler)
            for params, score in history:
                study.add_trial(_past(family, params, score, shape=shape, task=task, sign=sign))
            return family.suggest(study.ask(), shape, task)
    finally:
        optuna.logging.set_verbosity(verbosity)


def is_in_space(family: Family, params: Params, *, shape: Shape, task: Task) -> bool:
    """Tell whether a family could propose these settings for such rows: those of another version or size it may not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trial = _past(family, params, 0.0, shape=shape, task=task, sign=1.0)
    except (ValueError, KeyError, TypeError):
        return False
    return set(trial.params) == set(params)


def _past(family: Family, params: Params, score: float | None, *, shape: Shape, task: Task, sign: float) -> Any:
    """Make a finished Optuna trial; asking for its own settings again tells their distributions."""
    import optuna

    replay = optuna.trial.FixedTrial(params)
    family.suggest(replay, shape, task)
    failed = score is None or not np.isfinite(score)
    return optuna.trial.create_trial(
        state=optuna.trial.TrialState.FAIL if failed else optuna.trial.TrialState.COMPLETE,
        params=replay.params,
        distributions=replay.distributions,
        value=None if failed else sign * float(score or 0.0),
    )
