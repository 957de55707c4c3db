"""Carry out one order: fit, score, export. Runs in a worker, or wherever it is called."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from palio import measure, model
from palio.core.errors import PalioError
from palio.core.records import Parity, Task
from palio.train.bounded import bounded
from palio.train.boxes import packed, shown, unpacked
from palio.train.examples import Array, Examples
from palio.train.family import Family, Fitted, OutOfTime, graph_of
from palio.train.lessons import Lesson
from palio.train.orders import Order, Outcome, Word
from palio.train.pace import Pace

if TYPE_CHECKING:
    from palio.train.deep.plan import Teaching

COST_ROWS = 512
"""Rows from which single ones are drawn to measure the latency."""
MAX_CHECKED_ROWS, MAX_CHECKED_BY_NETWORKS = 3_000, 1_000
"""Rows that a graph is held against its library on, at most."""
N_HARD = 2_048
"""Rows that are made to break exports."""
N_GLANCED = 500
"""Rows that the graph of a fold's model is held against its library on."""
PICTURES_PART, NETWORKS_PART = 10, 5
"""Of pictures, and of rows for networks, so much fewer are glanced at, and scored on among what was learned."""
MAX_SEEN_ROWS = 2_000
"""Rows that the score on what was learned is computed on, at most."""
HEAT_PART = 10
"""After a heat so much fewer rows are looked at: what it made serves only where nothing else came to its end."""


def carry_out(
    order: Order, family: Family, lesson: Lesson, pace: Pace, *, tell: Callable[[Word], None] | None = None
) -> Outcome:
    """Do what an order says; whatever goes wrong in a family is told in the outcome.

    Args:
        order: What to do.
        family: Who does it.
        lesson: The rows.
        pace: How fast this machine fits.
        tell: Is told how far a network is.
    """
    family = _followed(family, order, tell)
    if order.limit_s is not None and order.kind != "long":
        pace.warm_up(family, lesson)
    started, cpu = time.perf_counter(), time.process_time()
    deadline = None if order.limit_s is None else time.monotonic() + order.limit_s
    try:
        done = (
            _on_folds(order, family, lesson, pace, deadline)
            if order.folds
            else _on_everything(order, family, lesson, deadline)
        )
    except MemoryError as error:
        done = Outcome(number=order.number, status="failed", reason=f"there was not enough memory ({line_of(error)})")
    except OutOfTime as error:
        done = Outcome(number=order.number, status="late", reason=str(error) or "its time was over")
    except Exception as error:  # noqa: BLE001 - a family may be foreign code; its fault must not end the search
        done = Outcome(number=order.number, status="failed", reason=line_of(error))
    return replace(done, seconds=time.perf_counter() - started, cpu_s=time.process_time() - cpu)


def _followed(family: Family, order: Order, tell: Callable[[Word], None] | None) -> Family:
    """Let a network be followed while it learns, and its state be kept; other families have none."""
    if not is_taught(family):
        return family
    from palio.train.deep.plan import Progress, Teaching

    def say(progress: Progress) -> None:
        told = {name: one for name, one in vars(progress).items() if name not in ("rate", "seconds")}
        if tell is not None:
            tell(Word(number=order.number, **told))

    followed: Family = family.under(Teaching(Path(order.keep) if order.keep else None, say, order.kind == "heat"))  # type: ignore[attr-defined]
    return followed


def _chosen_by(fitted: Fitted) -> Array | None:
    """Return what the rounds of a fit are chosen by: its curve, or what it says itself."""
    found: Array | None = getattr(fitted, "chosen_by", fitted.curve)
    return found


def _of_fold(teaching: Teaching, fold: int) -> Teaching:
    """Let each fold's network keep its state in a place of its own."""
    return replace(teaching, keep=None if teaching.keep is None else teaching.keep / f"fold-{fold}")


def is_taught(family: Family) -> bool:
    """Tell whether a family is a network that plans its epochs by the time there is."""
    return hasattr(family, "under")


