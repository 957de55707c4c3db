"""FLAML with its defaults and a time budget."""

from __future__ import annotations

from typing import Any

from flaml import AutoML
from order import Answering, Order, keep, kept, obey


def learn(order: Order) -> None:
    features, answers = order.rows()
    model = AutoML()
    model.fit(
        features,
        answers,
        task=order.task,
        metric=order.metric,
        time_budget=order.budget_s,
        n_jobs=order.n_threads,
        seed=order.seed,
        verbose=0,
    )
    keep(order, model)


def load(order: Order) -> tuple[Answering, list[str], Any]:
    model = kept(order)
    if order.is_classification:
        return model.predict_proba, [str(one) for one in model.classes_], order.model
    return model.predict, [], order.model


if __name__ == "__main__":
    obey(learn, load)
