"""What a detector gets wrong comes with what helps, and with the figure that it stands on."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from palio.core.records import Fault, Level, SizeScore
from palio.report import ReportFacts
from palio.report.advice import advise
from palio.report.box_advice import remedies
from tests.report.test_scenes import seen, share, some_finds

__all__ = ["seen"]


def with_finds(facts: ReportFacts, **changes: Any) -> ReportFacts:
    finds = msgspec.structs.replace(some_finds(), **changes)
    return msgspec.structs.replace(facts, evaluation=msgspec.structs.replace(facts.evaluation, finds=finds))


def fault(kind: str, n: int = 9, cost: float = 0.05) -> tuple[Fault, ...]:
    return (Fault(kind=kind, n=n, n_pictures=n, cost=cost),)  # type: ignore[arg-type]


def test_small_things_that_are_found_less_ask_for_larger_pictures(seen: ReportFacts) -> None:
    sizes = tuple(SizeScore(size=one, n_boxes=80, found=share(p)) for one, p in (("small", 0.6), ("large", 0.9)))  # type: ignore[arg-type]
    (first, *_) = remedies(with_finds(seen, sizes=sizes, faults=()))
    assert "320 × 320 pixels" in first.do and "60 ± 3" in first.why and "90 ± 3" in first.why
    few = tuple(msgspec.structs.replace(one, n_boxes=9) for one in sizes)
    alike = tuple(SizeScore(size=one.size, n_boxes=80, found=share(0.8)) for one in sizes)
    for others in (few, alike, sizes[:1]):
        assert not list(remedies(with_finds(seen, sizes=others, faults=())))


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("background", "boxes that are missing"),
        ("missed", "Look at what was missed"),
        ("place", "tightly"),
        ("class", "look alike"),
        ("double", "drawn twice"),
    ],
)
def test_each_kind_of_error_has_a_remedy_once_it_costs_something(seen: ReportFacts, kind: str, word: str) -> None:
    facts = with_finds(seen, sizes=(), faults=fault(kind), n_unsure=0)
    (one,) = remedies(facts)
    assert word in one.do and "0.050 of AP50" in one.why
    assert one.do in [advice.do for advice in advise(facts)]
    assert not list(remedies(with_finds(seen, sizes=(), faults=fault(kind, n=2))))
    assert not list(remedies(with_finds(seen, sizes=(), faults=fault(kind, cost=0.001))))


def test_what_is_seen_but_not_surely_asks_for_another_threshold(seen: ReportFacts) -> None:
    (one,) = remedies(with_finds(seen, sizes=(), faults=fault("missed"), n_unsure=7))
    assert "lower threshold" in one.do and "7 of 9" in one.why


def test_a_threshold_that_does_more_harm_than_good_is_advised_against(seen: ReportFacts) -> None:
    levels = (Level(threshold=0.3, found=0.6, false_alarms=1.5), Level(threshold=0.6, found=0.4, false_alarms=0.1))
    worse = with_finds(seen, sizes=(), faults=(), threshold=0.3, n_found=120, n_false=150, levels=levels)
    (one,) = remedies(worse)
    assert "higher threshold" in one.do and "120 boxes rightly and 150 wrongly" in one.why
    assert "from 0.6 on there would be 130 mistakes instead of 230" in one.why
    (none,) = remedies(
        with_finds(seen, sizes=(), faults=(), threshold=0.3, n_found=120, n_false=150, levels=levels[:1])
    )
    assert "at no threshold is it of use yet" in none.do
    assert not list(remedies(with_finds(seen, sizes=(), faults=(), n_found=120, n_false=110, levels=levels)))


def test_classes_that_are_taken_for_each_other_are_named(seen: ReportFacts) -> None:
    facts = with_finds(seen, sizes=(), faults=fault("class"))
    task = msgspec.structs.replace(facts.task, classes=("cat", "dog", "fox"))
    table = ((9, 1, 0, 2), (0, 9, 7, 0), (1, 0, 9, 0), (0, 0, 0, 0))
    evaluation = msgspec.structs.replace(facts.evaluation, confusion=table)
    (one,) = remedies(msgspec.structs.replace(facts, task=task, evaluation=evaluation))
    assert "7 “dog” were taken for “fox”" in one.do.replace("\u2068", "").replace("\u2069", "")


def test_other_models_have_none_of_these(bank: ReportFacts) -> None:
    assert not list(remedies(bank))
