"""AutoGluon with one of its presets and a time limit; shipped as its own clone for deployment, kept in memory."""

from __future__ import annotations

import shutil
from typing import Any

from autogluon.tabular import TabularPredictor
from order import Answering, Order, obey

METRICS = {"roc_auc": "roc_auc", "log_loss": "log_loss", "rmse": "root_mean_squared_error"}


def learn(order: Order) -> None:
    features, answers = order.rows()
    kind = "regression"
    if order.is_classification:
        kind = "binary" if answers.nunique() == 2 else "multiclass"
    predictor = TabularPredictor(
        label=order.target,
        problem_type=kind,
        eval_metric=METRICS[order.metric],
        path=str(order.model / "whole"),
        verbosity=0,
    )
    predictor.fit(
        features.assign(**{order.target: answers}),
        time_limit=order.budget_s,
        presets=order.variant,
        num_cpus=order.n_threads,
        num_gpus=0,
    )


def load(order: Order) -> tuple[Answering, list[str], Any]:
    folder = order.model / "deployed"
    shutil.rmtree(folder, ignore_errors=True)
    TabularPredictor.load(str(order.model / "whole"), verbosity=0).clone_for_deployment(path=str(folder))
    predictor = TabularPredictor.load(str(folder), verbosity=0)
    predictor.persist()
    if order.is_classification:
        classes = [str(one) for one in predictor.class_labels]
        return lambda rows: predictor.predict_proba(rows)[predictor.class_labels].to_numpy(), classes, folder
    return lambda rows: predictor.predict(rows).to_numpy(), [], folder


if __name__ == "__main__":
    obey(learn, load)
