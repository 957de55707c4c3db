"""What to do about what a detector gets wrong, derived from its figures."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import NamedTuple

from palio.core.records import Fault, Finds
from palio.core.words import counted
from palio.report import scenes
from palio.report.facts import ReportFacts
from palio.report.rounding import count, number, of_hundred
from palio.report.words import quoted

FEW = 30
"""Things of a size of which fewer say too little."""
COSTLY = 0.02
"""Of average precision: what costs less is no matter for advice."""
MANY = 5
"""Faults of a kind of which fewer may be chance."""


class Remedy(NamedTuple):
    """One thing to do, and the figure that it stands on."""

    do: str
    why: str


def remedies(facts: ReportFacts) -> Iterator[Remedy]:
    """List what helps against what a detector gets wrong, the costliest first; nothing of other models."""
    finds = facts.evaluation.finds
    if finds is None:
        return
    yield from _threshold(finds)
    yield from _sizes(facts, finds)
    for fault in finds.faults:
        if (fault.cost or 0.0) >= COSTLY and fault.n >= MANY:
            yield from _against(facts, finds, fault)


def _threshold(finds: Finds) -> Iterator[Remedy]:
    """Say what to do where showing no box at all would make no more mistakes."""
    if not finds.n_boxes or finds.n_false < finds.n_found:
        return
    n_rows = finds.alarmed.n_rows
    total = {one.threshold: (1 - one.found) * finds.n_boxes + one.false_alarms * n_rows for one in finds.levels}
    best = min(total, key=lambda one: total[one], default=1.0)
    why = (
        f"From the threshold {number(finds.threshold, digits=2)} on it shows {counted(finds.n_found, 'box')} rightly"
        f" and {count(finds.n_false)} wrongly"
    )
    if best > finds.threshold and total[best] < finds.n_boxes:
        yield Remedy(
            "Ask for a higher threshold, or say in [value] what a miss and a false alarm cost, and train again.",
            f"{why}; from {number(best)} on there would be {count(round(total[best]))} mistakes instead of"
            f" {count(finds.n_boxes - finds.n_found + finds.n_false)}.",
        )
    else:
        yield Remedy("Let it learn longer, or bring more pictures: at no threshold is it of use yet.", f"{why}.")


def _sizes(facts: ReportFacts, finds: Finds) -> Iterator[Remedy]:
    """Compare the size that is found least with the one that is found best."""
    known = [one for one in finds.sizes if one.n_boxes >= FEW]
    if len(known) < 2:
        return
    worst, best = (pick(known, key=lambda one: one.found.value) for pick in (min, max))
    if worst.found.high >= best.found.low:
        return
    title, span = scenes.SIZES[worst.size]
    sight, side = facts.evaluation.sight, ""
    if sight is not None:
        side = f" (it sees {sight.reading.size} × {sight.reading.size} pixels)"
    what = f"{title.lower()} {scenes.things(facts)} ({span})"
    do = {
        "small": f"Show it pictures larger{side}, cut large ones into tiles, or bring more with {what}.",
        "large": f"Bring more pictures with {what}.",
    }.get(worst.size, f"Bring more pictures with {what}.")
    yield Remedy(
        do,
        f"Of 100 {title.lower()} ones it finds {of_hundred(worst.found)}, of 100 {scenes.SIZES[best.size][0].lower()}"
        f" ones {of_hundred(best.found)}.",
    )


def _against(facts: ReportFacts, finds: Finds, fault: Fault) -> Iterator[Remedy]:
    cost = f"{scenes.FAULTS[fault.kind][0]}: it costs {fault.cost or 0.0:.3f} of AP50"
    found = f"{counted(fault.n, scenes.FAULTS[fault.kind][1])} in {counted(fault.n_pictures, 'picture')}"
    why = f"{cost} ({found})."
    if fault.kind == "background":
        yield Remedy(
            "Look at the false alarms above, the surest first: draw the boxes that are missing; of what is really none,"
            " bring pictures like these, without boxes.",
            why,
        )
    elif fault.kind == "missed" and finds.n_unsure >= fault.n / 2:
        yield Remedy(
            "Take a lower threshold, if misses cost more than false alarms: the table says what others would do.",
            f"{count(finds.n_unsure)} of {count(fault.n)} missed ones are seen, but not surely enough.",
        )
    elif fault.kind == "missed":
        yield Remedy("Look at what was missed, above, and bring more pictures like these.", why)
    elif fault.kind == "place":
        yield Remedy(
            "Look how tightly boxes are drawn, and draw them by one rule; if they are, let it learn longer.", why
        )
    elif fault.kind in ("class", "both"):
        yield Remedy(f"{_confused(facts)} Look at their labels first.", why)
    elif fault.kind == "double":
        yield Remedy("Look whether some things are drawn twice, or groups as one: mark crowds as ignored.", why)


def _confused(facts: ReportFacts) -> str:
    """Name the two classes that are most often taken for each other."""
    table, classes = facts.evaluation.confusion, facts.task.classes
    pairs = [(table[a][b], a, b) for a, b in permutations(range(len(classes)), 2)] if table else []
    n, there, said = max(pairs, default=(0, 0, 0))
    if not n:
        return "Bring more pictures of classes that look alike."
    one, other = quoted(classes[there], limit=24), quoted(classes[said], limit=24)
    return (
        f"Bring more pictures of {one} and {other} ({n} {one} {'was' if n == 1 else 'were'} taken for {other}), or make"
        " one class of them if nobody needs them apart."
    )
