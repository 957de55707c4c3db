"""Whether drift is seen where it is, and not where it is not; the trials are seeded."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from palio.core.monitoring import ColumnDrift, Reference
from palio.core.records import ColumnShape
from palio.measure import bins_of, count, number_column
from palio.monitor.movement.drift import FLOOR, MODERATE, drift_findings, drift_of
from tests.monitor import populations
from tests.monitor.populations import DRIFTED, Table, places_in, reference_of, thirty_columns, window_of

REAL = {"adult": populations.adult, "bank": populations.bank}


def false_alarms(table: Table, *, n_reference: int, n_rows: int, n_trials: int, seed: int) -> tuple[float, float]:
    """Draw reference and window from the same rows, with replacement, and return shares of columns and reports.

    Both vary by chance, as they do in life; a new reference every fifth trial.
    """
    chance = np.random.default_rng(seed)
    everything = len(next(iter(table.values())))
    n_columns = n_reports = 0
    for trial in range(n_trials):
        if trial % 5 == 0:
            reference = reference_of(table, chance.integers(0, everything, n_reference))
            places = places_in(reference, table)
        window = window_of(reference, places, chance.integers(0, everything, n_rows))
        alarms = sum(one.drifted for one in drift_of(reference, window, min_rows=50))
        n_columns += alarms
        n_reports += alarms > 0
    return n_columns / n_trials / len(table), n_reports / n_trials


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("n_rows", [100, 1_000, 20_000])
def test_rows_of_the_same_origin_raise_next_to_no_alarm(name: str, n_rows: int, shared_data: Path) -> None:
    columns, reports = false_alarms(REAL[name](shared_data), n_reference=10_000, n_rows=n_rows, n_trials=20, seed=1)
    assert columns <= 0.01
    assert reports <= 0.10  # at most 2 of 20; the full trial is slow


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("n_reference", [2_000, 10_000, 30_000])
@pytest.mark.parametrize("n_rows", [100, 300, 1_000, 10_000, 100_000])
def test_200_trials_alarm_in_at_most_5_of_100_reports(
    name: str, n_reference: int, n_rows: int, shared_data: Path
) -> None:
    table = REAL[name](shared_data)
    columns, reports = false_alarms(table, n_reference=n_reference, n_rows=n_rows, n_trials=200, seed=n_rows)
    assert columns <= 0.01
    assert reports <= 0.05


def found_in(reference: Reference, table: Table, **facts: int) -> set[str]:
    window = window_of(reference, places_in(reference, table))
    return {one.column for one in drift_of(reference, window, min_rows=200, **facts) if one.drifted}


def hits(n_rows: int, n_trials: int) -> tuple[np.ndarray, float]:
    """Count drifted columns that were found per trial, and wrong ones per column."""
    found, n_wrong = [], 0
    for seed in range(n_trials):
        chance = np.random.default_rng(seed)
        if seed % 10 == 0:
            reference = reference_of(thirty_columns(chance, 10_000), in_time_order=True)
        shown = found_in(reference, thirty_columns(chance, n_rows, has_drift=True))
        found.append(len(shown & DRIFTED))
        n_wrong += len(shown - DRIFTED)
    return np.array(found), n_wrong / n_trials / 22


@pytest.mark.parametrize(
    "n_trials", [pytest.param(20, id="quick"), pytest.param(200, id="full", marks=pytest.mark.slow)]
)
def test_eight_drifted_columns_of_thirty_are_found(n_trials: int) -> None:
    found, wrong = hits(5_000, n_trials)
    assert (found == 8).mean() >= 0.95
    assert wrong <= 0.01
    found, wrong = hits(1_000, n_trials)
    assert (found >= 6).mean() >= 0.95
    assert wrong <= 0.01


@pytest.mark.parametrize("n_years", [1, 2, 3, 4])
@pytest.mark.parametrize("days", [10, 30, 90])
def test_a_season_is_no_drift_where_the_reference_has_seen_seasons(n_years: int, days: int, shared_data: Path) -> None:
    table, year = populations.beijing(shared_data)
    before = np.flatnonzero(year < 2010 + n_years)
    reference, length = reference_of(table, before, in_time_order=True), 24 * days
    as_if_independent = reference_of(table, before, n_blocks=1)
    places = places_in(reference, table)
    starts = range(len(before), len(year) - length + 1, length)
    calibrated, naive = [], []
    for start in starts:
        window = window_of(reference, places, slice(start, start + length))
        calibrated += [one.drifted for one in drift_of(reference, window, min_rows=200)]
        naive += [one.drifted for one in drift_of(as_if_independent, window, min_rows=200)]
    reports = np.reshape(calibrated, (-1, len(reference.columns))).any(axis=1)
    assert np.mean(naive) > 0.7
    assert np.mean(calibrated) <= 0.01
    assert reports.mean() <= 0.07


def test_what_leaves_the_seasons_behind_is_still_seen(shared_data: Path) -> None:
    table, year = populations.beijing(shared_data)
    before, after = year < 2013, {name: values[year == 2013] for name, values in table.items()}
    reference = reference_of(table, before.nonzero()[0], in_time_order=True)
    warmer = {**after, "TEMP": after["TEMP"] * 1.8 + 32}
    assert "TEMP" in found_in(reference, warmer)
    assert "TEMP" not in found_in(reference, after)


def test_a_file_that_is_sorted_does_not_blind_us() -> None:
    ranked = {"x": np.sort(np.random.default_rng(1).normal(size=10_000))}
    moved = {"x": np.random.default_rng(2).normal(0.6, 1, 5_000)}
    in_file_order = reference_of(ranked)
    assert found_in(in_file_order, moved) == {"x"}
    (one,) = drift_of(in_file_order, window_of(in_file_order, places_in(in_file_order, moved)), min_rows=200)
    assert one.limit == MODERATE
    assert found_in(reference_of(ranked, in_time_order=True), moved) == set()


def test_below_the_minimum_nothing_is_said() -> None:
    reference = reference_of({"x": np.arange(1_000.0)})
    far = places_in(reference, {"x": np.full(199, 5_000.0)})
    assert drift_of(reference, window_of(reference, far), min_rows=200) == ()
    assert drift_of(reference, window_of(reference, far), min_rows=199)[0].drifted


def test_what_is_sure_but_small_is_no_drift() -> None:
    chance = np.random.default_rng(3)
    reference = reference_of({"x": chance.normal(size=200_000)})
    table = {"x": chance.normal(0.05, 1, 200_000)}
    (one,) = drift_of(reference, window_of(reference, places_in(reference, table)), min_rows=200)
    assert one.p < 1e-9
    assert 0 < one.psi < FLOOR == one.limit
    assert not one.drifted


def one_of(values: np.ndarray, reference: np.ndarray) -> ColumnDrift:
    made = reference_of({"x": reference})
    (one,) = drift_of(made, window_of(made, places_in(made, {"x": values})), min_rows=200)
    return one


def test_sizes_of_effects_are_those_of_theory() -> None:
    chance = np.random.default_rng(4)
    one = one_of(chance.normal(0.5, 1, 50_000), chance.normal(size=50_000))
    assert one.distance == pytest.approx(0.5, abs=0.03)  # a shift is its own Wasserstein distance
    assert one.psi == pytest.approx(0.25, abs=0.03)  # of two normals it is the squared shift
    assert one.js == pytest.approx(np.sqrt(0.25 / 8 / np.log(2)), abs=0.02)  # to second order


def test_without_drift_sizes_are_near_zero_however_small_the_window() -> None:
    chance = np.random.default_rng(5)
    made = [one_of(chance.normal(size=200), chance.normal(size=5_000)) for _ in range(50)]
    assert np.mean([one.psi for one in made]) < 0.03  # without the correction: 0.05
    assert np.mean([one.js for one in made]) < 0.05  # 0.08


def test_missing_cells_alone_are_a_drift() -> None:
    values = np.random.default_rng(6).normal(size=5_000)
    one = one_of(np.where(np.arange(5_000) % 10 == 0, np.nan, values), values)
    assert one.drifted
    assert one.current[-1] == pytest.approx(0.1)
    assert one.labels[-1] == "missing"


@pytest.mark.parametrize("n_values", [66, 300, 3_000])
def test_categories_that_head_the_list_by_luck_are_no_drift(n_values: int) -> None:
    chance = np.random.default_rng(7)
    names = np.array([f"city {k}" for k in range(n_values)], object)
    alarms = 0
    for n_reference in (2_000, 20_000):
        for _ in range(10):
            reference = reference_of({"city": names[chance.integers(0, n_values, n_reference)]})
            alarms += bool(found_in(reference, {"city": names[chance.integers(0, n_values, 5_000)]}))
    assert alarms <= 1


def test_findings_say_what_has_moved_and_how_far() -> None:
    chance = np.random.default_rng(8)
    reference = reference_of({"age": chance.normal(40, 10, 5_000), "job": np.array(["a", "b"], object).repeat(2_500)})
    table = {"age": chance.normal(55, 10, 2_000), "job": np.array(["a"], object).repeat(2_000)}
    window = window_of(reference, places_in(reference, table))
    age, job = drift_findings(window, drift_of(reference, window, min_rows=200))
    assert (age.kind, age.subject, age.severity, age.measure) == ("drift", "age", "warn", "psi")
    assert age.since == window.since
    assert age.until - age.since == dt.timedelta(days=1)
    assert "`age` has moved" in age.reason
    assert "standard deviations" in age.reason
    assert "100.0% of 2,000 rows are a, 50.0% in training" in job.reason


def test_a_moved_answer_is_a_warning_and_says_what_may_follow() -> None:
    import msgspec

    chance = np.random.default_rng(9)
    reference = reference_of({"prediction": np.array(["no", "yes"], object)[(chance.random(5_000) < 0.1).astype(int)]})
    answers = msgspec.structs.replace(
        reference, columns=tuple(msgspec.structs.replace(one, role="answer") for one in reference.columns)
    )
    table = {"prediction": np.array(["no", "yes"], object)[(chance.random(2_000) < 0.16).astype(int)]}
    window = window_of(answers, places_in(answers, table))
    (one,) = drift_findings(window, drift_of(answers, window, min_rows=200))
    assert one.effect < MODERATE
    assert (one.kind, one.severity) == ("answer_drift", "warn")
    assert "quality" in one.consequence


def test_columns_that_were_not_counted_are_passed_over() -> None:
    make: Callable[..., np.ndarray] = np.random.default_rng(10).normal
    reference = reference_of({"x": make(size=1_000), "secret": make(size=1_000)})
    window = window_of(reference, places_in(reference_of({"x": make(size=1_000)}), {"x": make(size=500)}))
    assert [one.column for one in drift_of(reference, window, min_rows=200)] == ["x"]


def test_an_answer_has_moved_only_if_it_is_away_from_what_the_model_itself_answers_too() -> None:
    chance = np.random.default_rng(0)
    scored, own, served = (chance.normal(shift, 1, 20_000) for shift in (0.0, 0.25, 0.25))
    column = number_column("prediction", scored, blocks=[slice(k, None, 16) for k in range(16)], role="answer")

    def moved(column: ColumnShape, values: populations.Array) -> ColumnDrift:
        reference = Reference(n_rows=20_000, n_scored=20_000, in_time_order=False, columns=(column,))
        window = window_of(reference, {"prediction": bins_of(column, values)})
        return drift_of(reference, window, min_rows=200)[0]

    both = msgspec.structs.replace(column, own=count(column, own).counts)
    assert moved(column, served).drifted
    assert not moved(both, served).drifted
    assert not moved(both, scored).drifted
    assert moved(both, served + 0.3).drifted and moved(both, served - 0.6).drifted
