"""The stream of losses: what detectors suspect, what rows after it confirm."""

from __future__ import annotations

import builtins
import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palio import measure, monitor
from palio.core.errors import InputError, UnavailableError
from palio.core.monitoring import Outcome, StreamReview, Window
from palio.core.records import Metric
from palio.monitor.concept.findings import concept_findings

FAST = monitor.DETECTORS[:-1]
START = np.datetime64("2026-01-01")


def moments(n: int) -> Any:
    return START + np.arange(n).astype("timedelta64[m]")


def watched(losses: Any, *, detectors: Any = FAST, unit: float = 1.0) -> StreamReview:
    stream = monitor.ErrorStream(detectors, unit=unit)
    stream.feed(losses, moments(len(losses)))
    return stream.review()


def errors(seed: int, *levels: tuple[int, float]) -> Any:
    random = np.random.default_rng(seed)
    return np.concatenate([random.random(n) < rate for n, rate in levels]).astype(float)


def clustered(seed: int, n: int, rate: float, stay: float) -> Any:
    """Errors of the same rate that stay together: each row repeats the one before it with probability `stay`."""
    random = np.random.default_rng(seed)
    drawn, fresh = random.random(n) < rate, random.random(n) >= stay
    return drawn[np.maximum.accumulate(np.where(fresh, np.arange(n), 0))].astype(float)


def window(day: int = 90, **facts: Any) -> Window:
    until = dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=day)
    return Window(model="m", bundle="b", version=1, since=until - dt.timedelta(days=1), until=until, n_rows=9, **facts)


def false_findings(n_trials: int, n_rows: int, make: Any) -> tuple[int, dict[str, int]]:
    """Count streams without a change that show a finding, and the alarms of each detector."""
    n_false, alarms = 0, dict.fromkeys(FAST, 0)
    for seed in range(n_trials):
        seen = watched(make(seed, n_rows))
        n_false += any(change.kind == "worse" for change in seen.changes)
        for one in seen.detectors:
            alarms[one.name] += one.n_alarms
    return n_false, alarms


def plain(seed: int, n: int) -> Any:
    return errors(seed, (n, (0.02, 0.1, 0.15, 0.3)[seed % 4]))


def test_a_stream_without_a_change_shows_nothing_although_detectors_ring() -> None:
    n_false, alarms = false_findings(4, 15_000, plain)
    assert n_false == 0
    assert alarms["EDDM"] > 10 and sum(alarms.values()) > alarms["EDDM"]


@pytest.mark.slow
def test_at_most_one_in_a_hundred_streams_of_fifty_thousand_rows_without_a_change_shows_a_finding(
    record_property: Any,
) -> None:
    n_false, alarms = false_findings(200, 50_000, plain)
    record_property("raw_alarms_a_stream", {name: n / 200 for name, n in alarms.items()})
    assert n_false <= 2, alarms
    assert alarms["EDDM"] > 200 * 10, "if detectors alone were quiet, there were nothing to confirm"


@pytest.mark.slow
@pytest.mark.parametrize("stay", [0.3, 0.6, 0.9])
def test_errors_that_cluster_are_no_change(stay: float) -> None:
    n_false, _ = false_findings(50, 50_000, lambda seed, n: clustered(seed, n, 0.15, stay))
    assert n_false <= 1


def test_a_rise_is_found_soon_and_dated_near_the_change() -> None:
    for seed in range(3):
        change = watched(errors(seed, (8_000, 0.1), (4_000, 0.2))).worse
        assert change is not None
        assert abs(change.row - 8_000) <= 1_000
        assert change.row < change.confirmed_row <= 9_500
        assert change.at == dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=change.row)
        assert change.before == pytest.approx(0.1, abs=0.02) and change.after == pytest.approx(0.2, abs=0.06)


def test_kswin_hears_a_rise_too() -> None:
    seen = watched(errors(0, (4_000, 0.1), (3_000, 0.4)), detectors=("KSWIN",))
    assert seen.worse is not None and 4_000 <= seen.worse.row <= 4_600


