"""Try lighter graphs of a network that is too large or too slow, in half floats and in integers: at what price?

They are candidates like others. Nothing is taught again: the graph of the network is written with smaller numbers, and
scored on the rows that it had not seen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from palio import measure, model
from palio.core.records import Parity, Precision
from palio.train.choice import breach
from palio.train.examples import Array, Examples
from palio.train.family import Family
from palio.train.field import Field
from palio.train.orders import Outcome
from palio.train.race import HOPELESS_SHARE, Candidate
from palio.train.work import COST_ROWS, is_taught, line_of, numbers_of, score_numbers

MOST_LOST = 0.01
"""Of the average precision at half an overlap, that boxes may lose."""
SETTING = "precision"
"""Setting of a candidate whose graph was written with smaller numbers."""


def lighter(field: Field, candidates: Mapping[int, Candidate]) -> dict[int, Candidate]:
    """Return candidates to add: the best network in half floats and in integers, where it breaks a limit as it is.

    What loses too much of what the network gains over the constant answer is left out, and so is what is no lighter.
    """
    one = _too_heavy(field, candidates)
    if one is None:
        return {}
    from palio.train.deep.lighter import LIGHTER

    fold = max(one.answers)
    rows = field.lesson.rows[f"score {fold}"]
    learned = field.lesson.take(f"learn {fold}")
    floor = next((each.mean((fold,)) for each in candidates.values() if each.family == "dummy"), None)
    found: dict[int, Candidate] = {}
    for precision in LIGHTER:
        number = max(candidates) + 1 + len(found)
        try:
            made = _tried(field, one, precision, fold, rows, learned)
        except Exception as error:  # noqa: BLE001 - what the tools that write it raise; the network stays as it is
            field.progress.say(f"{one.family} in {precision} could not be written: {line_of(error)}.")
            continue
        told = _told(field, one, made, precision, fold)
        if _loses_too_much(field, one, made, fold, floor):
            field.progress.say(f"{told}: too much is lost.")
            continue
        field.progress.say(f"{told}.")
        found[number] = dataclasses.replace(made, number=number)
    return found


def precision_of(one: Candidate) -> Precision | None:
    """Return what the graph of a candidate is written in, if not as it was taught."""
    return (one.params or one.asked).get(SETTING)


def lightened(field: Field, outcome: Outcome, precision: Precision, family: Family) -> Outcome:
    """Return what came of a last fit with the graph in smaller numbers; what is checked are that graph's answers."""
    from palio.train.deep.lighter import lightened as written
    from palio.train.work import checked_rows

    examples = field.lesson.examples
    graph = written(outcome.graph, precision, examples)
    classes = field.terms.task.classes
    rows = checked_rows(examples, [family])
    answers = numbers_of(model.Graph(graph, threads=2).predict(rows.feeds()), classes)
    before = answers if outcome.checked is None or outcome.checked.shape != answers.shape else outcome.checked
    told = Parity(
        path=f"graph in float32 and in {precision}",
        rows=len(answers),
        max_abs_diff=float(np.abs(answers - before).max()),
        n_label_diffs=int((answers.argmax(1) != before.argmax(1)).sum()) if answers.ndim == 2 else 0,
        tolerance=1.0,  # what it costs in the metric was measured when it was chosen
        passed=bool(np.isfinite(answers).all()),
    )
    return replace(outcome, graph=graph, checked=answers, parity=(*outcome.parity, told))


def _too_heavy(field: Field, candidates: Mapping[int, Candidate]) -> Candidate | None:
    """Return the best network if it breaks a limit, and is better than all that break none."""
    fit = [one for one in candidates.values() if one.graph and one.answers and one.mean() is not None]
    ranked = sorted(fit, key=lambda one: (-field.terms.sign * (one.mean() or 0.0), one.number))
    for one in ranked:
        if not breach(one.cost, field.limits):
            return None
        if _is_network(field.families[one.family]) and all(parity.passed for parity in one.parity):
            return one
    return None


def _is_network(family: Family) -> bool:
    return is_taught(family) or getattr(family, "is_network", False)


def _tried(field: Field, one: Candidate, precision: Precision, fold: int, rows: Array, learned: Examples) -> Candidate:
    from palio.train.deep.lighter import lightened as written

    graph, examples = written(one.graph, precision, learned), field.lesson.examples
    runner, scored = model.Graph(graph), examples.take(rows)
    answers = numbers_of(runner.predict(scored.feeds()), field.terms.task.classes)
    names = field.terms.metrics
    blocks = [np.arange(len(rows))[start :: field.n_blocks] for start in range(field.n_blocks)]
    task, truth = field.terms.task, scored.target
    found = [score_numbers(task, truth[block], answers[block], names=names) for block in blocks]
    cost = model.measure_cost(
        runner, examples.take(np.arange(min(COST_ROWS, len(examples.target)))).feeds(), n_calls=200, time_limit_s=0.3
    )
    return dataclasses.replace(
        one,
        params=(one.params or one.asked) | {SETTING: precision},
        scores=one.scores | {fold: tuple(each.get(names[0], np.nan) for each in found)},
        ties=one.ties | {fold: tuple(each.get(names[1], np.nan) for each in found)},
        answers=one.answers | {fold: answers.astype(np.float32)},
        graph=graph,
        cost=cost,
        seconds=0.0,
        besides_s=0.0,
    )


def _loses_too_much(field: Field, one: Candidate, made: Candidate, fold: int, floor: float | None) -> bool:
    before, after = one.mean((fold,)), made.mean((fold,))
    if before is None or after is None:
        return True
    if field.terms.task.kind == "detection":  # by the metric that asks whether things are found at all
        ties = [float(np.nanmean(each.ties[fold])) for each in (one, made)]
        if ties[0] - ties[1] > MOST_LOST:
            return True
    gain = abs(before - floor) if floor is not None else abs(before)
    return field.terms.sign * (before - after) > HOPELESS_SHARE * gain


def _told(field: Field, one: Candidate, made: Candidate, precision: Precision, fold: int) -> str:
    """Say what smaller numbers cost and bring."""
    before, after = one.mean((fold,)) or 0.0, made.mean((fold,)) or 0.0
    figures = f"{measure.figure(after)} ({measure.figure(before)} as taught)"
    said = f"{one.family} in {precision}: {field.terms.metric} {figures}"
    if one.cost is None or made.cost is None:
        return said
    return (
        f"{said}, {made.cost.size_mb:.3g} MB ({one.cost.size_mb:.3g}), "
        f"{made.cost.latency_ms_p99:.3g} ms at p99 ({one.cost.latency_ms_p99:.3g})"
    )
