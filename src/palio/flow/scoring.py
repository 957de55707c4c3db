"""Score a file in streams: memory does not grow with its rows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palio import data, model
from palio.core.errors import InputError
from palio.core.records import Record, Schema
from palio.flow import bundles, sources

if TYPE_CHECKING:
    import polars as pl

    from palio.flow.opened import Opened
    from palio.model import Bundle, Outputs


class Scored(Record, frozen=True, kw_only=True):
    """A file that was scored."""

    output: str
    n_rows: int
    version: int | None
    bundle: str
    flags: dict[str, int]
    """What was unusual, by column, and in how many rows: unknown categories, values out of range."""


def predict(project: Opened, file: str, output: Path, *, version: int | None = None, query: str = "") -> Scored:
    """Write one row per row of `file`, in order: id if there is one, `prediction`, `probability_<class>`.

    Raises:
        InputError: `output` is neither .csv nor .parquet.
        ContractError: the file lacks a column that the model reads, or holds one of another type.
    """
    if output.suffix not in (".csv", ".parquet"):
        raise InputError(f"{output}: cannot write `{output.suffix}`", hint="end the name in .csv or .parquet")
    bundle = bundles.find(project, "champion" if version is None else str(version))
    champion = project.store.promotions.champion(project.name)
    live = champion.version if champion is not None else None
    source = sources.open_one(project, file, query=query)
    flags: Counter[str] = Counter()
    n_rows = 0
    with _Writer(output) as writer:
        for frame in data.scan(source, bundle.manifest.schema):
            flags.update(data.unusual(frame, bundle.manifest.schema))
            writer.write(score_frame(bundle, frame))
            n_rows += frame.height
            project.progress.step("predict", n_rows)
    return Scored(
        output=str(output),
        n_rows=n_rows,
        version=live if version is None else version,
        bundle=bundle.id,
        flags=dict(flags),
    )


def score_frame(bundle: Bundle, frame: pl.DataFrame) -> pl.DataFrame:
    """Predict the rows of one frame; columns as `predict` writes them."""
    import polars as pl

    schema: Schema = bundle.manifest.schema
    outputs: Outputs = bundle.graph.predict(model.feeds_from_frame(frame, schema))
    columns: dict[str, Any] = {}
    if schema.id is not None and schema.id in frame.columns:
        columns[schema.id] = frame[schema.id]
    columns["prediction"] = outputs.prediction
    if outputs.probabilities is not None:
        for index, label in enumerate(bundle.manifest.task.classes):
            columns[f"probability_{label}"] = outputs.probabilities[:, index]
    return pl.DataFrame(columns)


class _Writer:
    """Append frames to a CSV or Parquet file that appears under its name only when it is whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.name}.partial")
        self._parquet: Any = None
        self._text: Any = None

    def __enter__(self) -> _Writer:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return self

    def write(self, frame: pl.DataFrame) -> None:
        if self._path.suffix == ".parquet":
            import pyarrow.parquet as pq

            table = frame.to_arrow()
            if self._parquet is None:
                self._parquet = pq.ParquetWriter(self._partial, table.schema)
            self._parquet.write_table(table)
            return
        first = self._text is None
        if first:
            self._text = self._partial.open("wb")
        frame.write_csv(self._text, include_header=first)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for handle in (self._parquet, self._text):
            if handle is not None:
                handle.close()
        if kind is None and self._partial.exists():
            self._partial.replace(self._path)
        else:
            self._partial.unlink(missing_ok=True)
