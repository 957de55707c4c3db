"""Cuts: exact, stratified, grouped, in time; and rows that keep their part when the data grows."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palio import split
from palio.core.errors import InputError
from palio.core.records import Task

from .conftest import Bench, Rows


@pytest.mark.parametrize(("policy", "shares"), [("60-20-20", (0.6, 0.2)), ("80-10-10", (0.8, 0.1)), ("cv", (0.8, 0))])
def test_every_class_has_its_exact_share_of_every_part(
    bench: Bench, make_rows: Rows, yes_no: Task, policy: str, shares: tuple[float, float]
) -> None:
    frame = make_rows(4_000)
    parts = bench.cut(frame, yes_no, policy=policy)
    for label in yes_no.classes:
        n = (frame["y"] == label).sum()
        assert abs(parts.class_counts["train"][label] - shares[0] * n) <= 1
        assert abs(parts.class_counts["validation"][label] - shares[1] * n) <= 1
    assert sum(parts.counts.values()) == 4_000
    assert np.bincount(bench.assignment(parts), minlength=3).tolist() == list(parts.counts.values())


def test_regression_is_stratified_by_quintile(bench: Bench, number: Task) -> None:
    y = np.random.default_rng(1).lognormal(size=4_000)
    parts = bench.cut(pl.DataFrame({"x": y * 3, "y": y}), number, policy="60-20-20")
    assignment = bench.assignment(parts)
    top = y > np.quantile(y, 0.8)
    assert abs((assignment[top] == 2).sum() - 160) <= 1
    assert len(parts.strata) == 5
    assert parts.class_counts == {}


def test_the_policy_follows_the_rows_that_have_a_target(bench: Bench, make_rows: Rows, yes_no: Task) -> None:
    frame = make_rows(4_000).with_columns(y=pl.when(pl.int_range(pl.len()) < 2_000).then(None).otherwise(pl.col("y")))
    parts = bench.cut(frame, yes_no)
    assert parts.policy == "cv"
    assert parts.counts["validation"] == 0
    assert (bench.assignment(parts)[:2_000] == 255).all()
    assert (bench.assignment(parts)[2_000:] != 255).all()


def test_the_same_rows_are_cut_the_same_and_another_seed_cuts_otherwise(
    bench: Bench, make_rows: Rows, yes_no: Task
) -> None:
    frame = make_rows(500)
    first, again, other = (bench.cut(frame, yes_no, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert other.test_id != first.test_id
    assert len(bench.store.ledger.events(kind="split.cut")) == 2


def test_the_order_of_rows_does_not_move_them(bench: Bench, make_rows: Rows, yes_no: Task) -> None:
    frame = make_rows(1_000)
    first = bench.cut(frame, yes_no)
    turned = bench.cut(frame.reverse(), yes_no)
    assert (bench.assignment(turned)[::-1] == bench.assignment(first)).all()
    assert turned.test_id == first.test_id


def test_excluding_a_column_does_not_move_rows(bench: Bench, make_rows: Rows, yes_no: Task) -> None:
    frame = make_rows(1_000)
    first = bench.cut(frame, yes_no)
    second = bench.cut(frame, yes_no, roles={"exclude": ("c",)})
    assert (bench.assignment(first) == bench.assignment(second)).all()
    assert first.test_id == second.test_id


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    n_before=st.integers(60, 900),
    n_added=st.integers(0, 900),
    shares=st.tuples(st.floats(0.1, 0.9), st.floats(0.1, 0.9)),
    roles=st.sampled_from([{}, {"id": "i"}, {"group": "g"}]),
    kind=st.sampled_from(["classification", "regression"]),
    seed=st.integers(0, 5),
)
def test_every_old_row_keeps_its_part_when_the_data_grows(
    bench: Bench,
    n_before: int,
    n_added: int,
    shares: tuple[float, float],
    roles: dict[str, Any],
    kind: Any,
    seed: int,
) -> None:
    rng = np.random.default_rng(n_before * 1_000 + n_added)
    n = n_before + n_added
    where = np.r_[np.full(n_before, shares[0]), np.full(n_added, shares[1])]
    labels = rng.random(n) < where
    frame = pl.DataFrame(
        {
            "i": np.arange(n),
            "g": rng.integers(0, 40, n),
            "d": rng.integers(0, 60, n),
            "x": np.round(rng.normal(size=n), 2),  # so that some rows repeat others
            "y": np.where(labels, "yes", "no") if kind == "classification" else rng.normal(size=n) + where,
        }
    )
    if "id" not in roles:
        frame = frame.drop("i")
    task = Task(kind=kind, target="y", classes=("no", "yes") if kind == "classification" else ())
    before = bench.cut(frame[:n_before], task, roles=roles, seed=seed)
    after = bench.cut(frame, task, roles=roles, seed=seed, previous=before)
    old = bench.assignment(before)
    new = bench.assignment(after)[:n_before]
    placed = old != 255
    assert (new[placed] == old[placed]).all()
    assert (after.method, after.policy, after.strata[: len(before.strata)]) == (
        before.method,
        before.policy,
        before.strata,
    )
    assert after.n_duplicates_across == 0
    assert after.moved_on == {}


def test_a_class_that_is_new_is_cut_when_it_comes(bench: Bench, make_rows: Rows) -> None:
    frame = make_rows(600)
    first = bench.cut(frame, Task(kind="classification", target="y", classes=("no", "yes")))
    grown = pl.concat([frame, make_rows(300, seed=9).with_columns(y=pl.lit("maybe"))])
    three = Task(kind="classification", target="y", classes=("maybe", "no", "yes"))
    second = bench.cut(grown, three, previous=first)
    assert (bench.assignment(second)[:600] == bench.assignment(first)).all()
    assert second.class_counts["test"]["maybe"] == 60


def test_another_seed_method_or_policy_leaves_the_earlier_cut_aside(
    bench: Bench, make_rows: Rows, yes_no: Task
) -> None:
    frame = make_rows(600)
    first = bench.cut(frame, yes_no)
    assert bench.cut(frame, yes_no, seed=1, previous=first) == bench.cut(frame, yes_no, seed=1)
    assert bench.cut(frame, yes_no, policy="80-10-10", previous=first).policy == "80-10-10"


def test_rows_of_a_group_stay_together(bench: Bench, make_rows: Rows, yes_no: Task) -> None:
    frame = make_rows(2_000).with_columns(g=pl.int_range(2_000) % 90)
    parts = bench.cut(frame, yes_no, roles={"group": "g"}, policy="60-20-20")
    assert parts.method == "grouped"
    per_group = frame.with_columns(p=bench.assignment(parts)).group_by("g").agg(pl.col("p").n_unique())
    assert (per_group["p"] == 1).all()
    assert abs(parts.counts["train"] - 1_200) <= 23


def test_three_groups_give_three_parts_and_two_are_refused(bench: Bench, make_rows: Rows, yes_no: Task) -> None:
    three = make_rows(300).with_columns(g=pl.int_range(300) % 3)
    parts = bench.cut(three, yes_no, roles={"group": "g"}, policy="60-20-20")
    assert sorted(parts.counts.values()) == [100, 100, 100]
    with pytest.raises(InputError, match="too few different groups"):
        bench.cut(three.with_columns(g=pl.col("g") % 2), yes_no, roles={"group": "g"}, policy="60-20-20")


def test_the_newest_rows_are_the_test(bench: Bench, make_rows: Rows, yes_no: Task) -> None:
    hours = [dt.datetime(2010, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=3 * i) for i in range(4_000)]
    frame = make_rows(4_000).with_columns(
        year=pl.Series([h.year for h in hours]), month=pl.Series([h.month for h in hours])
    ).sample(fraction=1, shuffle=True, seed=3)  # fmt: skip
    parts = bench.cut(frame, yes_no, roles={"time": ("year", "month")})
    assert parts.method == "time"
    when = (frame["year"] * 12 + frame["month"]).to_numpy()
    assignment = bench.assignment(parts)
    assert when[assignment == 0].max() < when[assignment == 1].min()
    assert when[assignment == 1].max() < when[assignment == 2].min()
    assert abs(parts.counts["train"] - 2_400) < 260  # a month has up to 248 rows


def in_time(rng: np.random.Generator, low: int, high: int, n_rows: int) -> pl.DataFrame:
    """Make rows with moments from `low` to below `high`, some of which repeat others."""
    return pl.DataFrame(
        {
            "t": rng.integers(low, high, n_rows),
            "x": np.round(rng.normal(size=n_rows), 2),
            "y": np.where(rng.random(n_rows) < 0.5, "yes", "no"),
        }
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    n_before=st.integers(60, 900),
    n_added=st.integers(0, 900),
    low=st.sampled_from([0, 25, 50, 500]),
    policy=st.sampled_from(["cv", "60-20-20", "80-10-10"]),
)
def test_bounds_in_time_move_on_and_never_back(
    bench: Bench, yes_no: Task, n_before: int, n_added: int, low: int, policy: str
) -> None:
    rng = np.random.default_rng(n_before * 1_000 + n_added)
    old, new = in_time(rng, 0, 50, n_before), in_time(rng, low, low + 30, n_added)
    grown = pl.concat([old, new])
    roles = {"time": ("t",)}
    before = bench.cut(old, yes_no, roles=roles, policy=policy)
    after = bench.cut(grown, yes_no, roles=roles, policy=policy, previous=before)
    fresh = bench.cut(grown, yes_no, roles=roles, policy=policy)
    assert before.time_bounds and after.time_bounds and fresh.time_bounds
    assert after.time_bounds == tuple(np.maximum(before.time_bounds, fresh.time_bounds))
    when, placed = grown["t"].to_numpy(), bench.assignment(after)
    assert (when[placed == 2] >= after.time_bounds[1]).all()
    assert (when[placed == 0] < after.time_bounds[0]).all()
    then, now = bench.assignment(before), placed[:n_before]
    both = (then != 255) & (now != 255)
    assert (now[both] <= then[both]).all()  # what was trained on never becomes test
    assert sum(after.moved_on.values()) == (now != then).sum()


def test_what_was_the_test_is_trained_on_when_time_moves_on_and_that_is_said(bench: Bench, yes_no: Task) -> None:
    rng = np.random.default_rng(3)
    old = in_time(rng, 0, 100, 1_000).with_columns(x=pl.Series(rng.normal(size=1_000)))
    new = in_time(rng, 100, 300, 2_000).with_columns(x=pl.Series(rng.normal(size=2_000)))
    roles, policy = {"time": ("t",)}, "60-20-20"
    before = bench.cut(old, yes_no, roles=roles, policy=policy)
    after = bench.cut(pl.concat([old, new]), yes_no, roles=roles, policy=policy, previous=before)
    assert after.moved_on == {
        "validation to train": before.counts["validation"],
        "test to train": before.counts["test"],
    }
    assert abs(after.counts["train"] - 1_800) < 30
    assert any(f"{before.counts['test']} from test to train" in warning for warning in after.warnings)
    event = bench.store.ledger.events(kind="split.cut")[-1]
    assert "Rows changed part as time moved on: " in event.text and event.payload["moved_on"] == after.moved_on


def test_a_row_that_comes_late_moves_no_bound_back(bench: Bench, yes_no: Task) -> None:
    rng = np.random.default_rng(4)
    old = in_time(rng, 0, 100, 1_000)
    before = bench.cut(old, yes_no, roles={"time": ("t",)})
    late = pl.concat([old, in_time(rng, 0, 10, 1_000)])
    after = bench.cut(late, yes_no, roles={"time": ("t",)}, previous=before)
    assert after.time_bounds == before.time_bounds
    assert not any("to test" in move for move in after.moved_on)


def test_copies_with_their_own_ids_are_set_aside_from_train(bench: Bench, make_rows: Rows, yes_no: Task) -> None:
    frame = make_rows(1_000)
    frame = pl.concat([frame, frame[:200]]).with_columns(i=pl.int_range(1_200))
    parts = bench.cut(frame, yes_no, roles={"id": "i"}, policy="60-20-20")
    assert parts.n_duplicates_moved > 50
    assert parts.n_duplicates_across == 0
    assert parts.counts["test"] == 240
    assert any("set aside" in warning for warning in parts.warnings)
    features = frame.with_columns(p=bench.assignment(parts)).filter(pl.col("p") != 255)
    assert (features.group_by("x", "c").agg(pl.col("p").n_unique())["p"] == 1).all()


def test_copies_without_ids_fall_into_one_part(bench: Bench, make_rows: Rows, yes_no: Task) -> None:
    frame = make_rows(1_000)
    parts = bench.cut(pl.concat([frame, frame[:200]]), yes_no)
    assignment = bench.assignment(parts)
    assert (assignment[:200] == assignment[1_000:]).all()
    assert parts.n_duplicates_moved == 0


def test_rows_that_repeat_by_coincidence_are_cut_evenly_and_reported(bench: Bench, yes_no: Task) -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"a": rng.integers(0, 2, 5_000), "y": np.where(rng.random(5_000) < 0.5, "yes", "no")})
    parts = bench.cut(frame, yes_no)
    assert parts.row_key == "occurrence"
    assert list(parts.counts.values()) == pytest.approx([3_000, 1_000, 1_000], abs=2)
    assert parts.n_duplicates_across > 0
    assert any("coincidence" in warning for warning in parts.warnings)


def test_one_class_or_hardly_any_row_is_refused(bench: Bench, make_rows: Rows, yes_no: Task, number: Task) -> None:
    with pytest.raises(InputError, match="9 rows have a value, a cut needs at least 10"):
        bench.cut(make_rows(9), yes_no)
    with pytest.raises(InputError, match="every labelled row is `no`"):
        bench.cut(make_rows(100, share=0.0), yes_no)
    with pytest.raises(InputError, match="every labelled row is `2`"):
        bench.cut(pl.DataFrame({"x": np.arange(50.0), "y": np.full(50, 2.0)}), number)


def test_a_rare_class_is_warned_about_and_trained_on(bench: Bench, make_rows: Rows) -> None:
    frame = make_rows(200).with_columns(y=pl.when(pl.int_range(200) == 7).then(pl.lit("rare")).otherwise(pl.col("y")))
    parts = bench.cut(frame, Task(kind="classification", target="y", classes=("no", "rare", "yes")))
    assert parts.class_counts["train"]["rare"] == 1
    assert any("`rare`" in warning for warning in parts.warnings)


def test_a_method_that_the_schema_cannot_serve_is_refused(bench: Bench, make_rows: Rows, yes_no: Task) -> None:
    for method, word in (("grouped", "group"), ("time", "time")):
        with pytest.raises(InputError, match=f"names no {word} column"):
            bench.cut(make_rows(100), yes_no, method=method)
    with pytest.raises(InputError, match="split policy: got `70-30`"):
        bench.cut(make_rows(100), yes_no, policy="70-30")
    with pytest.raises(InputError, match="split method: got `magic`"):
        bench.cut(make_rows(100), yes_no, method="magic")


def test_the_ledger_tells_the_cut(bench: Bench, make_rows: Rows, yes_no: Task) -> None:
    parts = bench.cut(make_rows(100), yes_no)
    (event,) = bench.store.ledger.events(kind="split.cut")
    assert event.subject == parts.id
    assert "80 rows to train, 0 to validate and 20 sealed" in event.text
    assert event.payload["test_id"] == parts.test_id
    assert split.looks(bench.store, parts) == 0
