"""Keep what a model was trained on: bins that later rows are counted into, and rows that it had not seen.

What was served is held against this: how the columns were spread, and how well the model did where the truth is known.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from palio import measure, store
from palio.core import seeds
from palio.core.cells import KINDS, PICTURE_STATISTICS, carries_text
from palio.core.errors import IntegrityError
from palio.core.ids import canonical_json
from palio.core.monitoring import Reference
from palio.core.records import Column, ColumnShape, Schema, Task
from palio.measure import Answers, Question, questions
from palio.model.bundle.pictures import statistics_of
from palio.model.cells.names import input_name
from palio.model.graph.answers import answers_of
from palio.model.graph.session import Outputs

Array = npt.NDArray[Any]

REFERENCE, ROWS = "reference.json", "reference.arrows"
N_RUNS = 16
"""Runs of rows that are counted apart: with 8, seasons of four years look like drift (tests/monitor/test_drift.py)."""
N_BLOCKS = 8
"""Of the rows with answers that a bundle holds."""
MAX_ROWS = 20_000
"""Rows with answers that a bundle holds."""
MAX_ROWS_BYTES = 1 << 24
"""Size of these rows; if they are long there are fewer."""
TEXT_ROWS = 20_000
"""Texts that statistics are computed of."""
MAX_PROBABILITIES = 32
"""Classes, the most frequent first, whose probability has bins."""
N_RESAMPLES = 300
"""For the intervals of the metrics: as wide as those of 1,000 resamples within a tenth."""
BLOCK = "block"
_RESTORE = "restore the bundle from the store or a backup"


def make_reference(
    feeds: Mapping[str, Array],
    schema: Schema,
    task: Task,
    *,
    answers: Outputs | None = None,
    truth: Array | None = None,
    rows: Array | None = None,
    order: Array | None = None,
    in_time_order: bool = False,
    own: Outputs | None = None,
    like: Sequence[ColumnShape] = (),
    described: Mapping[str, Array] | None = None,
    judged: Answers | None = None,
    seed: int = 0,
) -> Reference:
    """Count what a model was trained on, and score it on rows that it had not seen.

    Args:
        feeds: All training rows as the graph takes them, shape (n_rows, 1) each.
        schema: Of the rows.
        task: What is predicted.
        answers: Of a fit that had not seen the row, for `rows`; None: nothing is known of answers.
        truth: Class index or number, for `rows`; needed with `answers`.
        rows: Which of the training rows these are; None: all.
        order: All positions in the order of time, or of the file; None: as they come.
        in_time_order: Whether `order` is that of time.
        own: What the model itself answers on some of these rows; another fit answers a little otherwise.
        like: What the columns of the snapshot look like: features are counted into the same bins.
        described: From `picture_statistics`, of all training rows; needed if there are pictures.
        judged: The same answers as they are to be judged, where these rows chose the threshold of the task.
        seed: Of the intervals.
    """
    n_rows = len(next(iter(feeds.values())))
    runs = np.array_split(np.arange(n_rows) if order is None else order, N_RUNS)
    question = questions.of(task)
    taken = set(question.names)
    alike = {shape.source: shape for shape in like}
    columns: list[ColumnShape] = []
    for column in schema.features:
        if input_name(column.name) in feeds:
            name = _free_name(column, taken)
            if column.type == "image":
                columns += _pictures(column, name, described or {}, runs, schema)
                continue
            cells = feeds[input_name(column.name)][:, 0]
            columns += _feature(column, name, cells, runs, alike.get(column.name))
    if answers is None or truth is None:
        return Reference(n_rows=n_rows, n_scored=0, in_time_order=in_time_order, columns=tuple(columns))
    places = _in_order(rows, order, n_rows)
    said = answers_of(answers, task)
    columns += _with_own(_answers(said, question, np.array_split(places, N_RUNS)), own, question)
    return Reference(
        n_rows=n_rows,
        n_scored=len(truth),
        in_time_order=in_time_order,
        columns=tuple(columns),
        quality=measure.score_with_intervals(
            task,
            truth,
            said if judged is None else judged,
            seed=seeds.derive(seed, "reference"),
            n_resamples=N_RESAMPLES,
        ),
    )


def sample_rows(
    feeds: Mapping[str, Array],
    schema: Schema,
    task: Task,
    *,
    answers: Outputs,
    truth: Array,
    rows: Array | None = None,
    order: Array | None = None,
    described: Mapping[str, Array] | None = None,
    seed: int = 0,
) -> dict[str, Array]:
    """Draw rows with the answers of a fit that had not seen them. Arguments as for `make_reference`.

    Returns:
        Columns as in the prediction log (`input.<column>`, `prediction`, `probability_<class>`), with `truth` as the
        prediction is, and `block` (0 to 7): which run of the scored rows it belongs to. In the order of `order`.
    """
    n_rows = len(next(iter(feeds.values())))
    places = _in_order(rows, order, n_rows)
    question, said = questions.of(task), answers_of(answers, task)
    block = np.repeat(np.arange(N_BLOCKS), [len(run) for run in np.array_split(places, N_BLOCKS)])
    chance = np.random.default_rng(seeds.derive(seed, "reference rows"))
    chosen = np.sort(chance.choice(len(places), min(MAX_ROWS, len(places)), replace=False))

    def cells(some: Array) -> dict[str, Array]:
        at = places[some]
        found = {
            f"input.{column.name}": feeds[input_name(column.name)][at if rows is None else rows[at], 0]
            for column in schema.features
            if input_name(column.name) in feeds and column.type != "image"
        }
        everywhere = at if rows is None else rows[at]
        for name in _picture_columns(schema):
            values = (described or {}).get(name)
            found[f"input.{name}"] = np.full(len(at), np.nan) if values is None else values[everywhere]
        found |= question.columns(said.take(at))
        found[questions.TRUTH] = question.labels(truth[at])
        found[BLOCK] = block[some]
        return found

    found = cells(chosen)
    size = sum(_size(values) for values in found.values())
    if size > MAX_ROWS_BYTES:
        n_kept = max(1, int(len(chosen) * 0.9 * MAX_ROWS_BYTES / size))
        found = cells(np.sort(chance.choice(chosen, n_kept, replace=False)))
    return found


def encode_reference(reference: Reference) -> bytes:
    """Write a reference as canonical JSON."""
    return canonical_json(reference)


def decode_reference(data: bytes) -> Reference:
    """Read a reference, and check that its columns make sense.

    Raises:
        IntegrityError: it is none.
    """
    try:
        reference = msgspec.json.decode(data, type=Reference)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _broken(REFERENCE, f"not readable: {error}") from None
    for column in reference.columns:
        if not _makes_sense(column):
            raise _broken(REFERENCE, f"the bins of `{column.name[:80]}` make no sense")
    return reference


def encode_rows(cells: Mapping[str, Array]) -> bytes:
    """Write rows as a stream of Arrow record batches, as the prediction log is written."""
    kinds = {name: _kind(values) for name, values in cells.items()}
    layout = store.BatchLayout([store.Field(name, kind) for name, kind in kinds.items()])
    columns = [
        store.text_of([str(value) for value in cells[name].tolist()])
        if kind == "text"
        else store.values_of(cells[name], kind)
        for name, kind in kinds.items()
    ]
    return layout.schema + layout.encode(len(next(iter(cells.values()))), columns)


def decode_rows(data: bytes, schema: Schema, task: Task) -> dict[str, Array]:
    """Read the rows of a bundle, and check that they are rows of its schema and task.

    Raises:
        IntegrityError: they are not.
    """
    try:
        batches = list(store.read_stream(io.BytesIO(data)))
        if sum(batch.n_rows for batch in batches) > MAX_ROWS:
            raise _broken(ROWS, f"more than {MAX_ROWS:,} rows")
        wanted = _expected(schema, task)
        if not batches or any({f.name: f.type for f in batch.fields if not f.size} != wanted for batch in batches):
            raise _broken(ROWS, "not the columns of the manifest")
        return {name: np.concatenate([batch[name] for batch in batches]) for name in wanted}
    except IntegrityError as error:
        if error.message.startswith(ROWS):
            raise
        raise _broken(ROWS, error.message) from None


def _free_name(column: Column, taken: set[str]) -> str:
    """Find a name that neither an answer nor an earlier column has: the column's own, or that behind `input.`."""
    name, ends = column.name, ["", *(f".{one}" for one in measure.statistics_names(column.type))]
    if column.type == "image":
        ends = ["", *(f".{one}" for one in PICTURE_STATISTICS)]
    while any(name + end in taken for end in ends):
        name = f"input.{name}"
    taken.update(name + end for end in ends)
    return name


