"""Propose the settings of the next trial from how the earlier ones went."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from palio.core import seeds
from palio.core.records import Run, Task
from palio.train.family import Family, Params, Shape

FIRST_GUESSES = 4
"""Trials of a family before the sampler reads anything into them."""


def propose(
    family: Family, history: Sequence[Run], *, shape: Shape, task: Task, seed: int, trial: int, sign: float
) -> Params:
    """Return the settings of trial number `trial`.

    The defaults of the family come first. After them a sampler is asked that is seeded from `seed` and `trial` and has
    seen `history` alone, so that a search that was interrupted goes on as if nothing had happened.

    Args:
        family: Whose settings.
        history: Earlier runs of this family, in the order of trials.
        shape: The training rows.
        task: What is to be predicted.
        seed: Of the search.
        trial: Number of the trial in the search.
        sign: 1 if more of the metric is better, else -1.

    Source: Bergstra, Bardenet, Bengio and Kégl 2011, NeurIPS 24 (tree-structured Parzen estimator).
    """
    defaults = family.defaults(shape, task)
    if len(history) < len(defaults):
        return dict(defaults[len(history)])
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
            for run in history:
                study.add_trial(_past(family, run, shape=shape, task=task, sign=sign))
            return family.suggest(study.ask(), shape, task)
    finally:
        optuna.logging.set_verbosity(verbosity)


def _past(family: Family, run: Run, *, shape: Shape, task: Task, sign: float) -> Any:
    """Turn a run into a finished Optuna trial; asking for its own settings again tells their distributions."""
    import optuna

    replay = optuna.trial.FixedTrial(run.params)
    family.suggest(replay, shape, task)
    failed = run.cv_score is None or not np.isfinite(run.cv_score)
    return optuna.trial.create_trial(
        state=optuna.trial.TrialState.FAIL if failed else optuna.trial.TrialState.COMPLETE,
        params=replay.params,
        distributions=replay.distributions,
        value=None if failed else sign * float(run.cv_score or 0.0),
    )
