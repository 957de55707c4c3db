"""The one look at the sealed test: challenger and champion scored and compared on the same rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict

import msgspec
import numpy as np

from palio import measure, split
from palio.core.errors import InputError
from palio.core.ids import digest_of, short
from palio.core.progress import SILENT, Progress
from palio.core.records import (
    Comparison,
    Evaluation,
    Gap,
    Importance,
    Metric,
    Part,
    Parts,
    Reach,
    Record,
    Snapshot,
    Task,
)
from palio.core.seeds import derive
from palio.core.words import counted
from palio.evaluate.answers import Array, answer, has_truth, known_rows
from palio.evaluate.comparison import check_comparable, compare_answers, in_time
from palio.evaluate.gap import judge_gap
from palio.evaluate.importance import MAX_ROWS_OF_NETWORKS, N_PASSES, permutation_importance
from palio.evaluate.looks import Looks, look_at
from palio.evaluate.scoring import SEED, judge, named
from palio.evaluate.segmenting import Segment, inside
from palio.measure import Answers

if TYPE_CHECKING:
    import polars as pl

    from palio.model import Bundle
    from palio.store import Store

FEWEST_ROWS = 30
"""Fewer rows are no ground for a comparison of their own: no interval of so few can be trusted."""
MAX_TRAIN_ROWS = 20_000
"""Training rows that are scored again for the gap."""
MAX_TRAIN_ROWS_OF_NETWORKS = 1_000
"""The same of a network, which takes milliseconds for a row."""
BUDGET_SHARE, LEAST_BUDGET_S = 0.2, 20.0
N_STEPS = 5
_STEP = "evaluate.assess"


def evaluation_budget(search_budget_s: float) -> float:
    """Return the seconds that an evaluation should take: a fifth of those of the search, and never less than 20.

    Example:
        >>> evaluation_budget(10.0), evaluation_budget(300.0)
        (20.0, 60.0)
    """
    return max(LEAST_BUDGET_S, BUDGET_SHARE * search_budget_s)


def rows_asked(parts: Parts, *, is_pictures: bool = False) -> int:
    """Return how many rows a network answers for sure when it is assessed: so a search can leave the time for that.

    Args:
        parts: The cut.
        is_pictures: No columns are shuffled.
    """
    n_test, n_train, n_validation = (parts.counts.get(part, 0) for part in ("test", "train", "validation"))
    again = sum(min(n, MAX_TRAIN_ROWS_OF_NETWORKS) for n in (n_train, n_validation))
    return n_test + again + (0 if is_pictures else N_PASSES * min(n_test, MAX_ROWS_OF_NETWORKS))


class Assessment(Record, frozen=True, kw_only=True):
    """What one look at the sealed test showed."""

    id: str
    evaluation: Evaluation
    champion_evaluation: Evaluation | None = None
    comparison: Comparison | None = None
    newest: Comparison | None = None
    """On the newest of these rows alone, if they were asked for."""
    newest_evaluation: Evaluation | None = None
    """The challenger on these rows."""
    earlier: Comparison | None = None
    """On the rows before them."""
    notes: tuple[str, ...] = ()
    """Why something could not be scored or compared, if so."""


def assess(
    store: Store,
    snapshot: Snapshot,
    parts: Parts,
    *,
    challenger: Bundle,
    champion: Bundle | None = None,
    newest_from: int | None = None,
    why: str,
    actor: str | None = None,
    budget_s: float | None = None,
    progress: Progress = SILENT,
) -> Assessment:
    """Open the sealed test once, and judge challenger and champion on the same rows.

    The look is in the ledger before a row is read, what it showed after; the evaluations go to `store.records` under
    their identities. What was assessed before is returned as it was: nothing new would be seen, so no look is used up.
    Who is interrupted between the two lines, and asks again for this candidate and these parts, finishes that look.

    Args:
        store: Where the data lies and the records go.
        snapshot: The data.
        parts: Its cut; `parts.test_id` is what is opened.
        challenger: The candidate.
        champion: The bundle that is live, if any.
        newest_from: Compare the two also on the test rows from this row of the snapshot on, and on those before it:
            the same look, told apart.
        why: The reason for the look, for the ledger.
        actor: Who looks; the user of the process if None.
        budget_s: Seconds that it should take, see `evaluation_budget`; None: any. What the decision rests on is always
            done, and bounded by the size of the task; of what is only shown, the importance of the columns, as much is
            done as there is time for, and the evaluation says how much.
        progress: Told what was found.

    Returns:
        The challenger's evaluation, with importance (of validation rows) and gap; the champion's, if it can answer
        these rows; and their comparison, if both answer the same question. `notes` say why one is absent.

    Raises:
        SealError: the budget of looks is used up.
        InputError: the primary metric is not defined on the test rows; no look is spent then.
        ContractError: the rows lack a feature of the challenger.
    """
    started = time.monotonic()
    question = {"parts": parts.id, "challenger": challenger.id, "champion": champion and champion.id}
    inputs = digest_of(question if newest_from is None else {**question, "newest_from": newest_from})
    known = store.steps.get(_STEP, inputs) or _told(store, inputs)
    if known is not None:
        return store.records.require(Assessment, known)
    task: Task = challenger.manifest.task
    split.check_metric(store, snapshot, parts, task)
    seen = _seen_parts(store, snapshot, parts, challenger)
    learned = [seen[part][1] for part in ("train", "validation") if part in seen and part in _learned_from(challenger)]
    baseline = measure.questions.of(task).constant(np.concatenate(learned))
    look = split.open_test(store, snapshot, parts, candidate=challenger.id, why=why, actor=actor, will_close=True)
    left = split.looks_left(store, parts)
    progress.say(
        f"evaluate  opened the sealed test part: {left} of {counted(parts.look_budget, 'look')} "
        f"{'is' if left == 1 else 'are'} left"
    )
    frame, truth = known_rows(look.rows, task)
    progress.step("evaluate", 1, N_STEPS)
    answers = answer(challenger, frame, task=task)
    ids = snapshot.id, parts.id
    how: _How = {"part": "test", "ids": ids, "baseline": baseline, "task": task, "progress": progress}
    deadline = None if budget_s is None else started + budget_s
    looks = look_at(challenger, frame, truth, answers, task=task, seed=SEED, deadline=deadline)
    evaluation = judge(challenger, frame, truth, answers, more=looks.segments, **how)
    progress.step("evaluate", 2, N_STEPS)
    gap = _gap(evaluation, challenger, seen)
    progress.step("evaluate", 3, N_STEPS)
    found: dict[str, Any] = {}
    if champion is not None:
        is_newest = None if newest_from is None else look.places[has_truth(look.rows, task)] >= newest_from
        asked = frame, truth, answers, is_newest
        found = _against((champion, challenger), asked, how, looks)
    progress.step("evaluate", 4, N_STEPS)
    # What is told of texts takes all the time there is, so columns come before it.
    until = deadline if deadline is None or looks.texts is None else (time.monotonic() + deadline) / 2
    importance, reach = _importance(challenger, frame, deadline=until, progress=progress)
    evaluation = named(evaluation, **looks.told(evaluation, seen["train"], seed=SEED, progress=progress))
    if reach is not None and reach.stopped_by == "time":
        progress.say(
            f"evaluate  its time was over when {reach.n_measured} columns had been shuffled often enough to tell what "
            f"they are worth, and {reach.n_seen} of {reach.n_read} once; the decision does not rest on that"
        )
    evaluation = named(evaluation, importance=importance, reach=reach, gap=gap)
    assessment = Assessment(id="", evaluation=evaluation, **found)
    assessment = msgspec.structs.replace(assessment, id=digest_of(assessment))
    _keep(store, assessment, look=look.number, inputs=inputs, actor=actor)
    store.steps.put(_STEP, inputs, assessment.id)
    progress.step("evaluate", N_STEPS, N_STEPS)
    return assessment


def _importance(
    bundle: Bundle, frame: pl.DataFrame, *, deadline: float | None, progress: Progress
) -> tuple[tuple[Importance, ...], Reach | None]:
    """Measure which columns matter; where a picture is the only one there is nothing to ask."""
    features = bundle.manifest.schema.features
    if len(features) == 1 and features[0].type == "image":
        return (), None
    return permutation_importance(bundle, frame, seed=SEED, deadline=deadline, progress=progress)


def _told(store: Store, inputs: str) -> str | None:
    """Find what was told of the same question, if all but the note of the step was written."""
    lines = store.ledger.events(kind=split.SCORE)
    return next((line.payload["assessment"] for line in lines if line.payload.get("inputs") == inputs), None)


Labelled = tuple["pl.DataFrame", Array]


def _seen_parts(store: Store, snapshot: Snapshot, parts: Parts, bundle: Bundle) -> dict[Part, Labelled]:
    """Read the labelled rows of train and of validation (if there is one)."""
    task = bundle.manifest.task
    seen: dict[Part, Labelled] = {}
    for part in ("train", "validation"):
        if parts.counts.get(part, 0):
            seen[part] = known_rows(split.read(store, snapshot, parts, part), task)
    if "train" not in seen:
        raise InputError("the cut has no training rows", hint="cut the data again: palio split")
    return seen


def _learned_from(bundle: Bundle) -> tuple[str, ...]:
    """Name the parts that the bundle learned from: the simplest guess must know as much, or it is beaten by that."""
    return ("train", *bundle.manifest.trained_on)


def _gap(evaluation: Evaluation, bundle: Bundle, seen: dict[Part, Labelled]) -> Gap:
    """Judge the gap between the parts."""
    primary = evaluation.primary
    dummy = evaluation.baseline.get(primary)
    return judge_gap(
        primary,
        train=_again(bundle, seen["train"], primary),
        validation=_validation(bundle, seen, primary, evaluation.metrics[primary]),
        test=evaluation.metrics[primary],
        baseline=dummy.value if dummy else None,
    )


def _again(bundle: Bundle, rows: Labelled, primary: str) -> Metric | None:
    """Score the bundle once more on rows of train or validation, at most `MAX_TRAIN_ROWS`, of a network fewer."""
    frame, truth = rows
    most = MAX_TRAIN_ROWS if bundle.graph.precision == "float64" else MAX_TRAIN_ROWS_OF_NETWORKS
    if frame.height > most:
        rng = np.random.default_rng(derive(SEED, "again"))
        picked = np.sort(rng.choice(frame.height, most, replace=False))
        frame, truth = frame[picked], truth[picked]
    task = bundle.manifest.task
    said = answer(bundle, frame, task=task)
    found = measure.score_with_intervals(task, truth, said, seed=SEED, n_resamples=300, names=[primary])
    return found.get(primary)


def _validation(bundle: Bundle, seen: dict[Part, Labelled], primary: str, test: Metric) -> Metric | None:
    """Score on validation, or, where those rows were trained on in the end, take what was measured before that."""
    if "validation" in seen and "validation" not in bundle.manifest.trained_on:
        return _again(bundle, seen["validation"], primary)
    for source in ("validation", "cross_validation"):
        value = bundle.manifest.metrics.get(source, {}).get(primary)
        if value is not None:
            n_rows = seen["validation" if "validation" in seen else "train"][0].height
            half = (test.high - test.low) / 2 * float(np.sqrt(test.n_rows / n_rows))
            return Metric(value=value, low=value - half, high=value + half, n_rows=n_rows)
    return None


_Asked = tuple["pl.DataFrame", Array, Answers, Array | None]
"""Rows, their truth, the challenger's answers, and which of the rows are new."""


