"""Parity says how far two ways of predicting are apart, and lets nothing slip."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
import numpy as np
import pytest

from palio.core.errors import InputError
from palio.core.records import Parity
from palio.model import Graph, Outputs, check_parity, compare_outputs, feeds_from_frame, measure_cost, stress_feeds
from palio.model.cells.stress import neighbours, tree_thresholds


def classes(*shares: float) -> Outputs:
    p = np.array([[1 - s, s] for s in shares])
    return Outputs(prediction=np.array(["no", "yes"], dtype=object)[p.argmax(axis=1)], probabilities=p)


def values(*numbers: float) -> Outputs:
    return Outputs(prediction=np.array(numbers))


def test_equal_answers_pass() -> None:
    parity = compare_outputs(classes(0.1, 0.9), classes(0.1, 0.9))
    assert (parity.rows, parity.max_abs_diff, parity.n_label_diffs, parity.passed) == (2, 0.0, 0, True)


def test_another_label_fails_however_small_the_difference() -> None:
    parity = compare_outputs(classes(0.5 + 1e-8), classes(0.5 - 1e-8), tolerance=1e-7)
    assert parity.passed  # a tie within the tolerance
    assert not compare_outputs(classes(0.5 + 1e-3), classes(0.5 - 1e-3), tolerance=1e-4).passed
    wrong = Outputs(prediction=np.array(["yes"]), probabilities=np.array([[0.9, 0.1]]))
    assert compare_outputs(wrong, classes(0.1)).n_label_diffs == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_answer_that_is_no_number_never_passes_and_the_record_survives_json(bad: float) -> None:
    for pair in ((values(bad), values(1.0)), (values(1.0), values(bad)), (values(bad), values(bad))):
        parity = compare_outputs(*pair)
        assert not parity.passed
        assert parity.max_abs_diff == sys.float_info.max
        assert msgspec.json.decode(msgspec.json.encode(parity), type=Parity) == parity


def test_large_values_are_compared_by_their_size() -> None:
    assert compare_outputs(values(1e12 + 1e-3), values(1e12)).passed
    assert not compare_outputs(values(1.001), values(1.0)).passed


def test_unlike_answers_are_not_compared() -> None:
    with pytest.raises(InputError):
        compare_outputs(values(1.0), values(1.0, 2.0))
    with pytest.raises(InputError):
        compare_outputs(classes(0.5), values(1.0))


def test_stress_rows_hold_thresholds_and_their_neighbours(champion: Any) -> None:
    thresholds = tree_thresholds(champion.graph)
    assert {"amount", "count"} <= set(thresholds)
    feeds = stress_feeds(champion.frame, champion.schema, champion.graph)
    known = np.array(thresholds["amount"])
    wanted = {
        *known,
        *np.nextafter(known, np.inf),
        *np.nextafter(known, -np.inf),
        *known.astype(np.float32).astype(float),
    }
    assert wanted <= set(feeds["amount"][:, 0].tolist())
    assert np.isnan(feeds["when"]).any()
    assert {"", "never seen"} <= set(feeds["colour"][:, 0].tolist())
    assert not any(np.isinf(value).any() for value in feeds.values() if value.dtype != object)


def test_stress_rows_find_an_export_in_single_precision(champion: Any) -> None:
    feeds = stress_feeds(champion.frame, champion.schema, champion.graph)
    graph = Graph(champion.graph)
    with np.errstate(over="ignore"):
        rounded = {n: v if v.dtype == object else v.astype(np.float32).astype(np.float64) for n, v in feeds.items()}
        assert not check_parity(graph, rounded, champion.reference(feeds)).passed


def test_neighbours_of_a_number_are_next_to_it() -> None:
    got = neighbours(np.array([0.1]))
    assert len(got) == 6
    assert np.nextafter(0.1, 1) in got
    assert float(np.float32(0.1)) in got


def test_cost_is_measured_on_single_rows(champion: Any) -> None:
    graph = Graph(champion.graph)
    cost = measure_cost(graph, feeds_from_frame(champion.frame, champion.schema), fit_s=1.5, n_calls=50)
    assert 0 < cost.latency_ms_p50 <= cost.latency_ms_p99
    assert cost.size_mb == len(champion.graph) / 1e6
    assert cost.fit_s == 1.5