def _on_folds(order: Order, family: Family, lesson: Lesson, pace: Pace, deadline: float | None) -> Outcome:
    params = order.params
    is_watched = bool(family.rounds) and order.rows == "learn"
    is_planned = is_watched and is_taught(family)
    if order.limit_s is not None and not is_planned:
        first = lesson.take(f"{order.rows} {order.folds[0]}")
        params = pace.fit_into(family, params, first, order.limit_s / len(order.folds), seed=order.seed)
    is_cheaper = params != order.params
    found: list[Fitted] = []
    was_cut = False
    for place, fold in enumerate(order.folds):
        learned, scored = lesson.take(f"{order.rows} {fold}"), lesson.take(f"score {fold}")
        started = time.perf_counter()
        by = None if deadline is None else _share_of(deadline, len(order.folds) - place)
        own = family.under(_of_fold(family.teaching, fold)) if is_taught(family) else family  # type: ignore[attr-defined]
        found.append(
            own.fit(learned, params=params, seed=order.seed, deadline=by, watch=scored if is_watched else None)
        )
        was_cut |= bool(family.rounds) and by is not None and time.monotonic() >= by
        if not is_planned and (settled := getattr(found[-1], "settled", None)):  # what a fit found out, stays
            params = params | settled
        if is_planned and by is not None:  # later folds learn as long
            params = params | found[-1].settled  # type: ignore[attr-defined]
        pace.learn(family, family.seconds(learned.shape, params), time.perf_counter() - started)
    curves = tuple(np.asarray(one) for one in map(_chosen_by, found) if one is not None)
    if order.lengths and curves:
        curves = tuple(curve[:length] for curve, length in zip(curves, order.lengths, strict=True))
    known = {**order.curves, **dict(zip(order.folds, curves, strict=True))} if curves else {}
    rounds = best_round(list(known.values())) if known else 0
    if rounds:
        own = [best_round_elsewhere(known, fold, lesson) for fold in order.folds]
        found = [one.at(min(n, len(curve))) for one, n, curve in zip(found, own, curves, strict=True)]
    found = [bounded(one, lesson.examples) for one in found]
    task = lesson.examples.task
    scores: list[float] = []
    ties: list[float] = []
    answers: list[Array] = []
    answering = time.perf_counter()
    for fold, fitted in zip(order.folds, found, strict=True):
        scored = lesson.take(f"score {fold}")
        outputs = fitted.reference(scored)
        answers.append(numbers_of(outputs, task.classes))
        for block in _blocks(len(scored.target), order.n_blocks):
            part = score(task, scored.target, outputs, rows=block, names=order.metrics)
            scores.append(part.get(order.metrics[0], math.nan))
            ties.append(part.get(order.metrics[1], math.nan))
    judged = answering if is_planned else time.perf_counter()  # a network's answers come when its time to learn is over
    graph, cost, parity, seen = b"", None, tuple[Parity, ...](), dict[str, float]()
    if order.wants_graph:
        graph = graph_of(found[-1], lesson.examples.schema, task)
        runner = model.Graph(graph)
        fewer_still = HEAT_PART if order.kind == "heat" else 1
        rows = lesson.rows[f"score {order.folds[-1]}"][: fewer(N_GLANCED // fewer_still, lesson.examples, family)]
        n_made = fewer(N_GLANCED, lesson.examples, family) if is_planned else N_GLANCED
        parity = check(graph, found[-1], lesson.examples.take(rows), runner=runner, n_hard=n_made)
        learned = lesson.take(f"{order.rows} {order.folds[-1]}")
        seen = _seen(runner, learned, fewer(MAX_SEEN_ROWS // fewer_still, learned, family))
        cost = model.measure_cost(runner, _some_feeds(lesson.examples, COST_ROWS), n_calls=200, time_limit_s=0.3)
    return Outcome(
        number=order.number,
        status="done",
        params=params,
        rounds=rounds,
        scores=tuple(scores),
        ties=tuple(ties),
        answers=tuple(answers),
        curves=curves,
        lengths=order.lengths or (tuple(len(curve) for curve in curves) if was_cut else ()),
        is_short=was_cut or bool(order.lengths) or is_cheaper or (is_planned and params != order.params),
        n_parameters=int(np.mean([one.n_parameters for one in found])),
        besides_s=time.perf_counter() - judged,
        graph=graph,
        cost=cost,
        parity=parity,
        seen=seen,
        notes=tuple(getattr(found[-1], "notes", ())),
        course=getattr(found[-1], "course", None),
    )


def fewer(n_rows: int, examples: Examples, family: Family) -> int:
    """Return how many rows are looked at where so many are of a table: an answer to a picture costs far more.

    So does one of a network: it takes milliseconds.
    """
    if examples.schema.modality == "image":
        return n_rows // PICTURES_PART
    return n_rows // NETWORKS_PART if is_taught(family) else n_rows


def _seen(runner: model.Graph, learned: Examples, most: int) -> dict[str, float]:
    """Score a model on the rows that it learned from; its graph answers several times as fast as most libraries."""
    some = learned.take(thinned(len(learned.target), most))
    return score(learned.task, some.target, runner.predict(some.feeds()))


def _on_everything(order: Order, family: Family, lesson: Lesson, deadline: float | None) -> Outcome:
    examples = lesson.take("everything")
    fitted = bounded(family.fit(examples, params=order.params, seed=order.seed, deadline=deadline), examples)
    if family.rounds and deadline is not None and time.monotonic() >= deadline:
        raise OutOfTime("its last fit was cut short")  # how much it learned would depend on the clock
    graph = graph_of(fitted, examples.schema, examples.task)
    some = checked_rows(examples, [family])
    reference = fitted.reference(some)
    return Outcome(
        number=order.number,
        status="done",
        params=order.params,
        n_parameters=fitted.n_parameters,
        graph=graph,
        parity=check(graph, fitted, some, reference, n_hard=n_hard([family])),
        checked=numbers_of(reference, examples.task.classes),
    )


def checked_rows(examples: Examples, families: Iterable[Family] = ()) -> Examples:
    """Return the rows that a graph is held against its library on: the last ones, which are validation's.

    Of a graph that holds a network there are fewer, and of pictures: each is among those of any other graph.
    """
    n_rows, most = len(examples.target), MAX_CHECKED_ROWS
    if examples.schema.modality == "image":
        most //= PICTURES_PART
    elif any(map(is_taught, families)):
        most = MAX_CHECKED_BY_NETWORKS
    return examples.take(np.arange(max(0, n_rows - most), n_rows))


def n_hard(families: Iterable[Family]) -> int:
    """Return how many rows that are made to be hard a graph is held against its library on."""
    return N_HARD // NETWORKS_PART if any(map(is_taught, families)) else N_HARD


def check(
    graph: bytes,
    fitted: Fitted,
    rows: Examples,
    reference: model.Outputs | None = None,
    *,
    runner: model.Graph | None = None,
    n_hard: int = N_HARD,
) -> tuple[Parity, ...]:
    """Compare a graph with the library's own answer: on `rows`, and on rows that are made to break exports."""
    runner = model.Graph(graph) if runner is None else runner
    hard = model.stress_feeds(rows.frame, rows.schema, graph, n_rows=n_hard, blobs=rows.blobs)
    reference = fitted.reference(rows) if reference is None else reference
    return (
        model.check_parity(runner, rows.feeds(), reference, path="library and graph"),
        model.check_parity(runner, hard, fitted.reference(hard), path="library and graph, rows made to be hard"),
    )


def best_round(curves: Sequence[Array]) -> int:
    """Return the number of rounds whose loss is least in the mean of all curves; a short one goes on as it ended.

    Example:
        >>> best_round([np.array([3.0, 2.0, 2.5]), np.array([3.0, 2.5, 2.0, 1.0])])
        4
    """
    longest = max(len(curve) for curve in curves)
    ends = [np.pad(curve, (0, longest - len(curve)), mode="edge") for curve in curves]
    return int(np.argmin(np.mean(ends, axis=0))) + 1


def best_round_elsewhere(curves: Mapping[int, Array], fold: int, lesson: Lesson) -> int:
    """Return the best round of the folds that score none of a fold's rows, so that no row chooses how it is answered.

    Where there is no such fold, its own curve has to say.
    """
    here = lesson.rows[f"score {fold}"]
    others = [one for other, one in curves.items() if not np.isin(lesson.rows[f"score {other}"], here).any()]
    return best_round(others or [curves[fold]])


def numbers_of(outputs: model.Outputs, classes: Sequence[str] = ()) -> Array:
    """Return answers as numbers: probabilities (n, n_classes), values (n, 1), or boxes (n, k, 6) as in `packed`."""
    if outputs.are_boxes:
        return packed(outputs, classes)
    if outputs.probabilities is not None:
        return np.asarray(outputs.probabilities, np.float64)
    return np.asarray(outputs.prediction, np.float64).reshape(-1, 1)


def score(
    task: Task, truth: Array, outputs: Any, *, rows: slice | Array = slice(None), names: Sequence[str] | None = None
) -> dict[str, float]:
    """Compute point metrics of `outputs` on some rows: those named, or all of the task."""
    return score_numbers(task, truth[rows], numbers_of(outputs, task.classes)[rows], names=names)


def score_numbers(
    task: Task, truth: Array, numbers: Array, *, names: Sequence[str] | None = None, said: Array | None = None
) -> dict[str, float]:
    """Compute point metrics of answers that are given as numbers; the likeliest class is said, or those in `said`."""
    return measure.score(task, truth, answers_as_scored(task, truth, numbers, names=names, said=said), names=names)


def answers_as_scored(
    task: Task, truth: Array, numbers: Array, *, names: Sequence[str] | None = None, said: Array | None = None
) -> measure.Answers:
    """Return answers that are given as numbers, as they are scored: the likeliest class, or those in `said`.

    Boxes count from where that is best on these rows, where a metric in `names` asks for it.
    """
    if task.kind == "detection":
        return shown(task, truth, model.answers_of(unpacked(numbers, task.classes), task), names)
    if task.kind == "regression":
        return measure.Answers(numbers[:, 0])
    return measure.Answers(numbers.argmax(axis=1) if said is None else said, numbers)


def thinned(n_rows: int, most: int) -> Array:
    """Return positions of at most so many rows, evenly spaced."""
    return np.arange(0, n_rows, max(1, math.ceil(n_rows / most)))


def line_of(error: BaseException) -> str:
    """Say in one line what went wrong."""
    if isinstance(error, PalioError):  # it speaks for people already
        return error.message.splitlines()[0][:300]
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


def _some_feeds(examples: Examples, n_rows: int) -> Mapping[str, Array]:
    return examples.take(np.arange(min(n_rows, len(examples.target)))).feeds()


def _share_of(deadline: float, n_left: int) -> float:
    now = time.monotonic()
    return now + (deadline - now) / n_left


def _blocks(n_rows: int, n_blocks: int) -> list[slice]:
    return [slice(start, None, n_blocks) for start in range(min(n_blocks, max(1, n_rows)))]
