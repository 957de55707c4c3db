"""Groups: each class in each part where there are groups enough, whatever the groups are called."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palio import split
from palio.core.errors import InputError
from palio.core.records import Parts, Stratum, Task
from palio.split.grouping import Spread, groups_of, n_groups_a_class, spread
from palio.split.strata import SHARES

from .conftest import Bench

LABELS = "abcdefghijklmnopqrst"


def task_of(n_classes: int) -> Task:
    return Task(kind="classification", target="y", classes=tuple(LABELS[:n_classes]))


def cut(group: Any, label: Any, task: Task, policy: str, seed: int = 0) -> Spread:
    found = groups_of(np.asarray(group, np.uint64), np.asarray(label, np.int64), task)
    return spread(found, task, shares=SHARES[policy], seed=seed)


def lacking(group: Any, label: Any, task: Task, parts: Any, policy: str) -> list[tuple[int, int]]:
    """List where a part lacks a class that has as many groups as there are parts."""
    needed = [0, 2] if policy == "cv" else [0, 1, 2]
    n_groups = n_groups_a_class(groups_of(np.asarray(group, np.uint64), np.asarray(label), task), task)
    return [
        (c, part)
        for c, n in enumerate(n_groups)
        for part in needed
        if n >= len(needed) and not ((label == c) & (parts == part)).any()
    ]


def is_possible(group: Any, label: Any, policy: str) -> bool:
    """Tell whether every class that has groups enough can be in every part while train holds all classes."""
    pairs = np.unique(np.stack([group, label]), axis=1)
    holders = [set(pairs[0, pairs[1] == c].tolist()) for c in np.unique(pairs[1])]
    needed = (0, 2) if policy == "cv" else (0, 1, 2)
    if len(set(group)) > 7 or len(holders) > 2:  # not all can be tried; many groups, or many of each class, leave room
        return len(set(group)) >= 6 * len(holders) or all(len(of) >= 2 * len(needed) for of in holders)
    return any(
        all({parts[g] for g in of} >= (set(needed) if len(of) >= len(needed) else {0}) for of in holders)
        for parts in itertools.product(needed, repeat=len(set(group)))
    )


@settings(max_examples=200, deadline=None)
@given(
    n_groups=st.integers(3, 60),
    n_classes=st.integers(2, 8),
    rows_a_group=st.integers(1, 12),
    purity=st.floats(0.0, 1.0),
    skew=st.floats(0.0, 2.5),
    policy=st.sampled_from(list(SHARES)),
    seed=st.integers(0, 2**31),
)
def test_each_class_that_has_groups_enough_is_in_every_part(
    n_groups: int, n_classes: int, rows_a_group: int, purity: float, skew: float, policy: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    names = rng.integers(0, 2**63, n_groups, dtype=np.uint64)
    weight = 1.0 / np.arange(1, n_classes + 1) ** skew
    own = rng.choice(n_classes, n_groups, p=weight / weight.sum())
    which = np.repeat(np.arange(n_groups), rng.integers(1, rows_a_group + 1, n_groups))
    label = np.where(rng.random(which.size) < purity, own[which], rng.choice(n_classes, which.size))
    task = task_of(n_classes)
    found = cut(names[which], label, task, policy)
    if is_possible(which, label, policy):
        assert lacking(names[which], label, task, found.parts, policy) == []
    per_group = pl.DataFrame({"g": names[which], "p": found.parts}).group_by("g").n_unique()
    assert (per_group["p"] == 1).all()
    needed = 2 if policy == "cv" else 3
    if n_groups >= needed + n_classes:  # with fewer, train needs them all to know each class
        assert len(set(found.parts.tolist())) == needed
    again = cut(names[which][::-1], label[::-1], task, policy)
    assert (again.parts[::-1] == found.parts).all()


@pytest.mark.parametrize("policy", list(SHARES))
def test_four_of_twenty_patients_are_ill_and_each_part_has_one_under_every_name(policy: str) -> None:
    label = np.repeat(np.isin(np.arange(20), [2, 5, 9, 12]).astype(int), 12)
    for name in range(200):
        group = np.repeat(np.random.default_rng(name).integers(0, 2**63, 20, dtype=np.uint64), 12)
        found = cut(group, label, task_of(2), policy)
        assert lacking(group, label, task_of(2), found.parts, policy) == []
        assert abs((found.parts == 0).mean() - SHARES[policy][0]) <= 0.051


@pytest.mark.parametrize("policy", list(SHARES))
def test_the_rows_of_all_strata_together_have_the_shares(policy: str) -> None:
    rng = np.random.default_rng(5)
    group = rng.integers(0, 2_000, 30_000).astype(np.uint64) * 7_919
    label = (group // 7_919 % 10).astype(np.int64)  # each group holds one of ten classes
    found = cut(group, label, task_of(10), policy)
    shares = np.bincount(found.parts, minlength=3) / 30_000
    assert shares[0] == pytest.approx(SHARES[policy][0], abs=0.002)
    assert shares[2] == pytest.approx(1 - SHARES[policy][1], abs=0.002)
    for label_ in range(10):
        inside = found.parts[label == label_]
        assert (inside == 2).mean() == pytest.approx(1 - SHARES[policy][1], abs=0.02)


def patients(n: int, *, first: int = 0, ill: float = 0.2, seed: int = 0, rows: int = 6) -> pl.DataFrame:
    rng = np.random.default_rng([seed, first])
    is_ill = rng.random(n) < ill
    which = np.repeat(np.arange(n), rows)
    return pl.DataFrame(
        {
            "g": [f"p{first + i}-{seed}" for i in which],
            "x": rng.normal(size=which.size),
            "y": np.where(is_ill[which], "yes", "no"),
        }
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(n=st.integers(12, 60), added=st.integers(0, 40), seed=st.integers(0, 1_000), shuffled=st.booleans())
def test_groups_keep_their_part_when_new_ones_come_and_old_ones_turn_ill(
    bench: Bench, yes_no: Task, n: int, added: int, seed: int, shuffled: bool
) -> None:
    old = patients(n, ill=0.3, seed=seed)
    old = old.with_columns(y=pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("yes")).otherwise(pl.col("y")))
    old = old.with_columns(y=pl.when(pl.int_range(pl.len()) == pl.len() - 1).then(pl.lit("no")).otherwise(pl.col("y")))
    turned = patients(n, ill=1.0, seed=seed, rows=1).with_columns(
        x=pl.col("x") + 9.0
    )  # each patient of before has one more row, with the rare class
    grown = pl.concat([old, turned, patients(added, first=n, seed=seed)])
    grown = grown.sample(fraction=1, shuffle=True, seed=seed) if shuffled else grown
    before = bench.cut(old, yes_no, roles={"group": "g"})
    after = bench.cut(grown, yes_no, roles={"group": "g"}, previous=before)
    first = dict(zip(old["g"], bench.assignment(before), strict=True))
    later = dict(zip(grown["g"], bench.assignment(after), strict=True))
    assert {group: later[group] for group in first} == first
    assert after.strata == before.strata and after.draw == before.draw


def test_a_grouped_cut_of_an_earlier_version_goes_on_as_it_was(bench: Bench, yes_no: Task) -> None:
    old, new = patients(30, seed=3), patients(30, first=30, seed=3)
    fresh = bench.cut(old, yes_no, roles={"group": "g"})
    points = (Stratum(key="all", train=0.75, validation=0.75),)
    earlier = Parts(**{name: getattr(fresh, name) for name in Parts.__struct_fields__} | {"strata": points})
    grown = bench.cut(pl.concat([old, new]), yes_no, roles={"group": "g"}, previous=earlier)
    assert grown.strata == points
    assert (bench.assignment(grown)[: old.height] == bench.assignment(fresh)).all()


def test_regression_spreads_groups_by_their_mean(bench: Bench, number: Task) -> None:
    rng = np.random.default_rng(2)
    level = rng.permutation(50).astype(float)
    which = np.repeat(np.arange(50), 8)
    frame = pl.DataFrame({"g": which, "x": rng.normal(size=400), "y": level[which] + rng.normal(size=400) / 10})
    parts = bench.cut(frame, number, roles={"group": "g"}, policy="60-20-20")
    in_test = level[which][bench.assignment(parts) == 2]
    assert np.bincount((in_test // 10).astype(int), minlength=5).tolist() == [16] * 5
    few = bench.cut(frame.filter(pl.col("g") < 8), number, roles={"group": "g"})
    assert len(few.strata) == 1 and few.counts["test"] > 0


def test_a_class_in_few_groups_and_rows_without_a_group_are_told(bench: Bench, yes_no: Task) -> None:
    frame = patients(20, ill=0.0).with_columns(
        y=pl.when(pl.col("g").is_in(["p3-0", "p7-0"])).then(pl.lit("yes")).otherwise(pl.lit("no"))
    )
    parts = bench.cut(frame, yes_no, roles={"group": "g"})
    assert "too few groups by `g` to be in every part: `yes` (2 groups by `g`)" in parts.warnings
    assert parts.class_counts["test"]["yes"] == 6
    lone = frame.with_columns(g=pl.when(pl.int_range(pl.len()) == 5).then(None).otherwise(pl.col("g")))
    assert (
        "1 row has no `g`: each is cut as a group of its own" in bench.cut(lone, yes_no, roles={"group": "g"}).warnings
    )


def test_folds_spread_the_groups_of_a_class(bench: Bench, yes_no: Task) -> None:
    frame = patients(20, ill=0.0).with_columns(
        y=pl.when(pl.col("g").is_in([f"p{i}-0" for i in (1, 4, 8, 15)])).then(pl.lit("yes")).otherwise(pl.lit("no"))
    )
    snapshot = bench.snapshot(frame, group="g")
    parts = split.cut(bench.store, snapshot, task=yes_no)
    train = split.read(bench.store, snapshot, parts, "train")
    pairs = split.folds(train, parts, yes_no, schema=snapshot.schema)
    assert len(pairs) == parts.n_folds == 3
    assert all((train[valid]["y"] == "yes").any() and (train[fit]["y"] == "yes").any() for fit, valid in pairs)


def test_hints_name_what_is_not_in_force_already(bench: Bench, yes_no: Task) -> None:
    one = patients(1, ill=0.0, rows=40).with_columns(y=pl.Series(["yes", "no"] * 20))
    with pytest.raises(InputError, match="too few different groups") as caught:
        bench.cut(one, yes_no, roles={"group": "g"}, policy="cv")
    assert "policy" not in caught.value.hint and "groups" in caught.value.hint
    two = pl.concat([one, one.with_columns(g=pl.lit("other"), x=pl.col("x") + 1)])
    with pytest.raises(InputError, match="no rows are left for validation") as caught:
        bench.cut(two, yes_no, roles={"group": "g"}, policy="60-20-20")
    assert 'policy = "cv"' in caught.value.hint