class _How(TypedDict):
    """What all that is judged on the sealed test have in common: arguments of `judge`."""

    part: Part
    ids: tuple[str, str]
    baseline: Sequence[float]
    task: Task
    progress: Progress


def _against(bundles: tuple[Bundle, Bundle], asked: _Asked, how: _How, looks: Looks) -> dict[str, Any]:
    """Score the champion on the same rows and compare; what cannot be done is said, not hidden."""
    champion = bundles[0]
    frame, truth, answers, is_newest = asked
    task, progress = how["task"], how["progress"]
    try:
        check_comparable(champion.manifest.task, task)
    except InputError as error:
        return {"champion_evaluation": _alone(champion, frame, how), "notes": (error.message,)}
    try:
        theirs = answer(champion, frame, task=task)
    except InputError as error:
        return {"notes": (f"The champion cannot answer these rows: {error.message}",)}
    both, more = (theirs, answers), looks.segments
    whole = compare_answers(bundles, frame, truth, both, part="test", task=task, more=more, progress=progress)
    found: dict[str, Any] = {
        "champion_evaluation": judge(champion, frame, truth, theirs, **how),
        "comparison": looks.compared(whole, theirs),
    }
    return found if is_newest is None else found | _told_apart(bundles, asked, theirs, how, more)


