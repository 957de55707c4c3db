from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from palio import split, train

Prepare = Callable[..., Any]


def test_a_few_hundred_rows_and_ten_of_each_class_are_enough(prepare: Prepare) -> None:
    ready = prepare("cancer")
    first = len(ready.store.blobs.get(ready.parts.assignment)) - 100
    few = split.newest_only(ready.store, ready.parts, first)
    assert train.is_enough(ready.store, ready.snapshot, ready.parts, ready.task)
    assert not train.is_enough(ready.store, ready.snapshot, few, ready.task)
    rare = msgspec.structs.replace(ready.task, classes=(*ready.task.classes, "never seen"))
    assert not train.is_enough(ready.store, ready.snapshot, ready.parts, rare)


def test_a_draw_goes_to_all_rows_and_what_nobody_can_tell_is_said(prepare: Prepare) -> None:
    ready = prepare("diabetes", n_columns=10)
    asked = {"task": ready.task, "trials": 3, "engine": "inline", "families": ("linear",)}
    good = train.search(ready.store, ready.snapshot, ready.parts, **asked)
    cuts: dict[str, Any] = {"task": ready.task, "first_row": 0}
    both = (ready.parts, good)
    draw = train.prefer(ready.store, ready.snapshot, whole=both, newest=both, **cuts)
    assert not draw.is_newest and draw.reason.startswith("It learned from all rows: newest alone against all rows")
    late = ready.snapshot.n_rows - 10
    unknown = train.prefer(ready.store, ready.snapshot, whole=both, newest=both, task=ready.task, first_row=late)
    assert not unknown.is_newest and unknown.reason.startswith("Too few newest rows")


def test_beyond_chance_the_newest_alone_are_preferred(prepare: Prepare) -> None:
    poor, ready = prepare("diabetes", n_columns=1, place="poor"), prepare("diabetes", n_columns=10)
    asked = {"trials": 3, "engine": "inline", "families": ("linear",)}
    weak = train.search(poor.store, poor.snapshot, poor.parts, task=poor.task, **asked)
    good = train.search(ready.store, ready.snapshot, ready.parts, task=ready.task, **asked)
    kept = next(run.answers for run in weak.runs if run.id == weak.chosen)
    assert kept is not None
    ready.store.blobs.put(poor.store.blobs.get(kept))
    sides = {"whole": (ready.parts, weak), "newest": (ready.parts, good), "task": ready.task, "first_row": 0}
    found = train.prefer(ready.store, ready.snapshot, **sides)
    assert found.is_newest and found.reason.startswith("It learned from the newest rows alone"), found.reason
    sides |= {"whole": (ready.parts, good), "newest": (ready.parts, weak)}
    assert not train.prefer(ready.store, ready.snapshot, **sides).is_newest