def test_what_became_good_again_is_no_finding() -> None:
    seen = watched(errors(1, (6_000, 0.1), (5_000, 0.3), (9_000, 0.1)))
    assert [change.kind for change in seen.changes] == ["worse", "better"]
    assert seen.worse is None
    assert concept_findings(window(), seen) == ()


def test_the_pieces_in_which_losses_come_do_not_matter() -> None:
    losses = errors(2, (6_000, 0.1), (3_000, 0.25))
    whole, pieces = monitor.ErrorStream(FAST), monitor.ErrorStream(FAST)
    found = whole.feed(losses, moments(9_000))
    cut = [pieces.feed(losses[i : i + 701], moments(9_000)[i : i + 701]) for i in range(0, 9_000, 701)]
    assert [one for piece in cut for one in piece] == found
    assert pieces.review() == whole.review()


def test_memory_does_not_grow_with_the_rows() -> None:
    import pickle

    stream = monitor.ErrorStream(("PageHinkley", "HDDM_A", "EDDM"))
    sizes = []
    for seed in range(3):
        stream.feed(errors(seed, (30_000, 0.2)), moments(30_000))
        sizes.append(len(pickle.dumps([vars(stream)["_blocks"], vars(stream)["_calm"], stream.review()])))
    assert sizes[2] < 1.5 * sizes[0]


def test_detectors_stand_beside_as_many_evenly_spaced_alarms_and_the_last_truth() -> None:
    losses = errors(3, (4_000, 0.1), (8_000, 0.3))
    stream = monitor.ErrorStream(FAST)
    stream.feed(losses, moments(12_000), no_change=np.full(12_000, 0.5))
    seen = stream.review()
    by_name = {one.name: one for one in seen.detectors}
    adwin = by_name["ADWIN"]
    assert adwin.n_alarms == 1 and sum(one.n_confirmed for one in seen.detectors) == len(seen.changes) == 1
    assert adwin.rise is not None and adwin.periodic_rise is not None
    assert adwin.rise > 0.1 > adwin.periodic_rise
    assert seen.no_change_loss == 0.5
    lines = monitor.stream_lines(seen)
    assert lines[0] == f"12,000 rows, mean loss {losses.mean():.4f}; of the answer `as the last truth` 0.5000."
    assert len(lines) == 1 + len(FAST) and all("evenly spaced" in line for line in lines[1:] if " 0 alarms" not in line)


def test_absolute_errors_are_read_in_units_of_the_reference() -> None:
    random = np.random.default_rng(0)
    residuals = np.abs(np.r_[random.normal(0, 10, 6_000), random.normal(0, 16, 4_000)])
    unit = monitor.loss_scale(float(residuals[:3_000].mean()))
    seen = watched(residuals, unit=unit)
    assert seen.worse is not None and abs(seen.worse.row - 6_000) <= 1_000
    (one,) = concept_findings(window(), seen)
    assert (one.subject, one.measure) == ("absolute error", "mean absolute error")
    assert one.effect == pytest.approx((16 - 10) * np.sqrt(2 / np.pi), rel=0.35)
    assert seen.loss * unit == pytest.approx(residuals.mean(), rel=0.02)


def test_a_finding_is_dated_by_the_detection_and_pages_only_if_quality_is_surely_lower() -> None:
    seen = watched(errors(4, (6_000, 0.1), (4_000, 0.25)))
    assert seen.worse is not None
    (one,) = concept_findings(window(), seen)
    assert (one.kind, one.severity, one.since) == ("concept_drift", "warn", seen.worse.at)
    assert 0.08 < one.effect < 0.25 and one.p is not None and one.p < 0.001
    assert one.reason.startswith("Wrong answers rose from ") and seen.worse.detector in one.reason
    for value, severity in ((0.80, "page"), (0.895, "warn")):
        lower = Outcome(
            metric="accuracy",
            value=Metric(value=value, low=value - 0.02, high=value + 0.02, n_rows=900),
            reference=0.9,
        )
        assert concept_findings(window(), seen, outcomes=[lower])[0].severity == severity


