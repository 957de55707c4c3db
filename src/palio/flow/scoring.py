"""Score a file in streams: memory does not grow with its rows, and every row keeps its line."""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from palio import data, model
from palio.core.errors import ContractError, InputError, did_you_mean
from palio.core.records import Record, Schema
from palio.flow import bundles, sources
from palio.measure import questions

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from palio.flow import scoring_boxes
    from palio.flow.opened import Opened
    from palio.model import Bundle

OUTPUTS = (".csv", ".parquet", ".json", ".jsonl")
FILE, PROBLEM = "file", "problem"
N_SHOWN = 3


class Unusual(Record, frozen=True, kw_only=True):
    """What was unusual in a column of rows that were answered all the same."""

    column: str
    what: str
    """`unknown category`, `out of range`, `missing`, `not whole` or `unusual form`."""
    n_cells: int
    example: str
    """A cell as it is written, with its row."""


class Scored(Record, frozen=True, kw_only=True):
    """A file that was scored."""

    output: str
    n_rows: int
    version: int | None
    bundle: str
    flags: dict[str, int]
    """Column → rows in which something was unusual in it."""
    unusual: tuple[Unusual, ...] = ()
    n_problems: int = 0
    """Rows that could not be answered; their reasons stand in the column `problem`."""
    problems: tuple[str, ...] = ()
    """The first three of them: `row 17: …`."""
    notes: tuple[str, ...] = ()
    """What was found out about the file, one sentence each."""


def predict(
    project: Opened,
    file: str,
    output: Path,
    *,
    version: int | None = None,
    query: str = "",
    decimal: str = "",
    images: str = "",
    strict: bool = False,
    threshold: float | None = None,
) -> Scored:
    """Write one row per row of `file`, in order: id if there is one, `prediction`, `probability_<class>`, `problem`.

    A model of pictures takes a picture, a folder, an archive, or a list of paths; `file` stands in the place of the id.

    Args:
        project: Whose champion answers.
        file: Where the rows come from.
        output: Where they go: `.csv`, `.parquet`, `.json` (a list of objects) or `.jsonl`.
        version: Of the model; None: the champion.
        query: What to ask, where `file` is a database.
        decimal: What stands before decimals in this file, if it is not what the contract says: `.` or `,`.
        images: Folder or archive that the paths of pictures in `file` start from; empty: where `file` lies.
        strict: Refuse the file if one of its rows cannot be answered, and write nothing.
        threshold: How sure a box must be to be written, of a model that finds boxes; None: in a `.json` all, else as
            the model says.

    A model that finds boxes writes a document in the form of COCO (`.json`), one row a box (`.csv`, `.parquet`), one
    object a picture (`.jsonl`), or, into a folder, the pictures with their boxes.

    Raises:
        InputError: `output` has another ending, or there is a threshold where no boxes are found.
        ContractError: the file lacks a column that the model reads, or a row cannot be answered and `strict` is set.
    """
    bundle = bundles.find(project, "champion" if version is None else str(version))
    finds_boxes = bundle.manifest.task.kind == "detection"
    if output.suffix not in (*OUTPUTS, *[""] * finds_boxes):
        raise InputError(
            f"{output}: cannot write `{output.suffix}`",
            hint=f"end the name in {', '.join(OUTPUTS[:-1])} or {OUTPUTS[-1]}; {did_you_mean(output.suffix, OUTPUTS)}",
        )
    if threshold is not None and not finds_boxes:
        raise InputError("--threshold: this model finds no boxes", hint="leave it out")
    champion = project.store.promotions.champion(project.name)
    live = champion.version if champion is not None else None
    schema = bundle.manifest.schema
    if any(column.type == "image" for column in schema.features):
        sink = _sink(bundle, output, threshold)
        scored = _predict_pictures(project, bundle, file, sink, images=images, query=query, strict=strict)
        return msgspec.structs.replace(scored, output=str(output), version=live if version is None else version)
    source = sources.open_one(project, file, query=query, expected=[column.name for column in schema.features])
    flags: Counter[tuple[str, str]] = Counter()
    flagged: Counter[str] = Counter()
    examples: dict[tuple[str, str], str] = {}
    problems: list[str] = []
    n_rows = n_problems = 0
    with _Writer(output) as writer:
        writer.write(score_frame(bundle, empty_frame(schema, source.columns), []))
        for arrivals in data.scan(source, schema, strict=strict, decimal=decimal):
            flags.update(arrivals.flags)
            flagged.update(arrivals.flagged)
            examples = {**arrivals.examples, **examples}
            writer.write(score_frame(bundle, arrivals.frame, arrivals.problems))
            found = [(n_rows + i + 1, why) for i, why in enumerate(arrivals.problems) if why]
            problems += [f"row {row:,}: {why}" for row, why in found[: N_SHOWN - len(problems)]]
            n_rows, n_problems = n_rows + arrivals.frame.height, n_problems + len(found)
            project.progress.step("predict", n_rows)
    return Scored(
        output=str(output),
        n_rows=n_rows,
        version=live if version is None else version,
        bundle=bundle.id,
        flags=dict(flagged.most_common()),
        unusual=tuple(
            Unusual(column=column, what=what, n_cells=n, example=examples.get((column, what), ""))
            for (column, what), n in flags.most_common()
        ),
        n_problems=n_problems,
        problems=tuple(problems),
        notes=source.notes,
    )


