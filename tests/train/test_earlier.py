from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from palio.core.records import Cost, Member, Run, Search, SearchPlan
from palio.train import earlier
from palio.train.examples import Shape
from palio.train.table import load_family
from tests.train.conftest import Ready
from tests.train.small_parts import search

Prepare = Callable[..., Ready]
FAMILIES = {name: load_family(name) for name in ("dummy", "linear", "forest", "lightgbm")}
SHAPE = Shape(400, 6, 2)
GOOD = {
    "learning_rate": 0.11,
    "num_leaves": 9,
    "min_data_in_leaf": 13,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.7,
    "lambda_l2": 3.0,
    "extra_trees": True,
    "cat_smooth": 12.0,
    "max_cat_threshold": 9,
}


def run(number: int, family: str, score: float, params: dict[str, Any], **changes: Any) -> Run:
    cost = Cost(fit_s=0.1, latency_ms_p50=0.1, latency_ms_p99=0.1, size_mb=0.1)
    made = Run(
        id=f"run {number}",
        parts="p",
        family=family,
        trial=number,
        params=params,
        seed=0,
        metric="roc_auc",
        status="done",
        cv_score=score,
        cost=cost,
    )
    return msgspec.structs.replace(made, **changes)


def defaults(family: str, ready: Ready) -> dict[str, Any]:
    return dict(FAMILIES[family].defaults(SHAPE, ready.task)[0])


def put(ready: Ready, name: str, *runs: Run, snapshot: str = "another", chosen: str = "", **changes: Any) -> Search:
    """Keep a search on another snapshot."""
    records = ready.store.records
    other = msgspec.structs.replace(ready.snapshot, id=snapshot, **changes)
    if snapshot != ready.snapshot.id:
        records.put(other, key=other.id)
    parts = msgspec.structs.replace(ready.parts, id=f"parts of {name}", snapshot=other.id)
    records.put(parts, key=parts.id)
    made = Search(
        id=name,
        parts=parts.id,
        metric="roc_auc",
        runs=runs,
        chosen=chosen or runs[-1].id,
        bundle="b",
        reasons=(),
        n_trials_planned=len(runs),
        stopped_by="plan",
        seconds=1.0,
    )
    records.put(made, key=made.id)
    return made


def known(ready: Ready) -> list[tuple[str, dict[str, Any], str]]:
    task = msgspec.structs.replace(ready.task, metric="roc_auc")
    found = earlier.settings(ready.store, ready.snapshot, task=task, families=FAMILIES, shape=SHAPE, sign=1.0)
    return [(one.family, one.params, one.search) for one in found]


def lap(ready: Ready) -> list[Run]:
    return [run(0, "dummy", 0.5, {}), run(1, "lightgbm", 0.8, defaults("lightgbm", ready) | {"n_estimators": 70})]


def test_what_was_chosen_on_another_snapshot_is_known_without_its_rounds(prepare: Prepare) -> None:
    ready = prepare("cancer")
    put(ready, "first", *lap(ready), run(2, "lightgbm", 0.9, GOOD | {"n_estimators": 55}))
    assert known(ready) == [("lightgbm", GOOD, "first")]


def test_the_members_of_a_mix_are_known_and_the_heaviest_comes_first(prepare: Prepare) -> None:
    ready = prepare("cancer")
    light, heavy = run(2, "lightgbm", 0.9, GOOD), run(3, "lightgbm", 0.85, GOOD | {"num_leaves": 30})
    members = tuple(
        Member(run=one.id, family=one.family, weight=weight) for one, weight in ((light, 0.3), (heavy, 0.7))
    )
    mix = run(9, "ensemble", 0.91, {}, members=members)
    put(ready, "first", *lap(ready), light, heavy, mix, chosen=mix.id)
    assert [params["num_leaves"] for _, params, _ in known(ready)] == [30, 9]


def test_defaults_and_what_no_family_could_propose_are_not_tried_again(prepare: Prepare) -> None:
    ready = prepare("cancer")
    odd = [{"learning_rate": 7.0}, {"of_another_version": 1}, {"made": True}]
    runs = [run(2 + place, "lightgbm", 0.9, GOOD | one) for place, one in enumerate(odd)]
    put(ready, "first", *lap(ready), *runs, run(8, "a family that is gone", 0.99, {}))
    assert known(ready) == []


@pytest.mark.parametrize("why", ["the same snapshot", "another target", "another metric"])
def test_other_questions_and_the_same_rows_are_not_asked(prepare: Prepare, why: str) -> None:
    ready = prepare("cancer")
    good = run(2, "lightgbm", 0.9, GOOD)
    if why == "the same snapshot":
        put(ready, "first", *lap(ready), good, snapshot=ready.snapshot.id)
    elif why == "another target":
        put(ready, "first", *lap(ready), good, schema=msgspec.structs.replace(ready.snapshot.schema, target="z"))
    else:
        made = put(ready, "other", *lap(ready), good)
        ready = prepare("wine", place="elsewhere")
        put(ready, "first", *made.runs)
        task = msgspec.structs.replace(ready.task, metric="log_loss")
        assert earlier.settings(ready.store, ready.snapshot, task=task, families=FAMILIES, shape=SHAPE, sign=-1.0) == ()
        return
    assert known(ready) == []


def test_the_newest_searches_come_first_and_a_few_settings_are_enough(prepare: Prepare) -> None:
    ready = prepare("cancer")
    for place in range(5):
        put(ready, f"search {place}", *lap(ready), run(2, "lightgbm", 0.9, GOOD | {"num_leaves": 20 + place}))
    assert [one["num_leaves"] for _, one, _ in known(ready)] == [24, 23, 22]


def test_a_search_tries_them_after_the_defaults_and_its_plan_says_so(prepare: Prepare) -> None:
    ready = prepare("cancer")
    put(ready, "first", *lap(ready), run(2, "lightgbm", 0.9, GOOD | {"n_estimators": 55}))
    how: dict[str, Any] = {"families": ("linear", "lightgbm"), "trials": 5}
    found = search(ready, metric="roc_auc", **how)
    plan = ready.store.records.require(SearchPlan, found.plan)
    assert plan.earlier == ("first",)
    tried = [one for one in plan.steps if one.candidate == one.number]
    assert [(one.family, one.params == GOOD) for one in tried[:4]] == [
        ("dummy", False),
        ("linear", False),
        ("lightgbm", False),
        ("lightgbm", True),
    ]
    assert any("earlier search" in reason for reason in found.reasons)