def _feature(
    column: Column, name: str, values: Array, runs: Sequence[Array], like: ColumnShape | None
) -> Iterator[ColumnShape]:
    how: dict[str, Any] = {"blocks": runs, "source": column.name}
    if measure.statistics_names(column.type):
        yield measure.category_column(name, values, kind="text", **how)
        yield from _statistics(column, name, values, runs)
    elif column.type in KINDS and carries_text(column):
        like = like if like is not None and like.kind == "category" else None
        yield measure.category_column(name, values, known=column.categories or (), like=like, **how)
    elif column.type in KINDS:
        like = like if like is not None and like.kind == "number" else None
        yield measure.number_column(name, values, is_moment=column.type == "datetime", like=like, **how)


def _pictures(
    column: Column, name: str, described: Mapping[str, Array], runs: Sequence[Array], schema: Schema
) -> Iterator[ColumnShape]:
    """Describe pictures by their statistics; nothing is said of those that nobody has described."""
    for statistic in statistics_of(column, schema):
        values = described.get(f"{column.name}.{statistic}")
        if values is None or np.isnan(values).all():
            continue
        blocks = [run[~np.isnan(values[run])] for run in runs]
        how: dict[str, Any] = {"blocks": blocks, "source": column.name, "statistic": statistic}
        yield measure.number_column(f"{name}.{statistic}", values, **how)