def _sink(bundle: Bundle, output: Path, threshold: float | None) -> _Writer | scoring_boxes.Sink:
    """Return where answers to pictures go."""
    task = bundle.manifest.task
    if task.kind != "detection":
        return _Writer(output)
    from palio.flow import scoring_boxes

    least = scoring_boxes.threshold_of(output, task, threshold)
    if output.suffix == ".json":
        return scoring_boxes.Document(output, task, least)
    return (
        scoring_boxes.Table(_Writer(output), output, least)
        if output.suffix
        else scoring_boxes.Drawings(output, task, least)
    )


def _predict_pictures(
    project: Opened,
    bundle: Bundle,
    file: str,
    sink: _Writer | scoring_boxes.Sink,
    *,
    images: str,
    query: str,
    strict: bool,
) -> Scored:
    import polars as pl

    from palio.flow import scoring_pictures

    scorer = scoring_pictures.PictureScorer(bundle)
    asking = scoring_pictures.asking_of(project, scorer, file, images=images, query=query, strict=strict)
    told, problems = scoring_pictures.Told(), list[str]()
    places, kept = asking.places, list[pl.DataFrame]()
    n_rows = n_problems = 0
    with sink as writer, contextlib.closing(scorer):
        writer.write(scorer.score(data.Asking()))
        for some in asking.chunks():
            frame = scorer.score(some)
            found = [
                f"{name or '(no name)'}: {why}" for name, why in zip(some.files, some.problems, strict=True) if why
            ]
            if found and strict:
                raise ContractError(f"{file}: {found[0]}", hint="leave it out, or leave out --strict")
            if places is None or not writer.keeps_order:
                writer.write(frame, some.pictures)
            else:
                kept.append(frame)
            told.add(some)
            problems += found[: N_SHOWN - len(problems)]
            n_rows, n_problems = n_rows + frame.height, n_problems + len(found)
            project.progress.step("predict", n_rows, len(asking) or None)
        if places and kept:
            whole = pl.concat(kept)
            whole = whole[sorted(range(whole.height), key=[places[file] for file in whole[FILE]].__getitem__)]
            writer.write(whole)
            wrong = whole.filter(pl.col(PROBLEM).is_not_null()).head(N_SHOWN)
            problems = [f"{file}: {why}" for file, why in wrong.select(FILE, PROBLEM).iter_rows()]
    return Scored(
        output="",
        n_rows=n_rows,
        version=None,
        bundle=bundle.id,
        flags=dict(told.flagged.most_common()),
        unusual=tuple(
            Unusual(column=column, what=what, n_cells=n, example=told.examples.get((column, what), ""))
            for (column, what), n in told.flags.most_common()
        ),
        n_problems=n_problems,
        problems=tuple(problems),
        notes=asking.notes,
    )


