"""A segment is held against itself: what was always hard is no news, what got harder is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palio import measure
from palio.core.monitoring import Kpi, Reference, Review
from palio.core.records import Deployment
from palio.monitor import Estimator, Subject
from palio.report.remedies import next_steps
from tests.monitor.test_reviewing import NOW, TASK, Columns, Served, _moments, judged

PLACES = np.array(["north", "south", "islet"], object)
KNOWN = ("", "place = north", "place = south")
PROFIT = Kpi(name="profit", cells={"yes -> yes": 10.0, "no -> yes": -4.0})


def answered(n_rows: int, seed: int, *, harder: float = 0.0) -> tuple[Columns, Any]:
    """Answer rows of two places, the south with other rows that are hard to tell, and of one that nobody knows."""
    chance = np.random.default_rng(seed)
    place = chance.choice(3, n_rows, p=[0.6, 0.395, 0.005])
    x = chance.normal(np.array([0.0, 0.8, 0.0])[place], 1)
    p = 1 / (1 + np.exp(-2 * x))
    flips = np.array([0.02, 0.3 + harder, 0.02])[place]
    truth = np.where((x > 0) ^ (chance.random(n_rows) < flips), "yes", "no").astype(object)
    said = np.where(p > 0.5, "yes", "no").astype(object)
    return {
        "input.x": x, "input.place": PLACES[place], "prediction": said, "probability_yes": p, "probability_no": 1 - p,
    }, truth  # fmt: skip


@pytest.fixture(scope="module")
def champion() -> Subject:
    cells, truth = answered(6000, 0)
    blocks = np.arange(6000).reshape(8, 750)
    rows = {**cells, "truth": truth, "block": np.repeat(np.arange(8), 750)}
    columns = (
        measure.number_column("x", cells["input.x"], blocks=blocks),
        measure.category_column("place", cells["input.place"], blocks=blocks),
        measure.category_column("prediction", cells["prediction"], blocks=blocks, role="answer"),
        measure.number_column("probability_yes", cells["probability_yes"], blocks=blocks, role="answer"),
    )
    reference = Reference(n_rows=6000, n_scored=6000, in_time_order=False, columns=columns)
    return Subject(Deployment(model="m", version=1, bundle="1" * 64), TASK, reference, rows, Estimator(rows, TASK))


class Places(Served):
    def day(self, number: int, n_rows: int = 1500, *, harder: float = 0.0, share: float = 1.0) -> None:  # type: ignore[override]
        cells, truth = answered(n_rows, 900 + number, harder=harder)
        ids = np.array([f"1-{number}-{row}.0" for row in range(n_rows)], object)
        fixed = {"role": "champion", "bundle": "1" * 64, "version": "1", "key": "", "flags": ""}
        at = _moments(number, n_rows)
        batch = {
            "id": ids, "at": at, **{name: np.full(n_rows, text, object) for name, text in fixed.items()},
            "n_rows": np.ones(n_rows, int), "latency_us": np.full(n_rows, 900.0), **cells,
        }  # fmt: skip
        kept = (cells["input.place"] != "south") | (np.random.default_rng(number).random(n_rows) < share)
        self.batches.append({name: values[kept] for name, values in batch.items()})
        nothing, later = np.full(n_rows, "", object), at + np.timedelta64(3600, "s")
        self.labels.append(
            {"id": ids, "key": nothing, "at": later, "received": later, "label": truth, "values": nothing,
             "number": np.full(n_rows, np.nan)}
        )  # fmt: skip


def reviewed(champion: Subject, **last: float) -> Review:
    log = Places()
    for number in range(10):
        log.day(number, **(last if number >= 7 else {}))
    return judged(log, champion, segments=("place",), kpis=(PROFIT,))


def test_a_place_that_was_always_hard_is_no_news(champion: Subject) -> None:
    found = reviewed(champion)
    assert (found.verdict, found.findings) == ("good", ())
    newest = {one.segment: one for one in found.windows if one.until == NOW}
    expected = {name: {one.metric: one.reference for one in newest[name].outcomes}["accuracy"] for name in KNOWN}
    assert expected["place = north"] > expected[""] > expected["place = south"], "each against itself"
    assert {one.column for one in newest["place = south"].drift} == {"x", "prediction", "probability_yes"}
    for name in KNOWN[1:]:
        probably = {one.metric: one.value for one in newest[name].estimates}["accuracy"]
        really = {one.metric: one.value for one in newest[name].outcomes}["accuracy"]
        assert probably.low < really.value < probably.high
        assert newest[name].kpis[0].reference is not None


def test_what_got_harder_is_found_and_named(champion: Subject) -> None:
    found = reviewed(champion, harder=0.15)
    pages = [one for one in found.findings if one.severity == "page" and one.segment]
    assert {one.segment for one in pages} == {"place = south"}
    assert any("place = south" in one.do for one in next_steps(found))


def test_nothing_is_said_where_the_reference_has_too_few_rows(champion: Subject) -> None:
    found = reviewed(champion)
    assert list(found.unknown_segments) == ["place = islet"] and found.unknown_segments["place = islet"] < 100


def test_a_place_that_falls_silent_is_seen(champion: Subject) -> None:
    found = reviewed(champion, share=0.02)
    assert ("volume", "place = south") in {(one.kind, one.segment) for one in found.findings}
