from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palio import store
from palio.core.config import LogTable
from palio.core.serving import Feedback
from palio.measure import LATENCY_EDGES as EDGES
from palio.measure import bin_latencies
from palio.renew import StoredLog
from palio.renew.observing import observe
from palio.serve.journal import Journal
from tests.serve.log_entries import MODEL, answer, failure, small_origin

from .conftest import BEGIN, at


class Log:
    """A prediction log in memory, in batches of 100 rows."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.failed: list[dict[str, Any]] = []
        self.truth: dict[str, Any] = {}

    def add(self, request: str, role: str, predictions: list[Any], latency_us: float = 1000.0) -> None:
        for number, prediction in enumerate(predictions):
            row = {"id": f"{request}.{number}", "role": role, "latency_us": latency_us, "prediction": prediction}
            self.rows.append(row)

    def fail(self, request: str, role: str, status: int, version: str = "3") -> None:
        self.failed.append({"id": request, "role": role, "version": version, "status": status})

    def answers(self, since: dt.datetime, until: dt.datetime) -> Iterable[dict[str, Any]]:
        yield from self._batches(self.rows)

    def failures(self, since: dt.datetime, until: dt.datetime) -> Iterable[dict[str, Any]]:
        yield from self._batches(self.failed)

    def feedback(self, since: dt.datetime) -> dict[str, Any]:
        if not self.truth:
            return {}
        return {"id": np.array(list(self.truth), object), "label": np.array(list(self.truth.values()), object)}

    def _batches(self, rows: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
        for start in range(0, len(rows), 100):
            part = rows[start : start + 100]
            yield {
                name: np.array([row[name] for row in part], object if isinstance(part[0][name], str) else None)
                for name in part[0]
            }


def seen(log: Log, mode: str = "canary") -> Any:
    return observe(log, mode=mode, since=BEGIN, until=at(60))


def test_requests_are_counted_once_however_many_rows_they_had() -> None:
    log = Log()
    log.add("r1", "champion", ["yes"] * 30)
    log.add("r2", "challenger", ["no", "yes"], latency_us=2000)
    log.add("r3", "shadow", ["no"])
    found = seen(log)
    assert (found.champion.n_requests, found.challenger.n_requests) == (1, 1)
    assert sum(found.champion.latencies) == sum(found.challenger.latencies) == 1
    assert found.champion.predictions == (0, 30) and found.challenger.predictions == (1, 1)


def test_only_failures_of_the_server_count() -> None:
    log = Log()
    for status in (400, 404, 422, 429, 500, 503):
        log.fail(f"f{status}", "challenger", status)
    log.fail("c", "champion", 500)
    log.fail("nobody", "", 500)
    found = seen(log)
    assert (found.challenger.n_requests, found.challenger.n_errors) == (2, 2)
    assert (found.champion.n_requests, found.champion.n_errors) == (1, 1)
    assert (found.challenger.n_refused, found.champion.n_refused) == (2, 0)


def test_what_was_shed_before_it_was_known_who_answers_is_nobodys_failure() -> None:
    log = Log()
    log.fail("a", "champion", 503, version="")
    log.fail("b", "champion", 503)
    assert (seen(log).champion.n_requests, seen(log).champion.n_errors) == (1, 1)


def test_a_shadow_is_compared_row_by_row() -> None:
    log = Log()
    for number in range(50):
        log.add(f"r{number}", "champion", ["yes", "no"])
        if number < 40:
            log.add(f"r{number}", "shadow", ["yes", "yes" if number < 10 else "no"])
    found = seen(log, "shadow")
    assert (found.pairs.n_rows, found.pairs.n_differ) == (80, 10)
    assert seen(log, "canary").pairs.n_rows == 0


def test_what_a_shadow_missed_is_no_drift() -> None:
    log = Log()
    log.add("before", "champion", ["yes"] * 50)
    log.add("both", "champion", ["no"] * 50)
    log.add("both", "shadow", ["no"] * 50)
    shadow = seen(log, "shadow")
    assert (shadow.champion.predictions, shadow.challenger.predictions) == ((50,), (50,))
    assert shadow.champion.n_requests == 2


def test_numbers_are_compared_in_standard_deviations() -> None:
    log, rng = Log(), np.random.default_rng(1)
    values = rng.normal(100, 20, 500)
    log.add("r", "champion", values.tolist())
    log.add("r", "shadow", (values + 10).tolist())
    found = seen(log, "shadow")
    assert found.pairs.distance == pytest.approx(10 / values.std(), rel=1e-9)
    assert found.pairs.spread == pytest.approx(0, abs=1e-9)
    assert sum(found.champion.predictions) == sum(found.challenger.predictions) == 500
    assert max(found.champion.predictions) <= 51, "deciles of the champion"


def test_quality_in_a_shadow_is_paired() -> None:
    log, rng = Log(), np.random.default_rng(2)
    truth = rng.choice(["no", "yes"], 2000)
    champion = np.where(rng.random(2000) < 0.7, truth, "other")
    rival = np.where(rng.random(2000) < 0.8, truth, "other")
    log.add("r", "champion", champion.tolist())
    log.add("r", "shadow", rival.tolist())
    log.truth = {f"r.{n}": label for n, label in enumerate(truth.tolist())}
    quality = seen(log, "shadow").quality
    assert quality.n_rows == 2000 and quality.low < quality.value < quality.high
    assert quality.value == pytest.approx((rival == truth).mean() - (champion == truth).mean())
    assert quality.low > 0


def test_quality_in_a_canary_compares_other_rows() -> None:
    log, rng = Log(), np.random.default_rng(3)
    for role, share in (("champion", 0.7), ("challenger", 0.5)):
        hits = rng.random(1500) < share
        log.add(role, role, np.where(hits, "yes", "no").tolist())
        log.truth |= {f"{role}.{n}": "yes" for n in range(1500)}
    quality = seen(log).quality
    assert quality.n_rows == 3000 and quality.high < 0
    assert quality.value == pytest.approx(-0.2, abs=0.05)


def test_regression_compares_absolute_errors() -> None:
    log, rng = Log(), np.random.default_rng(4)
    truth = rng.normal(0, 10, 800)
    log.add("r", "champion", (truth + rng.normal(0, 3, 800)).tolist())
    log.add("r", "shadow", (truth + rng.normal(0, 1, 800)).tolist())
    log.truth = {f"r.{n}": str(value) for n, value in enumerate(truth)} | {"r.5": "unreadable"}
    quality = seen(log, "shadow").quality
    assert quality.n_rows == 799 and quality.low > 0


def test_few_labels_say_nothing() -> None:
    log = Log()
    log.add("r", "champion", ["yes"] * 100)
    log.add("q", "challenger", ["yes"] * 100)
    log.truth = {f"{request}.{n}": "yes" for request in "rq" for n in range(29)}
    assert seen(log).quality is None and seen(Log()).quality is None


def test_an_empty_log_gives_empty_observations() -> None:
    found = seen(Log(), "shadow")
    assert found.champion.n_requests == found.challenger.n_requests == found.pairs.n_rows == 0


def test_every_latency_falls_into_its_bin() -> None:
    seconds = np.array([0.0, 1e-6, 1e-5, 0.001, 1.0, 1e6])
    counts = bin_latencies(seconds)
    assert counts.sum() == len(seconds) and len(counts) == len(EDGES) - 1
    for value in seconds:
        place = int(np.flatnonzero(bin_latencies(np.array([value])))[0])
        assert EDGES[place] <= value < EDGES[place + 1]


def test_what_the_server_logs_is_what_is_seen(tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    with (
        closing(Journal(tmp_path, MODEL, LogTable())) as journal,
        store.FeedbackLog(tmp_path, MODEL, redaction=store.Redaction(salt="s")) as feedback,
    ):
        for number in range(40):
            for role in ("champion", "shadow"):
                entry = answer(f"r-{number}", 3, role=role, keys=[f"k-{number}-{row}" for row in range(3)])
                entry.at_ns = int(now.timestamp() * 1e9)
                journal.add(entry)
        broken = failure("r-99", status=500, origin=small_origin())
        broken.at_ns, broken.role = int(now.timestamp() * 1e9), "shadow"
        journal.add(broken)
        journal.flush()
        feedback.add([Feedback(prediction_id=f"r-{n}.0", label="no", at=now) for n in range(40)])
        feedback.add([Feedback(key=f"k-{n}-1", label="no", at=now) for n in range(40)])
    log = StoredLog(tmp_path, MODEL)
    found = observe(log, mode="shadow", since=now - dt.timedelta(seconds=1), until=now + dt.timedelta(minutes=1))
    assert (found.champion.n_requests, found.challenger.n_requests, found.challenger.n_errors) == (40, 41, 1)
    assert (found.pairs.n_rows, found.pairs.n_differ) == (120, 0)
    assert found.quality is not None and found.quality.n_rows == 80 and found.quality.value == 0
    assert found.champion.predictions == found.challenger.predictions == (80, 40)
    empty = observe(log, mode="canary", since=now + dt.timedelta(hours=1), until=now + dt.timedelta(hours=2))
    assert empty.champion.n_requests == 0


def test_classes_that_are_numbers_meet_their_labels() -> None:
    log = Log()
    log.add("r", "champion", ["1"] * 60)
    log.add("r", "shadow", ["1"] * 30 + ["0"] * 30)
    log.truth = {f"r.{n}": 1.0 for n in range(60)}
    quality = seen(log, "shadow").quality
    assert quality.value == -0.5
