import json

import numpy as np
import pytest

from palio.core.errors import ConfigError
from palio.core.monitoring import Kpi
from palio.core.records import Task
from palio.monitor import Estimator, check_kpis
from palio.monitor.quality.kpis import judge_kpis, kpi_values, worth_of
from tests.monitor.estimating import NUMBER, TWO, numbers, part, two_classes, window

PROFIT = Kpi(name="profit", cells={"yes -> yes": 10.0, "no -> yes": -6.0})
ERRORS = Kpi(name="errors", per_error=-2.0, unit="USD")
REVENUE = Kpi(name="revenue", column="revenue")


@pytest.mark.parametrize(
    ("kpi", "task", "says", "hint"),
    [
        (Kpi(name="x"), TWO, "none given, exactly one", "add `cells`"),
        (Kpi(name="x", per_error=-1.0, column="c"), TWO, "`per_error` and `column` given", "remove"),
        (Kpi(name="x", cells={"yes -> yess": 1.0}), TWO, "`yess` is no class", "did you mean `yes`?"),
        (Kpi(name="x", cells={"yes": 1.0}), TWO, "has no arrow", "truth -> prediction"),
        (Kpi(name="x", cells={"yes -> no": float("inf")}), TWO, "not finite", "plain number"),
        (Kpi(name="x", per_error=float("nan")), TWO, "not finite", "plain number"),
        (Kpi(name="x", cells={"yes -> no": 1.0}), NUMBER, "need classes", "per_error"),
        (Kpi(name="", column="c"), TWO, "has no name", "name ="),
    ],
)
def test_figures_that_cannot_be_computed_are_refused(kpi, task, says, hint):
    with pytest.raises(ConfigError) as raised:
        check_kpis([kpi], task)
    assert says in raised.value.message
    assert hint in raised.value.hint


def test_two_figures_of_one_name_are_refused_and_good_ones_are_not():
    with pytest.raises(ConfigError, match="named twice"):
        check_kpis([PROFIT, PROFIT], TWO)
    check_kpis([PROFIT, ERRORS, REVENUE], TWO)
    arrows = Task(kind="classification", target="y", classes=("a -> b", "c"))
    check_kpis([Kpi(name="x", cells={"a -> b -> c": 1.0})], arrows)


def values(rows, *, days=1.0, n_rows=None, estimator=None, reference=None, kpis=(PROFIT, ERRORS, REVENUE), task=TWO):
    found = kpi_values(
        kpis, task, n_rows=n_rows or len(rows["prediction"]), days=days, labelled=rows, estimator=estimator,
        reference=reference, currency="EUR",
    )  # fmt: skip
    return {one.name: one for one in found}


def worth(rows):
    truth, said = rows["truth"], rows["prediction"]
    return 10.0 * ((truth == "yes") & (said == "yes")) - 6.0 * ((truth == "no") & (said == "yes"))


def test_labels_give_the_realised_value_of_a_day():
    rows = two_classes(np.random.default_rng(0), 1000)
    found = values(rows, days=2.0, n_rows=4000)
    assert found["profit"].realised.value == pytest.approx(worth(rows).mean() * 2000)
    assert found["profit"].unit == "EUR"
    assert found["errors"].unit == "USD"
    assert found["errors"].realised.value == pytest.approx(-2.0 * (rows["truth"] != rows["prediction"]).mean() * 2000)


def test_a_figure_of_the_feedback_is_summed_over_all_rows():
    rows = two_classes(np.random.default_rng(1), 400)
    sent = [json.dumps({"revenue": float(i % 5)}) if i < 200 else "" for i in range(400)]
    sent[0], sent[1] = "{broken revenue", json.dumps({"revenue": "much"})
    found = values(rows | {"truth_values": np.array(sent, object)})["revenue"]
    assert found.realised.value == pytest.approx(np.mean([i % 5 for i in range(2, 200)]) * 400)
    assert found.estimated is None
    assert found.reference is None


def test_an_unknown_class_is_an_error_and_in_no_cell():
    rows = two_classes(np.random.default_rng(2), 100)
    rows["truth"] = np.full(100, "new", object)
    found = values(rows)
    assert found["errors"].realised.value == -200.0
    assert found["profit"].realised.value == 0.0


def test_the_estimated_value_is_near_the_real_one():
    inside = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        reference, rows = two_classes(rng, 2000), two_classes(rng, 1000)
        plain = Estimator(reference, TWO, columns=())
        estimator = plain.fresh()
        estimator.add(rows)
        one = values({}, n_rows=1000, estimator=estimator)["profit"].estimated
        inside.append(one.low <= worth(rows).sum() <= one.high)
    assert 0.85 <= np.mean(inside) <= 1.0


def test_errors_of_numbers_have_a_value():
    rng = np.random.default_rng(3)
    kpi, reference, rows = Kpi(name="cost", per_error=-3.0), numbers(rng, 3000), numbers(rng, 1000)
    estimator = Estimator(reference, NUMBER).fresh()
    estimator.add(rows)
    found = values(rows, kpis=[kpi], task=NUMBER, estimator=estimator, reference=worth_of([kpi], NUMBER, reference))[
        "cost"
    ]
    was = -3.0 * np.abs(rows["truth"] - rows["prediction"]).sum()
    assert found.realised.value == pytest.approx(was)
    assert found.estimated.low < was < found.estimated.high
    assert found.reference == pytest.approx(was, rel=0.1)


def test_a_value_that_falls_is_a_finding_and_one_that_holds_is_not():
    rng = np.random.default_rng(4)
    reference = worth_of([PROFIT], TWO, two_classes(rng, 5000))
    for turned, kinds in ((True, ["value"]), (False, [])):
        rows = two_classes(rng, 2000, turned=turned)
        found = values(rows, kpis=[PROFIT], reference=reference).values()
        judged = judge_kpis(window(2000), found, reference, days=1.0, is_ripe=True)
        assert [one.kind for one in judged] == kinds
        assert all(one.measure == "EUR a day" and one.severity == "page" for one in judged)


def test_few_rows_without_the_rare_and_dear_ones_are_not_sure():
    rng = np.random.default_rng(5)
    kpi = Kpi(name="x", cells={"yes -> yes": 1000.0})
    rows = two_classes(rng, 20_000)
    rare = (rows["truth"] == "yes") & (rows["prediction"] == "yes") & (rng.random(20_000) > 0.02)
    rows = part(rows, ~rare)
    reference, alarms = worth_of([kpi], TWO, rows), 0
    for _ in range(200):
        some = part(rows, rng.choice(len(rows["truth"]), 200, replace=False))
        found = values(some, kpis=[kpi], reference=reference).values()
        alarms += bool(judge_kpis(window(200), found, reference, days=1.0, is_ripe=True))
    assert alarms <= 4