def _told_apart(
    bundles: tuple[Bundle, Bundle], asked: _Asked, theirs: Answers, how: _How, more: Sequence[Segment]
) -> dict[str, Any]:
    """Compare on the newest rows alone, and on those before them; say so where they are too few for the metric."""
    frame, truth, answers, is_newest = asked
    task, progress = how["task"], how["progress"]
    found: dict[str, Any] = {"notes": ()}
    for name in ("newest", "earlier"):
        rows = np.asarray(is_newest if name == "newest" else ~np.asarray(is_newest, bool), bool)
        n_rows = int(rows.sum())
        if n_rows < FEWEST_ROWS:
            found["notes"] += (
                f"Only {n_rows:,} of the {name} rows {'is' if n_rows == 1 else 'are'} in the test part: "
                "too few to compare on.",
            )
            continue
        both, those, slices = (theirs.take(rows), answers.take(rows)), frame.filter(rows), inside(more, rows)
        try:
            side = compare_answers(
                bundles, those, truth[rows], both, part="test", task=task, more=slices, progress=progress
            )
            found[name] = in_time(side, truth[rows], both, task=task) if name == "newest" else side
            if name == "newest":
                found["newest_evaluation"] = judge(bundles[1], those, truth[rows], both[1], more=slices, **how)
        except InputError as error:
            found["notes"] += (f"The {name} rows cannot be compared on: {error.message}",)
    return found