def _picture_columns(schema: Schema) -> list[str]:
    return [f"{column.name}.{one}" for column in schema.features for one in statistics_of(column, schema)]


def _statistics(column: Column, name: str, values: Array, runs: Sequence[Array]) -> Iterator[ColumnShape]:
    """Describe a thinned sample of cells by their statistics."""
    n_each = max(1, TEXT_ROWS // len(runs))
    sampled = [run[measure.thin_rows(len(run), n_each)] for run in runs]
    some, ends = values[np.concatenate(sampled)], np.cumsum([len(run) for run in sampled])
    blocks = [slice(int(end) - len(run), int(end)) for end, run in zip(ends, sampled, strict=True)]
    found, kept = measure.learn_statistics(column.type, some)
    for statistic in measure.statistics_names(column.type):
        yield measure.number_column(
            f"{name}.{statistic}",
            found[statistic],
            blocks=blocks,
            source=column.name,
            statistic=statistic,
            vocabulary=kept.get(statistic, b""),
        )


def _answers(answers: Answers, question: Question, runs: Sequence[Array]) -> Iterator[ColumnShape]:
    """Describe answers: of two classes the probability of the class of interest says all."""
    found, classes = question.columns(answers), question.task.classes
    how: dict[str, Any] = {"blocks": runs, "role": "answer"}
    prediction, *probabilities = found
    if question.described_as:
        yield from _described(found[prediction], question, runs)
    elif question.is_text:
        yield measure.category_column(prediction, found[prediction], known=classes, **how)
    else:
        yield measure.number_column(prediction, found[prediction], **how)
    if len(classes) == 2 and probabilities:
        probabilities = [probabilities[measure.positive_index(question.task)]]
    most = sorted(probabilities, key=lambda name: -float(found[name].mean()))[:MAX_PROBABILITIES]
    for name in probabilities:
        if name in most:
            yield measure.number_column(name, found[name], **how)


def _described(cells: Array, question: Question, runs: Sequence[Array]) -> Iterator[ColumnShape]:
    """Describe boxes that are answered, from the model's threshold on, by their statistics."""
    found, kept = measure.describe_boxes(cells, question.task.threshold, question.task.classes)
    for statistic, values in found.items():
        column = measure.number_column(
            f"{questions.PREDICTION}.{statistic}", values, blocks=runs, source=questions.PREDICTION,
            statistic=statistic, vocabulary=kept[statistic],
        )  # fmt: skip
        yield msgspec.structs.replace(column, role="answer")


def _with_own(columns: Iterator[ColumnShape], own: Outputs | None, question: Question) -> Iterator[ColumnShape]:
    """Count what the model itself answers into the same bins."""
    found = {} if own is None else question.columns(answers_of(own, question.task))
    described = list(columns)
    mine = {one.name: one.counts for one in measure.count_rows(described, found)}
    for column in described:
        yield msgspec.structs.replace(column, own=mine[column.name]) if column.name in mine else column


def _in_order(rows: Array | None, order: Array | None, n_rows: int) -> Array:
    """Return places among the scored rows, in the order of all rows."""
    if order is None:
        return np.arange(n_rows if rows is None else len(rows))
    if rows is None:
        return order
    rank = np.empty(n_rows, np.int64)
    rank[order] = np.arange(n_rows)
    return np.argsort(rank[rows], kind="stable")


def _expected(schema: Schema, task: Task) -> dict[str, str]:
    found = {f"input.{c.name}": "text" if carries_text(c) else "float64" for c in schema.features if c.type != "image"}
    found |= dict.fromkeys([f"input.{name}" for name in _picture_columns(schema)], "float64")
    question = questions.of(task)
    answer = "text" if question.is_text else "float64"
    found |= dict.fromkeys(question.names, "float64") | {questions.PREDICTION: answer}
    return found | {questions.TRUTH: answer, BLOCK: "int8"}


def _kind(values: Array) -> str:
    return {"O": "text", "T": "text", "U": "text", "i": "int8"}.get(values.dtype.kind, "float64")


def _size(values: Array) -> int:
    if values.dtype.kind == "f":
        return int(values.nbytes)
    if values.dtype.kind == "i":
        return len(values)
    return sum(len(str(value).encode("utf-8", "replace")) + 4 for value in values.tolist())


def _makes_sense(column: ColumnShape) -> bool:
    n_bins = (len(column.edges) if column.kind == "number" else len(column.values)) + 2
    has_values = not column.values or column.kind != "number" or len(column.values) == n_bins - 1
    increases = all(low < high for low, high in itertools.pairwise(column.edges))
    counts = (column.counts, *column.blocks, *([column.own] if column.own else []))
    return (
        increases
        and has_values
        and all(len(one) == n_bins and min(one) >= 0 for one in counts)
        and len(column.vocabulary) % 4 == 0
        and (not column.statistic or measure.is_statistic(column.statistic) or column.statistic in PICTURE_STATISTICS)
    )


def _broken(member: str, reason: str) -> IntegrityError:
    return IntegrityError(f"{member}: {reason}", hint=_RESTORE, facts={"member": member})