def empty_frame(schema: Schema, there: Sequence[str]) -> pl.DataFrame:
    """Return no rows of the features, and of the id where it is among the columns that are `there`."""
    import polars as pl

    names = [c.name for c in schema.columns if c.feature or (c.name == schema.id and c.name in there)]
    return pl.DataFrame(schema=dict.fromkeys(names, pl.String))


def score_frame(bundle: Bundle, frame: pl.DataFrame, problems: list[str] | None = None) -> pl.DataFrame:
    """Predict the rows of one frame; columns as `predict` writes them, `problem` only where problems are given."""
    import polars as pl

    schema: Schema = bundle.manifest.schema
    columns: dict[str, Any] = {}
    if schema.id is not None and schema.id in frame.columns:
        columns[_free_name(schema.id, bundle)] = frame[schema.id]
    answered = _answers(bundle, frame)
    columns |= answered
    if problems is None:
        return pl.DataFrame(columns)
    wrong = pl.Series([bool(why) for why in problems], dtype=pl.Boolean)
    if wrong.any():
        columns |= {name: pl.select(pl.when(~wrong).then(pl.Series(a))).to_series() for name, a in answered.items()}
    columns[PROBLEM] = pl.Series([why or None for why in problems], dtype=pl.String)
    return pl.DataFrame(columns)


def _answers(bundle: Bundle, frame: pl.DataFrame) -> dict[str, Any]:
    import polars as pl

    question = questions.of(bundle.manifest.task)
    if not frame.height:
        kinds: dict[str, Any] = dict.fromkeys(question.names, pl.Float64)
        if question.is_text:
            kinds[questions.PREDICTION] = pl.String
        return {name: pl.Series([], dtype=kind) for name, kind in kinds.items()}
    outputs = bundle.graph.predict(bundle.feeds(frame))
    return question.columns(model.answers_of(outputs, question.task))


def _free_name(name: str, bundle: Bundle) -> str:
    """Return what the id is called in the output: its own name, unless an answer has it."""
    taken = {PROBLEM, *questions.of(bundle.manifest.task).names}
    return f"input:{name}" if name in taken else name


class _Writer:
    """Append frames to a file that appears under its name only when it is whole."""

    keeps_order = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.name}.partial")
        self._parquet: Any = None
        self._file: Any = None
        self._n_rows = 0

    def __enter__(self) -> _Writer:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return self

    def write(self, frame: pl.DataFrame, pictures: Sequence[bytes] = ()) -> None:  # noqa: ARG002 — it holds none
        if self._path.suffix == ".parquet":
            import pyarrow.parquet as pq

            table = frame.to_arrow()
            if self._parquet is None:
                self._parquet = pq.ParquetWriter(self._partial, table.schema)
            self._parquet.write_table(table.cast(self._parquet.schema))
            return
        first = self._file is None
        if first:
            self._file = self._partial.open("wb")
        if self._path.suffix == ".json":
            lines = frame.write_ndjson().encode().splitlines()
            start = b"[\n" if first else b",\n" if self._n_rows and lines else b""
            self._file.write(start + b",\n".join(lines))
            self._n_rows += len(lines)
        elif self._path.suffix == ".jsonl":
            frame.write_ndjson(self._file)
        else:
            frame.write_csv(self._file, include_header=first)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._file is not None and self._path.suffix == ".json":
            self._file.write(b"\n]\n")
        for handle in (self._parquet, self._file):
            if handle is not None:
                handle.close()
        if kind is None and self._partial.exists():
            self._partial.replace(self._path)
        else:
            self._partial.unlink(missing_ok=True)
