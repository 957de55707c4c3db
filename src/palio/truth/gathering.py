"""Turn answers whose truth has come back into rows of the data, and say what was left out and why."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from palio import data, store
from palio.core.cells import label
from palio.core.long_texts import is_cut
from palio.core.records import Column, Schema, Task
from palio.measure import questions
from palio.truth.ripening import labelled

if TYPE_CHECKING:
    import polars as pl

Array = np.ndarray[Any, np.dtype[Any]]
_TEXTS = ("boolean", "category", "text")
SERVED = "served"
"""Before the name of a picture that was asked about without a key: its digest."""
_PARTS = ("year", "month", "day", "hour", "minute", "second")


def obstacle(
    schema: Schema, *, hidden: Collection[str] = (), method: str = "auto", keeps_pictures: bool = False
) -> str:
    """Say why a prediction log cannot give rows under a contract; empty if it can.

    Args:
        schema: The contract.
        hidden: Columns that the log does not keep as they were.
        method: How rows are cut; see `split.cut`.
        keeps_pictures: Whether bytes of pictures are kept beside it.
    """
    features = {column.name for column in schema.features}
    if found := sorted(features & {*hidden}):
        return f"the prediction log does not hold `{found[0]}` as it was ([log] redact or hash)"
    for column in schema.features:
        if column.type == "boxes":
            return f"the prediction log does not hold `{column.name}`"
        if column.type == "image" and not keeps_pictures:
            return f"no pictures of `{column.name}` are kept beside the prediction log ([log] pictures_mb)"
    remedy = "add such rows with palio ingest --append"
    if schema.group is not None and schema.group not in features and method in ("auto", "grouped"):
        return (
            f"rows are kept together by `{schema.group}`, which the log does not hold, so that new rows of a group "
            f"could be in another part than its old ones: {remedy}"
        )
    if method in ("auto", "time"):
        for name in schema.time:
            if name not in features and _moment_as(schema.column(name)) is None:
                return f"rows are ordered by `{name}`, which the log does not hold: {remedy}"
    return ""


class Learned:
    """Answers that were learned from before, as hashes of their prediction ids and of their labels.

    Args:
        pairs: Two 64-bit hashes a row, as `Gathered.pairs` holds them.

    Example:
        >>> is_new, n_corrected = Learned([np.array([[7, 1]], np.uint64)]).meet(np.array([[7, 2], [8, 1]], np.uint64))
        >>> is_new.tolist(), n_corrected
        ([False, True], 1)
    """

    def __init__(self, pairs: Iterable[Array] = ()) -> None:
        found = np.concatenate([np.empty((0, 2), np.uint64), *pairs])
        found = found[np.argsort(found[:, 0], kind="stable")]
        self._identities, self._labels = found[:, 0], found[:, 1]

    @classmethod
    def read(cls, written: Iterable[bytes]) -> Self:
        """Read what `Gathered.learned` wrote, several times perhaps."""
        return cls(np.frombuffer(one, "<u8").reshape(-1, 2) for one in written)

    def meet(self, pairs: Array) -> tuple[Array, int]:
        """Tell which of these answers are new, and how many of the others have another label now."""
        if not len(self._identities):
            return np.ones(len(pairs), bool), 0
        places = np.minimum(np.searchsorted(self._identities, pairs[:, 0]), len(self._identities) - 1)
        old = self._identities[places] == pairs[:, 0]
        return ~old, int((old & (self._labels[places] != pairs[:, 1])).sum())


class Gathered(NamedTuple):
    """Rows that were answered, in the order of their answers, as a contract has them."""

    rows: pl.DataFrame
    pairs: Array
    """Shape (n, 2): a 64-bit hash of the prediction id and one of the label of each answer, sorted by the first."""

    def as_parquet(self) -> bytes:
        """Write the rows as a file that can be appended to the data."""
        buffer = io.BytesIO()
        self.rows.write_parquet(buffer, compression="zstd", compression_level=1, statistics=False)
        return buffer.getvalue()

    def learned(self) -> bytes:
        """Write down which answers these are, for `Learned.read`."""
        return self.pairs.astype("<u8").tobytes()


class Gatherer:
    """Turn labelled answers of the log back into rows; count what is left out and why.

    Args:
        folder: Root of the prediction log.
        model: Whose answers.
        schema: Contract of the rows.
        task: What was answered.
        ids: Of the rows that the data holds; None if rows have none.
        learned: Answers that were learned from before.
        holds_keys: Whether the log holds row keys as they were.
        pictures: Bytes of pictures that were asked about.
        part: Column that says which part a row is in, where rows are cut so; new ones fall by a hash of what they are.
    """

    def __init__(
        self,
        folder: Path,
        model: str,
        *,
        schema: Schema,
        task: Task,
        ids: data.RowIds | None = None,
        learned: Learned | None = None,
        holds_keys: bool = True,
        pictures: store.KeptPictures | None = None,
        part: str = "",
    ) -> None:
        self._log, self.task = (folder, model), task
        self._schema, self._question = schema, questions.of(task)
        self._ids, self._learned, self._holds_keys = ids, learned or Learned(), holds_keys
        self._pictures = pictures
        self._part = part if any(column.name == part for column in schema.columns) else ""
        self._images = tuple(column.name for column in schema.features if column.type == "image")
        self.n_fit = 0
        """Rows that can be added."""
        self.n_corrected = 0
        """Rows that were learned from, and whose label has changed since."""
        self.n_unfit = 0
        """Labelled rows whose inputs the log does not hold."""
        self.n_repeated = 0
        """Labelled rows whose id the data holds, or a newer answer has."""
        self.notes = _notes(schema, self._part)
        """What was put where the log holds no cell."""

    def frames(
        self, *, received_before: dt.datetime, answered_before: dt.datetime | None
    ) -> Iterator[tuple[pl.DataFrame, Array, Array]]:
        """Yield rows, the moments of their answers, and two hashes for each."""
        folder, model = self._log
        for batch in labelled(folder, model, until=answered_before, received_before=received_before):
            labels = self._labels_of(batch)
            pairs = np.stack([_hashes(batch["id"].tolist()), _hashes(labels)], axis=1)
            fresh, n_corrected = self._learned.meet(pairs)
            self.n_corrected += n_corrected
            if not self._question.is_text:
                fresh &= self._question.known(self._question.truth_in(batch))  # a class is no truth about a number
            if not fresh.any():
                continue
            if not self._holds_all_inputs(batch):
                self.n_unfit += int(fresh.sum())
                continue
            is_whole = self._is_whole(batch)
            self.n_unfit += int((fresh & ~is_whole).sum())
            fresh &= is_whole
            frame = self._frame(batch, labels)
            fresh &= self._fresh_ids(frame)
            self.n_fit += int(fresh.sum())
            if fresh.any():
                yield frame.filter(fresh), batch["at"][fresh], pairs[fresh]

    def gather(self, *, received_before: dt.datetime, answered_before: dt.datetime | None) -> Gathered | None:
        """Put all rows in the order of their answers; of answers about one id only the newest stays. None: no row."""
        import polars as pl

        parts = list(self.frames(received_before=received_before, answered_before=answered_before))
        if not parts:
            return None
        frames, moments, pairs = zip(*parts, strict=True)
        hashes = np.concatenate(pairs)
        rows = pl.concat(frames)[np.lexsort((hashes[:, 0], np.concatenate(moments)))]
        if self._schema.id is not None:
            ids = rows[self._schema.id]
            is_newest = ids.is_null() | ids.is_last_distinct()
            self.n_repeated += rows.height - int(is_newest.sum())
            rows = rows.filter(is_newest)
        for name in self._images:
            rows = self._described(rows, name)
        return Gathered(rows, hashes[np.argsort(hashes[:, 0], kind="stable")])

    def _labels_of(self, batch: dict[str, Array]) -> list[Any]:
        numbers: list[Any] = batch["truth_number"].tolist()
        if not self._question.is_text:
            return numbers
        return [
            text or (label(number) if number == number else "")
            for text, number in zip(batch["truth"].tolist(), numbers, strict=True)
        ]

    def _holds_all_inputs(self, batch: dict[str, Array]) -> bool:
        for column in self._schema.features:
            cells = batch.get(f"input.{column.name}")
            is_written = column.type in (*_TEXTS, "image")
            if cells is None or (cells.dtype.kind == "f") == is_written:
                return False
            if len(cells) and is_written and not isinstance(cells[0], str):
                return False  # nothing was kept of it
        return True

    def _is_whole(self, batch: dict[str, Array]) -> Array:
        """Tell of each row whether the log holds all of its texts, and whether its pictures are kept."""
        is_whole = np.ones(len(batch["id"]), bool)
        for column in self._schema.features:
            if column.type in _TEXTS:
                is_whole &= [not is_cut(cell) for cell in batch[f"input.{column.name}"].tolist()]
        for name in self._images:
            kept = self._pictures
            is_whole &= [kept is not None and kept.has(cell) for cell in batch[f"input.{name}"].tolist()]
        return is_whole

    def _fresh_ids(self, frame: pl.DataFrame) -> Array:
        import polars as pl

        if self._schema.id is None or self._ids is None:
            return np.ones(frame.height, bool)
        repeated = self._ids.holds(frame[self._schema.id].cast(pl.String))
        self.n_repeated += int(repeated.sum())
        return ~repeated

    def _described(self, rows: pl.DataFrame, name: str) -> pl.DataFrame:
        """Add what describes the pictures of a column, as ingest computes it."""
        import polars as pl

        read = (lambda _: None) if self._pictures is None else self._pictures.read
        cells = data.picture_cells(name, rows[name].to_list(), read)
        known = {column.name: column.type for column in self._schema.columns}
        return rows.with_columns(
            pl.Series(title, found, pl.Float64 if known[title] == "number" else pl.String)
            for title, found in cells.items()
            if title in known
        )

    def _frame(self, batch: dict[str, Array], labels: list[Any]) -> pl.DataFrame:
        import polars as pl

        schema, at = self._schema, pl.Series(batch["at"].astype("datetime64[us]"))
        columns = [_cells(column, batch[f"input.{column.name}"]) for column in schema.features]
        held = {column.name for column in schema.features}
        if schema.id is not None and schema.id not in held:
            is_held = "key" in batch and self._holds_keys  # a hash is nobody's id
            keys = batch["key"].tolist() if is_held else [""] * len(labels)
            if self._images:
                cells = batch[f"input.{self._images[0]}"].tolist()
                keys = [key or f"{SERVED}/{cell[:16]}" for key, cell in zip(keys, cells, strict=True)]
            columns.append(pl.Series(schema.id, [key or None for key in keys], pl.String))
            held.add(schema.id)
        for name in schema.time:
            if name not in held:
                columns.append(_moment_of(schema.column(name), at))
                held.add(name)
        if schema.group is not None and schema.group not in held:
            columns.append(pl.Series(schema.group, [None] * len(labels), pl.String))
        if self._part and self._part not in held:
            columns.append(_parts_of(batch["id"].tolist(), schema.column(self._part)))
        kind = pl.String if self._question.is_text else pl.Float64
        target = pl.Series(str(schema.target), [label if label != "" else None for label in labels], kind)
        return pl.DataFrame([*columns, target])


def _cells(column: Column, cells: Array) -> pl.Series:
    """Turn what the graph was fed back into cells."""
    import polars as pl

    if column.type in (*_TEXTS, "image"):
        return pl.Series(column.name, [cell or None for cell in cells.tolist()], pl.String)
    numbers = pl.Series(column.name, np.asarray(cells, np.float64)).fill_nan(None)
    if column.type == "datetime":
        return (numbers * 1e6).round().cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
    return numbers


def _moment_as(column: Column) -> str | None:
    """Say how the moment of an answer is written into a column of time; None if that is not known."""
    if column.type == "datetime":
        return "datetime"
    name = column.name.lower()
    return name if column.type in ("number", "integer") and name in _PARTS else None


def _moment_of(column: Column, at: pl.Series) -> pl.Series:
    import polars as pl

    form = _moment_as(column)
    if form == "datetime":
        return at.dt.replace_time_zone("UTC").alias(column.name)
    if form is None:
        return pl.Series(column.name, [None] * len(at), pl.Float64)
    part: pl.Series = getattr(at.dt, form)()
    return part.cast(pl.Float64).alias(column.name)


def _parts_of(identities: list[str], column: Column) -> pl.Series:
    """Let a fifth of the rows fall into the test part, the same ones always, in the words of the data.

    Where no row is called one of the test part, that of validation is sealed in its stead, and stays so.
    """
    import polars as pl

    words = {data.PART_WORDS.get(word.strip().lower(), ""): word for word in reversed(column.categories or ())}
    train, test = words.get("train", "train"), words.get("test") or words.get("validation", "test")
    cells = np.where(_hashes(identities) % 5 == 0, test, train)
    return pl.Series(column.name, cells.tolist(), pl.String)


def _notes(schema: Schema, part: str) -> tuple[str, ...]:
    """Say what stands where the log holds no cell."""
    held = {column.name for column in schema.features} | {schema.target, schema.id, part}
    held |= {
        c.name
        for c in schema.columns
        if c.name.startswith(tuple(f"{i.name}." for i in schema.features if i.type == "image"))
    }
    rest = [column for column in schema.columns if column.name not in held]
    moments = [f"`{c.name}`" for c in rest if c.name in schema.time and _moment_as(c) is not None]
    missing = [f"`{c.name}`" for c in rest if f"`{c.name}`" not in moments]
    cut = [f"A fifth of them is in the test part, which `{part}` says."] if part else []
    notes = [*cut, *([f"The moment of the answer stands for {', '.join(moments)}."] if moments else [])]
    if missing:
        notes.append(f"Missing in them, for the log holds no more than the inputs of the model: {', '.join(missing)}.")
    return tuple(notes)


def _hashes(values: list[Any]) -> Array:
    """Hash texts or numbers to 64 bits, the same in every process."""
    return np.fromiter(
        (int.from_bytes(hashlib.blake2b(str(value).encode(), digest_size=8).digest(), "little") for value in values),
        np.uint64,
        len(values),
    )
