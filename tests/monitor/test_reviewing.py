"""A model whose world is known: calm, moved, turned around, silent, failing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np
import pytest

from palio import measure
from palio.core.monitoring import Finding, Kpi, Reference, Review
from palio.core.records import Deployment, Task
from palio.monitor import Estimator, Subject, Watching, review
from palio.truth import Truths

Columns = dict[str, Any]
DAY = dt.timedelta(days=1)
NOW = dt.datetime(2026, 5, 21, tzinfo=dt.UTC)
TASK = Task(kind="classification", target="y", classes=("no", "yes"), positive="yes", metric="roc_auc")
PRICE = Task(kind="regression", target="price", metric="rmse")


def answered(n_rows: int, seed: int, *, shift: float = 0.0, task: Task = TASK) -> tuple[Columns, Any]:
    """Answer rows of a world that the model knows, and return them with their truth."""
    rng = np.random.default_rng(seed)
    x = rng.normal(shift, 1, n_rows)
    cells: Columns = {"input.x": x, "input.place": rng.choice(np.array(["north", "south"], object), n_rows)}
    if task.kind == "regression":
        return cells | {"prediction": 3 * x}, 3 * x + rng.normal(0, 1, n_rows)
    p = 1 / (1 + np.exp(-2 * x))
    said = np.where(p > 0.5, "yes", "no").astype(object)
    truth = np.where(rng.random(n_rows) < p, "yes", "no").astype(object)
    return cells | {"prediction": said, "probability_yes": p, "probability_no": 1 - p}, truth


def subject(version: int = 1, task: Task = TASK) -> Subject:
    cells, truth = answered(6000, 0, task=task)
    blocks = np.arange(6000).reshape(8, 750)
    rows = {**cells, "truth": truth, "block": np.repeat(np.arange(8), 750)}
    columns = [
        measure.number_column("x", cells["input.x"], blocks=blocks),
        measure.category_column("place", cells["input.place"], blocks=blocks),
    ]
    if task.kind == "classification":
        yes = measure.number_column("probability_yes", cells["probability_yes"], blocks=blocks, role="answer")
        columns += [measure.category_column("prediction", cells["prediction"], blocks=blocks, role="answer"), yes]
    else:
        columns.append(measure.number_column("prediction", cells["prediction"], blocks=blocks, role="answer"))
    reference = Reference(n_rows=6000, n_scored=6000, in_time_order=False, columns=tuple(columns))
    deployment = Deployment(model="m", version=version, bundle=f"{version}" * 64)
    return Subject(deployment, task, reference, rows, Estimator(rows, task))


@pytest.fixture(scope="module")
def champion() -> Subject:
    return subject()


class Served:
    """A log in memory, with its labels."""

    def __init__(self) -> None:
        self.batches: list[Columns] = []
        self.failed: list[Columns] = []
        self.labels: list[Columns] = []

    def day(
        self, number: int, n_rows: int = 1500, *, version: int = 1, shift: float = 0.0, flip: float = 0.0,
        labelled: bool = False, task: Task = TASK, rename: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        cells, truth = answered(n_rows, 700 + 20 * version + number, shift=shift, task=task)
        at = _moments(number, n_rows)
        ids = np.array([f"{version}-{number}-{row}.0" for row in range(n_rows)], object)
        fixed = {"role": "champion", "bundle": f"{version}" * 64, "version": f"{version}", "key": "", "flags": ""}
        self.batches.append(
            {"id": ids, "at": at, **{name: np.full(n_rows, text, object) for name, text in fixed.items()},
             "n_rows": np.ones(n_rows, int), "latency_us": np.full(n_rows, 900.0), **cells}
        )  # fmt: skip
        if not labelled:
            return
        if task.kind == "classification":
            turned = np.random.default_rng(number).random(n_rows) < flip
            truth = np.where(turned, np.where(truth == "yes", "no", "yes"), truth)
            truth = np.array([(rename or {}).get(label, label) for label in truth.tolist()], object)
        numbers = truth if task.kind == "regression" else np.full(n_rows, np.nan)
        later = at + np.timedelta64(3600, "s")
        self.labels.append(
            {"id": ids, "key": np.full(n_rows, "", object), "at": later, "received": later,
             "label": np.full(n_rows, "", object) if task.kind == "regression" else truth,
             "number": numbers, "values": np.full(n_rows, "", object)}
        )  # fmt: skip

    def failures(self, since: dt.datetime, until: dt.datetime) -> Iterable[Columns]:
        return self.failed

    def answers(self, since: dt.datetime, until: dt.datetime) -> Iterable[Columns]:
        return self.batches

    def fail(self, number: int, n_rows: int, status: int = 500) -> None:
        cells = {"bundle": "1" * 64, "reason": "boom", "role": "champion"}
        self.failed.append(
            {"at": _moments(number, n_rows), "status": np.full(n_rows, status),
             **{name: np.full(n_rows, text, object) for name, text in cells.items()}}
        )  # fmt: skip


def _moments(number: int, n_rows: int) -> Any:
    begin = np.datetime64((NOW - (10 - number) * DAY).replace(tzinfo=None), "us")
    return begin + (np.arange(n_rows) * (86_400_000_000 // n_rows)).astype("timedelta64[us]")


def judged(log: Served, *subjects: Subject, **settings: Any) -> Review:
    watching = Watching(**({"window": DAY, "since": NOW - 10 * DAY, "min_rows": 200} | settings))
    return review(log, Truths(log.labels), subjects, watching, now=NOW)


def kinds(found: Iterable[Finding], *severities: str) -> set[str]:
    return {one.kind for one in found if not severities or one.severity in severities}


def test_a_calm_world_is_good(champion: Subject) -> None:
    log = Served()
    for number in range(10):
        log.day(number, labelled=number < 8)
    found = judged(log, champion)
    assert (found.verdict, found.findings) == ("good", ())
    assert len(found.windows) == 10 and [one.n_labels for one in found.windows] == [1500] * 8 + [0] * 2
    assert [one.is_ripe for one in found.windows] == [True] * 8 + [False] * 2
    newest = {one.metric: one for one in found.windows[-1].estimates}
    real = {one.metric: one for one in found.windows[7].outcomes}
    assert newest["roc_auc"].value.value == pytest.approx(real["roc_auc"].value.value, abs=0.03)
    assert newest["roc_auc"].error is not None and newest["roc_auc"].error < 0.02
    assert found.stream is not None and found.stream.n_rows == 12_000 and found.stream.changes == ()
    assert found.text.startswith("Nothing needs you: version 1 has answered 1,500 rows since 20 May; roc_auc on 18 May")


def test_truths_about_answers_before_this_time_are_not_called_lost(champion: Subject) -> None:
    log = Served()
    for number in range(10):
        log.day(number, 300, labelled=True)
    before, never = ({name: values.copy() for name, values in log.labels[0].items()} for _ in range(2))
    before["at"] = before["received"] = _moments(0, 300)[0] + np.arange(300) * np.timedelta64(9, "s")
    before["id"] = np.array([f"before-{row}.0" for row in range(300)], object)
    log.labels.append(before)
    told = judged(log, champion).truths
    assert told is not None and told.reasons == {} and told.n_met >= 2_900
    never["at"] = never["received"] = _moments(5, 300)
    never["id"] = np.array([f"never-{row}.0" for row in range(300)], object)
    log.labels.append(never)
    told = judged(log, champion).truths
    assert told is not None and told.reasons == {"unknown_id": 300}


def test_what_moved_is_followed_to_when_it_began(champion: Subject) -> None:
    log = Served()
    for number in range(10):
        log.day(number, shift=0.8 if number >= 7 else 0.0)
    found = judged(log, champion)
    drift = next(one for one in found.findings if one.kind == "drift" and one.subject == "x")
    assert drift.n_windows == 3 and drift.since == NOW - 3 * DAY
    assert "probably" in drift.consequence
    assert {"drift", "answer_drift", "joint_drift"} <= kinds(found.findings)
    assert found.verdict in ("look", "act")
    assert not found.text[0].islower() and "(PSI" not in found.text


def test_a_world_that_turned_around_is_a_page(champion: Subject) -> None:
    log = Served()
    for number in range(10):
        log.day(number, labelled=True, flip=0.35 if number >= 6 else 0.0)
    found = judged(log, champion)
    assert found.verdict == "act"
    assert {"quality", "concept_drift"} <= kinds(found.findings, "page")
    assert "estimate_off" in kinds(found.findings), "columns have not moved, so no estimate could know"
    assert not {"drift", "answer_drift"} & kinds(found.findings)
    quality = next(one for one in found.findings if one.kind == "quality" and one.subject == "roc_auc")
    assert quality.n_windows >= 3 and quality.since == NOW - 4 * DAY
    change = next(one for one in found.findings if one.kind == "concept_drift")
    assert abs(change.since - (NOW - 4 * DAY)) < DAY / 2


def test_labels_that_the_model_does_not_know_are_told(champion: Subject) -> None:
    log = Served()
    for number in range(10):
        log.day(number, labelled=True, rename={"yes": "maybe"} if number >= 8 else None)
    found = judged(log, champion, labels_after=DAY / 24)
    assert ("classes", "maybe") in {(one.kind, one.subject) for one in found.findings}
    assert ("classes", "yes") in {(one.kind, one.subject) for one in found.findings}, "it no longer comes"


def only(log: Served, label: str) -> None:
    """Keep the truths of one class alone."""
    for place, batch in enumerate(log.labels):
        rows = batch["label"] == label
        log.labels[place] = {name: values[rows] for name, values in batch.items()}


def test_truths_of_one_class_alone_say_nothing_of_quality(champion: Subject) -> None:
    log = Served()
    for number in range(10):
        log.day(number, 400, labelled=True)
    only(log, "yes")
    found = judged(log, champion, labels_after=DAY / 24)
    assert kinds(found.findings) == {"selective_labels"} and found.stream is None
    assert "`no` for none of the" in found.findings[0].reason and not any(one.is_ripe for one in found.windows)


def test_a_class_that_really_vanished_is_told_where_all_truths_came(champion: Subject) -> None:
    log = Served()
    for number in range(10):
        log.day(number, 400, labelled=True, rename={"no": "yes"})
    found = judged(log, champion, labels_after=DAY / 24)
    assert ("classes", "no") in {(one.kind, one.subject) for one in found.findings}
    assert "quality" in kinds(found.findings)


def test_windows_whose_truths_are_still_coming_do_not_clear_a_class_that_vanished(champion: Subject) -> None:
    log = Served()
    for number in range(10):
        log.day(number, 400, labelled=number < 8, rename={"no": "yes"})
    found = judged(log, champion)
    assert ("classes", "no") in {(one.kind, one.subject) for one in found.findings}


def test_rows_of_bundles_that_nobody_knows_are_counted(champion: Subject) -> None:
    log = Served()
    for number in range(10):
        log.day(number, 300, version=1 if number < 9 else 7)
    assert judged(log, champion).strangers == {"7" * 64: 300}


def test_a_column_that_grows_slowly_has_no_other_unit(champion: Subject) -> None:
    def told(factors: list[float]) -> set[str]:
        log = Served()
        for number, factor in enumerate(factors):
            log.day(number)
            log.batches[-1]["input.x"] = log.batches[-1]["input.x"] * factor
        return kinds(judged(log, champion).findings)

    assert "unit" in told([1.0] * 8 + [10.0] * 2)
    slowly = told([10 ** (day / 9) for day in range(10)])
    assert "drift" in slowly and "unit" not in slowly


def test_a_server_that_only_fails_is_seen_without_a_single_answer(champion: Subject) -> None:
    log = Served()
    for number in range(9):
        log.day(number)
    log.fail(9, 1200)
    found = judged(log, champion)
    assert "failures" in kinds(found.findings)
    assert found.verdict in ("look", "act")


@pytest.mark.parametrize("status", [400, 422, 503, 500])
def test_a_model_that_never_answered_is_told_from_one_that_nobody_asked(champion: Subject, status: int) -> None:
    log = Served()
    log.fail(9, 300, status)
    found = judged(log, champion)
    assert {"contract", "capacity", "failures"} & kinds(found.findings)
    assert found.verdict in ("look", "act")
    assert judged(Served(), champion).verdict == "unknown"


def test_silence_is_seen(champion: Subject) -> None:
    log = Served()
    for number in range(8):
        log.day(number)
    assert "volume" in kinds(judged(log, champion).findings)


def test_each_version_is_judged_by_its_own_reference(champion: Subject) -> None:
    log, old = Served(), subject(2)
    for number in range(10):
        log.day(number, version=2 if number < 5 else 1)
    found = judged(log, champion, old)
    assert [one.version for one in found.windows] == [2] * 5 + [1] * 5
    assert found.version == 1 and found.verdict == "good"


def test_segments_are_judged_on_their_own(champion: Subject) -> None:
    log = Served()
    for number in range(10):
        log.day(number, labelled=number < 8)
    found = judged(log, champion, segments=("place",))
    segments = {one.segment for one in found.windows}
    assert segments == {"", "place = north", "place = south"}
    newest = {one.segment: one.n_rows for one in found.windows if one.until == NOW}
    assert newest["place = north"] + newest["place = south"] == newest[""] == 1500


def test_few_rows_are_joined_and_say_nothing_below_the_minimum(champion: Subject) -> None:
    log = Served()
    for number in range(10):
        log.day(number, 90)
    found = judged(log, champion)
    assert all(one.n_rows >= 200 for one in found.windows) and sum(one.n_rows for one in found.windows) == 900
    few = Served()
    few.day(9, 40)
    assert judged(few, champion).verdict == "unknown"
    assert judged(Served(), champion).verdict == "unknown"


def test_business_figures_are_followed(champion: Subject) -> None:
    kpis = (Kpi(name="profit", cells={"yes -> yes": 10.0, "no -> yes": -4.0}), Kpi(name="errors", per_error=-1.0))
    log = Served()
    for number in range(10):
        log.day(number, labelled=number < 8, flip=0.3 if number >= 5 else 0.0)
    found = judged(log, champion, kpis=kpis, currency="EUR")
    values = {one.name: one for one in found.windows[0].kpis}
    assert values["profit"].unit == "EUR" and values["profit"].realised is not None
    assert values["profit"].estimated is not None
    assert values["profit"].realised.low < values["profit"].estimated.value < values["profit"].realised.high
    assert "value" in kinds((*found.findings, *found.earlier), "page")


def test_numbers_are_watched_too() -> None:
    log, champion = Served(), subject(task=PRICE)
    for number in range(10):
        log.day(number, labelled=True, task=PRICE)
    found = judged(log, champion)
    assert found.verdict == "good" and found.primary == "rmse"
    window = found.windows[0]
    assert {"mae", "rmse"} <= {one.metric for one in window.estimates} & {one.metric for one in window.outcomes}
    assert found.stream is not None and found.stream.unit > 1


def test_a_bundle_without_a_reference_says_so() -> None:
    log, old = Served(), Subject(Deployment(model="m", version=1, bundle="1" * 64), TASK)
    for number in range(10):
        log.day(number, labelled=True)
    found = judged(log, old)
    assert found.verdict == "unknown" and not found.has_reference
    assert found.windows[0].n_requests == 1500 and found.windows[0].drift == ()


def test_very_many_rows_are_estimated_from_an_even_sample(champion: Subject) -> None:
    log = Served()
    log.day(9, 90_000)
    window = judged(log, champion).windows[-1]
    estimate = next(one for one in window.estimates if one.metric == "roc_auc")
    assert window.n_rows == 90_000 and 20_000 <= estimate.value.n_rows <= 25_000
    assert estimate.value.low < estimate.reference < estimate.value.high


def test_columns_that_hold_nothing_or_one_thing_only_stop_nobody() -> None:
    plain, log = subject(), Served()
    assert plain.rows is not None and plain.reference is not None
    odd = {"gone": np.nan, "still": 3.0, "blank": "", "flag": "a"}

    def filled(name: str, n_rows: int) -> Any:
        return np.full(n_rows, odd[name], object if isinstance(odd[name], str) else float)

    rows = {**plain.rows, **{f"input.{name}": filled(name, 6000) for name in odd}}
    shapes = [
        (measure.category_column if isinstance(odd[name], str) else measure.number_column)(name, filled(name, 6000))
        for name in odd
    ]
    reference = msgspec.structs.replace(plain.reference, columns=(*plain.reference.columns, *shapes))
    for number in range(10):
        log.day(number, labelled=number < 8)
        log.batches[-1] |= {f"input.{name}": filled(name, 1500) for name in odd}
    found = judged(log, Subject(plain.deployment, TASK, reference, rows, Estimator(rows, TASK)), segments=("flag",))
    assert (found.verdict, found.findings) == ("good", ())
