"""Estimates on real data: against real figures where the data drifts, and quiet where it does not."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from palio.core.monitoring import Kpi
from palio.core.records import Task
from palio.monitor import Estimator
from palio.monitor.quality.estimates import judge_errors, judge_estimates
from palio.monitor.quality.kpis import judge_kpis, kpi_values, worth_of
from palio.monitor.quality.outcomes import judge_outcomes, outcomes_of
from tests.monitor.estimating import part, texts, window

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "monitoring" / "estimates.py"
spec = importlib.util.spec_from_file_location("estimates_benchmark", BENCHMARK)
benchmark = importlib.util.module_from_spec(spec)
spec.loader.exec_module(benchmark)


@pytest.mark.slow
def test_car_loan_is_estimated_within_its_limits_and_its_drift_found(shared_data):
    task, reference, windows = benchmark.car_loan(shared_data)
    found = benchmark.measure(task, reference, windows)["metrics"]
    limits = benchmark.LIMITS["car_loan"]
    assert all(found[name]["estimate"] <= limit for name, limit in limits.items()), found
    assert all(found[name]["estimate"] < found[name]["unchanged"] / 2 for name in limits), found


@pytest.mark.slow
def test_findings_on_car_loan_are_those_of_the_drift(shared_data):
    task, reference, windows = benchmark.car_loan(shared_data)
    learnt, shown, real = Estimator(reference, task), [], []
    for rows in windows:
        estimator = learnt.fresh()
        estimator.add(rows)
        outcomes = outcomes_of(task, rows, learnt.standards)
        shown.append(bool(judge_estimates(window(5000), estimator.finish(), learnt.standards, task)))
        real.append(bool(judge_outcomes(window(5000), outcomes, learnt.standards, task)))
        assert not judge_errors(window(5000), estimator.finish(), outcomes, task)
    assert shown == real == [False] * 5 + [True] * 5


@pytest.mark.slow
def test_credit_card_is_estimated_better_than_unchanged(shared_data):
    found = benchmark.measure(*benchmark.credit_card(shared_data))["metrics"]
    assert found["roc_auc"]["estimate"] < 0.0337
    assert found["f1_macro"]["estimate"] < 0.0372


@pytest.mark.slow
@pytest.mark.parametrize("name", ["california", "diamonds"])
def test_errors_of_numbers_are_estimated_under_a_shift(shared_data, name):
    found = benchmark.measure(*benchmark.SETS[name](shared_data))["metrics"]
    assert found["mae"]["estimate"] < found["mae"]["unchanged"] / 2
    assert found["rmse"]["estimate"] < found["rmse"]["unchanged"]


def answered(path, positive, **how):
    """Answer two thirds of a data set, whose last column is the target, by a model of the rest."""
    import polars as pl
    from sklearn.ensemble import HistGradientBoostingClassifier

    frame = pl.read_csv(path, infer_schema_length=None, **how).drop_nulls()
    target = frame.columns[-1]
    came = frame[target].str.contains(positive).to_numpy()
    given = benchmark.inputs(frame, {target, "duration"})
    x = np.column_stack([benchmark.codes(values) for values in given.values()])
    fit, rest = np.split(np.random.default_rng(0).permutation(len(came)), [len(came) // 3])
    p = HistGradientBoostingClassifier(random_state=0).fit(x[fit], came[fit]).predict_proba(x)[:, 1]
    task = Task(kind="classification", target=target, classes=("no", "yes"), positive="yes")
    rows = given | {"probability_yes": p, "probability_no": 1 - p}
    rows |= {"prediction": texts(p > 0.5, task), "truth": texts(came, task)}
    return task, part(rows, rest)


def answered_set(name, shared_data):
    if name == "bank":
        return answered(shared_data / "tabular" / "bank.csv", "yes")
    return answered(shared_data / "tabular" / "adult-train.csv", ">", has_header=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bank", "adult"])
def test_without_drift_nothing_is_found(shared_data, name):
    task, rows = answered_set(name, shared_data)
    kpis = [Kpi(name="profit", cells={"yes -> yes": 50.0, "no -> yes": -5.0}), Kpi(name="errors", per_error=-1.0)]
    n_rows, alarms, n_windows = len(rows["prediction"]), {}, 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        order = rng.permutation(n_rows)
        reference = part(rows, order[: n_rows // 2])
        learnt, worth = Estimator(reference, task, seed=seed), worth_of(kpis, task, reference)
        for size in [200, 500, 1000, 2000, 4000] * 4:
            some = part(rows, rng.choice(order[n_rows // 2 :], size, replace=False))
            estimator = learnt.fresh()
            estimator.add(some)
            estimates, outcomes = estimator.finish(), outcomes_of(task, some, learnt.standards)
            figures = kpi_values(kpis, task, n_rows=size, days=1.0, labelled=some, estimator=estimator, reference=worth)
            seen = window(size)
            found = {
                *(one.kind for one in judge_estimates(seen, estimates, learnt.standards, task)),
                *(one.kind for one in judge_outcomes(seen, outcomes, learnt.standards, task)),
                *(one.kind for one in judge_errors(seen, estimates, outcomes, task)),
                *(one.kind for one in judge_kpis(seen, figures, worth, days=1.0, is_ripe=True)),
                *("estimated value" for _ in judge_kpis(seen, figures, worth, days=1.0, is_ripe=False)),
            }
            n_windows += 1
            for kind in found:
                alarms[kind] = alarms.get(kind, 0) + 1
    assert n_windows == 200
    assert all(count <= 0.02 * n_windows for count in alarms.values()), alarms
