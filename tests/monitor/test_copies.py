"""Copies of a row count once, unless rows are alike by nature."""

from __future__ import annotations

import datetime as dt

import numpy as np

from palio.monitor.copies import MOST_KNOWN, Nature
from tests.monitor.test_reviewing import Served, judged, subject

X = "input.x"


def fresh_in(nature: Nature, *batches: dict[str, np.ndarray]) -> list[int]:
    copies = nature.watch()
    return [int(copies.fresh(nature.marks(one, len(one[X]))).sum()) for one in batches]


def test_rows_that_hardly_repeat_are_copies_when_they_do() -> None:
    chance = np.random.default_rng(0)
    nature = Nature({X: chance.normal(size=3_000)}, [X])
    rows = {X: chance.normal(size=400)}
    assert fresh_in(nature, rows, rows, {X: np.repeat(rows[X], 3)}) == [400, 0, 0]
    assert fresh_in(nature, {X: np.full(5_000, 1.5)}) == [1], "a probe"
    assert nature.most <= MOST_KNOWN


def test_rows_that_are_alike_by_nature_are_rows() -> None:
    chance = np.random.default_rng(1)
    nature = Nature({X: chance.integers(0, 6, 3_000).astype(float)}, [X])
    assert fresh_in(nature, {X: chance.integers(0, 6, 900).astype(float)}) == [900]


def test_a_mixture_keeps_its_shares_when_all_of_it_is_asked_again() -> None:
    chance = np.random.default_rng(2)

    def mixed(n: int) -> np.ndarray:
        return np.where(chance.random(n) < 0.3, 0.0, chance.normal(size=n))

    nature, rows = Nature({X: mixed(3_000)}, [X]), {X: mixed(500)}
    counts = fresh_in(nature, *[rows] * 12)
    n_empty = int((rows[X] == 0).sum())
    assert counts[0] == 500 and 0 <= sum(counts) - 500 <= n_empty


def test_rows_whose_inputs_were_not_kept_are_rows_of_their_own() -> None:
    nature = Nature({X: np.random.default_rng(3).normal(size=900)}, [X])
    assert fresh_in(nature, {X: np.full(50, np.nan)}) == [50]
    copies = nature.watch()
    assert copies.fresh(nature.marks({"other": np.zeros(7)}, 7)).all()


def test_rows_that_lack_what_tells_them_apart_are_no_copies_of_each_other() -> None:
    chance = np.random.default_rng(4)

    def rows(n: int, price: float | None = None) -> dict[str, np.ndarray]:
        prices = chance.normal(size=n) if price is None else np.full(n, price)
        return {X: prices, "input.region": chance.choice(np.array(["north", "south"], object), n)}

    nature = Nature(rows(900), [X, "input.region"])
    assert fresh_in(nature, rows(400, np.nan)) == [400], "all prices are missing: they may be any rows"
    assert fresh_in(nature, rows(400, 1.5)) == [2], "two probes"
    without = rows(300)
    without["input.region"] = np.full(300, "", object)
    assert fresh_in(nature, without, without) == [300, 0], "prices alone tell them apart"


def test_the_same_rows_every_hour_neither_alarm_nor_lend_confidence() -> None:
    champion, log = subject(), Served()
    log.day(9, 300, labelled=True)
    for turn in range(11):
        again = {name: values.copy() for name, values in log.batches[0].items()}
        again["id"] = np.array([f"{turn}-{name}" for name in again["id"].tolist()], object)
        log.batches.append(again)
    found, once = judged(log, champion), judged_once(champion)
    window = found.windows[-1]
    assert (window.n_rows, window.n_distinct) == (3_600, 300)
    assert found.findings == () and found.verdict == "good" and "300 of them different" in found.text
    width = {one.metric: one.value.high - one.value.low for one in window.estimates}
    assert width == {one.metric: one.value.high - one.value.low for one in once.estimates}
    assert window.outcomes and window.outcomes == once.outcomes


def test_labels_for_half_of_a_few_rows_that_come_every_hour_are_not_called_selective() -> None:
    champion, log = subject(), Served()
    log.day(9, 50, labelled=True)
    sure = log.batches[0]["probability_yes"] > np.median(log.batches[0]["probability_yes"])
    log.labels[0] = {name: values[sure] for name, values in log.labels[0].items()}
    for turn in range(11):
        for held in (log.batches, log.labels):
            ids = np.array([f"{turn}-{name}" for name in held[0]["id"].tolist()], object)
            held.append({**held[0], "id": ids})
    found = judged(log, champion, labels_after=dt.timedelta(0))
    assert found.windows[-1].is_ripe and found.windows[-1].n_labels == 12 * 25
    assert "selective_labels" not in {one.kind for one in found.findings}


def judged_once(champion):  # type: ignore[no-untyped-def]
    log = Served()
    log.day(9, 300, labelled=True)
    return judged(log, champion).windows[-1]