def _alone(champion: Bundle, frame: pl.DataFrame, how: _How) -> Evaluation | None:
    """Score a champion that answers another question, on the rows that it has an answer for; None if it cannot."""
    task = champion.manifest.task
    try:
        own, truth = known_rows(frame, task)
        said = answer(champion, own, task=task)
        alone: _How = {**how, "baseline": (), "task": task}
        return judge(champion, own, truth, said, **alone)
    except InputError:
        return None


def _keep(store: Store, assessment: Assessment, *, look: int, inputs: str, actor: str | None) -> None:
    """Write down what was seen, and last the line that closes the look."""
    for evaluation in (assessment.evaluation, assessment.champion_evaluation):
        if evaluation is not None:
            store.records.put(evaluation, key=evaluation.id)
    store.records.put(assessment, key=assessment.id)
    evaluation = assessment.evaluation
    metric = evaluation.metrics[evaluation.primary]
    text = (
        f"Scored candidate {short(evaluation.bundle)} on {counted(evaluation.n_rows, 'sealed test row')}: "
        f"{evaluation.primary} {measure.with_interval(metric)}"
    )
    comparison = assessment.comparison
    if comparison is not None:
        text += f"; improvement on the champion {measure.with_interval(comparison.difference)}"
    if assessment.newest is not None:
        newest = assessment.newest
        text += f", on the {newest.n_rows:,} newest of these rows {measure.with_interval(newest.difference)}"
    store.ledger.append(
        split.SCORE,
        evaluation.id,
        text + ".",
        payload={
            "bundle": evaluation.bundle,
            "champion": comparison.champion if comparison else None,
            "parts": evaluation.parts,
            "assessment": assessment.id,
            "inputs": inputs,
            "look": look,
            "notes": list(assessment.notes),
        },
        actor=actor,
    )