def test_a_window_does_not_know_what_was_confirmed_after_it() -> None:
    seen = watched(errors(4, (6_000, 0.1), (4_000, 0.25)))
    assert concept_findings(window(day=4), seen) == ()
    ids = {concept_findings(window(day=day), seen)[0].id for day in (6, 7)}
    assert len(ids) == 1, "the same finding in each window that shows it"


@pytest.mark.parametrize(
    ("losses", "at", "told"),
    [
        (np.zeros(3), moments(2), "shapes (3,) and (2,)"),
        (np.array([0.0, np.nan]), moments(2), "not a number"),
        (np.array([0.0, -1.0]), moments(2), "negative"),
    ],
)
def test_losses_that_cannot_be_read_are_refused(losses: Any, at: Any, told: str) -> None:
    with pytest.raises(InputError) as caught:
        monitor.ErrorStream(("DDM",)).feed(losses, at)
    assert told in caught.value.message


def test_an_unknown_detector_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError) as caught:
        monitor.ErrorStream(("ADWINN",))
    assert caught.value.hint == "did you mean `ADWIN`?"


def test_without_river_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.split(".")[0] == "river":
            raise ModuleNotFoundError("No module named 'river'", name="river")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UnavailableError) as caught:
        monitor.ErrorStream()
    assert caught.value.hint == 'run pip install "palio[monitor]"'


def test_the_drifts_of_sea_are_found_in_the_errors_of_a_model_that_stands_still(shared_data: Path) -> None:
    from sklearn.linear_model import LogisticRegression

    X = np.loadtxt(shared_data / "stream/sea-data.csv", delimiter=",")
    y = np.loadtxt(shared_data / "stream/sea-class.csv")
    model = LogisticRegression().fit(X[:5_000], y[:5_000])
    seen = watched((model.predict(X[5_000:20_000]) != y[5_000:20_000]).astype(float))
    assert [change.kind for change in seen.changes] == ["worse"]
    assert 12_500 <= seen.changes[0].row + 5_000 <= 14_000


@pytest.mark.slow
@pytest.mark.parametrize("is_shuffled", [False, True])
def test_renewals_that_are_surely_not_worse_on_the_newest_rows_never_cost_quality(
    shared_data: Path, is_shuffled: bool
) -> None:
    """With the drifts of sea the gate lets renewals through that help; without them it lets hardly any through."""
    from sklearn.linear_model import LogisticRegression

    X = np.loadtxt(shared_data / "stream/sea-data.csv", delimiter=",")
    y = np.loadtxt(shared_data / "stream/sea-class.csv")
    if is_shuffled:
        order = np.random.default_rng(0).permutation(len(y))
        X, y = X[order], y[order]
    never = champion = LogisticRegression().fit(X[:5_000], y[:5_000])
    gated, n_renewals, size = np.zeros(len(y)), 0, 500
    for row in range(5_000, len(y), 2 * size):
        gated[row : row + 2 * size] = champion.predict(X[row : row + 2 * size]) != y[row : row + 2 * size]
        end = row + 2 * size
        learned, held = slice(end - 5 * size, end - size), slice(end - size, end)
        challenger = LogisticRegression().fit(X[learned], y[learned])
        mine, theirs = champion.predict(X[held]) != y[held], challenger.predict(X[held]) != y[held]
        if measure.is_surely_not_worse(mine, theirs):
            champion, n_renewals = challenger, n_renewals + 1
    gain = (never.predict(X[5_000:]) != y[5_000:]).mean() - gated[5_000:].mean()
    if is_shuffled:
        assert n_renewals <= 5 and gain > -0.003
    else:
        assert 3 <= n_renewals <= 15 and gain > 0.02
